"""Whatever begins and ends when, in whatever order it is told: nothing real is ever in a drill's case, nothing of a drill in a real one."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.cases import reality
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, DismissalReason
from cloud.drills import service as drills
from cloud.errors import Conflict
from edge.contract.incident import IncidentState, Severity
from tests.cloud.drills.conftest import CAMERAS, Exercised
from tests.cloud.samples import NOW, incident

MIXED = """
select i.id from incident i join grid_case c on c.id = i.case_id where i.drill_id is distinct from c.drill_id
union all
select i.id from case_incident ci join incident i on i.id = ci.incident_id join grid_case c on c.id = ci.case_id
where i.drill_id is distinct from c.drill_id
union all
select c.id from grid_case c where c.drill <> (c.drill_id is not null)
"""

STEP = st.one_of(
    st.tuples(
        st.just("start"), st.sampled_from([("cam-1",), ("cam-1", "cam-2"), ("",), ("cam-2",)]), st.integers(1, 90)
    ),
    st.tuples(st.just("end"), st.just(()), st.just(0)),
    st.tuples(st.just("wait"), st.just(()), st.one_of(st.integers(1, 300), st.integers(1, 4_000))),
    st.tuples(st.just("find"), st.sampled_from(CAMERAS), st.integers(0, 100)),
    st.tuples(st.just("find"), st.just("cam-1"), st.integers(0, 100)),
    st.tuples(st.just("find late"), st.sampled_from(CAMERAS), st.one_of(st.integers(0, 600), st.integers(0, 7_000))),
    st.tuples(st.just("go on"), st.sampled_from(list(Severity)), st.integers(0, 50)),
    st.tuples(st.just("dismiss"), st.just(()), st.integers(0, 50)),
    st.tuples(st.just("make real"), st.just(()), st.integers(0, 50)),
)


@dataclass
class Life:
    """One example: the clock, and what the test itself knows of every drill and incident."""

    exercised: Exercised
    now: datetime = NOW
    spans: list[tuple[int, frozenset[str], datetime, datetime]] = field(default_factory=list)
    left: set[tuple[int, str]] = field(default_factory=set)
    found: list[tuple[str, datetime, int | None]] = field(default_factory=list)
    revisions: dict[int, int] = field(default_factory=dict)

    @property
    def conn(self) -> Connection[Any]:
        return self.exercised.conn

    def expected(self, device: str, began_at: datetime, *, late: bool) -> int | None:
        for drill_id, devices, start, until in self.spans:
            took_part = (device in devices or "" in devices) and (drill_id, device) not in self.left
            if took_part and start <= began_at < until and (late or start <= self.now < until):
                return drill_id
        return None

    def step(self, what: str, which: Any, number: int) -> None:
        match what:
            case "start":
                try:
                    with self.conn.transaction():
                        drill = self.exercised.start(*which, at=self.now, hours=number / 60)
                except Conflict:
                    return
                self.spans.append((drill.id, frozenset(which), self.now, drill.planned_end_at))
            case "end":
                running = drills.page(self.conn, self.exercised.who("chief"), now=self.now, running=True)
                for drill in running[:1]:
                    drills.end(self.conn, self.exercised.who("chief"), drill.id, now=self.now, address="test")
                    self.spans = [
                        (each, devices, start, self.now if each == drill.id else until)
                        for each, devices, start, until in self.spans
                    ]
            case "wait":
                self.now += timedelta(seconds=number)
                drills.end_due(self.conn, now=self.now)
            case "find" | "find late":
                self._find(which, number, late=what == "find late")
            case "go on" if self.found:
                self._go_on(which, number % len(self.found))
            case "dismiss" | "make real":
                self._judge(what, number)

    def _find(self, device: str, ago_s: int, *, late: bool) -> None:
        began_at = self.now - timedelta(seconds=ago_s)
        self.found.append((device, began_at, self.expected(device, began_at, late=late)))
        state = IncidentState.ENDED if late else IncidentState.OPEN
        start_s = (began_at - NOW).total_seconds()
        found = incident(len(self.found), start_s=start_s, state=state, device=device, severity=Severity.LOW)
        self.exercised.receive(found, historical=late, received_at=self.now)

    def _go_on(self, severity: Severity, index: int) -> None:
        device, began_at, _ = self.found[index]
        start_s, now_s = ((at - NOW).total_seconds() for at in (began_at, self.now))
        revision = 2 + int(now_s - start_s) + 10_000 * severity.rank
        again = incident(
            index + 1, revision=revision, start_s=start_s, update_s=now_s, device=device, severity=severity
        )
        self.exercised.receive(again, received_at=self.now)
        self._outlast(index, revision)

    def _outlast(self, index: int, revision: int) -> None:
        """What is still there, by its newest revision, once its drill is over is real."""
        device, began_at, drill_id = self.found[index]
        if revision > self.revisions.get(index, 1):
            self.revisions[index] = revision
            if any(each == drill_id and until <= self.now for each, _, _, until in self.spans):
                self.found[index] = device, began_at, None

    def _judge(self, what: str, number: int) -> None:
        chief = self.exercised.who("chief")
        chosen = [row for row in self.exercised.cases() if what == "dismiss" or row[3]]
        if not chosen:
            return
        case_id, *_ = chosen[number % len(chosen)]
        if what == "make real":
            self._make_real(case_id)
            return
        case = cases.detail(self.conn, chief, case_id, now=self.now)
        if CaseAction.DISMISS in case.actions:
            order = Order(action=CaseAction.DISMISS, version=case.version, reason=DismissalReason.ANIMAL)
            cases.act(self.conn, chief, case_id, order, now=self.now, address="test")

    def _make_real(self, case_id: int) -> None:
        reality.make_real(self.conn, self.exercised.who("worker"), case_id, note=None, now=self.now, address="test")
        kept = self.kept()
        for index, (device, began_at, drill_id) in enumerate(self.found):
            if drill_id is not None and kept[index] is None:
                self.left.add((drill_id, device))
                self.found[index] = device, began_at, None

    def kept(self) -> list[int | None]:
        return [row[0] for row in self.conn.execute("select drill_id from incident order by id").fetchall()]


FIND = ("find", "cam-1", 0)
START = ("start", ("cam-1",), 60)
END = ("end", (), 0)
WAIT = ("wait", (), 60)
MEETINGS = {
    "real after exercised": [START, FIND, END, FIND],
    "exercised after real": [FIND, WAIT, START, FIND],
    "exercised after exercised": [START, FIND, END, WAIT, START, FIND],
    "real after a time": [START, FIND, ("wait", (), 3_700), FIND],
    "late after real": [START, WAIT, END, WAIT, FIND, ("find late", "cam-1", 90)],
}
"""The shortest lives in which one device finds the same twice, on either side of a border: these are tried whatever chance brings."""


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(MEETINGS["real after exercised"])
@example(MEETINGS["exercised after real"])
@example(MEETINGS["exercised after exercised"])
@example(MEETINGS["real after a time"])
@example(MEETINGS["late after real"])
@given(st.lists(STEP, min_size=6, max_size=30))
def test_real_and_exercised_are_never_one(exercised_url: str, steps: list[tuple[str, Any, int]]) -> None:
    with (
        psycopg.connect(exercised_url, options="-c timezone=UTC") as conn,
        conn.transaction(force_rollback=True),
    ):
        life = Life(Exercised(conn))
        for step in steps:
            life.step(*step)
            assert conn.execute(MIXED).fetchall() == [], step
            assert life.kept() == [drill_id for _, _, drill_id in life.found], step

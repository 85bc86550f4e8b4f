"""A town in which things happen, and what figures are of them, worked out anew from all rows by another way than the roll-up's."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import namedtuple_row

from cloud.access import departments
from cloud.access.departments import DepartmentKind
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.correlate import service as correlate
from cloud.errors import CloudError
from cloud.escalation import sweeps as escalation
from cloud.escalation.roster import Posts
from cloud.figures import rolling
from cloud.figures.counting import Key
from cloud.figures.histogram import BOUNDS_S
from cloud.figures.tally import Fact, Tally, Time
from cloud.figures.window import Window, local_day, month_of
from cloud.verdicts import settling
from tests.cloud.samples import GRID, NOW, incident, principal, report, take_in_areas

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Founded:
    """Areas, three people and a department in a database: their passwords take their time to hash."""

    people: tuple[Principal, ...]
    department: int

    @classmethod
    def in_database(cls, conn: Connection[Any]) -> Self:
        take_in_areas(conn)
        people = (
            principal(conn, "chief", Role.DUTY_CHIEF),
            principal(conn, "boss", Role.ADMINISTRATOR),
            principal(conn, "worker", Role.GRID_WORKER),
        )
        parks = departments.add(conn, code="parks", name="Parks", kind=DepartmentKind.DEPARTMENT, now=NOW)
        return cls(people, parks)


class Town:
    """People who may do everything, a clock, and what is done."""

    def __init__(self, conn: Connection[Any], founded: "Founded", zone: ZoneInfo = SHANGHAI) -> None:
        self.conn, self.zone = conn, zone
        self.people, self.department = founded.people, founded.department
        self.now = NOW
        self.number = self.refusals = 0
        self.endings: list[Any] = []
        self.looking: list[tuple[datetime, bool]] = []

    def found(self, *, grid: str = GRID, **of: Any) -> int:
        """An incident of its own place; its case."""
        self.number += 1
        start_s = (self.now - NOW).total_seconds()
        told = incident(self.number, start_s=start_s, device=f"cam-{self.number}", **of)
        correlate.receive(self.conn, report(told, grid_code=grid, received_at=self.now))
        return int(self.one("select max(id) from grid_case"))

    def do(self, case_id: int, action: str, *, person: int = 0, **given: Any) -> None:
        version = self.one("select version from grid_case where id = %s", case_id)
        order = Order(action=CaseAction(action), version=version, **given)
        cases.act(self.conn, self.people[person], case_id, order, now=self.now, address="test")
        if action == "close":
            self.endings += self.rows(f"select case_id, due_at, stopped_at from whole_clock where case_id = {case_id}")  # noqa: S608

    def try_to(self, case_id: int, action: str, *, person: int = 0, **given: Any) -> bool:
        """The same, if the table allows it."""
        with suppress(CloudError), self.conn.transaction():
            self.do(case_id, action, person=person, **given)
            return True
        return False

    def has_camera(self, *, grid: str = GRID, number: int = 9) -> None:
        """A camera that came an hour ago, with its node."""
        for statement in _CAMERA:
            self.conn.execute(statement.encode(), {"at": NOW - timedelta(hours=1), "grid": grid, "number": str(number)})
        self.looking.append((NOW - timedelta(hours=1), True))

    def node_is(self, presence: str) -> None:
        """The node of the camera came or went."""
        self.conn.execute(
            "insert into presence_change (node_id, at, presence) select id, %s, %s from node where name = 'node-9'",
            [self.now, presence],
        )
        self.looking.append((self.now, presence == "online"))

    def reported(self, grid: str, *, at: datetime | None = None) -> int:
        """What somebody on his round saw; its case."""
        self.conn.execute(_REPORT.encode(), {"at": at or self.now, "grid": grid})
        return int(self.one("select max(id) from grid_case"))

    def drill(self) -> int:
        """The drill of the district, from an hour ago for a day."""
        known = self.conn.execute("select id from drill").fetchone()
        if known is not None:
            return int(known[0])
        return int(
            self.one(
                "insert into drill (name, purpose, area_code, area_path, reports, channels, started_at, planned_end_at) "
                "values ('d', 'p', '110105', '110105/', false, false, %s, %s) returning id",
                NOW - timedelta(hours=1),
                NOW + timedelta(days=1),
            )
        )

    def incident_becomes(self, change: str, number: int) -> None:
        """What is told of an incident later; it is the one of that number."""
        ids = [row.id for row in self.rows("select id from incident order by id")]
        of = ids[number % len(ids)]
        if change == "refused":
            self.refusals += 1
            self.one(
                "insert into admission_rule (kind, admitted_from, note, made_by, made_at) "
                "values (%s, 'critical', 'n', 'boss', %s) returning id",
                f"kind-{self.refusals}",
                self.now,
            )
        values: dict[str, Any] = {"of": of, "drill": self.drill() if change == "drilled" else None}
        self.conn.execute(_CHANGES[change].encode(), values)

    def passes(self, span: timedelta) -> None:
        """Time passes; what clocks have to say is said, and suspended cases come back."""
        self.now += span
        while escalation.fire_due(self.conn, Posts(), now=self.now, count=500):
            pass
        cases.resume_due(self.conn, now=self.now, count=500)

    def settle(self, at_once: int = 7) -> None:
        """Make verdicts, count what is noted."""
        while settling.settle(self.conn)[0]:
            pass
        while rolling.settle(self.conn, at_once, zone=self.zone):
            pass

    def one(self, sql: str, *values: Any) -> Any:
        row = self.conn.execute(sql.encode(), values).fetchone()
        assert row is not None
        return row[0]

    def rows(self, sql: str) -> list[Any]:
        with self.conn.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(sql.encode()).fetchall()

    def kept(self) -> dict[tuple[str, Any, Key], Tally]:
        """The roll-up as it stands."""
        return {
            (row.grain, row.starts_on, Key(row.area_path, row.category, row.severity, row.simulated)): Tally.of(row)
            for row in self.rows("select * from figure_tally")
        }

    def worked_out(self) -> dict[tuple[str, Any, Key], Tally]:
        """The roll-up as it should be, case by case from its whole history."""
        found: dict[tuple[str, Any, Key], Tally] = {}
        events: dict[int, list[Any]] = {}
        for event in self.rows("select * from case_event order by id"):
            events.setdefault(event.case_id, []).append(event)
        clocks: dict[int, list[Any]] = {}
        for clock in [*self.rows("select * from case_clock"), *self.rows("select * from whole_clock")]:
            clocks.setdefault(clock.case_id, []).append(clock)
        machines = self.rows("select * from incident where drill_id is null")
        judged: dict[int, set[Any]] = {}
        for row in self.rows("select case_id, event_id, verdict, judged_at from incident_verdict"):
            judged.setdefault(row.case_id, set()).add((row.event_id, row.verdict, row.judged_at))
        for case in self.rows("select * from grid_case"):
            if case.drill or case.status in {"voided", "merged"}:
                continue
            happened = [
                *_of_history(case, events.get(case.id, [])),
                *_of_clocks(clocks.get(case.id, []), events.get(case.id, [])),
                *_of_verdicts(judged.get(case.id, ())),
                *_of_endings(each for each in self.endings if each.case_id == case.id),
                *self._of_report(case, machines),
            ]
            for at, fact, took_s in happened:
                self._note(found, case, at, fact, took_s)
        return found

    def _of_report(self, case: Any, machines: Sequence[Any]) -> "Iterable[Happened]":
        """Whether the camera of the grid looked, as it was said of it then, and whether a machine there told of it."""
        if case.origin != "patrol" or case.area_code != GRID:
            return
        if not next((there for at, there in reversed(self.looking) if at <= case.opened_at), False):
            return
        yield case.opened_at, Fact.REPORTED_IN_VIEW, None
        if not any(
            each.found_path == case.area_path
            and each.simulated == case.simulated
            and (each.category == case.category or each.kind == case.kind)
            and abs(each.started_at - case.opened_at) <= timedelta(minutes=30)
            for each in machines
        ):
            yield case.opened_at, Fact.MISSED, None

    def _note(self, found: dict[Any, Tally], case: Any, at: datetime, fact: Fact, took_s: float | None) -> None:
        day = local_day(at, self.zone)
        codes = [code for code in case.area_path.split("/") if code]
        paths = ["".join(f"{code}/" for code in codes[:count]) for count in range(len(codes) + 1)]
        for path in paths:
            for category, severity in ((case.category, case.severity), ("", "")):
                for grain, start in (("day", day), ("month", month_of(day))):
                    row = found.setdefault((grain, start, Key(path, category, severity, case.simulated)), Tally())
                    row.note(fact)
                    if took_s is not None:
                        row.note_time(_TIMES[fact], bisect_right(BOUNDS_S, took_s))

    def check(self) -> None:
        """What is kept is what it should be, and counting everything anew changes nothing."""
        self.settle()
        kept = self.kept()
        assert kept == self.worked_out()

    def count_anew(self, window: Window) -> int:
        """Count each day of a window anew, as `recompute` does; how many rows differed."""
        return sum(rolling.count_day(self.conn, day, [""], zone=self.zone) for day in window)


_TIMES = {Fact.VERIFIED: Time.TO_VERIFY, Fact.DISPATCHED: Time.TO_DISPATCH, Fact.CLOSED: Time.TO_CLOSE}
Happened = tuple[datetime, Fact, float | None]


def _of_history(case: Any, events: Sequence[Any]) -> Iterable[Happened]:  # noqa: C901, PLR0912  # one reading of a whole life
    yield case.opened_at, Fact.OPENED, None
    if case.severity == "critical":
        yield case.opened_at, Fact.SERIOUS, None
    if case.origin == "hotline":
        yield case.opened_at, Fact.COMPLAINTS, None
    begun_verifying = begun_filed = begun = case.opened_at
    by_himself = None
    closed_at = dispatched_at = case.opened_at
    for event in events:
        at, action = event.at, event.action
        if action in {"confirm", "dismiss"}:
            yield at, Fact.VERIFIED, (at - begun_verifying).total_seconds()
        if action == "claim" or (action == "dispatch" and event.from_status == "filed"):
            yield at, Fact.DISPATCHED, (at - begun_filed).total_seconds()
            dispatched_at = at
        if action == "close":
            yield at, Fact.CLOSED, (at - begun).total_seconds()
            closed_at = at
            if by_himself:
                yield at, Fact.SELF_HANDLED, None
        if action == "rework":
            yield at, Fact.REWORKED, None
        if action == "allow_return":
            yield dispatched_at, Fact.RETURNED, None
        if action == "deadline_red":
            yield at, Fact.OVERDUE, None
        if action in {"rate", "request_rated"} and event.rating <= 2:
            yield at, Fact.COMPLAINTS, None
        if action in {"reopen", "reopened", "came_again"}:
            if event.from_status == "closed":
                yield closed_at, Fact.REOPENED, None
            if event.from_status in {"closed", "rejected", "voided"}:
                begun = at
            if action == "reopen" and event.to_status == "reported":
                begun_verifying = at
        if event.to_status == "filed" and event.from_status != "filed":
            begun_filed = at
        if action in {"dispatch", "claim"}:
            by_himself = False
        if action == "take" or (action == "resolve" and event.from_status == "filed"):
            by_himself = True


def _of_clocks(clocks: Sequence[Any], events: Sequence[Any]) -> Iterable[Happened]:
    kinds = {
        "verifying": ({"confirm", "dismiss"}, Fact.VERIFY_DUE, Fact.VERIFY_ON_TIME),
        "whole": ({"close"}, Fact.CLOSE_DUE, Fact.CLOSE_ON_TIME),
    }
    for clock in clocks:
        stage = getattr(clock, "stage", "whole")
        if stage not in kinds or (stage == "verifying" and clock.state == "paused"):
            continue
        ending, due, on_time = kinds[stage]
        if clock.state == "running":
            if clock.fired >= 2:
                yield clock.due_at, due, None
            continue
        late = clock.stopped_at > clock.due_at
        done = any(event.at == clock.stopped_at and event.action in ending for event in events)
        if stage == "whole" and done:
            continue
        if late or done:
            yield clock.due_at, due, None
        if done and not late:
            yield clock.due_at, on_time, None


def _of_endings(endings: Iterable[Any]) -> Iterable[Happened]:
    """Closings, by what was due when they were made."""
    for each in endings:
        yield each.due_at, Fact.CLOSE_DUE, None
        if each.stopped_at <= each.due_at:
            yield each.due_at, Fact.CLOSE_ON_TIME, None


def _of_verdicts(judged: Iterable[tuple[int, str, datetime]]) -> Iterable[Happened]:
    for _, verdict, at in judged:
        if verdict in {"true", "duplicate", "false_alarm"}:
            yield at, Fact.JUDGED, None
        if verdict == "false_alarm":
            yield at, Fact.FALSE_ALARMS, None


_REPORT = """
    insert into grid_case (
        number, correlation_key, kind, category, severity, status, area_code, area_path, origin, opened_at, started_at,
        last_activity_at, late, simulated
    )
    select 'R' || code || %(at)s::text, 'r', 'report', 'public_order', 'low', 'reported', code, path, 'patrol', %(at)s, %(at)s, %(at)s,
        false, false
    from area where code = %(grid)s
"""
_CAMERA = (
    """
    with new_node as (
        insert into node (name, district, area_code, created_at)
        values ('node-' || %(number)s::text, '110105', '110105', %(at)s) returning id
    )
    insert into device (node_id, name, kind, grid_code, created_at)
    select id, 'cam-' || %(number)s::text, 'camera', %(grid)s, %(at)s from new_node
    """,
    """
    insert into presence_change (node_id, at, presence)
    select node_id, %(at)s, 'online' from device where name = 'cam-' || %(number)s::text
    """,
    """
    insert into presence_change (node_id, device_id, at, presence)
    select node_id, id, %(at)s, 'online' from device where name = 'cam-' || %(number)s::text
    """,
)
_CHANGES = {
    "refused": """
        update incident i set case_id = null, unadmitted_by = (select max(id) from admission_rule), unadmitted_path = i.found_path
        where id = %(of)s and case_id is not null
    """,
    "admitted": """
        update incident set case_id = (select max(case_id) from case_incident where incident_id = %(of)s), unadmitted_by = null,
            unadmitted_path = null
        where id = %(of)s and case_id is null
    """,
    "drilled": "update incident set drill_id = %(drill)s where id = %(of)s",
    "real": "update incident set drill_id = null where id = %(of)s",
    "earlier": "update incident set started_at = started_at - interval '40 minutes' where id = %(of)s",
    "another": "update incident set kind = 'smoke', category = 'fire' where id = %(of)s",
}

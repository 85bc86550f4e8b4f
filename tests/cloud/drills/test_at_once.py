"""A case of a drill is declared real while others work on it: nobody waits in a ring, and nothing of a drill is left in what is real."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.cases import reality
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.drills import service as drills
from cloud.errors import CloudError
from edge.contract.incident import Severity
from tests.cloud.drills.conftest import Exercised
from tests.cloud.drills.test_apart import MIXED
from tests.cloud.samples import NOW, incident
from tests.databases import DatabaseServer
from tests.waiting import wait_until

ROUNDS = 6
LATER = NOW + timedelta(minutes=1)
Deed = Callable[[Exercised, int, int], object]


def declare_real(who: Exercised, first: int, _second: int) -> object:
    return reality.make_real(who.conn, who.who("worker"), first, note=None, now=LATER, address="test")


def find_more(who: Exercised, _first: int, _second: int) -> object:
    found = [incident(900 + number, device=f"cam-{number}", severity=Severity.HIGH, start_s=60) for number in (2, 1)]
    who.receive(*found, received_at=LATER)
    return found


def take_a_step(who: Exercised, first: int, _second: int) -> object:
    return _act(who, first, CaseAction.CONFIRM)


def merge(who: Exercised, first: int, second: int) -> object:
    return _act(who, second, CaseAction.MERGE, target=first)


def end_the_drill(who: Exercised, _first: int, _second: int) -> object:
    for drill in drills.page(who.conn, who.who("chief"), now=LATER, running=True):
        drills.end(who.conn, who.who("chief"), drill.id, now=LATER, address="test")
    return None


def _act(who: Exercised, case_id: int, action: CaseAction, **given: Any) -> object:
    chief = who.who("chief")
    order = Order(action=action, version=cases.detail(who.conn, chief, case_id, now=LATER).version, **given)
    return cases.act(who.conn, chief, case_id, order, now=LATER, address="test")


OTHERS: dict[str, Deed] = {"find": find_more, "step": take_a_step, "merge": merge, "end": end_the_drill}


class District:
    """A database of its own, a drill with a case of each of two cameras, and a connection for whoever acts."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self.connect() as conn:
            exercised = Exercised(conn)
            exercised.start("cam-1", "cam-2")
            exercised.receive(incident(1, device="cam-1"), incident(2, device="cam-2", kind="intrusion"))
            self.first, self.second = (row[0] for row in exercised.cases())

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, options="-c timezone=UTC")

    def do(self, deed: Deed, *, before_commit: Callable[[], object] = lambda: None) -> str:
        """What it came to: done, or why not. A ring of waiting is nobody's answer, and raises."""
        with self.connect() as conn:
            try:
                deed(Exercised(conn), self.first, self.second)
            except CloudError as refusal:
                conn.rollback()
                return type(refusal).__name__
            before_commit()
        return "done"

    def waiting(self) -> int:
        with self.connect() as conn:
            row = conn.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
        return 0 if row is None else int(row[0])

    def mixed(self) -> list[Any]:
        with self.connect() as conn:
            return conn.execute(MIXED).fetchall()

    def is_real(self, case_id: int) -> bool:
        with self.connect() as conn:
            return conn.execute("select drill from grid_case where id = %s", [case_id]).fetchone() == (False,)


@pytest.fixture
def district(postgres_server: DatabaseServer, exercised_template: str) -> Iterator[Callable[[], District]]:
    made: list[str] = []

    def make() -> District:
        made.append(f"at_once_{uuid.uuid4().hex}")
        return District(postgres_server.create_database(made[-1], template=exercised_template))

    yield make
    for name in made:
        postgres_server.drop_database(name)


@pytest.mark.system
@pytest.mark.parametrize("comes_first", [True, False])
@pytest.mark.parametrize("name", list(OTHERS))
def test_whoever_comes_second_waits_or_goes_on_and_what_is_real_is_so_for_all(
    district: Callable[[], District], name: str, comes_first: bool
) -> None:
    here = district()
    first, second = (declare_real, OTHERS[name]) if comes_first else (OTHERS[name], declare_real)
    with ThreadPoolExecutor(1) as hands:
        later: list[Any] = []

        def begin_second() -> None:
            later.append(hands.submit(here.do, second))
            wait_until(lambda: later[0].done() or here.waiting() > 0, what="the second waits, or is done")

        done = here.do(first, before_commit=begin_second)
        answers = [done, later[0].result()]
    assert answers[0] == "done"
    assert answers[0 if comes_first else 1] == "done", "to take danger seriously nobody has to wait for anybody's leave"
    assert here.is_real(here.first)
    assert here.mixed() == []


@pytest.mark.system
def test_all_at_once_leave_nothing_half_real(district: Callable[[], District]) -> None:
    for _ in range(ROUNDS):
        here, begin = district(), threading.Barrier(len(OTHERS) + 1)

        def at_once(deed: Deed, here: District = here, begin: threading.Barrier = begin) -> str:
            begin.wait()
            return here.do(deed)

        with ThreadPoolExecutor(len(OTHERS) + 1) as hands:
            answers = [
                each.result() for each in [hands.submit(at_once, deed) for deed in (declare_real, *OTHERS.values())]
            ]
        assert answers[0] == "done"
        assert here.is_real(here.first)
        assert here.mixed() == []

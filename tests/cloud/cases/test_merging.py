"""Merging cases while machines go on finding things: nobody waits in a ring; and long chains of merged cases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, CaseStatus
from cloud.correlate import service as correlate
from cloud.correlate.model import IncidentReport
from edge.contract.incident import Incident
from tests.cloud.samples import NOW, incident, principal, report, take_in_areas
from tests.waiting import wait_until

ADDRESS = "192.0.2.1"


class Town:
    """A duty chief, cameras of which each found something else, and connections of their own for whoever acts at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hands = ThreadPoolExecutor(4)
        with self.connect() as conn:
            take_in_areas(conn)
            self.chief = principal(conn, "chief", Role.DUTY_CHIEF)

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, options="-c timezone=UTC")

    def found(self, number: int, **of: Any) -> Incident:
        return incident(number, device=f"cam-{number}", kind=f"kind-{number}", **of)

    def open(self, count: int) -> list[int]:
        """So many cases, one of each camera, in the order of their numbers."""
        with self.connect() as conn:
            for number in range(1, count + 1):
                correlate.receive(conn, report(self.found(number)))
            return [row[0] for row in conn.execute("select id from grid_case order by id")]

    def act(self, case_id: int, action: CaseAction, **given: Any) -> None:
        with self.connect() as conn:
            version = cases.detail(conn, self.chief, case_id, now=NOW).version
            order = Order(action=action, version=version, **given)
            cases.act(conn, self.chief, case_id, order, now=NOW, address=ADDRESS)

    def receive(self, *reports: IncidentReport) -> None:
        with self.connect() as conn:
            correlate.receive_all(conn, reports)

    def at_once(self, task: Callable[..., None], *given: Any, **more: Any) -> Future[None]:
        return self.hands.submit(task, *given, **more)

    def waiting(self) -> int:
        """How many transactions wait for a lock of another."""
        with self.connect() as conn:
            row = conn.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
        return 0 if row is None else int(row[0])


@pytest.fixture
def town(migrated_url: str) -> Iterator[Town]:
    made = Town(migrated_url)
    yield made
    made.hands.shutdown()


def test_a_merger_and_a_batch_that_comes_to_both_cases_the_other_way_round(town: Town) -> None:
    """The batch has the later case and is kept from its incident; the merger comes; then both go on."""
    first, second = town.open(2)
    with town.connect() as brake:
        brake.execute("select from incident where case_id = %s for update", [second])
        later = [town.found(2, revision=2, update_s=5), town.found(1, revision=2, start_s=1, update_s=5)]
        batch = town.at_once(town.receive, *(report(each) for each in later))
        wait_until(lambda: town.waiting() == 1, what="the batch waits for the incident")
        merger = town.at_once(town.act, first, CaseAction.MERGE, target=second)
        wait_until(lambda: town.waiting() == 2, what="the merger waits for the batch")
    batch.result(timeout=30)
    merger.result(timeout=30)
    with town.connect() as conn:
        merged = cases.detail(conn, town.chief, second, now=NOW)
        assert [each.revision for each in merged.incidents] == [2, 2]


def test_two_batches_that_meet_in_cases_which_took_others_in(town: Town) -> None:
    """They have no key in common; each comes to the two cases by way of others, in the opposite order."""
    one, two, three, four = town.open(4)
    town.act(one, CaseAction.MERGE, target=three)
    town.act(two, CaseAction.MERGE, target=four)
    # by beginning: the left batch comes to the third case and then the fourth, the right one to the fourth and then the third
    begins = {1: 1.0, 2: 2.0, 4: 1.0, 3: 2.0}
    again = {
        number: report(incident(10 + number, device=f"cam-{number}", kind=f"kind-{number}", start_s=start_s))
        for number, start_s in begins.items()
    }
    with town.connect() as brake:
        brake.execute("select from grid_case where id = any(%s) for update", [[three, four]])
        sides = [town.at_once(town.receive, again[here], again[there]) for here, there in ((1, 2), (4, 3))]
        wait_until(lambda: town.waiting() == 2, what="both wait")
    for side in sides:
        side.result(timeout=30)
    with town.connect() as conn:
        for case_id in (three, four):
            assert len(cases.detail(conn, town.chief, case_id, now=NOW).incidents) == 4


def test_people_and_machines_at_once_lose_nothing(town: Town) -> None:
    """Mergers both ways and apart again, beside batches over all cases in every order: nobody fails, each incident is in one case."""
    ids = town.open(4)
    failures: list[BaseException] = []
    begin = threading.Barrier(4)

    def merge(source: int, target: int) -> None:
        begin.wait(timeout=20)
        for _ in range(5):
            for action, given in ((CaseAction.MERGE, {"target": target}), (CaseAction.UNMERGE, {})):
                try:
                    town.act(source, action, **given)
                except psycopg.Error as error:
                    failures.append(error)
                except Exception:  # noqa: BLE001, S110 - the other one was quicker: that is an answer too
                    pass

    def deliver(side: int) -> None:
        begin.wait(timeout=20)
        for turn in range(2, 12):
            numbers = (1, 2, 3, 4) if (turn + side) % 2 else (4, 3, 2, 1)
            reports = [
                report(town.found(number, revision=turn * 2 + side, start_s=float(place), update_s=60.0 + turn))
                for place, number in enumerate(numbers)
            ]
            try:
                town.receive(*reports)
            except psycopg.Error as error:
                failures.append(error)

    running = [
        town.at_once(merge, ids[0], ids[3]),
        town.at_once(merge, ids[3], ids[1]),
        town.at_once(deliver, 0),
        town.at_once(deliver, 1),
    ]
    for each in running:
        each.result(timeout=120)
    assert failures == []
    with town.connect() as conn:
        astray = conn.execute(
            "select count(*) from incident i where not exists"
            " (select from case_incident ci where ci.case_id = i.case_id and ci.incident_id = i.id)"
            " or exists (select from grid_case c where c.id = i.case_id and c.status = 'merged')"
        ).fetchone()
    assert astray == (0,)


def test_a_chain_of_mergers_has_no_end_that_is_too_far(town: Town) -> None:
    """What is found again at the first of thirty merged cases comes to the last, and its pictures are seen there."""
    ids = town.open(30)
    with town.connect() as conn:
        conn.execute(
            "insert into report_picture (case_id, sent_sha256, sha256, size_bytes, width, height, account_id, stored_at)"
            " values (%s, repeat('a', 64), repeat('b', 64), 1, 2, 3, %s, %s)",
            [ids[0], town.chief.user_id, NOW],
        )
    for source, target in pairwise(ids):
        town.act(source, CaseAction.MERGE, target=target)
    town.receive(report(incident(100, device="cam-1", kind="kind-1", start_s=30)))
    with town.connect() as conn:
        last = cases.detail(conn, town.chief, ids[-1], now=NOW + timedelta(minutes=1))
        assert len(last.incidents) == 31
        assert [picture.sha256 for picture in last.pictures] == ["b" * 64]
        assert _statuses(conn, town.chief) == {CaseStatus.MERGED: 29, CaseStatus.REPORTED: 1}


def _statuses(conn: Connection[Any], user: Principal) -> dict[CaseStatus, int]:
    listed = cases.page(conn, cases.CaseFilter(area_path=user.area_path), before=None, count=100)
    return {status: found for status in CaseStatus if (found := sum(each.status is status for each in listed))}

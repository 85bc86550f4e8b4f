"""Verdicts in the database: whatever people do, the table is what the history says."""

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, DismissalReason
from cloud.correlate import service as correlate
from cloud.errors import CloudError
from cloud.verdicts import settling, store
from cloud.verdicts.model import Verdict
from tests.cloud.samples import NOW, incident, principal, report, take_in_areas


class Town:
    """Somebody who may do everything, a clock, and what is done."""

    def __init__(self, conn: Connection[Any]) -> None:
        self.conn = conn
        self.person: Principal = principal(conn, "chief", Role.DUTY_CHIEF)
        self.now = NOW
        self.number = 0

    def found(self, *, device: str = "cam-1", **of: Any) -> int:
        """An incident of its own place and time; its case."""
        self.number += 1
        self.now += timedelta(hours=1)
        start_s = (self.now - NOW).total_seconds()
        told = report(incident(self.number, start_s=start_s, device=device, **of), received_at=self.now)
        correlate.receive(self.conn, told)
        row = self.conn.execute("select case_id from incident order by id desc limit 1").fetchone()
        assert row is not None
        return int(row[0])

    def do(self, case_id: int, action: str, **given: Any) -> None:
        self.now += timedelta(minutes=1)
        row = self.conn.execute("select version from grid_case where id = %s", [case_id]).fetchone()
        assert row is not None
        order = Order(action=CaseAction(action), version=row[0], **given)
        cases.act(self.conn, self.person, case_id, order, now=self.now, address="test")

    def verdicts(self) -> dict[int, tuple[str, int]]:
        rows = self.conn.execute("select incident_id, verdict, case_id from incident_verdict").fetchall()
        return {incident_id: (verdict, case_id) for incident_id, verdict, case_id in rows}

    def settle(self) -> int:
        changed = 0
        while True:
            last, here = settling.settle(self.conn, 3)
            changed += here
            if last is None:
                return changed


@pytest.fixture
def town(migrated_url: str) -> Iterator[Town]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        yield Town(conn)


def test_the_table_is_what_the_history_says(town: Town) -> None:
    choose = random.Random(7)  # noqa: S311  # which step comes next
    case_ids = [town.found(device=f"cam-{number}") for number in range(6)]
    actions = ["confirm", "dismiss", "reopen", "verify", "inconclusive", "merge", "unmerge", "void", "take", "resolve"]
    refused = 0
    for _ in range(150):
        case_id, action = choose.choice(case_ids), choose.choice(actions)
        given: dict[str, Any] = {"note": "seen"}
        if action == "dismiss":
            given = {"reason": choose.choice(list(DismissalReason))}
        if action == "merge":
            given = {"target": choose.choice(case_ids)}
        try:
            with town.conn.transaction():
                town.do(case_id, action, **given)
        except CloudError:
            refused += 1
        if choose.random() < 0.2:
            town.settle()
        if choose.random() < 0.1:
            case_ids.append(town.found(device=f"cam-{choose.randrange(6)}"))
    assert refused < 130
    town.settle()
    kept = town.verdicts()
    assert kept
    assert {verdict for verdict, _ in kept.values()} <= {each.value for each in Verdict}
    settling.ask_for_all(town.conn, at_once=2)
    assert town.settle() == 0, "made anew from the history, nothing is different"
    town.conn.execute("delete from incident_verdict")
    settling.ask_for_all(town.conn)
    assert town.settle() == len(kept)
    assert town.verdicts() == kept
    assert store.count(town.conn) == len(kept)


def test_merged_judged_and_taken_apart(town: Town) -> None:
    source, target = town.found(device="cam-1"), town.found(device="cam-2")
    town.do(source, "confirm")
    town.do(source, "merge", target=target)
    town.do(target, "dismiss", reason=DismissalReason.ANIMAL)
    assert town.settle() == 2
    assert {verdict for verdict, _ in town.verdicts().values()} == {"false_alarm"}
    town.do(source, "unmerge")
    town.settle()
    assert sorted(town.verdicts().values()) == [("false_alarm", target), ("true", source)]
    town.do(target, "reopen")
    town.settle()
    assert list(town.verdicts().values()) == [("true", source)]


def test_a_sweep_at_any_time_and_twice(town: Town) -> None:
    case_id = town.found()
    assert town.settle() == 0
    town.do(case_id, "confirm")
    assert (town.settle(), town.settle()) == (1, 0)
    row = town.conn.execute("select judged_by, judged_at from incident_verdict").fetchone()
    assert row == (town.person.user_id, town.now)
    with suppress(CloudError):
        town.do(case_id, "dismiss", reason=DismissalReason.OTHER)
    assert town.settle() == 0


def test_what_came_before_but_is_committed_later_belongs_to_it(town: Town) -> None:
    case_id = town.found()
    town.do(case_id, "confirm")
    assert settling.settle(town.conn, forget_after_s=120)[1] == 1
    town.conn.execute(
        "insert into case_incident (case_id, incident_id, joined_at) values (%s, %s, %s)",
        [case_id, town_incident(town), NOW],
    )
    assert settling.settle(town.conn, forget_after_s=120)[1] == 1
    assert len(town.verdicts()) == 2


def town_incident(town: Town) -> int:
    """An incident of another case, which was there all the time."""
    town.found(device="cam-9")
    row = town.conn.execute("select max(id) from incident").fetchone()
    assert row is not None
    return int(row[0])

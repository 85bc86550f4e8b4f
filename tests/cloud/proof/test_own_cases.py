"""Whose own work a case is, and through which of its cases a file is seen."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases.model import CaseAction, HistoryAction
from cloud.evidence import store
from cloud.evidence.policy import OWN_STEPS
from tests.cloud.proof.conftest import PICTURES, Proving
from tests.cloud.samples import principal
from tests.fakes.node import AT

SHA256 = hashlib.sha256(PICTURES[0]).hexdigest()

BESIDE = {
    "merge",
    "unmerge",
    "urge",
    "comment",
    "rate",
    "incident_added",
    "severity_raised",
    "continued",
    "merged_in",
    "unmerged_from",
    "rang",
    "folded",
    "folded_false_alarm",
    "false_alarm_again",
    "request_rated",
    "deadline_amber",
    "deadline_red",
    "escalated",
    "escalated_again",
    "nobody_on_duty",
    "whistle",
    "whistle_answered",
    "whistle_overdue",
    "whistle_ended",
    "hold_set",
    "hold_lifted",
    "hold_unkept",
    "unseal_asked",
    "unseal_allowed",
    "unseal_refused",
    "unseal_ready",
    "unseal_gone",
    "unseal_unserved",
    "unsealed",
    "made_real",
}
"""Steps that make a case nobody's own."""


@pytest.fixture
def conn(proving: Proving) -> Iterator[Connection[Any]]:
    with proving.connect() as conn:
        yield conn
        conn.rollback()


def told(conn: Connection[Any], case_id: int, action: str, **named: int | None) -> None:
    columns = {"actor_id": None, "person_id": None, "department_id": None} | named
    conn.execute(
        "insert into case_event (case_id, at, action, actor_id, person_id, department_id)"
        " values (%(case_id)s, %(at)s, %(action)s, %(actor_id)s, %(person_id)s, %(department_id)s)",
        {"case_id": case_id, "at": AT, "action": action} | columns,
    )


def is_own(conn: Connection[Any], case_id: int, user: Principal) -> bool:
    return store.own_cases(conn, [case_id], user) == {case_id}


def test_every_step_is_work_on_a_case_or_beside_it() -> None:
    words = {str(action) for action in (*CaseAction, *HistoryAction)}
    assert OWN_STEPS <= words <= OWN_STEPS | BESIDE
    assert not OWN_STEPS & BESIDE


@pytest.mark.parametrize("name", ["actor_id", "person_id"])
def test_a_case_is_own_by_work_alone(name: str, proving: Proving, conn: Connection[Any]) -> None:
    case_id, user = proving.case_id(), proving.second
    words = sorted(OWN_STEPS | BESIDE)
    for action in words:
        told(conn, case_id, action)  # by nobody
    assert not is_own(conn, case_id, user)
    for action in words:
        with conn.transaction(force_rollback=True):
            told(conn, case_id, action, **{name: user.user_id})
            assert is_own(conn, case_id, user) == (action in OWN_STEPS), action


@pytest.mark.parametrize(("worker", "checker"), [(True, False), (False, True)])
def test_a_case_is_own_to_whoever_has_it(worker: bool, checker: bool, proving: Proving, conn: Connection[Any]) -> None:
    case_id, user = proving.case_id(), proving.second
    assert not is_own(conn, case_id, user)
    conn.execute(
        "update grid_case set worker_id = %s, checker_id = %s where id = %s",
        [user.user_id if worker else None, user.user_id if checker else None, case_id],
    )
    assert is_own(conn, case_id, user)


def test_a_case_is_a_departments_own_once_it_was_given_to_it_and_not_where_it_was_offered(
    proving: Proving, conn: Connection[Any]
) -> None:
    case_id, user = proving.case_id(), principal(conn, "sanitation", Role.DEPARTMENT)
    assert user.department_id is not None
    conn.execute(
        "insert into case_department (department_id, case_id, told_at) values (%s, %s, %s)",
        [user.department_id, case_id, AT],
    )
    assert not is_own(conn, case_id, user)
    told(conn, case_id, "comment", department_id=user.department_id)
    assert not is_own(conn, case_id, user)
    told(conn, case_id, "dispatch", department_id=user.department_id)
    assert is_own(conn, case_id, user)


def other_case(conn: Connection[Any], like: int, status: str) -> int:
    """Another, newer case with the same incidents."""
    row = conn.execute(
        "insert into grid_case (number, correlation_key, kind, category, severity, status, area_path, node, device, device_kind,"
        " opened_at, started_at, last_activity_at, late, simulated)"
        " select 'other', 'x', kind, category, severity, %s, area_path, node, device, device_kind, opened_at, started_at,"
        " last_activity_at, late, simulated from grid_case where id = %s returning id",
        [status, like],
    ).fetchone()
    assert row is not None
    conn.execute(
        "insert into case_incident (case_id, incident_id, joined_at) select %s, incident_id, joined_at from case_incident where case_id = %s",
        [row[0], like],
    )
    return int(row[0])


def test_of_several_cases_the_one_that_asks_least_is_looked_through(proving: Proving, conn: Connection[Any]) -> None:
    running, user = proving.case_id(), proving.second
    over = other_case(conn, running, "closed")
    found = store.visible(conn, SHA256, user)
    assert found is not None
    assert (found.case_id, found.is_over) == (running, False)
    told(conn, over, "verify", actor_id=user.user_id)
    found = store.visible(conn, SHA256, user)
    assert found is not None
    assert found.case_id == over  # his own work
    told(conn, running, "accept", actor_id=user.user_id)
    found = store.visible(conn, SHA256, user)
    assert found is not None
    assert (found.case_id, found.is_over) == (running, False)


def test_who_sees_one_of_several_cases_sees_the_file_through_that_one(proving: Proving, conn: Connection[Any]) -> None:
    running, user = proving.case_id(), principal(conn, "sanitation", Role.DEPARTMENT)
    over = other_case(conn, running, "closed")
    assert store.visible(conn, SHA256, user) is None
    conn.execute(
        "insert into case_department (department_id, case_id, told_at) values (%s, %s, %s)",
        [user.department_id, over, AT],
    )
    found = store.visible(conn, SHA256, user)
    assert found is not None
    assert (found.case_id, found.is_over) == (over, True)

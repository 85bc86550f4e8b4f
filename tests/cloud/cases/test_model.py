from itertools import product

import pytest

from cloud.access.model import Role
from cloud.cases.model import (
    OPEN_STATUSES,
    TRANSITIONS,
    CaseAction,
    CaseStatus,
    DismissalReason,
    actions_of,
    transition,
)
from cloud.errors import Forbidden, Invalid, TransitionRefused


def test_one_action_leads_from_a_status_to_one_other() -> None:
    places = [(row.action, row.from_status) for row in TRANSITIONS]
    assert len(places) == len(set(places))
    assert all(row.from_status is not row.to_status for row in TRANSITIONS)


def test_every_status_can_be_reached_and_left() -> None:
    assert {row.to_status for row in TRANSITIONS} == set(CaseStatus)
    assert {row.from_status for row in TRANSITIONS} == set(CaseStatus)


def test_every_row_is_someones_and_none_is_a_maintainers() -> None:
    assert all(row.roles for row in TRANSITIONS)
    assert not any(Role.MAINTAINER in row.roles for row in TRANSITIONS)


def test_a_case_that_was_judged_takes_no_more_incidents() -> None:
    assert {CaseStatus.REJECTED, CaseStatus.RESOLVED, CaseStatus.CLOSED}.isdisjoint(OPEN_STATUSES)


@pytest.mark.parametrize(("action", "status", "role"), list(product(CaseAction, CaseStatus, Role)))
def test_what_is_offered_is_what_is_allowed(action: CaseAction, status: CaseStatus, role: Role) -> None:
    reason = DismissalReason.ANIMAL if action is CaseAction.DISMISS else None
    if action in actions_of(status, role):
        assert transition(action, status, role, reason).from_status is status
    else:
        with pytest.raises((Forbidden, TransitionRefused)):
            transition(action, status, role, reason)


def test_a_dismissal_says_why_and_nothing_else_does() -> None:
    with pytest.raises(Invalid):
        transition(CaseAction.DISMISS, CaseStatus.REPORTED, Role.DUTY_CHIEF, None)
    with pytest.raises(Invalid):
        transition(CaseAction.CONFIRM, CaseStatus.REPORTED, Role.DUTY_CHIEF, DismissalReason.TEST)


def test_who_judged_too_fast_takes_it_back() -> None:
    for status in (CaseStatus.REJECTED, CaseStatus.FILED):
        assert CaseAction.REOPEN in actions_of(status, Role.GRID_WORKER)
    assert CaseAction.REOPEN not in actions_of(CaseStatus.CLOSED, Role.GRID_WORKER)

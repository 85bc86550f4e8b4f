from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from cloud.access.model import Role
from cloud.cases.life import Asked, Life, Order
from cloud.cases.model import (
    TRANSITIONS,
    CaseAction,
    CaseOrigin,
    CaseStatus,
    DismissalReason,
    Guard,
    Need,
    Petition,
    Transition,
)
from cloud.cases.standing import (
    LONGEST_REST,
    REOPEN_WINDOW,
    Standing,
    actions_of,
    goes_on,
    rated_by_requester,
    transition,
)
from cloud.errors import Forbidden, Invalid, TransitionRefused
from tests.cloud.cases.people import DEPARTMENT, person

NOW = datetime(2026, 3, 17, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
GIVEN: dict[Need, dict[str, Any]] = {
    Need.REASON: {"reason": DismissalReason.ANIMAL},
    Need.NOTE: {"note": "seen"},
    Need.DEPARTMENT: {"department": DEPARTMENT + 1},
    Need.UNTIL: {"until": LATER},
    Need.TARGET: {"target": 2},
    Need.RATING: {"rating": 4},
}


def order(action: CaseAction, status: CaseStatus, **more: Any) -> Order:
    """All that the table says an action needs."""
    needs = next((row.needs for row in TRANSITIONS if row.action is action and row.from_status is status), frozenset())
    given: dict[str, Any] = {}
    for need in needs:
        given |= GIVEN[need]
    return Order(action=action, version=1, **(given | more))


def standing(status: CaseStatus, **life: Any) -> Standing:
    return Standing(Life(status=status, **life))


@pytest.mark.parametrize("role", Role)
def test_what_is_offered_is_what_is_allowed(role: Role) -> None:
    asked = {petition: Asked(99, LATER) for petition in Petition}
    who = person(role)
    for action, status in product(CaseAction, CaseStatus):
        wanted = order(action, status)
        if action is CaseAction.VERIFY and role is not Role.GRID_WORKER:
            wanted = replace(wanted, person=5)
        for place in (
            Standing(Life(status=status, published_at=NOW, rating=3), {}, CaseOrigin.REQUEST),
            standing(status, worker_id=person(Role.GRID_WORKER).user_id),
            standing(status, department_id=DEPARTMENT),
            Standing(Life(status=status, department_id=DEPARTMENT), asked),
            standing(status, resolved_by=who.user_id, ended_at=NOW - 2 * REOPEN_WINDOW),
        ):
            if action in actions_of(place, who, now=NOW):
                assert transition(place, who, wanted, now=NOW).from_status is status
            else:
                with pytest.raises((Forbidden, TransitionRefused)):
                    transition(place, who, wanted, now=NOW)


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.action}-{row.from_status}")
def test_what_an_action_needs_has_to_come_and_nothing_else(row: Transition) -> None:
    petitions = {row.answers: Asked(99, LATER)} if row.answers is not None else {}
    found_by = CaseOrigin.REQUEST if Guard.REQUEST in row.guards else CaseOrigin.MACHINE
    place = Standing(Life(status=row.from_status, department_id=DEPARTMENT, published_at=NOW), petitions, found_by)
    who = person(next(role for role in Role if role in row.roles))
    whole = order(row.action, row.from_status)
    if who.role in {Role.INTAKE_CLERK, Role.DISPATCHER} and row.action is CaseAction.VERIFY:
        whole = replace(whole, person=3)
    try:
        transition(place, who, whole, now=NOW)
    except Forbidden:
        who = person(Role.DEPARTMENT)  # a handler's own
        if Role.DEPARTMENT not in row.roles:
            who = person(Role.GRID_WORKER)
            place = Standing(Life(status=row.from_status, worker_id=who.user_id), petitions)
    transition(place, who, whole, now=NOW)
    for need in Need:
        ((field, value),) = GIVEN[need].items()
        part: dict[str, Any] = {field: None if need in row.needs else value}
        changed = replace(whole, **part)
        if need is Need.NOTE and need not in row.needs:
            transition(place, who, changed, now=NOW)  # a note may always come
        else:
            with pytest.raises(Invalid):
                transition(place, who, changed, now=NOW)


def test_who_has_the_case_handles_it_and_whoever_is_in_charge_in_his_stead() -> None:
    told = standing(CaseStatus.DISPATCHED, department_id=DEPARTMENT, worker_id=person(Role.GRID_WORKER).user_id)
    assert CaseAction.ACCEPT in actions_of(told, person(Role.DEPARTMENT), now=NOW)
    assert CaseAction.ACCEPT not in actions_of(told, person(Role.DEPARTMENT, department=8), now=NOW)
    # who verified it is not who handles it
    assert CaseAction.ACCEPT not in actions_of(told, person(Role.GRID_WORKER), now=NOW)
    assert CaseAction.ACCEPT in actions_of(told, person(Role.DUTY_CHIEF), now=NOW)


def test_who_resolved_a_case_neither_checks_nor_closes_it() -> None:
    chief = person(Role.DUTY_CHIEF)
    done = standing(CaseStatus.RESOLVED, resolved_by=chief.user_id)
    assert not {CaseAction.CHECK, CaseAction.CLOSE, CaseAction.REWORK} & set(actions_of(done, chief, now=NOW))
    other = person(Role.DUTY_CHIEF, 50)
    assert {CaseAction.CHECK, CaseAction.CLOSE, CaseAction.REWORK} < set(actions_of(done, other, now=NOW))
    with pytest.raises(Invalid, match="name another person"):
        transition(done, other, Order(action=CaseAction.CHECK, version=1, person=chief.user_id), now=NOW)


def test_who_asks_is_not_who_allows() -> None:
    chief, other = person(Role.DUTY_CHIEF), person(Role.DUTY_CHIEF, 50)
    asked = Standing(
        Life(status=CaseStatus.IN_PROGRESS, department_id=DEPARTMENT), {Petition.EXTENSION: Asked(chief.user_id, LATER)}
    )
    assert CaseAction.ALLOW_EXTENSION not in actions_of(asked, chief, now=NOW)
    assert CaseAction.ALLOW_EXTENSION in actions_of(asked, other, now=NOW)
    assert CaseAction.ASK_EXTENSION not in actions_of(asked, other, now=NOW)
    assert CaseAction.ALLOW_RETURN not in actions_of(asked, other, now=NOW)


def test_a_closed_case_is_opened_again_within_the_window_only() -> None:
    chief = person(Role.DUTY_CHIEF)
    for age, may in ((REOPEN_WINDOW, True), (REOPEN_WINDOW + timedelta(seconds=1), False)):
        closed = standing(CaseStatus.CLOSED, ended_at=NOW - age)
        assert (CaseAction.REOPEN in actions_of(closed, chief, now=NOW)) is may


def test_who_judged_too_fast_takes_it_back() -> None:
    worker = person(Role.GRID_WORKER)
    for status in (CaseStatus.REJECTED, CaseStatus.FILED):
        assert CaseAction.REOPEN in actions_of(standing(status), worker, now=NOW)
    assert CaseAction.REOPEN not in actions_of(standing(CaseStatus.CLOSED, ended_at=NOW), worker, now=NOW)


def test_a_desk_says_whom_it_sends_and_a_worker_goes_himself() -> None:
    reported = standing(CaseStatus.REPORTED)
    with pytest.raises(Invalid, match="person"):
        transition(reported, person(Role.INTAKE_CLERK), Order(action=CaseAction.VERIFY, version=1), now=NOW)
    with pytest.raises(Forbidden):
        transition(reported, person(Role.GRID_WORKER), Order(action=CaseAction.VERIFY, version=1, person=99), now=NOW)


@pytest.mark.parametrize("wrong", [{"until": NOW}, {"rating": 0}, {"rating": 6}])
def test_dates_lie_ahead_and_ratings_are_one_to_five(wrong: dict[str, object]) -> None:
    action = CaseAction.ASK_EXTENSION if "until" in wrong else CaseAction.RATE
    status = CaseStatus.IN_PROGRESS if "until" in wrong else CaseStatus.CLOSED
    place = standing(status, worker_id=1)
    with pytest.raises(Invalid):
        transition(place, person(Role.DUTY_CHIEF), order(action, status, **wrong), now=NOW)


def test_what_a_resident_asks_for_is_offered_and_claimed() -> None:
    wish = Standing(Life(status=CaseStatus.REPORTED), {}, CaseOrigin.REQUEST)
    assert CaseAction.PUBLISH in actions_of(wish, person(Role.INTAKE_CLERK), now=NOW)
    assert CaseAction.PUBLISH not in actions_of(standing(CaseStatus.REPORTED), person(Role.INTAKE_CLERK), now=NOW)
    member = person(Role.DEPARTMENT)
    assert CaseAction.CLAIM not in actions_of(standing(CaseStatus.FILED), member, now=NOW)
    assert CaseAction.CLAIM in actions_of(standing(CaseStatus.FILED, published_at=NOW), member, now=NOW)


def test_a_case_is_rated_once_after_each_end() -> None:
    clerk = person(Role.INTAKE_CLERK)
    assert CaseAction.RATE in actions_of(standing(CaseStatus.CLOSED, ended_at=NOW), clerk, now=NOW)
    assert CaseAction.RATE not in actions_of(standing(CaseStatus.CLOSED, ended_at=NOW, rating=5), clerk, now=NOW)
    with pytest.raises(TransitionRefused):
        rated_by_requester(Life(status=CaseStatus.RESOLVED), 4, rated_at=None)
    ended = Life(status=CaseStatus.CLOSED, ended_at=NOW)
    with pytest.raises(TransitionRefused):
        rated_by_requester(ended, 4, rated_at=NOW)
    assert rated_by_requester(ended, 4, rated_at=NOW - timedelta(days=1)).rating == 4, "it was closed again since"


def test_the_rating_of_who_asked_for_it_stands_and_of_several_the_worst() -> None:
    by_the_chief = Life(status=CaseStatus.CLOSED, ended_at=NOW, rating=5)
    rated = rated_by_requester(by_the_chief, 4, rated_at=None)
    assert (rated.rating, rated.rated_by_requester) == (4, True)
    assert rated_by_requester(rated, 5, rated_at=None).rating == 4
    assert rated_by_requester(rated, 1, rated_at=None).rating == 1
    clerk = person(Role.INTAKE_CLERK)
    assert CaseAction.RATE not in actions_of(Standing(rated), clerk, now=NOW), "nobody else's takes its place"


@pytest.mark.parametrize("hands", [frozenset(), frozenset({5, 99})])
def test_who_had_the_password_of_the_first_is_no_second_person(hands: frozenset[int]) -> None:
    chief = person(Role.DUTY_CHIEF, 5)
    resolved = Standing(Life(status=CaseStatus.RESOLVED, resolved_by=99), hands={99: hands})
    asked = Standing(Life(status=CaseStatus.IN_PROGRESS), {Petition.SUSPENSION: Asked(99, LATER)}, hands={99: hands})
    for place, action in (
        (resolved, CaseAction.CHECK),
        (resolved, CaseAction.CLOSE),
        (resolved, CaseAction.REWORK),
        (asked, CaseAction.ALLOW_SUSPENSION),
        (asked, CaseAction.REFUSE_SUSPENSION),
    ):
        assert (action in actions_of(place, chief, now=NOW)) is not bool(hands)
    if hands:
        sent = order(CaseAction.CHECK, CaseStatus.RESOLVED, person=5)
        with pytest.raises(Invalid):
            transition(resolved, person(Role.INTAKE_CLERK, 6), sent, now=NOW)


@pytest.mark.parametrize("rating", range(1, 6))
def test_a_bad_rating_opens_a_case_again_while_that_can_be(rating: int) -> None:
    closed = Life(status=CaseStatus.CLOSED, ended_at=NOW, rating=rating)
    assert goes_on(closed, now=NOW + REOPEN_WINDOW) is (rating <= 2)
    assert not goes_on(closed, now=NOW + REOPEN_WINDOW + timedelta(seconds=1))


def test_a_date_that_was_asked_for_and_has_passed_is_not_allowed_any_more() -> None:
    asked = Standing(Life(status=CaseStatus.IN_PROGRESS), {Petition.SUSPENSION: Asked(99, LATER)})
    offered = actions_of(asked, person(Role.DISPATCHER), now=LATER)
    assert CaseAction.ALLOW_SUSPENSION not in offered
    assert CaseAction.REFUSE_SUSPENSION in offered


def test_a_case_rests_for_a_year_at_most_and_no_department_is_told_twice() -> None:
    dispatcher = person(Role.DISPATCHER)
    far = Order(action=CaseAction.ASK_SUSPENSION, version=1, note="x", until=NOW + LONGEST_REST + timedelta(days=1))
    with pytest.raises(Invalid):
        transition(standing(CaseStatus.IN_PROGRESS), person(Role.DUTY_CHIEF), far, now=NOW)
    told = standing(CaseStatus.DISPATCHED, department_id=DEPARTMENT)
    with pytest.raises(Invalid, match="already"):
        transition(told, dispatcher, Order(action=CaseAction.DISPATCH, version=1, department=DEPARTMENT), now=NOW)


@pytest.mark.parametrize("status", [CaseStatus.REJECTED, CaseStatus.VOIDED])
def test_what_was_rejected_or_voided_comes_back_within_the_window_only(status: CaseStatus) -> None:
    chief = person(Role.DUTY_CHIEF)
    for age, may in ((REOPEN_WINDOW, True), (REOPEN_WINDOW + timedelta(seconds=1), False)):
        assert (CaseAction.REOPEN in actions_of(standing(status, ended_at=NOW - age), chief, now=NOW)) is may

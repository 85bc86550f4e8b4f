from cloud.access.model import Role
from cloud.cases.model import (
    OPEN_STATUSES,
    OWN_MOVES,
    RUNNING_STATUSES,
    STAGE_OF,
    TRANSITIONS,
    CaseAction,
    CaseStatus,
    Guard,
    Need,
    Petition,
)


def test_one_action_leads_from_a_status_to_one_other() -> None:
    places = [(row.action, row.from_status) for row in TRANSITIONS]
    assert len(places) == len(set(places))


def test_every_status_can_be_reached_and_left() -> None:
    moving = [row for row in TRANSITIONS if row.moves]
    assert {row.to_status for row in moving} - {None} == set(CaseStatus)
    assert {row.from_status for row in moving} == set(CaseStatus)


def test_every_action_stands_in_the_table() -> None:
    assert {row.action for row in TRANSITIONS} == set(CaseAction)


def test_every_row_is_someones_and_none_is_a_maintainers_or_an_auditors() -> None:
    assert all(row.roles for row in TRANSITIONS)
    assert not any(row.roles & {Role.MAINTAINER, Role.AUDITOR} for row in TRANSITIONS)


def test_a_case_that_was_judged_takes_no_more_incidents() -> None:
    settled = {CaseStatus.REJECTED, CaseStatus.RESOLVED, CaseStatus.CHECKING, CaseStatus.CLOSED, CaseStatus.SUSPENDED}
    assert settled.isdisjoint(OPEN_STATUSES)


def test_what_runs_waits_for_something_and_what_ended_for_nothing() -> None:
    assert STAGE_OF.keys() == set(CaseStatus)
    assert OPEN_STATUSES < RUNNING_STATUSES
    assert set(CaseStatus) - RUNNING_STATUSES == {
        CaseStatus.REJECTED,
        CaseStatus.CLOSED,
        CaseStatus.MERGED,
        CaseStatus.VOIDED,
    }


def test_whatever_runs_can_be_brought_to_an_end() -> None:
    ends = set(CaseStatus) - RUNNING_STATUSES
    reached = set(ends)
    while True:
        more = {row.from_status for row in TRANSITIONS if row.to_status in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(CaseStatus)


def test_each_petition_can_be_asked_allowed_and_refused_wherever_it_can_be_asked() -> None:
    for petition in Petition:
        asked = {row.from_status for row in TRANSITIONS if row.asks is petition}
        answered = [row for row in TRANSITIONS if row.answers is petition]
        assert asked
        for status in asked:
            here = [row for row in answered if row.from_status is status]
            assert len(here) == 2, (petition, status)
            assert sum(Need.NOTE in row.needs for row in here) == 1  # a refusal says why


def test_what_moves_by_itself_goes_where_people_could_have_brought_it() -> None:
    by_people = {(row.from_status, row.to_status) for row in TRANSITIONS}
    assert set(OWN_MOVES.values()) <= by_people


def test_nobody_checks_his_own_work() -> None:
    for row in TRANSITIONS:
        if row.action in {CaseAction.CHECK, CaseAction.REWORK, CaseAction.CLOSE}:
            assert Guard.ANOTHER_PERSON in row.guards

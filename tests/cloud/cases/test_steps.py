"""Cases through their life, in the database."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access import departments, independence
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, CaseStatus
from cloud.cases.service import CaseFilter
from cloud.cases.view import CaseDetail
from cloud.correlate import service as correlate
from cloud.errors import Forbidden, Invalid, NotFound, TransitionRefused
from cloud.proof import holds
from edge.contract.incident import Severity
from tests.cloud.samples import GRID, NOW, OTHER_GRID, incident, principal, report, take_in_areas


@pytest.fixture
def conn(migrated_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection


class Town:
    """Somebody for each role, and what they do."""

    def __init__(self, conn: Connection[Any]) -> None:
        self.conn = conn
        self.people: dict[Role, Principal] = {
            role: principal(conn, role.value.replace("_", "-"), role) for role in Role
        }
        self.department = departments.by_code(conn, "sanitation")

    def open(self, number: int = 1, *, grid: str = GRID, **of: Any) -> int:
        correlate.receive(self.conn, report(incident(number, **of), grid_code=grid))
        return cases.page(self.conn, CaseFilter(area_path=""), before=None, count=1)[0].id

    def do(self, role: Role, case_id: int, action: str, **given: Any) -> CaseDetail:
        user = self.people[role]
        version = cases.detail(self.conn, self.people[Role.ADMINISTRATOR], case_id, now=NOW).version
        order = Order(action=CaseAction(action), version=version, **given)
        return cases.act(self.conn, user, case_id, order, now=NOW, address="test")

    def in_progress(self, number: int = 1) -> int:
        case_id = self.open(number)
        self.do(Role.GRID_WORKER, case_id, "confirm")
        self.do(Role.DISPATCHER, case_id, "dispatch", department=self.department)
        self.do(Role.DEPARTMENT, case_id, "accept")
        return case_id


@pytest.fixture
def town(conn: Connection[Any]) -> Town:
    return Town(conn)


def test_from_the_report_to_the_rated_case(town: Town) -> None:
    worker = town.people[Role.GRID_WORKER].user_id
    case_id = town.open()
    town.do(Role.INTAKE_CLERK, case_id, "verify", person=worker)
    town.do(Role.GRID_WORKER, case_id, "confirm")
    town.do(Role.DISPATCHER, case_id, "dispatch", department=town.department)
    town.do(Role.DEPARTMENT, case_id, "accept")
    town.do(Role.DEPARTMENT, case_id, "resolve", note="swept")
    town.do(Role.GRID_WORKER, case_id, "check")
    town.do(Role.GRID_WORKER, case_id, "rework", note="half of it lies there still")
    town.do(Role.DEPARTMENT, case_id, "resolve")
    closed = town.do(Role.DUTY_CHIEF, case_id, "close")
    assert closed.status is CaseStatus.CLOSED
    rated = town.do(Role.INTAKE_CLERK, case_id, "rate", rating=5)
    told = [(step.action, step.department, step.rating) for step in rated.history if step.actor is not None]
    assert told[2] == ("dispatch", "Sanitation", None)
    assert told[-1] == ("rate", None, 5)
    verify = next(step for step in rated.history if step.action == "verify")
    assert verify.person is not None
    assert verify.person.name == "grid-worker"


def test_a_department_sees_what_it_was_told_and_nothing_else(town: Town) -> None:
    mine, other = town.in_progress(), town.open(2, device="cam-2")
    user = town.people[Role.DEPARTMENT]
    seen = cases.page(town.conn, CaseFilter(area_path="", department_id=user.department_id), before=None, count=9)
    assert [case.id for case in seen] == [mine]
    with pytest.raises(NotFound):
        cases.detail(town.conn, user, other, now=NOW)
    town.do(Role.DEPARTMENT, mine, "ask_return", note="not ours: a private yard")
    back = town.do(Role.DISPATCHER, mine, "allow_return")
    assert (back.status, back.department) == (CaseStatus.FILED, None)
    assert cases.detail(town.conn, user, mine, now=NOW).actions == [CaseAction.COMMENT]


def test_what_is_asked_for_waits_for_an_answer_and_goes_when_the_case_moves(town: Town) -> None:
    case_id = town.in_progress()
    until = NOW + timedelta(days=2)
    asked = town.do(Role.DEPARTMENT, case_id, "ask_suspension", note="rain", until=until)
    assert [(petition.petition, petition.until) for petition in asked.petitions] == [("suspension", until)]
    town.do(Role.DEPARTMENT, case_id, "ask_extension", note="rain", until=until)
    rests = town.do(Role.DISPATCHER, case_id, "allow_suspension")
    assert (rests.status, rests.suspended_until, rests.petitions) == (CaseStatus.SUSPENDED, until, [])
    again = town.do(Role.DEPARTMENT, case_id, "resume")
    assert (again.status, again.suspended_until) == (CaseStatus.IN_PROGRESS, None)
    town.do(Role.DEPARTMENT, case_id, "ask_extension", note="rain", until=until)
    refused = town.do(Role.DISPATCHER, case_id, "refuse_extension", note="the sun shines")
    assert (refused.status, refused.petitions) == (CaseStatus.IN_PROGRESS, [])


def test_merged_and_taken_apart_each_has_its_own_and_nothing_is_milder(town: Town) -> None:
    first = town.open(1, severity=Severity.LOW)
    second = town.open(2, device="cam-2", severity=Severity.HIGH)
    town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    chief = town.people[Role.DUTY_CHIEF]
    whole = cases.detail(town.conn, chief, first, now=NOW)
    assert (whole.incident_count, whole.severity) == (2, Severity.HIGH)
    assert [step.action for step in whole.history[-2:]] == ["merged_in", "severity_raised"]
    merged = cases.detail(town.conn, chief, second, now=NOW)
    assert (merged.status, merged.merged_into, merged.actions) == (
        CaseStatus.MERGED,
        first,
        [CaseAction.UNMERGE, CaseAction.COMMENT],
    )
    apart = town.do(Role.INTAKE_CLERK, second, "unmerge")
    assert (apart.status, apart.incident_count, apart.severity) == (CaseStatus.REPORTED, 1, Severity.HIGH)
    left = cases.detail(town.conn, chief, first, now=NOW)
    assert (left.incident_count, left.severity) == (1, Severity.HIGH)


def test_what_comes_to_a_merged_case_comes_to_the_one_that_took_it(town: Town) -> None:
    first, second = town.open(1), town.open(2, device="cam-2")
    town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    correlate.receive(
        town.conn, report(incident(2, device="cam-2", revision=2, update_s=9, severity=Severity.CRITICAL))
    )
    chief = town.people[Role.DUTY_CHIEF]
    assert cases.detail(town.conn, chief, first, now=NOW).severity is Severity.CRITICAL
    assert cases.detail(town.conn, chief, second, now=NOW).status is CaseStatus.MERGED


def test_what_got_worse_while_it_was_merged_is_worse_when_it_stands_alone_again(town: Town) -> None:
    first, second = town.open(1), town.open(2, device="cam-2")
    town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    worse = incident(2, device="cam-2", revision=2, update_s=9, severity=Severity.CRITICAL)
    correlate.receive(town.conn, report(worse))
    alone = town.do(Role.INTAKE_CLERK, second, "unmerge")
    assert alone.severity is Severity.CRITICAL
    assert "severity_raised" in [step.action for step in alone.history]


def test_what_was_held_while_it_was_merged_is_held_when_it_stands_alone_again(town: Town) -> None:
    first, second = town.open(1), town.open(2, device="cam-2")
    town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    chief = town.people[Role.DUTY_CHIEF]
    for reason, until in (("court, file 3", None), ("over by then", NOW)):
        holds.put(town.conn, chief, first, reason=reason, until=until, now=NOW - timedelta(days=1), address="192.0.2.1")
    for _ in range(2):  # taken apart again, it is not held twice
        alone = town.do(Role.INTAKE_CLERK, second, "unmerge")
        assert [(hold.reason, hold.set_by) for hold in holds.of_case(town.conn, chief, second)] == [
            ("court, file 3", chief.name)
        ]
        town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    assert [step.note for step in alone.history if step.action == "hold_set"] == ["court, file 3"]


def test_who_sees_one_of_two_merged_cases_does_not_take_them_apart(town: Town) -> None:
    first, second = town.open(1), town.open(2, device="cam-2", grid=OTHER_GRID)
    town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    town.people[Role.INTAKE_CLERK] = principal(town.conn, "neighbour", Role.INTAKE_CLERK, OTHER_GRID[:9])
    with pytest.raises(NotFound):
        town.do(Role.INTAKE_CLERK, second, "unmerge")


def test_merges_that_make_no_sense_are_refused(town: Town) -> None:
    first, second, third = town.open(1), town.open(2, device="cam-2"), town.open(3, device="cam-3")
    with pytest.raises(Invalid):
        town.do(Role.INTAKE_CLERK, first, "merge", target=first)
    with pytest.raises(NotFound):
        town.do(Role.INTAKE_CLERK, first, "merge", target=999)
    town.do(Role.INTAKE_CLERK, second, "merge", target=first)
    with pytest.raises(Invalid):
        town.do(Role.INTAKE_CLERK, third, "merge", target=second)
    town.do(Role.INTAKE_CLERK, first, "merge", target=third)
    assert cases.detail(town.conn, town.people[Role.DUTY_CHIEF], third, now=NOW).incident_count == 3
    with pytest.raises(TransitionRefused):
        town.do(Role.INTAKE_CLERK, second, "unmerge")
    town.do(Role.INTAKE_CLERK, first, "unmerge")
    town.do(Role.INTAKE_CLERK, second, "unmerge")
    counts = [case.incident_count for case in cases.page(town.conn, CaseFilter(area_path=""), before=None, count=9)]
    assert counts == [1, 1, 1]


def test_dispatching_to_nobody_and_sending_nobody_is_refused(town: Town) -> None:
    case_id = town.open()
    with pytest.raises(Invalid):
        town.do(Role.INTAKE_CLERK, case_id, "verify", person=999)
    town.do(Role.GRID_WORKER, case_id, "confirm")
    with pytest.raises(Invalid):
        town.do(Role.DISPATCHER, case_id, "dispatch", department=999)


def test_handled_by_oneself_and_checked_by_another(town: Town) -> None:
    case_id = town.open()
    town.do(Role.GRID_WORKER, case_id, "confirm")
    town.do(Role.GRID_WORKER, case_id, "take")
    town.do(Role.GRID_WORKER, case_id, "resolve")
    with pytest.raises(Forbidden):
        town.do(Role.GRID_WORKER, case_id, "check")
    assert town.do(Role.GRID_LEAD, case_id, "check").status is CaseStatus.CHECKING


def test_a_suspended_case_is_at_work_again_when_its_date_has_come(town: Town) -> None:
    case_id = town.in_progress()
    until = NOW + timedelta(days=2)
    town.do(Role.DEPARTMENT, case_id, "ask_suspension", note="rain", until=until)
    town.do(Role.DISPATCHER, case_id, "allow_suspension")
    assert cases.resume_due(town.conn, now=until - timedelta(seconds=1), count=9) == 0
    assert cases.resume_due(town.conn, now=until, count=9) == 1
    assert cases.resume_due(town.conn, now=until, count=9) == 0
    back = cases.detail(town.conn, town.people[Role.DEPARTMENT], case_id, now=until)
    assert (back.status, back.suspended_until, back.history[-1].action) == (CaseStatus.IN_PROGRESS, None, "resumed")


def closed(town: Town, number: int = 1) -> int:
    case_id = town.in_progress(number)
    town.do(Role.DEPARTMENT, case_id, "resolve")
    town.do(Role.DUTY_CHIEF, case_id, "close")
    return case_id


def test_a_bad_rating_opens_the_case_again_once(town: Town) -> None:
    case_id = closed(town)
    again = town.do(Role.INTAKE_CLERK, case_id, "rate", rating=2, note="still there")
    assert (again.status, again.department, again.history[-1].action) == (CaseStatus.FILED, None, "reopened")
    with pytest.raises(TransitionRefused):
        town.do(Role.INTAKE_CLERK, case_id, "rate", rating=1)


def test_nobody_checks_what_was_done_with_a_password_that_he_issued(town: Town) -> None:
    case_id = town.open()
    chief, worker = town.people[Role.DUTY_CHIEF], town.people[Role.GRID_WORKER]
    town.do(Role.GRID_WORKER, case_id, "confirm")
    town.do(Role.GRID_WORKER, case_id, "resolve")
    independence.issued(town.conn, worker.user_id, by=chief.user_id, at=NOW)
    assert "close" not in cases.detail(town.conn, chief, case_id, now=NOW).actions
    for action in ("check", "close"):
        with pytest.raises(Forbidden):
            town.do(Role.DUTY_CHIEF, case_id, action)
    assert town.do(Role.ADMINISTRATOR, case_id, "close").status is CaseStatus.CLOSED


def test_who_asked_for_it_rates_it_without_an_account(town: Town) -> None:
    case_id = closed(town)
    cases.rate_by_requester(town.conn, case_id, 1, rated_at=None, now=NOW, address="test")
    seen = cases.detail(town.conn, town.people[Role.DUTY_CHIEF], case_id, now=NOW)
    assert [(step.action, step.rating) for step in seen.history[-2:]] == [("request_rated", 1), ("reopened", 1)]
    assert seen.status is CaseStatus.FILED
    with pytest.raises(TransitionRefused):
        cases.rate_by_requester(town.conn, case_id, 5, rated_at=NOW, now=NOW, address="test")


def test_nobody_from_elsewhere_is_sent_and_no_department_from_elsewhere_is_told(town: Town) -> None:
    case_id = town.open()
    elsewhere = principal(town.conn, "elsewhere", Role.GRID_WORKER, "110105003")
    clerk = principal(town.conn, "clerk-2", Role.INTAKE_CLERK)
    for person in (elsewhere, clerk):
        with pytest.raises(Invalid):
            town.do(Role.DISPATCHER, case_id, "verify", person=person.user_id)
    departments.add(town.conn, code="far", name="Far", area_code="110105003", now=NOW)
    town.do(Role.GRID_WORKER, case_id, "confirm")
    with pytest.raises(Invalid):
        town.do(Role.DISPATCHER, case_id, "dispatch", department=departments.by_code(town.conn, "far"))


def test_a_merge_that_makes_a_case_worse_says_so(town: Town) -> None:
    mild, grave = town.open(1, severity=Severity.LOW), town.open(2, device="cam-2", severity=Severity.CRITICAL)
    town.do(Role.INTAKE_CLERK, grave, "merge", target=mild)
    history = cases.detail(town.conn, town.people[Role.DUTY_CHIEF], mild, now=NOW).history
    assert [(step.action, step.severity) for step in history[-2:]] == [
        ("merged_in", None),
        ("severity_raised", Severity.CRITICAL),
    ]

"""What a list of cases tells of their clocks: the same as the case itself and the live stream; and those first that are due first."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.cases import service as cases
from cloud.cases.model import CaseStatus, DismissalReason
from cloud.cases.service import CaseFilter
from cloud.cases.view import CaseSummary, to_payload
from cloud.deadlines import service as deadlines
from cloud.deadlines import store as clocks
from cloud.deadlines.clock import ClockState, Light
from cloud.escalation import sweeps
from edge.contract.incident import Severity
from tests.cloud.escalation.town import GRID_PATH, NINE, Town, minutes

DAY = timedelta(days=1)


def listed(town: Town) -> dict[int, CaseSummary]:
    return {case.id: case for case in cases.page(town.conn, CaseFilter(area_path=""), before=None, count=99)}


def by_due(conn: Connection[Any], size: int = 99, *, now: datetime = NINE, **wanted: Any) -> list[int]:
    """All pages of so many cases, one after another."""
    light, narrow, found, after = wanted.pop("light", None), CaseFilter(**{"area_path": ""} | wanted), [], None
    while page := cases.page_due(conn, narrow, light=light, now=now, after=after, count=size):
        found += [case.id for case in page]
        assert page[-1].clock is not None
        after = (page[-1].clock.due_at, page[-1].clock.id)
    return found


def newest_event(town: Town) -> dict[str, Any]:
    row = town.conn.execute("select payload from event where kind = 'case.updated' order by id desc limit 1").fetchone()
    assert row is not None
    payload: dict[str, Any] = row[0]
    return payload


STEPS: list[tuple[str, str, dict[str, Any], str | None]] = [
    ("worker", "confirm", {}, "dispatching"),
    ("dispatcher", "dispatch", {"department": "sanitation"}, "receipt"),
    ("sanitation", "accept", {}, "handling"),
    ("sanitation", "ask_suspension", {"note": "rain", "until": NINE + 3 * DAY}, "handling"),
    ("dispatcher", "allow_suspension", {}, "suspension"),
    ("sanitation", "resume", {}, "handling"),
    ("sanitation", "resolve", {}, "checking"),
    ("chief", "close", {}, None),
]


def test_list_case_and_stream_tell_the_same_clock_through_the_life_of_a_case(town: Town) -> None:
    case_id = town.open()
    first = listed(town)[case_id].clock
    assert first is not None
    assert (first.stage, first.state, first.started_at) == ("verifying", ClockState.RUNNING, NINE)
    for turn, (who, action, given_, stage) in enumerate(STEPS, start=1):
        more = given_ | ({"department": town.department} if "department" in given_ else {})
        at = NINE + minutes(turn)
        town.do(who, case_id, action, at=at, **more)
        seen = listed(town)[case_id]
        assert (seen.clock.stage if seen.clock is not None else None) == stage, action
        running = [kept.id for kept in clocks.of_case(town.conn, case_id) if kept.clock.runs]
        assert running == ([seen.clock.id] if seen.clock is not None else [])
        assert cases.detail(town.conn, town.people["chief"], case_id, now=at).clock == seen.clock
        assert newest_event(town) == to_payload(seen), action


def test_a_case_that_was_merged_into_another_keeps_its_clock_at_rest(town: Town) -> None:
    target, source = town.open(1), town.open(2)
    town.do("worker", source, "confirm", at=NINE)
    town.do("worker", target, "confirm", at=NINE)
    town.do("dispatcher", source, "merge", at=NINE + minutes(5), target=target)
    resting = listed(town)[source].clock
    assert resting is not None
    assert (resting.state, resting.stopped_at) == (ClockState.PAUSED, NINE + minutes(5))
    assert by_due(town.conn) == [target]


def test_what_is_due_at_another_time_by_its_severity_is_told_when_that_is_worked_out(town: Town) -> None:
    case_id = town.open(severity=Severity.LOW)
    before = listed(town)[case_id].clock
    town.conn.execute("update grid_case set severity = 'critical' where id = %s", [case_id])
    assert sweeps.recompute(town.conn, now=NINE, count=10) == 2, "its stage's, and that of the whole case"
    after = listed(town)[case_id].clock
    assert before is not None
    assert after is not None
    assert after.due_at < before.due_at
    assert newest_event(town) == to_payload(listed(town)[case_id])


def test_a_change_that_moves_a_whole_batch_is_not_told_case_by_case(town: Town) -> None:
    for number in range(1, 6):
        town.open(number, severity=Severity.LOW)
    town.conn.execute("update grid_case set severity = 'critical'")
    told = "select count(*) from event where kind = 'case.updated'"
    assert sweeps.recompute(town.conn, now=NINE, count=5) == 10
    assert town.conn.execute(told).fetchone() == (0,)
    assert sweeps.recompute(town.conn, now=NINE, count=5) == 0
    clocks.mark_stale(town.conn, at=NINE)
    assert deadlines.recompute(town.conn, now=NINE).moved == (), "worked out again, and due when it was"


def test_those_come_first_that_are_due_first_and_each_page_goes_on_behind_the_last(town: Town) -> None:
    late, soon, later = (
        town.open(1, at=NINE - DAY),
        town.open(2, severity=Severity.CRITICAL),
        town.open(3, severity=Severity.LOW),
    )
    over = town.open(4)
    town.do("worker", over, "dismiss", at=NINE, reason=DismissalReason.OTHER, note="nothing there")
    for size in (1, 2, 3, 99):
        assert by_due(town.conn, size) == [late, soon, later]
    assert by_due(town.conn, light=Light.RED) == [late]
    assert by_due(town.conn, light=Light.GREEN) == [soon, later]
    kept = town.clock(soon).clock
    assert by_due(town.conn, light=Light.AMBER, now=kept.amber_at) == [soon]
    assert by_due(town.conn, light=Light.RED, now=kept.due_at) == [late, soon]
    assert by_due(town.conn, severities=[Severity.LOW, Severity.MEDIUM]) == [late, later]
    assert by_due(town.conn, kinds=["loitering"]) == []
    assert by_due(town.conn, device_id=1) == []
    assert by_due(town.conn, statuses=[CaseStatus.FILED]) == []
    assert by_due(town.conn, area_path=GRID_PATH) == [late, soon, later]
    assert by_due(town.conn, area_path="110105/110105003/") == []


def test_a_department_sees_what_it_was_told_of(town: Town) -> None:
    told, untold = town.open(1), town.open(2)
    for case_id in (told, untold):
        town.do("worker", case_id, "confirm", at=NINE)
    town.do("dispatcher", told, "dispatch", at=NINE, department=town.department)
    assert by_due(town.conn, department_id=town.department) == [told]
    assert by_due(town.conn, department_id=town.other_department) == []


@pytest.mark.parametrize("size", [1, 3])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    opened=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(Severity)), min_size=1, max_size=7
    )  # few times, so that many are due at once
)
def test_pages_hold_each_case_once_however_many_are_due_at_one_time(
    town: Town, size: int, opened: list[tuple[int, Severity]]
) -> None:
    with town.conn.transaction(force_rollback=True):
        ids = [
            town.open(number, at=NINE + minutes(after), severity=severity)
            for number, (after, severity) in enumerate(opened)
        ]
        kept = {case_id: town.clock(case_id) for case_id in ids}
        assert by_due(town.conn, size) == sorted(ids, key=lambda one: (kept[one].clock.due_at, kept[one].id))

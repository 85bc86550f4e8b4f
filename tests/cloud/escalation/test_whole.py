"""The deadline of a whole case (办结时限): begun once, kept apart from the clocks of stages; and the rules, read once for each version."""

from datetime import timedelta
from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.deadlines import rulebook, whole
from cloud.deadlines import service as deadlines
from cloud.deadlines import store as clocks
from cloud.deadlines.clock import ClockState
from cloud.deadlines.store import KeptClock
from cloud.escalation import sweeps
from cloud.escalation.roster import Duty
from edge.contract.incident import Severity
from tests.cloud.escalation.town import GRID_PATH, NINE, Town, minutes

DAY = timedelta(days=1)


def whole_of(town: Town, case_id: int) -> KeptClock:
    kept = whole.seen(town.conn, case_id)
    assert kept is not None
    return kept


def test_it_begins_when_a_case_is_opened_and_no_step_begins_it_anew(town: Town) -> None:
    case_id = town.open()
    due_at = whole_of(town, case_id).clock.due_at
    assert due_at == NINE + 7 * DAY, "five working days, a week end between them"
    town.do("worker", case_id, "confirm", at=NINE + minutes(10))
    at = NINE + minutes(20)
    stages = []
    for turn in range(6):  # sent to and fro: each has the whole time of its stage again
        to = (town.department, town.other_department)[turn % 2]
        town.do("dispatcher", case_id, "dispatch", at=at, department=to)
        stages.append(town.clock(case_id).clock.started_at)
        at += minutes(30)
    assert len(set(stages)) == 6
    town.do("dispatcher", case_id, "dispatch", at=at, department=town.department)
    town.do("sanitation", case_id, "accept", at=at)
    town.do("sanitation", case_id, "resolve", at=at)
    town.do("chief", case_id, "close", at=at)
    assert whole_of(town, case_id).clock.state is ClockState.PAUSED
    town.do("chief", case_id, "reopen", at=at, note="it is there again")
    reopened = whole_of(town, case_id).clock
    assert (reopened.started_at, reopened.due_at) == (NINE, due_at)


def test_what_goes_to_and_fro_is_late_as_a_whole_though_no_stage_is(town: Town) -> None:
    case_id = town.open(severity=Severity.CRITICAL)
    town.do("worker", case_id, "confirm", at=NINE)
    at, turn = NINE, 0
    while at < NINE + timedelta(hours=26):
        to = (town.department, town.other_department)[turn % 2]
        town.do("dispatcher", case_id, "dispatch", at=at, department=to)
        at, turn = at + minutes(7), turn + 1
        town.sweep(at)
    told = [(word, what) for word, what, _ in town.told(case_id)]
    assert told[:2] == [("deadline_amber", "whole"), ("deadline_red", "whole")]
    assert {what for word, what in told if word.startswith("deadline")} == {"whole"}
    assert [what for word, what in told if word == "escalated"] == ["grid", "community", "street", "district"]
    assert sweeps.fire_due(town.conn, object(), now=at, count=9) == 0  # type: ignore[arg-type]


def test_a_rest_does_not_count_and_an_extension_does(town: Town) -> None:
    case_id = town.open()
    before = whole_of(town, case_id).clock.due_at
    for name, action, given_ in (
        ("worker", "confirm", {}),
        ("dispatcher", "dispatch", {"department": town.department}),
        ("sanitation", "accept", {}),
        ("sanitation", "ask_suspension", {"note": "rain", "until": NINE + 3 * DAY}),
        ("dispatcher", "allow_suspension", {}),
    ):
        town.do(name, case_id, action, at=NINE, **given_)
    assert whole_of(town, case_id).clock.state is ClockState.PAUSED
    town.do("sanitation", case_id, "resume", at=NINE + DAY)
    assert whole_of(town, case_id).clock.due_at == before + DAY
    town.do("sanitation", case_id, "ask_extension", at=NINE + DAY, note="more rain", until=NINE + 30 * DAY)
    town.do("dispatcher", case_id, "allow_extension", at=NINE + DAY)
    assert whole_of(town, case_id).clock.due_at == NINE + 30 * DAY


def test_a_case_from_before_there_was_one_has_its_time_from_now(town: Town) -> None:
    case_id = town.open()
    town.conn.execute("delete from whole_clock")
    before = town.clock(case_id)
    assert sweeps.adopt(town.conn, now=NINE + 90 * DAY, count=9) == [case_id]
    assert whole_of(town, case_id).clock.started_at == NINE + 90 * DAY
    assert town.clock(case_id) == before
    assert sweeps.adopt(town.conn, now=NINE + 90 * DAY, count=9) == []


def test_a_severity_that_rises_shortens_it(town: Town) -> None:
    case_id = town.open()
    town.conn.execute("update grid_case set severity = 'critical' where id = %s", [case_id])
    town.sweep(NINE + minutes(1))
    assert whole_of(town, case_id).clock.due_at == NINE + DAY


def test_what_was_due_before_a_rest_is_told_with_its_time_though_nobody_swept_before_it_was_over(town: Town) -> None:
    noticed, unnoticed = town.open(severity=Severity.CRITICAL), town.open(2, severity=Severity.CRITICAL)
    for case_id in (noticed, unnoticed):
        _follow(town.conn, case_id, stage="suspension", at=NINE + timedelta(hours=25))
        if case_id == noticed:
            town.sweep(NINE + timedelta(hours=26))
        _follow(town.conn, case_id, stage="handling", at=NINE + timedelta(hours=40))
    town.sweep(NINE + 10 * DAY)
    found = [
        town.conn.execute(
            "select number, kind, level, due_at from whole_firing where case_id = %s order by number", [case_id]
        ).fetchall()
        for case_id in (noticed, unnoticed)
    ]
    assert found[0] == found[1]
    assert [due_at for number, _, _, due_at in found[0] if number < 2] == [NINE + DAY * 0.8, NINE + DAY]
    assert all(not NINE + timedelta(hours=25) < due_at < NINE + timedelta(hours=40) for *_, due_at in found[0])
    assert [whole_of(town, case_id).clock.due_at for case_id in (noticed, unnoticed)] == [NINE + DAY] * 2
    assert [word for word, _, _ in town.told(unnoticed)].count("deadline_red") == [
        word for word, _, _ in town.told(noticed)
    ].count("deadline_red")


MOVES = st.lists(st.tuples(st.sampled_from([True, False]), st.integers(0, 5_000)), max_size=12)


@settings(max_examples=25, deadline=None)
@given(moves=MOVES)
def test_time_at_work_counts_and_no_other(staffed: str, moves: list[tuple[bool, int]]) -> None:
    with psycopg.connect(staffed, options="-c timezone=UTC") as conn:
        town = Town(conn)
        case_id = town.open(severity=Severity.CRITICAL)  # on the wall: easily counted by hand
        at, worked, runs, due_at = NINE, timedelta(0), True, NINE + DAY
        for goes_on, passed_min in moves:
            at += minutes(passed_min)
            worked += minutes(passed_min) * runs
            if worked < DAY and not runs:  # a time that is over stays over since it was
                due_at += minutes(passed_min)
            _follow(conn, case_id, stage="handling" if goes_on else "suspension", at=at)
            runs = goes_on
        clock = whole_of(town, case_id).clock
        assert clock.runs is runs
        assert clock.due_at == (due_at if runs else clock.due_at)
        assert clock.used <= worked
        conn.rollback()


def _follow(conn: Any, case_id: int, *, stage: str, at: Any) -> None:
    until = at + timedelta(days=300) if stage == "suspension" else None
    deadlines.follow(
        conn,
        case_id,
        area_path=GRID_PATH,
        category="public_order",
        severity="critical",
        stage=stage,
        at=at,
        until=until,
    )


def test_the_rules_are_read_once_for_each_version(town: Town) -> None:
    first = rulebook.read(town.conn)
    assert rulebook.read(town.conn) is first
    town.conn.execute("savepoint before")
    town.conn.execute(
        "insert into special_day (day, worked, name, created_at) values ('2026-03-18', false, 'x', now())"
    )
    second = rulebook.read(town.conn)
    assert second is not first
    assert rulebook.read(town.conn) is second
    town.conn.execute("rollback to before")
    town.conn.execute("update escalation_rung set amount = amount + 1")
    third = rulebook.read(town.conn)
    assert third not in (first, second), "what was rolled back never comes again"
    assert third.special == first.special


def test_a_step_asks_for_the_version_alone(town: Town) -> None:
    case_id = town.open()
    rulebook.read(town.conn)
    town.conn.execute("alter table deadline_rule rename to deadline_rule_hidden")  # whoever reads it fails
    town.do("worker", case_id, "confirm", at=NINE + minutes(1))
    assert town.clock(case_id).clock.stage == "dispatching"


def test_deadlines_do_not_wait_for_what_a_change_of_rules_left(town: Town) -> None:
    late, stale = town.open(), [town.open(number) for number in range(2, 8)]
    clocks.mark_stale(town.conn, at=NINE)
    town.conn.execute("update case_clock set stale = false where case_id = %s", [late])
    assert sweeps.fire_due(town.conn, Duty(), now=NINE + DAY, count=100) == 1
    assert clocks.count_stale(town.conn) == len(stale) + len(stale) + 1, (
        "of their stages and as wholes, and one as a whole"
    )
    while deadlines.recompute(town.conn, now=NINE + DAY, count=3).count:
        pass
    assert clocks.count_stale(town.conn) == 0

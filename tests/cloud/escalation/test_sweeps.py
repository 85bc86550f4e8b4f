"""Clocks that fire, in the database: once, in order, whoever sweeps and however late; who is called, and who is told that nobody came."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from cloud.cases import steps
from cloud.deadlines import service as deadlines
from cloud.deadlines import store as clocks
from cloud.deadlines.clock import ClockState, Light
from cloud.escalation import sweeps, whistles
from cloud.escalation.roster import Person, Posts
from edge.contract.incident import Severity
from tests.cloud.escalation.conftest import STAFFED
from tests.cloud.escalation.town import NINE, Staffed, Town, minutes
from tests.databases import DatabaseServer


def test_a_case_that_nobody_verifies_is_told_from_level_to_level(town: Town) -> None:
    case_id = town.open()
    assert town.clock(case_id).clock.due_at == NINE + minutes(40)
    lights = []
    for after in (10, 33, 45, 101, 600, 3 * 24 * 60 + 100):
        town.sweep(NINE + minutes(after))
        lights.append(town.clock(case_id).clock.light(NINE + minutes(after)))
    assert lights == [Light.GREEN, Light.AMBER, *[Light.RED] * 4]
    assert [(word, level) for word, level, _ in town.told(case_id) if word != "whistle_overdue"] == [
        ("deadline_amber", "verifying"),
        ("deadline_red", "verifying"),
        ("escalated", "grid"),
        ("escalated", "community"),
        ("escalated", "street"),
        ("escalated_again", "street"),  # those of the community had not come, so the street was called before its time
        ("escalated", "district"),
    ]
    fired = clocks.firings_of(town.conn, case_id)
    assert [firing.number for firing in fired] == list(range(6))
    assert all(firing.fired_at >= firing.due_at for firing in fired)


def test_a_sweep_after_days_fires_each_once_in_order_and_says_when_it_was_due(town: Town) -> None:
    case_id = town.open()
    late = NINE + timedelta(days=20)
    for _ in range(3):
        town.sweep(late)
    told = [(word, level) for word, level, _ in town.told(case_id)]
    assert told == [
        ("deadline_amber", "verifying"),
        ("deadline_red", "verifying"),
        ("escalated", "grid"),
        ("escalated", "community"),
        ("escalated", "street"),
        ("escalated", "district"),
        ("deadline_amber", "whole"),
        ("deadline_red", "whole"),
        *[("escalated_again", level) for level in ("grid", "community", "street", "district")],
    ]
    fired = clocks.firings_of(town.conn, case_id)
    assert [firing.due_at for firing in fired] == sorted(firing.due_at for firing in fired)
    assert {firing.fired_at for firing in fired} == {late}
    assert town.told(case_id)[1][2] == NINE + minutes(40)


def test_what_fell_due_while_nobody_swept_is_told_although_the_case_moved_on(town: Town) -> None:
    case_id = town.open()
    town.do("worker", case_id, "confirm", at=NINE + minutes(50))
    town.sweep(NINE + minutes(51))
    assert [(word, stage) for word, stage, _ in town.told(case_id)] == [
        ("deadline_amber", "verifying"),
        ("deadline_red", "verifying"),
    ], "both, but nobody is called for what is done"
    first = clocks.of_case(town.conn, case_id)[0].clock
    assert (first.state, first.light(NINE + timedelta(days=9))) == (ClockState.ENDED, Light.RED)


def test_each_stage_has_its_clock_a_suspension_rests_and_an_extension_gives_time(town: Town) -> None:
    case_id = town.open()
    at = NINE
    stages = []

    def then(name: str, action: str, **given: Any) -> None:
        nonlocal at
        at += minutes(10)
        town.do(name, case_id, action, at=at, **given)
        stages.append(town.clock(case_id).clock.stage)

    then("worker", "verify")
    then("worker", "confirm")
    then("dispatcher", "dispatch", department=town.other_department)
    first = town.clock(case_id)
    then("dispatcher", "dispatch", department=town.department)
    assert town.clock(case_id).id != first.id, "sent anew, it has the whole time again"
    then("sanitation", "accept")
    due_at = town.clock(case_id).clock.due_at
    until = NINE + timedelta(days=3)
    then("sanitation", "ask_suspension", note="rain", until=until)
    then("dispatcher", "allow_suspension")
    assert town.clock(case_id).clock.due_at == until
    at = NINE + timedelta(days=1)
    then("sanitation", "resume")
    resumed = town.clock(case_id).clock
    assert resumed.due_at == due_at + timedelta(days=1) + minutes(10) - minutes(70), "a working day's rest moved it"
    then("sanitation", "ask_extension", note="more rain", until=until)
    then("dispatcher", "allow_extension")
    assert town.clock(case_id).clock.due_at == until
    then("sanitation", "resolve")
    then("worker", "check")
    then("worker", "rework", note="half of it lies there still")
    town.do("sanitation", case_id, "resolve", at=at)
    town.do("chief", case_id, "close", at=at)
    assert stages == [
        *("verifying", "dispatching", "receipt", "receipt", "handling", "handling", "suspension", "handling"),
        *("handling", "handling", "checking", "checking", "handling"),
    ]
    assert {each.clock.state for each in clocks.of_case(town.conn, case_id)} == {ClockState.ENDED}
    town.sweep(NINE + timedelta(days=400))
    assert town.told(case_id) == []


@pytest.mark.parametrize("resumes_first", [True, False])
def test_a_suspension_that_ends_on_its_date_is_no_delay(town: Town, resumes_first: bool) -> None:
    case_id, until = town.open(), NINE + timedelta(days=3)
    town.do("worker", case_id, "confirm", at=NINE)
    town.do("dispatcher", case_id, "dispatch", at=NINE, department=town.department)
    town.do("sanitation", case_id, "accept", at=NINE)
    town.do("sanitation", case_id, "ask_suspension", at=NINE, note="rain", until=until)
    town.do("dispatcher", case_id, "allow_suspension", at=NINE)
    late = until + timedelta(seconds=30)
    if not resumes_first:
        town.sweep(late)
        assert town.clock(case_id).clock.stage == "suspension"
    assert steps.resume_due(town.conn, now=late, count=9) == [case_id]
    town.sweep(late)
    assert town.clock(case_id).clock.stage == "handling"
    assert town.told(case_id) == []


def test_a_clock_that_is_stale_fires_only_when_it_is_worked_out_again(town: Town) -> None:
    case_id = town.open()
    clocks.mark_stale(town.conn, at=NINE)
    assert sweeps.fire_due(town.conn, Posts(), now=NINE + timedelta(days=1), count=9) == 0
    town.sweep(NINE + timedelta(days=1))
    assert town.told(case_id)


def test_an_extension_that_gives_nothing_keeps_the_shorter_time_of_a_new_severity(town: Town) -> None:
    case_id = town.open()
    town.conn.execute("update grid_case set severity = 'critical' where id = %s", [case_id])
    deadlines.extend(town.conn, case_id, NINE + minutes(1), at=NINE)
    assert town.clock(case_id).clock.due_at == NINE + minutes(10)


def test_a_merged_case_rests_and_goes_on_with_what_was_left(town: Town) -> None:
    target, case_id = town.open(), town.open(2)
    before = town.clock(case_id)
    town.do("dispatcher", case_id, "merge", at=NINE + minutes(10), target=target)
    assert all(not each.clock.runs for each in clocks.of_case(town.conn, case_id))
    town.do("dispatcher", case_id, "unmerge", at=NINE + minutes(40))
    after = town.clock(case_id)
    assert (after.id, after.clock.due_at) == (before.id, before.clock.due_at + minutes(30))


def test_what_was_due_before_a_change_is_told_though_no_sweep_had_come(town: Town) -> None:
    case_id = town.open()
    other = town.open(2, at=NINE + minutes(30))
    town.conn.execute("update deadline_rule set amount = 3 * amount")
    clocks.mark_stale(town.conn, at=NINE + minutes(41))
    clocks.mark_stale(town.conn, at=NINE + minutes(90))  # the first one counts
    town.sweep(NINE + minutes(91))
    assert [each for each in town.told(case_id) if each[0].startswith("deadline")] == [
        ("deadline_amber", "verifying", NINE + minutes(32)),
        ("deadline_red", "verifying", NINE + minutes(40)),
    ]
    assert town.clock(case_id).clock.due_at == NINE + minutes(120)
    assert town.told(other) == [], "it was green at the change, and is by what holds now"
    before = clocks.firings_of(town.conn, case_id)
    town.sweep(NINE + minutes(91))
    assert clocks.firings_of(town.conn, case_id) == before


def test_what_was_due_before_a_change_is_told_of_a_stage_that_is_over_by_then(town: Town) -> None:
    case_id = town.open()
    town.conn.execute("update deadline_rule set amount = 3 * amount")
    clocks.mark_stale(town.conn, at=NINE + minutes(35))
    town.do("worker", case_id, "confirm", at=NINE + minutes(60))
    town.sweep(NINE + minutes(61))
    assert town.told(case_id) == [("deadline_amber", "verifying", NINE + minutes(32))]


def test_a_severity_that_rises_shortens_the_time(town: Town) -> None:
    case_id = town.open()
    town.conn.execute("update grid_case set severity = 'critical' where id = %s", [case_id])
    town.sweep(NINE + minutes(2))
    clock = town.clock(case_id)
    assert (clock.severity, clock.clock.due_at) == ("critical", NINE + minutes(10))


def test_a_holiday_that_is_entered_moves_what_runs(town: Town) -> None:
    case_id = town.open(at=NINE + timedelta(hours=8, minutes=20))  # 17:20: ten minutes today, thirty tomorrow
    assert town.clock(case_id).clock.due_at == NINE + timedelta(days=1)
    town.conn.execute(
        "insert into special_day (day, worked, name, created_at) values ('2026-03-18', false, 'storm', now())"
    )
    clocks.mark_stale(town.conn, at=NINE)
    town.sweep(NINE + timedelta(hours=9))
    assert town.clock(case_id).clock.due_at == NINE + timedelta(days=2)


@pytest.mark.parametrize("hours", ['\'{"","","","","","",""}\''])
def test_no_step_fails_for_a_calendar_without_an_hour(town: Town, hours: str) -> None:
    town.conn.execute(f"update work_calendar set hours = {hours}, makeup = ''")  # noqa: S608  # a constant
    case_id = town.open()
    clock = town.clock(case_id)
    assert (clock.makeshift, clock.clock.due_at) == (True, NINE + minutes(40))
    town.sweep(NINE + minutes(41))
    assert [word for word, _, _ in town.told(case_id)][:2] == ["deadline_amber", "deadline_red"]


def test_a_level_without_anybody_is_said_and_the_next_is_called_at_once(town: Town) -> None:
    case_id = town.open(severity=Severity.HIGH)
    chief = Person(town.people["chief"].user_id, "Chief")
    town.sweep(NINE + minutes(31), Staffed({"district": chief}))
    assert [(word, level) for word, level, _ in town.told(case_id)] == [
        ("deadline_amber", "verifying"),
        ("deadline_red", "verifying"),
        ("nobody_on_duty", "grid"),
        ("nobody_on_duty", "community"),
        ("nobody_on_duty", "street"),
        ("escalated", "district"),
    ]
    other = town.open(2, severity=Severity.HIGH)
    town.sweep(NINE + minutes(31), Staffed({}))
    assert [word for word, _, _ in town.told(other)][2:] == ["nobody_on_duty"] * 4


def test_who_is_called_and_does_not_come_is_told_to_the_level_above(town: Town) -> None:
    case_id = town.open(severity=Severity.HIGH)
    for name, action, given in (
        ("worker", "confirm", {}),
        ("dispatcher", "dispatch", {"department": town.department}),
    ):
        town.do(name, case_id, action, at=NINE + minutes(5), **given)
    town.sweep(NINE + minutes(36))
    town.sweep(NINE + minutes(100))
    words = [(word, level) for word, level, _ in town.told(case_id)]
    assert words[:4] == [
        ("deadline_amber", "receipt"),
        ("deadline_red", "receipt"),
        ("escalated", "grid"),
        ("whistle", "grid"),
    ]
    assert ("whistle_overdue", "grid") in words
    assert ("escalated", "community") in words
    town.do("sanitation", case_id, "accept", at=NINE + minutes(101))
    town.sweep(NINE + minutes(102))
    assert [word for word, _, _ in town.told(case_id)].count("whistle_ended") == len(
        town.conn.execute("select from whistle").fetchall()
    )
    before = town.told(case_id)
    town.sweep(NINE + minutes(180))
    assert town.told(case_id) == before


def test_a_deadline_that_leads_to_who_was_called_before_says_so_and_tells_him(town: Town) -> None:
    case_id = town.open(severity=Severity.HIGH)
    only = Staffed({"district": Person(town.people["chief"].user_id, "Chief")})
    town.sweep(NINE + minutes(31), only)
    town.sweep(NINE + minutes(51), only)
    assert [(word, level) for word, level, _ in town.told(case_id)][-3:] == [
        ("nobody_on_duty", "community"),
        ("nobody_on_duty", "street"),
        ("escalated_again", "district"),
    ]
    row = town.conn.execute(
        "select person_id from case_event where action = 'escalated_again' and case_id = %s", [case_id]
    ).fetchone()
    assert row == (town.people["chief"].user_id,)
    town.conn.execute("update whistle_call set arrived_at = called_at, arrived_by = account_id")
    before = town.told(case_id)
    town.sweep(NINE + minutes(91), only)
    assert [each for each in town.told(case_id) if each not in before] == [], "who is there knows of it"


def test_who_does_not_see_the_case_since_areas_were_drawn_anew_does_not_answer_for_it(town: Town) -> None:
    case_id = town.open(severity=Severity.HIGH)
    town.conn.execute(
        "update area set path = '110105/110105002/110105001001/' where code = '110105001001' and valid_to is null"
    )
    town.sweep(NINE + minutes(51))
    told = [(word, level) for word, level, _ in town.told(case_id)]
    assert ("nobody_on_duty", "community") in told
    assert ("escalated", "street") in told


def test_pages_hear_of_what_nobody_pressed(town: Town) -> None:
    case_id = town.open(severity=Severity.HIGH)
    town.sweep(NINE + minutes(31))
    town.sweep(NINE + minutes(33))

    def announced() -> int:
        row = town.conn.execute("select count(*) from event where payload ->> 'id' = %s", [str(case_id)]).fetchone()
        assert row is not None
        return int(row[0])

    before = announced()
    whistles.fall_due(town.conn, Posts(), now=NINE + minutes(62), count=9)
    assert announced() > before
    before = announced()
    town.do("worker", case_id, "confirm", at=NINE + minutes(63))
    whistles.end_idle(town.conn, now=NINE + minutes(64), count=9)
    assert announced() == before + 2


def test_cases_from_before_there_were_clocks_get_one(town: Town) -> None:
    case_id = town.open()
    town.conn.execute("delete from case_clock")
    assert sweeps.adopt(town.conn, now=NINE + timedelta(days=2), count=10) == [case_id]
    assert town.clock(case_id).clock.started_at == NINE + timedelta(days=2)
    town.sweep(NINE + timedelta(days=2))
    assert town.told(case_id) == [], "nobody had a deadline before"
    assert sweeps.adopt(town.conn, now=NINE + timedelta(days=2), count=10) == []


def test_each_batch_goes_on_behind_the_last(town: Town) -> None:
    cases = [town.open(number) for number in range(1, 5)]
    town.conn.execute("delete from case_clock where case_id <> %s", [cases[1]])
    late = NINE + timedelta(days=2)
    assert sweeps.adopt(town.conn, now=late, count=2) == [cases[0], cases[2]]
    town.conn.execute("delete from case_clock where case_id = %s", [cases[0]])
    assert sweeps.adopt(town.conn, now=late, count=2, after=cases[2]) == [cases[3]]
    assert sweeps.adopt(town.conn, now=late, count=2) == [cases[0]], "what was passed over comes with the next round"


def test_two_sweepers_share_the_work_and_neither_waits(postgres_server: DatabaseServer, staffed: str) -> None:
    assert staffed
    url = postgres_server.create_database(f"two_{STAFFED}", template=STAFFED)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        _share_the_work(Town(conn), url)
    postgres_server.drop_database(f"two_{STAFFED}")


def _share_the_work(town: Town, url: str) -> None:
    first, second = town.open(), town.open(2)
    town.conn.commit()
    with psycopg.connect(url, options="-c timezone=UTC -c lock_timeout=2000") as other:
        late = NINE + timedelta(days=1)
        assert sweeps.fire_due(town.conn, Posts(), now=late, count=1) == 1
        assert sweeps.fire_due(other, Posts(), now=late, count=9) == 1
        assert sweeps.fire_due(other, Posts(), now=late, count=9) == 0
        other.commit()
        town.conn.rollback()  # the first one dies
        assert sweeps.fire_due(other, Posts(), now=late, count=9) == 1
        other.commit()
    for case_id in (first, second):
        numbers = [(firing.deadline, firing.number) for firing in clocks.firings_of(town.conn, case_id)]
        assert numbers == sorted(set(numbers))
        assert [word for word, _, _ in town.told(case_id)].count("deadline_red") == 1

"""The roll-up: whatever people and clocks do, and whenever it is counted, it is what the rows themselves come to."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.cases.model import DismissalReason
from cloud.correlate import service as correlate
from cloud.db.pool import Pool, open_pool
from cloud.figures import rolling, store
from cloud.figures.tally import Fact
from cloud.figures.window import Window, bounds, local_day
from cloud.maintenance import figures as maintenance
from edge.contract.incident import Severity
from tests.cloud.figures.town import SHANGHAI, Founded, Town
from tests.cloud.samples import GRID, NOW, OTHER_GRID, incident, report
from tests.databases import DatabaseServer

GRIDS = (GRID, OTHER_GRID)
HANDLED = ("confirm", "dispatch", "accept", "resolve", "close")
ACTIONS = (
    *("confirm", "confirm", "dispatch", "dispatch", "accept", "accept", "resolve", "resolve", "close", "close"),
    *("dismiss", "verify", "inconclusive", "take", "check", "rework", "reopen", "void", "rate", "recall"),
    *("ask_return", "allow_return", "ask_suspension", "allow_suspension", "resume", "ask_extension", "allow_extension"),
    *("merge", "unmerge"),
)
SPANS = (timedelta(minutes=1), timedelta(minutes=50), timedelta(hours=5), timedelta(hours=17), timedelta(days=3))

steps = st.one_of(
    st.tuples(st.just("found"), st.sampled_from(GRIDS), st.sampled_from(list(Severity)), st.booleans()),
    *[st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5), st.integers(0, 2), st.integers(1, 5)) for _ in range(6)],
    st.tuples(st.just("passes"), st.sampled_from(SPANS)),
    st.tuples(st.just("severer"), st.integers(0, 5)),
    st.tuples(st.just("reported"), st.sampled_from(GRIDS)),
    st.tuples(st.just("node"), st.sampled_from(["online", "lost"])),
    st.tuples(st.sampled_from(["refused", "admitted", "drilled", "real", "earlier", "another"]), st.integers(0, 5)),
    st.just(("settle",)),
)


@pytest.fixture(scope="module")
def place(postgres_server: DatabaseServer, migrated_template: str) -> Iterator[tuple[str, Founded]]:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        founded = Founded.in_database(conn)
    yield url, founded
    postgres_server.drop_database(name)


@contextmanager
def a_town(place: tuple[str, Founded], zone: ZoneInfo = SHANGHAI) -> Iterator[Town]:
    """One in which nothing has happened yet; what happens is gone afterwards."""
    url, founded = place
    with psycopg.connect(url, options="-c timezone=UTC") as conn, conn.transaction(force_rollback=True):
        yield Town(conn, founded, zone)


@pytest.fixture
def town(place: tuple[str, Founded]) -> Iterator[Town]:
    with a_town(place) as here:
        yield here


def take(town: Town, case_ids: list[int], step: tuple[Any, ...]) -> None:
    """One step of a story, as far as the table of steps allows it."""
    match step:
        case ("found", grid, severity, simulated):
            case_ids.append(town.found(grid=grid, severity=severity, simulated=simulated))
        case ("passes", span):
            town.passes(span)
        case ("settle",):
            town.settle(at_once=3)
        case ("reported", grid):
            town.now += timedelta(minutes=3)
            case_ids.append(town.reported(grid))
        case ("node", presence):
            town.now += timedelta(minutes=3)
            town.node_is(presence)
        case ("refused" | "admitted" | "drilled" | "real" | "earlier" | "another" as change, number):
            town.incident_becomes(change, number)
        case ("severer", number):
            if case_ids:
                town.conn.execute(
                    "update grid_case set severity = 'critical' where id = %s", [case_ids[number % len(case_ids)]]
                )
        case _:
            if case_ids:
                town.now += timedelta(minutes=3)
                act(town, case_ids, step)


def act(town: Town, case_ids: list[int], step: tuple[Any, ...]) -> None:
    action, number, person, rating = step
    given: dict[str, Any] = {
        "dismiss": {"reason": list(DismissalReason)[rating]},
        "dispatch": {"department": town.department},
        "merge": {"target": case_ids[(number + rating) % len(case_ids)]},
        "rate": {"rating": rating},
        "ask_suspension": {"note": "spring", "until": town.now + timedelta(days=rating)},
        "ask_extension": {"note": "rain", "until": town.now + timedelta(days=rating)},
    }.get(action, {"note": "seen"})
    town.try_to(case_ids[number % len(case_ids)], action, person=person, **given)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, min_size=5, max_size=24), zone=st.sampled_from(["Asia/Shanghai", "America/Santiago"]))
def test_rolled_up_is_what_it_comes_to(place: tuple[str, Founded], story: list[tuple[Any, ...]], zone: str) -> None:
    with a_town(place, ZoneInfo(zone)) as town:
        town.has_camera()
        case_ids = [town.found(), town.found(grid=OTHER_GRID)]
        for step in story:
            take(town, case_ids, step)
        town.check()
        first, last = local_day(NOW, town.zone), local_day(town.now, town.zone)
        assert town.count_anew(Window(first - timedelta(days=1), last + timedelta(days=60))) == 0
        assert town.kept() == town.worked_out(), "nothing is left of days that have nothing any more"


def handle(town: Town, case_id: int) -> None:
    """From being found to being closed, a step every twenty minutes, by two people."""
    for number, action in enumerate(HANDLED):
        town.now += timedelta(minutes=20)
        given = {"department": town.department} if action == "dispatch" else {}
        town.do(case_id, action, person=1 if number == len(HANDLED) - 1 else 0, **given)


def test_a_life_counts_on_its_days(town: Town) -> None:
    case_id = town.found()
    handle(town, case_id)
    town.check()
    told = {
        key.area_path: tally for (grain, _, key), tally in town.kept().items() if grain == "month" and not key.category
    }
    assert len(told) == 5, "the grid, its community, street and district, and everything"
    assert len({str(tally) for tally in told.values()}) == 1
    counts = {fact.value: number for fact, number in told[""].counts.items()}
    assert counts == {
        "opened": 1,
        "verified": 1,
        "dispatched": 1,
        "closed": 1,
        "judged": 1,
        "verify_due": 1,
        "verify_on_time": 1,
        "close_due": 1,
        "close_on_time": 1,
    }


def test_what_is_voided_or_merged_is_in_no_figure_and_comes_back(town: Town) -> None:
    one, other = town.found(), town.found(grid=OTHER_GRID)
    town.do(one, "confirm")
    town.settle()
    before = town.kept()
    town.do(one, "void", note="a mistake")
    town.do(other, "merge", target=town.found())
    town.check()
    assert opened_in_all(town) == 1
    town.do(one, "reopen")
    town.do(other, "unmerge")
    town.check()
    assert before.keys() <= town.kept().keys()


def test_drills_never_enter_and_simulated_ones_stand_apart(town: Town) -> None:
    town.found(simulated=True)
    town.conn.execute("update grid_case set drill = true where id = %s", [town.found()])
    town.check()
    assert {key.simulated for _, _, key in town.kept()} == {True}
    town.conn.execute("update grid_case set drill = false")
    town.check()
    assert {key.simulated for _, _, key in town.kept()} == {True, False}


def test_a_suspended_case_is_not_due_and_an_extension_counts_by_its_date(town: Town) -> None:
    case_id = town.found()
    for action in ("confirm", "dispatch", "accept"):
        town.do(case_id, action, **({"department": town.department} if action == "dispatch" else {}))
    town.do(case_id, "ask_suspension", note="parts", until=town.now + timedelta(days=20))
    town.do(case_id, "allow_suspension", person=1)
    town.passes(timedelta(days=10))
    town.check()
    assert due(town) == (0, 0)
    town.do(case_id, "resume")
    town.do(case_id, "ask_extension", note="rain", until=town.now + timedelta(days=15))
    town.do(case_id, "allow_extension", person=1)
    town.passes(timedelta(days=14))
    town.do(case_id, "resolve")
    town.check()
    assert due(town) == (0, 0), "it is not closed, and not past its time"
    town.do(case_id, "close", person=1)
    town.check()
    assert due(town) == (1, 1)
    town.do(case_id, "reopen", person=1)
    town.check()
    assert due(town) == (1, 1), "that it was closed in time stays so"
    town.passes(timedelta(days=30))
    town.check()
    assert due(town) == (2, 1), "opened again, it is due again"


def test_what_is_late_is_late_from_the_moment_that_it_is_noticed(town: Town) -> None:
    case_id = town.found()
    town.do(case_id, "confirm")
    town.do(case_id, "dispatch", department=town.department)
    town.do(case_id, "accept")
    town.settle()
    assert due(town) == (0, 0)
    town.passes(timedelta(days=9))
    town.check()
    assert due(town) == (1, 0)
    town.do(case_id, "resolve")
    town.check()
    assert due(town) == (1, 0)


def opened_in_all(town: Town) -> int:
    return sum(
        tally.count(Fact.OPENED)
        for (grain, _, key), tally in town.kept().items()
        if grain == "month" and not key.area_path and not key.category
    )


def due(town: Town) -> tuple[int, int]:
    """Clocks of whole cases that were due, and those that were kept."""
    rows = town.rows(
        "select sum(close_due) as due, sum(close_on_time) as kept from figure_tally where grain = 'month' and area_path = '' and category = ''"
    )
    return int(rows[0].due or 0), int(rows[0].kept or 0)


def test_what_people_report_where_a_camera_looks_was_missed_unless_a_machine_told_of_it(town: Town) -> None:
    town.reported(GRID, at=NOW - timedelta(hours=2))
    town.has_camera()
    town.reported(GRID)
    town.reported(OTHER_GRID)
    town.settle()
    assert missed(town) == (1, 1), "the first was before there was a camera, and elsewhere there is none"
    town.now += timedelta(minutes=29)
    town.found(kind="loitering")
    town.settle()
    assert missed(town) == (1, 0), "what comes within half an hour is a note of its own"
    town.conn.execute(
        "insert into presence_change (node_id, at, presence) select node_id, %s, 'lost' from device where name = 'cam-9'",
        [NOW - timedelta(minutes=5)],
    )
    assert town.count_anew(Window(local_day(NOW, SHANGHAI), local_day(NOW, SHANGHAI))) > 0
    assert missed(town) == (0, 0), "its node was away: nobody knows whether it was in order"


def test_what_was_in_view_stays_so_when_it_is_forgotten_how_cameras_came_and_went(town: Town) -> None:
    town.has_camera()
    town.reported(GRID)
    town.settle()
    assert missed(town) == (1, 1)
    for number in range(3):
        town.now += timedelta(days=number)
        town.node_is("lost" if number % 2 else "online")
    maintenance.prune(town.conn, now=NOW + timedelta(days=400))
    town.conn.execute("delete from presence_change")
    assert town.count_anew(Window(local_day(NOW, SHANGHAI), local_day(NOW, SHANGHAI))) == 0
    assert missed(town) == (1, 1)


def test_what_no_rule_admits_was_told_all_the_same(town: Town) -> None:
    town.has_camera()
    town.found(kind="loitering")
    town.incident_becomes("refused", 0)
    town.conn.execute("delete from figure_due")
    town.reported(GRID)
    town.settle()
    assert missed(town) == (1, 0)


def test_what_was_found_beside_counts_where_it_was_found(town: Town) -> None:
    """A case of the grid took in what the camera of the grid beside found."""
    town.has_camera(grid=OTHER_GRID)
    town.has_camera(grid=GRID, number=8)
    town.reported(GRID)
    town.reported(OTHER_GRID)
    town.settle()
    assert missed(town) == (2, 2)
    found = incident(70, start_s=60, device="cam-9")
    received = report(found, grid_code=GRID, received_at=NOW)
    device = town.one("select id from device where name = 'cam-9'")
    correlate.receive(town.conn, replace(received, device_id=device))
    town.settle()
    assert missed(town) == (2, 1)
    assert missed(town, OTHER_GRID) == (1, 0)


@pytest.mark.parametrize("change", ["earlier", "another", "drilled"])
def test_what_a_machine_says_later_is_looked_at_again(town: Town, change: str) -> None:
    town.has_camera()
    town.reported(GRID)
    town.now += timedelta(minutes=20)
    town.found()
    town.settle()
    assert missed(town) == (1, 0)
    for _ in range(3):
        town.incident_becomes(change, 0)
    town.settle()
    assert missed(town) == (1, 1)
    if change == "drilled":
        town.incident_becomes("real", 0)
        town.settle()
        assert missed(town) == (1, 0), "real danger"


def test_a_camera_that_is_exercised_looks_at_nothing_else(town: Town) -> None:
    town.has_camera()
    town.conn.execute(
        "insert into drill_source (drill_id, node, device) values (%s, 'node-9', 'cam-9')", [town.drill()]
    )
    town.reported(GRID)
    town.settle()
    assert missed(town) == (0, 0)
    town.conn.execute(
        "insert into drill_leaver (drill_id, node, device, left_at) values (%s, 'node-9', 'cam-9', %s)",
        [town.drill(), NOW + timedelta(seconds=30)],
    )
    town.now += timedelta(minutes=1)
    town.reported(GRID)
    town.settle()
    assert missed(town) == (1, 1)


def test_a_closing_is_opened_again_on_its_own_day(town: Town) -> None:
    case_id = town.found()
    handle(town, case_id)
    closed_on = local_day(town.now, SHANGHAI)
    town.passes(timedelta(days=3))
    town.do(case_id, "reopen", person=1)
    town.check()
    days = town.rows(
        "select starts_on, reopened from figure_tally where grain = 'day' and area_path = '' and reopened > 0"
    )
    assert {(row.starts_on, row.reopened) for row in days} == {(closed_on, 1)}


def test_a_note_that_fails_stops_no_other_one(town: Town) -> None:
    case_id = town.found()
    for at in ("infinity", "0001-01-01"):
        town.conn.execute("insert into figure_due (case_id, at) values (%s, %s)", [case_id, at])
    town.found(grid=OTHER_GRID)
    town.check()
    aside = town.rows("select case_id, at = 'infinity' as endless, error from figure_aside")
    assert case_id in {row.case_id for row in aside if row.endless and row.error}
    assert town.one("select count(*) from figure_due") == 0
    assert opened_in_all(town) == 2


def tried_again(pool: Pool) -> tuple[int, int]:
    """How many notes an hour later are taken back, and how many of them worked off one way or the other."""
    with pool.connection() as conn:
        taken = rolling.take_back(conn, now=datetime.now(UTC) + timedelta(hours=2))
    return taken, rolling.sweep(pool, zone=SHANGHAI)


def serious_in_all(pool: Pool) -> int:
    with pool.connection() as conn:
        row = conn.execute(
            "select sum(serious) from figure_tally where grain = 'day' and area_path = '' and category = ''"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_day_that_takes_too_long_is_set_aside_and_the_others_go_on(migrated_url: str) -> None:
    """What always runs into PostgreSQL's own timeout: rows of one day that somebody else keeps."""
    pool = open_pool(migrated_url, size=3, statement_timeout_s=1.5)
    try:
        with pool.connection() as conn:
            town = Town(conn, Founded.in_database(conn))
            first = [town.found(), town.found(grid=OTHER_GRID)]
        assert rolling.sweep(pool, zone=SHANGHAI) > 0
        with psycopg.connect(migrated_url) as beside:
            beside.execute("select from figure_tally where grain = 'day' and area_path = '' for update")
            with pool.connection() as conn:
                town.conn = conn
                town.passes(timedelta(days=1))
                for case_id in first:
                    conn.execute("update grid_case set severity = 'critical' where id = %s", [case_id])
                second = [town.found() for _ in range(3)]
                waiting = town.one("select count(*) from figure_due")
            assert rolling.sweep(pool, zone=SHANGHAI) == waiting
            with pool.connection() as conn:
                town.conn = conn
                aside = town.rows("select case_id, error from figure_aside")
                assert {row.case_id for row in aside} == set(first)
                assert all("2026-03-17 took longer" in row.error for row in aside)
                assert opened_in_all(town) == len(first) + len(second)
            assert rolling.sweep(pool, zone=SHANGHAI) == 0
            assert tried_again(pool) == (len(aside), len(aside)), "an hour later, and set aside again"
            assert tried_again(pool) == (0, 0), "and then no more"
        assert serious_in_all(pool) == 0
        with pool.connection() as conn:
            conn.execute("update figure_aside set again = true")
        assert tried_again(pool)[0] == len(aside)
        assert serious_in_all(pool) == len(first)
    finally:
        pool.close()


def test_an_old_day_that_takes_too_long_is_left_out(migrated_url: str) -> None:
    pool = open_pool(migrated_url, size=3, statement_timeout_s=1.5)
    try:
        with pool.connection() as conn:
            town = Town(conn, Founded.in_database(conn))
            town.found()
            town.passes(timedelta(days=1))
            town.found()
            town.settle()
            conn.execute("update grid_case set severity = 'critical'")
            conn.execute("delete from figure_due")
            conn.execute("insert into figure_fill (id) values (1) on conflict do nothing")
        with psycopg.connect(migrated_url) as beside:
            beside.execute(
                "select from figure_tally where grain = 'day' and area_path = '' and starts_on = '2026-03-18' for update"
            )
            assert sum(iter(lambda: rolling.fill(pool, zone=SHANGHAI, days=1), 0)) > 1
        assert serious_in_all(pool) == 1
    finally:
        pool.close()


def test_what_is_old_is_counted_behind_what_is_new(migrated_url: str) -> None:
    pool = open_pool(migrated_url, size=3)
    try:
        with pool.connection() as conn:
            town = Town(conn, Founded.in_database(conn))
            for _ in range(4):
                town.found()
                town.passes(timedelta(days=2))
            conn.execute("delete from figure_due")
            conn.execute("insert into figure_fill (id) values (1) on conflict do nothing")
            town.found()
            newest = conn.execute("select max(id) from figure_due").fetchone()
            assert newest is not None
            assert store.due(conn, count=1) == [newest[0]]
        assert rolling.sweep(pool, zone=SHANGHAI) > 0
        filled = 0
        while done := rolling.fill(pool, zone=SHANGHAI, days=1):
            filled += done
        window = rolling.extent(pool, zone=SHANGHAI)
        assert window is not None
        assert filled == window.days
        assert rolling.recompute(pool, window, zone=SHANGHAI)[1] == 0
        assert rolling.fill(pool, zone=SHANGHAI) == 0
    finally:
        pool.close()


def missed(town: Town, grid: str = "") -> tuple[int, int]:
    """Of everything, or of one grid: what people reported in view of a camera, and what of it was missed."""
    rows = town.rows(
        "select area_path as path, reported_in_view, missed from figure_tally where grain = 'day' and category = ''"
    )
    here = [row for row in rows if (row.path.endswith(f"/{grid}/") if grid else not row.path)]
    return sum(row.reported_in_view for row in here), sum(row.missed for row in here)


def test_a_grid_that_is_drawn_anew_moves_no_old_case(town: Town) -> None:
    town.found()
    town.settle()
    before = town.kept()
    town.conn.execute(
        "update area set path = replace(path, '110105001', '110105009') where path ^@ '110105/110105001/'"
    )
    town.conn.execute("insert into figure_due (case_id) select id from grid_case")
    town.check()
    assert town.kept() == before


def test_days_are_local_ones(place: tuple[str, Founded]) -> None:
    """In Santiago 2026-04-04 has 25 hours and 2026-09-06, whose midnight is left out, 23."""
    zone = ZoneInfo("America/Santiago")
    with a_town(place, zone) as town:
        for day, hours in ((date(2026, 4, 4), 25), (date(2026, 9, 6), 23)):
            from_at, to_at = bounds(day, zone)
            assert to_at - from_at == timedelta(hours=hours)
            for moment in (from_at - timedelta(seconds=1), from_at, to_at - timedelta(seconds=1), to_at):
                town.now = moment
                town.found()
            town.check()
            opened = {
                start: tally.count(Fact.OPENED)
                for (grain, start, key), tally in town.kept().items()
                if grain == "day" and key.area_path == "" and not key.category
            }
            assert opened[day] == 2


def test_counting_waits_for_nobody_and_forgets_nothing(migrated_url: str) -> None:
    pool = open_pool(migrated_url, size=3)
    try:
        with pool.connection() as conn:
            Town(conn, Founded.in_database(conn)).found()
        with pool.connection() as one:
            assert store.may_count(one)
            assert rolling.sweep(pool, zone=SHANGHAI) == 0, "somebody else counts"
        assert rolling.sweep(pool, zone=SHANGHAI) > 0
        assert rolling.sweep(pool, zone=SHANGHAI) == 0
        window = rolling.extent(pool, zone=SHANGHAI)
        assert window is not None
        told: list[rolling.Progress] = []
        assert rolling.recompute(pool, window, zone=SHANGHAI, tell=told.append) == (window.days, 0)
        assert sum(each.days for each in told) == window.days
        with pool.connection() as conn:
            kept = conn.execute("select count(*), sum(opened) from figure_tally").fetchone()
            conn.execute("update figure_tally set opened = 7 where grain = 'day' and area_path = ''")
            conn.execute("update figure_tally set opened = 7 where grain = 'month'")
        assert rolling.recompute(pool, window, zone=SHANGHAI)[1] > 0
        with pool.connection() as conn:
            assert conn.execute("select count(*), sum(opened) from figure_tally").fetchone() == kept
    finally:
        pool.close()

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access.model import Principal
from cloud.errors import Conflict, Invalid
from cloud.organisation import duty, handover, positions, swaps
from cloud.organisation.model import SwapAction
from cloud.organisation.positions import Place, distance_m
from tests.cloud.organisation.test_duty import hours, plan
from tests.cloud.samples import NOW, OTHER_GRID

Who = Callable[[str], Principal]
MINUTE = timedelta(minutes=1)


def place(longitude: float = 116.4, latitude: float = 39.9, *, at: datetime = NOW) -> Place:
    return Place(longitude=longitude, latitude=latitude, accuracy_m=8.0, measured_at=at)


def kept(conn: Connection[Any]) -> int:
    row = conn.execute("select count(*) from worker_position").fetchone()
    assert row is not None
    return int(row[0])


def test_only_who_is_on_duty_is_known_where_he_is(conn: Connection[Any], who: Who) -> None:
    with pytest.raises(Conflict):
        positions.report(conn, who("wang"), place(), now=NOW)
    plan(conn, who("wang"), 0, 8)
    with pytest.raises(Conflict):
        positions.report(conn, who("wang"), place(at=NOW - MINUTE), now=NOW - MINUTE)
    assert positions.report(conn, who("wang"), place(), now=NOW) == hours(8)
    with pytest.raises(Conflict):
        positions.report(conn, who("wang"), place(at=hours(8)), now=hours(8))
    assert kept(conn) == 1


def test_the_newest_place_counts_and_no_other_is_kept(conn: Connection[Any], who: Who) -> None:
    plan(conn, who("wang"), -1, 8)
    positions.report(conn, who("wang"), place(116.5), now=NOW)
    positions.report(conn, who("wang"), place(116.6, at=NOW - MINUTE), now=NOW)
    [found] = positions.nearest(conn, 116.5, 39.9, at=NOW, count=5)
    assert (found.longitude, found.distance_m, found.measured_at) == (116.5, 0, NOW)
    positions.report(conn, who("wang"), place(116.7, at=NOW + MINUTE), now=NOW)
    assert [each.measured_at for each in positions.nearest(conn, 0, 0, at=NOW, count=5)] == [NOW], (
        "no place from the future"
    )
    assert kept(conn) == 1
    for at in (NOW - timedelta(minutes=11), NOW + timedelta(minutes=3)):
        with pytest.raises(Invalid):
            positions.report(conn, who("wang"), place(at=at), now=NOW)


def test_the_nearest_first_of_those_on_duty_in_scope(conn: Connection[Any], who: Who) -> None:
    for name, longitude in (("wang", 116.42), ("li", 116.41)):
        plan(conn, who(name), -1, 8)
        positions.report(conn, who(name), place(longitude), now=NOW)
    plan(conn, who("far"), -1, 8, area=OTHER_GRID)
    positions.report(conn, who("far"), place(116.4), now=NOW)
    near = positions.nearest(conn, 116.4, 39.9, at=NOW, count=9, area_path=who("lead").area_path)
    assert [each.display_name for each in near] == ["Li", "Wang"]
    assert near[0].distance_m == pytest.approx(853, abs=2)
    assert [each.display_name for each in positions.nearest(conn, 116.4, 39.9, at=NOW, count=1)] == ["Far"]


@pytest.mark.parametrize("ending", ["time", "cancelled", "handed over", "swept late", "withdrawn"])
def test_nothing_remains_after_the_shift(conn: Connection[Any], who: Who, ending: str) -> None:
    shift = plan(conn, who("wang"), -1, 8)
    positions.report(conn, who("wang"), place(), now=NOW)
    match ending:
        case "time":
            assert positions.forget(conn, now=hours(7.9)) == 0
            assert positions.nearest(conn, 116.4, 39.9, at=hours(8), count=5) == [], "before the sweep too"
            assert positions.forget(conn, now=hours(8)) == 1
        case "cancelled":
            duty.cancel_shift(conn, shift.id, now=NOW)
        case "handed over":
            told = handover.hand_over(conn, who("wang"), shift.id, to=who("li").user_id, note="x", now=NOW)
            handover.take(conn, who("li"), told.id, now=NOW)
        case "swept late":
            assert positions.forget(conn, now=hours(500)) == 1
        case "withdrawn":
            positions.withdraw(conn, who("wang"))
    assert kept(conn) == 0
    assert positions.forget(conn, now=hours(500)) == 0
    told_rows = conn.execute("select detail::text || subject from audit").fetchall()
    assert not [row for row in told_rows if "116.4" in row[0] or "39.9" in row[0]]


def test_a_swap_of_later_shifts_leaves_the_place_of_now(conn: Connection[Any], who: Who) -> None:
    plan(conn, who("wang"), -1, 8)
    later = plan(conn, who("wang"), 10, 12)
    positions.report(conn, who("wang"), place(), now=NOW)
    swap = swaps.ask(conn, who("wang"), later.id, asked_of=who("li").user_id, now=NOW)
    for name, action in (("li", SwapAction.ACCEPT), ("lead", SwapAction.APPROVE)):
        swaps.act(conn, who(name), swap.id, action, decides=name == "lead", now=NOW)
    assert kept(conn) == 1


degrees = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


@given(degrees, degrees, degrees)
def test_distances_are_distances(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> None:
    assert distance_m(*a, *a) == 0
    assert distance_m(*a, *b) == pytest.approx(distance_m(*b, *a), abs=0.01)
    assert 0 <= distance_m(*a, *b) <= 20_016_000
    assert distance_m(*a, *c) <= distance_m(*a, *b) + distance_m(*b, *c) + 1


def test_a_degree_of_latitude() -> None:
    assert distance_m(116.4, 39.0, 116.4, 40.0) == pytest.approx(111_195, abs=5)

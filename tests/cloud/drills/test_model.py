from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.drills.model import (
    LONGEST,
    WEEK,
    WEEKLY,
    ChosenSource,
    Drilled,
    DrillWish,
    Exercise,
    Found,
    check_end,
    check_week,
    check_wish,
    drill_of,
)
from cloud.errors import Conflict, Invalid
from tests.cloud.samples import NOW

HOUR = timedelta(hours=1)
AREA = "110105/110105001/"
EXERCISE = Exercise(
    drill_id=7, area_path=AREA, started_at=NOW, until=NOW + HOUR, sources=frozenset({ChosenSource("node-1", "cam-1")})
)
FOUND = Found(
    source=ChosenSource("node-1", "cam-1", "fire"),
    area_path=f"{AREA}110105001001/",
    started_at=NOW + HOUR / 2,
    received_at=NOW + HOUR / 2,
)
WISH = DrillWish(
    name="Fire", purpose="spring", area_code="110105001", planned_end_at=NOW + HOUR, sources=(ChosenSource("node-1"),)
)


def test_what_a_chosen_source_finds_while_it_lasts_is_of_the_drill() -> None:
    assert drill_of(FOUND, [EXERCISE]) == 7
    assert drill_of(FOUND, []) is None
    assert drill_of(replace(FOUND, started_at=NOW, received_at=NOW), [EXERCISE]) == 7


@pytest.mark.parametrize(
    ("why", "found"),
    [
        ("it began before", replace(FOUND, started_at=NOW - timedelta(seconds=1))),
        ("it began at the end", replace(FOUND, started_at=NOW + HOUR)),
        ("it came after the end, and had waited nowhere", replace(FOUND, received_at=NOW + HOUR)),
        ("another device", replace(FOUND, source=ChosenSource("node-1", "cam-2", "fire"))),
        ("another node", replace(FOUND, source=ChosenSource("node-2", "cam-1", "fire"))),
        ("elsewhere", replace(FOUND, area_path="110105/110105002/")),
    ],
)
def test_all_else_is_real(why: str, found: Found) -> None:
    assert drill_of(found, [EXERCISE]) is None, why


def test_late_history_of_a_chosen_source_is_of_its_drill() -> None:
    late = replace(FOUND, received_at=NOW + 5 * HOUR, historical=True)
    assert drill_of(late, [EXERCISE]) == 7
    assert drill_of(replace(late, started_at=NOW - HOUR), [EXERCISE]) is None


def test_a_device_that_found_real_danger_takes_part_no_longer() -> None:
    left = replace(EXERCISE, sources=frozenset({ChosenSource("node-1")}), left=frozenset({("node-1", "cam-1")}))
    assert drill_of(FOUND, [left]) is None
    assert drill_of(replace(FOUND, source=ChosenSource("node-1", "cam-2")), [left]) == 7


sources = st.builds(
    ChosenSource, st.sampled_from(["n", "m"]), st.sampled_from(["", "a", "b"]), st.sampled_from(["", "r"])
)
finders = st.builds(ChosenSource, st.sampled_from(["n", "m"]), st.sampled_from(["a", "b"]), st.sampled_from(["", "r"]))


@given(sources, sources, finders)
def test_two_that_cover_the_same_meet(one: ChosenSource, other: ChosenSource, finder: ChosenSource) -> None:
    if one.covers(finder) and other.covers(finder):
        assert one.meets(other)
        assert other.meets(one)


def test_a_drill_has_something_to_exercise_with_and_an_end() -> None:
    check_wish(WISH, now=NOW)
    check_wish(replace(WISH, sources=(), reports=True), now=NOW)
    for bad in (
        replace(WISH, sources=()),
        replace(WISH, planned_end_at=NOW),
        replace(WISH, planned_end_at=NOW + LONGEST + timedelta(seconds=1)),
        replace(WISH, sources=(ChosenSource("node-1", "", "fire"),)),
        replace(WISH, sources=tuple(ChosenSource(f"node-{number}") for number in range(501))),
    ):
        with pytest.raises(Invalid):
            check_wish(bad, now=NOW)


def test_a_drill_that_is_prolonged_day_by_day_ends_nevertheless() -> None:
    later = NOW + timedelta(hours=60)
    check_end(later + timedelta(hours=12), started_at=NOW, now=later)
    with pytest.raises(Invalid):
        check_end(later + timedelta(hours=13), started_at=NOW, now=later)


spans = st.tuples(st.integers(0, 200), st.integers(1, 24))
"""Hours between two drills, and of the second."""


@given(st.lists(spans, max_size=40))
def test_whatever_follows_whatever_most_of_each_week_is_real(wishes: list[tuple[int, int]]) -> None:
    """The limit is found anew here hour by hour, over every window."""
    camera, drilled, now = ChosenSource("n", "a"), list[Drilled](), NOW
    for pause, length in wishes:
        now += HOUR * pause
        try:
            check_week([camera], drilled, started_at=now, until=now + HOUR * length, now=now)
        except Conflict:
            continue
        drilled.append(Drilled(camera, now, now + HOUR * length))
        now += HOUR * length
    hours = {
        (each.started_at - NOW) // HOUR + hour
        for each in drilled
        for hour in range((each.until - each.started_at) // HOUR)
    }
    for last in hours:
        assert sum(last - WEEK // HOUR < hour <= last for hour in hours) <= WEEKLY // HOUR


def test_the_limit_is_of_whatever_meets_and_says_what_is_left() -> None:
    drilled = [Drilled(ChosenSource("n", "a", "fire"), NOW - HOUR * 80, NOW - HOUR * 10)]

    def check(source: ChosenSource, hours: float) -> None:
        check_week([source], drilled, started_at=NOW, until=NOW + HOUR * hours, now=NOW)

    for free in (ChosenSource("n", "b"), ChosenSource("m"), ChosenSource("n", "a", "smoke")):
        check(free, 24)
    for used in (ChosenSource("n"), ChosenSource("n", "a"), ChosenSource("n", "a", "fire")):
        check(used, 2)
        with pytest.raises(Conflict, match="left from now on: 2 h 0 min"):
            check(used, 2.5)

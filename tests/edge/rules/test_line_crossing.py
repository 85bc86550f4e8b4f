"""Line crossing: who crosses is counted once per crossing, whatever the frame rate and however he trembles."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.flow import Finding, Reading, Scene
from edge.rules.counting import LATE_S, IntervalCounter, count_points
from edge.rules.held import UPDATE_S
from edge.rules.line_crossing import LineCrossingRule
from edge.settings import Direction, LineCrossingSettings
from tests.fakes.scenes import at, findings, seconds, standing_at, walk

ACROSS = ((0.0, 0.5), (1.0, 0.5))
DOOR = ((0.3, 0.5), (0.7, 0.5))
OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
Way = Sequence[tuple[float, float, float]]
"""Second, x and y of the feet."""


def made(*forbidden: Direction, line: Sequence[tuple[float, float]] = ACROSS, interval_s: int = 60) -> LineCrossingRule:
    settings = LineCrossingSettings(kind="line_crossing", line="door", forbidden=forbidden, interval_s=interval_s)
    return LineCrossingRule(settings, line, "c")


def along(way: Way, hertz: float = 5.0, *, offset_s: float = 0.0) -> list[tuple[float, tuple[float, float]]]:
    """Where the feet are at each look, on straight ways between the given places."""
    looks = []
    for index in range(int((way[-1][0] - offset_s) * hertz) + 1):
        time_s = offset_s + index / hertz
        for (from_s, x1, y1), (to_s, x2, y2) in itertools.pairwise(way):
            if from_s <= time_s <= to_s:
                share = (time_s - from_s) / (to_s - from_s)
                looks.append((time_s, (x1 + share * (x2 - x1), y1 + share * (y2 - y1))))
                break
    return looks


def scenes_of(way: Way, hertz: float = 5.0, *, label: str = "person", confirmed_after: int = 1) -> list[Scene]:
    places = [(time_s, standing_at(*feet, height=0.01)) for time_s, feet in along(way, hertz)]
    return list(walk(1, places, label=label, confirmed_after=confirmed_after))


def told(rule: LineCrossingRule, scenes: Sequence[Scene]) -> tuple[list[Finding], int, int]:
    """What the rule says, and how many went in and out."""
    said = findings(rule, iter(scenes), finish_s=100_000)
    totals = dict.fromkeys(Direction, 0)
    for reading in rule.readings(at(100_000)):
        totals[Direction(reading.point.removeprefix("line_crossing-door.").removesuffix("_count"))] += int(
            float(reading.value)
        )
    return said, totals[Direction.IN], totals[Direction.OUT]


def test_down_over_a_line_drawn_from_left_to_right_is_in_and_up_is_out() -> None:
    down: Way = [(0, 0.5, 0.2), (4, 0.5, 0.8)]
    up: Way = [(0, 0.5, 0.8), (4, 0.5, 0.2)]
    assert told(made(), scenes_of(down)) == ([], 1, 0)
    assert told(made(), scenes_of(up)) == ([], 0, 1)
    assert told(made(line=ACROSS[::-1]), scenes_of(up)) == ([], 1, 0)


def test_other_labels_are_not_counted() -> None:
    assert told(made(), scenes_of([(0, 0.5, 0.2), (4, 0.5, 0.8)], label="car")) == ([], 0, 0)


def test_who_was_over_the_line_before_his_track_counted_is_counted() -> None:
    assert told(made(), scenes_of([(0, 0.5, 0.3), (2, 0.5, 0.7), (4, 0.5, 0.7)], confirmed_after=12)) == ([], 1, 0)


def test_around_the_end_of_a_line_is_not_across_it() -> None:
    around: Way = [(0, 0.5, 0.2), (2, 0.9, 0.2), (4, 0.9, 0.8), (6, 0.5, 0.8)]
    assert told(made(line=DOOR), scenes_of(around)) == ([], 0, 0)
    back_through: Way = [*around, (8, 0.5, 0.2)]
    assert told(made(line=DOOR), scenes_of(back_through)) == ([], 0, 1)


def test_who_stands_on_the_line_and_trembles_crosses_nothing() -> None:
    trembling: Way = [(0, 0.5, 0.2), *((2 + index * 0.2, 0.5, 0.49 + 0.02 * (index % 2)) for index in range(50))]
    assert told(made(), scenes_of([*trembling, (14, 0.5, 0.2)])) == ([], 0, 0)
    assert told(made(), scenes_of([*trembling, (14, 0.5, 0.8)])) == ([], 1, 0)


def test_a_forbidden_direction_is_one_incident_from_the_crossing_to_the_last_sight() -> None:
    way: Way = [(0, 0.5, 0.2), (6, 0.5, 0.8), (6 + UPDATE_S, 0.5, 0.8)]
    said, went_in, _ = told(made(Direction.IN), scenes_of(way, hertz=10))
    assert [finding.state for finding in said] == [OPEN, UPDATE, ENDED]
    assert seconds(said[0].started_at) == pytest.approx(3.0, abs=0.01)
    assert seconds(said[0].at) == pytest.approx(3.2, abs=0.11)
    assert said[-1].ended_at == at(6 + UPDATE_S)
    assert {finding.key for finding in said} == {said[0].key}
    assert {(finding.direction, finding.zone) for finding in said} == {("in", "door")}
    assert went_in == 1
    assert told(made(Direction.OUT), scenes_of(way))[0] == []


def test_who_goes_back_and_forth_is_one_incident_and_counted_each_time() -> None:
    way: Way = [(0, 0.5, 0.2), (2, 0.5, 0.8), (4, 0.5, 0.2), (6, 0.5, 0.8)]
    said, went_in, went_out = told(made(*Direction), scenes_of(way))
    assert [finding.state for finding in said] == [OPEN, ENDED]
    assert (went_in, went_out) == (2, 1)


sides = st.lists(st.sampled_from([0.2, 0.8]), min_size=2, max_size=8)


@given(
    sides,
    st.sampled_from([3.0, 5.0, 10.0, 25.0]),
    st.floats(0, 0.3),
    st.floats(0.05, 0.95),
    st.lists(st.floats(-0.007, 0.007), min_size=1, max_size=7),
)
def test_crossings_are_counted_the_same_at_any_frame_rate_and_with_any_tremor(
    places: list[float], hertz: float, offset_s: float, x: float, tremor: list[float]
) -> None:
    way: Way = [(3.0 * index, x, place) for index, place in enumerate(places)]
    boxes = [
        (time_s, standing_at(feet[0], feet[1] + tremor[index % len(tremor)], height=0.01))
        for index, (time_s, feet) in enumerate(along(way, hertz, offset_s=offset_s))
    ]
    _, went_in, went_out = told(made(), list(walk(1, boxes)))
    steps = list(itertools.pairwise(places))
    assert went_in == sum(before < after for before, after in steps)
    assert went_out == sum(before > after for before, after in steps)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.booleans()), max_size=80))
def test_each_open_is_ended_once(moments: list[tuple[int, float, bool]]) -> None:
    rule = made(*Direction)
    living: set[str] = set()
    finished: set[str] = set()
    ways: dict[int, list[tuple[float, tuple[float, float, float, float]]]] = {}
    for index, (track_id, y, ending) in enumerate(moments):
        ways.setdefault(track_id, []).append((float(index), standing_at(0.5, y, height=0.01)))
        *scenes, last = walk(track_id, ways[track_id])
        for finding in rule.observe(Scene("c", at(index), (), last.ended) if ending else scenes[-1]):
            if finding.state is OPEN:
                assert finding.key not in living | finished
                living.add(finding.key)
            else:
                assert finding.key in living
            if finding.state is ENDED:
                assert finding.ended_at is not None
                assert finding.started_at <= finding.ended_at
                living.remove(finding.key)
                finished.add(finding.key)
        if ending:
            del ways[track_id]
    assert {finding.key for finding in rule.finish(at(1000))} == living
    assert rule.finish(at(1001)) == []


def counter(interval_s: int = 60, *, simulated: bool = False) -> IntervalCounter:
    settings = LineCrossingSettings(kind="line_crossing", id="footfall", line="door", interval_s=interval_s)
    return IntervalCounter(settings, "c", simulated)


def test_an_interval_is_told_once_it_is_over_under_the_points_that_were_declared() -> None:
    counts = counter()
    counts.watched(at(0))
    counts.add(Direction.IN, at(10))
    counts.add(Direction.IN, at(59))
    assert counts.readings(at(59 + LATE_S)) == []
    told = counts.readings(at(60 + LATE_S))
    assert [(each.point, each.value, each.observed_at) for each in told] == [
        ("footfall.in_count", 2.0, at(0)),
        ("footfall.out_count", 0.0, at(0)),
    ]
    assert {each.point for each in told} == {point.name for point in count_points(counts.settings)}
    assert counts.readings(at(61 + LATE_S)) == []


def test_what_was_not_watched_is_no_zero() -> None:
    counts = counter()
    for second in (0, 30, 200):
        counts.watched(at(second))
    assert [seconds(each.observed_at) for each in counts.readings(at(1000))][::2] == [0, 180]


def test_what_a_new_watch_counts_in_the_same_interval_is_another_reading() -> None:
    first, second = counter(), counter()
    first.watched(at(5))
    first.add(Direction.OUT, at(10))
    second.watched(at(20))
    second.add(Direction.OUT, at(30))
    told = [*first.rest(at(15)), *second.rest(at(40))]
    assert [(seconds(each.observed_at), each.value) for each in told if each.point == "footfall.out_count"] == [
        (5, 1.0),
        (20, 1.0),
    ]


def test_counts_of_a_simulated_camera_say_so() -> None:
    counts = counter(simulated=True)
    counts.watched(at(0))
    assert {each.flag for each in counts.rest(at(1))} == {ReadingFlag.SIMULATED}


@given(
    st.lists(st.tuples(st.floats(0, 400), st.floats(0, 30), st.sampled_from(Direction)), max_size=60),
    st.sampled_from([10, 60]),
)
def test_nothing_that_crossed_is_lost_or_counted_twice_however_late_it_is_told(
    crossings: list[tuple[float, float, Direction]], interval_s: int
) -> None:
    counts = counter(interval_s)
    told: list[Reading] = []
    for at_s, late_s, direction in sorted(crossings, key=lambda each: each[0] + each[1]):
        counts.watched(at(at_s + late_s))
        counts.add(direction, at(at_s))
        told += counts.readings(at(at_s + late_s))
    told += counts.rest(at(1000))
    keys = [(each.point, each.observed_at) for each in told]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys, key=lambda key: key[1])
    assert sum(int(float(each.value)) for each in told) == len(crossings)

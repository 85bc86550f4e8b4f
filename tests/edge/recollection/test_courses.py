"""Ways that are thinned lie where they lay, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recollection.courses import LARGEST_ERROR, STEPS, TOLERANCE_STEPS, Course, CourseThinner, packed, unpacked

EDGE = st.floats(0, 1, allow_nan=False)
BOXES = st.tuples(EDGE, EDGE, EDGE, EDGE)
SIGHTS = st.lists(st.tuples(st.integers(1, 5_000), st.one_of(st.none(), BOXES), st.booleans()), max_size=80)


@given(SIGHTS, st.sets(st.integers(0, 80)))
def test_each_sight_is_where_it_was_and_each_miss_is_one_however_it_was_cut(
    sights: list[tuple[int, tuple[float, float, float, float] | None, bool]], cuts: set[int]
) -> None:
    thinner, at_ms, blocks, looks = CourseThinner(), 0, [], []
    for index, (later_ms, box, expected) in enumerate(sights):
        at_ms += later_ms
        if box is None:
            thinner.miss()
        else:
            thinner.see(at_ms, box, expected=expected)
        looks.append((at_ms, box, expected))
        if index in cuts:
            blocks.append((looks, thinner.cut()))
            looks = []
    blocks.append((looks, thinner.cut()))
    for seen, points in blocks:
        course = Course(points)
        for moment_ms, box, expected in seen:
            found = course.at(moment_ms)
            if box is None:
                assert found is None
            else:
                assert found is not None
                assert found[0] == pytest.approx(box, abs=LARGEST_ERROR)
                assert found[1] is expected


def test_who_walks_straight_on_is_two_points() -> None:
    thinner = CourseThinner()
    for step in range(100):
        thinner.see(200 * step, (0.001 * step, 0.2, 0.001 * step + 0.1, 0.5))
    assert len(thinner.cut()) == 2


def test_what_is_packed_is_unpacked() -> None:
    thinner = CourseThinner()
    for step in range(20):
        thinner.see(1_000 + 200 * step, (0.5, 0.1 * (step % 3), 0.7, 1.0))
        if step == 9:
            thinner.miss()
    points = thinner.cut()
    assert tuple(unpacked(packed(points, 400), 400)) == points
    with pytest.raises(ValueError, match="five numbers"):
        list(unpacked((1, 2, 3), 0))


def test_the_stated_error_is_more_than_tolerance_and_rounding() -> None:
    assert (TOLERANCE_STEPS + 0.5) / STEPS < LARGEST_ERROR

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from edge import geometry
from edge.flow import Box

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
UNIT = st.floats(0, 1, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, right = sorted((draw(UNIT), draw(UNIT)))
    top, bottom = sorted((draw(UNIT), draw(UNIT)))
    return left, top, right, bottom


def array(*rows: Box) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def test_a_foot_below_the_picture_stands_on_its_edge() -> None:
    assert geometry.foot_point((0.4, 0.5, 0.6, 1.2)) == (0.5, 1.0)
    assert geometry.foot_point((-0.4, 0.5, 0.0, 0.9)) == (0.0, 0.9)


def test_edges_and_corners_belong_to_a_polygon() -> None:
    whole = ((0.0, 0.25), (1.0, 0.25), (1.0, 1.0), (0.0, 1.0))
    for point in ((0.5, 1.0), (0.0, 1.0), (1.0, 0.25), (0.0, 0.6), (1.0, 1.0)):
        assert geometry.contains(whole, point)
    assert not geometry.contains(whole, (0.5, 0.2499))


def test_a_hollow_polygon_holds_its_arms_and_not_its_hollow() -> None:
    horseshoe = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.7, 1.0), (0.7, 0.3), (0.3, 0.3), (0.3, 1.0), (0.0, 1.0))
    assert geometry.contains(horseshoe, (0.1, 0.9))
    assert geometry.contains(horseshoe, (0.9, 0.9))
    assert not geometry.contains(horseshoe, (0.5, 0.9))


@given(UNIT, UNIT)
def test_a_square_holds_what_lies_between_its_sides(x: float, y: float) -> None:
    assume(min(abs(x - 0.2), abs(x - 0.8), abs(y - 0.2), abs(y - 0.8)) > 1e-6)
    assert geometry.contains(SQUARE, (x, y)) == (0.2 < x < 0.8 and 0.2 < y < 0.8)


@given(UNIT, UNIT, st.integers(0, 3), st.booleans())
def test_where_an_outline_begins_and_which_way_it_runs_is_all_one(x: float, y: float, turn: int, back: bool) -> None:
    outline = SQUARE[turn:] + SQUARE[:turn]
    assert geometry.contains(outline[::-1] if back else outline, (x, y)) == geometry.contains(SQUARE, (x, y))


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_bounded(one: Box, other: Box) -> None:
    forth = geometry.intersection_over_union(array(one), array(other))[0, 0]
    back = geometry.intersection_over_union(array(other), array(one))[0, 0]
    assert forth == back
    assert 0 <= forth <= geometry.intersection_over_smaller(array(one), array(other))[0, 0] + 1e-6 <= 1 + 1e-5


@given(boxes())
def test_a_box_is_itself(box: Box) -> None:
    assume(box[2] - box[0] > 1e-3 and box[3] - box[1] > 1e-3)
    assert np.isclose(geometry.intersection_over_union(array(box), array(box))[0, 0], 1.0)


def test_growing_moves_each_side_by_a_share_of_its_own_length() -> None:
    assert np.allclose(geometry.grown(array((0.4, 0.2, 0.6, 0.8)), 0.5), [[0.3, -0.1, 0.7, 1.1]])


def test_no_boxes_make_empty_tables() -> None:
    assert geometry.intersection_over_union(array(), array((0, 0, 1, 1))).shape == (0, 1)
    assert geometry.grown(array(), 0.2).shape == (0, 4)

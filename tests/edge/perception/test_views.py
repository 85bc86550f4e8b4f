import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.flow import Box
from edge.perception.views import CONTEXT, LARGE, LEAST_DETAIL, STRIDE, around, holds, view_of, whole_view

SIDE = st.sampled_from((320, 416, 640))
LENGTH = st.integers(16, 4000)
SHARE = st.floats(-0.2, 1.2, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, right = sorted((draw(SHARE), draw(SHARE)))
    top, bottom = sorted((draw(SHARE), draw(SHARE)))
    return left, top, right, bottom


@given(boxes(), LENGTH, LENGTH, SIDE)
def test_a_view_lies_in_the_picture_fits_its_input_and_holds_what_was_asked_for(
    box: Box, columns: int, rows: int, side: int
) -> None:
    region = around([box])
    assert region is not None
    view = view_of([box], columns, rows, width=side, height=side)
    whole = whole_view(columns, rows, width=side, height=side)
    assert view.left >= 0
    assert view.top >= 0
    assert view.left + view.width <= columns
    assert view.top + view.height <= rows
    assert view.input_width % STRIDE == view.input_height % STRIDE == 0
    assert max(view.input_width, view.input_height) <= side
    assert view.width * view.scale <= view.input_width + 1
    assert view.height * view.scale <= view.input_height + 1
    assert LEAST_DETAIL * whole.scale <= view.scale + 1e-9
    assert view.scale <= whole.scale
    assert view.input_pixels <= whole.input_pixels
    one = 1 / view.scale + 1
    assert view.left <= max(region[0], 0) * columns + one
    assert view.top <= max(region[1], 0) * rows + one
    assert view.left + view.width >= min(region[2], 1) * columns - one
    assert view.top + view.height >= min(region[3], 1) * rows - one


def test_a_picture_of_16_to_9_costs_no_square() -> None:
    whole = whole_view(768, 432, width=416, height=416)
    assert (whole.input_width, whole.input_height) == (416, 256)
    assert whole_view(432, 768, width=416, height=416).input_width == 256
    assert whole_view(500, 500, width=416, height=416).input_pixels == 416 * 416


def test_someone_in_the_middle_costs_a_part_and_is_seen_with_context() -> None:
    view = view_of([(0.45, 0.3, 0.55, 0.8)], 768, 432, width=416, height=416)
    assert (view.input_width, view.input_height) == (128, 192)
    assert view.left * view.scale <= 0.45 * 416 - CONTEXT + 2
    assert (view.left + view.width) * view.scale >= 0.55 * 416 + CONTEXT - 2


def test_what_is_everywhere_is_looked_at_whole() -> None:
    corners = [(0.02, 0.1, 0.1, 0.2), (0.8, 0.8, 0.9, 0.9)]
    assert view_of(corners, 768, 432, width=416, height=416) == whole_view(768, 432, width=416, height=416)


def test_what_is_large_is_shown_smaller_and_what_is_small_beside_it_is_not() -> None:
    whole = whole_view(768, 432, width=416, height=416)
    large, small = (0.4, 0.05, 0.6, 0.95), (0.45, 0.5, 0.5, 0.6)
    view = view_of([large], 768, 432, width=416, height=416)
    assert view.scale * 432 * 0.9 == pytest.approx(LARGE)
    assert view.input_pixels <= 128 * 224
    assert view_of([(0.1, 0.05, 0.8, 0.95)], 768, 432, width=416, height=416).scale == LEAST_DETAIL * whole.scale
    assert view_of([large, small], 768, 432, width=416, height=416).scale == whole.scale


def test_a_region_holds_what_has_its_middle_in_it() -> None:
    assert around([]) is None
    assert around([(0.1, 0.2, 0.3, 0.4), (0.2, -0.1, 0.5, 0.3)]) == (0.1, 0.0, 0.5, 0.4)
    assert holds((0, 0, 0.5, 0.5), (0.4, 0.4, 0.6, 0.6))
    assert not holds((0, 0, 0.5, 0.5), (0.45, 0.4, 0.6, 0.6))

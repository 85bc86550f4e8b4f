"""In a film everybody is masked from before the first look that found him until after the last, and on the way between two looks."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.evidence.film_masks import FilmMasks
from edge.evidence.privacy import head_part
from edge.flow import Box, FilmLook, PrivateParts
from tests.fakes.scenes import at

STRIDE_S, PERIOD_S = 0.2, 0.1
NOBODY = PrivateParts(at(0))


def box(x: float, y: float = 0.2, *, width: float = 0.1, height: float = 0.5) -> Box:
    return x, y, x + width, y + height


def looks(*people: tuple[Box, ...]) -> list[FilmLook]:
    told = []
    for number, boxes in enumerate(people):
        parts = PrivateParts(at(number * STRIDE_S), people=boxes)
        told.append(FilmLook(parts, parts))
    return told


def covered(masks: FilmMasks, second: float, person: Box) -> float:
    """Which part of a head's middle line is masked by one head part or another."""
    left, top, right, _ = person
    height = person[3] - top
    parts = [head_part(each, 1.0) for each in masks.at(at(second)).people]
    spots = [(left + (right - left) * n / 20, top + 0.1 * height) for n in range(5, 16)]
    return sum(any(a <= x <= c and b <= y <= d for a, b, c, d in parts) for x, y in spots) / len(spots)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 0.45), st.floats(-1.8, 1.8), st.integers(3, 9), st.floats(0, 1))
def test_whoever_walks_is_masked_in_every_picture_between_two_looks(
    begin: float, speed: float, count: int, moment: float
) -> None:
    people = [box(begin + 0.2 + speed * n * STRIDE_S * 0.25) for n in range(count)]
    masks = FilmMasks(looks(*[(each,) for each in people]), NOBODY, frame_period_s=PERIOD_S)
    second = moment * (count - 1) * STRIDE_S
    assert covered(masks, second, box(begin + 0.2 + speed * second * 0.25)) == 1.0


def test_who_is_found_by_one_look_is_masked_before_and_after_it() -> None:
    person = box(0.5)
    masks = FilmMasks(looks((), (), (person,), (), ()), NOBODY, frame_period_s=PERIOD_S)
    assert [second for second in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8) if covered(masks, second, person)] == [
        pytest.approx(0.1 * n) for n in range(1, 8)
    ]


def test_who_comes_in_quickly_is_masked_where_he_must_have_been_between_the_looks() -> None:
    """The first look does not find him, the second and the third do: between the first and the second he was on his way."""
    masks = FilmMasks(looks((), (box(0.30),), (box(0.42),)), NOBODY, frame_period_s=PERIOD_S)
    assert covered(masks, 0.1, box(0.24)) == 1.0


def test_what_was_known_before_is_masked_all_the_time() -> None:
    known = PrivateParts(at(0), people=(box(0.1),), vehicles=(box(0.3),), moving=((0.0, 0.0, 1.0, 1.0),))
    told = FilmMasks(looks((), ()), known, frame_period_s=PERIOD_S).at(at(0.1))
    assert (told.people, told.vehicles, told.moving) == (known.people, known.vehicles, known.moving)


def test_where_nobody_has_looked_at_all_nothing_is_shown() -> None:
    with pytest.raises(ValueError, match="nobody has looked"):
        FilmMasks([], NOBODY, frame_period_s=PERIOD_S).at(at(0))


@pytest.mark.parametrize("second", [-0.1, 0.5])
def test_a_picture_that_nobody_has_looked_around_is_not_shown(second: float) -> None:
    with pytest.raises(ValueError, match="nobody has looked"):
        FilmMasks(looks((), (), ()), NOBODY, frame_period_s=PERIOD_S).at(at(second))


def test_two_who_are_far_apart_are_not_joined() -> None:
    masks = FilmMasks(looks((box(0.0),), (box(0.8),)), NOBODY, frame_period_s=PERIOD_S)
    assert not covered(masks, 0.1, box(0.4))


def test_it_tells_the_moment_it_was_asked_for() -> None:
    masks = FilmMasks(looks((), ()), NOBODY, frame_period_s=PERIOD_S)
    moment = at(0) + timedelta(milliseconds=123)
    assert masks.at(moment).at == moment

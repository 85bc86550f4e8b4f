"""Whether a polygon's outline crosses itself. Pure."""

from collections.abc import Sequence

Corner = tuple[float, float]


def crossing_sides(corners: Sequence[Corner]) -> tuple[int, int] | None:
    """The first two sides that meet where they should not, numbered from 0; None for a simple polygon.

    Side `i` runs from corner `i` to the next one; neighbours share a corner and may not fold back on each other.
    """
    sides = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    for first in range(len(sides)):
        for second in range(first + 1, len(sides)):
            neighbours = second == first + 1 or (first == 0 and second == len(sides) - 1)
            if neighbours:
                if _folds_back(sides[first], sides[second], shared_first=second == first + 1):
                    return first, second
            elif _meet(*sides[first], *sides[second]):
                return first, second
    return None


def _turn(start: Corner, end: Corner, point: Corner) -> float:
    """Positive, negative or zero: on which side of the line the point lies."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _within(start: Corner, end: Corner, point: Corner) -> bool:
    return min(start[0], end[0]) <= point[0] <= max(start[0], end[0]) and (
        min(start[1], end[1]) <= point[1] <= max(start[1], end[1])
    )


def _meet(start: Corner, end: Corner, other_start: Corner, other_end: Corner) -> bool:
    turns = (
        _turn(start, end, other_start),
        _turn(start, end, other_end),
        _turn(other_start, other_end, start),
        _turn(other_start, other_end, end),
    )
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    return (
        (turns[0] == 0 and _within(start, end, other_start))
        or (turns[1] == 0 and _within(start, end, other_end))
        or (turns[2] == 0 and _within(other_start, other_end, start))
        or (turns[3] == 0 and _within(other_start, other_end, end))
    )


def _folds_back(side: tuple[Corner, Corner], other: tuple[Corner, Corner], *, shared_first: bool) -> bool:
    """Whether two sides with one common corner lie on each other, or one of them has no length."""
    corner = side[1] if shared_first else side[0]
    one = side[0] if shared_first else side[1]
    two = other[1] if shared_first else other[0]
    along = (one[0] - corner[0]) * (two[0] - corner[0]) + (one[1] - corner[1]) * (two[1] - corner[1])
    return _turn(corner, one, two) == 0 and along >= 0

"""What is painted over in each picture of a film: nobody looked at every one of them, and all that comes later is known.

Between two looks things are where they go from one to the other; what was seen in one look alone is where it was, and where it
would have gone. Rather too much is masked than too little.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from edge.flow import Box, FilmLook, PrivateParts
from edge.geometry import clamped_box

FRAMES_AROUND: Final = 3
"""What is masked in a picture is masked so many pictures before and after it as well: promise 5 of the architecture."""

_NEAR: Final = 2.0
"""Two sights may be of one thing where their middles are so many of its sides apart: somebody who runs."""


class FilmMasks:
    """The masks of one film."""

    def __init__(self, looks: Sequence[FilmLook], known: PrivateParts, *, frame_period_s: float) -> None:
        """`looks` in the order of their times; `known` is private all the time: what was seen before the film began."""
        self._looks = tuple(looks)
        self._times = [look.at for look in looks]
        self._known = known
        self._reach = timedelta(seconds=FRAMES_AROUND * frame_period_s)

    def at(self, at: datetime) -> PrivateParts:
        """What must not be recognisable in the picture of a moment. Raises ValueError outside of the time that was looked at."""
        people, vehicles, moving = [*self._known.people], [*self._known.vehicles], [*self._known.moving]
        if not self._looks or not self._times[0] <= at <= self._times[-1]:
            raise ValueError("nobody has looked at this part of the film")
        for look in self._around(at):
            people += look.private.people
            vehicles += look.private.vehicles
            moving += look.private.moving
        people += self._on_the_way(at, [look.seen.people for look in self._looks])
        vehicles += self._on_the_way(at, [look.seen.vehicles for look in self._looks])
        return PrivateParts(at, _each_once(people), _each_once(vehicles), _each_once(moving))

    def _around(self, at: datetime) -> Sequence[FilmLook]:
        """The last look before it, the first one after it, and all that are near."""
        first = max(0, min(bisect_left(self._times, at - self._reach), bisect_left(self._times, at) - 1))
        beyond = bisect_left(self._times, at + self._reach + timedelta(microseconds=1))
        return self._looks[first : max(beyond, bisect_left(self._times, at) + 1)]

    def _on_the_way(self, at: datetime, seen: Sequence[Sequence[Box]]) -> Iterator[Box]:
        """Where things were between the two looks around a moment, by these two and by those beside them."""
        after = bisect_left(self._times, at)
        for later in range(max(1, after - 1), min(len(self._times), after + 2)):
            begin, end = self._times[later - 1], self._times[later]
            share = (at - begin) / (end - begin)
            for before, now in _pairs(seen[later - 1], seen[later]):
                yield _moved(before, now, share)


def _pairs(before: Sequence[Box], now: Sequence[Box]) -> set[tuple[Box, Box]]:
    """Sights of two looks that may be of one thing: for each of them the nearest one in the other."""
    ahead = ((one, _nearest(one, now)) for one in before)
    back = ((_nearest(one, before), one) for one in now)
    return {(one, other) for one, other in (*ahead, *back) if one is not None and other is not None}


def _nearest(box: Box, others: Sequence[Box]) -> Box | None:
    if not others:
        return None
    left, top, right, bottom = box

    def apart(other: Box) -> float:
        across = abs(left + right - other[0] - other[2]) / 2 / max(right - left, other[2] - other[0], 1e-6)
        down = abs(top + bottom - other[1] - other[3]) / 2 / max(bottom - top, other[3] - other[1], 1e-6)
        return max(across, down)

    found = min(others, key=apart)
    return found if apart(found) <= _NEAR else None


def _moved(before: Box, now: Box, share: float) -> Box:
    left, top, right, bottom = (one + share * (other - one) for one, other in zip(before, now, strict=True))
    return clamped_box((min(left, right), min(top, bottom), max(left, right), max(top, bottom)))


def _each_once(boxes: Sequence[Box]) -> tuple[Box, ...]:
    return tuple(dict.fromkeys(boxes))

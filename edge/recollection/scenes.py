"""From blocks back to the scenes that the rules saw, as nearly as they were kept. Pure.

What was followed stands in the looks in which it was seen, `LARGEST_ERROR` off at most. Looks at an unchanged emptiness are fewer than
there were, and five seconds apart at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from edge.contract.incident import CameraTrouble, TrackPoint
from edge.flow import Box, Look, Scene, Spotted, StillObject, Track
from edge.recollection.block import Block, Ending, Looked, Way
from edge.recollection.courses import Course, as_box, unpacked

MOST_PATH_POINTS: Final = 600
"""As many as a live track has: of a longer way every second older point goes."""

CORRECTED_MS: Final = 1_000
"""A node whose clock was put right by more than this between two blocks goes on in another time."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC time of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


@dataclass(frozen=True, slots=True)
class Break:
    """The watch ended here: rules end what they have open. `orderly`: the node said so itself."""

    at: datetime
    orderly: bool


@dataclass(slots=True)
class _Known:
    """A thing that was shown and has not ended."""

    way: Way
    path: list[TrackPoint] = field(default_factory=list)

    def see(self, at_us: int, box: Box) -> None:
        """A sight; those are at most as many as a live track has."""
        left, top, right, bottom = (round(edge, 4) for edge in box)
        self.path.append(TrackPoint(at_us, left, top, right, bottom))
        if len(self.path) > MOST_PATH_POINTS:
            half = len(self.path) // 2
            self.path = self.path[:half:2] + self.path[half:]


class SceneReader:
    """Takes the blocks of one camera in order of time and gives its scenes, and where its watch broke off."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._block: Block | None = None
        self._known: dict[int, _Known] = {}
        self._objects: tuple[StillObject, ...] = ()
        self._last: datetime | None = None

    def take(self, block: Block) -> Iterator[Scene | Break]:
        """The next block. Raises ValueError for one that no recorder has made."""
        before = self._block
        if before is not None and not before.ended and not _follows(before, block):
            yield from self._broken(orderly=False)
        self._block = block
        yield from self._scenes(block)
        if block.ended:
            yield from self._broken(orderly=True)

    def broken(self) -> Iterator[Scene | Break]:
        """Nothing more is known: what is followed ends with its last sight."""
        yield from self._broken(orderly=False)

    def _broken(self, *, orderly: bool) -> Iterator[Scene | Break]:
        if self._last is None:
            return
        if self._known:
            at = self._last + timedelta(milliseconds=1)
            ended = tuple(self._ended(known, None) for known in self._known.values() if known.path)
            self._known.clear()
            yield Scene(self._camera, at, (), ended, moving=False)
        yield Break(self._last, orderly)
        self._block, self._last, self._objects = None, None, ()

    def _scenes(self, block: Block) -> Iterator[Scene]:
        shift_ms = block.correction_ms
        start_ms = block.from_ms
        ways = [(way, Course(tuple(unpacked(way.points, start_ms)))) for way in block.ways]
        endings: dict[int, list[Ending]] = {}
        for ending in block.endings:
            endings.setdefault(ending.moment, []).append(ending)
        troubles = {each.moment: each.names for each in block.troubles}
        things = {each.moment: each.things for each in block.things}
        looks = {each.moment: _look(each) for each in block.looks}
        names: tuple[str, ...] | None = None
        at_ms = start_ms
        for moment, number in enumerate(block.moments):
            at_ms += number >> 1
            names = troubles.get(moment, names)
            if moment in things:
                self._objects = tuple(
                    StillObject(thing.number, as_box(thing.edges), from_ms(thing.since_ms + shift_ms))
                    for thing in things[moment]
                )
            tracks = tuple(self._tracks(ways, at_ms, start_ms, shift_ms))
            ended = tuple(self._gone(ways, endings.get(moment, ()), start_ms, shift_ms))
            self._last = from_ms(at_ms + shift_ms)
            yield Scene(
                self._camera,
                self._last,
                tracks,
                ended,
                moving=bool(tracks),
                troubles=None if names is None else frozenset(map(CameraTrouble, names)),
                objects=self._objects if number & 1 else None,
                look=looks.get(moment),
            )

    def _tracks(self, ways: list[tuple[Way, Course]], at_ms: int, start_ms: int, shift_ms: int) -> Iterator[Track]:
        for way, course in ways:
            if way.shown_ms is None or at_ms < start_ms + way.shown_ms:
                continue
            found = course.at(at_ms)
            if found is None:
                continue
            box, expected = found
            known = self._known.setdefault(way.track_id, _Known(way))
            last_us = known.path[-1].at_us if known.path else -1
            for point in course.passed:
                point_us = (point.at_ms + shift_ms) * 1_000
                if last_us < point_us and point.at_ms < at_ms and point.begins:
                    known.see(point_us, as_box(point.edges))
            known.way = way
            if not expected:
                known.see((at_ms + shift_ms) * 1_000, box)
            yield _track(known, from_ms(at_ms + shift_ms), box, shift_ms)

    def _gone(
        self, ways: list[tuple[Way, Course]], endings: "list[Ending] | tuple[()]", start_ms: int, shift_ms: int
    ) -> Iterator[Track]:
        for ending in endings:
            known = self._known.pop(ending.track_id, None)
            if known is None:
                way = next((way for way, _ in ways if way.track_id == ending.track_id), None)
                if way is None:
                    continue
                known = _Known(way)
            yield self._ended(known, ending, start_ms, shift_ms)

    def _ended(self, known: _Known, ending: Ending | None, start_ms: int = 0, shift_ms: int = 0) -> Track:
        if ending is None:
            last = known.path[-1]
            at = _EPOCH + timedelta(microseconds=last.at_us)
            return _track(known, at, (last.left, last.top, last.right, last.bottom), shift_ms)
        at = from_ms(start_ms + ending.last_ms + shift_ms)
        last_us = (start_ms + ending.last_ms + shift_ms) * 1_000
        known.path = [point for point in known.path if point.at_us <= last_us]
        return _track(known, at, as_box(ending.edges), shift_ms)


def _follows(before: Block, block: Block) -> bool:
    """Whether nothing is missing between two blocks."""
    same = (before.process, before.run) == (block.process, block.run)
    corrected = abs(block.correction_ms - before.correction_ms) > CORRECTED_MS
    return same and block.number == before.number + 1 and not corrected


def _look(looked: Looked) -> Look:
    spotted = tuple(Spotted(each.label, as_box(each.edges), each.score / 1_000) for each in looked.seen)
    return Look(spotted, None if looked.region is None else as_box(looked.region))


def _track(known: _Known, last_seen_at: datetime, box: Box, shift_ms: int) -> Track:
    way = known.way
    return Track(
        track_id=way.track_id,
        label=way.label,
        box=box,
        confidence=way.peak / 1_000,
        first_seen_at=from_ms(way.first_ms + shift_ms),
        last_seen_at=last_seen_at,
        peak_confidence=way.peak / 1_000,
        path=tuple(known.path),
    )

"""Line crossing (越线): tracks that cross a directed line are counted, and in a forbidden direction they are an incident. Pure.

A track is where its foot point is. It has crossed once it was surely on one side, passed through the line (not around one of its
ends), and is surely on the other side; whoever trembles on the line crosses nothing. When it crossed is interpolated between
two sights, so that the frame rate does not move it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from edge.contract.incident import IncidentState, TrackPoint
from edge.contract.telemetry import from_microseconds
from edge.flow import Finding, Reading, Scene, Track
from edge.geometry import Point, foot_point, passage, side_of
from edge.rules.counting import IntervalCounter
from edge.rules.held import Held, Teller
from edge.settings import Direction, LineCrossingSettings
from edge.settings.vocabulary import meant


@dataclass(slots=True)
class _Course:
    """One track's way: `side` is the one on which it was surely last (0: on none yet), `net` how often it has passed through
    the line to the right since, less how often to the left.
    """

    at_us: int
    foot: Point
    side: int = 0
    net: int = 0
    passed_us: int = 0


@dataclass(frozen=True, slots=True)
class _Crossing:
    direction: Direction
    at: datetime


@dataclass(slots=True)
class _Open(Held):
    """A forbidden crossing, from then to the last sight of its track."""

    direction: Direction
    track: Track

    def follow(self, track: Track) -> None:
        """Take the track's newest sight."""
        self.track, self.last_at = track, max(track.last_seen_at, self.since)


class LineCrossingRule:
    """Counts at once; a forbidden crossing is open from the crossing to the last sight of the track."""

    def __init__(
        self, settings: LineCrossingSettings, line: Sequence[Point], camera: str, *, simulated: bool = False
    ) -> None:
        self._settings = settings
        self._watched = meant(settings.classes)
        self._line = line
        self._teller = Teller(settings, camera)
        self._counter = IntervalCounter(settings, camera, simulated)
        self._courses: dict[int, _Course] = {}
        self._open: dict[int, _Open] = {}
        self._finished = False

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        if scene.seen:
            self._counter.watched(scene.at)
        said = [finding for track in scene.ended for finding in self._ended(track, scene.at)]
        said += [finding for track in scene.tracks for finding in self._seen(track, scene.at)]
        return said

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        self._finished = True
        self._courses.clear()
        return [finding for open_ in list(self._open.values()) for finding in self._ended(open_.track, at)]

    def readings(self, at: datetime) -> Sequence[Reading]:
        """The counts of intervals that are over; after `finish` also that of the last one."""
        return self._counter.rest(at) if self._finished else self._counter.readings(at)

    def _seen(self, track: Track, at: datetime) -> Iterator[Finding]:
        for crossing in self._crossings(track):
            if track.label not in self._watched:
                continue
            self._counter.add(crossing.direction, crossing.at)
            if crossing.direction in self._settings.forbidden:
                self._open.setdefault(track.track_id, _Open(crossing.at, crossing.at, crossing.direction, track))
        open_ = self._open.get(track.track_id)
        if open_ is not None:
            open_.follow(track)
            state = open_.due(at)
            if state is not None:
                yield self._finding(open_, at, state)

    def _ended(self, track: Track, at: datetime) -> Iterator[Finding]:
        self._courses.pop(track.track_id, None)
        open_ = self._open.pop(track.track_id, None)
        if open_ is not None:
            open_.follow(track)
            yield self._finding(open_, at, IncidentState.ENDED)

    def _crossings(self, track: Track) -> Iterator[_Crossing]:
        """What the sights of a track that are new bring: all of them where it is told of for the first time."""
        for point in _since(track, self._courses.get(track.track_id)):
            foot = foot_point((point.left, point.top, point.right, point.bottom))
            course = self._courses.setdefault(track.track_id, _Course(point.at_us, foot))
            share = passage(self._line, course.foot, foot)
            off_line = side_of(self._line, foot)
            if share is not None:
                course.net += 1 if off_line >= 0 else -1
                course.passed_us = course.at_us + round(share * (point.at_us - course.at_us))
            course.at_us, course.foot = point.at_us, foot
            if abs(off_line) < self._settings.margin:
                continue
            side = 1 if off_line > 0 else -1
            if side == -course.side and side * course.net > 0:
                yield _Crossing(Direction.IN if side > 0 else Direction.OUT, from_microseconds(course.passed_us))
            course.side, course.net = side, 0

    def _finding(self, open_: _Open, at: datetime, state: IncidentState) -> Finding:
        return replace(
            self._teller.finding(open_, state, at, open_.track.track_id),
            zone=self._settings.line,
            confidence=open_.track.peak_confidence,
            direction=open_.direction.value,
            track_ids=(open_.track.track_id,),
            path=open_.track.path,
        )


def _since(track: Track, course: _Course | None) -> Sequence[TrackPoint]:
    """The track's sights that were not looked at yet."""
    if course is None:
        return track.path
    new = []
    for point in reversed(track.path):
        if point.at_us <= course.at_us:
            break
        new.append(point)
    return new[::-1]

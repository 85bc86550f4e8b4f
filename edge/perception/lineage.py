"""One thing followed over time: where it was, where it will be, whether it counts yet, and when it is given up."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, hypot, inf
from typing import Final, TypeVar

from edge.contract.incident import TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Box, Track
from edge.geometry import clamped_box, overlap

MOST_PATH_POINTS: Final = 600

_SAME_HEIGHT: Final = 1.6
_HASTE: Final = 1.5
"""So much faster than he was seen to be may he be behind a pillar: half hidden by it he seemed to be slow."""
_RECENT_SIGHTS: Final = 16

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Scores and times of a tracker. Sides, margins and speeds are shares of the picture or of the box.

    sure: score from which a detection counts by itself. confirm_hits, confirm_s: sure detections, and the time from the first
    to the last of them, that make a track count. still_confirm_s: that time where nothing has moved for
    as long (a poster, a seated person); still_sure_share: the share of what was seen since then that has to be sure, for in grain a
    bag is a person now and then. backdate_s: how much earlier than its first sure detection a track may begin. fade_s: how long unsure
    detections alone, with nothing moving, carry a track. patience_s, leaving_s, tentative_s: how long a track is waited for
    that was lost in the middle of the picture, on its way out, or before it counted. blind_s: the longest time without any
    look after which something is still taken for the same. going_speed: in heights of its own per second, from
    when on something is on its way.
    """

    sure: float = 0.5
    least_fit: float = 0.1
    least_side: float = 0.004
    moving_share: float = 0.02
    confirm_hits: int = 2
    confirm_s: float = 0.15
    still_confirm_s: float = 2.0
    still_sure_share: float = 0.25
    backdate_s: float = 1.0
    fade_s: float = 5.0
    patience_s: float = 3.0
    leaving_s: float = 0.8
    tentative_s: float = 0.7
    blind_s: float = 10.0
    horizon_s: float = 0.5
    speed_memory_s: float = 0.4
    edge_margin: float = 0.015
    leaving_speed: float = 0.25
    going_speed: float = 0.15
    growing_s: float = 2.0
    most_tracks: int = 100
    steady_fit: float = 0.6
    crossing_fit: float = 0.05


@dataclass(frozen=True, slots=True)
class Sight:
    """What a detector saw at one moment, and whether anything moved there."""

    at: datetime
    box: Box
    score: float
    label: str
    moving: bool


class Lineage:
    """The life of one track."""

    def __init__(self, track_id: int, kind: str, settings: TrackerSettings) -> None:
        self.track_id = track_id
        self.kind = kind
        self.confirmed = False
        self.box: Box = (0.0, 0.0, 0.0, 0.0)
        self._settings = settings
        self._speed = (0.0, 0.0, 0.0, 0.0)
        self._score = self._peak_score = 0.0
        self._sure_hits = self._hits = 0
        self._first_sure_at: datetime | None = None
        self._moved_at: datetime | None = None
        self._votes: defaultdict[str, float] = defaultdict(float)
        self._times: list[datetime] = []
        self._path: list[TrackPoint] = []
        self._first_sights: list[Sight] = []
        self._solid: tuple[datetime, Box] | None = None
        self._as_expected = False

    @property
    def last_seen_at(self) -> datetime:
        """The last sight of any kind."""
        return self._times[-1]

    @property
    def first_sights(self) -> tuple["Sight", ...]:
        """Those up to the one with which it counted; of very many every second older one is left out."""
        return tuple(self._first_sights)

    @property
    def first_speed(self) -> Box:
        """How fast each edge went from its first sight to the one with which it counted."""
        first, last = self._first_sights[0], self._first_sights[-1]
        passed_s = max((last.at - first.at).total_seconds(), 1e-3)
        left, top, right, bottom = ((to - before) / passed_s for before, to in zip(first.box, last.box, strict=True))
        return left, top, right, bottom

    def recent(self, sights: int, within_s: float = inf) -> tuple[Box, ...]:
        """The boxes of its last sights, newest last; none that is so much older than the newest."""
        points = self._path[-sights:]
        oldest_us = points[-1].at_us - within_s * 1e6 if points else 0
        return tuple((point.left, point.top, point.right, point.bottom) for point in points if point.at_us >= oldest_us)

    def see(self, at: datetime, box: Box, score: float, label: str, *, moving: bool) -> None:
        """Take the sight of one moment."""
        self._as_expected = bool(self._times) and overlap(self.predicted(at), box) >= self._settings.steady_fit
        self._follow(at, box)
        if not self.confirmed:
            self._first_sights.append(Sight(at, box, score, label, moving))
        self.box, self._score = box, score
        self._peak_score = max(self._peak_score, score)
        self._votes[label] += score
        self._moved_at = at if moving else self._moved_at
        self._times.append(at)
        self._path.append(_point(at, box))
        if score >= self._settings.sure:
            self._sure_hits += 1
            self._first_sure_at = self._first_sure_at or at
        self._hits += self._first_sure_at is not None
        self._confirm(at)
        if score >= self._settings.sure or moving:
            self._solid = (at, box)
        self._thin(at)

    @property
    def steady(self) -> bool:
        """Whether its course is known: it counts, was surely seen where it was expected, and neither comes into the picture nor leaves it."""
        sure = self._score >= self._settings.sure
        return (
            self.confirmed
            and self._as_expected
            and sure
            and not self._leaving()
            and not self.growing(self.last_seen_at)
        )

    def predicted(self, at: datetime) -> Box:
        """Where it should be, going on as it went; not farther than `horizon_s`."""
        ahead_s = min((at - self.last_seen_at).total_seconds(), self._settings.horizon_s)
        left, top, right, bottom = (edge + speed * ahead_s for edge, speed in zip(self.box, self._speed, strict=True))
        return clamped_box((min(left, right), min(top, bottom), max(left, right), max(top, bottom)))

    def came_out_as(self, other: "Lineage") -> float | None:
        """How far someone who went out of sight (behind a pillar, a van) has come, if another who was seen for the first time
        afterwards may be him: 0 where he was, 1 as far as anyone gets. He may have begun to walk or come to a stand meanwhile. None
        where it can't be him: another kind, another height, farther than either goes, one who comes towards him, or he has left the
        picture.
        """
        first = other.first_sights[0]
        hidden_s = (first.at - self.last_seen_at).total_seconds()
        height, others = self.box[3] - self.box[1], other.box[3] - other.box[1]
        if hidden_s <= 0 or self.kind != other.kind or not 1 / _SAME_HEIGHT < others / max(height, 1e-6) < _SAME_HEIGHT:
            return None
        (across, down), going = self._middle_pace(), self._settings.going_speed * height
        x, y = _middle(self.box)
        if not (0.0 <= x + across * hidden_s <= 1.0 and 0.0 <= y + down * hidden_s <= 1.0):
            return None
        gaps = _gap(self.box, first.box, 0), _gap(self.box, first.box, 1)
        way = hypot(*gaps)
        if way == 0.0:
            return None
        # going into hiding the trailing edges tell how fast, coming out the leading ones: the others stand at the pillar's edge
        before = sum(self._speed[axis if gap > 0 else axis + 2] * gap / way for axis, gap in enumerate(gaps))
        after = sum(other.first_speed[axis + 2 if gap > 0 else axis] * gap / way for axis, gap in enumerate(gaps))
        hidden = max(right - left for left, _, right, _ in self.recent(_RECENT_SIGHTS)) if before >= going else 0.0
        farthest = hidden + _HASTE * max(before, after) * hidden_s
        return None if max(before, after) < going or min(before, after) < -going or way > farthest else way / farthest

    def go_on_as(self, other: "Lineage") -> None:
        """It was the same: what was seen of another one, up to when it began to count, belongs to this one."""
        for sight in other.first_sights:
            self.see(sight.at, sight.box, sight.score, sight.label, moving=sight.moving)

    def growing(self, at: datetime) -> bool:
        """Whether it may still be coming into the picture: young, and cut off by the picture's edge."""
        young = (at - self._times[0]).total_seconds() <= self._settings.growing_s
        return young and any(self._touched())

    def is_solid(self, at: datetime | None) -> bool:
        """Whether it was seen at a moment surely, or as something that moves. Still hints keep it, but nobody counts by them."""
        return self._solid is not None and self._solid[0] == at

    def stirred(self, at: datetime, within_s: float) -> bool:
        """Whether anything has moved where it was seen, within so many seconds."""
        return self._moved_at is not None and (at - self._moved_at).total_seconds() <= within_s

    def gone(self, at: datetime) -> bool:
        """Whether it is no longer waited for."""
        unseen_s = (at - self.last_seen_at).total_seconds()
        if not self.confirmed:
            return unseen_s > self._settings.tentative_s
        if self._faded:
            return True
        return unseen_s > (self._settings.leaving_s if self._leaving() else self._settings.patience_s)

    def track(self) -> Track:
        """What the rest of the node sees of it: it was last seen at its last solid sight, whatever hints came after it."""
        last_at, box, path = self.last_seen_at, self.box, tuple(self._path)
        if self._solid is not None and self._solid[0] != last_at:
            last_at, box = self._solid
            path = tuple(point for point in path if point.at_us <= to_microseconds(last_at))
        return Track(
            track_id=self.track_id,
            label=max(self._votes, key=lambda label: self._votes[label]),
            box=box,
            confidence=round(self._score, 4),
            first_seen_at=self._times[0],
            last_seen_at=last_at,
            peak_confidence=round(self._peak_score, 4),
            path=path,
        )

    def carried(self, at: datetime) -> Track:
        """What the rest of the node sees of it at a moment in which nobody has looked: it goes on as it went."""
        return replace(self.track(), box=self.predicted(at), last_seen_at=at)

    @property
    def _faded(self) -> bool:
        if self._solid is None:
            return False
        return (self.last_seen_at - self._solid[0]).total_seconds() > self._settings.fade_s

    def _follow(self, at: datetime, box: Box) -> None:
        if not self._times:
            return
        elapsed_s = (at - self.last_seen_at).total_seconds()
        trust = 1.0 - exp(-elapsed_s / self._settings.speed_memory_s)
        left, top, right, bottom = (
            speed + trust * ((now - before) / elapsed_s - speed)
            for speed, now, before in zip(self._speed, box, self.box, strict=True)
        )
        self._speed = (left, top, right, bottom)

    def _confirm(self, at: datetime) -> None:
        if self.confirmed or self._first_sure_at is None or self._score < self._settings.sure:
            return
        settings, span_s = self._settings, (at - self._first_sure_at).total_seconds()
        if self.stirred(at, settings.still_confirm_s):
            self.confirmed = self._sure_hits >= settings.confirm_hits and span_s >= settings.confirm_s
        else:
            often = self._sure_hits >= settings.still_sure_share * self._hits
            self.confirmed = self._sure_hits >= settings.confirm_hits and span_s >= settings.still_confirm_s and often

    def _thin(self, at: datetime) -> None:
        """Bound the memory: before its first sure sight a track keeps `backdate_s`, afterwards every second older point goes; the first
        and the last stay.
        """
        if not self.confirmed:
            anchor = self._first_sure_at or at
            while (anchor - self._times[0]).total_seconds() > self._settings.backdate_s:
                del self._times[0], self._path[0], self._first_sights[:1]
        if len(self._times) > MOST_PATH_POINTS:
            self._times, self._path = _thinned(self._times), _thinned(self._path)
        if len(self._first_sights) > MOST_PATH_POINTS:
            self._first_sights = _thinned(self._first_sights)

    def _touched(self) -> tuple[bool, bool, bool, bool]:
        left, top, right, bottom = self.box
        margin = self._settings.edge_margin
        return left <= margin, top <= margin, right >= 1 - margin, bottom >= 1 - margin

    def _middle_pace(self) -> tuple[float, float]:
        left, top, right, bottom = self._speed
        return (left + right) / 2, (top + bottom) / 2

    def _leaving(self) -> bool:
        """Whether it was going out of the picture, in widths or heights of itself per second, when it was last seen."""
        across, down = self._middle_pace()
        across /= max(self.box[2] - self.box[0], 1e-6)
        down /= max(self.box[3] - self.box[1], 1e-6)
        at_left, at_top, at_right, at_bottom = self._touched()
        speed = self._settings.leaving_speed
        return (
            (at_left and across < -speed)
            or (at_right and across > speed)
            or (at_top and down < -speed)
            or (at_bottom and down > speed)
        )


def _thinned(points: list[_T]) -> list[_T]:
    half = len(points) // 2
    return points[:half:2] + points[half:]


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _gap(box: Box, other: Box, axis: int) -> float:
    """How far another box lies beyond one, across (0) or down (1), with its direction; 0 where they overlap in it."""
    return max(other[axis] - box[axis + 2], 0.0) + min(other[axis + 2] - box[axis], 0.0)


def _box(point: TrackPoint) -> Box:
    return point.left, point.top, point.right, point.bottom


def _point(at: datetime, box: Box) -> TrackPoint:
    left, top, right, bottom = (round(edge, 4) for edge in box)
    return TrackPoint(at_us=to_microseconds(at), left=left, top=top, right=right, bottom=bottom)

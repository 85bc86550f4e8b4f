"""A zone of a camera's picture, and how long things have been in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from edge.contract.incident import TrackPoint
from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.flow import Scene, Track
from edge.geometry import Point, contains, foot_point

GRACE_S: Final = 3.0
"""Who leaves a zone and is back within this time has not left it: feet on the line must not make a flood."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One track's time in a zone: first and last sight inside."""

    track: Track
    first_at: datetime
    last_at: datetime

    @property
    def dwell_s(self) -> float:
        """Event time between first and last sight."""
        return (self.last_at - self.first_at).total_seconds()

    @property
    def path(self) -> tuple[TrackPoint, ...]:
        """Where the track was during the stay."""
        first_us, last_us = to_microseconds(self.first_at), to_microseconds(self.last_at)
        return tuple(point for point in self.track.path if first_us <= point.at_us <= last_us)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What one moment brought: stays that go on (their track was seen in the zone now), and stays that are over."""

    present: tuple[Stay, ...]
    over: tuple[Stay, ...]


@dataclass(slots=True)
class Zone:
    """Keeps account of who is in a polygon. A track is where its foot point is."""

    name: str
    polygon: Sequence[Point]
    labels: frozenset[str]
    _stays: dict[int, Stay] = field(default_factory=dict)

    def observe(self, scene: Scene) -> Occupancy:
        """Take one moment. A stay is over when its track ends, or is still outside after `GRACE_S`. None begins where somebody is only
        expected: he may have stopped before the zone.
        """
        over = [
            _as_ended(self._stays.pop(track.track_id), track) for track in scene.ended if track.track_id in self._stays
        ]
        present = []
        for track in scene.tracks:
            stay = self._stays.get(track.track_id)
            inside = track.label in self.labels and contains(self.polygon, foot_point(track.box))
            if inside and (stay is not None or not track.is_expected):
                first_at = self._entered_at(track) if stay is None else stay.first_at
                self._stays[track.track_id] = Stay(track, first_at, track.last_seen_at)
                present.append(self._stays[track.track_id])
            elif stay is not None and (scene.at - stay.last_at).total_seconds() > GRACE_S:
                over.append(self._stays.pop(track.track_id))
        return Occupancy(tuple(present), tuple(over))

    @property
    def count(self) -> int:
        """How many are in the zone, those included who left within the grace."""
        return len(self._stays)

    def clear(self) -> tuple[Stay, ...]:
        """End every stay with its last sight."""
        over = tuple(self._stays.values())
        self._stays.clear()
        return over

    def _entered_at(self, track: Track) -> datetime:
        """The first sight of the unbroken stretch in the zone that leads up to now: a track is told of late, when it counts."""
        entered_at = track.last_seen_at
        for point in reversed(track.path):
            at = from_microseconds(point.at_us)
            if at > entered_at:
                continue
            inside = contains(self.polygon, foot_point((point.left, point.top, point.right, point.bottom)))
            if inside and (entered_at - at).total_seconds() <= GRACE_S:
                entered_at = at
            elif (entered_at - at).total_seconds() > GRACE_S:
                break
        return max(entered_at, track.first_seen_at)


def _as_ended(stay: Stay, track: Track) -> Stay:
    """The stay as its ended track has it: one that faded was last seen earlier than it had seemed."""
    return replace(stay, track=track, last_at=max(min(stay.last_at, track.last_seen_at), stay.first_at))

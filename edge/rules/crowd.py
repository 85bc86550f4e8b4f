"""Crowd (人员聚集): so many are in a zone at once for so long. Pure.

Who was seen in the zone within its grace counts: a detector that misses someone for a moment disperses nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.contract.incident import IncidentState
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding, Reading, Scene
from edge.geometry import Point
from edge.rules.identity import rule_id
from edge.rules.reporting import UPDATE_S
from edge.rules.zones import Zone
from edge.settings import CrowdSettings


@dataclass(slots=True)
class _Crowd:
    """Since when there are enough, when there were last enough, how many at most; told last when, and of how many."""

    since: datetime
    last_at: datetime
    most: int
    tracks: tuple[int, ...]
    told_at: datetime | None = None


class CrowdRule:
    """Opens with the scene in which there have been enough for `for_s`; over when there were fewer for `clear_for_s`."""

    def __init__(self, settings: CrowdSettings, polygon: Sequence[Point], camera: str) -> None:
        self._settings = settings
        self._camera = camera
        self._zone = Zone(settings.zone, polygon, frozenset(settings.classes))
        self._crowd: _Crowd | None = None

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        occupancy = self._zone.observe(scene)
        tracks = tuple(stay.track.track_id for stay in occupancy.present)
        crowd, count = self._crowd, self._zone.count
        least = self._settings.at_least if crowd is None or crowd.told_at is None else self._settings.still_from
        if count >= least:
            return self._there(scene.at, count, tracks)
        if crowd is None:
            return ()
        if crowd.told_at is None:
            self._crowd = None
        elif (scene.at - crowd.last_at).total_seconds() >= self._settings.clear_for_s:
            self._crowd = None
            return (self._finding(crowd, scene.at, IncidentState.ENDED),)
        return ()

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        self._zone.clear()
        crowd, self._crowd = self._crowd, None
        return () if crowd is None or crowd.told_at is None else (self._finding(crowd, at, IncidentState.ENDED),)

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing that is charted."""
        return ()

    def _there(self, at: datetime, count: int, tracks: tuple[int, ...]) -> Sequence[Finding]:
        crowd = self._crowd = self._crowd or _Crowd(at, at, count, tracks)
        crowd.last_at, crowd.most, crowd.tracks = at, max(crowd.most, count), tracks or crowd.tracks
        if crowd.told_at is None:
            if (at - crowd.since).total_seconds() < self._settings.for_s:
                return ()
            crowd.told_at = at
            return (self._finding(crowd, at, IncidentState.OPEN),)
        if (at - crowd.told_at).total_seconds() < UPDATE_S:
            return ()
        crowd.told_at = at
        return (self._finding(crowd, at, IncidentState.UPDATE),)

    def _finding(self, crowd: _Crowd, at: datetime, state: IncidentState) -> Finding:
        rule = rule_id(self._settings)
        return Finding(
            key=f"{self._camera}/{rule}/{to_microseconds(crowd.since)}",
            state=state,
            rule=rule,
            kind=self._settings.kind,
            category=self._settings.category,
            severity=self._settings.severity,
            device=self._camera,
            started_at=crowd.since,
            at=at,
            ended_at=crowd.last_at if state is IncidentState.ENDED else None,
            zone=self._settings.zone,
            dwell_s=round((crowd.last_at - crowd.since).total_seconds(), 3),
            count=crowd.most,
            track_ids=crowd.tracks,
        )

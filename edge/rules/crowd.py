"""Crowd (人员聚集): so many are in a zone at once for so long. Pure.

Who was seen in the zone within its grace counts: a detector that misses someone for a moment disperses nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from edge.contract.incident import IncidentState
from edge.flow import Finding, Reading, Scene
from edge.geometry import Point
from edge.rules.held import Held, Teller
from edge.rules.zones import Zone
from edge.settings import CrowdSettings
from edge.settings.vocabulary import meant


@dataclass(slots=True)
class _Crowd(Held):
    """There are enough: how many at most, and who they were last."""

    most: int
    tracks: tuple[int, ...]


class CrowdRule:
    """Opens with the scene in which there have been enough for `for_s`; over when there were fewer for `clear_for_s`."""

    def __init__(self, settings: CrowdSettings, polygon: Sequence[Point], camera: str) -> None:
        self._settings = settings
        self._teller = Teller(settings, camera)
        self._zone = Zone(settings.zone, polygon, meant(settings.classes))
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
        elif crowd.unseen_s(scene.at) >= self._settings.clear_for_s:
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
        counts = crowd.told_at is not None or crowd.lasted_s >= self._settings.for_s
        state = crowd.due(at) if counts else None
        return () if state is None else (self._finding(crowd, at, state),)

    def _finding(self, crowd: _Crowd, at: datetime, state: IncidentState) -> Finding:
        found = self._teller.finding(crowd, state, at)
        return replace(found, zone=self._settings.zone, count=crowd.most, track_ids=crowd.tracks)

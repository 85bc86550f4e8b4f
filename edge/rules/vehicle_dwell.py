"""Vehicle dwell (消防通道占用): a vehicle stands in a zone, such as a fire lane, for longer than a limit. Pure.

It stands as long as its foot point is within half of its own width of where it stopped; who drives through slowly, or goes on and
stops elsewhere, begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import dist
from typing import Final

from edge.contract.telemetry import from_microseconds
from edge.flow import Finding, Reading, Scene, Track
from edge.geometry import Point, foot_point
from edge.rules.reporting import StayReporter
from edge.rules.zones import Stay, Zone
from edge.settings import VehicleDwellSettings
from edge.settings.vocabulary import meant

_MOVED: Final = 0.5
"""In widths of the vehicle: boxes of something that stands tremble by a tenth."""


@dataclass(slots=True)
class _Stand:
    """Where a vehicle stopped and when; `told` from then on that does not change any more."""

    foot: Point
    since: datetime
    seen_us: int = -1
    told: bool = False


class VehicleDwellRule:
    """Opens with the scene in which the vehicle has stood for the limit; started when it stopped, over when it leaves."""

    def __init__(self, settings: VehicleDwellSettings, polygon: Sequence[Point], camera: str) -> None:
        self._limit_s = settings.limit_s
        self._zone = Zone(settings.zone, polygon, meant(settings.classes))
        self._reporter = StayReporter(settings, camera)
        self._stands: dict[int, _Stand] = {}

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        occupancy = self._zone.observe(scene)
        said = [self._over(stay, scene.at) for stay in occupancy.over]
        said += [self._present(stay, scene.at) for stay in occupancy.present]
        return [finding for finding in said if finding is not None]

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        said = [self._over(stay, at) for stay in self._zone.clear()]
        return [finding for finding in said if finding is not None]

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

    def _present(self, stay: Stay, at: datetime) -> Finding | None:
        stand = self._followed(stay)
        standing = replace(stay, first_at=stand.since)
        if not stand.told and (standing.dwell_s < self._limit_s or stay.track.is_expected):
            return None
        stand.told = True
        return self._reporter.present(standing, at)

    def _over(self, stay: Stay, at: datetime) -> Finding | None:
        stand = self._stands.pop(stay.track.track_id, None)
        if stand is None or not stand.told:
            return None
        return self._reporter.over(replace(stay, first_at=stand.since, last_at=max(stay.last_at, stand.since)), at)

    def _followed(self, stay: Stay) -> _Stand:
        """The stand after the sights that are new; of a track that is told of for the first time, all in the zone."""
        stand = self._stands.get(stay.track.track_id)
        if stand is None:
            stand = self._stands[stay.track.track_id] = _Stand(foot_point(stay.track.box), stay.first_at)
        if stand.told:
            return stand
        for at_us, foot, width in _sights(stay.track, stand.seen_us, stay.first_at):
            if stand.seen_us < 0 or dist(foot, stand.foot) > _MOVED * width:
                stand.foot, stand.since = foot, max(from_microseconds(at_us), stay.first_at)
            stand.seen_us = at_us
        return stand


def _sights(track: Track, since_us: int, first_at: datetime) -> list[tuple[int, Point, float]]:
    """Time, foot point and width of the sights after `since_us`, from the beginning of the stay on."""
    new = []
    for point in reversed(track.path):
        if point.at_us <= since_us or from_microseconds(point.at_us) < first_at:
            break
        new.append(
            (point.at_us, foot_point((point.left, point.top, point.right, point.bottom)), point.right - point.left)
        )
    return new[::-1]

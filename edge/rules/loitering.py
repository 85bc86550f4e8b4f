"""Loitering (徘徊): the same track stays in a zone for longer than a limit, from its first to its last sight there."""

from collections.abc import Sequence
from datetime import datetime

from edge.flow import Finding, Reading, Scene
from edge.geometry import Point
from edge.rules.reporting import StayReporter
from edge.rules.zones import Zone
from edge.settings import LoiteringSettings
from edge.settings.vocabulary import meant


class LoiteringRule:
    """Opens with the scene in which the dwell reaches the limit; started when the first sight in the zone was."""

    def __init__(self, settings: LoiteringSettings, polygon: Sequence[Point], camera: str) -> None:
        self._limit_s = settings.limit_s
        self._zone = Zone(settings.zone, polygon, meant(settings.classes))
        self._reporter = StayReporter(settings, camera)

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        occupancy = self._zone.observe(scene)
        over = [self._reporter.over(stay, scene.at) for stay in occupancy.over]
        long = [stay for stay in occupancy.present if stay.dwell_s >= self._limit_s]
        present = [self._reporter.present(stay, scene.at) for stay in long]
        return [finding for finding in (*over, *present) if finding is not None]

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        over = [self._reporter.over(stay, at) for stay in self._zone.clear()]
        return [finding for finding in over if finding is not None]

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

"""Intrusion (区域入侵): someone, or a two-wheeler (电动车进楼), is in a zone. One way through it is one finding."""

from collections.abc import Sequence
from datetime import datetime

from edge.flow import Finding, Reading, Scene
from edge.geometry import Point
from edge.rules.reporting import StayReporter
from edge.rules.zones import Zone
from edge.settings import IntrusionSettings, TwoWheelerSettings
from edge.settings.vocabulary import meant


class IntrusionRule:
    """Opens with the first scene in which a confirmed track is in the zone; started when its first sight there was."""

    def __init__(self, settings: IntrusionSettings | TwoWheelerSettings, polygon: Sequence[Point], camera: str) -> None:
        self._zone = Zone(settings.zone, polygon, meant(settings.classes))
        self._reporter = StayReporter(settings, camera)

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        occupancy = self._zone.observe(scene)
        over = [self._reporter.over(stay, scene.at) for stay in occupancy.over]
        present = [self._reporter.present(stay, scene.at) for stay in occupancy.present]
        return [finding for finding in (*over, *present) if finding is not None]

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        over = [self._reporter.over(stay, at) for stay in self._zone.clear()]
        return [finding for finding in over if finding is not None]

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

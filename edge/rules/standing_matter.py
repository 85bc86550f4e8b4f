"""What stays at its place: an overflowing bin (垃圾箱满溢), litter (暴露垃圾), somebody who has fallen (人员倒地). Pure.

One incident is one place, whatever comes and goes before it. Who has fallen has got up when somebody stands where he lay: with his feet
there, and taller than what lay there. A helper beside him or before him ends nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from edge.contract.incident import IncidentState, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Box, Finding, Look, Reading, Scene
from edge.geometry import Point, foot_point
from edge.rules.held import Teller
from edge.rules.places import Place, Places
from edge.settings import BinOverflowSettings, FallenPersonSettings, LitterSettings
from edge.settings.vocabulary import BIN, FALLEN, LITTER, OVERFLOWING

PERSON: Final = "person"
TALLER: Final = 1.25
"""So much taller than he lay is one who stands; who lies and is called a standing person for a moment is not."""

WATCHED: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "bin_overflow": (OVERFLOWING, frozenset({BIN})),
    "litter": (LITTER, frozenset({OVERFLOWING, BIN})),
    "fallen_person": (FALLEN, frozenset({PERSON})),
}
"""By the kind of the rule: the label that it looks for, and those that say of the same thing that it is none."""

PlaceRuleSettings = BinOverflowSettings | LitterSettings | FallenPersonSettings


class StandingMatterRule:
    """Opens with the look in which a thing has been seen for long and often enough at its place; over when it has been gone for a while."""

    def __init__(self, settings: PlaceRuleSettings, polygon: Sequence[Point], camera: str) -> None:
        self._settings = settings
        self._teller = Teller(settings, camera)
        label, rivals = WATCHED[settings.kind]
        self._places = Places(settings, polygon, label, rivals)
        self._last_at: datetime | None = None

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; one that is not later than the last one changes nothing."""
        if scene.look is None or (self._last_at is not None and scene.at <= self._last_at):
            return ()
        self._last_at = scene.at
        return list(self._said(scene, scene.look))

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        return [self._finding(place, at, IncidentState.ENDED) for place in self._places.clear()]

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

    def _said(self, scene: Scene, look: Look) -> Iterator[Finding]:
        for place in self._places.observe(scene, look):
            if self._places.is_gone(place, scene.at) or self._has_got_up(place, scene.at, look):
                self._places.leave(place, scene.at)
                if place.told_at is not None:
                    yield self._finding(place, scene.at, IncidentState.ENDED)
            elif place.last_at == scene.at and self._places.counts(place, scene.at):
                state = place.due(scene.at)
                if state is not None:
                    yield self._finding(place, scene.at, state)

    def _has_got_up(self, place: Place, at: datetime, look: Look) -> bool:
        """Whether somebody has stood there for long enough since nobody lies there any more."""
        if not isinstance(self._settings, FallenPersonSettings) or place.last_at == at:
            return False
        people = (each for each in look.spotted if each.label == PERSON and each.score >= self._settings.least_score)
        if not any(_stands_in(each.box, place.latest) for each in people):
            return False
        place.up_since = place.up_since or at
        return (at - place.up_since).total_seconds() >= self._settings.up_s

    def _finding(self, place: Place, at: datetime, state: IncidentState) -> Finding:
        ways = {place.since: place.box, place.last_at: place.latest}
        return replace(
            self._teller.finding(place, state, at, place.number),
            zone=self._settings.zone,
            confidence=min(round(place.peak, 4), 1.0),
            path=tuple(_point(moment, box) for moment, box in ways.items()),
        )


def _stands_in(person: Box, lying: Box) -> bool:
    """Whether somebody stands where another one lay: with his feet in that very box, and taller than it."""
    x, y = foot_point(person)
    inside = lying[0] <= x <= lying[2] and lying[1] <= y <= lying[3]
    return inside and person[3] - person[1] >= TALLER * (lying[3] - lying[1])


def _point(at: datetime, box: Box) -> TrackPoint:
    left, top, right, bottom = (round(min(max(edge, 0.0), 1.0), 4) for edge in box)
    return TrackPoint(to_microseconds(at), left, top, right, bottom)

"""Abandoned object (遗留物): something stands where nothing stood before, and nobody is near it any more. Pure.

It is in a zone as things are: where its foot point is. Who stands beside it is its owner until he has been away for a while; who comes
near afterwards ends nothing, for he may be the one who looks after it. It is over when it is gone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from edge.contract.incident import IncidentState, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Box, Finding, Reading, Scene, StillObject
from edge.geometry import Point, contains, foot_point
from edge.rules.held import Held, Teller
from edge.rules.places import gap
from edge.settings import AbandonedObjectSettings
from edge.settings.vocabulary import meant

UNSEEN_S: Final = 10.0
"""Who was beside a thing that was out of sight for so long, nobody knows, and who is beside it now is not followed yet."""


@dataclass(slots=True)
class _Course(Held):
    """A thing that is there, and when somebody was near it last."""

    thing: StillObject
    near_at: datetime


class AbandonedObjectRule:
    """Opens when a thing has stood for `for_s` with nobody near for `away_s`; over when it has been gone for `clear_for_s`."""

    def __init__(self, settings: AbandonedObjectSettings, polygon: Sequence[Point], camera: str) -> None:
        self._settings = settings
        self._watched = meant(settings.classes)
        self._teller = Teller(settings, camera)
        self._polygon = polygon
        self._courses: dict[int, _Course] = {}

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        for thing in scene.objects or ():
            if thing.number in self._courses or contains(self._polygon, foot_point(thing.box)):
                course = self._courses.setdefault(thing.number, _Course(thing.since, scene.at, thing, thing.since))
                if course.unseen_s(scene.at) > UNSEEN_S:
                    course.near_at = scene.at
                course.thing, course.last_at = thing, scene.at
        people = [track.box for track in scene.tracks if track.label in self._watched]
        for course in self._courses.values():
            if any(gap(box, course.thing.box) <= self._settings.near for box in people):
                course.near_at = scene.at
        return list(self._said(scene))

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        told = [course for course in self._courses.values() if course.told_at is not None]
        self._courses.clear()
        return [self._finding(course, at, IncidentState.ENDED) for course in told]

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

    def _said(self, scene: Scene) -> Iterator[Finding]:
        for number, course in list(self._courses.items()):
            gone = scene.objects is not None and all(thing.number != number for thing in scene.objects)
            if not gone:
                state = course.due(scene.at) if course.last_at == scene.at and self._counts(course) else None
                if state is not None:
                    yield self._finding(course, scene.at, state)
            elif course.told_at is None:
                del self._courses[number]
            elif course.unseen_s(scene.at) >= self._settings.clear_for_s:
                del self._courses[number]
                yield self._finding(course, scene.at, IncidentState.ENDED)

    def _counts(self, course: _Course) -> bool:
        """Whether a thing stands there alone; one that has been told of does, whoever comes by."""
        away_s = (course.last_at - course.near_at).total_seconds()
        alone = course.lasted_s >= self._settings.for_s and away_s >= self._settings.away_s
        return course.told_at is not None or alone

    def _finding(self, course: _Course, at: datetime, state: IncidentState) -> Finding:
        box, moments = course.thing.box, dict.fromkeys((course.since, course.last_at))
        return replace(
            self._teller.finding(course, state, at, course.thing.number),
            zone=self._settings.zone,
            path=tuple(_point(moment, box) for moment in moments),
        )


def _point(at: datetime, box: Box) -> TrackPoint:
    left, top, right, bottom = (round(edge, 4) for edge in box)
    return TrackPoint(to_microseconds(at), left, top, right, bottom)

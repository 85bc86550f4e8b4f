"""Abandoned object (遗留物): something stands where nothing stood before, and nobody is near it any more. Pure.

It is in a zone as things are: where its foot point is. Who stands beside it is its owner until he has been away for a while; who comes
near afterwards ends nothing, for he may be the one who looks after it. It is over when it is gone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge.contract.incident import IncidentState, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Box, Finding, Reading, Scene, StillObject
from edge.geometry import Point, contains, foot_point
from edge.rules.identity import rule_id
from edge.rules.reporting import UPDATE_S
from edge.settings import AbandonedObjectSettings

UNSEEN_S: Final = 10.0
"""Who was beside a thing that was out of sight for so long, nobody knows, and who is beside it now is not followed yet."""


@dataclass(slots=True)
class _Course:
    """A thing that is there since, and was seen last: when somebody was near it last, told last when (None: not yet)."""

    thing: StillObject
    since: datetime
    seen_at: datetime
    near_at: datetime
    told_at: datetime | None = None


class AbandonedObjectRule:
    """Opens when a thing has stood for `for_s` with nobody near for `away_s`; over when it has been gone for `clear_for_s`."""

    def __init__(self, settings: AbandonedObjectSettings, polygon: Sequence[Point], camera: str) -> None:
        self._settings = settings
        self._polygon = polygon
        self._camera = camera
        self._courses: dict[int, _Course] = {}

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        for thing in scene.objects or ():
            if thing.number in self._courses or contains(self._polygon, foot_point(thing.box)):
                course = self._courses.setdefault(thing.number, _Course(thing, thing.since, scene.at, thing.since))
                if (scene.at - course.seen_at).total_seconds() > UNSEEN_S:
                    course.near_at = scene.at
                course.thing, course.seen_at = thing, scene.at
        people = [track.box for track in scene.tracks if track.label in self._settings.classes]
        for course in self._courses.values():
            if any(_gap(box, course.thing.box) <= self._settings.near for box in people):
                course.near_at = scene.at
        return list(self._said(scene))

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last sight."""
        said = [
            self._finding(course, at, IncidentState.ENDED)
            for course in self._courses.values()
            if course.told_at is not None
        ]
        self._courses.clear()
        return said

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

    def _said(self, scene: Scene) -> Iterator[Finding]:
        for number, course in list(self._courses.items()):
            gone = scene.objects is not None and all(thing.number != number for thing in scene.objects)
            if not gone:
                yield from self._going_on(course, scene.at)
            elif course.told_at is None:
                del self._courses[number]
            elif (scene.at - course.seen_at).total_seconds() >= self._settings.clear_for_s:
                del self._courses[number]
                yield self._finding(course, scene.at, IncidentState.ENDED)

    def _going_on(self, course: _Course, at: datetime) -> Iterator[Finding]:
        if course.told_at is None:
            stood_s = (course.seen_at - course.since).total_seconds()
            away_s = (course.seen_at - course.near_at).total_seconds()
            if course.seen_at == at and stood_s >= self._settings.for_s and away_s >= self._settings.away_s:
                course.told_at = at
                yield self._finding(course, at, IncidentState.OPEN)
        elif course.seen_at == at and (at - course.told_at).total_seconds() >= UPDATE_S:
            course.told_at = at
            yield self._finding(course, at, IncidentState.UPDATE)

    def _finding(self, course: _Course, at: datetime, state: IncidentState) -> Finding:
        thing, rule = course.thing, rule_id(self._settings)
        return Finding(
            key=f"{self._camera}/{rule}/{thing.number}/{to_microseconds(course.since)}",
            state=state,
            rule=rule,
            kind=self._settings.kind,
            category=self._settings.category,
            severity=self._settings.severity,
            device=self._camera,
            started_at=course.since,
            at=at,
            ended_at=course.seen_at if state is IncidentState.ENDED else None,
            zone=self._settings.zone,
            dwell_s=round((course.seen_at - course.since).total_seconds(), 3),
            path=tuple(_point(moment, thing.box) for moment in dict.fromkeys((course.since, course.seen_at))),
        )


def _gap(box: Box, other: Box) -> float:
    """How far two boxes are apart, as the larger of the distances across and down; 0 where they touch."""
    across = max(box[0] - other[2], other[0] - box[2], 0.0)
    down = max(box[1] - other[3], other[1] - box[3], 0.0)
    return max(across, down)


def _point(at: datetime, box: Box) -> TrackPoint:
    left, top, right, bottom = (round(edge, 4) for edge in box)
    return TrackPoint(to_microseconds(at), left, top, right, bottom)

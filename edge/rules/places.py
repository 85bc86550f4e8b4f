"""Places (处所): where something is seen again and again, whoever passes by. Pure.

Nobody follows what lies about: a detector sees it in most looks and misses it in some, people walk before it, and between two looks many
seconds may pass. So what counts is a place. It is known from the first sight on; a look tells of it only where it looked at it and nothing
stood before it.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from edge.flow import Box, Look, Scene, Spotted
from edge.geometry import Point, contains, foot_point, overlap
from edge.rules.held import Held
from edge.settings import PlaceSettings

LEAST_SIGHTS: Final = 3
"""Fewer looks are a mistake of the detector, however many seconds lie between them."""

LEAST_MISSES: Final = 2
"""Nothing is gone that was missed in one look."""

UNSEEN_S: Final = 3_600.0
"""Of what nobody could see for so long, a van has parked before it, nothing is known any more."""

MOST_PLACES: Final = 64
"""Of one rule; where there are more, the picture is no scene."""

_NEARER: Final = 0.1
"""In heights of what is there: so much lower stands who is before it. Boxes tremble, and nothing hides itself."""

_HARDLY: Final = 0.5
"""Of the share of looks that is asked for."""

_MOST_LOOKS: Final = 512
_SAME_THING: Final = 0.5
_BEFORE: Final = 0.3
"""As a share of a place: what hides less of it leaves it to be seen."""


@dataclass(slots=True)
class Place(Held):
    """Where something was seen first (`box`) and last (`latest`), how surely at best, and which looks at it have shown it."""

    number: int
    box: Box
    latest: Box
    peak: float
    looks: deque[tuple[datetime, bool]] = field(default_factory=lambda: deque(maxlen=_MOST_LOOKS))
    sights: int = 0
    misses: int = 0
    missed_since: datetime | None = None
    up_since: datetime | None = None

    def see(self, at: datetime, thing: Spotted) -> None:
        """It is there."""
        self.last_at, self.latest, self.peak = at, thing.box, max(self.peak, thing.score)
        self.looks.append((at, True))
        self.sights += 1
        self.misses, self.missed_since, self.up_since = 0, None, None

    def miss(self, at: datetime) -> None:
        """It could have been seen, and was not."""
        self.looks.append((at, False))
        self.misses += 1
        self.missed_since = self.missed_since or at

    def shown(self, since: datetime) -> float:
        """Which share of the looks at it from a moment on have shown it; of very many looks the last ones are known."""
        told = [seen for at, seen in self.looks if at >= since]
        return sum(told) / len(told) if told else 0.0


@dataclass(slots=True)
class Places:
    """The places at which one rule sees something of a label. `rivals` are labels that say of the same thing that it is none."""

    settings: PlaceSettings
    polygon: Sequence[Point]
    label: str
    rivals: frozenset[str]
    _known: list[Place] = field(default_factory=list)
    _resting: list[tuple[Box, datetime]] = field(default_factory=list)
    _made: int = 0

    def observe(self, scene: Scene, look: Look) -> Iterator[Place]:
        """Take what a look tells; the places in their order."""
        seen = {id(place): thing for thing in self._things(look) if (place := self._at(thing, scene.at)) is not None}
        for place in list(self._known):
            thing = seen.get(id(place))
            if thing is not None:
                place.see(scene.at, thing)
            elif _could_be_seen(place, scene, look):
                place.miss(scene.at)
            yield place

    def counts(self, place: Place, at: datetime) -> bool:
        """Whether it has been seen at the place for long and often enough; what has been told of does, as long as it is there."""
        settings = self.settings
        if place.told_at is not None:
            return True
        if place.sights < LEAST_SIGHTS or place.lasted_s < settings.lasting_s:
            return False
        if any(at < until and gap(box, place.box) <= settings.near for box, until in self._resting):
            return False
        return place.shown(at - timedelta(seconds=settings.lasting_s)) >= settings.share

    def is_gone(self, place: Place, at: datetime) -> bool:
        """Whether nothing is there any more. The time in which somebody stood before it does not count. What has not been told of yet and
        was hardly ever seen was never there: what comes to that place later begins anew.
        """
        if place.unseen_s(at) >= UNSEEN_S:
            return True
        if place.missed_since is None or place.misses < LEAST_MISSES:
            return False
        if place.told_at is None and place.shown(place.since) < _HARDLY * self.settings.share:
            return True
        return (at - place.missed_since).total_seconds() >= self.settings.clear_for_s

    def leave(self, place: Place, at: datetime) -> None:
        """Nothing is there any more; what was told of rests for a while."""
        self._known = [each for each in self._known if each is not place]
        self._resting = [each for each in self._resting if each[1] > at]
        if place.told_at is not None:
            self._resting.append((place.box, at + timedelta(seconds=self.settings.rest_s)))
            del self._resting[:-MOST_PLACES]

    def clear(self) -> list[Place]:
        """Forget all; those that were told of."""
        told = [place for place in self._known if place.told_at is not None]
        self._known, self._resting = [], []
        return told

    def _things(self, look: Look) -> Iterator[Spotted]:
        """What is sure enough to count, the surest last; a surer word for the same thing outdoes it."""
        rivals = [each for each in look.spotted if each.label in self.rivals]
        for thing in sorted(look.spotted, key=lambda each: each.score):
            if thing.label == self.label and thing.score >= self.settings.least_score:
                outdone = (r.score > thing.score and overlap(r.box, thing.box) >= _SAME_THING for r in rivals)
                if not any(outdone):
                    yield thing

    def _at(self, thing: Spotted, at: datetime) -> Place | None:
        """The place where a thing is, the nearest one that is near enough, or else a new one in the zone."""
        near = [(gap(place.box, thing.box), place.number, place) for place in self._known]
        distance, _, nearest = min(near, default=(1.0, 0, None), key=lambda each: each[:2])
        if nearest is not None and distance <= self.settings.near:
            return nearest
        if len(self._known) >= MOST_PLACES or not contains(self.polygon, foot_point(thing.box)):
            return None
        self._made += 1
        place = Place(at, at, number=self._made, box=thing.box, latest=thing.box, peak=thing.score)
        self._known.append(place)
        return place


def gap(box: Box, other: Box) -> float:
    """How far two boxes are apart, as the larger of the distances across and down; 0 where they touch."""
    across = max(box[0] - other[2], other[0] - box[2], 0.0)
    down = max(box[1] - other[3], other[1] - box[3], 0.0)
    return max(across, down)


def _could_be_seen(place: Place, scene: Scene, look: Look) -> bool:
    """Whether the look was at the place, and nobody stands before it."""
    box, region = place.latest, look.region
    if region is not None and not (
        region[0] <= box[0] and region[1] <= box[1] and box[2] <= region[2] and box[3] <= region[3]
    ):
        return False
    return not any(_hides(track.box, box) for track in scene.tracks)


def _hides(other: Box, box: Box) -> bool:
    """Whether something stands before a place: nearer to the camera, which is lower in the picture, and over much of it. What fills just
    that place is the thing itself under another name.
    """
    if other[3] < box[3] + _NEARER * (box[3] - box[1]) or overlap(other, box) >= _SAME_THING:
        return False
    across = max(min(other[2], box[2]) - max(other[0], box[0]), 0.0)
    down = max(min(other[3], box[3]) - max(other[1], box[1]), 0.0)
    return across * down >= _BEFORE * max((box[2] - box[0]) * (box[3] - box[1]), 1e-12)

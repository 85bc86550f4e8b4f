"""What rules have to tell of a made scene, and what they may: judged from its truth, by nothing that the rules do.

Near the edge of a zone, or half hidden, what a detector sees stands inside or outside by chance. So a thing is surely inside, perhaps inside,
or outside, by the distance of its foot point from the edge; what lasts long enough surely has to be told, what lasts long enough perhaps may be.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.flow import Box
from edge.geometry import foot_point, side_of
from edge.simulators.scene.truth import Head, Moment, Thing
from tests.benches.scene_feed import is_asked_for

PEOPLE: Final = frozenset({"person", "fallen_person"})
VEHICLES: Final = frozenset({"car", "truck", "bus"})
TWO_WHEELERS: Final = frozenset({"two_wheeler"})

_EDGE: Final = 0.006
_EDGE_OF_HEIGHT: Final = 0.05
"""How far off a foot point may seem to be: in shares of the picture, and of the thing's height."""
_UNBROKEN_S: Final = 0.5
_GRACE_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that happens in a scene. `sure`: has to be told; else it may be. `ids`: who takes part. `box`: where it is."""

    kind: str
    begin_s: float
    end_s: float
    sure: bool
    ids: frozenset[int]
    box: Box | None = None
    direction: str | None = None


@dataclass(slots=True)
class _Course:
    """When something was surely, and when perhaps, inside of a zone (or lay, or stood)."""

    sure_s: list[float] = field(default_factory=list)
    perhaps_s: list[float] = field(default_factory=list)
    box: Box | None = None


@dataclass(slots=True)
class Watcher:
    """Takes the moments of a scene in order; afterwards tells what was to be told."""

    head: Head
    _inside: dict[tuple[str, int, str], _Course] = field(default_factory=lambda: defaultdict(_Course))
    _halted: dict[tuple[str, int, str], _Course] = field(default_factory=lambda: defaultdict(_Course))
    _sides: dict[tuple[str, int, str], list[tuple[float, float, float, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _heads: dict[str, list[tuple[float, int, int]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, moment: Moment, still: frozenset[int]) -> None:
        """One moment."""
        if not moment.objects:
            return
        asked = [is_asked_for(thing) for thing in moment.objects]
        margins = np.array([_EDGE + _EDGE_OF_HEIGHT * (each.full[3] - each.full[1]) for each in moment.objects])
        whole = np.array([foot_point(thing.full) for thing in moment.objects])
        seen = np.array([foot_point(thing.visible) for thing in moment.objects])
        for name, polygon in self.head.zones.items():
            depths = inside_by(polygon, whole), inside_by(polygon, seen)
            surely = np.minimum(*depths) > margins
            perhaps = np.maximum(*depths) > -margins
            self._note(name, moment, list(zip(asked, surely, perhaps, strict=True)), still)
        for name, line in self.head.lines.items():
            for index, thing in enumerate(moment.objects):
                off = [side_of(line, (float(x), float(y))) for x, y in (whole[index], seen[index])]
                told = (
                    moment.at_s,
                    min(off, key=abs) if off[0] * off[1] > 0 else 0.0,
                    float(margins[index]),
                    asked[index],
                )
                self._sides[name, thing.id, _kind(thing)].append(told)

    def _note(self, zone: str, moment: Moment, told: Sequence[tuple[bool, bool, bool]], still: frozenset[int]) -> None:
        sure_heads, heads = 0, 0
        for thing, (asked, surely, perhaps) in zip(moment.objects, told, strict=True):
            if not perhaps:
                continue
            people = thing.label in PEOPLE
            sure_heads += people and asked and surely
            heads += people
            for courses, counts, label in (
                (self._inside, True, _kind(thing)),
                (self._inside, thing.label not in PEOPLE or thing.label == "fallen_person", "is " + thing.label),
                (self._halted, thing.id in still, _kind(thing)),
            ):
                if counts:
                    course = courses[zone, thing.id, label]
                    course.perhaps_s.append(moment.at_s)
                    course.box = thing.visible
                    if asked and surely:
                        course.sure_s.append(moment.at_s)
        self._heads[zone].append((moment.at_s, sure_heads, heads))

    def stays(self, kind: str, zone: str, who: str, least_s: float) -> Iterator[Wanted]:
        """Who of a kind is in a zone for so long."""
        yield from self._lasting(self._inside, kind, zone, who, (least_s, least_s))

    def halts(self, kind: str, zone: str, who: str, least_s: float) -> Iterator[Wanted]:
        """What of a kind stands in a zone for so long; who goes slowly through it may be told of."""
        halts = self._lasting(self._halted, kind, zone, who, (least_s, least_s))
        yield from (wanted for wanted in halts if wanted.sure)
        stays = self._lasting(self._inside, kind, zone, who, (least_s, least_s))
        yield from (replace(wanted, sure=False) for wanted in stays)

    def matter(self, kind: str, zone: str, label: str, least_s: float) -> Iterator[Wanted]:
        """What has a label and is in a zone for so long."""
        yield from self._lasting(self._inside, kind, zone, "is " + label, (least_s + 1.0, least_s))

    def _lasting(
        self,
        courses: Mapping[tuple[str, int, str], _Course],
        kind: str,
        zone: str,
        who: str,
        least_s: tuple[float, float],
    ) -> Iterator[Wanted]:
        for (where, number, label), course in courses.items():
            if where != zone or label != who:
                continue
            for begin_s, end_s in spells(course.sure_s, _UNBROKEN_S):
                if end_s - begin_s >= least_s[0] + 1.0:
                    yield Wanted(kind, begin_s, end_s, True, frozenset({number}), course.box)
            for begin_s, end_s in spells(course.perhaps_s, _GRACE_S):
                if end_s - begin_s >= least_s[1] - 1.0:
                    yield Wanted(kind, begin_s, end_s, False, frozenset({number}), course.box)

    def crowds(self, kind: str, zone: str, least: int, for_s: float) -> Iterator[Wanted]:
        """So many in a zone at once for so long."""
        sure = [at_s for at_s, count, _ in self._heads[zone] if count >= least]
        most: list[float] = []
        recent: list[tuple[float, int]] = []
        for at_s, _, count in self._heads[zone]:
            recent = [each for each in recent if at_s - each[0] <= _GRACE_S] + [(at_s, count)]
            if max(each for _, each in recent) + 1 >= least:
                most.append(at_s)
        for begin_s, end_s in spells(sure, 0.3):
            if end_s - begin_s >= for_s + 2.0:
                yield Wanted(kind, begin_s, end_s, True, frozenset())
        for begin_s, end_s in spells(most, _GRACE_S):
            yield Wanted(kind, begin_s, end_s, False, frozenset())

    def crossings(self, kind: str, line: str, who: frozenset[str], margin: float) -> Iterator[Wanted]:
        """Who passes a line, in view all the time from well before it to well behind it; or perhaps passes it."""
        for (where, number, label), told in self._sides.items():
            if where != line or label not in who:
                continue
            ids = frozenset({number})
            yield from (
                Wanted(kind, at_s - 2.0, at_s + 2.0, False, ids)
                for at_s, off, edge, _ in told
                if abs(off) < margin + 2 * edge
            )
            yield from (
                Wanted(kind, before - 1.0, after + 1.0, False, ids)
                for (before, was, *_), (after, off, *_) in pairwise(told)
                if was * off <= 0
            )
            yield from _passages(kind, told, margin, ids)


def _passages(
    kind: str, told: Sequence[tuple[float, float, float, bool]], margin: float, ids: frozenset[int]
) -> Iterator[Wanted]:
    side, since_s, known, last_s, first = 0, 0.0, 0, -10.0, True
    for at_s, off, edge, asked in told:
        if not asked or at_s - last_s > _UNBROKEN_S:
            side, known = 0, 0
        last_s = at_s
        if not asked:
            continue
        known += 1
        if abs(off) < margin + edge:
            continue
        now = 1 if off > 0 else -1
        if side == -now:
            # who comes back over the line while he is followed is counted again, and is the same incident
            yield Wanted(kind, since_s, at_s, first, ids, direction="in" if now > 0 else "out")
            first = False
        if side != now:
            side, known = (now, known) if known >= 6 else (0, known)
        since_s = at_s


def _kind(thing: Thing) -> str:
    """What a rule means by it."""
    label = thing.label
    return "person" if label in PEOPLE else "vehicle" if label in VEHICLES else label


def spells(times_s: Sequence[float], gap_s: float) -> Iterator[tuple[float, float]]:
    """First and last of times that follow each other within a gap."""
    if not times_s:
        return
    begin = last = times_s[0]
    for at_s in times_s[1:]:
        if at_s - last > gap_s:
            yield begin, last
            begin = at_s
        last = at_s
    yield begin, last


def inside_by(polygon: Sequence[tuple[float, float]], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far points (n, 2) are from the edge of a polygon, negative outside. An edge that is the picture's own is no edge: nothing is beyond."""
    points = np.clip(points, 1e-6, 1 - 1e-6)
    begins = np.array(polygon)
    ends = np.roll(begins, -1, axis=0)
    along = ends - begins
    off = points[:, None, :] - begins
    share = np.clip((off * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-12), 0, 1)
    distance = np.linalg.norm(off - share[..., None] * along, axis=2)
    borders = ((begins == ends) & ((begins == 0) | (begins == 1))).any(axis=1)
    if not borders.all():
        distance = distance[:, ~borders]
    y, (y1, y2) = points[:, 1:2], (begins[:, 1], ends[:, 1])
    crosses = (y1 > y) != (y2 > y)
    x = begins[:, 0] + (y - y1) * along[:, 0] / np.where(y1 == y2, 1.0, y2 - y1)
    inside = (crosses & (points[:, 0:1] < x)).sum(axis=1) % 2 == 1
    nearest = distance.min(axis=1)
    by: NDArray[np.float64] = np.where(inside, nearest, -nearest)
    return by

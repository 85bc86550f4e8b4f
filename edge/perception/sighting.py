"""What is to be seen in a picture at this moment, counted by kind and by zone. Pure.

An incident of a device asks what stands around it now: there is no time for a track to be confirmed, so that sure detections count beside
what is followed already. A car that somebody gets out of is one car and one person; a car that a detector calls a truck in the next
picture is one vehicle.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Final

from edge.contract.view import MOST_COUNTS, SightCount
from edge.flow import Box, Detections, Track
from edge.geometry import Point, clamped_box, contains, foot_point, overlap
from edge.perception.tracker import KINDS
from edge.settings import MOTION
from edge.settings.vocabulary import PLACED

SURE: Final = 0.4
"""A detection that is less sure counts only where something is followed."""

_SAME: Final = 0.3
"""A detection that overlaps a track of its kind so much is that track."""

ALWAYS_TOLD: Final = ("person", "vehicle")
"""That nobody is there is told as well."""


def counted(tracks: Sequence[Track], found: Detections, zones: Mapping[str, Sequence[Point]]) -> tuple[SightCount, ...]:
    """People, vehicles and whatever else was seen, first in all of the picture, then in each zone; what is in a zone has its foot point there."""
    seen = list(_things(tracks, found))
    kinds = (*ALWAYS_TOLD, *sorted({kind for kind, _ in seen} - set(ALWAYS_TOLD)))
    counts = [SightCount(label=kind, count=sum(each == kind for each, _ in seen)) for kind in kinds]
    for name, polygon in zones.items():
        inside = [kind for kind, box in seen if contains(polygon, foot_point(box))]
        counts += [SightCount(label=kind, count=inside.count(kind), zone=name) for kind in kinds]
    return tuple(counts[:MOST_COUNTS])


def _things(tracks: Sequence[Track], found: Detections) -> Iterator[tuple[str, Box]]:
    """Kind and box of everything, each thing once."""
    followed = [(KINDS.get(track.label, track.label), track.box) for track in tracks if track.label != MOTION]
    yield from followed
    taken = list(followed)
    rows = sorted(
        zip(found.scores.tolist(), found.boxes.tolist(), found.labels, strict=True),
        key=lambda row: row[0],
        reverse=True,
    )
    for score, edges, label in rows:
        left, top, right, bottom = edges
        if score < SURE or label in PLACED or not isfinite(left + top + right + bottom):
            continue
        kind, box = KINDS.get(label, label), clamped_box((left, top, right, bottom))
        if any(kind == other and overlap(box, there) >= _SAME for other, there in taken):
            continue
        taken.append((kind, box))
        yield kind, box

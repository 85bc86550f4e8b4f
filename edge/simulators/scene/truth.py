"""The exact truth of a made scene, and its file: JSON Lines, a head, one line for each frame, and the events at the end.

Head: `{"version": 1, "seed", "size": [width, height], "frame_period_s", "duration_s", "zones": {name: [[x, y], …]}, "lines": {name: [[x, y],
[x, y]]}}`. Frame: `{"at_s", "cover": null | "black" | "hand", "objects": [{"id", "label", "full", "visible", "share"}]}`. Events:
`{"events": [{"kind", "begin_s", "end_s", "id", "label", "where", "direction"}]}`.

Places and boxes (left, top, right, bottom) are shares of the picture. `full` is the box around the whole thing and may reach beyond the
picture, `visible` the one around what can be seen of it, `share` how much of the full box's area that is. While the view is covered every
share is 0. Who rides is a person of his own, and hides nothing of his two-wheeler: the two are seen as one. A thing keeps its `id`,
whatever its label becomes.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from edge.errors import Permanent
from edge.geometry import Point
from edge.simulators.scene.shapes import Bounds
from edge.simulators.scene.weather import Cover

VERSION: Final = 1
LABELS: Final = ("person", "two_wheeler", "car", "truck", "bus", "fallen_person", "litter", "bin", "bin_overflow")
"""In the order in which the project's own detector has them."""


class TruthUnreadable(Permanent):
    """Not the truth of a made scene, or one of another version."""


class EventKind(StrEnum):
    """What is told of a scene. All but crossings last."""

    STAY = "stay"
    """Something's foot point is in a zone."""
    DWELL = "dwell"
    """The same while it stands still."""
    CROSSING = "crossing"
    """A foot point passes a line: `in` from the left hand of one who walks along it to the right, else `out`."""
    FALL = "fall"
    """Somebody lies; it ends when he has got up."""
    LITTER = "litter"
    """Something was dropped and lies there until it is taken away."""
    OVERFLOW = "overflow"
    """A bin is too full."""
    BLACKOUT = "blackout"
    """Nothing can be seen."""


class Thing(msgspec.Struct, frozen=True):
    """One thing in one frame."""

    id: int
    label: str
    full: Bounds
    visible: Bounds
    share: float


class Moment(msgspec.Struct, frozen=True):
    """One frame."""

    at_s: float
    cover: Cover | None
    objects: tuple[Thing, ...]


class Event(msgspec.Struct, frozen=True):
    """Something that happened. `end_s` None: it goes on when the scene ends. `where`: a zone or a line."""

    kind: EventKind
    begin_s: float
    end_s: float | None
    id: int | None = None
    label: str | None = None
    where: str | None = None
    direction: str | None = None


class Head(msgspec.Struct, frozen=True):
    """What a scene is."""

    version: int
    seed: int
    size: tuple[int, int]
    frame_period_s: float
    duration_s: float
    zones: Mapping[str, tuple[Point, ...]]
    lines: Mapping[str, tuple[Point, Point]]


class Truth(msgspec.Struct, frozen=True):
    """All that is true of a scene."""

    head: Head
    moments: tuple[Moment, ...]
    events: tuple[Event, ...]

    def of(self, kind: EventKind) -> tuple[Event, ...]:
        """The events of a kind."""
        return tuple(event for event in self.events if event.kind is kind)


class _Last(msgspec.Struct, frozen=True):
    events: tuple[Event, ...]


def line_of(what: Head | Moment) -> bytes:
    """One line of the file."""
    return msgspec.json.encode(what) + b"\n"


def last_line(events: tuple[Event, ...]) -> bytes:
    """The last line of the file."""
    return msgspec.json.encode(_Last(events)) + b"\n"


def read_truth(file: Path) -> Truth:
    """The truth beside a film. Raises TruthUnreadable."""
    try:
        with file.open("rb") as lines:
            first = msgspec.json.decode(next(lines, b""), type=Head)
            if first.version != VERSION:
                raise TruthUnreadable(f"{file} is of version {first.version}; this program reads version {VERSION}")
            rest = list(lines)
        moments = tuple(msgspec.json.decode(line, type=Moment) for line in rest[:-1])
        last = msgspec.json.decode(rest[-1], type=_Last) if rest else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TruthUnreadable(f"{file} is not the truth of a made scene: {error}") from error
    if last is None:
        raise TruthUnreadable(f"{file} ends too early; write the scene again")
    return Truth(first, moments, last.events)

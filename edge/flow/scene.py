"""What is seen: detections in one picture, things followed over time, and one analysed moment of a camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.contract.incident import CameraTrouble, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow.picture import Box, Boxes, Image


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector saw in one frame: `boxes` (n, 4) normalised, `scores` (n,) 0–1, `labels` n names.

    `region` is the part of the frame that it looked at, None where that was all of it.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    region: Box | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)


class Detector(Protocol):
    """Finds things in a picture."""

    labels: tuple[str, ...]

    def detect(self, image: Image, things: Sequence[Box] = ()) -> Detections:
        """Look at one picture of any size, or at the part of it in which these things are, as closely as they need.

        One that can't look at a part looks at all of it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Track:
    """One thing followed over time. `first_seen_at` is the first frame of the later confirmed track (event time)."""

    track_id: int
    label: str
    box: Box
    confidence: float
    first_seen_at: datetime
    last_seen_at: datetime
    peak_confidence: float
    path: tuple[TrackPoint, ...] = ()

    @property
    def is_expected(self) -> bool:
        """Whether nobody has looked in this moment: its box is where it should be by now. Nothing may begin by that."""
        return bool(self.path) and self.path[-1].at_us < to_microseconds(self.last_seen_at)


@dataclass(frozen=True, slots=True)
class StillObject:
    """Something that was not there before `since` and has stood still from then on, neither followed nor light."""

    number: int
    box: Box
    since: datetime


@dataclass(frozen=True, slots=True)
class Spotted:
    """Something that a detector saw in one look, whatever it is: nobody follows it."""

    label: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Look:
    """One look of the detector, for rules that watch places: what it saw there. `region` is the part of the picture at which it looked, None
    for all of it: of the rest it tells nothing.
    """

    spotted: tuple[Spotted, ...]
    region: Box | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One analysed moment of a camera: the confirmed tracks seen now, and the ids of those that have ended.

    `troubles` is what is wrong with the picture, `objects` what was left behind, `look` what the detector saw, None where nobody has
    looked; with `STREAM_LOST` there was no picture.
    """

    camera: str
    at: datetime
    tracks: tuple[Track, ...]
    ended: tuple[Track, ...] = ()
    moving: bool = True
    troubles: frozenset[CameraTrouble] | None = None
    objects: tuple[StillObject, ...] | None = None
    look: Look | None = None

    @property
    def seen(self) -> bool:
        """Whether there was a picture."""
        return self.troubles is None or CameraTrouble.STREAM_LOST not in self.troubles


@dataclass(frozen=True, slots=True)
class PrivateParts:
    """What may be recognisable in the picture of one moment, sure or not: boxes of people and of vehicles, and moving
    regions that neither explains (all of them where no detector looks).
    """

    at: datetime
    people: tuple[Box, ...] = ()
    vehicles: tuple[Box, ...] = ()
    moving: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class FilmLook:
    """What a look at one picture of a film tells, when what comes later in it is known: `private` may be recognisable then, or
    was in the looks around it; `seen` was seen in this very picture.
    """

    private: PrivateParts
    seen: PrivateParts

    @property
    def at(self) -> datetime:
        """The picture's event time."""
        return self.private.at

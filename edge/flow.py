"""What travels inside a node, and the Protocols by which siblings meet. Pure.

packets → `Frame` → `Detections` → `Scene` of `Track`s ┐
                                            `Reading` ┴─ rules → `Finding` → incident, evidence → outbox
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import (
    CameraTrouble,
    EvidenceKind,
    EvidenceReference,
    Incident,
    IncidentState,
    Severity,
    TrackPoint,
)
from edge.contract.telemetry import ReadingFlag

Image = NDArray[np.uint8]
"""A picture, shape (height, width, 3), BGR, 0–255."""

Boxes = NDArray[np.float32]
"""Boxes, shape (n, 4): left, top, right, bottom in normalised image coordinates."""

Box = tuple[float, float, float, float]
"""One box: left, top, right, bottom in normalised image coordinates."""


class Picture(Protocol):
    """A decoded picture whose colours are only worked out where someone asks for them: an idle camera needs grey alone."""

    @property
    def luma(self) -> NDArray[np.uint8]:
        """Brightness, shape (height, width); read-only."""
        ...

    @property
    def image(self) -> Image:
        """The colours; read-only, made at the first call and kept."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture of a camera. `captured_at` is event time, `media_s` seconds since the connection's first frame.

    `sequence` counts the frames that were due for analysis, handed over or not, so that a hole shows what was skipped.
    """

    camera: str
    sequence: int
    captured_at: datetime
    media_s: float
    picture: Picture = field(repr=False)

    @property
    def image(self) -> Image:
        """The colours of the picture."""
        return self.picture.image


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a decoder or a muxer has to know of an encoded stream beside its packets. `codec` as FFmpeg calls it; `extradata` are the
    parameter sets that came outside of the stream; times of its packets are multiples of `time_base` seconds.
    """

    codec: str
    extradata: bytes | None = field(repr=False)
    width: int
    height: int
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture as the camera encoded it. `pts`, `dts` and `duration` count in the stream's time base, `pts_s` is `pts` in
    seconds; `key`: it can be decoded without those before it; `damaged`: the demuxer saw that a part is missing.
    """

    data: bytes = field(repr=False)
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    pts_s: float | None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Packet:
    """An encoded picture with the event time that its arrival gave it, and its seconds since the connection's first."""

    encoded: Encoded
    captured_at: datetime
    media_s: float


class GateOrder(StrEnum):
    """What is to be done with a packet."""

    SPARE = "spare"
    """Keep it and decode nothing."""
    LOOK = "look"
    """Decode this key frame alone."""
    DECODE = "decode"
    """Decode it and what it depends on."""


class GateState(StrEnum):
    """What the gate of a camera does at the moment."""

    LEARNING = "learning"
    WATCHING = "watching"
    OPEN = "open"
    UNSUITED = "unsuited"


class GateReason(StrEnum):
    """Why it does that."""

    BEGUN = "begun"
    """Too little has been seen yet to know how large the packets of the empty scene are."""
    STILL = "still"
    SIZES = "sizes"
    """Packets are larger or smaller than they are when nothing moves."""
    SEEN = "seen"
    """The analysis of a key frame saw what the sizes had not told."""
    DAMAGED = "damaged"
    """A key frame could not be decoded."""
    SIZES_TELL_NOTHING = "sizes_tell_nothing"
    KEY_FRAMES_RARE = "key_frames_rare"


class Gate(Protocol):
    """Decides of each packet of one camera whether it is decoded. Knows no clock but the packets' own."""

    @property
    def state(self) -> GateState:
        """What it does."""
        ...

    @property
    def reason(self) -> GateReason:
        """Why."""
        ...

    @property
    def began_at(self) -> datetime | None:
        """When what it is open for may have begun: decoding begins with the key frame before."""
        ...

    def begin(self) -> None:
        """A connection was opened."""
        ...

    def take(self, packet: Packet) -> GateOrder:
        """The next packet, in the order of arrival."""
        ...

    def looked(self, picture: Picture, at: datetime) -> bool:
        """The key frame that it asked for; whether something has moved since the one before, and the gate is open now."""
        ...

    def damaged(self, at: datetime) -> None:
        """The key frame that it asked for could not be decoded."""
        ...

    def attend(self, scene: "Scene", *, followed: bool) -> None:
        """What the analysis made of a frame, and whether it follows anything."""
        ...


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


@dataclass(frozen=True, slots=True)
class StillObject:
    """Something that was not there before `since` and has stood still from then on, neither followed nor light."""

    number: int
    box: Box
    since: datetime


@dataclass(frozen=True, slots=True)
class Scene:
    """One analysed moment of a camera: the confirmed tracks seen now, and the ids of those that have ended.

    `troubles` is what is wrong with the picture, `objects` what was left behind, None where nobody has looked; with `STREAM_LOST`
    there was no picture.
    """

    camera: str
    at: datetime
    tracks: tuple[Track, ...]
    ended: tuple[Track, ...] = ()
    moving: bool = True
    troubles: frozenset[CameraTrouble] | None = None
    objects: tuple[StillObject, ...] | None = None

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
class Reading:
    """One value of a declared point. `observed_at` is event time by the node's clock after clamping; `device_at` is what the
    device said, and `own_time` that it was believed: such a time is not corrected when the node's clock turns out to be wrong.
    """

    device: str
    point: str
    observed_at: datetime
    value: float | str
    received_at: datetime
    device_at: datetime | None = None
    flag: ReadingFlag = ReadingFlag.NONE
    own_time: bool = False

    @property
    def told_at(self) -> datetime:
        """The event time as it is told to others: what the device said where that counts."""
        return self.device_at if self.own_time and self.device_at is not None else self.observed_at


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says at one moment. `key` is stable from `open` to `ended` and becomes one incident.

    `track_ids` name the tracks that evidence has to show and mask.
    """

    key: str
    state: IncidentState
    rule: str
    kind: str
    category: str
    severity: Severity
    device: str
    started_at: datetime
    at: datetime
    ended_at: datetime | None = None
    zone: str | None = None
    confidence: float | None = None
    dwell_s: float | None = None
    direction: str | None = None
    count: int | None = None
    point: str | None = None
    value: float | None = None
    unit: str | None = None
    track_ids: tuple[int, ...] = ()
    path: tuple[TrackPoint, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A masked picture or clip, ready to be kept and sent."""

    reference: EvidenceReference
    content: bytes = field(repr=False)

    @property
    def kind(self) -> EvidenceKind:
        """What it shows."""
        return self.reference.kind


class Health(StrEnum):
    """How a part of the node is."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    LOST = "lost"


class NativeStep(IntEnum):
    """What a camera's thread does inside of a foreign library, where a bad stream can end the whole process."""

    NONE = 0
    WAITING = 1
    """For the next packet: most of a live camera's time."""
    OPENING = 2
    DECODING = 3
    ANALYSING = 4


class NativeMark(Protocol):
    """Where one thread of one camera tells what it does; who looks after a crash finds it there."""

    def tell(self, step: NativeStep) -> None:
        """From now on it does this. Costs a microsecond: it is told twice per packet."""
        ...


class Detector(Protocol):
    """Finds things in a picture."""

    labels: tuple[str, ...]

    def detect(self, image: Image, things: Sequence[Box] = ()) -> Detections:
        """Look at one picture of any size, or at the part of it in which these things are, as closely as they need.

        One that can't look at a part looks at all of it.
        """
        ...


class SceneObserver(Protocol):
    """What decides on tracks: one file per kind of rule."""

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        ...

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open: the source has ended or the node stops."""
        ...

    def readings(self, at: datetime) -> Sequence[Reading]:
        """What the rule has counted and is complete at a moment, each count once; after `finish` all that is left."""
        ...


class SceneRule(SceneObserver, Protocol):
    """A configured rule on a camera: what it decides, as far as its schedule and its folding let it be told."""

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Time has passed without a picture."""
        ...


class ReadingRule(Protocol):
    """A rule on readings; `id` is what its findings call it."""

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        ...

    @property
    def set_back(self) -> int:
        """How often the clock that tells the readings' times was set back."""
        ...

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading; late ones are allowed and never end or start anything in the past of what was decided."""
        ...

    def resume(self, incident: Incident) -> bool:
        """Go on with what this rule had opened before the node restarted; False when it is not this rule's any more."""
        ...

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before the node restarted; what is delivered again changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Receipts:
    """Marks of the messages that a source hands over, newest last, to be added to those that it has left before. They are
    kept in one transaction with the readings: after a crash the source knows which redelivered messages were kept already,
    and when they came first. The newest `RECEIPTS_KEPT` of a source are kept.
    """

    source: str
    marks: tuple[bytes, ...]


RECEIPTS_KEPT = 10_000
"""Messages that a broker may have delivered and not heard of, at most: its own window, and what was under way to it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a source hands over at once. `again` was kept before a crash, and only rules have to see it once more."""

    readings: Sequence[Reading]
    again: Sequence[Reading] = ()
    receipts: Receipts | None = None


class Recorder(Protocol):
    """What sources and rules hand over to; when a call returns, the thing is committed to the outbox."""

    def readings(self, readings: Sequence[Reading], *, receipts: Receipts | None = None) -> None:
        """Keep readings and the source's receipts together. Raises OutboxFull."""
        ...

    def incident(self, incident: Incident, evidence: Sequence[EvidenceFile] = ()) -> None:
        """Keep one revision of an incident with its new evidence, durably."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A committed message that waits for the cloud's acknowledgement. `body` is the JSON of the body alone.

    `replayed` says that the device itself sent it late; `channel` is the last part of its topic. The reader has to add
    `correction` to the times in the body.
    """

    row: int
    message_id: UUID
    channel: str
    lane: Lane
    accepted_at: datetime
    replayed: bool
    body: bytes = field(repr=False)
    correction: timedelta = timedelta(0)


class OutboxDrain(Protocol):
    """The uplink's view of the outbox."""

    def pending(
        self, lane: Lane, *, fresh_since: datetime, old: bool, skip: Collection[int], limit: int
    ) -> Sequence[OutboxRecord]:
        """Messages of a lane that are not acknowledged yet, oldest first, without the rows in `skip`.

        `old` chooses those accepted before `fresh_since`, else those accepted since. Old incidents come newest first: the
        end of one that is over arrives before its beginning, so that it can't ring as if it still held. Messages are
        formed of waiting readings on the way, once: their ids stay.
        """
        ...

    def settle(self, outcomes: Mapping[UUID, tuple[Outcome, str | None]]) -> None:
        """Apply the cloud's acknowledgements, by message id. Unknown ids are no mistake: acknowledgements come twice."""
        ...


@dataclass(frozen=True, slots=True)
class EvidenceUpload:
    """A stored file that the cloud waits for. `attempts` have failed so far."""

    sha256: str
    mime: str
    bytes: int
    path: Path
    attempts: int


class EvidenceQueue(Protocol):
    """The uplink's view of the evidence files: those whose incident the cloud has accepted."""

    def next_upload(self) -> EvidenceUpload | None:
        """The oldest that is due now; sealed ones go last."""
        ...

    def uploaded(self, sha256: str) -> None:
        """The cloud has it: forget the file."""
        ...

    def delay_upload(self, sha256: str, wait_s: float, *, attempted: bool = True) -> None:
        """Not now: try again after `wait_s`. `attempted` counts as a try of this file: the cloud spoke of it."""
        ...

    def refuse_upload(self, sha256: str, reason: str) -> None:
        """The cloud will never take it: to the dead letters."""
        ...

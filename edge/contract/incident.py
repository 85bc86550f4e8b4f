"""An incident (事件): what an edge node found, told in revisions of which the highest wins."""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from edge.contract.fields import Fraction, Instant, Microseconds, Name, Ordinal, Sha256, Text, require_possible, shifted
from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.contract.view import MOST_VIEWS, CameraView


class IncidentState(StrEnum):
    """`open` rings, `update` adds to it, `ended` closes it. What follows `ended` is `ended` too and the same, with a file more: making a
    film takes longer than many an incident lasts.
    """

    OPEN = "open"
    UPDATE = "update"
    ENDED = "ended"


class Severity(StrEnum):
    """How bad, in ascending order of `rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the lowest, so that severities compare by number."""
        return list(Severity).index(self)


class IncidentKind(StrEnum):
    """The kinds that this version knows; the wire takes any name, so that a newer node is understood by an older cloud."""

    INTRUSION = "intrusion"
    LOITERING = "loitering"
    LINE_CROSSING = "line_crossing"
    CROWD = "crowd"
    VEHICLE_DWELL = "vehicle_dwell"
    TWO_WHEELER = "two_wheeler"
    ABANDONED_OBJECT = "abandoned_object"
    BIN_OVERFLOW = "bin_overflow"
    LITTER = "litter"
    FALLEN_PERSON = "fallen_person"
    CAMERA_TROUBLE = "camera_trouble"
    THRESHOLD = "threshold"
    RATE_OF_CHANGE = "rate_of_change"
    STALE = "stale"
    STATE = "state"
    EVENT = "event"
    SOS = "sos"
    TAMPER = "tamper"
    DOOR_HELD_OPEN = "door_held_open"
    LINE_LOST = "line_lost"
    OVERLONG_CHARGE = "overlong_charge"
    LOST_WHILE_CHARGING = "lost_while_charging"
    STOP_UNCONFIRMED = "stop_unconfirmed"
    COMPOSITE = "composite"
    DEVICE_FAULT = "device_fault"
    NODE_LOST = "node_lost"
    """Made by the cloud: of a node that is away nobody else can tell."""
    OUTBOX_PRESSURE = "outbox_pressure"
    EVIDENCE_PRESSURE = "evidence_pressure"


class CameraTrouble(StrEnum):
    """What is wrong with a camera: the `point` of an incident of the kind `camera_trouble`. The wire takes any name."""

    COVERED = "covered"
    DEFOCUSED = "defocused"
    MOVED = "moved"
    FROZEN = "frozen"
    DARK = "dark"
    STREAM_LOST = "stream_lost"


class TrackPoint(Struct, frozen=True, array_like=True):
    """Where the thing was: time and box as left, top, right, bottom in normalised image coordinates."""

    at_us: Microseconds
    left: Fraction
    top: Fraction
    right: Fraction
    bottom: Fraction


class ModelReference(Struct, frozen=True, kw_only=True):
    """Which weights saw it."""

    id: Name
    version: Text
    sha256: Sha256


class RuleReference(Struct, frozen=True, kw_only=True):
    """Which rule decided; `sha256` is the hash of the rule's canonical configuration."""

    id: Name
    version: Text
    sha256: Sha256


class EvidenceKind(StrEnum):
    """`snapshot`, `clip` and `background` are masked; `sealed` can be opened by the district only."""

    SNAPSHOT = "snapshot"
    CLIP = "clip"
    BACKGROUND = "background"
    SEALED = "sealed"


SEALED_MIME = "application/x-age"
"""What a sealed file is called on the wire: no kind of it is registered."""


EVIDENCE_DROPPED = "evidence dropped: quota"
"""In the note of an incident of which the node has let a file go before the cloud had it: there was no room."""


class EvidenceReference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that belongs to the incident; it travels over HTTPS by its hash. Of a sealed file `plain_sha256` is the hash of what
    was sealed: whoever opens it sees that it is what the node saw.
    """

    sha256: Sha256
    kind: EvidenceKind
    mime: Annotated[str, Meta(max_length=100, pattern=r"^[a-z]+/[a-z0-9.+-]+$(?!\n)")]
    bytes: Annotated[int, Meta(ge=1, le=1 << 32)]
    captured_at: Instant
    plain_sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.captured_at)


class Incident(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One revision of one incident.

    `incident_id` is stable over all revisions. `device` is the camera, pile or sensor that found it, `spot` the named place
    that joins devices and cameras. `dwell_s` is event time between first and last sight. `value` and `unit` are the
    reading that crossed a threshold. `fault` is of `edge.contract.safety`, `raw_code` what the device itself called it. `views`
    are what the cameras at the spot saw of it. `prev_hash` and `sig` chain the revisions in the order of their creation (promise 6).
    """

    incident_id: UUID
    revision: Ordinal
    state: IncidentState
    kind: Name
    category: Name
    severity: Severity
    started_at: Instant
    updated_at: Instant
    ended_at: Instant | None = None
    device: Name
    spot: Name | None = None
    zone: Name | None = None
    confidence: Fraction | None = None
    dwell_s: Annotated[float, Meta(ge=0)] | None = None
    direction: Name | None = None
    count: Annotated[int, Meta(ge=0)] | None = None
    point: Name | None = None
    value: float | None = None
    unit: Text | None = None
    fault: Name | None = None
    raw_code: Text | None = None
    track: Annotated[tuple[TrackPoint, ...], Meta(max_length=600)] = ()
    model: ModelReference | None = None
    rule: RuleReference | None = None
    evidence: Annotated[tuple[EvidenceReference, ...], Meta(max_length=32)] = ()
    views: Annotated[tuple[CameraView, ...], Meta(max_length=MOST_VIEWS)] = ()
    simulated: bool = False
    note: Text | None = None
    prev_hash: Sha256 | None = None
    sig: Annotated[str, Meta(max_length=200)] | None = None

    def __post_init__(self) -> None:
        """Refuse an end without a time, a time without an end, an end before the start, and times that can't be."""
        require_possible(self.started_at, self.updated_at, self.ended_at)
        if (self.state is IncidentState.ENDED) != (self.ended_at is not None):
            raise ValueError("ended_at belongs to the state `ended`, and only to it")
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("an incident can't end before it started")


_PURPOSE: Final = b"gridward/1 incident\n"
_SIGNATURE: Final = re.compile(rb',"sig":"([A-Za-z0-9+/=]{1,200})"\}\Z')


def signed_incident(incident: Incident, sign: Callable[[bytes], str] | None) -> Incident:
    """The incident with the signature of its node (promise 6), without one where there is no key.

    What is signed are the bytes of the incident as it travels, without its last member, which is the signature: a reader that
    does not know all of its fields can verify it as well, and in another language.
    """
    bare = incident if incident.sig is None else msgspec.structs.replace(incident, sig=None)
    return bare if sign is None else msgspec.structs.replace(bare, sig=sign(_PURPOSE + msgspec.json.encode(bare)))


def signature_of(body: bytes) -> tuple[bytes, str | None]:
    """What was signed of an incident's bytes, and the signature; None where there is none at its end."""
    found = _SIGNATURE.search(body)
    if found is None:
        return _PURPOSE + body, None
    return _PURPOSE + body[: found.start()] + b"}", found[1].decode()


def moved(incident: Incident, by: timedelta) -> Incident:
    """The incident with all of its times moved: the clock that told them was wrong by so much."""
    if not by:
        return incident
    return msgspec.structs.replace(
        incident,
        started_at=shifted(incident.started_at, by),
        updated_at=shifted(incident.updated_at, by),
        ended_at=None if incident.ended_at is None else shifted(incident.ended_at, by),
        evidence=tuple(
            msgspec.structs.replace(file, captured_at=shifted(file.captured_at, by)) for file in incident.evidence
        ),
        views=tuple(
            view
            if view.captured_at is None
            else msgspec.structs.replace(view, captured_at=shifted(view.captured_at, by))
            for view in incident.views
        ),
        track=tuple(
            msgspec.structs.replace(point, at_us=to_microseconds(shifted(from_microseconds(point.at_us), by)))
            for point in incident.track
        ),
    )

"""The health (运行状况) of a node: what waits in it, since when, what was dropped and why.

Told now and then while the node has its link, never kept: the next one says more. It is a state like the presence, so it
has no envelope and is not acknowledged.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from edge.contract.birth import Point
from edge.contract.envelope import VERSION
from edge.contract.fields import Fraction, Instant, Name, Ordinal, Text, require_possible
from edge.contract.telemetry import GapReason

Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""How many, or how many bytes."""

CAMERAS_TOLD = 100
"""More cameras than one node can look at; of still more the least steady are told."""


KNOCKS_TOLD = 50
"""More who call and are not configured are somebody's play."""


class Level(StrEnum):
    """How full something is, in ascending order: warning from a half, critical from nine tenths."""

    NORMAL = "normal"
    WARNING = "warning"
    CRITICAL = "critical"


class Backlog(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What waits in the outbox. `share` is the part of the room that is used: at 1 the oldest readings are dropped. `unsaved`
    incidents wait in memory because the disk takes nothing.
    """

    level: Level
    share: Fraction
    used_bytes: Count
    quota_bytes: Count
    readings: Count
    incidents: Count
    messages: Count
    unsaved: Count = 0
    oldest_at: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.oldest_at)


class EvidenceBacklog(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Files that wait to be uploaded. `refused` the cloud will never take, `left_out` found no room on the node. Beside them the sealed
    originals that stay on the node until they are ordered: how many, and since when.
    """

    level: Level
    files: Count
    bytes: Count
    quota_bytes: Count
    refused: Count = 0
    left_out: Count = 0
    oldest_at: Instant | None = None
    originals: Count = 0
    originals_bytes: Count = 0
    originals_since: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.oldest_at, self.originals_since)


class LinkQuality(Struct, frozen=True, kw_only=True):
    """What the link to the broker did since the node's start."""

    connected_since: Instant
    connections: Count
    sent: Count
    resent: Count
    acknowledged: Count

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.connected_since)


class GateRecall(Struct, frozen=True, kw_only=True):
    """What a camera's gate (解码闸门) does and why, and how much of what decoding everything finds it finds: in `audited_s` seconds of decoding
    everything since the node's start there were movements that it `found` as well, and others that it `missed`.
    """

    state: Name
    reason: Name
    audited_s: Count = 0
    found: Count = 0
    missed: Count = 0


class CameraLink(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How steady the connection of a camera (连接质量) was within the last hour, or since it was opened where that is less long ago.
    `reconnects`: it had to be made anew; `stalls`: it stood, and no picture came. Without a `gate` all of it is decoded.
    """

    camera: Name
    reconnects_per_hour: Count
    stalls_per_hour: Count
    gate: GateRecall | None = None


class Knock(Struct, frozen=True, kw_only=True):
    """Who has called over a protocol (敲门) and is not configured, and how often since the node's start: a pile that somebody has put up
    and nobody has entered, or a mistyped number. Nothing that it tells is taken in.
    """

    protocol: Name
    name: Text
    count: Ordinal


class DroppedReadings(Struct, frozen=True, kw_only=True):
    """Readings of a device, of event times from `from_at` to `to_at`, that will never come; since the store was made."""

    device: Name
    reason: GapReason
    count: Ordinal
    from_at: Instant
    to_at: Instant

    def __post_init__(self) -> None:
        """Refuse times that can't be."""
        require_possible(self.from_at, self.to_at)


class DeadLetters(Struct, frozen=True, kw_only=True):
    """What the cloud rejected for good and the node keeps to be looked at. `subject` is a channel's last word or `evidence`."""

    subject: Name
    reason: Text
    count: Ordinal
    first_at: Instant
    last_at: Instant

    def __post_init__(self) -> None:
        """Refuse times that can't be."""
        require_possible(self.first_at, self.last_at)


class NodeHealth(Struct, frozen=True, kw_only=True):
    """One report. `seq` grows within the session; of `dropped` and `dead_letters` the newest are told, the totals are whole.
    `lost_readings` and `lost_incidents` went with a damaged disk. Of `cameras` the least steady come first, and no more than
    `CAMERAS_TOLD`; of `knocks` the most frequent.
    """

    v: int = VERSION
    node: Name
    session: UUID
    seq: Ordinal
    at: Instant
    backlog: Backlog
    evidence: EvidenceBacklog
    link: LinkQuality
    dropped_total: Count = 0
    dropped: Annotated[tuple[DroppedReadings, ...], Meta(max_length=50)] = ()
    lost_readings: Count = 0
    lost_incidents: Count = 0
    rejected_incidents: Count = 0
    dead_letters: Annotated[tuple[DeadLetters, ...], Meta(max_length=20)] = ()
    cameras: Annotated[tuple[CameraLink, ...], Meta(max_length=CAMERAS_TOLD)] = ()
    knocks: Annotated[tuple[Knock, ...], Meta(max_length=KNOCKS_TOLD)] = ()

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.at)


NODE_POINTS = (
    Point(name="outbox_percent", unit="%", minimum=0, maximum=100, period_s=60),
    Point(name="readings_waiting", minimum=0, period_s=60),
    Point(name="oldest_waiting_s", unit="s", minimum=0, period_s=60),
    Point(name="evidence_percent", unit="%", minimum=0, maximum=100, period_s=60),
)
"""What a node declares of itself as a device; `readings_of` has the values."""


def readings_of(health: NodeHealth) -> dict[str, float]:
    """The values of `NODE_POINTS` at the time of a report. An age needs no clock but the node's own."""
    oldest_at, evidence = health.backlog.oldest_at, health.evidence
    age_s = 0.0 if oldest_at is None else max(0.0, (health.at - oldest_at).total_seconds())
    return {
        "outbox_percent": round(100 * health.backlog.share, 2),
        "readings_waiting": float(health.backlog.readings),
        "oldest_waiting_s": round(age_s, 1),
        "evidence_percent": round(100 * min(1.0, evidence.bytes / evidence.quota_bytes), 2)
        if evidence.quota_bytes
        else 0.0,
    }

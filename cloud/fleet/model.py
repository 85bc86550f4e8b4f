"""What the fleet knows of nodes and devices. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from edge.contract.birth import Device
from edge.contract.health import Level, NodeHealth


class Presence(StrEnum):
    """Whether something is there. `degraded` works in part; behind a lost node everything is `unknown`."""

    ONLINE = "online"
    DEGRADED = "degraded"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NodeCredentials:
    """The secrets of a node, shown once: only hashes are kept."""

    node: str
    mqtt_password: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node that spoke, and how far its clock is from the true time in seconds, where it said so."""

    node_id: int
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class BirthStanding:
    """What decides between two births: the session and its order, and the node's presence."""

    session: UUID | None
    birth_id: UUID | None
    birth_seq: int | None
    presence: Presence
    presence_session: UUID | None


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """A device whose presence changed, for those who watch. `area_code` is its own grid or its node's area."""

    id: int
    node: str
    device: str
    presence: Presence
    since: datetime
    last_seen_at: datetime | None
    area_code: str


class WaitReason(StrEnum):
    """Why a declared device is not taken as it is."""

    NEW = "new"
    KIND_CHANGED = "kind_changed"


@dataclass(frozen=True, slots=True)
class SortedDevices:
    """The devices of a birth: those that a person has accepted, and those that wait for one."""

    accepted: tuple[Device, ...]
    waiting: tuple[tuple[Device, WaitReason], ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingDevice:
    """A device that a node declares and nobody has accepted yet, or somebody does not want."""

    node_id: int
    name: str
    declared: Device
    reason: WaitReason
    first_seen_at: datetime
    last_seen_at: datetime
    ignored_at: datetime | None = None
    ignored_by: str | None = None


LARGEST_COUNT = (1 << 63) - 1
"""What a table holds."""


@dataclass(frozen=True, slots=True)
class HealthTold:
    """What a node said of what waits in it, and when that came."""

    node_id: int
    health: NodeHealth
    received_at: datetime

    @property
    def losses(self) -> int:
        """Readings and incidents that will never come, as the node has counted them since its store was made."""
        health = self.health
        return min(health.dropped_total + health.lost_readings + health.lost_incidents, LARGEST_COUNT)


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A node whose outbox got fuller or emptier, for those who watch. `area_code` is its own area."""

    node: str
    area_code: str
    level: Level


@dataclass(frozen=True, slots=True)
class FleetBacklog:
    """What waits in all nodes together. `silent` nodes are accepted and have not told lately."""

    nodes: int
    silent: int
    warning: int
    critical: int
    readings_waiting: int
    incidents_waiting: int
    files_waiting: int
    oldest_at: datetime | None
    dropped: int
    rejected_incidents: int

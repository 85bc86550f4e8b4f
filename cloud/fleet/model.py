"""What the fleet knows of nodes and devices. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


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

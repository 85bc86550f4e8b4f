"""What enrolment works with. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from edge.contract.incident import Severity


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim code as it is kept: without the code. `trusts_births`: devices of the node need no person's word."""

    id: int
    node: str
    district: str
    area_code: str
    trusts_births: bool
    selector: str
    code_hash: bytes = field(repr=False)
    made_by: str
    made_at: datetime
    expires_at: datetime
    failures: int = 0
    used_at: datetime | None = None
    used_key: bytes | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MadeClaim:
    """A claim and its code, which is shown once."""

    claim: Claim
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BoundNode:
    """An accepted node as enrolment sees it; `public_key` is the key that is bound to it."""

    id: int
    name: str
    district: str
    area_code: str
    public_key: bytes | None
    renewal_wanted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credential:
    """What a node logs in with, without its secrets. `used_at` is its first use over HTTPS or at a broker that asks."""

    generation: int
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CommandKey:
    """The public half of a key that signs, or signed, what nodes are asked to do."""

    public_key: bytes
    first_used_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """Messages of one node that wait on one channel for one reason. `needs_word`: until somebody vouches for them."""

    channel: str
    reason: str
    messages: int
    size_bytes: int
    since: datetime
    latest_at: datetime
    needs_word: bool


@dataclass(frozen=True, slots=True)
class UnprovenIncident:
    """An incident in the name of a node that its key has not signed. What it says of itself is None where it can't be read."""

    id: int
    reason: str
    device: str
    received_at: datetime
    kind: str | None
    severity: Severity | None
    started_at: datetime | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class HeldMessages:
    """What waits of a node: all of it counted, of what needs somebody's word the newest."""

    node: str
    groups: list[HeldGroup]
    incidents: list[UnprovenIncident]


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """New credentials of a node, shown once."""

    node: str
    district: str
    generation: int
    mqtt_user: str
    mqtt_password: str = field(repr=False)
    token: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """That somebody holds a private key: a challenge of ours, and its signature with what is asked."""

    public_key: bytes
    challenge: str
    signature: str

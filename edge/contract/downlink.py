"""What the cloud sends down: acknowledgements, commands, desired profiles."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from edge.contract.envelope import VERSION
from edge.contract.fields import Instant, Name, Ordinal, Sha256, Text, require_possible
from edge.contract.signing import SignatureText, statement


class Outcome(StrEnum):
    """What became of a message. All four end its resending; `rejected` moves it to the node's dead letters."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


class Result(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome for one message id."""

    id: UUID
    outcome: Outcome
    reason: Text | None = None


class Ack(Struct, frozen=True, kw_only=True):
    """One per commit, node and session, sent only after that commit. `session` is that in which the answered messages were
    sent: what an earlier session sent is delivered, but the number that it has in the present one has not come yet.
    """

    v: int = VERSION
    node: Name
    session: UUID | None = None
    sent_at: Instant
    results: Annotated[tuple[Result, ...], Meta(min_length=1, max_length=1000)]

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.sent_at)


class CommandName(StrEnum):
    """What a node can be asked to do; one that does not know a name refuses it."""

    LOG_TAIL = "log_tail"
    """The newest lines of its log (日志尾部): `edge.contract.log_tail`."""
    RULES_TRY = "rules_try"
    """What other zones and rules would have told of what was really seen."""
    SNAPSHOT = "snapshot"
    """Masked pictures of a camera, for a while."""
    DEVICE_ACTION = "device_action"
    """Something that a device shall do (设备指令): `edge.contract.device_command`."""
    UPLOAD_SEALED = "upload_sealed"
    """Sealed originals that two people want to see: `edge.contract.originals`."""
    KEEP_SEALED = "keep_sealed"
    """Sealed originals that must not go (法律保全): `edge.contract.originals`."""


class Command(Struct, frozen=True, kw_only=True):
    """An order for the present session, refused by any other and after `deadline`: nothing queued for a week can act.

    It may come again while it is not answered: an id is carried out once. `name` is one of `CommandName`, or of a newer cloud.
    `sig` is the cloud's over `command_statement`.
    """

    v: int = VERSION
    command_id: UUID
    node: Name
    session: UUID
    issued_at: Instant
    deadline: Instant
    name: Name
    device: Name | None = None
    arguments: dict[str, Any] = {}
    sig: SignatureText | None = None

    def __post_init__(self) -> None:
        """Refuse times that can't be."""
        require_possible(self.issued_at, self.deadline)


def command_statement(command: Command) -> bytes:
    """What the cloud signs of a command: all of it, so that nothing of it can be taken for another node, start or time.

    Raises ValueError, TypeError for arguments that have no canonical form: nobody has signed such.
    """
    return statement(
        "command",
        {
            "v": command.v,
            "command_id": command.command_id,
            "node": command.node,
            "session": command.session,
            "issued_at": command.issued_at,
            "deadline": command.deadline,
            "name": command.name,
            "device": command.device,
            "arguments": command.arguments,
        },
    )


class DesiredProfile(Struct, frozen=True, kw_only=True):
    """What the node shall run: a signed profile, model or program (`artifact`), fetched by hash, verified, announced by the next birth.

    `profile` is its name: a kind of devices, a model, `gridward`. From `artifact` to `signed_at` stands what a maintainer signed (`sig`, with
    the key of the fingerprint `key`). An order that is older (`issued_at`) than the last one taken for the same name changes nothing, a lower
    version only acts with `roll_back`. A firmware is for one `device` of the node; after `deadline` nothing of it is begun. `order_sig` is the cloud's own signature: that this node shall run it, now.
    """

    v: int = VERSION
    node: Name
    profile: Name
    version: Text
    sha256: Sha256
    sig: Annotated[str, Meta(max_length=200)]
    artifact: Name = "profile"
    size_bytes: Ordinal | None = None
    key: Sha256 | None = None
    signed_at: Instant | None = None
    desired_id: UUID | None = None
    issued_at: Instant | None = None
    roll_back: bool = False
    order_sig: SignatureText | None = None
    device: Name | None = None
    deadline: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse times that can't be."""
        require_possible(self.signed_at, self.issued_at, self.deadline)


def order_statement(desired: DesiredProfile) -> bytes:
    """What the cloud signs of an order: all of it. Raises ValueError for text that is not Unicode: nobody has signed such.

    What came later stands in it only where it says something, so that orders of older clouds stay signed.
    """
    later = {"device": desired.device, "deadline": desired.deadline}
    return statement(
        "desired",
        {
            "v": desired.v,
            "node": desired.node,
            "artifact": desired.artifact,
            "name": desired.profile,
            "version": desired.version,
            "sha256": desired.sha256,
            "size_bytes": desired.size_bytes,
            "key": desired.key,
            "signed_at": desired.signed_at,
            "sig": desired.sig,
            "desired_id": desired.desired_id,
            "issued_at": desired.issued_at,
            "roll_back": desired.roll_back,
        }
        | {name: value for name, value in later.items() if value is not None},
    )

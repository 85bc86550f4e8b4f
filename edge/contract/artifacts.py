"""What nodes are given and run: profiles (配置档), models, the node's own program and the firmware of its devices (固件), and how far a step
with one of them is.

A node tells both in its birth: as a state, acknowledged and told again after each reconnection, so that no step is lost between them.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from edge.contract.fields import Instant, Name, Sha256, Text, require_possible

VersionText = Annotated[str, Meta(min_length=1, max_length=64)]
"""A version as it is signed: `MAJOR.MINOR.PATCH`, perhaps with what precedes a release."""

ARTIFACTS_TOLD = 64
DEVICES_TOLD = 500


class RunningArtifact(Struct, frozen=True, kw_only=True):
    """What a node runs and has found to be well: never what is only being tried. `artifact` is `profile`, `model` or `program`,
    `name` the kind of devices, the model or the program.
    """

    artifact: Name
    name: Name
    version: VersionText
    sha256: Sha256


class DeviceFirmware(Struct, frozen=True, kw_only=True):
    """What a device runs itself, as its own start told (`BootNotification`). `name` is that of its make and model
    (`firmware_configs.device_firmware`); no device names a hash.
    """

    device: Name
    name: Name
    version: VersionText


class StepState(StrEnum):
    """How far a node is with what it shall run. The last four are ends: the same order is not tried again."""

    FETCHING = "fetching"
    TRYING = "trying"
    """It runs, and has to show for a while that all is well."""
    APPLIED = "applied"
    REFUSED = "refused"
    """Nothing was touched."""
    FAILED = "failed"
    """It could not be taken in; what ran before goes on."""
    ROLLED_BACK = "rolled_back"
    """It ran, and all was not well; what ran before runs again."""


STEPS_ENDED = frozenset({StepState.APPLIED, StepState.REFUSED, StepState.FAILED, StepState.ROLLED_BACK})


class StepCode(StrEnum):
    """Why a step did not end well; a newer node may have others."""

    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KEY = "unknown_key"
    DOWNGRADE = "downgrade"
    OTHER_KIND = "other_kind"
    """It is signed as something else than it was sent as, or its content is."""
    WRONG_HASH = "wrong_hash"
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"
    SOFTWARE_TOO_OLD = "software_too_old"
    NOT_VALID = "not_valid"
    NO_ROOM = "no_room"
    NEEDS_NEW_IMAGE = "needs_new_image"
    """The program needs other packages than are installed here."""
    NOT_FETCHED = "not_fetched"
    UNHEALTHY = "unhealthy"
    CRASHED = "crashed"
    UNSUPPORTED = "unsupported"
    LATE = "late"
    """The device was not there, or never idle, until the order's deadline."""
    NOT_INSTALLED = "not_installed"
    """The device says that it could not install it."""
    OTHER_VERSION = "other_version"
    """The device says that it installed it, and starts with another version."""


class StepReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last step of a node with one artifact, or with that of one `device`; `desired_id` is that of the order it follows."""

    desired_id: UUID | None = None
    artifact: Name
    name: Name
    version: VersionText
    sha256: Sha256
    state: Name
    code: Name | None = None
    reason: Text | None = None
    at: Instant
    device: Name | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.at)

"""Sealed originals (封存原件) stay at the node: what the cloud orders of them with `upload_sealed` and `keep_sealed`, and what comes back.

A node announces what it keeps in its incidents, by hash and size; nothing of it leaves unless it is ordered.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from edge.contract.fields import Instant, Sha256, require_possible

MOST_FILES = 50
"""Of one command."""

Files = Annotated[tuple[Sha256, ...], Meta(min_length=1, max_length=MOST_FILES)]


class UploadSealedArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send these originals, as any other file of evidence; what has not gone by `until` stays."""

    files: Files
    until: Instant

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.until)


class KeepSealedArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let go of none of these originals before `until`; without it not before another command names an end, which may have passed."""

    files: Files
    until: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.until)


class OriginalState(StrEnum):
    """How a node stands with an original that was named."""

    ORDERED = "ordered"
    """It goes as soon as the line allows."""
    KEPT = "kept"
    RELEASED = "released"
    """It is kept as long as all others."""
    NO_ROOM = "no_room"
    """It can't be promised: too much is held already."""
    GONE = "gone"
    NOT_TAKEN = "not_taken"
    """It was sent for this order, and the cloud refused it for good: `reasons` tell why."""


class OriginalsResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the node stands with each of the originals, and why the cloud did not take one."""

    files: dict[str, OriginalState]
    reasons: dict[str, str] = {}

"""What may be stored as evidence, and which bytes of it were asked for. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from cloud.access.model import Role
from cloud.errors import Invalid
from edge.contract.incident import SEALED_MIME, EvidenceKind

TAKEN = frozenset({"image/jpeg", "video/mp4", "video/webm", SEALED_MIME})

_WORKERS: Final = frozenset(
    {Role.DUTY_CHIEF, Role.INTAKE_CLERK, Role.DISPATCHER, Role.GRID_WORKER, Role.GRID_LEAD, Role.DEPARTMENT}
)

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class OutsideOfFile(Invalid):
    """The bytes that were asked for are not in the file of `total` bytes."""

    def __init__(self, total: int) -> None:
        super().__init__(f"the range lies outside of the {total} bytes")
        self.total = total


OWN_STEPS: Final = frozenset(
    {
        "opened",
        "verify",
        "confirm",
        "dismiss",
        "inconclusive",
        "publish",
        "claim",
        "dispatch",
        "recall",
        "take",
        "accept",
        "resolve",
        "ask_return",
        "allow_return",
        "refuse_return",
        "ask_suspension",
        "allow_suspension",
        "refuse_suspension",
        "resume",
        "ask_extension",
        "allow_extension",
        "refuse_extension",
        "check",
        "rework",
        "close",
        "reopen",
        "void",
        "taken_away",
        "resumed",
        "reopened",
        "came_again",
    }
)
"""Steps of a history that make a case the own work of whoever took them, was named in them, or works for the department that they name:
he reported it, decided over it, was given it or had it. What anybody may write beside the work (a comment, an urge, a rating, a hold, a
whistle, a question for an original), what the cloud tells by itself, and what only brings cases together, makes it nobody's."""


def needs_purpose(role: Role, *, is_own: bool, is_over: bool, is_order: bool) -> bool:
    """Whether a person has to say what for before a picture is shown. Work is a purpose: on one's own case at any time, on a case in one's
    area that still runs for those who work on cases, on a work order (`is_order`) for those who keep devices.
    """
    if is_own:
        return False
    if is_order:
        return role is not Role.MAINTAINER
    return is_over or role not in _WORKERS


def is_taken(kind: str, mime: str) -> bool:
    """Whether such files are stored at all: what is called sealed is sealed, and nothing else is."""
    return mime in TAKEN and (kind == EvidenceKind.SEALED) == (mime == SEALED_MIME)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an upload: bytes from `start` up to `end` (exclusive) of `total`."""

    start: int
    end: int
    total: int


def parse_content_range(header: str | None, *, total: int) -> Part:
    """The piece that an upload announces; the whole file without a header. Raises Invalid."""
    if header is None:
        return Part(0, total, total)
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise Invalid("Content-Range must read `bytes first-last/total`")
    first, last, announced = (int(group) for group in match.groups())
    if announced != total or not first <= last < total:
        raise Invalid(f"Content-Range does not fit a file of {total} bytes")
    return Part(first, last + 1, total)


def parse_range(header: str | None, *, total: int) -> tuple[int, int] | None:
    """The bytes that a reader asks for, from start up to end (exclusive).

    None means all of it: no header, several ranges, or one that is not understood (RFC 9110 §14.2 lets a server ignore
    those). Raises OutsideOfFile for a range outside of the file.
    """
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        count = min(int(last), total)
        start, end = total - count, total
    else:
        start, end = int(first), min(int(last) + 1, total) if last else total
    if start >= end:
        raise OutsideOfFile(total)
    return start, end

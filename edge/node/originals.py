"""Sealed originals that the cloud orders, or wants kept: the commands `upload_sealed` and `keep_sealed`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from edge.contract.originals import KeepSealedArguments, OriginalsResult, OriginalState, UploadSealedArguments
from edge.errors import CommandRefused
from edge.node.commands import Handler, Request

LONGEST_REASON = 100
"""An answer has room for the reasons of all its files."""

_Arguments = TypeVar("_Arguments")


class Originals(Protocol):
    """Where they lie."""

    def order_originals(self, names: Sequence[str], until: datetime) -> dict[str, OriginalState]:
        """Let them go until a time."""
        ...

    def refusals(self, names: Sequence[str], until: datetime) -> dict[str, str]:
        """Why the cloud did not take them."""
        ...

    def hold_originals(self, names: Sequence[str], until: datetime | None) -> dict[str, OriginalState]:
        """Let go of none before a time."""
        ...


def upload_sealed_of(originals: Originals) -> Handler:
    """The handler that lets originals go: the thread of evidence finds them within seconds."""

    def order(request: Request) -> dict[str, Any]:
        asked = _read(request, UploadSealedArguments)
        standing = originals.order_originals(asked.files, asked.until)
        return _told(standing, originals.refusals(asked.files, asked.until))

    return order


def keep_sealed_of(originals: Originals) -> Handler:
    """The handler that keeps originals beyond their time."""

    def keep(request: Request) -> dict[str, Any]:
        asked = _read(request, KeepSealedArguments)
        return _told(originals.hold_originals(asked.files, asked.until))

    return keep


def _read(request: Request, shape: type[_Arguments]) -> _Arguments:
    try:
        return msgspec.convert(dict(request.arguments), shape)
    except (msgspec.ValidationError, ValueError) as error:
        raise CommandRefused(f"not understood: {error}") from error


def _told(files: dict[str, OriginalState], reasons: dict[str, str] | None = None) -> dict[str, Any]:
    short = {name: reason[:LONGEST_REASON] for name, reason in (reasons or {}).items()}
    result: dict[str, Any] = msgspec.to_builtins(OriginalsResult(files=files, reasons=short))
    return result

"""The newest lines of a node's log (日志尾部): what is asked with the command `log_tail`, and what comes back."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from edge.contract.fields import Instant, require_possible

MOST_LINES = 1_000
LARGEST_BYTES = 128 * 1024
"""Of all lines together, as JSON: the newest that fit."""


class LogLevel(StrEnum):
    """How grave a line is, in ascending order."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogTailArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `lines` of the newest lines, of `level` or graver, not older than `since` (by the machine's clock)."""

    lines: Annotated[int, Meta(ge=1, le=MOST_LINES)] = 200
    level: LogLevel = LogLevel.INFO
    since: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.since)


class LogLine(Struct, frozen=True, kw_only=True):
    """A line without secrets. `at` and `level` are missing where it was not written by the node's own log."""

    at: Instant | None = None
    level: LogLevel | None = None
    text: str


class LogTailResult(Struct, frozen=True, kw_only=True):
    """The newest last. `cut`: there are more of this kind than were asked for, or than fit."""

    lines: tuple[LogLine, ...] = ()
    cut: bool = False

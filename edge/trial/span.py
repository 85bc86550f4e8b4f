"""The span of a trial in words: `7d`, `12h`, `30m`, or a time."""

from datetime import UTC, datetime, timedelta
from re import fullmatch
from typing import Final

from edge.errors import ConfigurationError
from edge.rules.schedule import CHINA

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def since_of(words: str) -> timedelta | datetime:
    """A length of time back from the newest, or a time. Raises ConfigurationError."""
    match = fullmatch(r"([0-9]{1,6})([smhd])", words)
    return moment_of(words) if match is None else timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])


def moment_of(words: str) -> datetime:
    """A time; without a zone that of Asia/Shanghai. Raises ConfigurationError."""
    try:
        found = datetime.fromisoformat(words)
        return (found.replace(tzinfo=CHINA) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"`{words}` is no time; 7d, 12h and 2026-03-01T08:00 (Asia/Shanghai) are") from error

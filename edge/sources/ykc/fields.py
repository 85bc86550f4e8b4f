"""What the bodies of YKC frames are made of (§3.2): little-endian numbers, BCD, ASCII and CP56Time2a. Pure.

A field has a size and goes both ways; only what can't be identified without it (a pile's or a gun's number) is refused.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

PILE_TIME: Final = timezone(timedelta(hours=8), "CST")
"""Piles know one time, that of Beijing (北京时间)."""


class MalformedBody(ValueError):
    """A body that can't be what its type says."""


class Field(Protocol[T]):
    """A part of a body."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def read(self, data: bytes) -> T:
        """The value of exactly `size` bytes. Raises MalformedBody."""
        ...

    def written(self, value: T) -> bytes:
        """The bytes of a value. Raises ValueError or OverflowError for one that does not fit."""
        ...


@dataclass(frozen=True, slots=True)
class Unsigned:
    """BIN: a whole number, low byte first; scaled values stay in the units of the wire."""

    size: int

    def read(self, data: bytes) -> int:
        """Any bytes are a number."""
        return int.from_bytes(data, "little")

    def written(self, value: int) -> bytes:
        """Low byte first."""
        return value.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Digits:
    """BCD that only identifies (a transaction, a card): its digits as they are, nonsense in place of a digit kept as a-f."""

    size: int

    def read(self, data: bytes) -> str:
        """Two characters for each byte."""
        return data.hex()

    def written(self, value: str) -> bytes:
        """Of exactly as many digits."""
        data = bytes.fromhex(value)
        if len(data) != self.size:
            raise ValueError(f"{2 * self.size} digits are needed, not {len(value)}")
        return data


@dataclass(frozen=True, slots=True)
class Decimal:
    """BCD that has to be right: the number of a pile."""

    size: int

    def read(self, data: bytes) -> str:
        """Two digits for each byte."""
        digits = data.hex()
        if not digits.isdecimal():
            raise MalformedBody("a number in BCD has other than decimal digits")
        return digits

    def written(self, value: str) -> bytes:
        """Of exactly as many digits."""
        data = bytes.fromhex(value)
        if len(data) != self.size or not value.isdecimal():
            raise ValueError(f"{2 * self.size} decimal digits are needed")
        return data


@dataclass(frozen=True, slots=True)
class Gun:
    """The number of a gun (枪号): one byte BCD, 0 to 99."""

    size: int = 1

    def read(self, data: bytes) -> int:
        """As a number."""
        digits = data.hex()
        if not digits.isdecimal():
            raise MalformedBody("a gun's number has other than decimal digits")
        return int(digits)

    def written(self, value: int) -> bytes:
        """0 to 99."""
        return bytes.fromhex(f"{value:02}")


@dataclass(frozen=True, slots=True)
class Words:
    """ASCII, padded with zeros; what is none is shown as `?`."""

    size: int

    def read(self, data: bytes) -> str:
        """Without its padding, and without what would harm a log."""
        text = data.split(b"\0", 1)[0].decode("ascii", "replace")
        return "".join(each if each.isascii() and each.isprintable() else "?" for each in text).strip()

    def written(self, value: str) -> bytes:
        """Padded. Raises ValueError for what is too long."""
        data = value.encode("ascii")
        if len(data) > self.size:
            raise ValueError(f"at most {self.size} characters, not {len(data)}")
        return data.ljust(self.size, b"\0")


@dataclass(frozen=True, slots=True)
class Bytes:
    """As they are."""

    size: int

    def read(self, data: bytes) -> bytes:
        """Unchanged."""
        return data

    def written(self, value: bytes) -> bytes:
        """Of exactly that size."""
        if len(value) != self.size:
            raise ValueError(f"{self.size} bytes are needed, not {len(value)}")
        return value


@dataclass(frozen=True, slots=True)
class Row:
    """The same number several times."""

    each: Unsigned
    count: int

    @property
    def size(self) -> int:
        """All together."""
        return self.each.size * self.count

    def read(self, data: bytes) -> tuple[int, ...]:
        """In their order."""
        step = self.each.size
        return tuple(self.each.read(data[at : at + step]) for at in range(0, self.size, step))

    def written(self, value: tuple[int, ...]) -> bytes:
        """Exactly as many."""
        if len(value) != self.count:
            raise ValueError(f"{self.count} values are needed, not {len(value)}")
        return b"".join(self.each.written(each) for each in value)


@dataclass(frozen=True, slots=True)
class Cp56Time:
    """CP56Time2a (IEC 60870-5-4): milliseconds, minute, hour, day, month, year since 2000; None for what is no time."""

    size: int = 7

    def read(self, data: bytes) -> datetime | None:
        """An aware time in UTC; zeros, an impossible date and the mark of an invalid time (IV) are none."""
        milliseconds = int.from_bytes(data[:2], "little")
        if data[2] & 0x80 or milliseconds >= 60_000:
            return None
        try:
            local = datetime(
                2000 + (data[6] & 0x7F),
                data[5] & 0x0F,
                data[4] & 0x1F,
                data[3] & 0x1F,
                data[2] & 0x3F,
                tzinfo=PILE_TIME,
            )
        except ValueError:
            return None
        return (local + timedelta(milliseconds=milliseconds)).astimezone(UTC)

    def written(self, value: datetime | None) -> bytes:
        """To the millisecond; the day of the week is left open. Raises ValueError beyond the years 2000 to 2099."""
        if value is None:
            return bytes(7)
        local = value.astimezone(PILE_TIME)
        if not 2000 <= local.year < 2100:
            raise ValueError("CP56Time2a knows the years 2000 to 2099")
        milliseconds = local.second * 1000 + local.microsecond // 1000
        return milliseconds.to_bytes(2, "little") + bytes(
            (local.minute, local.hour, local.day, local.month, local.year - 2000)
        )

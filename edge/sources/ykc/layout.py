"""From the bytes of a body to a message and back, by a table of fields. Pure."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from edge.sources.ykc.fields import Bytes, Cp56Time, Decimal, Digits, Field, Gun, MalformedBody, Row, Unsigned, Words

M = TypeVar("M")

PILE: Final = Decimal(7)
GUN: Final = Gun()
TRANSACTION: Final = Digits(16)
U8: Final = Unsigned(1)
U16: Final = Unsigned(2)
U32: Final = Unsigned(4)
U40: Final = Unsigned(5)
TIME: Final = Cp56Time()
TARIFF: Final = Digits(2)

__all__ = [
    "GUN",
    "PILE",
    "TARIFF",
    "TIME",
    "TRANSACTION",
    "U8",
    "U16",
    "U32",
    "U40",
    "Bytes",
    "Digits",
    "Layout",
    "Row",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Layout(Generic[M]):
    """How a message lies in a body: its fields in the order of its class."""

    message: type[M]
    fields: tuple[Field[Any], ...]

    @property
    def size(self) -> int:
        """Bytes of a body."""
        return sum(field.size for field in self.fields)

    def read(self, body: bytes) -> M:
        """The message; what a newer version of the protocol says behind it is left alone. Raises MalformedBody."""
        if len(body) < self.size:
            raise MalformedBody(f"{self.size} bytes are needed, not {len(body)}")
        values, at = [], 0
        for field in self.fields:
            values.append(field.read(body[at : at + field.size]))
            at += field.size
        return self.message(*values)

    def written(self, message: M) -> bytes:
        """The body. Raises ValueError or OverflowError for a value that does not fit."""
        values = [getattr(message, each.name) for each in dataclasses.fields(message)]  # type: ignore[arg-type]
        return b"".join(field.written(value) for field, value in zip(self.fields, values, strict=True))

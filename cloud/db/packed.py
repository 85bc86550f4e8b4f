"""Columns of numbers as binary PostgreSQL arrays, built without touching each element in Python.

psycopg writes a list element by element, which costs more than the server needs for the insert itself. These wrappers
take an `array.array` (or anything it is made from) and write the wire format of a one-dimensional array in a few passes
over memory. Source of the format: `array_send` and `array_recv` in PostgreSQL's `arrayfuncs.c`.
"""

import struct
import sys
from array import array
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_POSTGRES_EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_HEADER = struct.Struct("!iiIii")  # dimensions, has nulls, element type, length, lower bound
_LITTLE_ENDIAN = sys.byteorder == "little"


class PackedColumn:
    """A column of numbers without nulls. Subclasses state the element's type."""

    typecode: ClassVar[str]
    element_oid: ClassVar[int]

    __slots__ = ("values",)

    def __init__(self, values: Iterable[float]) -> None:
        """Raises OverflowError or TypeError for what the element's type can't hold."""
        self.values = values if isinstance(values, array) else array(self.typecode, values)

    def wire(self) -> bytearray:
        """The array in PostgreSQL's binary format."""
        count = len(self.values)
        if not count:
            return bytearray(struct.pack("!iiI", 0, 0, self.element_oid))
        width = self.values.itemsize
        elements = self.values.tobytes()
        stride = 4 + width
        body = bytearray(count * stride)
        body[3::stride] = bytes((width,)) * count
        for byte in range(width):
            source = width - 1 - byte if _LITTLE_ENDIAN else byte
            body[4 + byte :: stride] = elements[source::width]
        return bytearray(_HEADER.pack(1, 0, self.element_oid, count, 1)) + body


class SmallIntegers(PackedColumn):
    """smallint[]."""

    typecode = "h"
    element_oid = 21


class Integers(PackedColumn):
    """integer[]."""

    typecode = "i"
    element_oid = 23


class Doubles(PackedColumn):
    """double precision[]."""

    typecode = "d"
    element_oid = 701


class Instants(PackedColumn):
    """timestamptz[], made from microseconds since 1970."""

    typecode = "q"
    element_oid = 1184

    def __init__(self, values: Iterable[float]) -> None:
        """Microseconds since 1970-01-01T00:00Z, whole numbers."""
        super().__init__(array("q", [int(us) - _POSTGRES_EPOCH_US for us in values]))


class _PackedDumper(Dumper):
    """Hands psycopg the wire format."""

    format = Format.BINARY

    def dump(self, obj: PackedColumn) -> bytearray:
        return obj.wire()


def _register() -> None:
    for column, array_oid in ((SmallIntegers, 1005), (Integers, 1007), (Doubles, 1022), (Instants, 1185)):
        dumper = type(f"_{column.__name__}Dumper", (_PackedDumper,), {"oid": array_oid})
        psycopg.adapters.register_dumper(column, dumper)


_register()

"""Registers (寄存器): which are read together, and what stands in them. Pure."""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.contract.fields import LARGEST_VALUE
from edge.settings.modbus import RegisterPoint, RegisterTable, RegisterType, WordOrder
from edge.sources.payload import Refusal

MOST_REGISTERS: Final = 125
MOST_BITS: Final = 2_000
"""Of one read (Modbus Application Protocol V1.1b3, 6.1 to 6.4)."""

_SIGNED: Final[Mapping[RegisterType, str]] = {
    RegisterType.INT16: ">h",
    RegisterType.UINT16: ">H",
    RegisterType.INT32: ">i",
    RegisterType.UINT32: ">I",
    RegisterType.FLOAT32: ">f",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One read: `count` addresses of a table from `address` on, and the points that lie in it."""

    table: RegisterTable
    address: int
    count: int
    points: tuple[RegisterPoint, ...]

    @property
    def singly(self) -> tuple["Block", ...]:
        """The same points, each by itself: after a refusal that leaves open which one was meant."""
        return tuple(_block((point,)) for point in self.points)


@dataclass(frozen=True, slots=True)
class Value:
    """What a point says. `raw_code` is the number that stands for a state."""

    value: float | str
    raw_code: str | None = None


def blocks(points: Sequence[RegisterPoint]) -> tuple[Block, ...]:
    """As few reads as possible without touching an address that no point has: a server may refuse a whole read for one of those."""
    return tuple(_block(group) for group in _groups(points))


def _groups(points: Sequence[RegisterPoint]) -> Iterator[tuple[RegisterPoint, ...]]:
    group: list[RegisterPoint] = []
    end = 0
    for point in sorted(points, key=lambda each: (each.settings.table, each.settings.address, each.settings.name)):
        settings = point.settings
        most = MOST_BITS if settings.table.of_bits else MOST_REGISTERS
        if group:
            first = group[0].settings
            beyond = max(end, settings.address + settings.addresses)
            if settings.table is not first.table or settings.address > end or beyond - first.address > most:
                yield tuple(group)
                group = []
        end = settings.address + settings.addresses if not group else max(end, settings.address + settings.addresses)
        group.append(point)
    if group:
        yield tuple(group)


def _block(points: Sequence[RegisterPoint]) -> Block:
    first = min(point.settings.address for point in points)
    end = max(point.settings.address + point.settings.addresses for point in points)
    return Block(points[0].settings.table, first, end - first, tuple(points))


def value_of(point: RegisterPoint, block: Block, held: Sequence[int] | Sequence[bool]) -> Value | Refusal:
    """What `point` says, of what a read of `block` brought: one number per register or bit. A shorter answer than was asked for holds
    nothing of the points that it cuts off.
    """
    settings = point.settings
    at = settings.address - block.address
    words = [int(word) for word in held[at : at + settings.addresses]]
    if len(words) < settings.addresses:
        return Refusal.MISSING
    if settings.table.of_bits:
        return _state(words[0] & 1, point)
    if not all(0 <= word <= 0xFFFF for word in words):
        return Refusal.MALFORMED
    if settings.bit is not None:
        return _state(words[0] >> settings.bit & 1, point)
    number = _number(words, settings.type, settings.word_order)
    return _state(int(number), point) if settings.states is not None else _measured(number, point)


def _number(words: Sequence[int], kind: RegisterType, order: WordOrder) -> float | int:
    in_order = words if order is WordOrder.BIG else words[::-1]
    number: float | int = struct.unpack(_SIGNED[kind], b"".join(struct.pack(">H", word) for word in in_order))[0]
    return number


def _state(number: int, point: RegisterPoint) -> Value:
    """The word for it; a number without one is told as it is, never refused: it may be the one that matters."""
    return Value(point.states.get(number, str(number)), raw_code=str(number))


def _measured(number: float, point: RegisterPoint) -> Value | Refusal:
    value = round(number * point.settings.scale + point.settings.offset, 9)
    if not math.isfinite(value) or abs(value) > LARGEST_VALUE:
        return Refusal.OUT_OF_RANGE
    declared = point.declared
    too_low = declared.minimum is not None and value < declared.minimum
    too_high = declared.maximum is not None and value > declared.maximum
    return Refusal.OUT_OF_RANGE if too_low or too_high else Value(value)

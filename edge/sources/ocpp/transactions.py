"""Charges (充电交易) that stations begin and end: their numbers, which connector they are on, and what was told of them already. Pure.

A station that has no answer sends the same beginning or end again, perhaps days later and after a restart of the node. What was kept is
known by its mark, which is committed together with the readings: the same beginning has the same number, and an end is one end.
"""

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.flow import RECEIPTS_KEPT

LARGEST_NUMBER: Final = (1 << 31) - 1
"""Stations keep numbers in 32 bits with a sign, many of them."""

_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
_MARK: Final = struct.Struct(">BH8siq8s")
_LATEST_US: Final = 253_402_214_400_000_000


class _Kind(IntEnum):
    START = 1
    STOP = 2
    EVENT = 3


@dataclass(frozen=True, slots=True)
class Transaction:
    """A charge. `started_at` is node time."""

    number: int
    connector: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class _Mark:
    """`station` and `content` are digests: whose it is, and of what was said."""

    kind: _Kind
    connector: int
    station: bytes
    number: int
    at_us: int
    content: bytes

    def packed(self) -> bytes:
        return _MARK.pack(self.kind, self.connector, self.station, self.number, self.at_us, self.content)


@dataclass(frozen=True, slots=True)
class _Charge:
    """Where a charge is or was."""

    connector: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Something that was kept before. `in_this_run`: the rules have seen it since the start of the process."""

    number: int
    connector: int
    at: datetime
    in_this_run: bool


class TransactionBook:
    """All charges of all stations, the newest `RECEIPTS_KEPT` marks. Whoever notes something keeps what comes back together with the
    readings, and then settles it; what could not be kept was never noted.
    """

    def __init__(self, marks: Iterable[bytes] = (), *, most: int = RECEIPTS_KEPT) -> None:
        """`marks` were kept before, oldest first; one that can't be read tells nothing."""
        self._most = most
        self._marks: OrderedDict[tuple[bytes, bytes], tuple[_Mark, bool]] = OrderedDict()
        self._open: dict[tuple[bytes, int], _Mark] = {}
        self._charges: OrderedDict[tuple[bytes, int], _Charge] = OrderedDict()
        self._last_number = 0
        for packed in marks:
            mark = _read(packed)
            if mark is not None:
                self._take(mark, in_this_run=False)

    def __len__(self) -> int:
        """How many marks are known."""
        return len(self._marks)

    def next_number(self, now: datetime) -> int:
        """A number that no charge has had: it runs ahead of the clock's seconds, so that none comes again even when the marks are lost."""
        seconds = int((now - _EPOCH).total_seconds())
        number = max(self._last_number + 1, seconds, 1)
        self._last_number = number if number <= LARGEST_NUMBER else 1
        return self._last_number

    def known(self, station: str, content: tuple[Any, ...]) -> Known | None:
        """What was kept of this very message of the station; None for one that has to be kept now."""
        found = self._marks.get((_digest(station), _digest(*content)))
        if found is None:
            return None
        mark, in_this_run = found
        return Known(mark.number, mark.connector, from_microseconds(mark.at_us), in_this_run)

    def start(self, station: str, transaction: Transaction, content: tuple[Any, ...]) -> bytes:
        """The mark of a beginning, to be kept and then settled."""
        return self._mark(_Kind.START, station, transaction, content)

    def stop(self, station: str, transaction: Transaction, content: tuple[Any, ...]) -> bytes:
        """The mark of an end; `started_at` is when that was."""
        return self._mark(_Kind.STOP, station, transaction, content)

    def event(self, station: str, at: datetime, content: tuple[Any, ...]) -> bytes:
        """The mark of something that is told once."""
        return self._mark(_Kind.EVENT, station, Transaction(0, 0, at), content)

    def settle(self, mark: bytes) -> None:
        """It is kept."""
        found = _read(mark)
        if found is not None:
            self._take(found, in_this_run=True)

    def open_of(self, station: str) -> Iterator[Transaction]:
        """The charges of a station that have begun and not ended, as far as is known."""
        digest = _digest(station)
        for (owner, _connector), mark in self._open.items():
            if owner == digest:
                yield Transaction(mark.number, mark.connector, from_microseconds(mark.at_us))

    def connector_of(self, station: str, number: int) -> int | None:
        """On which connector a charge is or was; None where that is not known any more."""
        charge = self._charges.get((_digest(station), number))
        return None if charge is None else charge.connector

    def has_ended(self, station: str, number: int) -> bool:
        """Whether the end of a charge was told."""
        charge = self._charges.get((_digest(station), number))
        return charge is not None and charge.ended

    def _mark(self, kind: _Kind, station: str, transaction: Transaction, content: tuple[Any, ...]) -> bytes:
        number = min(max(transaction.number, -LARGEST_NUMBER), LARGEST_NUMBER)
        at_us = to_microseconds(transaction.started_at)
        return _Mark(kind, transaction.connector, _digest(station), number, at_us, _digest(*content)).packed()

    def _take(self, mark: _Mark, *, in_this_run: bool) -> None:
        self._marks[mark.station, mark.content] = mark, in_this_run
        self._marks.move_to_end((mark.station, mark.content))
        if len(self._marks) > self._most:
            self._marks.popitem(last=False)
        if mark.kind is _Kind.EVENT:
            return
        charge = self._charges.get((mark.station, mark.number))
        ended = mark.kind is _Kind.STOP or (charge is not None and charge.ended)
        connector = charge.connector if charge is not None and not mark.connector else mark.connector
        self._charges[mark.station, mark.number] = _Charge(connector, ended)
        if len(self._charges) > self._most:
            self._charges.popitem(last=False)
        if mark.kind is _Kind.START:
            self._last_number = max(self._last_number, mark.number)
            self._begin(mark, ended=ended)
        else:
            for key in [
                key for key, each in self._open.items() if key[0] == mark.station and each.number == mark.number
            ]:
                del self._open[key]

    def _begin(self, mark: _Mark, *, ended: bool) -> None:
        standing = self._open.get((mark.station, mark.connector))
        if not ended and (standing is None or standing.at_us <= mark.at_us):
            self._open[mark.station, mark.connector] = mark


def _digest(*content: Any) -> bytes:
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).digest()[:8]


def _read(packed: bytes) -> _Mark | None:
    if len(packed) != _MARK.size:
        return None
    kind, connector, station, number, at_us, content = _MARK.unpack(packed)
    if kind not in set(_Kind) or not 0 <= at_us <= _LATEST_US:
        return None
    return _Mark(_Kind(kind), connector, station, number, at_us, content)

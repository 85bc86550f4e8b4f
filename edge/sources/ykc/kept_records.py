"""Which transaction records were kept, so that one that a pile sends again (§8.7: every 30 s, three times) is one record. Pure."""

import dataclasses
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.flow import RECEIPTS_KEPT
from edge.sources.ykc.messages import NO_TRANSACTION, TransactionRecord

_MARK: Final = struct.Struct(">16sq")
_LATEST_US: Final = 253_402_214_400_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """A record that was heard before. `unseen`: by another process, whose rules may not have come to it. `pending`: it is on its way to be
    kept, and may not be answered as if it were.
    """

    observed_at: datetime
    unseen: bool
    pending: bool


class KeptRecords:
    """The newest kept records. Whoever hears one asks `known`, keeps what a new one says together with its `mark`, and settles or
    forgets that.
    """

    def __init__(self, marks: Iterable[bytes] = (), *, most: int = RECEIPTS_KEPT) -> None:
        """`marks` were kept before, oldest first; one that can't be read tells nothing."""
        self._most = most
        self._observed_us: dict[bytes, int] = {}
        self._unseen: set[bytes] = set()
        self._pending: set[bytes] = set()
        for packed in marks:
            if len(packed) != _MARK.size:
                continue
            key, observed_us = _MARK.unpack(packed)
            if 0 <= observed_us <= _LATEST_US:
                self._put(key, observed_us)
                self._unseen.add(key)

    def __len__(self) -> int:
        """How many are known."""
        return len(self._observed_us)

    def known(self, record: TransactionRecord) -> Known | None:
        """What is known of a record; None for a new one. It counts as seen from then on."""
        key = _key(record)
        observed_us = self._observed_us.get(key)
        if observed_us is None:
            return None
        unseen = key in self._unseen
        self._unseen.discard(key)
        return Known(from_microseconds(observed_us), unseen, key in self._pending)

    def settled(self, pile: str, transaction: str) -> bool:
        """Whether the record of a transaction was kept: it can't be charging any more."""
        return transaction != NO_TRANSACTION and _digest(pile, transaction) in self._observed_us

    def mark(self, record: TransactionRecord, observed_at: datetime) -> bytes:
        """Note a new record; the mark is to be kept with what it says."""
        key, observed_us = _key(record), to_microseconds(observed_at)
        self._put(key, observed_us)
        self._pending.add(key)
        return _MARK.pack(key, observed_us)

    def settle(self, marks: Iterable[bytes]) -> None:
        """These are kept."""
        self._pending.difference_update(_MARK.unpack(packed)[0] for packed in marks)

    def forget(self, marks: Iterable[bytes]) -> None:
        """These could not be kept."""
        for packed in marks:
            key, _ = _MARK.unpack(packed)
            self._observed_us.pop(key, None)
            self._pending.discard(key)

    def _put(self, key: bytes, observed_us: int) -> None:
        self._observed_us.pop(key, None)
        self._observed_us[key] = observed_us
        if len(self._observed_us) > self._most:
            oldest = next(iter(self._observed_us))
            del self._observed_us[oldest]
            self._unseen.discard(oldest)


def _key(record: TransactionRecord) -> bytes:
    """A record without a number (a start that failed) is known by all that it says."""
    if record.transaction == NO_TRANSACTION:
        return _digest(record.pile, repr(dataclasses.astuple(record)))
    return _digest(record.pile, record.transaction)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()[:16]

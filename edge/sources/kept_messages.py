"""Which messages of a broker were kept, so that one that comes again (重传) is the same reading and no second one. Pure.

A broker delivers again whatever it has no acknowledgement of, flagged as a duplicate and under the same number. How many
that are is its own choice and may be many more than one thinks: mosquitto sends on while it takes acknowledgements in, and
a node killed between its commit and its acknowledgements has committed hundreds of them.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.flow import RECEIPTS_KEPT
from edge.mqtt import Delivery

_MARK: Final = struct.Struct(">H8sq")
_LATEST_US: Final = 253_402_214_400_000_000
_NEW_SESSION: Final = 0
"""No message has this number: where it stands, the broker had forgotten the node, and what was before counts no more."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """`number` is the broker's (1 to 65,535), `digest` of topic and content, `at_us` when the message came first."""

    number: int
    digest: bytes
    at_us: int

    def packed(self) -> bytes:
        return _MARK.pack(self.number, self.digest, self.at_us)


class KeptMessages:
    """The newest kept messages of one session, by the broker's number. Whoever hears a message notes it, keeps what it says
    together with `unsaved`, and settles; what could not be kept is forgotten. Of one number only the newest counts: the
    broker gives a number away again only after it has heard that the message before was kept.
    """

    def __init__(self, marks: Iterable[bytes] = (), *, most: int = RECEIPTS_KEPT) -> None:
        """`marks` were kept before, oldest first; one that can't be read tells nothing."""
        self._most = most
        self._saved: dict[int, _Mark] = {}
        self._unsaved: dict[int, _Mark] = {}
        for packed in marks:
            mark = _Mark(*_MARK.unpack(packed)) if len(packed) == _MARK.size else None
            if mark is not None and 0 <= mark.at_us <= _LATEST_US:
                self._save(mark)

    def __len__(self) -> int:
        """How many are known."""
        return len(self._saved.keys() | self._unsaved.keys())

    def note(self, delivery: Delivery) -> datetime | None:
        """When a message that comes again came first and was kept; None for one that has to be kept now."""
        if delivery.qos == 0:
            return None
        digest = hashlib.sha256(f"{delivery.topic}\0".encode() + delivery.payload).digest()[:8]
        known = self._unsaved.get(delivery.mid) or self._saved.get(delivery.mid)
        if delivery.again and known is not None and known.digest == digest:
            return from_microseconds(known.at_us)
        _put(self._unsaved, _Mark(delivery.mid, digest, to_microseconds(delivery.received_at)), self._most)
        return None

    def unsaved(self) -> tuple[bytes, ...]:
        """The marks of what was noted since the last settling, oldest first."""
        return tuple(mark.packed() for mark in self._unsaved.values())

    def settle(self) -> None:
        """What was noted is kept, and so are its marks."""
        for mark in self._unsaved.values():
            self._save(mark)
        self._unsaved.clear()

    def forget_unsaved(self) -> None:
        """What was noted could not be kept."""
        self._unsaved.clear()

    def begin_session(self, at: datetime) -> bool:
        """The broker has forgotten the node: its numbers begin anew. Whether that has to be kept comes back."""
        if not self._saved and not self._unsaved:
            return False
        self._saved.clear()
        self._unsaved.clear()
        self._unsaved[_NEW_SESSION] = _Mark(_NEW_SESSION, bytes(8), to_microseconds(at))
        return True

    def _save(self, mark: _Mark) -> None:
        if mark.number == _NEW_SESSION:
            self._saved.clear()
        else:
            _put(self._saved, mark, self._most)


def _put(marks: dict[int, _Mark], mark: _Mark, most: int) -> None:
    """Add as the newest; the oldest gives way."""
    marks.pop(mark.number, None)
    marks[mark.number] = mark
    if len(marks) > most:
        del marks[next(iter(marks))]

"""Each message counts once, and whoever sends it again is told the same as before."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection

from cloud.ingest import store
from cloud.ingest.model import Message
from edge.contract.downlink import Outcome
from edge.contract.topics import Channel

Key = tuple[UUID, int]
"""Message id and node id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a message that was known already is told. `reused`: it is another message under a known id."""

    message: Message
    outcome: Outcome
    reason: str | None = None
    reused: bool = False


@dataclass(slots=True)
class Receipts:
    """The receipts of one transaction. A rejection is noted too: were its answer lost with the process, the next sending of
    the message would be a duplicate, and its node would take it for delivered.
    """

    conn: Connection[Any]
    now: datetime
    _new: dict[Key, Message] = field(default_factory=dict)
    _echoes: list[tuple[Key, Message]] = field(default_factory=list)
    _rejected: dict[Key, str] = field(default_factory=dict)

    def take(self, messages: Iterable[tuple[Key, Message]]) -> tuple[list[Message], list[Answer]]:
        """Those that count now, and what the others are told. The sequence counters grow with the receipts."""
        waiting: dict[Key, Message] = {}
        fresh = []
        for key, message in messages:
            if message.arrival.settled_before:
                fresh.append(message)
            elif key in waiting:
                self._echoes.append((key, message))
            else:
                waiting[key] = message
        new = store.add_receipts(
            self.conn,
            {key: store.Receipt(digest(message), message.envelope.session) for key, message in waiting.items()},
            received_at=self.now,
        )
        self._new = {key: message for key, message in waiting.items() if key in new}
        known = {key: message for key, message in waiting.items() if key not in new}
        noted = store.noted_receipts(self.conn, known)
        latest = _latest([*known.items(), *self._echoes])
        renewed = store.renew_receipts(self.conn, {key: message.envelope.session for key, message in latest.items()})
        self._count([*self._new.items(), *((key, latest[key]) for key in renewed)])
        return [*fresh, *self._new.values()], [_answer(message, noted.get(key)) for key, message in known.items()]

    def reject(self, key: Key, reason: str) -> None:
        """A message that counted is not taken after all."""
        if key in self._new:
            self._rejected[key] = reason

    def write(self) -> list[Answer]:
        """Note the rejections; what those are told that came twice in this very transaction."""
        store.reject_receipts(self.conn, self._rejected)
        noted = store.noted_receipts(self.conn, {key for key, _ in self._echoes})
        return [_answer(message, noted.get(key)) for key, message in self._echoes]

    def _count(self, numbered: Iterable[tuple[Key, Message]]) -> None:
        lanes: dict[store.Lane, store.LaneCount] = {}
        for (_, node_id), message in numbered:
            envelope = message.envelope
            if message.topic.channel is Channel.BIRTH:
                continue  # numbered for themselves: a birth that was lost is no hole, the next one says more
            lane = lanes.setdefault((node_id, envelope.session, envelope.lane.value), store.LaneCount(0, 0))
            lane.highest_seq = max(lane.highest_seq, envelope.seq)
            lane.received += 1
        store.count_lanes(self.conn, lanes, at=self.now)


def digest(message: Message) -> int:
    """CRC-32 of the body in a form of our own, signed for the table; the envelope's times differ in a resend."""
    body = message.envelope.body
    try:
        form = msgspec.msgpack.encode(body)  # a fifth of the time that JSON takes
    except OverflowError:
        form = msgspec.json.encode(body)  # a count beyond 2^64
    crc = zlib.crc32(form)
    return crc - (1 << 32) if crc >= 1 << 31 else crc


def _latest(messages: Iterable[tuple[Key, Message]]) -> dict[Key, Message]:
    """Of each the copy of the newest session: the one whose numbers it may still be missing in."""
    latest: dict[Key, Message] = {}
    for key, message in messages:
        if key not in latest or latest[key].envelope.session < message.envelope.session:
            latest[key] = message
    return latest


def _answer(message: Message, noted: store.Noted | None) -> Answer:
    """What came under a known id with another content is no duplicate, and would be lost as one."""
    if noted is not None and noted.digest is not None and noted.digest != digest(message):
        return Answer(message, Outcome.REJECTED, reused=True)
    if noted is not None and noted.rejected is not None:
        return Answer(message, Outcome.REJECTED, noted.rejected)
    return Answer(message, Outcome.DUPLICATE)

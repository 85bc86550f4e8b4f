"""Where messages of unknown nodes, devices and points wait until somebody accepts or declares them; bounded."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.fleet import store as fleet
from cloud.ingest import store
from cloud.ingest.model import Message, Reason
from edge.contract.birth import Birth

MAXIMUM_NODES = 500
MESSAGES_PER_NODE = 1_000
BYTES_PER_NODE = 8 << 20
MESSAGES = 50_000
BYTES = 256 << 20


class Quarantine:
    """The room that is left, seen from one transaction."""

    def __init__(self, conn: Connection[Any], now: datetime) -> None:
        self._conn = conn
        self._now = now
        self._used: dict[str | None, list[int]] = {}

    def hold(self, message: Message, payload: bytes, *, reason: Reason, subject: str, settled: bool) -> bool:
        """Let `payload` wait in the place of `message`. False when there is no room for it; what waited before, and whose node
        was told so, always has its room.

        The newest birth of an unknown node is kept beside, however full it is: it is what a person judges the node by.
        """
        topic = message.topic
        unknown = reason is Reason.UNKNOWN_NODE
        held_before = message.arrival.held_before
        if unknown and not (
            fleet.see_quarantined_node(self._conn, topic.node, topic.district, self._now, maximum=MAXIMUM_NODES)
            or held_before
        ):
            return False
        is_birth = isinstance(message.envelope.body, Birth)
        if unknown and is_birth:
            fleet.keep_quarantined_birth(self._conn, topic.node, message.envelope.body)
        # of an enrolled node the receipt has told a resend already; one look-up per message is what a flood would cost
        if unknown and store.is_quarantined(self._conn, topic, message.envelope.id):
            return True
        room = is_birth or held_before or self._has_room(topic.node, len(payload))
        if room:
            store.quarantine(self._conn, message, payload, reason=reason, subject=subject, settled=settled)
        if unknown:
            fleet.count_quarantined(self._conn, topic.node, messages=int(room), refused=int(not room))
        return room

    def _has_room(self, node: str, size: int) -> bool:
        if node not in self._used or None not in self._used:
            for name, (messages, total) in store.quarantine_room(self._conn, [node]).items():
                self._used[name] = [messages, total]
            self._used.setdefault(node, [0, 0])
        own, every = self._used[node], self._used[None]
        if (
            own[0] >= MESSAGES_PER_NODE
            or own[1] + size > BYTES_PER_NODE
            or every[0] >= MESSAGES
            or every[1] + size > BYTES
        ):
            return False
        for used in (own, every):
            used[0] += 1
            used[1] += size
        return True

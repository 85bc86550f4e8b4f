"""Statements of ingest with their types. All take a connection; none commits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.db.queries import load
from cloud.ingest.model import Arrival, Message
from edge.contract.topics import Channel, Topic

_queries = load("cloud.ingest")


@dataclass(slots=True)
class LaneCount:
    """What one transaction brought of one lane: the highest number seen, and how many messages."""

    highest_seq: int
    received: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is noted of a message: the digest of its body, and the session that sent it."""

    digest: int
    session: UUID


@dataclass(frozen=True, slots=True)
class Noted:
    """What was noted of a message before: None where an older version noted none, or it was not rejected."""

    digest: int | None
    rejected: str | None


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """Messages in quarantine of one channel and for one reason."""

    channel: str
    reason: str
    messages: int
    size_bytes: int
    since: datetime
    latest_at: datetime


Lane = tuple[int, UUID, str]
"""Node id, session, lane."""


def add_receipts(
    conn: Connection[Any], receipts: Mapping[tuple[UUID, int], Receipt], *, received_at: datetime
) -> set[tuple[UUID, int]]:
    """Note these (message id, node id); those that were not noted before come back."""
    ordered = sorted(receipts)
    if not ordered:
        return set()
    rows = _queries.add_receipts(
        conn,
        message_id=[message_id for message_id, _ in ordered],
        node_id=[node_id for _, node_id in ordered],
        digest=[receipts[key].digest for key in ordered],
        session=[receipts[key].session for key in ordered],
        received_at=received_at,
    )
    return {(row[0], row[1]) for row in rows}


def noted_receipts(conn: Connection[Any], keys: Iterable[tuple[UUID, int]]) -> dict[tuple[UUID, int], Noted]:
    """What these (message id, node id) were noted with."""
    ordered = sorted(keys)
    if not ordered:
        return {}
    rows = _queries.noted_receipts(
        conn,
        message_id=[message_id for message_id, _ in ordered],
        node_id=[node_id for _, node_id in ordered],
    )
    return {(row.message_id, row.node_id): Noted(row.digest, row.rejected) for row in rows}


def renew_receipts(conn: Connection[Any], sessions: Mapping[tuple[UUID, int], UUID]) -> set[tuple[UUID, int]]:
    """Note that a later session has sent these again; those that it had not sent before come back."""
    ordered = sorted(sessions)
    if not ordered:
        return set()
    rows = _queries.renew_receipts(
        conn,
        message_id=[message_id for message_id, _ in ordered],
        node_id=[node_id for _, node_id in ordered],
        session=[sessions[key] for key in ordered],
    )
    return {(row[0], row[1]) for row in rows}


def reject_receipts(conn: Connection[Any], reasons: Mapping[tuple[UUID, int], str]) -> None:
    """Note why these are not taken after all."""
    ordered = sorted(reasons)
    if ordered:
        _queries.reject_receipts(
            conn,
            message_id=[message_id for message_id, _ in ordered],
            node_id=[node_id for _, node_id in ordered],
            reason=[reasons[key][:500] for key in ordered],
        )


def count_lanes(conn: Connection[Any], lanes: dict[Lane, LaneCount], *, at: datetime) -> None:
    """Add to the sequence counters."""
    ordered = sorted(lanes.items(), key=lambda item: item[0])
    if not ordered:
        return
    _queries.count_lanes(
        conn,
        node_id=[node_id for (node_id, _, _), _ in ordered],
        session=[session for (_, session, _), _ in ordered],
        lane=[lane for (_, _, lane), _ in ordered],
        highest_seq=[count.highest_seq for _, count in ordered],
        received=[count.received for _, count in ordered],
        at=at,
    )


def quarantine_room(conn: Connection[Any], nodes: Sequence[str]) -> dict[str | None, tuple[int, int]]:
    """(messages, bytes) that wait of each of these nodes, and under None of all."""
    rows = _queries.quarantine_room(conn, nodes=list(nodes))
    return {row.node: (row.messages, row.bytes) for row in rows}


def is_quarantined(conn: Connection[Any], topic: Topic, message_id: UUID) -> bool:
    """Whether this message waits already."""
    return bool(_queries.is_quarantined(conn, node=topic.node, district=topic.district, message_id=message_id))


def quarantine(
    conn: Connection[Any], message: Message, payload: bytes, *, reason: str, subject: str, settled: bool
) -> None:
    """Let a message wait; of an unknown node's births only the newest one does."""
    topic = message.topic
    if topic.channel is Channel.BIRTH:
        _queries.forget_births(conn, node=topic.node, district=topic.district)
    _queries.quarantine(
        conn,
        message_id=message.envelope.id,
        district=topic.district,
        node=topic.node,
        channel=topic.channel.value,
        payload=payload,
        reason=reason,
        subject=subject[:200],
        received_at=message.arrival.received_at,
        settled=settled,
    )


def held(conn: Connection[Any]) -> list[tuple[str, HeldGroup]]:
    """What waits in quarantine, with the names of its nodes."""
    return [(row[0], HeldGroup(*row[1:])) for row in _queries.held(conn)]


def discard_held(conn: Connection[Any], node: str) -> list[HeldGroup]:
    """Take what waits of a node out of quarantine, for good; what went."""
    return [HeldGroup(*row) for row in _queries.discard_held(conn, node=node)]


def release_declared(conn: Connection[Any], count: int) -> int:
    """Release up to `count` messages that wait for what is enrolled or declared by now; how many."""
    return int(_queries.release_declared(conn, count=count))


def take_released(conn: Connection[Any], count: int) -> list[Arrival]:
    """Take messages out of quarantine that were released, births first."""
    rows = sorted(_queries.take_released(conn, count=count), key=lambda row: (row.channel != Channel.BIRTH, row.id))
    return [
        Arrival(
            str(Topic(row.district, row.node, Channel(row.channel))),
            bytes(row.payload),
            row.received_at,
            held_before=True,
            settled_before=row.settled,
            vouched=row.vouched_by is not None,
        )
        for row in rows
    ]


def forgetful_settings(conn: Connection[Any]) -> list[str]:
    """Settings of the server that are off and let it forget what it committed, when the power goes."""
    return [row.name for row in _queries.forgetful_settings(conn)]


def prune_receipts(conn: Connection[Any], *, before: datetime, count: int) -> int:
    """Forget up to `count` receipts from before a time; how many."""
    return int(_queries.prune_receipts(conn, before=before, count=count))


def prune_lanes(conn: Connection[Any], *, before: datetime) -> int:
    """Forget the counters of past sessions; how many."""
    return int(_queries.prune_lanes(conn, before=before))


def missing_messages(conn: Connection[Any]) -> dict[tuple[str, str], int]:
    """(node, lane) → messages of the present session that were numbered and did not arrive yet."""
    return {(row.name, row.lane): row.missing for row in _queries.missing_messages(conn)}

"""Statements on refused messages with their types. All take a connection; none commits."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.db.queries import load
from cloud.refusals.model import DeadLetter, Kept, RefusalCount, Waiting
from edge.contract.topics import Topic

MAXIMUM_LETTERS = 5_000
MAXIMUM_LETTERS_OF_SENDER = 500
MAXIMUM_ONLY_COPIES = 20_000
HEAD_BYTES = 4_096
"""So much is kept of a message that can't be read; of one that can, all of it."""

_queries = load("cloud.refusals")


def count(conn: Connection[Any], refused: Mapping[tuple[str, str], tuple[int, str]], *, at: datetime) -> None:
    """Add to the counts: (enrolled node or empty, reason) → how many more, and the words of the last one."""
    ordered = sorted(refused.items())
    if not ordered:
        return
    _queries.count_refusals(
        conn,
        node=[node for (node, _), _ in ordered],
        reason=[reason for (_, reason), _ in ordered],
        count=[more for _, (more, _) in ordered],
        last_detail=[printable(detail)[:500] for _, (_, detail) in ordered],
        at=at,
    )


def add_letter(
    conn: Connection[Any],
    *,
    at: datetime,
    topic: str,
    node: str | None,
    message_id: UUID | None,
    reason: str,
    detail: str,
    payload: bytes,
    whole: bool,
    only_copy: bool,
) -> None:
    """Keep a message that can't be taken: all of it where `whole`, else its head."""
    _queries.add_letter(
        conn,
        at=at,
        topic=printable(topic)[:300],
        node=node,
        message_id=message_id,
        reason=reason,
        detail=printable(detail)[:500],
        bytes=len(payload),
        payload=payload if whole else payload[:HEAD_BYTES],
        only_copy=only_copy,
    )


def trim(conn: Connection[Any], senders: Iterable[str]) -> int:
    """Keep the newest letters of these senders (empty for strangers) and of all; how many went."""
    gone: int = _queries.trim_letters_of(conn, senders=sorted(senders), maximum=MAXIMUM_LETTERS_OF_SENDER)
    gone += _queries.trim_letters(conn, only_copy=False, maximum=MAXIMUM_LETTERS)
    gone += _queries.trim_letters(conn, only_copy=True, maximum=MAXIMUM_ONLY_COPIES)
    return gone


def letters(
    conn: Connection[Any], *, reason: str | None = None, node: str | None = None, before: int | None = None, limit: int
) -> list[DeadLetter]:
    """Dead letters, the newest first; `node` empty for those of strangers, `before` an id to go on behind."""
    rows = _queries.letters(conn, reason=reason, node=node, before=before, count=limit)
    return [_letter(row) for row in rows]


def letter(conn: Connection[Any], letter_id: int) -> DeadLetter | None:
    """One dead letter, locked."""
    row = _queries.letter(conn, letter_id=letter_id)
    return _letter(row) if row is not None else None


def remove(conn: Connection[Any], letter_id: int) -> None:
    """Let a dead letter go."""
    _queries.remove_letter(conn, letter_id=letter_id)


def requeue(conn: Connection[Any], letter: DeadLetter, topic: Topic, message_id: UUID) -> bool:
    """Hand a letter that can be read to ingest again; False when a message of this id waits in quarantine."""
    queued = _queries.requeue(
        conn,
        message_id=message_id,
        district=topic.district,
        node=topic.node,
        channel=topic.channel.value,
        payload=letter.payload,
        received_at=letter.at,
    )
    return queued is not None


def counts(conn: Connection[Any]) -> list[RefusalCount]:
    """All refusals by node and reason, the latest first."""
    return [RefusalCount(*row) for row in _queries.refusals(conn)]


def total(conn: Connection[Any], reason: str) -> int:
    """How many messages were refused for one reason, of all senders."""
    return int(_queries.total_refused(conn, reason=reason))


def waiting(conn: Connection[Any]) -> list[Waiting]:
    """What lies in quarantine by node and reason, the most first."""
    return [Waiting(*row) for row in _queries.waiting(conn)]


def kept(conn: Connection[Any]) -> list[Kept]:
    """How many dead letters are kept, by reason."""
    return [Kept(*row) for row in _queries.kept(conn)]


def printable(text: str) -> str:
    """The text as a database takes it: without NUL and lone surrogates."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(
        row.id,
        row.at,
        row.topic,
        row.node,
        row.message_id,
        row.reason,
        row.detail,
        row.bytes,
        bytes(row.payload),
        row.only_copy,
    )

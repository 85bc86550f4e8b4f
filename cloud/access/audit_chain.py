"""Chaining and sealing the audit log, and looking whether the chain holds."""

import json
import os
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import namedtuple_row

from cloud.access.chain import BEGINNING, AuditRow, Flaw, Link, Seal, Verdict, link_hash, seal_statement, verify
from cloud.db.pool import Pool
from cloud.db.queries import load
from cloud.errors import Invalid
from cloud.signing import Signer

_queries = load("cloud.access")

AT_ONCE = 2_000
_READ_AT_ONCE = 2_000
HEAD_FILE = "audit-head.json"


def seal_all(
    pool: Pool, signer: Signer, head_file: Path, *, now: datetime, most_batches: int | None = None, count: int = AT_ONCE
) -> int:
    """Chain every row that waits, sign the end of the chain, and note it outside of the database; how many rows.

    In batches of `count` with a transaction each, at most so many of them; may be run at any time, by several at once (they take turns),
    and again.
    """
    chained = batches = 0
    while most_batches is None or batches < most_batches:
        with pool.connection() as conn:
            added = chain(conn, count=count)
        chained += added
        batches += 1
        if added < count:
            break
    with pool.connection() as conn:
        sealed = seal(conn, signer, now=now)
        if sealed is not None:  # while nobody else seals; the links that it speaks of are committed
            note_head(head_file, sealed)
    return chained


def chain(conn: Connection[Any], *, count: int = AT_ONCE) -> int:
    """Link at most `count` rows that wait; how many. Nobody else links until the transaction ends."""
    _queries.lock_audit_chain(conn)
    rows = list(_queries.audit_to_link(conn, count=count))
    if not rows:
        return 0
    position, previous = _head(conn)
    links: list[tuple[int, int, bytes]] = []
    for row in rows:
        position, previous = position + 1, link_hash(previous, _row(row))
        links.append((position, row.id, previous))
    positions, ids, hashes = (list(each) for each in zip(*links, strict=True))
    _queries.insert_audit_links(conn, positions=positions, ids=ids, hashes=hashes)
    _queries.audit_waits_no_more(conn, ids=ids)
    return len(links)


def seal(conn: Connection[Any], signer: Signer, *, now: datetime) -> Seal | None:
    """Sign the end of the chain; None where that was done already."""
    _queries.lock_audit_chain(conn)
    position, hash_ = _head(conn)
    if position == 0 or position <= (_queries.last_sealed(conn) or 0):
        return None
    sig = signer.sign(seal_statement(position, hash_, now))
    made = Seal(position, hash_, now, signer.fingerprint, sig)
    _queries.insert_audit_seal(conn, position=position, hash=hash_, sealed_at=now, key=made.key, sig=sig)
    return made


def check(conn: Connection[Any], *, keys: Collection[bytes], noted: Iterable[tuple[int, bytes]] = ()) -> Verdict:
    """Look over the whole log, in the caller's transaction, which has to see one moment of the database."""
    verdict = verify(_links(conn), _seals(conn), keys=keys, noted=noted)
    verdict.waiting = _queries.audit_waiting(conn)
    unchained = _queries.audit_unchained(conn)
    if unchained:
        verdict.find(Flaw.UNCHAINED, None, f"{unchained} rows are neither chained nor wait for it")
    return verdict


def note_head(file: Path, sealed: Seal) -> None:
    """Write down outside of the database how far the chain went: what is cut off there later shows here."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = json.dumps(
        {"position": sealed.position, "hash": sealed.hash.hex(), "sealed_at": sealed.sealed_at.isoformat()}
    )
    unfinished = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    with unfinished.open("w", encoding="ascii") as opened:
        opened.write(content + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.replace(file)


def noted_head(file: Path) -> list[tuple[int, bytes]]:
    """What `note_head` wrote; nothing where there is no such file. Raises Invalid for one that can't be read."""
    try:
        told = json.loads(file.read_text(encoding="ascii"))
        return [(int(told["position"]), bytes.fromhex(told["hash"]))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{file} can't be read as the head of an audit log: {type(error).__name__}") from error


def _head(conn: Connection[Any]) -> tuple[int, bytes]:
    row = _queries.audit_head(conn)
    return (0, BEGINNING) if row is None else (row.position, bytes(row.hash))


def _links(conn: Connection[Any]) -> Iterator[Link]:
    with conn.cursor(name="audit_links", row_factory=namedtuple_row) as cursor:
        cursor.itersize = _READ_AT_ONCE
        cursor.execute(_queries.audit_links.sql)
        row: Any
        for row in cursor:
            yield Link(row.position, bytes(row.hash), _row(row) if row.id is not None else None)


def _seals(conn: Connection[Any]) -> Iterator[Seal]:
    with conn.cursor(name="audit_seals", row_factory=namedtuple_row) as cursor:
        cursor.itersize = _READ_AT_ONCE
        cursor.execute(_queries.audit_seals.sql)
        row: Any
        for row in cursor:
            yield Seal(row.position, bytes(row.hash), row.sealed_at, row.key, row.sig)


def _row(row: Any) -> AuditRow:
    return AuditRow(**{name: getattr(row, name) for name in AuditRow.__dataclass_fields__})

"""Which files incidents named, and which of them are here. Takes a connection, never commits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from edge.contract.incident import EvidenceReference

FILES_AT_ONCE = 2_000

_queries = load("cloud.evidence")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file as an incident of the node named it."""

    sha256: str
    kind: str
    mime: str
    size_bytes: int
    is_stored: bool


@dataclass(frozen=True, slots=True)
class VisibleFile:
    """A stored file and the newest case through which a person may see it."""

    sha256: str
    kind: str
    mime: str
    size_bytes: int
    case_id: int
    area_path: str


def name_files(conn: Connection[Any], node: str, incident_row_id: int, files: Iterable[EvidenceReference]) -> None:
    """Note the files of an incident, in the order of their hashes, so that two transactions can't deadlock."""
    for file in sorted(files, key=lambda file: file.sha256):
        _queries.name_file(
            conn,
            node=node,
            sha256=file.sha256,
            kind=file.kind.value,
            mime=file.mime,
            bytes=file.bytes,
        )
        _queries.link_file(
            conn, incident_id=incident_row_id, node=node, sha256=file.sha256, captured_at=file.captured_at
        )


def named(conn: Connection[Any], node: str, sha256: str) -> NamedFile | None:
    """The file that an incident of this node named by its hash; None when none did."""
    row = _queries.named_file(conn, node=node, sha256=sha256)
    return NamedFile(row.sha256, row.kind, row.mime, row.bytes, row.stored_at is not None) if row is not None else None


def mark_stored(conn: Connection[Any], node: str, sha256: str, *, now: datetime) -> bool:
    """Note that the bytes are here; False when that was known."""
    touched: int = _queries.mark_stored(conn, node=node, sha256=sha256, now=now)
    return touched > 0


def visible(conn: Connection[Any], sha256: str, scope: str) -> VisibleFile | None:
    """A stored file that belongs to a case below `scope`; None when there is none."""
    row = _queries.visible_file(conn, sha256=sha256, scope=scope)
    if row is None:
        return None
    return VisibleFile(row.sha256, row.kind, row.mime, row.bytes, row.case_id, row.area_path)


def stored_files(conn: Connection[Any]) -> Iterator[tuple[str, int]]:
    """Hash and size of every file that is said to be stored, each once, by hash; read piece by piece. In autocommit the server
    keeps the answer beside, and no transaction is held open however long the reading takes.
    """
    with conn.cursor(name="stored_files", withhold=conn.autocommit) as cursor:
        cursor.itersize = FILES_AT_ONCE
        cursor.execute(_queries.stored_files.sql)
        yield from cursor


def stored_among(conn: Connection[Any], names: Sequence[str]) -> set[str]:
    """Those of these hashes that are said to be stored."""
    return {row.sha256 for row in _queries.stored_among(conn, names=list(names))}

"""Which files incidents named, and which of them are here. Takes a connection, never commits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.evidence.policy import OWN_STEPS
from cloud.evidence.retention import QUOTA_DAYS, PrunableFile, PruneReason, RetentionTerms
from edge.contract.incident import EvidenceKind, EvidenceReference

FILES_AT_ONCE = 2_000

CLOSED_STATUSES = ("rejected", "closed", "merged", "voided")
"""Statuses in which nobody works on a case. In any other its files are kept, however old they are."""

_queries = load("cloud.evidence")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file as an incident of the node named it; `is_deleted` where its time was over and nobody has asked for it since."""

    sha256: str
    kind: str
    mime: str
    size_bytes: int
    is_stored: bool
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class VisibleFile:
    """A stored file and the case, or work order, through which a person sees it."""

    sha256: str
    kind: str
    mime: str
    size_bytes: int
    case_id: int | None
    order_id: int | None
    area_path: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A sealed file of a case, the hash of what is in it, and the area of the case."""

    sha256: str
    size_bytes: int
    plain_sha256: str | None
    is_stored: bool
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
            plain_sha256=file.plain_sha256,
        )
        _queries.link_file(
            conn, incident_id=incident_row_id, node=node, sha256=file.sha256, captured_at=file.captured_at
        )


def named(conn: Connection[Any], node: str, sha256: str) -> NamedFile | None:
    """The file that an incident of this node named by its hash; None when none did."""
    row = _queries.named_file(conn, node=node, sha256=sha256)
    if row is None:
        return None
    return NamedFile(row.sha256, row.kind, row.mime, row.bytes, row.stored_at is not None, row.is_deleted)


def lock_file(conn: Connection[Any], sha256: str) -> None:
    """Nobody else stores or deletes the bytes of this hash until the transaction ends."""
    list(_queries.lock_file(conn, sha256=sha256))


def mark_stored(conn: Connection[Any], node: str, sha256: str, *, now: datetime) -> bool:
    """Note that the bytes are here; False when that was known."""
    touched: int = _queries.mark_stored(conn, node=node, sha256=sha256, now=now)
    return touched > 0


def sealed(conn: Connection[Any], sha256: str, case: str) -> SealedFile | None:
    """A sealed file that an incident of the case named; None when there is no such file, or no such case."""
    row = _queries.sealed_file(conn, sha256=sha256, case_number=case)
    if row is None:
        return None
    return SealedFile(row.sha256, row.bytes, row.plain_sha256, row.is_stored, row.area_path)


def to_prune(
    conn: Connection[Any], terms: RetentionTerms, *, quota_bytes: int, now: datetime, count: int
) -> list[PrunableFile]:
    """At most `count` files whose time or whose room is over, the least severe and oldest first."""
    kinds, severities, days = terms.table()
    rows = _queries.files_to_prune(
        conn,
        closed_statuses=list(CLOSED_STATUSES),
        kinds=kinds,
        severities=severities,
        days=days,
        other_days=terms.other_days,
        shortest_days=terms.shortest_days,
        quota_bytes=quota_bytes,
        quota_days=QUOTA_DAYS,
        now=now,
        count=count,
    )
    return [
        PrunableFile(row.node, row.sha256, row.kind, row.severity, row.bytes, PruneReason(row.reason)) for row in rows
    ]


def is_needed(conn: Connection[Any], node: str, sha256: str) -> bool:
    """Whether a case that is not over names the file. No case of the file changes until the transaction ends."""
    needed: bool = _queries.is_needed(conn, node=node, sha256=sha256, closed_statuses=list(CLOSED_STATUSES))
    return needed


def is_held(conn: Connection[Any], node: str, sha256: str, *, now: datetime) -> bool:
    """Whether a case that is held (法律保全) names the file, or somebody may still open it. To be asked after `is_needed`, which locks the cases."""
    held: bool = _queries.is_held(conn, node=node, sha256=sha256, now=now)
    return held


def mark_pruned(conn: Connection[Any], node: str, sha256: str, *, now: datetime, reason: PruneReason) -> bool:
    """Note that the file of this node is not kept any more, and why; False when it was not. Its cases' chains say so as well."""
    touched: int = _queries.mark_pruned(conn, node=node, sha256=sha256, now=now, reason=reason.value)
    return touched > 0


def visible(conn: Connection[Any], sha256: str, user: Principal) -> VisibleFile | None:
    """A stored file through one of the cases and work orders of it that a person sees: a department those that it was told of.

    Of several that one which asks least of him, for he may see it through any: his own before others', one that still runs before one
    that is over, a case before a work order. What is sealed for one of them is sealed.
    """
    places = list(_queries.places_of_file(conn, sha256=sha256, scope=user.area_path, department=user.department_id))
    if not places:
        return None
    own = own_cases(conn, [row.case_id for row in places if row.case_id is not None], user)

    def favour(row: Any) -> tuple[bool, bool, bool, bool, int]:
        runs = row.status not in CLOSED_STATUSES
        is_sealed = row.kind == EvidenceKind.SEALED
        return is_sealed, row.case_id in own, row.case_id is not None, runs, row.case_id or row.order_id

    row = max(places, key=favour)
    is_over = row.status in CLOSED_STATUSES
    return VisibleFile(row.sha256, row.kind, row.mime, row.bytes, row.case_id, row.order_id, row.area_path, is_over)


def own_cases(conn: Connection[Any], case_ids: Sequence[int], user: Principal) -> set[int]:
    """Those of these cases that are a person's own work: `OWN_STEPS` says what makes one his."""
    rows = _queries.own_cases(
        conn, case_ids=list(case_ids), account_id=user.user_id, department=user.department_id, steps=sorted(OWN_STEPS)
    )
    return {row.id for row in rows}


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

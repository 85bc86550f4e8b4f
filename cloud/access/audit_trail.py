"""Reading the audit log: who did or saw what, when, of which case. Takes the caller's transaction."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, codes_of
from cloud.db.queries import load
from cloud.errors import Invalid

_queries = load("cloud.access")

MOST_EXPORTED = 20_000
_COLUMNS = ("id", "at", "actor", "action", "subject", "area", "address", "case", "purpose", "detail")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so is a formula to a spreadsheet (CWE-1236)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows; None is any. `action` is a word or its beginning (`evidence.`), `case` the id of a case."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    case: int | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A row as it is shown. `chained` once it is part of the chain."""

    id: int
    at: datetime
    actor: str | None
    action: str
    subject: str
    area: str | None
    address: str | None
    case: str | None
    purpose: str | None
    detail: dict[str, Any]
    chained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """How far the chain is: rows in it, those that wait, and the last seal."""

    rows: int
    waiting: int
    sealed: int
    sealed_at: datetime | None
    key: str | None


def page(
    conn: Connection[Any], reader: Principal, wanted: AuditFilter, *, before: int | None, count: int
) -> list[AuditEntry]:
    """The newest first, those with an id below `before`. What has no area is for those whose scope is everything."""
    rows = _queries.audit_page(
        conn,
        scope=reader.area_path,
        actor=wanted.actor,
        action=wanted.action,
        subject=wanted.subject,
        case=str(wanted.case) if wanted.case is not None else None,
        case_subject=f"case:{wanted.case}",
        from_at=wanted.from_at,
        to_at=wanted.to_at,
        before=before,
        count=count,
    )
    return [_entry(row) for row in rows]


def export(conn: Connection[Any], reader: Principal, wanted: AuditFilter, *, address: str) -> bytes:
    """The same as CSV (RFC 4180, UTF-8 with a byte order mark), the oldest last; that it was done stands in the log.

    Raises Invalid for more than `MOST_EXPORTED` rows.
    """
    found = page(conn, reader, wanted, before=None, count=MOST_EXPORTED + 1)
    if len(found) > MOST_EXPORTED:
        raise Invalid(f"these are more than {MOST_EXPORTED} rows: narrow the time or the action")
    asked = {name: getattr(wanted, name) for name in AuditFilter.__dataclass_fields__}
    detail = {name: str(value) for name, value in asked.items() if value is not None}
    audit.write(conn, "audit.exported", "audit", actor=reader, address=address, detail={"rows": len(found), **detail})
    return as_csv(found)


def as_csv(entries: Iterable[AuditEntry]) -> bytes:
    """Rows for a spreadsheet, in which no cell is a formula."""
    written = io.StringIO(newline="")
    table = csv.writer(written, quoting=csv.QUOTE_ALL)
    table.writerow(_COLUMNS)
    for entry in entries:
        cells = {name: getattr(entry, name) for name in _COLUMNS}
        cells |= {"at": entry.at.isoformat(), "detail": json.dumps(entry.detail, ensure_ascii=False, sort_keys=True)}
        table.writerow([_cell(cells[name]) for name in _COLUMNS])
    return b"\xef\xbb\xbf" + written.getvalue().encode("utf-8", "replace")


def chain_state(conn: Connection[Any]) -> ChainState:
    """How far the chain is."""
    return ChainState(**_queries.chain_state(conn)._asdict())


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _entry(row: Any) -> AuditEntry:
    codes = codes_of(row.area_path or "")
    detail = dict(row.detail)
    case, purpose = detail.get("case"), detail.get("purpose")
    if case is None and row.subject.startswith("case:"):
        case = row.subject.removeprefix("case:")
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor_name,
        action=row.action,
        subject=row.subject,
        area=codes[-1] if codes else None,
        address=row.address,
        case=None if case is None else str(case),
        purpose=purpose if isinstance(purpose, str) else None,
        detail=detail,
        chained=row.chained,
    )

"""How long what people report is kept (留存): their words, and the pictures that they send. What is held is kept.

A case that another took in is over when that one is.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.db.pool import Pool
from cloud.db.queries import load
from cloud.evidence import store as evidence
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.store import CLOSED_STATUSES

WORDS_LAST: Final = timedelta(days=365)
PICTURES_LAST: Final = timedelta(days=180)
"""As long as pictures of cameras, `cloud.evidence.retention`."""

_queries = load("cloud.intake")


def forget_words(conn: Connection[Any], *, now: datetime, count: int) -> int:
    """Forget what residents and other platforms wrote when their cases are over for long; how many cases, each with a line in the audit
    log.
    """
    terms = {"before": now - WORDS_LAST, "now": now, "closed_statuses": list(CLOSED_STATUSES)}
    due = [row.id for row in _queries.words_over(conn, **terms, count=count)]
    list(
        _queries.lock_lines(conn, case_ids=due)
    )  # who holds one locks it too, and a hold that was answered is seen from here on
    rows = list(_queries.forget_words(conn, case_ids=due, **terms))
    for row in rows:
        detail = {"case": row.id, "reason": "age"}
        audit.write(
            conn,
            "case.words_forgotten",
            f"case:{row.number}",
            actor_name="retention",
            area_path=row.area_path,
            detail=detail,
        )
    return len(rows)


def prune_pictures(pool: Pool, files: EvidenceFiles, *, now: datetime, count: int) -> int:
    """Delete pictures of reports whose time is over, one transaction each, each with a line in the audit log; how many.

    The bytes go before the transaction ends, and stay while anything else names them. Raises EvidenceStoreAway.
    """
    terms = {"before": now - PICTURES_LAST, "now": now, "closed_statuses": list(CLOSED_STATUSES)}
    with pool.connection() as conn:
        due = list(_queries.pictures_over(conn, **terms, count=count))
    gone = 0
    for row in due:
        with pool.connection() as conn:
            gone += _prune(conn, files, row, terms)
    return gone


def _prune(conn: Connection[Any], files: EvidenceFiles, row: Any, terms: dict[str, Any]) -> bool:
    evidence.lock_file(conn, row.sha256)
    list(_queries.lock_lines(conn, case_ids=[row.case_id]))
    if not _queries.delete_picture(conn, case_id=row.case_id, sent_sha256=row.sent_sha256, **terms):
        return False
    audit.write(
        conn,
        "evidence.pruned",
        f"evidence:{row.sha256}",
        actor_name="retention",
        area_path=row.area_path,
        detail={"case": row.case_id, "kind": "report", "bytes": row.size_bytes, "reason": "age"},
    )
    if not evidence.stored_among(conn, [row.sha256]):
        files.remove(row.sha256)
    return True

"""Deleting files whose time is over, one transaction each, each with a line in the audit log."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.evidence import store
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.retention import PrunableFile, PruneReason


def prune(conn: Connection[Any], files: EvidenceFiles, due: PrunableFile, *, now: datetime, actor_name: str) -> bool:
    """Delete one file in the caller's transaction; False when a case needs it again or is held, or it is gone already.

    The bytes go before the transaction ends: a crash in between leaves a row whose file is missing, and the next run ends the
    work. They stay while another node has named and sent them too. A copy that was fetched goes though a case needs the file: its node
    has it. Raises EvidenceStoreAway.
    """
    store.lock_file(conn, due.sha256)
    # asked in any case: it locks the cases of the file, and with that who holds one
    is_needed = store.is_needed(conn, due.node, due.sha256) and due.reason is not PruneReason.FETCHED
    if is_needed or store.is_held(conn, due.node, due.sha256, now=now):
        return False
    if not store.mark_pruned(conn, due.node, due.sha256, now=now, reason=due.reason):
        return False
    audit.write(
        conn,
        "evidence.pruned",
        f"evidence:{due.sha256}",
        actor_name=actor_name,
        detail={
            "node": due.node,
            "kind": due.kind,
            "severity": due.severity,
            "bytes": due.size_bytes,
            "reason": due.reason.value,
        },
    )
    if not store.stored_among(conn, [due.sha256]):
        files.remove(due.sha256)
    return True

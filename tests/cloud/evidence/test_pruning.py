"""What goes and what is kept: by age, by room, and never what an open case needs."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from cloud.errors import ConfigurationError
from cloud.evidence.files import Quarantine
from cloud.evidence.inventory import take_stock
from cloud.evidence.pruning import prune
from cloud.evidence.retention import DEFAULT_DAYS, QUOTA_DAYS, PrunableFile, PruneReason, RetentionTerms, terms_of
from cloud.evidence.service import EvidenceService
from cloud.evidence.store import named, to_prune
from cloud.settings import CloudSettings
from edge.contract.incident import EvidenceKind, Severity
from tests.cloud.populated import PICTURES, Populated, picture
from tests.fakes.node import AT

TERMS = RetentionTerms(DEFAULT_DAYS)
ROOM_FOR_ALL = 1 << 40
LAST = AT + timedelta(days=2)
"""When the cases were closed: nothing happened in any of them after that."""
Conn = Connection[tuple[object, ...]]


def due(
    conn: Conn, *, days: float = 0, quota_bytes: int = ROOM_FOR_ALL, terms: RetentionTerms = TERMS
) -> dict[str, PrunableFile]:
    now = LAST + timedelta(days=days)
    return {file.sha256: file for file in to_prune(conn, terms, quota_bytes=quota_bytes, now=now, count=100)}


def hashes(*numbers: int) -> set[str]:
    return {picture(number).sha256 for number in numbers}


def close_all(conn: Conn) -> None:
    conn.execute("update grid_case set status = 'closed'")
    conn.execute("insert into case_event (case_id, at, action) select id, %s, 'close' from grid_case", [LAST])


def test_the_files_of_open_cases_are_kept_however_old_they_are(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        found = due(conn, days=5_000)
        assert set(found) == hashes(2)  # of the one case that was dismissed
        assert found[picture(2).sha256].reason is PruneReason.AGE
        assert due(conn, days=5_000, quota_bytes=1) == found


def test_a_term_counts_from_the_last_that_happened_and_by_severity(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        close_all(conn)
        assert not due(conn, days=179.9)
        assert set(due(conn, days=181)) == hashes(0, 1, 3, 4)
        assert set(due(conn, days=366)) == hashes(0, 1, 2, 3, 4)
        last = LAST + timedelta(days=100)
        conn.execute("insert into case_event (case_id, at, action) values (1, %s, 'close')", [last])
        assert set(due(conn, days=181)) == hashes(3, 4)
        assert not due(conn, days=181, terms=RetentionTerms({**DEFAULT_DAYS, "snapshot/low": 200}))


def test_beyond_the_room_of_a_node_the_least_severe_and_oldest_go(populated: Populated) -> None:
    size_bytes = len(PICTURES[0])
    with psycopg.connect(populated.url) as conn:
        close_all(conn)
        found = due(conn, days=4, quota_bytes=3 * size_bytes)
        assert set(found) == hashes(3, 4)
        assert {file.reason for file in found.values()} == {PruneReason.QUOTA}
        assert {file.severity for file in found.values()} == {"low"}
        assert len(due(conn, days=4, quota_bytes=5 * size_bytes - 1)) == 1
        assert not due(conn, days=4, quota_bytes=5 * size_bytes)


def test_for_want_of_room_nothing_goes_in_whose_case_something_has_just_happened(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        close_all(conn)
        assert not due(conn, days=QUOTA_DAYS - 0.1, quota_bytes=1)
        assert set(due(conn, days=QUOTA_DAYS + 0.1, quota_bytes=1)) == hashes(0, 1, 2, 3, 4)
        closed_at = LAST + timedelta(days=50)
        low = "select id, %s, 'close' from grid_case where severity = 'low'"
        conn.execute(f"insert into case_event (case_id, at, action) {low}", [closed_at])
        found = due(conn, days=50 + QUOTA_DAYS - 0.1, quota_bytes=3 * len(PICTURES[0]))
        assert set(found) == hashes(0, 1)  # they make room in place of those that may not go yet
        assert set(due(conn, days=50 + QUOTA_DAYS + 0.1, quota_bytes=3 * len(PICTURES[0]))) == hashes(3, 4)


def test_what_is_pruned_is_gone_told_and_no_loss(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        (file,) = due(conn, days=400).values()
        assert prune(conn, populated.files, file, now=AT, actor_name="retention")
        assert not prune(conn, populated.files, file, now=AT, actor_name="retention")
        conn.commit()
        assert populated.files.size(file.sha256) is None
        found = take_stock(conn, populated.files, read=True)
        assert (found.in_order, found.orphaned.count) == (True, 0)
        told = conn.execute("select actor_name, subject, detail from audit where action = 'evidence.pruned'").fetchall()
    assert [(actor, subject) for actor, subject, _ in told] == [("retention", f"evidence:{file.sha256}")]
    assert told[0][2] == {
        "node": "station-01",
        "kind": "snapshot",
        "severity": "critical",
        "bytes": len(PICTURES[2]),
        "reason": "age",
    }


def test_a_case_that_was_opened_again_meanwhile_keeps_its_files(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        (file,) = due(conn, days=400).values()
        conn.execute("update grid_case set status = 'reported' where id = 2")
        assert not prune(conn, populated.files, file, now=AT, actor_name="retention")
        assert populated.files.size(file.sha256) is not None


def test_no_case_is_opened_again_between_the_look_at_it_and_the_end_of_its_file(populated: Populated) -> None:
    reopen = "update grid_case set status = 'reported' where id = 2"
    with psycopg.connect(populated.url) as conn, psycopg.connect(populated.url) as other:
        for each in (conn, other):
            each.execute("set lock_timeout = '20ms'")
            each.commit()
        (file,) = due(conn, days=400).values()
        other.execute(reopen)
        with pytest.raises(psycopg.errors.LockNotAvailable):  # it waits for what becomes of the case
            prune(conn, populated.files, file, now=AT, actor_name="retention")
        conn.rollback()
        other.rollback()
        assert prune(conn, populated.files, file, now=AT, actor_name="retention")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(reopen)


def test_the_bytes_stay_while_another_node_has_shown_them(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        (file,) = due(conn, days=400).values()
        conn.execute(
            "insert into evidence (node, sha256, kind, mime, bytes, stored_at)"
            " select 'station-02', sha256, kind, mime, bytes, stored_at from evidence where sha256 = %s",
            [file.sha256],
        )
        assert prune(conn, populated.files, file, now=AT, actor_name="retention")
        assert populated.files.size(file.sha256) is not None


def test_a_crash_between_the_bytes_and_their_row_is_seen_to_by_the_next_run(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        (file,) = due(conn, days=400).values()
        prune(conn, populated.files, file, now=AT, actor_name="retention")
        conn.rollback()
        assert not take_stock(conn, populated.files).in_order
        (again,) = due(conn, days=400).values()
        assert prune(conn, populated.files, again, now=AT, actor_name="retention")
        conn.commit()
        assert take_stock(conn, populated.files).in_order


def test_what_was_pruned_while_it_came_again_is_stored_all_the_same(populated: Populated, tmp_path: Path) -> None:
    service = EvidenceService(populated.files, Quarantine(tmp_path / "partial", 1 << 20, 60.0), 1 << 20)
    with psycopg.connect(populated.url) as conn:
        (due_file,) = due(conn, days=400).values()
        file = named(conn, due_file.node, due_file.sha256)
        assert file is not None
        with service.quarantine.open(due_file.node, file.sha256, file.size_bytes) as partial:
            partial.append(PICTURES[2])
            prune(conn, populated.files, due_file, now=AT, actor_name="retention")
            assert service.settle(conn, due_file.node, file, partial, now=AT)
        conn.commit()
        assert take_stock(conn, populated.files, read=True).in_order
        assert conn.execute("select count(*) from evidence where pruned_at is not null").fetchone() == (0,)


def test_terms_are_checked_when_they_are_read() -> None:
    def terms(days: dict[str, int]) -> RetentionTerms:
        return terms_of(CloudSettings.model_validate({"database_url": "postgresql://x@y/z", "evidence_days": days}))

    assert terms({"clip/low": 30}).of(EvidenceKind.CLIP, Severity.LOW) == 30
    assert terms({"clip": 30}).of(EvidenceKind.CLIP, Severity.CRITICAL) == DEFAULT_DAYS["clip/critical"]
    for wrong in ({"picture": 3}, {"clip/bad": 3}, {"clip": 0}, {"clip": 100_000}):
        with pytest.raises(ConfigurationError, match="GRIDWARD_EVIDENCE_DAYS"):
            terms(wrong)

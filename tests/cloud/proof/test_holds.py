"""What is held is not deleted, whoever else it belongs to, until the hold is over."""

import hashlib
import threading
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest

from cloud.access.model import Role
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.evidence import pruning
from cloud.evidence.retention import PrunableFile, PruneReason, RetentionTerms
from cloud.evidence.store import to_prune
from cloud.intake import retention
from cloud.proof import holds
from tests.cloud.proof.conftest import PICTURES, Proving
from tests.fakes.node import AT
from tests.waiting import wait_until

SHA256 = hashlib.sha256(PICTURES[0]).hexdigest()
TERMS = RetentionTerms({"snapshot": 1, "clip": 1, "background": 1, "sealed": 1})
LONG_AFTER = AT + timedelta(days=30)
ADDRESS = "192.0.2.1"


def closed(proving: Proving) -> None:
    with proving.connect() as conn:
        conn.execute("update grid_case set status = 'closed'")


def put(proving: Proving, *, until: datetime | None = None) -> holds.Hold:
    with proving.connect() as conn:
        found = holds.put(
            conn, proving.chief, proving.case_id(), reason="court, file 3", until=until, now=AT, address=ADDRESS
        )
    return found[-1]


def pruned(proving: Proving, now: datetime = LONG_AFTER) -> set[str]:
    gone = set()
    with proving.connect() as conn:
        for due in to_prune(conn, TERMS, quota_bytes=1 << 40, now=now, count=100):
            with conn.transaction():
                if pruning.prune(conn, proving.files, due, now=now, actor_name="retention"):
                    gone.add(due.sha256)
    return gone


def test_a_held_case_keeps_its_files_until_it_is_lifted(proving: Proving) -> None:
    closed(proving)
    hold = put(proving)
    assert (hold.set_by, hold.reason, hold.lifted_at) == ("chief", "court, file 3", None)
    assert not pruned(proving)
    assert proving.files.size(SHA256) == len(PICTURES[0])
    with proving.connect() as conn:
        (lifted,) = holds.lift(conn, proving.second, hold.id, note="the court is done", now=AT, address=ADDRESS)
        assert (lifted.lifted_by, lifted.lift_note) == ("second", "the court is done")
    assert SHA256 in pruned(proving)
    with proving.connect() as conn:
        words = conn.execute(
            "select action, detail->>'reason' from audit where action like '%hold%' or action like '%held' order by id"
        )
        assert words.fetchall() == [("evidence.held", "court, file 3"), ("evidence.hold_lifted", None)]
        events = conn.execute("select action, note from case_event where action like 'hold%' order by id").fetchall()
    assert events == [("hold_set", "court, file 3"), ("hold_lifted", "the court is done")]


def test_a_hold_with_an_end_ends(proving: Proving) -> None:
    closed(proving)
    put(proving, until=LONG_AFTER)
    assert not pruned(proving, LONG_AFTER - timedelta(seconds=1))
    assert SHA256 in pruned(proving, LONG_AFTER)


def test_a_file_that_also_belongs_to_another_case_stays(proving: Proving) -> None:
    """The other case is closed and held by nobody."""
    closed(proving)
    with proving.connect() as conn:
        conn.execute(
            "insert into grid_case (number, correlation_key, kind, category, severity, status, area_path, node, device, device_kind,"
            " opened_at, started_at, last_activity_at, late, simulated)"
            " select 'other', 'x', kind, category, severity, 'closed', area_path, node, device, device_kind, opened_at, started_at,"
            " last_activity_at, late, simulated from grid_case"
        )
        conn.execute(
            "insert into case_incident (case_id, incident_id, joined_at)"
            " select (select id from grid_case where number = 'other'), incident_id, joined_at from case_incident"
        )
    put(proving)
    assert not pruned(proving)


def test_who_is_about_to_delete_sees_a_hold_that_was_put_meanwhile(proving: Proving) -> None:
    closed(proving)
    due = PrunableFile(proving.node.name, SHA256, "snapshot", "high", len(PICTURES[0]), PruneReason.AGE)
    put(proving)
    with proving.connect() as conn:
        assert not pruning.prune(conn, proving.files, due, now=LONG_AFTER, actor_name="retention")
    assert proving.files.size(SHA256) is not None


def test_a_hold_that_is_put_while_words_are_forgotten_keeps_them(proving: Proving) -> None:
    case_id = proving.case_id()
    with proving.connect() as conn:
        conn.execute(
            "update grid_case set status = 'closed', origin = 'request', title = 'A wish', ended_at = %s where id = %s",
            [AT, case_id],
        )
    forgotten: list[int] = []

    def forget() -> None:
        with proving.connect() as conn:
            forgotten.append(retention.forget_words(conn, now=AT + timedelta(days=400), count=10))

    sweep = threading.Thread(target=forget)
    with proving.connect() as conn, psycopg.connect(proving.url, autocommit=True) as watch:
        holds.put(conn, proving.chief, case_id, reason="court, file 3", until=None, now=AT, address=ADDRESS)
        sweep.start()
        waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        wait_until(lambda: watch.execute(waits).fetchone() is not None, what="the sweep waits for the hold")
    sweep.join(timeout=20)
    with proving.connect() as conn:
        assert conn.execute("select title from grid_case where id = %s", [case_id]).fetchone() == ("A wish",)
    assert forgotten == [0]


def test_what_is_no_hold(proving: Proving) -> None:
    hold = put(proving)
    with proving.connect() as conn, pytest.raises(Invalid):
        holds.put(conn, proving.chief, proving.case_id(), reason="x", until=None, now=AT, address=ADDRESS)
    with proving.connect() as conn, pytest.raises(Invalid):
        holds.put(conn, proving.chief, proving.case_id(), reason="court", until=AT, now=AT, address=ADDRESS)
    with proving.connect() as conn, pytest.raises(NotFound):
        holds.put(conn, proving.chief, 9_999, reason="court", until=None, now=AT, address=ADDRESS)
    with proving.connect() as conn:
        holds.lift(conn, proving.chief, hold.id, note="over", now=AT, address=ADDRESS)
        with pytest.raises(Conflict):
            holds.lift(conn, proving.chief, hold.id, note="over", now=AT, address=ADDRESS)
        with pytest.raises(NotFound):
            holds.lift(conn, proving.chief, 9_999, note="over", now=AT, address=ADDRESS)


def test_a_hold_from_above_is_lifted_from_above(proving: Proving) -> None:
    hold = put(proving)  # by the chief of the district
    street = replace(proving.second, area_path="110105/110105001/")
    with proving.connect() as conn, pytest.raises(Forbidden, match="from above"):
        holds.lift(conn, street, hold.id, note="over", now=AT, address=ADDRESS)
    with proving.connect() as conn:
        [_, own] = holds.put(conn, street, proving.case_id(), reason="court", until=None, now=AT, address=ADDRESS)
        holds.lift(conn, street, own.id, note="over", now=AT, address=ADDRESS)
        assert {each.id: each.lifted_at for each in holds.of_case(conn, street, proving.case_id())} == {
            hold.id: None,
            own.id: AT,
        }
        holds.lift(conn, proving.second, hold.id, note="over", now=AT, address=ADDRESS)


def test_a_hold_tells_from_where_it_was_set_and_who_may_lift_it(proving: Proving) -> None:
    hold = put(proving)  # by the chief of the district
    assert (hold.level, hold.may_lift) == ("district", True)
    assert hold.area
    street = replace(proving.second, area_path="110105/110105001/")
    everywhere = replace(proving.second, area_path="")
    auditor = replace(proving.second, role=Role.AUDITOR)
    with proving.connect() as conn:
        [above, own] = holds.put(conn, street, proving.case_id(), reason="court", until=None, now=AT, address=ADDRESS)
        assert (above.may_lift, own.may_lift, own.level) == (False, True, "street")
        [*_, whole] = holds.put(conn, everywhere, proving.case_id(), reason="law", until=None, now=AT, address=ADDRESS)
        assert (whole.level, whole.area) == (None, None)
        seen = holds.of_case(conn, proving.chief, proving.case_id())
        assert [each.may_lift for each in seen] == [True, True, False]
        assert not any(each.may_lift for each in holds.of_case(conn, auditor, proving.case_id()))
        ended = holds.lift(conn, proving.chief, hold.id, note="over", now=AT, address=ADDRESS)
        assert [each.may_lift for each in ended] == [False, True, False]

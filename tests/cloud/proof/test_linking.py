"""What happens to cases is linked once and in order, whoever links; what is changed, cut or put in afterwards is found."""

import threading
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.cases import store as case_rows
from cloud.db.pool import open_pool
from cloud.evidence import pruning
from cloud.evidence.retention import PrunableFile, PruneReason
from cloud.proof import keys, linking, store
from cloud.proof.chain import FactKind, believed_keys, read_chain
from cloud.signing import Signer
from edge.contract import signing
from tests.cloud.proof.conftest import LATER, PICTURES, Proving, reference
from tests.fakes.node import AT

KEY = Signer(Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32))
KEYS = {KEY.fingerprint: KEY.public_key}


def linked(proving: Proving, head: Path) -> int:
    pool = open_pool(proving.url, size=2)
    try:
        return linking.link_all(pool, KEY, head, now=AT)
    finally:
        pool.close()


def checked(proving: Proving, *, noted: list[tuple[int, bytes]] | None = None) -> linking.LedgerVerdict:
    with proving.connect() as conn:
        return linking.check(conn, KEYS, noted=noted or ())


def forge(proving: Proving, statement: str) -> None:
    """What somebody does who owns the database."""
    with proving.connect() as conn:
        conn.execute("alter table case_link disable trigger user")
        conn.execute("alter table case_checkpoint disable trigger user")
        conn.execute(statement.encode())
        conn.execute("alter table case_link enable trigger user")


def test_everything_is_linked_once_in_its_order(proving: Proving, tmp_path: Path) -> None:
    count = linked(proving, tmp_path / "head")
    assert linked(proving, tmp_path / "head") == 0
    verdict = checked(proving, noted=linking.noted_head(tmp_path / "head"))
    assert verdict.holds, verdict.findings
    assert (verdict.links, verdict.waiting, verdict.checkpoints) == (count, 0, 1)
    with proving.connect() as conn:
        links = list(store.links_of(conn, proving.case_id()))
    told = read_chain(proving.number(), links, KEYS)
    assert [said.fact["revision"] for said in told if said.kind is FactKind.REVISION] == [1, 2, 3]
    assert [said.fact["action"] for said in told if said.kind is FactKind.EVENT] == ["opened", "confirm"]
    assert told[-1].fact["actor"] == "chief"


def test_a_backlog_is_worked_off_in_turns(proving: Proving, tmp_path: Path) -> None:
    pool = open_pool(proving.url, size=2)
    with pool.connection() as conn:
        waiting = store.waiting(conn)
    turns: list[int] = []
    while turns[-1:] != [0]:
        turns.append(linking.link_all(pool, KEY, tmp_path / "head", now=AT, most_batches=1, count=2))
        assert checked(proving, noted=linking.noted_head(tmp_path / "head")).holds
    pool.close()
    assert sum(turns) == waiting
    assert max(turns) == 2


def test_those_who_link_at_once_take_turns(proving: Proving, tmp_path: Path) -> None:
    def write(number: int) -> None:
        with proving.connect() as conn:
            case_rows.add_event(conn, proving.case_id(), "comment", at=AT, note=f"no. {number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    threads += [threading.Thread(target=linked, args=(proving, tmp_path / "head")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    linked(proving, tmp_path / "head")
    verdict = checked(proving)
    assert verdict.holds, verdict.findings
    assert verdict.waiting == 0


@pytest.mark.parametrize(
    ("forgery", "finding"),
    [
        ("update case_event set note = 'never said' where action = 'confirm'", "not what was linked"),
        ("update case_event set actor_id = null where action = 'confirm'", "not what was linked"),
        ("update case_link set statement = replace(convert_from(statement, 'UTF8'), 'confirm', 'dismiss')::bytea", "does not follow"),
        ("delete from case_checkpoint; delete from case_link where position = 2", "does not follow"),
        ("delete from case_checkpoint; delete from case_link where position >= 4", "the ledger ends"),
        ("update case_checkpoint set ledger = sha256('x')", "checkpoint"),
        ("update incident_revision set raw = raw || ' ' where revision = 2", "revision 2 of incident"),
        ("update incident_revision set received_at = received_at - interval '1 hour' where revision = 2", "revision 2 of incident"),
        ("delete from incident_revision where revision = 3", "revision 3 of incident"),
        ("update case_link set sig = 'x' where position = 3", "not signed"),
        ("insert into case_event (case_id, at, action) select id, now(), 'comment' from grid_case; delete from case_link_waiting", "neither linked"),
    ],
)  # fmt: skip
def test_what_is_forged_in_the_database_is_found(forgery: str, finding: str, proving: Proving, tmp_path: Path) -> None:
    linked(proving, tmp_path / "head")
    forge(proving, forgery)
    verdict = checked(proving, noted=linking.noted_head(tmp_path / "head"))
    assert not verdict.holds
    assert any(finding in each for each in verdict.findings), verdict.findings


def test_the_database_refuses_changes_of_the_chain(proving: Proving, tmp_path: Path) -> None:
    linked(proving, tmp_path / "head")
    for statement in (b"delete from case_link", b"update case_checkpoint set sig = ''", b"truncate case_link cascade"):
        with proving.connect() as conn, pytest.raises(psycopg.errors.RestrictViolation):
            conn.execute(statement)


def test_a_deletion_stands_in_the_chain_and_the_export_says_it(proving: Proving) -> None:
    picture = reference(PICTURES[0])
    with proving.connect() as conn:
        conn.execute("update grid_case set status = 'closed'")
        due = PrunableFile(proving.node.name, picture.sha256, "snapshot", "high", picture.bytes, PruneReason.AGE)
        assert pruning.prune(conn, proving.files, due, now=LATER, actor_name="retention")
        while linking.link(conn, KEY, now=LATER):
            pass
    with proving.connect() as conn:
        told = read_chain(proving.number(), store.links_of(conn, proving.case_id()), KEYS)
    (deleted,) = (said.fact for said in told if said.kind is FactKind.DELETED)
    assert (deleted["sha256"], deleted["reason"]) == (picture.sha256, "age")
    assert deleted["at"] == "2026-03-01T09:00:00.000000+00:00"


def test_a_key_that_follows_another_is_believed_by_whoever_trusts_the_first(proving: Proving) -> None:
    first = keys.signer_of(proving.settings)
    with proving.connect() as conn:
        successor = keys.rotate(conn, proving.settings, now=AT)
    with proving.connect() as conn:  # asked again before the file was put in place: the same one
        assert keys.rotate(conn, proving.settings, now=AT + timedelta(minutes=1)).fingerprint == successor.fingerprint
    keys.put_in_place(proving.settings)
    assert keys.signer_of(proving.settings).fingerprint == successor.fingerprint != first.fingerprint
    with proving.connect() as conn:
        known = store.proof_keys(conn)
    public = {signing.fingerprint(each.public_key): each.public_key for each in known}
    followed = [
        (signing.fingerprint(each.endorsed_by), signing.fingerprint(each.public_key), each.endorsement or "")
        for each in known
        if each.endorsed_by is not None
    ]
    assert believed_keys([first.fingerprint], public, followed).keys() == {first.fingerprint, successor.fingerprint}
    assert believed_keys([successor.fingerprint], public, followed).keys() == {successor.fingerprint}

"""The chain in the database: what its owner does to it shows."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection
from typer.testing import CliRunner

from cloud.access import audit, audit_chain
from cloud.access.audit_chain import noted_head, seal_all
from cloud.access.chain import Flaw, Verdict
from cloud.cli import app
from cloud.db.pool import Pool, open_pool
from cloud.errors import Invalid
from cloud.settings import CloudSettings
from cloud.signing import Signer
from tests.cloud.samples import NOW

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    opened = open_pool(migrated_url, size=4)
    yield opened
    opened.close()


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return tmp_path / "data" / "audit-head.json"


def write(conn: Connection[Any], count: int = 1, subject: str = "case:1") -> None:
    for number in range(count):
        audit.write(conn, "case.confirm", subject, actor_name="chief", detail={"n": number, "share": 0.1, "e": 1e-300})


def look(pool: Pool, head: Path | None = None) -> Verdict:
    with pool.connection() as conn:
        noted = noted_head(head) if head is not None else []
        return audit_chain.check(conn, keys=[SIGNER.public_key], noted=noted)


def as_owner(pool: Pool, *statements: str) -> None:
    """What somebody does who owns the database: no trigger of ours is in his way."""
    with pool.connection() as conn:
        for table in ("audit", "audit_link", "audit_seal"):
            conn.execute(f"alter table {table} disable trigger user".encode())
        conn.execute("alter table audit_seal drop constraint if exists audit_seal_position_fkey")
        for statement in statements:
            conn.execute(statement.encode())
        for table in ("audit", "audit_link", "audit_seal"):
            conn.execute(f"alter table {table} enable trigger user".encode())


def test_everything_that_is_written_is_chained_once_and_holds(pool: Pool, head: Path) -> None:
    with pool.connection() as conn:
        write(conn, 5)
    assert look(pool).waiting == 5
    assert seal_all(pool, SIGNER, head, now=NOW) == 5
    assert seal_all(pool, SIGNER, head, now=NOW + timedelta(minutes=1)) == 0
    with pool.connection() as conn:
        write(conn, 3)
    assert seal_all(pool, SIGNER, head, now=NOW + timedelta(minutes=2)) == 3
    found = look(pool, head)
    assert (found.holds, found.links, found.seals, found.sealed, found.waiting) == (True, 8, 2, 8, 0)


def test_a_row_that_is_committed_late_is_chained_late(pool: Pool, head: Path, migrated_url: str) -> None:
    with psycopg.connect(migrated_url) as slow:
        write(slow, subject="case:slow")
        with pool.connection() as conn:
            write(conn, 2)
        assert seal_all(pool, SIGNER, head, now=NOW) == 2
        slow.commit()
    assert seal_all(pool, SIGNER, head, now=NOW) == 1
    assert look(pool, head).holds
    with pool.connection() as conn:
        order = [row[0] for row in conn.execute("select audit_id from audit_link order by position")]
    assert order == [2, 3, 1]


def test_what_is_taken_back_leaves_nothing(pool: Pool, head: Path, migrated_url: str) -> None:
    with psycopg.connect(migrated_url) as conn:
        write(conn)
        conn.rollback()
    assert seal_all(pool, SIGNER, head, now=NOW) == 0
    assert look(pool, head).holds


def test_many_that_write_and_several_that_seal_at_once(pool: Pool, head: Path) -> None:
    def work() -> None:
        for _ in range(10):
            with pool.connection() as conn:
                write(conn, 3)
            seal_all(pool, SIGNER, head, now=NOW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = look(pool, head)
    assert (found.holds, found.links, found.waiting) == (True, 120, 0), found.findings


@pytest.mark.parametrize(
    ("statements", "flaw"),
    [
        (["update audit set actor_name = 'nobody' where id = 2"], Flaw.CHANGED),
        (["update audit set detail = '{}' where id = 4"], Flaw.CHANGED),
        (["update audit_link set hash = sha256('x') where position = 3"], Flaw.CHANGED),
        (["delete from audit where id = 2"], Flaw.GONE),
        (["delete from audit_link where audit_id = 2", "delete from audit where id = 2"], Flaw.GAP),
        (["delete from audit_link where audit_id = 2"], Flaw.GAP),
        (["delete from audit_seal where position < 4", "update audit_seal set sealed_at = now()"], Flaw.SEAL),
        (["delete from audit_link where position > 2", "delete from audit where id > 2"], Flaw.CUT),
        (
            [
                "delete from audit_seal",
                "delete from audit_link where position > 2",
                "delete from audit where id > 2",
            ],
            Flaw.CUT,
        ),
        (["insert into audit (action, subject) values ('x', 'y')", "delete from audit_waiting"], Flaw.UNCHAINED),
    ],
)
def test_what_the_owner_of_the_database_does_shows(pool: Pool, head: Path, statements: list[str], flaw: Flaw) -> None:
    with pool.connection() as conn:
        write(conn, 2)
    seal_all(pool, SIGNER, head, now=NOW)
    with pool.connection() as conn:
        write(conn, 2)
    seal_all(pool, SIGNER, head, now=NOW)
    assert look(pool, head).holds
    as_owner(pool, *statements)
    assert flaw in {finding.flaw for finding in look(pool, head).findings}


def test_the_chain_is_append_only(pool: Pool, head: Path) -> None:
    with pool.connection() as conn:
        write(conn)
    seal_all(pool, SIGNER, head, now=NOW)
    for statement in (
        "update audit_link set position = 9",
        "delete from audit_link",
        "delete from audit_seal",
        "truncate audit_seal",
        "truncate audit_link, audit_seal",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation), pool.connection() as conn:
            conn.execute(statement.encode())


def test_the_command_line_tells_whether_it_holds(
    pool: Pool, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path))

    def run(*words: str) -> Any:
        answer = CliRunner().invoke(app, ["audit", *words, "--json"])
        return answer.exit_code, json.loads(answer.stdout) if answer.stdout else None

    with pool.connection() as conn:
        write(conn, 3)
    assert run("key")[0] == 1, "nothing has been sealed here"
    settings = CloudSettings()
    sealing = Signer.of_audit(settings)
    assert seal_all(pool, sealing, tmp_path / audit_chain.HEAD_FILE, now=NOW) == 3
    status, told = run("verify")
    assert (status, told["holds"], told["rows"], told["sealed"]) == (0, True, 3, 3)
    _, key = run("key")
    assert key["head"] == [told["head"]]
    assert run("verify", "--public-key", key["public_key"], "--noted", told["head"])[0] == 0
    assert run("verify", "--noted", "3:" + "00" * 32)[0] == 1
    assert run("verify", "--public-key", "AAAA")[0] == 1
    as_owner(pool, "update audit set action = 'case.dismiss' where id = 1")
    status, told = run("verify")
    assert (status, told["holds"], told["findings"][0]["flaw"]) == (1, False, "changed")


@pytest.mark.parametrize("content", ["", "{}", '{"position": "x", "hash": ""}', '{"position": 1, "hash": "zz"}', "[]"])
def test_a_note_that_can_not_be_read_is_named(head: Path, content: str) -> None:
    head.parent.mkdir()
    head.write_text(content, encoding="ascii")
    with pytest.raises(Invalid, match="audit-head"):
        noted_head(head)


def test_a_backlog_is_worked_off_in_turns(pool: Pool, head: Path) -> None:
    with pool.connection() as conn:
        write(conn, 7)
    turns = [
        seal_all(pool, SIGNER, head, now=NOW + timedelta(minutes=turn), most_batches=2, count=2) for turn in range(3)
    ]
    assert turns == [4, 3, 0]
    assert look(pool, head).holds

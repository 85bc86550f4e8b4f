"""The command line of enrolment, as its entry point runs it."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from cloud.access import sample
from cloud.db.pool import open_pool
from cloud.enrolment import service, store
from cloud.ingest.writer import Writer
from edge.contract import signing
from edge.contract.envelope import Lane
from tests.cloud.enrolment.machines import Machine
from tests.cloud.samples import GRID
from tests.cloud.test_cli import Run, answer, run
from tests.fakes.node import FakeNode, incident, new_id

__all__ = ["run"]

NODE = "station-01"


def enrolled(run: Run, database_url: str) -> Machine:
    """A node that has used what a code of the command line brought it."""
    assert run("area", "import", str(sample.DOCUMENT))[0] == 0
    code = answer(run("node", "claim", NODE, "--area", GRID, "--json"))["claim"]
    machine, pool = Machine(), open_pool(database_url, size=2)
    try:
        issued = machine.enrol(pool, code, datetime.now(UTC))
        with pool.connection() as conn:
            conn.execute("update node_key set signs_from = now()")
            conn.execute("update node set registry_version = registry_version + 1")
    finally:
        pool.close()
    assert issued.node == NODE
    return machine


def test_a_code_a_key_and_a_rotation(run: Run, migrated_url: str) -> None:
    machine = enrolled(run, migrated_url)
    shown = answer(run("node", "identity", NODE, "--json"))
    assert shown["key"] == signing.fingerprint(machine.public_key)
    assert [each["generation"] for each in shown["credentials"]] == [1]
    assert answer(run("node", "rotate", NODE, "--at-once", "--json")) == {"node": NODE, "at_once": True}
    assert run("node", "rotate", "nobody")[0] == 1
    status, _, err = run("node", "identity", "nobody")
    assert (status, err.count("\n")) == (1, 1)
    assert run("node", "claim", NODE, "--area", "999999")[0] == 1


def test_the_files_of_a_broker(run: Run, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled(run, migrated_url)
    monkeypatch.setenv("GRIDWARD_MQTT_USER", "cloud")
    monkeypatch.setenv("GRIDWARD_MQTT_PASSWORD", "the cloud's own")
    folder = tmp_path / "broker"
    assert answer(run("broker", "export", str(folder), "--json"))["users"] == 2
    assert (folder / "acl").read_text(encoding="utf-8").count("user ") == 2
    assert "the cloud's own" not in (folder / "passwords").read_text(encoding="utf-8")


def test_a_key_of_commands_is_retired_and_does_not_come_back(run: Run, migrated_url: str) -> None:
    keys = [bytes([number]) * 32 for number in range(2)]

    def use(key: bytes) -> list[bytes]:
        with psycopg.connect(migrated_url) as conn:
            service.use_command_key(conn, key, now=datetime.now(UTC))
            return store.command_keys(conn)

    use(keys[0])
    only = signing.fingerprint(keys[0])
    assert "the last key" in run("command-key", "retire", only)[2]
    assert use(keys[1]) == keys[::-1]
    assert run("command-key", "retire", "")[0] == 1
    assert answer(run("command-key", "retire", only[:12].upper(), "--json")) == {"key": only}
    assert run("command-key", "retire", only)[0] == 1
    with capture_logs() as logged:
        assert use(keys[0]) == keys[1:]
    assert [line["key"] for line in logged] == [only]
    shown = answer(run("command-key", "list", "--json"))["items"]
    assert [(each["key"] == only, each["retired_at"] is not None) for each in shown] == [(False, False), (True, True)]
    assert "(retired)" in run("command-key", "list")[1]
    with psycopg.connect(migrated_url) as conn:
        [line] = conn.execute("select subject, actor_name from audit where action = 'command_key.retired'").fetchall()
    assert line == (only, "command line")


def test_a_person_vouches_for_what_is_not_signed(run: Run, migrated_url: str) -> None:
    enrolled(run, migrated_url)
    pool = open_pool(migrated_url, size=2)
    try:
        writer = Writer(pool, lambda _: False)
        writer.settle([FakeNode(NODE).item(incident(new_id()), lane=Lane.INCIDENT)])
        [held] = answer(run("quarantine", "list", "--json"))["items"]
        assert held["reasons"] == {"unsigned": 1}
        status, _, err = run("quarantine", "vouch", NODE, "--json")
        assert (status, "--yes" in err) == (1, True)
        assert answer(run("quarantine", "vouch", NODE, "--yes", "--json")) == {"node": NODE, "vouched": 1}
        assert writer.replay_released() == 1
    finally:
        pool.close()
    with psycopg.connect(migrated_url) as conn:
        assert conn.execute("select count(*) from incident").fetchone() == (1,)

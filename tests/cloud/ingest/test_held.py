"""What waits in quarantine is listed by node, and an operator's word is its way out."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cloud import cli
from cloud.db.pool import Pool
from cloud.errors import NotFound
from cloud.fleet import service as fleet
from cloud.ingest import held, metrics, quarantine
from cloud.ingest.writer import Writer
from tests.cloud.ingest.test_writer import count, rows
from tests.cloud.samples import GRID
from tests.fakes.node import AT, FakeNode, batch, birth, column, gap, sensor

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str) -> Ask:
    """Run `gridward-cloud quarantine … --json`: exit status and answer."""
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)

    def call(*words: str) -> tuple[int, Any]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", "quarantine", *words, "--json"])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, json.loads(told.out or told.err)

    return call


@pytest.fixture
def stranger(writer: Writer, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A stranger with a birth and two batches, a third found no room; the enrolled node has two messages of what it never declared."""
    unknown = FakeNode("stranger")
    writer.settle([node.item(birth()), node.item(batch(column([1.0], device="late"))), node.item(gap("late"))])
    writer.settle([unknown.item(birth())])
    with monkeypatch.context() as small:
        small.setattr(quarantine, "MESSAGES_PER_NODE", 3)
        times = [AT + timedelta(seconds=number) for number in range(3)]
        writer.settle([unknown.item(batch(column([1.0], begin=at))) for at in times])
    return unknown


@pytest.mark.usefixtures("stranger")
def test_what_waits_is_listed_by_node_kind_and_reason(ask: Ask) -> None:
    status, told = ask("list")
    assert status == 0
    accepted, unknown = told["items"]
    assert (accepted["node"], accepted["enrolled"], accepted["messages"]) == ("station-01", True, 2)
    assert (accepted["kinds"], accepted["reasons"]) == ({"gap": 1, "telemetry": 1}, {"unknown_device": 2})
    assert (unknown["node"], unknown["enrolled"], unknown["messages"], unknown["refused"]) == ("stranger", False, 3, 1)
    assert (unknown["kinds"], unknown["reasons"]) == ({"birth": 1, "telemetry": 2}, {"unknown_node": 3})
    assert (unknown["since"], unknown["latest_at"]) == (str(AT), str(AT))
    assert unknown["size_bytes"] > 0


@pytest.mark.usefixtures("stranger")
def test_what_an_operator_discards_is_gone_counted_and_in_the_audit_log(pool: Pool, writer: Writer, ask: Ask) -> None:
    status, told = ask("discard", "stranger", "nobody", "--yes")
    assert status == 1
    assert [each["node"] for each in told["discarded"]] == ["stranger"]
    assert told["left"] == {"nobody": "nothing of nobody waits in quarantine"}
    assert rows(pool, "select node, count(*) from quarantine group by node") == [("station-01", 2)]
    assert count(pool, "quarantined_node") == 0
    [(action, subject, actor, detail)] = rows(
        pool, "select action, subject, actor_name, detail from audit where action like 'quarantine.%%'"
    )
    assert (action, subject, actor) == ("quarantine.discarded", "stranger", "command line")
    assert (detail["messages"], detail["kinds"]) == (3, {"birth": 1, "telemetry": 2})
    assert rows(pool, "select node, count from refusal where reason = 'discarded'") == [("", 3)]
    assert ask("discard", "station-01", "--yes")[0] == 0
    assert rows(pool, "select count from refusal where reason = 'discarded' and node = 'station-01'") == [(2,)]
    assert ask("list") == (0, {"items": []})
    writer.count_missing()
    assert metrics.DISCARDED._value.get() == 5


def test_nothing_is_discarded_that_nobody_confirmed(pool: Pool, stranger: FakeNode, ask: Ask) -> None:
    status, told = ask("discard", stranger.name)
    assert (status, "--yes" in told["error"]) == (1, True)
    assert rows(pool, "select count(*) from quarantine where node = 'stranger'") == [(3,)]


def test_a_stranger_that_speaks_again_is_listed_again(writer: Writer, stranger: FakeNode, ask: Ask) -> None:
    ask("discard", stranger.name, "--yes")
    writer.settle([stranger.item(birth(sensor()))])
    [_, again] = ask("list")[1]["items"]
    assert (again["node"], again["messages"], again["refused"]) == ("stranger", 1, 0)


def test_a_stranger_of_which_nothing_waits_leaves_the_list_too(
    pool: Pool, writer: Writer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MESSAGES_PER_NODE", 0)
    writer.settle([FakeNode("stranger").item(batch(column([1.0])))])
    [listed] = ask("list")[1]["items"]
    assert (listed["messages"], listed["refused"], listed["since"]) == (0, 1, str(AT))
    assert ask("discard", "stranger", "--yes")[0] == 0
    assert count(pool, "quarantined_node") == 0
    assert rows(pool, "select count(*) from refusal where reason = 'discarded'") == [(0,)]


def test_what_was_accepted_meanwhile_is_taken_in_and_not_discarded(
    pool: Pool, writer: Writer, stranger: FakeNode
) -> None:
    with pool.connection() as conn:
        fleet.accept_node(conn, stranger.name, area_code=GRID, now=AT)
    with pytest.raises(NotFound), pool.connection() as conn:
        held.discard(conn, stranger.name, now=AT)
    assert writer.replay_released() == 3
    assert rows(pool, "select count(*) from reading") == [(2,)]

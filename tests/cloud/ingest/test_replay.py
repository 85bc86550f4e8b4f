"""Dead letters: listed, shown, and handed to ingest again without harm."""

import json
from typing import Any

import pytest

from cloud import cli
from cloud.db.pool import Pool
from cloud.ingest import quarantine
from cloud.ingest.model import Arrival
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from edge.contract.envelope import encode
from edge.contract.topics import Channel
from tests.cloud.ingest.test_writer import count, rows
from tests.fakes.node import AT, FakeNode, batch, birth, column, incident, sensor


class Terminal:
    """The command line as its entry point runs it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.status = 0

    def run(self, *words: str) -> str:
        self._monkeypatch.setattr("sys.argv", ["gridward-cloud", "deadletters", *words])
        self.status = 0
        try:
            cli.main()
        except SystemExit as end:
            self.status = int(end.code or 0)
        told = self._capsys.readouterr()
        return told.out + told.err

    def ask(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str) -> Terminal:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def refused(pool: Pool, node: FakeNode, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letter 1 can be read (it found no room in quarantine), letter 2 can't, letter 3 is cut."""
    with monkeypatch.context() as full:
        full.setattr(quarantine, "MESSAGES_PER_NODE", 0)
        writer.settle([node.item(batch(column([1.0, 2.0], device="late-01")))])
    topic = node.topic(Channel.TELEMETRY)
    writer.settle([read(Arrival(topic, b'{"x":"\x1b[2J"', AT)), read(Arrival(topic, b"x" * 9_000, AT))])
    assert count(pool, "dead_letter") == 3


@pytest.mark.usefixtures("refused")
def test_letters_are_listed_and_shown(terminal: Terminal) -> None:
    told = terminal.ask("list")
    assert [(each["id"], each["reason"], each["whole"]) for each in told["letters"]] == [
        (3, "malformed", False),
        (2, "malformed", True),
        (1, "quarantine_full", True),
    ]
    assert {each["reason"]: each["count"] for each in told["refused"]} == {"malformed": 2, "quarantine_full": 1}
    assert [each["id"] for each in terminal.ask("list", "--reason", "quarantine_full")["letters"]] == [1]
    assert [each["id"] for each in terminal.ask("list", "--before", "3", "--limit", "1")["letters"]] == [2]
    assert terminal.ask("list", "--node", "")["letters"] == []
    assert terminal.ask("show", "2")["payload"] == '{"x":"\x1b[2J"'
    assert "\x1b" not in terminal.run("list") + terminal.run("show", "2")
    assert "there is no dead letter 99" in terminal.run("show", "99")
    assert terminal.status == 1


@pytest.mark.usefixtures("refused")
def test_a_letter_is_taken_in_once_what_kept_it_out_is_mended(
    pool: Pool, node: FakeNode, writer: Writer, terminal: Terminal
) -> None:
    writer.settle([node.item(birth(sensor("late-01")))])
    told = terminal.ask("replay", "1", "2", "3", "4")
    assert told["handed"] == [1]
    assert told["left"].keys() == {"2", "3", "4"}
    assert "malformed" in told["left"]["2"]
    assert "4096 of 9000" in told["left"]["3"]
    assert count(pool, "reading") == 0
    assert writer.replay_released() == 1
    assert rows(pool, "select value from reading order by observed_at") == [(1.0,), (2.0,)]
    assert [row[0] for row in rows(pool, "select id from dead_letter order by id")] == [2, 3]
    terminal.run("replay", "2")
    assert terminal.status == 1
    terminal.run("replay")
    assert terminal.status == 1


def test_what_is_there_already_is_not_taken_twice(
    pool: Pool, node: FakeNode, writer: Writer, terminal: Terminal
) -> None:
    writer.settle([node.item(birth())])
    for body in (batch(column([1.0])), incident()):
        first, other = node.envelope(body), node.envelope(body)
        forged = encode(other).replace(str(other.id).encode(), str(first.id).encode()).replace(b"1.0", b"9.0")
        writer.settle([read(node.arrival(first))])
        writer.settle([read(Arrival(node.arrival(first).topic, forged, AT))])
    before = rows(pool, "select (select count(*) from incident), (select count(*) from grid_case)")
    (letter,) = terminal.ask("list")["letters"]
    assert letter["reason"] == "id_reused"
    assert terminal.ask("replay", "--reason", "id_reused")["handed"] == [letter["id"]]
    assert writer.replay_released() == 1
    assert rows(pool, "select value from reading") == [(1.0,)], "the first write of a time wins"
    assert rows(pool, "select (select count(*) from incident), (select count(*) from grid_case)") == before
    assert count(pool, "dead_letter") == 0

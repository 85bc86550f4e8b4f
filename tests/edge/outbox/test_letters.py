import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import FILE, Computer, NodeClock, Timebase
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.topics import Channel
from edge.errors import Permanent
from edge.flow import OutboxRecord
from edge.outbox.letters import Letters
from edge.outbox.losses import is_balanced
from edge.outbox.outbox import Outbox
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading

RUNNER = CliRunner()


def waiting(outbox: Outbox, lane: Lane) -> list[OutboxRecord]:
    return list(outbox.pending(lane, fresh_since=START - timedelta(days=1), old=False, skip=(), limit=50))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Open, as its node has it; one incident and one batch were rejected."""
    opened = Outbox(tmp_path, OutboxSettings(), clock=SteppedClock(), window_s=0.0)
    opened.incident(incident(1))
    opened.readings([reading(1)])
    for lane in (Lane.INCIDENT, Lane.LIVE):
        opened.settle({record.message_id: (Outcome.REJECTED, "data: no") for record in waiting(opened, lane)})
    yield opened
    opened.close()


def numbers(directory: Path) -> dict[str, int]:
    return {letter.channel: letter.number for letter in Letters(directory).newest()}


def test_a_rejected_incident_is_sent_again_as_a_new_message(outbox: Outbox, tmp_path: Path) -> None:
    body = Letters(tmp_path).body(numbers(tmp_path)[Channel.INCIDENT])
    Letters(tmp_path).send_again([numbers(tmp_path)[Channel.INCIDENT]], clock=NodeClock.of(SteppedClock()))
    (again,) = waiting(outbox, Lane.INCIDENT)
    assert again.body == body
    assert numbers(tmp_path).keys() == {Channel.TELEMETRY}
    assert outbox._committer.read(is_balanced)
    outbox.settle({again.message_id: (Outcome.ACCEPTED, None)})
    assert waiting(outbox, Lane.INCIDENT) == []


def test_what_is_sent_again_was_accepted_by_the_time_of_the_node(outbox: Outbox, tmp_path: Path) -> None:
    """The node's clock began a day late and its correction is known: by the wall clock the letter would lie a day ahead."""
    machine = Computer()
    look = machine.look()
    day_us = 86_400_000_000
    base = Timebase(7, machine.boot, look.wall_us - look.boot_us - day_us, correction_us=day_us, trusted=True)
    kept = json.dumps([asdict(base)])
    (tmp_path / FILE).write_text(kept)
    Letters(tmp_path).send_again([numbers(tmp_path)[Channel.INCIDENT]])
    (again,) = waiting(outbox, Lane.INCIDENT)
    assert abs(again.accepted_at + timedelta(days=1) - datetime.now(UTC)) < timedelta(minutes=10)
    assert (tmp_path / FILE).read_text() == kept, "it is the node's own file"


def test_a_letter_that_can_not_be_read_is_not_sent_again(outbox: Outbox, tmp_path: Path) -> None:
    number = numbers(tmp_path)[Channel.INCIDENT]
    outbox._committer.write(
        lambda store: store._connection.execute("UPDATE dead_letter SET body = ? WHERE row = ?", (b"{", number))
    )
    with pytest.raises(Permanent, match="discard it"):
        Letters(tmp_path).send_again([number], clock=NodeClock.of(SteppedClock()))


@pytest.mark.usefixtures("outbox")
def test_readings_are_not_sent_again_and_nothing_is_done_by_halves(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="no incident"):
        Letters(tmp_path).send_again(list(numbers(tmp_path).values()), clock=NodeClock.of(SteppedClock()))
    with pytest.raises(Permanent, match="no letter 99"):
        Letters(tmp_path).discard([*numbers(tmp_path).values(), 99])
    assert len(numbers(tmp_path)) == 2


def test_where_there_is_no_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="has the node run"):
        Letters(tmp_path)


def test_the_commands(outbox: Outbox, tmp_path: Path) -> None:
    config = tmp_path / "node.yaml"
    config.write_text(
        f"node: {{id: station-01, district: '110105', data_directory: {tmp_path}}}\n"
        "cloud: {mqtt: 'mqtt://127.0.0.1', https: 'http://127.0.0.1'}\n"
    )

    def told(*words: str) -> str:
        done = RUNNER.invoke(app, ["letters", *words, "--config", str(config)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    listed = json.loads(told("list", "--json"))
    found = {letter["channel"]: str(letter["number"]) for letter in listed}
    assert re.search(r"up/incident\s+data: no", told("list"))
    assert json.loads(told("show", found["up/incident"]))["kind"] == "intrusion"
    assert json.loads(told("send-again", found["up/incident"], "--json")) == {
        "waiting_again": [int(found["up/incident"])]
    }
    assert told("discard", found["up/telemetry"]) == "discarded: 1\n"
    assert json.loads(told("list", "--json")) == []
    assert len(waiting(outbox, Lane.INCIDENT)) == 1

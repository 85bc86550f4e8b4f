"""A message that comes again, because its answer was lost, is told what it was told before."""

from datetime import timedelta
from typing import Any

import pytest

from cloud.db.pool import Pool
from cloud.fleet import service as fleet
from cloud.ingest import quarantine, registry, store
from cloud.ingest.model import Item
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope
from edge.contract.telemetry import StateChange
from tests.cloud.samples import GRID
from tests.fakes.node import AT, FakeNode, batch, birth, column, gap, new_id, sensor


def rows(pool: Pool, statement: str) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute(statement).fetchall()


def in_session(node: FakeNode, envelope: Envelope[Any], session: Any, seq: int) -> Item:
    """The same message, sent again by a later start of the node."""
    resent = Envelope(
        id=envelope.id, node=node.name, session=session, lane=envelope.lane, seq=seq, sent_at=AT, body=envelope.body
    )
    return read(node.arrival(resent))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarantine without room."""
    monkeypatch.setattr(quarantine, "MESSAGES_PER_NODE", 0)


@pytest.mark.usefixtures("full")
def test_a_rejected_message_is_rejected_again_and_counted_once(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    sent = node.item(gap("sensor-02"))
    (first,) = writer.settle([sent])
    (second,) = writer.settle([read(sent.arrival)])
    assert (first.outcome, second.outcome) == (Outcome.REJECTED, Outcome.REJECTED)
    assert first.reason == second.reason
    assert rows(pool, "select reason, count from refusal") == [("quarantine_full", 1)]
    assert rows(pool, "select count(*) from dead_letter") == [(1,)]


@pytest.mark.usefixtures("full")
def test_what_comes_twice_in_one_transaction_is_told_one_thing(node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    sent = node.item(gap("sensor-02"))
    assert {verdict.outcome for verdict in writer.settle([sent, read(sent.arrival)])} == {Outcome.REJECTED}


@pytest.mark.usefixtures("full")
def test_a_batch_that_can_not_be_taken_whole_is_refused_whole(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    change = StateChange(device="sensor-01", point="door", observed_at=AT, value="open")
    mixed = node.item(batch(column([1.0]), column([7.0], device="sensor-02"), changes=[change]))
    (verdict,) = writer.settle([mixed])
    assert verdict.outcome is Outcome.REJECTED
    assert rows(pool, "select count(*) from reading") == rows(pool, "select count(*) from state_change") == [(0,)]


def test_a_resend_counts_in_the_lanes_of_its_new_session(pool: Pool, node: FakeNode, writer: Writer) -> None:
    told, lost = node.envelope(birth()), node.envelope(batch(column([1.0])))
    writer.settle([read(node.arrival(told)), read(node.arrival(lost))])
    later = new_id()
    again = [
        in_session(node, node.envelope(birth()), later, 1),
        in_session(node, lost, later, 1),
        in_session(node, node.envelope(batch(column([2.0], begin=AT + timedelta(seconds=1)))), later, 2),
    ]
    writer.settle(again)
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}
    writer.settle([read(again[1].arrival), read(node.arrival(lost))])  # by the broker once more, and by the old session
    in_later = rows(pool, f"select highest_seq, received from node_lane where session = '{later}'")  # noqa: S608
    assert in_later == [(2, 2)]


@pytest.mark.parametrize("first", [0, 1])
def test_copies_of_two_sessions_in_one_transaction_count_in_the_later_one(
    pool: Pool, node: FakeNode, writer: Writer, first: int
) -> None:
    lost, later = node.envelope(batch(column([1.0]))), new_id()
    writer.settle([read(node.arrival(node.envelope(birth()))), in_session(node, node.envelope(birth()), later, 1)])
    copies = [read(node.arrival(lost)), in_session(node, lost, later, 1)]
    second = in_session(node, node.envelope(batch(column([2.0], begin=AT + timedelta(seconds=1)))), later, 2)
    writer.settle([copies[first], copies[1 - first], second])
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}
    assert rows(pool, "select value from reading order by value") == [(1.0,), (2.0,)]


def test_what_waited_in_quarantine_has_its_room_there(
    pool: Pool, node: FakeNode, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.settle([node.item(birth()), node.item(batch(column([1.0], device="sensor-02")))])
    monkeypatch.setattr(quarantine, "MESSAGES_PER_NODE", 0)
    with pool.connection() as conn:
        conn.execute("update quarantine set released = true")
    assert writer.replay_released() == 1
    assert rows(pool, "select count(*) from quarantine") == [(1,)]
    assert rows(pool, "select count(*) from dead_letter") == [(0,)]
    writer.settle([node.item(birth(sensor(), sensor("sensor-02")))])
    assert writer.replay_released() == 1
    assert rows(pool, "select value from reading") == [(1.0,)]


def test_a_released_message_that_fails_is_kept_whole_and_harms_no_other(
    pool: Pool, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = FakeNode("stranger")
    poison, good = stranger.item(birth(sensor("a"), sensor("b"))), stranger.item(gap("a"))
    writer.settle([poison, good, stranger.item(batch(column([1.0], device="a")))])
    with pool.connection() as conn:
        fleet.accept_node(conn, "stranger", area_code=GRID, now=AT)
    monkeypatch.setattr(registry, "MAXIMUM_DEVICES", 1)
    for _ in range(4):
        writer.replay_released()
    ((payload, only_copy),) = rows(pool, "select payload, only_copy from dead_letter")
    assert (bytes(payload), only_copy) == (poison.arrival.payload, True)
    assert rows(pool, "select count(*) from quarantine") == [(2,)]  # they wait for a birth that declares their device

"""Hostile messages among good ones: every good one is settled, every bad one is counted under its reason, nothing stops."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from psycopg.rows import dict_row

from cloud.db.pool import Pool
from cloud.fleet import service as fleet
from cloud.ingest import metrics, registry
from cloud.ingest.model import Arrival, Reason
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from cloud.refusals import store as refusals
from cloud.refusals.policy import LETTERS_AT_ONCE
from cloud.telemetry import service as telemetry
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane, encode
from edge.contract.topics import Channel
from tests.cloud.samples import GRID
from tests.fakes.hostile import DEVICE, Hostile, hostile_messages
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, gap, incident, sensor

CASES = hostile_messages(FakeNode("hostile-01"))


def arrival(node: FakeNode, hostile: Hostile) -> Arrival:
    return Arrival(node.topic(hostile.channel), hostile.payload, AT)


def counted(pool: Pool) -> dict[tuple[str | None, str], int]:
    with pool.connection() as conn:
        return {(each.node, each.reason): each.count for each in refusals.counts(conn)}


def table(pool: Pool, statement: str) -> list[dict[str, Any]]:
    with pool.connection() as conn:
        return conn.cursor(row_factory=dict_row).execute(statement).fetchall()


@pytest.fixture
def attacker(pool: Pool, writer: Writer) -> FakeNode:
    """An enrolled node gone bad, its device declared."""
    with pool.connection() as conn:
        fleet.add_node(conn, "hostile-01", district=DISTRICT, area_code=GRID, now=AT)
    attacker = FakeNode("hostile-01")
    writer.settle([attacker.item(birth(DEVICE))])
    return attacker


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_is_counted_under_its_reason(case: Hostile) -> None:
    item = read(arrival(FakeNode("hostile-01"), case))
    assert getattr(item, "reason", None) == case.reason


def test_all_of_them_at_once_harm_nobody(pool: Pool, node: FakeNode, writer: Writer, attacker: FakeNode) -> None:
    unforeseen = metrics.ERRORS._value.get()
    good = [node.item(birth()), *(node.item(batch(column([1.0], begin=AT - timedelta(minutes=n)))) for n in range(60))]
    cases = hostile_messages(attacker)
    items = [*good, *(read(arrival(attacker, case)) for case in cases)]
    random.Random(7).shuffle(items)  # noqa: S311
    verdicts = {verdict.message_id: verdict for verdict in writer.settle([good[0], *items])}
    assert {verdicts[item.envelope.id].outcome for item in good} <= {Outcome.ACCEPTED, Outcome.DUPLICATE}  # type: ignore[union-attr]
    wanted = Counter(("hostile-01", case.reason) for case in cases if case.reason is not None)
    assert counted(pool) == wanted
    taken = [verdicts[case.message_id] for case in cases if case.reason is None and case.message_id is not None]
    assert {verdict.outcome for verdict in taken} == {Outcome.ACCEPTED}
    assert metrics.ERRORS._value.get() == unforeseen
    assert telemetry.roll_up(pool) > 0
    for name in ("reading", "latest", "state_change", "gap", "incident", "grid_case", "case_summary", "node", "device"):
        table(pool, f"select * from {name}")  # noqa: S608 - every row that was written can be read


def test_values_that_would_overflow_their_sum_stop_no_rollup(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth()), node.item(batch(column([1e100, 1e100, -1e100, 9e99])))])
    assert telemetry.roll_up(pool) > 0
    assert table(pool, "select count, minimum from rollup_minute") == [{"count": 4, "minimum": -1e100}]


def test_the_same_id_with_another_content_is_no_resend(pool: Pool, node: FakeNode, writer: Writer) -> None:
    first = node.envelope(batch(column([1.0])))
    other = node.envelope(batch(column([2.0], begin=AT + timedelta(seconds=5))))
    forged = encode(other).replace(str(other.id).encode(), str(first.id).encode())
    resent = encode(first).replace(b'"historical":false', b'"historical":true')
    topic = node.topic(Channel.TELEMETRY)
    writer.settle([node.item(birth())])
    for _ in range(2):
        items = [read(Arrival(topic, payload, AT)) for payload in (encode(first), forged, resent)]
        verdicts = writer.settle(items)
        assert Counter(verdict.outcome for verdict in verdicts)[Outcome.REJECTED] == 1
    assert counted(pool) == {("station-01", "id_reused"): 2}
    assert [row["value"] for row in table(pool, "select value from reading")] == [1.0]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_sent_again_after_its_receipt_is_forgotten_changes_nothing(
    pool: Pool, node: FakeNode, writer: Writer, seed: int
) -> None:
    def state() -> list[list[dict[str, Any]]]:
        return [
            table(pool, statement)
            for statement in (
                "select * from reading order by series_id, observed_at",
                "select * from latest",
                "select * from gap order by gap_id",
                "select incident_id, revision, state, severity, case_id from incident order by incident_id",
                "select id, status, severity, version from grid_case order by id",
                "select name, title, session, birth_seq from node",
                "select name, declared from device order by name",
            )
        ]

    first = incident()
    sent = [
        node.item(birth(name="first")),
        node.item(birth(name="second")),
        *(node.item(batch(column([float(n)], begin=AT - timedelta(seconds=n)))) for n in range(5)),
        node.item(gap()),
        node.item(first, lane=Lane.INCIDENT),
        node.item(incident(first.incident_id, revision=2, severity="critical"), lane=Lane.INCIDENT),
        node.item(incident(), lane=Lane.INCIDENT),
    ]
    writer.settle(sent)
    before = state()
    with pool.connection() as conn:
        conn.execute("delete from receipt")
    again = [read(item.arrival) for item in sent] * 2
    random.Random(seed).shuffle(again)  # noqa: S311
    for item in again:
        (verdict,) = writer.settle([item])
        assert verdict.outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE}
    assert state() == before


def test_one_sender_fills_neither_the_dead_letters_nor_the_database(
    pool: Pool, node: FakeNode, writer: Writer, attacker: FakeNode
) -> None:
    def broken(sender: FakeNode) -> Any:
        return read(Arrival(sender.topic(Channel.TELEMETRY), b"{", AT))

    writer.monotonic_s = lambda: 100.0  # no time passes: the allowance is not filled again
    writer.settle([broken(node)])
    for _ in range(5):
        writer.settle([broken(attacker) for _ in range(200)])
    writer.settle([broken(node), broken(FakeNode("unheard-of")), read(Arrival("no/topic", b"", AT))])
    letters = table(pool, "select node, count(*) from dead_letter group by node order by node")
    assert letters == [
        {"node": "hostile-01", "count": LETTERS_AT_ONCE},
        {"node": "station-01", "count": 2},
        {"node": None, "count": 2},
    ]
    assert counted(pool) == {
        ("hostile-01", "malformed"): 1_000,
        ("station-01", "malformed"): 2,
        (None, "malformed"): 1,
        (None, "unknown_topic"): 1,
    }


def test_tries_that_fail_use_up_nobodys_allowance(
    pool: Pool, writer: Writer, attacker: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAXIMUM_DEVICES", 1)
    unreadable = [read(Arrival(attacker.topic(Channel.TELEMETRY), b"{%d" % number, AT)) for number in range(60)]
    writer.settle([*unreadable, attacker.item(birth(sensor("a"), sensor("b")))])
    assert table(pool, "select count(*) from dead_letter") == [{"count": 61}]


def test_the_newest_letters_of_a_sender_stay(
    pool: Pool, node: FakeNode, writer: Writer, attacker: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MAXIMUM_LETTERS_OF_SENDER", 3)
    for sender in (node, *[attacker] * 6):
        writer.settle([read(Arrival(sender.topic(Channel.TELEMETRY), b"{", AT))])
    letters = table(pool, "select node, count(*), max(id) from dead_letter group by node order by node")
    assert [(row["node"], row["count"]) for row in letters] == [("hostile-01", 3), ("station-01", 1)]
    assert letters[0]["max"] == 7


def test_what_can_be_read_is_kept_whole_and_the_rest_by_its_head(
    pool: Pool, writer: Writer, attacker: FakeNode
) -> None:
    first = attacker.envelope(batch(column([1.0])))
    other = attacker.envelope(batch(column([float(n) for n in range(2_000)])))
    forged = encode(other).replace(str(other.id).encode(), str(first.id).encode())
    topic = attacker.topic(Channel.TELEMETRY)
    writer.settle([read(Arrival(topic, payload, AT)) for payload in (encode(first), forged, b"x" * 9_000)])
    with pool.connection() as conn:
        unread, reused = refusals.letters(conn, limit=10), refusals.letters(conn, reason=Reason.ID_REUSED, limit=10)
    assert {each.reason: each.is_whole for each in unread} == {"id_reused": True, "malformed": False}
    assert reused[0].payload == forged

"""Times that can't be, late ones, and what is the newest after all of them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.correlate.service import DEFAULT_RULES
from cloud.db.pool import Pool
from cloud.fleet import service as fleet
from cloud.ingest import metrics
from cloud.ingest.model import Arrival, Item
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from cloud.telemetry import service as telemetry
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.telemetry import StateChange
from tests.cloud.emptying import empty
from tests.cloud.samples import GRID
from tests.fakes.node import AT, FakeNode, batch, birth, column, gap, incident

FAR = datetime(9999, 12, 30, tzinfo=UTC)


def rows(pool: Pool, statement: str, *parameters: Any) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute(statement, parameters).fetchall()


def at_receipt(node: FakeNode, body: Any, after_s: float) -> Item:
    """The message, received `after_s` after the first ones."""
    return read(node.arrival(node.envelope(body), at=AT + timedelta(seconds=after_s)))


def test_latest_only_moves_forward_and_a_wild_clock_freezes_nothing(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth()), node.item(batch(column([1.0])))])
    writer.settle([node.item(batch(column([2.0], begin=AT - timedelta(days=1))))])
    assert rows(pool, "select value from latest") == [(1.0,)]
    wild = [
        AT + timedelta(minutes=2),
        AT + timedelta(days=1),
        AT + timedelta(days=400),
        datetime(9999, 12, 30, tzinfo=UTC),
        datetime(1971, 1, 1, tzinfo=UTC),
    ]
    for number, begin in enumerate(wild, 1):
        writer.settle([at_receipt(node, batch(column([10.0 * number], begin=begin)), number)])
        assert rows(pool, "select value, observed_at from latest") == [
            (10.0 * number, AT + timedelta(seconds=number)),
        ]
    writer.settle([at_receipt(node, batch(column([3.0], begin=AT + timedelta(seconds=9))), 10)])
    assert rows(pool, "select value, observed_at from latest") == [(3.0, AT + timedelta(seconds=9))]
    assert rows(pool, "select count(*) from reading where flag & 1 = 1") == [(len(wild),)]
    assert rows(pool, "select count(*) from reading") == [(len(wild) + 3,)]


def test_states_presence_and_gaps_of_a_wild_clock_freeze_nothing(pool: Pool, node: FakeNode, writer: Writer) -> None:
    def change(value: str, at: datetime, point: str = "presence") -> StateChange:
        return StateChange(device="sensor-01", point=point, observed_at=at, value=value)

    far = datetime(9999, 12, 30, tzinfo=UTC)
    before = clamped_now()
    doors = [change(value, far + timedelta(seconds=second), "door") for second, value in enumerate(("open", "shut"))]
    writer.settle([node.item(birth()), at_receipt(node, batch(changes=[change("lost", far), *doors]), 5)])
    assert rows(pool, "select presence, presence_since from device") == [("lost", AT + timedelta(seconds=4))]
    assert rows(pool, "select value from state_change where point = 'door' order by observed_at") == [
        ("open",),
        ("shut",),
    ]
    writer.settle([at_receipt(node, batch(changes=[change("online", AT + timedelta(seconds=6))]), 7)])
    assert rows(pool, "select presence from device") == [("online",)]
    hole = msgspec.structs.replace(gap(), from_at=far - timedelta(hours=1), to_at=far)
    writer.settle([at_receipt(node, hole, 8)])
    assert rows(pool, "select from_at, to_at from gap") == [
        (AT + timedelta(seconds=8) - timedelta(hours=1), AT + timedelta(seconds=8))
    ]
    assert {what: clamped_now()[what] - before[what] for what in ("change", "gap")} == {"change": 3, "gap": 1}


def clamped_now() -> dict[str, float]:
    return {what: metrics.CLAMPED.labels(what)._value.get() for what in ("reading", "change", "gap", "incident")}


def test_an_incident_whose_node_found_its_clock_wrong_is_put_right_and_its_bytes_are_kept(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    slow = timedelta(days=20_000)
    told = msgspec.structs.replace(incident(), started_at=AT - slow, updated_at=AT - slow)
    envelope = msgspec.structs.replace(node.envelope(told, lane=Lane.INCIDENT), clock_correction_s=slow.total_seconds())
    arrival = node.arrival(envelope)
    writer.settle([node.item(birth()), read(arrival)])
    assert rows(pool, "select started_at, updated_at from incident") == [(AT, AT)]
    assert rows(pool, "select started_at from grid_case") == [(AT,)]
    assert [bytes(raw) for (raw,) in rows(pool, "select raw from incident_revision")] == [arrival.payload]


def test_how_far_a_nodes_clock_is_ahead_is_measured_by_the_message_that_was_under_way_the_least(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    messages = [
        read(node.arrival(node.envelope(body), at=AT + timedelta(seconds=after_s)))
        for body, after_s in (
            (birth(), 600),
            (batch(column([1.0])), -30),
            (batch(column([2.0], begin=AT.replace(hour=1))), 5),
        )
    ]
    writer.settle(messages)
    assert rows(pool, "select skew_s from node") == [(30.0,)]


DAY_S = 86_400
readings = st.lists(
    st.tuples(
        st.integers(0, 600),  # when it was observed, seconds after AT
        st.integers(0, 300),  # how much later it is received
        st.sampled_from(
            [0, 0, 0, 40, 120, 3_600, DAY_S, 400 * DAY_S, -400 * DAY_S, -20_000 * DAY_S]
        ),  # its clock's error
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings, st.randoms(use_true_random=False))
def test_whatever_the_order_and_the_clocks_latest_is_the_true_last_and_rollups_are_a_recount(
    pool: Pool, node: FakeNode, writer: Writer, told: list[tuple[int, int, int]], random: Any
) -> None:
    with pool.connection() as conn:
        conn.execute("truncate reading, latest, rollup_minute, rollup_hour, touched_minute, touched_hour")
    items, expected = [node.item(birth())], set()
    for number, (observed_s, later_s, wrong_s) in enumerate(told):
        # a microsecond each, so that no two are the same reading
        received_at = AT + timedelta(seconds=observed_s + later_s, microseconds=2 * number)
        at = AT + timedelta(seconds=observed_s + wrong_s, microseconds=2 * number + 1)
        items.append(read(node.arrival(node.envelope(batch(column([float(number)], begin=at))), at=received_at)))
        believed = datetime(2000, 1, 1, tzinfo=UTC) <= at <= received_at + timedelta(minutes=1)
        expected.add((at if believed else received_at, float(number)))
    head, tail = items[:1], items[1:]
    random.shuffle(tail)
    cut = random.randrange(len(tail) + 1)
    for part in (head, tail[:cut], tail[cut:], tail[:cut]):
        writer.settle(part)
    telemetry.roll_up(pool)
    assert set(rows(pool, "select observed_at, value from reading")) == expected
    assert rows(pool, "select observed_at, value from latest") == [max(expected)]
    for table, unit in (("rollup_minute", "minute"), ("rollup_hour", "hour")):
        recount = rows(
            pool,
            "select date_trunc(%s, observed_at) as at, count(*), sum(value), min(value), max(value)"
            " from reading group by at order by at",
            unit,
        )
        kept = rows(pool, f"select bucket_at, count, total, minimum, maximum from {table} order by bucket_at")  # noqa: S608
        assert kept == recount


RINGS_FOR = DEFAULT_RULES.late_ring


def revisions(severity: Severity, *, ended: bool, age: timedelta) -> list[Incident]:
    """What a node has to tell of one fire, oldest first; the last revision is `age` old at `AT`."""
    told = [
        (IncidentState.OPEN, AT - age - timedelta(minutes=5)),
        (IncidentState.UPDATE, AT - age - timedelta(minutes=2)),
        (IncidentState.ENDED if ended else IncidentState.UPDATE, AT - age),
    ]
    one = incident(severity=severity, kind="threshold", started_at=told[0][1])
    return [
        msgspec.structs.replace(
            one, revision=number, state=state, updated_at=at, ended_at=at if state is IncidentState.ENDED else None
        )
        for number, (state, at) in enumerate(told, 1)
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    severity=st.sampled_from([Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]),
    ended=st.booleans(),
    age=st.sampled_from([timedelta(minutes=5), RINGS_FOR - timedelta(minutes=1), RINGS_FOR + timedelta(minutes=1)]),
    cuts=st.lists(st.integers(0, 6), max_size=3),
    random=st.randoms(use_true_random=False),
)
def test_what_was_cut_off_rings_if_it_holds_or_was_critical_lately_and_is_filed_as_late_else(
    pool: Pool,
    node: FakeNode,
    writer: Writer,
    *,
    severity: Severity,
    ended: bool,
    age: timedelta,
    cuts: list[int],
    random: Any,
) -> None:
    with pool.connection() as conn:
        empty(conn, "grid_case, incident, event")
    told = [node.item(each, lane=Lane.HISTORY, historical=True) for each in revisions(severity, ended=ended, age=age)]
    # the newest comes first, as a node sends them; after it in any order, twice, in any parts
    rest = [*told[:-1], *told]
    random.shuffle(rest)
    everything = [told[-1], *rest]
    bounds = sorted({0, *cuts, len(everything)})
    for first, last in pairwise(bounds):
        writer.settle([node.item(birth()), *everything[first:last]])
    rang = not ended or (severity is Severity.CRITICAL and age <= RINGS_FOR)
    assert rows(pool, "select late, severity::text, ongoing, incident_count from case_summary") == [
        (not rang, severity.value, not ended, 1)
    ]
    tells = [
        payload["late"] for (payload,) in rows(pool, "select payload from event where kind like 'case.%%' order by id")
    ]
    assert tells
    assert set(tells) == {not rang}


def test_a_batch_that_holds_beginning_and_end_in_any_order_is_judged_by_the_end(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    told = revisions(Severity.HIGH, ended=True, age=timedelta(minutes=5))
    writer.settle([node.item(birth()), *(node.item(each, historical=True) for each in told)])
    assert rows(pool, "select late, ongoing from case_summary") == [(True, False)]


def test_an_open_one_whose_end_was_rejected_rings_and_stays_open(pool: Pool, node: FakeNode, writer: Writer) -> None:
    opened, _, ended = revisions(Severity.HIGH, ended=True, age=timedelta(minutes=5))
    broken = node.arrival(node.envelope(ended, lane=Lane.HISTORY, historical=True))
    payload = broken.payload.replace(b'"started_at":"2026', b'"started_at":"0026')
    verdicts = writer.settle(
        [node.item(birth()), read(Arrival(broken.topic, payload, AT)), node.item(opened, historical=True)]
    )
    assert sorted(verdict.outcome for verdict in verdicts) == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED]
    assert rows(pool, "select late, ongoing from case_summary") == [(False, True)]


@pytest.mark.parametrize(
    ("severity", "ended", "waited", "late"),
    [
        (Severity.CRITICAL, False, timedelta(days=2), False),
        (Severity.CRITICAL, True, timedelta(days=2), True),
        (Severity.CRITICAL, True, timedelta(hours=2), False),
        (Severity.HIGH, True, timedelta(hours=2), True),
        (Severity.HIGH, False, timedelta(hours=2), False),
    ],
)
def test_what_waited_in_quarantine_is_judged_at_its_release(
    pool: Pool, writer: Writer, *, severity: Severity, ended: bool, waited: timedelta, late: bool
) -> None:
    stranger = FakeNode("station-09")
    told = revisions(severity, ended=ended, age=timedelta(seconds=1))
    writer.settle([stranger.item(birth()), *(stranger.item(each, lane=Lane.INCIDENT) for each in told)])
    assert rows(pool, "select count(*) from incident") == [(0,)]
    with pool.connection() as conn:
        fleet.accept_node(conn, stranger.name, area_code=GRID, now=AT)
    later = Writer(pool, lambda _: False, clock=lambda: AT + waited)
    while later.replay_released():
        pass
    assert rows(pool, "select late, ongoing from case_summary") == [(late, not ended)]
    # received_at stays what it was: nothing in the chain of a case moves because somebody was slow
    assert rows(pool, "select distinct received_at from incident") == [(AT,)]

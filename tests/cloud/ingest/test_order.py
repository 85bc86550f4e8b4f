"""Order, doubling and cutting into batches change nothing of what stands in the end."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.db.pool import Pool
from cloud.fleet import service as fleet
from cloud.ingest import store
from cloud.ingest.model import Item
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from edge.contract.downlink import Outcome
from tests.cloud.emptying import empty
from tests.cloud.samples import GRID
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, gap, incident, new_id, sensor

TABLES = {
    "reading": "select observed_at, value from reading order by 1, 2",
    "latest": "select observed_at, value from latest order by 1",
    "incident": "select incident_id, revision from incident order by 1",
    "gap": "select gap_id from gap order by 1",
    "receipt": "select count(*) from receipt",
}


def written(pool: Pool) -> dict[str, Any]:
    with pool.connection() as conn:
        return {name: conn.execute(statement).fetchall() for name, statement in TABLES.items()}


def forget(pool: Pool) -> None:
    with pool.connection() as conn:
        empty(
            conn,
            "reading, latest, touched_minute, state_change, gap, receipt, node_lane, quarantine, event,"
            " incident, incident_revision, case_incident, grid_case, case_event, dead_letter",
        )


def conversation(node: FakeNode) -> list[Item]:
    seen = new_id()
    items = [node.item(batch(column([float(n), n + 0.5], begin=AT - timedelta(seconds=2 * n)))) for n in range(6)]
    items += [node.item(incident(seen, revision=revision)) for revision in (1, 2, 3)]
    return [*items, node.item(gap())]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chance=st.randoms(use_true_random=False), doubled=st.integers(0, 8), size=st.integers(1, 20))
def test_any_order_with_any_doubles_in_any_batches_gives_the_same(
    pool: Pool, node: FakeNode, writer: Writer, *, chance: random.Random, doubled: int, size: int
) -> None:
    forget(pool)
    writer.settle([node.item(birth())])
    items = conversation(node)
    writer.settle(items)
    wanted = written(pool)
    forget(pool)
    writer.settle([node.item(birth())])
    sent = items + [read(item.arrival) for item in chance.sample(items, doubled)]
    chance.shuffle(sent)
    verdicts = [verdict for start in range(0, len(sent), size) for verdict in writer.settle(sent[start : start + size])]
    assert written(pool) == wanted
    counted = [verdict.message_id for verdict in verdicts if verdict.outcome is Outcome.ACCEPTED]
    assert sorted(counted) == sorted({verdict.message_id for verdict in verdicts})


def test_two_writers_at_once_never_block_each_other_and_count_once(pool: Pool) -> None:
    nodes = [FakeNode(f"station-{number:02}") for number in range(4)]
    with pool.connection() as conn:
        for node in nodes:
            fleet.add_node(conn, node.name, district=DISTRICT, area_code=GRID, now=AT)
    writers = [Writer(pool, lambda _: False, clock=lambda: AT) for _ in range(2)]
    births = [node.item(birth(sensor(), name=str(number))) for node in nodes for number in range(3)]
    writers[0].settle([node.item(birth()) for node in nodes])
    items = births + [item for node in nodes for item in conversation(node)]
    chance = random.Random(7)  # noqa: S311  # no secret

    def work(writer: Writer) -> list[Outcome]:
        mine = [read(item.arrival) for item in items]
        chance.shuffle(mine)
        batches = [mine[start : start + 5] for start in range(0, len(mine), 5)]
        return [verdict.outcome for each in batches for verdict in writer.settle(each)]

    with ThreadPoolExecutor(2) as threads:
        outcomes = [outcome for each in threads.map(work, writers) for outcome in each]
    assert sorted(outcomes) == [Outcome.ACCEPTED] * len(items) + [Outcome.DUPLICATE] * len(items)
    assert len(written(pool)["reading"]) == len(nodes) * 12
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}

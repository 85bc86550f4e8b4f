from datetime import timedelta
from typing import Any

import httpx
import pytest

from cloud.api.refusals import Refusals
from cloud.db.pool import open_pool
from cloud.fleet import service as fleet
from cloud.ingest.model import Arrival, Item
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from edge.contract.topics import Channel
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import OTHER_GRID
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, sensor


def broken(node: FakeNode) -> Item:
    return read(Arrival(node.topic(Channel.TELEMETRY), b"{", AT))


@pytest.fixture
def cloud_with_refusals(cloud: Cloud) -> Cloud:
    """Two nodes in different streets, each with a broken message; one with readings of a point that nobody declared."""
    here, there, stranger = FakeNode(NODE), FakeNode("node-2"), FakeNode("stranger")
    pool = open_pool(cloud.database_url, size=2)
    with pool.connection() as conn:
        fleet.add_node(conn, "node-2", district=DISTRICT, area_code=OTHER_GRID, now=AT)
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    writer.settle([here.item(birth(sensor())), here.item(batch(column([1.0], device="undeclared")))])
    writer.settle([broken(here), broken(here), broken(there), broken(stranger), stranger.item(birth())])
    pool.close()
    return cloud


def refusals(cloud: Cloud, name: str) -> Refusals:
    with cloud.client(name) as client:
        answer = client.get("/api/v1/refusals")
    assert answer.status_code == httpx.codes.OK, answer.text
    return Refusals.model_validate(answer.json())


def test_what_was_refused_and_what_waits_is_counted_by_node_and_reason(cloud_with_refusals: Cloud) -> None:
    found = refusals(cloud_with_refusals, "admin")
    counts: dict[Any, int] = {(each.node, each.reason): each.count for each in found.refused}
    assert counts == {(NODE, "malformed"): 2, ("node-2", "malformed"): 1, (None, "malformed"): 1}
    assert {(each.node, each.reason, each.messages) for each in found.waiting} == {
        (NODE, "unknown_device", 1),
        ("stranger", "unknown_node", 1),
    }
    assert [(each.reason, each.letters) for each in found.kept] == [("malformed", 4)]
    assert all(each.last_at - AT < timedelta(seconds=1) for each in found.refused)


def test_a_maintainer_sees_those_of_his_district_and_no_strangers_refusals(cloud_with_refusals: Cloud) -> None:
    found = refusals(cloud_with_refusals, "maintainer")
    assert {each.node for each in found.refused} == {NODE, "node-2"}
    assert {each.node for each in found.waiting} == {NODE, "stranger"}  # he may accept it

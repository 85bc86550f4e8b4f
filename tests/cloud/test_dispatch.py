"""The thread that gives commands to the broker: it waits for the broker, and outlives whatever fails."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from cloud import dispatch
from cloud.commands import service
from cloud.commands.dispatch import command_duty
from cloud.db.pool import Pool, open_pool
from cloud.dispatch import Dispatch
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from edge.contract.birth import NodeStatus, PresenceState
from edge.contract.downlink import Command, CommandName
from edge.contract.envelope import decode
from edge.contract.topics import Channel
from tests.cloud.commands.test_service import NODE, keeper
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT, new_id
from tests.waiting import wait_until


class Broker:
    """Stands in for the connection: it may be away, and it may break once."""

    def __init__(self) -> None:
        self.connected = False
        self.breaks = 0
        self.published: list[str] = []

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.breaks:
            self.breaks -= 1
            raise RuntimeError("on purpose")
        self.published.append(decode(payload, Command).name)
        assert topic.endswith(Channel.COMMAND)
        return True


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    """A cloud with a node that is present and was asked for its log."""
    pool = open_pool(migrated_url, size=2)
    with pool.connection() as conn:
        take_in_areas(conn)
        fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=AT)
        [node] = nodes.nodes_by_name(conn, [NODE])
        online = NodeStatus(node=NODE, session=new_id(), state=PresenceState.ONLINE, at=AT)
        fleet.apply_status(conn, node.id, online, now=AT)
        service.ask(conn, CommandName.LOG_TAIL, node=NODE, actor=keeper(conn), now=AT)
    yield pool
    pool.close()


def test_it_waits_for_the_broker_and_goes_on_after_a_failure(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "AFTER_ERROR_S", 0.01)
    broker = Broker()
    duty = replace(command_duty(), look_every_s=0.01)
    thread = Dispatch(duty, pool, broker, clock=lambda: AT + timedelta(seconds=1))
    thread.start()
    assert thread.problem() is None
    broker.breaks = 2
    broker.connected = True
    wait_until(lambda: broker.published, what="the command")
    assert (broker.published, broker.breaks) == (["log_tail"], 0)
    thread.stop()
    assert thread.problem() is not None
    with pool.connection() as conn:
        assert conn.execute("select state, sent_at from command").fetchall() == [("sent", AT + timedelta(seconds=1))]

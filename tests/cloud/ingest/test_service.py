import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud.db.leader import Duty, Leadership
from cloud.db.pool import Pool, open_pool
from cloud.ingest import store
from cloud.ingest.handover import Batch
from cloud.ingest.intake import Intake
from cloud.ingest.service import IngestService
from cloud.mqtt import Endpoint
from edge.contract.birth import NodeStatus, PresenceState
from edge.contract.downlink import Outcome
from edge.contract.envelope import encode
from edge.contract.topics import Channel
from tests.brokers import ReadyBroker
from tests.databases import DatabaseServer
from tests.fakes.link import TIMEOUT_S, Link, eventually
from tests.fakes.node import AT, FakeNode, batch, birth, column, incident

pytestmark = pytest.mark.system


@pytest.fixture
def linked(broker: ReadyBroker, node: FakeNode) -> Iterator[Link]:
    link = Link(broker, node)
    yield link
    link.close()


@contextmanager
def running(pool: Pool, broker: ReadyBroker, *, shared: bool = False, **options: Any) -> Iterator[IngestService]:
    service = IngestService(pool, _intake(broker, shared=shared), clock=lambda: AT, **options)
    service.start()
    try:
        eventually(service.problem, lambda problem: problem is None)
        yield service
    finally:
        service.stop()


def _intake(broker: ReadyBroker, *, shared: bool = False) -> Intake:
    endpoint = Endpoint.of(broker.url, user=broker.cloud_user, password=broker.cloud_password)
    return Intake(endpoint, shared=shared)


def count(pool: Pool, table: str) -> int:
    with pool.connection() as conn:
        return int(conn.execute(f"select count(*) from {table}").fetchone()[0])  # type: ignore[index]  # noqa: S608


def test_what_a_node_sends_is_committed_and_acknowledged(
    pool: Pool, broker: ReadyBroker, node: FakeNode, linked: Link
) -> None:
    with running(pool, broker):
        sent = [node.envelope(birth()), node.envelope(batch(column([1.0, 2.0]))), node.envelope(incident())]
        linked.send(sent[0])
        linked.wait_told(sent[0])
        linked.send(*sent[1:], sent[1])
        outcomes = linked.wait_told(*sent[1:])
        assert outcomes[1] == [Outcome.ACCEPTED]
        told = eventually(lambda: linked.told()[sent[1].id], lambda told: len(told) == 2)
        assert sorted(told) == [Outcome.ACCEPTED, Outcome.DUPLICATE]
        linked.publish(Channel.TELEMETRY, b'{"id":"%s"' % str(sent[0].session).encode())
        assert eventually(lambda: linked.told().get(sent[0].session), bool) == [Outcome.REJECTED]
    assert (count(pool, "reading"), count(pool, "grid_case"), count(pool, "dead_letter")) == (2, 1, 1)


def test_presence_follows_the_retained_status(
    pool: Pool, broker: ReadyBroker, node: FakeNode, linked: Link, migrated_url: str
) -> None:
    def presence() -> Any:
        with pool.connection() as conn:
            return conn.execute("select presence from node").fetchone()

    def say(state: PresenceState) -> None:
        linked.publish(Channel.STATUS, encode(NodeStatus(node=node.name, session=node.session, state=state, at=AT)))

    with running(pool, broker, presence=Leadership(migrated_url, Duty.PRESENCE)) as service:
        eventually(lambda: service._leads, bool)
        say(PresenceState.ONLINE)
        eventually(presence, lambda found: found == ("online",))
        say(PresenceState.OFFLINE)
        eventually(presence, lambda found: found == ("lost",))


def test_a_broker_that_restarts_is_found_again(pool: Pool, broker: ReadyBroker, node: FakeNode, linked: Link) -> None:
    with running(pool, broker):
        broker.restart()
        sent = node.envelope(birth())

        def told() -> Any:
            linked.send(sent)  # as a node does: again, until it is told
            time.sleep(0.2)
            return linked.told().get(sent.id)

        eventually(told, bool)
    assert count(pool, "device") == 1


class _Crashing(IngestService):
    """Dies between the commit and the acknowledgement, as a power cut would have it."""

    def _acknowledge(self, batch: Batch) -> None:
        self.committed = len(batch.deliveries)
        self._stopping.set()


def test_a_crash_between_commit_and_acknowledgement_counts_nothing_twice(
    pool: Pool, mosquitto_broker: ReadyBroker, node: FakeNode
) -> None:
    link = Link(mosquitto_broker, node)
    crashing = _Crashing(pool, _intake(mosquitto_broker), clock=lambda: AT)
    crashing.start()
    eventually(crashing.problem, lambda problem: problem is None)
    sent = node.envelope(birth())
    link.send(sent)
    eventually(lambda: count(pool, "receipt"), lambda found: found == 1)
    crashing.stop()
    with running(pool, mosquitto_broker):
        assert link.wait_told(sent, times=2) == [[Outcome.ACCEPTED, Outcome.DUPLICATE]]
    assert (count(pool, "device"), count(pool, "receipt")) == (1, 1)
    link.close()


def test_two_processes_share_the_work(mosquitto_broker: ReadyBroker, pool: Pool, node: FakeNode) -> None:
    endpoint = Endpoint.of(mosquitto_broker.url, user="cloud", password="cloud")
    services = [
        IngestService(pool, Intake(endpoint, client_id=f"ingest-{number}", shared=True), clock=lambda: AT)
        for number in range(2)
    ]
    for service in services:
        service.start()
        eventually(service.problem, lambda problem: problem is None)
        assert service._intake.wait_subscribed(TIMEOUT_S)
    link = Link(mosquitto_broker, node)
    first = node.envelope(birth())
    link.send(first)
    link.wait_told(first)
    sent = [node.envelope(batch(column([float(n), 1.0]))) for n in range(50)]
    sent += [node.envelope(incident()) for _ in range(10)]
    link.send(*sent)
    assert link.wait_told(*sent) == [[Outcome.ACCEPTED]] * 60
    for service in services:
        service.stop()
    link.close()
    assert (count(pool, "reading"), count(pool, "receipt"), count(pool, "incident")) == (2, 61, 10)


def test_while_the_database_is_away_everything_is_held(
    mosquitto_broker: ReadyBroker, node: FakeNode, postgres_server: DatabaseServer, migrated_url: str
) -> None:
    database = migrated_url.rpartition("/")[2].partition("?")[0]
    own = open_pool(migrated_url, size=2)
    link = Link(mosquitto_broker, node)
    with psycopg.connect(postgres_server.superuser_url(), autocommit=True) as operator, running(own, mosquitto_broker):
        operator.execute(f'alter database "{database}" allow_connections false')
        operator.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database])
        sent = [node.envelope(birth()), node.envelope(incident())]
        link.send(*sent)
        time.sleep(1.0)
        assert link.told() == {}
        operator.execute(f'alter database "{database}" allow_connections true')
        assert link.wait_told(*sent) == [[Outcome.ACCEPTED]] * 2
    own.close()
    link.close()


@contextmanager
def ingest_process(database_url: str, broker: ReadyBroker) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.cloud.ingest.ingest_process", database_url, broker.url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[3]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_kill_9_at_any_moment_loses_nothing_and_counts_nothing_twice(
    pool: Pool, mosquitto_broker: ReadyBroker, node: FakeNode, migrated_url: str
) -> None:
    link = Link(mosquitto_broker, node)
    session = _intake(mosquitto_broker)
    session.start()
    assert session.wait_subscribed(TIMEOUT_S)
    session.close()
    sent = [node.envelope(birth())]
    for number in range(1, 401):
        sent.append(node.envelope(batch(column([1.0] * 20, begin=AT - timedelta(seconds=20 * number)))))
        if number % 20 == 0:
            sent.append(node.envelope(incident()))
    with ingest_process(migrated_url, mosquitto_broker):
        link.send(sent[0])
        link.wait_told(sent[0])
        link.send(*sent[1:150])
        eventually(lambda: count(pool, "receipt"), lambda found: found > 20)
    with ingest_process(migrated_url, mosquitto_broker):
        link.send(*sent[150:])
        eventually(lambda: count(pool, "receipt"), lambda found: found > 200)
    with ingest_process(migrated_url, mosquitto_broker) as process:
        link.wait_told(*sent)
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0
    assert (count(pool, "receipt"), count(pool, "reading"), count(pool, "incident")) == (421, 8_000, 20)
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}
    told = [outcome for outcomes in link.told().values() for outcome in outcomes]
    assert set(told) <= {Outcome.ACCEPTED, Outcome.DUPLICATE}
    link.close()

"""Ingest is ended at each step of its commit, with a real database and a real broker; nothing is lost, nothing counts twice."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloud.db.pool import Pool, open_pool
from cloud.fleet import service as fleet
from cloud.ingest import store
from cloud.ingest.intake import Intake
from cloud.mqtt import Endpoint
from edge.contract.birth import Device
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope, Lane
from edge.contract.telemetry import StateChange
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.link import TIMEOUT_S, Link
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, gap, incident, sensor
from tests.system.crash.fuse import Point
from tests.system.crash.ingest_life import IngestNursery, Orders, Section
from tests.waiting import wait_until

pytestmark = pytest.mark.system

MOST_STEPS = 120
"""Far more than a life has: the sweep ends with the first life that nothing ended."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[IngestNursery]:
    with IngestNursery() as process:
        yield process


class Site:
    """One node, one broker, one database, and lives of ingest."""

    def __init__(self, nursery: IngestNursery, broker: ReadyBroker, url: str, pool: Pool, directory: Path) -> None:
        self.node = FakeNode()
        self.pool = pool
        self._nursery = nursery
        self._orders = Orders(url, broker.url, str(directory / "passed.json"))
        self.points: Counter[str] = Counter()
        with pool.connection() as conn:
            take_in_areas(conn)
            fleet.add_node(conn, self.node.name, district=DISTRICT, area_code=GRID, now=AT)
        endpoint = Endpoint.of(broker.url, user=broker.cloud_user, password=broker.cloud_password)
        session = Intake(endpoint)
        session.start()
        assert session.wait_subscribed(TIMEOUT_S)
        session.close()  # from here on the broker keeps what comes while nobody takes it
        self.link = Link(broker, self.node)

    def end_at(self, step: int, section: Section) -> int:
        """Begin a life that ends at this step; its process id."""
        return self._nursery.start(replace(self._orders, end_at=step, section=section))

    def wait_ended_or_told(self, pid: int, sent: Sequence[Envelope[Any]]) -> None:
        """Wait until that life is over, or its node has heard of everything."""
        ids = {envelope.id for envelope in sent}
        self._wait_ended_or(pid, lambda: ids <= self.link.told().keys())

    def wait_ended_or_taken(self, pid: int, *, readings: int) -> None:
        """Wait until that life is over, or all readings are there."""
        self._wait_ended_or(pid, lambda: self.count("select count(*) from reading") == readings)

    def _wait_ended_or(self, pid: int, done: Callable[[], bool]) -> None:
        stat = Path(f"/proc/{pid}/stat")  # its nursery waits for it later, so it stays known
        wait_until(
            lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z" or done(), timeout_s=TIMEOUT_S, what="an end"
        )

    def stop(self, pid: int) -> bool:
        """End a life, unless it has ended by its fuse; whether it had."""
        os.kill(pid, signal.SIGTERM)
        burnt = self._nursery.wait(pid) == -signal.SIGKILL
        passed = Path(self._orders.ended_in)
        if burnt:
            self.points.update(json.loads(passed.read_text()).keys())
        return burnt

    @contextmanager
    def running(self) -> Iterator[None]:
        """A life that nothing ends."""
        pid = self._nursery.start(self._orders)
        yield
        assert not self.stop(pid)

    def count(self, statement: str) -> int:
        """One figure."""
        with self.pool.connection() as conn:
            found = conn.execute(statement).fetchone()
        assert found is not None
        return int(found[0])

    def judge(self, *, readings: int, rounds: int) -> None:
        """After some rounds: every row once."""
        assert self.count("select count(*) from reading") == readings
        for table in ("state_change", "gap", "incident", "grid_case"):
            assert self.count(f"select count(*) from {table}") == rounds, table  # noqa: S608
        assert self.count("select count(*) from incident_revision") == 2 * rounds
        assert self.count("select count(*) from event where kind = 'case.opened'") == rounds
        assert self.count("select count(*) from dead_letter") == 0
        with self.pool.connection() as conn:
            assert store.missing_messages(conn) == {}


@pytest.fixture
def site(nursery: IngestNursery, mosquitto_broker: ReadyBroker, migrated_url: str, tmp_path: Path) -> Iterator[Site]:
    pool = open_pool(migrated_url, size=2)
    made = Site(nursery, mosquitto_broker, migrated_url, pool, tmp_path)
    yield made
    made.link.close()
    pool.close()


def unlike(number: int) -> Device:
    return sensor(f"later-{number}")


def sent_in_round(node: FakeNode, number: int) -> list[Envelope[Any]]:
    """Something of every kind, told from what other rounds send by its time and its place."""
    at = AT - timedelta(minutes=number)
    opened = incident(device="sensor-01", kind=f"kind-{number}", started_at=at, updated_at=at)
    change = StateChange(device="sensor-01", point="door", observed_at=at, value="open")
    return [
        node.envelope(batch(column([1.0, 2.0, 3.0], begin=at), changes=[change])),
        node.envelope(opened, lane=Lane.INCIDENT),
        node.envelope(_second_revision(opened), lane=Lane.INCIDENT),
        node.envelope(gap()),
        node.envelope(batch(column([4.0, 5.0], begin=at, device=f"later-{number}"))),
    ]


def _second_revision(opened: Any) -> Any:
    return incident(
        opened.incident_id, revision=2, kind=opened.kind, started_at=opened.started_at, updated_at=opened.started_at
    )


def test_ended_at_each_step_of_taking_in(site: Site) -> None:
    with site.running():
        first = site.node.envelope(birth())
        site.link.send(first)
        site.link.wait_told(first)
    for step in range(1, MOST_STEPS):
        sent = sent_in_round(site.node, step)
        site.link.send(*sent)
        pid = site.end_at(step, Section.TAKE_IN)
        site.wait_ended_or_told(pid, sent)
        ended = site.stop(pid)
        site.link.send(*sent)  # as the node does that has heard nothing
        with site.running():
            told = site.link.wait_told(*sent)
        assert {outcome for outcomes in told for outcome in outcomes} <= set(Outcome) - {Outcome.REJECTED}
        site.judge(readings=3 * step, rounds=step)
        assert site.count("select count(*) from quarantine") == step
        if not ended:
            break
    else:
        pytest.fail("no life came to its end")
    assert set(site.points) >= {
        Point.STATEMENT,
        Point.COMMIT,
        Point.COMMITTED,
        Point.PUBLISH,
        Point.PUBLISHED,
        Point.SOURCE_ACK,
    }


def test_ended_at_each_step_of_a_release(site: Site) -> None:
    """What waited in quarantine, and its node has let go of long ago."""
    for step in range(1, MOST_STEPS):
        held = sent_in_round(site.node, step)
        held = [held[-1], *(site.node.envelope(gap(f"later-{step}")) for _ in range(2))]
        with site.running():
            start = [site.node.envelope(birth())] if step == 1 else []
            site.link.send(*start)
            site.link.wait_told(*start)
            site.link.send(*held)
            assert site.link.wait_told(*held) == [[Outcome.QUARANTINED]] * 3
        declared = site.node.envelope(birth(sensor(), unlike(step)))
        site.link.send(declared)
        pid = site.end_at(step, Section.RELEASE)
        site.wait_ended_or_taken(pid, readings=2 * step)
        ended = site.stop(pid)
        with site.running():
            site.link.wait_told(declared)
            wait_until(lambda: site.count("select count(*) from quarantine") == 0, timeout_s=TIMEOUT_S)
        assert site.count("select count(*) from reading") == 2 * step
        assert site.count("select count(*) from gap") == 2 * step
        assert site.count("select count(*) from dead_letter") == 0
        if not ended:
            break
    else:
        pytest.fail("no life came to its end")
    assert set(site.points) == {Point.STATEMENT, Point.COMMIT, Point.COMMITTED}

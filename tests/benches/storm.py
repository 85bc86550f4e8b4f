"""A reconnect storm: a thousand nodes come back within ten seconds, and all of them have something to say.

`python -m tests.benches.storm [--json] [--nodes 1000] [--within 10] [--seed 1]`

Each node logs in at mosquitto with its own password, takes up its session, says that it is online, and sends a birth with ten devices, ten
history batches of twenty points and, a tenth of them, one live incident, all at once. The cloud's ingest runs here with everything on, presence
included; the nodes are one asyncio process of their own (`tests.benches.swarm`) whose CPU is told.

Told: from the sending of a live incident to the cloud's own acknowledgement, which comes after the commit; until every message was
acknowledged; and that the database holds each of them once. Bars: live p95 at most 5 s, everything within 60 s, nothing lost.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog

from cloud.access import areas, sample
from cloud.correlate.service import DEFAULT_RULES
from cloud.db.leader import Duty, Leadership
from cloud.db.migrate import migrate
from cloud.db.pool import Pool, open_pool
from cloud.embedded.broker import BrokerKind
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.fleet import service as fleet
from cloud.fleet.grants import node_grants
from cloud.fleet.grants import user as broker_user
from cloud.ingest.intake import Intake
from cloud.ingest.model import Arrival
from cloud.ingest.reading import read
from cloud.ingest.service import IngestService
from cloud.ingest.writer import Writer
from cloud.mqtt import Endpoint
from cloud.telemetry import service as telemetry
from edge.contract.birth import Birth, Device, NodeStatus, Point, PresenceState
from edge.contract.envelope import Envelope, Lane, encode
from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.telemetry import SeriesColumn, TelemetryBatch, to_microseconds
from edge.contract.topics import Channel, Topic
from tests.benches.ingest import AREA, DISTRICT, CpuMeter, Parts
from tests.benches.swarm.nodes import Outcomes, Persona, Plan, Utterance
from tests.brokers import ReadyBroker

DEVICES = 10
BATCHES = 10
POINTS = ("temperature_c", "current_a")
INCIDENT_SHARE = 0.1
LIVE_P95_BAR_S = 5.0
ALL_BAR_S = 60.0
PATIENCE_S = 180.0
PRESENCE_PATIENCE_S = 20.0


def node_name(number: int) -> str:
    """What a node is called."""
    return f"station-{number:04}"


def _declared() -> tuple[Device, ...]:
    points = tuple(Point(name=point, unit="°C", period_s=60.0) for point in POINTS)
    return tuple(Device(id=f"pile-{number:02}", kind="charging_pile", points=points) for number in range(DEVICES))


class Script:
    """What the nodes say, made of one seed; `session` of each is new."""

    def __init__(self, nodes: int, within_s: float, seed: int) -> None:
        self._noise = random.Random(seed)  # noqa: S311  # no secret
        self.began_at = datetime.now(UTC).replace(microsecond=0)
        self.alarmed = set(self._noise.sample(range(nodes), round(nodes * INCIDENT_SHARE)))
        self._within_s = within_s
        self.nodes = nodes

    def persona(self, number: int, password: str) -> Persona:
        """One node and all that it has to say."""
        name, session = node_name(number), uuid7(time.time_ns() // 1_000_000)
        says = [self._status(name, session, PresenceState.ONLINE), self._birth(name, session)]
        if number in self.alarmed:
            says.append(self._incident(name, session))
        says += [self._batch(name, session, place) for place in range(BATCHES)]
        will = self._status(name, session, PresenceState.OFFLINE)
        after_s = self._noise.uniform(0.0, self._within_s)
        return Persona(name, password, after_s, str(Topic(DISTRICT, name, Channel.ACK)), will, says)

    def _status(self, name: str, session: uuid.UUID, state: PresenceState) -> Utterance:
        status = NodeStatus(node=name, session=session, state=state, at=datetime.now(UTC))
        return Utterance(str(Topic(DISTRICT, name, Channel.STATUS)), encode(status), retain=True)

    def _birth(self, name: str, session: uuid.UUID) -> Utterance:
        return self._message(name, session, (Lane.LIVE, 1), Channel.BIRTH, Birth(software="storm", devices=_declared()))

    def _incident(self, name: str, session: uuid.UUID) -> Utterance:
        body = Incident(
            incident_id=uuid7(time.time_ns() // 1_000_000),
            revision=1,
            state=IncidentState.OPEN,
            kind="threshold",
            category="fire_safety",
            severity=Severity.CRITICAL,
            started_at=datetime.now(UTC),
            updated_at=datetime.now(UTC),
            device="pile-00",
            point="temperature_c",
            value=88.0,
            unit="°C",
        )
        return self._message(name, session, (Lane.INCIDENT, 1), Channel.INCIDENT, body)

    def _batch(self, name: str, session: uuid.UUID, place: int) -> Utterance:
        at_us = to_microseconds(self.began_at - timedelta(minutes=10 * (BATCHES - place)))
        columns = [
            SeriesColumn(
                device=device.id, point=point, observed_at_us=[at_us], value=[round(self._noise.uniform(15, 40), 2)]
            )
            for device in _declared()
            for point in POINTS
        ]
        body = TelemetryBatch(series=columns, skew_s=0.0)
        return self._message(name, session, (Lane.HISTORY, place + 1), Channel.TELEMETRY, body)

    @staticmethod
    def _message(name: str, session: uuid.UUID, place: tuple[Lane, int], channel: Channel, body: Any) -> Utterance:
        message_id, (lane, seq) = uuid7(time.time_ns() // 1_000_000), place
        envelope = Envelope(
            id=message_id,
            node=name,
            session=session,
            lane=lane,
            seq=seq,
            sent_at=datetime.now(UTC),
            historical=lane is Lane.HISTORY,
            body=body,
        )
        topic = str(Topic(DISTRICT, name, channel))
        return Utterance(topic, encode(envelope), str(message_id), live=channel is Channel.INCIDENT)


def prepare(url: str, script: Script) -> None:
    """Schema, areas, the enrolled nodes and what an earlier session of each has declared: they come *back*."""
    migrate(url)
    pool = open_pool(url, size=2)
    now = datetime.now(UTC)
    with pool.connection() as conn:
        areas.take_in(conn, json.loads(sample.DOCUMENT.read_text(encoding="utf-8")), now=now)
        for number in range(script.nodes):
            fleet.add_node(conn, node_name(number), district=DISTRICT, area_code=AREA, now=now)
    telemetry.open_partitions_ahead(pool, now)
    earlier = script.began_at - timedelta(days=1)
    writer = Writer(pool, lambda _: False)
    for first in range(0, script.nodes, 100):
        births = []
        for number in range(first, min(first + 100, script.nodes)):
            name, session = node_name(number), uuid7(int(earlier.timestamp() * 1000))
            birth = script._birth(name, session)
            births.append(read(Arrival(birth.topic, birth.payload, earlier)))
        writer.settle(births)
    pool.close()


def passwords(broker: ReadyBroker, nodes: int) -> list[str]:
    """A user of its own for each node, in one go."""
    made = [f"{uuid.uuid4().hex}{uuid.uuid4().hex}" for _ in range(nodes)]
    broker.add_users(
        [
            broker_user(node_name(number), password, node_grants(DISTRICT, node_name(number)))
            for number, password in enumerate(made)
        ]
    )
    return made


def online_within(pool: Pool, script: Script) -> float | None:
    """Seconds from now until all nodes count as online: presence is read beside the messages. None when that does not come."""
    began_s = time.monotonic()
    while (waited_s := time.monotonic() - began_s) < PRESENCE_PATIENCE_S:
        with pool.connection() as conn:
            row = conn.execute("select count(*) from node where presence = 'online'").fetchone()
        if row is not None and row[0] == script.nodes:
            return round(waited_s, 2)
        time.sleep(0.1)
    return None


def verify(pool: Pool, script: Script) -> dict[str, Any]:
    """What the database holds, beside what was said."""
    with pool.connection() as conn:
        row = conn.execute(
            "select (select count(*) from reading), (select count(*) from incident), (select count(*) from dead_letter),"
            " (select count(*) from node where presence = 'online'),"
            " (select count(*) from node where born_at >= %s)",
            [script.began_at],
        ).fetchone()
    assert row is not None
    readings = script.nodes * BATCHES * DEVICES * len(POINTS)
    found = dict(zip(("readings", "incidents", "dead_letters", "online", "born"), row, strict=True))
    wanted = {
        "readings": readings,
        "incidents": len(script.alarmed),
        "dead_letters": 0,
        "online": script.nodes,
        "born": script.nodes,
    }
    return {"found": found, "wanted": wanted, "whole": found == wanted}


def storm(directory: Path, script: Script) -> dict[str, Any]:
    """One storm, and what came of it."""
    with (
        EmbeddedPostgres(directory / "postgres") as postgres,
        ReadyBroker(directory / "broker", kind=BrokerKind.MOSQUITTO) as broker,
    ):
        url = postgres.create_database("storm")
        prepare(url, script)
        personas = [script.persona(number, word) for number, word in enumerate(passwords(broker, script.nodes))]
        plan = directory / "plan.json"
        plan.write_bytes(msgspec.json.encode(Plan("127.0.0.1", broker.port, PATIENCE_S, personas)))
        endpoint = Endpoint.of(broker.url, user=broker.cloud_user, password=broker.cloud_password)
        pool = open_pool(url, size=6)
        presence = Leadership(url, Duty.PRESENCE)
        service = IngestService(
            pool, Intake(endpoint, client_id="gridward-ingest"), rules=DEFAULT_RULES, presence=presence
        )
        service.start()
        meter = CpuMeter(Parts(postgres, broker, ""))
        told = subprocess.run(
            [sys.executable, "-m", "tests.benches.swarm.nodes", str(plan)], stdout=subprocess.PIPE, check=True
        )
        cpu_s = meter.spent()
        held = {"online_after_s": online_within(pool, script), **verify(pool, script)}
        service.stop()
        pool.close()
    return report(msgspec.json.decode(told.stdout, type=Outcomes), cpu_s, held, script)


def report(outcomes: Outcomes, cpu_s: dict[str, float], held: dict[str, Any], script: Script) -> dict[str, Any]:
    """The figures and what they are held against."""
    live = sorted(outcomes.live_s)
    p95_s = live[min(len(live) - 1, round(0.95 * len(live)))] if live else None
    everything_s = outcomes.all_acknowledged_s
    met = {
        "live_p95": len(live) == len(script.alarmed) and p95_s is not None and p95_s <= LIVE_P95_BAR_S,
        "all": everything_s is not None and everything_s <= ALL_BAR_S,
        "nothing_lost": bool(held["whole"]) and not outcomes.missing and not outcomes.unwelcome,
    }
    return {
        "nodes": outcomes.nodes,
        "messages": outcomes.messages,
        "acknowledged": outcomes.acknowledged,
        "connected_within_s": round(outcomes.connected_within_s, 2),
        "live": {
            "incidents": len(live),
            "p50_s": live[len(live) // 2] if live else None,
            "p95_s": p95_s,
            "max_s": live[-1] if live else None,
            "bar_p95_s": LIVE_P95_BAR_S,
        },
        "all_acknowledged_s": everything_s,
        "bar_all_s": ALL_BAR_S,
        "resent": outcomes.resent,
        "reconnects": outcomes.reconnects,
        "cpu_s": {**cpu_s, "swarm": outcomes.cpu_s},
        "database": held,
        "met": met,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--within", type=float, default=10.0, help="seconds in which they all come back")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory(prefix="gridward-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)  # servers under an account of their own pass through it
        found = storm(directory, Script(options.nodes, options.within, options.seed))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        live = found["live"]
        print(
            f"{found['nodes']} nodes: live p95 {live['p95_s']} s (bar {LIVE_P95_BAR_S:g}), all {found['messages']} messages"
            f" within {found['all_acknowledged_s']} s (bar {ALL_BAR_S:g}), CPU {found['cpu_s']}; {found['met']}"
        )
    return 0 if all(found["met"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())

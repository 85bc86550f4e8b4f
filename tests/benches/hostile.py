"""How long the good wait while one node floods: `python -m tests.benches.hostile --json`.

A node of good will sends a batch a few times a second and waits for the cloud's own acknowledgement of each, first alone, then
while another node, enrolled and gone bad, sends as fast as one client can: bytes that can't be read, ids used again with another
content, resends, readings of undeclared devices. Real broker (mosquitto), PostgreSQL and ingest, each in a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil
import psycopg

from cloud.db.migrate import migrate
from cloud.embedded.broker import BrokerKind
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.fleet import service as fleet
from cloud.ingest.intake import Intake
from cloud.mqtt import Endpoint, Subscriber
from edge.contract.downlink import Ack
from edge.contract.envelope import Envelope, decode, encode
from edge.contract.topics import Channel
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.hostile import DEVICE, hostile_messages
from tests.fakes.node import AT, CHANNELS, DISTRICT, FakeNode, batch, birth, column

EVERY_S = 0.2
AGAIN_S = 10.0
GIVEN_UP_S = 60.0


class Flood(StrEnum):
    """What the bad node sends."""

    NOTHING = "nothing"
    UNREADABLE = "unreadable"
    MIXED = "mixed"
    REUSED_IDS = "reused_ids"
    RESENDS = "resends"
    UNDECLARED = "undeclared"


class Sender:
    """A node's connection that can wait for the cloud's answers."""

    def __init__(self, url: str, node: FakeNode, password: str) -> None:
        endpoint = Endpoint.of(url, user=node.name, password=password)
        self.node = node
        self.link = Subscriber(endpoint, client_id=node.name, topics=[node.topic(Channel.ACK)])
        self.link.start()
        assert self.link.wait_subscribed(GIVEN_UP_S)

    def round_trip_s(self, body: Any) -> float:
        """From sending to the cloud's own acknowledgement."""
        envelope: Envelope[Any] = self.node.envelope(body)
        began_s = time.perf_counter()
        sent_s = 0.0
        while time.perf_counter() - began_s < GIVEN_UP_S:
            if time.perf_counter() - sent_s >= AGAIN_S:  # as a node does: the broker drops what finds no room
                self.link.publish(self.node.topic(CHANNELS[type(body)]), encode(envelope))
                sent_s = time.perf_counter()
            deliveries = self.link.mailbox.take(1_000, wait_s=0.5)
            self.link.acknowledge(deliveries)
            for delivery in deliveries:
                if any(result.id == envelope.id for result in decode(delivery.payload, Ack).results):
                    return time.perf_counter() - began_s
        return GIVEN_UP_S


def flood(url: str, password: str, kind: Flood) -> None:
    """Send without end, as fast as the broker takes it; the process is ended from outside."""
    sender = Sender(url, FakeNode("hostile-01"), password)
    sender.round_trip_s(birth(DEVICE))
    node, number = sender.node, 0
    resent = encode(node.envelope(batch(column([1.0]))))
    known = node.envelope(batch(column([1.0])))
    mixed = [(case.channel, case.payload) for case in hostile_messages(node) if len(case.payload) < 20_000]
    while True:
        number += 1
        channel, payload = Channel.TELEMETRY, b"{"
        match kind:
            case Flood.MIXED:
                channel, payload = mixed[number % len(mixed)]
            case Flood.RESENDS:
                payload = resent
            case Flood.REUSED_IDS:
                other = node.envelope(batch(column([float(number)])))
                payload = encode(other).replace(str(other.id).encode(), str(known.id).encode())
            case Flood.UNDECLARED:
                payload = encode(node.envelope(batch(column([1.0], device=f"device-{number % 5_000}"))))
        while not sender.link.publish(node.topic(channel), payload):
            time.sleep(0.001)
        if number % 100 == 0:  # the answers are thrown away
            sender.link.acknowledge(sender.link.mailbox.take(10_000, wait_s=0.0))


@contextmanager
def process(module: str, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A child that is gone afterwards."""
    with subprocess.Popen([sys.executable, "-m", module, *words], stdout=subprocess.DEVNULL) as child:
        try:
            yield child
        finally:
            child.kill()


def measure(postgres: EmbeddedPostgres, broker: ReadyBroker, kind: Flood, seconds: float) -> dict[str, object]:
    """Round trips of the good node while the bad one does `kind`, on a database of their own."""
    url = postgres.create_database(f"bench_{uuid.uuid4().hex}")
    migrate(url)
    good, bad = FakeNode("station-01"), FakeNode("hostile-01")
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for node in (good, bad):
            fleet.add_node(conn, node.name, district=DISTRICT, area_code=GRID, now=datetime.now(UTC))
    passwords = {node.name: broker.add_node(DISTRICT, node.name) for node in (good, bad)}
    subscribed = Intake(Endpoint.of(broker.url, user=broker.cloud_user, password=broker.cloud_password))
    subscribed.start()
    assert subscribed.wait_subscribed(GIVEN_UP_S)
    subscribed.close()  # the session stays in the broker: nothing is sent past it
    with process("tests.cloud.ingest.ingest_process", url, broker.url) as ingest:
        sender = Sender(broker.url, good, passwords[good.name])
        sender.round_trip_s(birth())
        words = ["--flood", kind, broker.url, passwords[bad.name]]
        with process("tests.benches.hostile", *(words if kind is not Flood.NOTHING else ["--rest"])):
            time.sleep(3.0)  # the flood is under way
            trips_s: list[float] = []
            until_s = time.perf_counter() + seconds
            while time.perf_counter() < until_s:
                trips_s.append(sender.round_trip_s(batch(column([1.0], begin=AT - timedelta(seconds=len(trips_s))))))
                time.sleep(EVERY_S)
            rss_mib = psutil.Process(ingest.pid).memory_info().rss / (1 << 20)
        sender.link.close()
    with psycopg.connect(url) as conn:
        refused: dict[str, int] = dict(
            conn.execute("select reason, count from refusal where node = 'hostile-01'").fetchall()
        )
        letters = conn.execute("select count(*) from dead_letter").fetchone()
        waiting = conn.execute("select count(*) from quarantine").fetchone()
    ordered = sorted(trips_s)
    return {
        "round_trips": len(ordered),
        "p50_ms": round(statistics.median(ordered) * 1000, 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 1),
        "worst_ms": round(ordered[-1] * 1000, 1),
        "refused": refused,
        "refused_per_s": round(sum(refused.values()) / (seconds + 3)),
        "dead_letters_kept": letters[0] if letters else 0,
        "quarantined": waiting[0] if waiting else 0,
        "ingest_rss_mib": round(rss_mib, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench, or be its flood."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the figures as JSON alone")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each flood")
    parser.add_argument("--kinds", nargs="+", choices=list(Flood), default=list(Flood), help="which floods")
    parser.add_argument("--flood", nargs=3, metavar=("KIND", "URL", "PASSWORD"), help=argparse.SUPPRESS)
    parser.add_argument("--rest", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.rest:
        time.sleep(3_600)
    if chosen.flood is not None:
        flood(chosen.flood[1], chosen.flood[2], Flood(chosen.flood[0]))
    figures: dict[str, object] = {"cores": os.cpu_count()}
    with tempfile.TemporaryDirectory(prefix="gridward-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        with EmbeddedPostgres(directory / "postgres") as postgres:
            for kind in map(Flood, chosen.kinds):
                with ReadyBroker(directory / f"broker-{kind}", kind=BrokerKind.MOSQUITTO) as broker:
                    figures[kind.value] = measure(postgres, broker, kind, chosen.seconds)
                if not chosen.json:
                    print(kind.value, json.dumps(figures[kind.value]), file=sys.stderr)
    print(json.dumps(figures, indent=None if chosen.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

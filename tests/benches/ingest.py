"""Committed readings per second: the whole ingest against a bare `unnest … ON CONFLICT` of the same rows.

`python -m tests.benches.ingest [--json] [--pairs 5] [--messages 2000] [--readings 500]`

Ours: messages wait in mosquitto for the persistent session of the ingest service; the clock runs from the service's start
to the commit of the last reading. Everything is on: TCP, MQTT with PUBACK after the commit, decoding and validation,
receipts, sequence counters, touched minutes, the newest value of each series, who spoke, live events, acknowledgements.

Raw: one connection, the same table in a fresh database of the same server, the same rows in the same order as plain
columns in memory, `INSERT … SELECT FROM unnest … ON CONFLICT DO NOTHING`. It runs with the rows per statement, statements
per commit and way of binding (psycopg's lists, our packed columns) at which it was fastest just before.

Pairs alternate, who begins alternates too; every pass has a fresh database and begins after a checkpoint.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg
import structlog

from cloud.access import areas, sample
from cloud.db.migrate import migrate
from cloud.db.packed import Doubles, Instants, Integers, SmallIntegers
from cloud.db.pool import Pool, open_pool
from cloud.embedded.broker import BrokerKind
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.fleet import service as fleet
from cloud.ingest import metrics
from cloud.ingest.handover import BATCH_MESSAGES, BATCH_READINGS
from cloud.ingest.intake import Intake
from cloud.ingest.model import Arrival
from cloud.ingest.reading import read
from cloud.ingest.service import IngestService
from cloud.ingest.writer import Writer
from cloud.mqtt import Endpoint, Subscriber
from cloud.telemetry import service as telemetry
from edge.contract.birth import Birth, Device, Point
from edge.contract.envelope import Envelope, Lane, encode
from edge.contract.fields import uuid7
from edge.contract.telemetry import SeriesColumn, TelemetryBatch, from_microseconds, to_microseconds
from edge.contract.topics import Channel, Topic
from tests.brokers import ReadyBroker

DISTRICT = "110105"
AREA = "110105001001001"
NODES = 10
DEVICES = 10
POINTS = ("temperature", "current")
RAW_STATEMENTS = (1_000, 2_000, 5_000, 10_000, 20_000)
RAW_COMMITS = (1, 5)
TIMEOUT_S = 300.0

RAW_INSERT = """
    insert into reading (series_id, observed_at, value, flag)
    select * from unnest(%(series_id)b::integer[], %(observed_at)b::timestamptz[], %(value)b::float8[], %(flag)b::smallint[])
    on conflict do nothing
"""

Row = tuple[str, str, str, int, float]
"""Node, device, point, time in microseconds since 1970, value."""


@dataclass(slots=True)
class Workload:
    """Messages as they wait in the broker, and the same readings as rows in the same order."""

    births: list[tuple[str, bytes]] = field(default_factory=list)
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pass:
    """One measured run. CPU in seconds by process; `points_per_s` counts rows that were committed."""

    points_per_s: float
    wall_s: float
    cpu_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class RawWay:
    """How raw writes: rows per statement, statements per commit, and how columns are bound."""

    rows: int
    commit: int
    packed: bool

    def __str__(self) -> str:
        return f"{'packed' if self.packed else 'lists'} {self.rows} x {self.commit}"


@dataclass(frozen=True, slots=True)
class Parts:
    """The server and the broker that all passes share."""

    postgres: EmbeddedPostgres
    broker: ReadyBroker
    template: str


def workload(messages: int, readings: int, *, seed: int = 1) -> Workload:
    """`messages` batches of `readings` each, in turn from every node; every series once a second, nothing twice."""
    noise = random.Random(seed)  # noqa: S311  # no secret
    made = Workload()
    begin_us = to_microseconds(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12))
    sessions = {f"station-{number:02}": uuid7(time.time_ns() // 1_000_000) for number in range(NODES)}
    devices = [f"sensor-{number:02}" for number in range(DEVICES)]
    points = tuple(Point(name=point, unit="°C", period_s=1.0) for point in POINTS)
    declared = tuple(Device(id=device, kind="sensor", points=points) for device in devices)
    for node, session in sessions.items():
        birth: Any = Birth(software="bench", devices=declared)
        made.births.append(_message(node, session, lane=Lane.LIVE, seq=1, channel=Channel.BIRTH, body=birth))
    each = readings // (len(devices) * len(POINTS))
    for number in range(messages):
        node = f"station-{number % NODES:02}"
        first_us = begin_us + number // NODES * each * 1_000_000
        times = [first_us + second * 1_000_000 for second in range(each)]
        columns = []
        for device in devices:
            for point in POINTS:
                values = [round(noise.uniform(15.0, 30.0), 2) for _ in times]
                columns.append(SeriesColumn(device=device, point=point, observed_at_us=times, value=values))
                made.rows += [(node, device, point, us, value) for us, value in zip(times, values, strict=True)]
        body: Any = TelemetryBatch(series=columns, skew_s=0.1)
        seq = number // NODES + 1
        made.messages.append(
            _message(node, sessions[node], lane=Lane.HISTORY, seq=seq, channel=Channel.TELEMETRY, body=body)
        )
    return made


def _message(node: str, session: uuid.UUID, *, lane: Lane, seq: int, channel: Channel, body: Any) -> tuple[str, bytes]:
    now = datetime.now(UTC)
    message_id = uuid7(time.time_ns() // 1_000_000)
    envelope = Envelope(id=message_id, node=node, session=session, lane=lane, seq=seq, sent_at=now, body=body)
    return str(Topic(DISTRICT, node, channel)), encode(envelope)


def make_template(postgres: EmbeddedPostgres, load: Workload) -> str:
    """A database with schema, areas, enrolled nodes, declared points and this month's partition; no readings."""
    name = f"template_{uuid.uuid4().hex[:8]}"
    url = postgres.create_database(name)
    migrate(url)
    pool = open_pool(url, size=2)
    now = datetime.now(UTC)
    with pool.connection() as conn:
        areas.take_in(conn, json.loads(sample.DOCUMENT.read_text(encoding="utf-8")), now=now)
        for number in range(NODES):
            fleet.add_node(conn, f"station-{number:02}", district=DISTRICT, area_code=AREA, now=now)
    telemetry.open_partitions_ahead(pool, now)
    Writer(pool, lambda _: False).settle([read(Arrival(topic, payload, now)) for topic, payload in load.births])
    pool.close()
    return name


@contextmanager
def fresh_database(parts: Parts) -> Iterator[str]:
    """A copy of the template, after a checkpoint; dropped afterwards."""
    name = f"pass_{uuid.uuid4().hex[:8]}"
    url = parts.postgres.create_database(name, template=parts.template)
    with psycopg.connect(parts.postgres.superuser_url(), autocommit=True) as conn:
        conn.execute("checkpoint")
    yield url
    parts.postgres.drop_database(name)


class CpuMeter:
    """CPU seconds of this process, the database server with all that it started, and the broker."""

    def __init__(self, parts: Parts) -> None:
        self._processes = {
            "ingest": psutil.Process(),
            "postgres": psutil.Process(parts.postgres.pid),
            "mosquitto": psutil.Process(parts.broker.pid),
        }
        self._began = self._read()

    def _read(self) -> dict[str, float]:
        used = {}
        for name, process in self._processes.items():
            times = process.cpu_times()
            used[name] = times.user + times.system
            if name == "postgres":
                used[name] += times.children_user + times.children_system
                for child in process.children(recursive=True):
                    own = child.cpu_times()
                    used[name] += own.user + own.system
        return used

    def spent(self) -> dict[str, float]:
        """Seconds since it was made, by process."""
        return {name: round(used - self._began[name], 2) for name, used in self._read().items()}


def ours(parts: Parts, load: Workload) -> Pass:
    """One pass of the ingest service."""
    endpoint = Endpoint.of(parts.broker.url, user=parts.broker.cloud_user, password=parts.broker.cloud_password)
    client_id = f"bench-{uuid.uuid4().hex[:8]}"
    with fresh_database(parts) as url:
        _queue(Intake(endpoint, client_id=client_id), endpoint, load)
        pool = open_pool(url, size=4)
        service = IngestService(pool, Intake(endpoint, client_id=client_id))
        target = _taken() + len(load.rows)
        meter, began_s = CpuMeter(parts), time.perf_counter()
        service.start()
        while _taken() < target:
            if time.perf_counter() - began_s > TIMEOUT_S:
                raise SystemExit(f"only {_taken()} of {target} readings came through")
            time.sleep(0.002)
        wall_s = time.perf_counter() - began_s
        cpu_s = meter.spent()
        service.stop()
        _verify(pool, len(load.rows), len(load.messages))
        pool.close()
    return Pass(len(load.rows) / wall_s, wall_s, cpu_s)


def _taken() -> float:
    return float(metrics.READINGS_NEW._value.get())  # prometheus_client has no reader of its own


def _queue(waiting: Intake, endpoint: Endpoint, load: Workload) -> None:
    """Make the persistent sessions, leave them, and let the messages queue up for them in the broker."""
    waiting.start()
    if not waiting.wait_subscribed(10.0):
        raise SystemExit("no broker")
    waiting.close()
    publisher = Subscriber(endpoint, client_id=f"nodes-{uuid.uuid4().hex[:8]}", topics=[])
    publisher.start()
    publisher.wait_connected(10.0)
    for topic, payload in load.messages:
        while not publisher.publish(topic, payload):
            time.sleep(0.01)
    publisher.close(flush_s=60.0)


def _verify(pool: Pool, readings: int, messages: int) -> None:
    """The rows are there, each message has its receipt, nothing is left over."""
    with pool.connection() as conn:
        found = conn.execute(
            "select (select count(*) from reading), (select count(*) from receipt), (select count(*) from latest),"
            " (select count(*) from touched_minute) > 0, (select count(*) from dead_letter)"
        ).fetchone()
    expected = (readings, messages + NODES, NODES * DEVICES * len(POINTS), True, 0)
    if found != expected:
        raise SystemExit(f"the database holds {found}, not {expected}")


def raw(parts: Parts, load: Workload, way: RawWay) -> Pass:
    """One pass of the bare insert."""
    with fresh_database(parts) as url, psycopg.connect(url, options="-c timezone=UTC") as conn:
        batches = list(_columns(conn, load, way.rows))
        conn.commit()
        insert: Callable[[psycopg.Connection[Any], tuple[list[int], list[int], list[float]]], None]
        insert = _insert_packed if way.packed else _insert_lists
        if not way.packed:
            dated = [(ids, [from_microseconds(us) for us in times], values) for ids, times, values in batches]
            batches = dated  # type: ignore[assignment]  # psycopg binds datetimes; made before the clock runs
        meter, began_s = CpuMeter(parts), time.perf_counter()
        for number, batch in enumerate(batches, start=1):
            insert(conn, batch)
            if number % way.commit == 0 or number == len(batches):
                conn.commit()
        wall_s = time.perf_counter() - began_s
        cpu_s = meter.spent()
        count = conn.execute("select count(*) from reading").fetchone()
        if count != (len(load.rows),):
            raise SystemExit(f"raw wrote {count}")
    return Pass(len(load.rows) / wall_s, wall_s, {"raw": cpu_s["ingest"], "postgres": cpu_s["postgres"]})


def _columns(
    conn: psycopg.Connection[Any], load: Workload, size: int
) -> Iterator[tuple[list[int], list[int], list[float]]]:
    series = {
        (node, device, point): series_id
        for node, device, point, series_id in conn.execute(
            "select node.name, device.name, series.point, series.id from series"
            " join device on device.id = series.device_id join node on node.id = device.node_id"
        )
    }
    for start in range(0, len(load.rows), size):
        rows = load.rows[start : start + size]
        yield [series[row[:3]] for row in rows], [row[3] for row in rows], [row[4] for row in rows]


def _insert_packed(conn: psycopg.Connection[Any], batch: tuple[list[int], list[int], list[float]]) -> None:
    ids, times, values = batch
    conn.execute(
        RAW_INSERT,
        {
            "series_id": Integers(ids),
            "observed_at": Instants(times),
            "value": Doubles(values),
            "flag": SmallIntegers([0] * len(ids)),
        },
    )


def _insert_lists(conn: psycopg.Connection[Any], batch: tuple[list[int], list[int], list[float]]) -> None:
    ids, times, values = batch
    conn.execute(RAW_INSERT, {"series_id": ids, "observed_at": times, "value": values, "flag": [0] * len(ids)})


def fastest_raw(parts: Parts, load: Workload) -> tuple[RawWay, dict[str, int]]:
    """The way in which raw is fastest here and now, and what each way reached."""
    ways = [RawWay(rows, 1, packed) for packed in (True, False) for rows in RAW_STATEMENTS]
    ways += [RawWay(rows, commit, packed=True) for rows in (1_000, 2_000) for commit in RAW_COMMITS if commit > 1]
    reached = {way: raw(parts, load, way).points_per_s for way in ways}
    return max(reached, key=lambda way: reached[way]), {str(way): round(rate) for way, rate in reached.items()}


def measure(parts: Parts, load: Workload, pairs: int) -> dict[str, object]:
    """All passes; the report."""
    way, ways = fastest_raw(parts, load)
    ours(parts, load)
    our_passes: list[Pass] = []
    raw_passes: list[Pass] = []
    for number in range(pairs):
        for turn in ("ours", "raw") if number % 2 == 0 else ("raw", "ours"):
            if turn == "ours":
                our_passes.append(ours(parts, load))
            else:
                raw_passes.append(raw(parts, load, way))
    ratios = [ours_.points_per_s / raw_.points_per_s for ours_, raw_ in zip(our_passes, raw_passes, strict=True)]
    with psycopg.connect(parts.postgres.superuser_url()) as conn:
        version = conn.execute("show server_version").fetchone()
    return {
        "ratio": round(median(ratios), 3),
        "points_per_s": round(median(each.points_per_s for each in our_passes)),
        "raw_points_per_s": round(median(each.points_per_s for each in raw_passes)),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "rows": len(load.rows),
        "messages": len(load.messages),
        "readings_per_message": len(load.rows) // len(load.messages),
        "series": NODES * DEVICES * len(POINTS),
        "batch": {"readings": BATCH_READINGS, "messages": BATCH_MESSAGES},
        "raw_way": str(way),
        "raw_ways": ways,
        "passes": {"ours": [asdict(each) for each in our_passes], "raw": [asdict(each) for each in raw_passes]},
        "durable": True,
        "versions": {
            "python": sys.version.split()[0],
            "postgresql": version[0] if version else "",
            "psycopg": psycopg.__version__,
            "broker": parts.broker.kind.value,
        },
        "cpus": psutil.cpu_count(),
        "load_1m": round(psutil.getloadavg()[0], 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--readings", type=int, default=500, help="readings in one message")
    options = parser.parse_args(arguments)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    load = workload(options.messages, options.readings)
    with tempfile.TemporaryDirectory(prefix="gridward-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)  # servers under an account of their own pass through it
        with (
            EmbeddedPostgres(directory / "postgres") as postgres,
            ReadyBroker(directory / "broker", kind=BrokerKind.MOSQUITTO) as broker,
        ):
            report = measure(Parts(postgres, broker, make_template(postgres, load)), load, options.pairs)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print(
            f"ingest {report['points_per_s']:,} readings/s, raw {report['raw_points_per_s']:,}/s,"
            f" ratio {report['ratio']}; {report['rows']:,} rows in messages of {report['readings_per_message']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

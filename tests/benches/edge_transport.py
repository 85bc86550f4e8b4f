"""How fast a node keeps readings and sends them: `python -m tests.benches.edge_transport --json`.

Outbox: readings per second and commits as one source or eight see them. Uplink: messages and readings per second from a
full outbox to the acknowledgement of a cloud that answers at once, over mosquitto.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.birth import Birth
from edge.contract.fields import uuid7
from edge.mqtt import Endpoint
from edge.outbox.outbox import Outbox
from edge.settings import OutboxSettings
from edge.uplink.publisher import Identity, Publisher
from tests.edge.records import incident, reading
from tests.fakes.answering_cloud import AnsweringCloud


def timed(work: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def outbox_figures(directory: Path, seconds: float) -> dict[str, float]:
    """One source with large parcels, eight sources with one reading at a time, incidents one by one."""
    outbox = Outbox(directory, OutboxSettings())
    parcel = [reading(number) for number in range(5_000)]
    took_s = [timed(lambda: outbox.readings(parcel)) for _ in range(20)]
    counts = [0] * 8

    def speak(index: int, until_s: float) -> None:
        while time.perf_counter() < until_s:
            outbox.readings([reading(counts[index], device=f"pile-{index}")])
            counts[index] += 1

    until_s = time.perf_counter() + seconds
    threads = [threading.Thread(target=speak, args=(index, until_s)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    incidents_s = [timed(lambda number=number: outbox.incident(incident(number + 1))) for number in range(200)]  # type: ignore[misc]
    used_bytes = outbox.figures().used_bytes
    rows = outbox.figures().readings_waiting
    outbox.close()
    return {
        "readings_per_s_in_parcels": round(len(parcel) / statistics.median(took_s)),
        "commits_seen_per_s_by_one_of_eight_sources": round(sum(counts) / 8 / seconds, 1),
        "incident_commit_ms_p50": round(statistics.median(incidents_s) * 1000, 2),
        "incident_commit_ms_p95": round(statistics.quantiles(incidents_s, n=20)[-1] * 1000, 2),
        "bytes_per_waiting_reading": round(used_bytes / rows, 1),
    }


def drain_s(directory: Path, port: int, fill: Callable[[Outbox], None]) -> tuple[float, int]:
    """Seconds from the first birth to the last acknowledgement of what `fill` puts in, and the messages that it took."""
    outbox = Outbox(directory, OutboxSettings())
    fill(outbox)
    cloud = AnsweringCloud(port)
    publisher = Publisher(
        Identity("110105", "station-01", uuid7(1)),
        Endpoint("127.0.0.1", port),
        outbox,
        lambda: Birth(software="bench"),
        historical_after_s=3600.0,
    )
    publisher.start()
    while not cloud.births:
        time.sleep(0.002)
    began_s = time.perf_counter()
    while (figures := outbox.figures()).messages_waiting or figures.readings_waiting:
        time.sleep(0.02)
    took_s = time.perf_counter() - began_s
    sent = publisher.figures.sent
    publisher.stop()
    cloud.close()
    outbox.close()
    return took_s, sent


def uplink_figures(directory: Path, incidents: int, readings: int) -> dict[str, float]:
    """Everything that waits, until the last acknowledgement; nothing is slowed, for all of it is fresh."""

    def fill_incidents(outbox: Outbox) -> None:
        for number in range(incidents):
            outbox.incident(incident(number + 1))

    def fill_readings(outbox: Outbox) -> None:
        for start in range(0, readings, 10_000):
            outbox.readings([reading(number) for number in range(start, start + 10_000)])

    with EmbeddedBroker(directory / "broker", anonymous=True) as broker:
        incidents_s, _ = drain_s(directory / "incidents", broker.port, fill_incidents)
        readings_s, messages = drain_s(directory / "readings", broker.port, fill_readings)
    return {
        "incident_messages_per_s": round(incidents / incidents_s),
        "readings_per_s": round(readings / readings_s),
        "readings_per_message": round(readings / messages),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridward-bench-") as folder:
        directory = Path(folder)
        directory.chmod(0o711)
        result: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "outbox": outbox_figures(directory / "outbox", options.seconds),
            "uplink": uplink_figures(directory, 2_000, 400_000),
        }
    print(json.dumps(result, indent=2) if options.json else result)


if __name__ == "__main__":
    main()

"""`/healthz` and `/metrics` of a node, on the loopback address alone, for those who watch machines."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.contract.health import Level
from edge.contract.telemetry import GapReason
from edge.errors import ConfigurationError
from edge.node.gateways import gateway_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_TIMEOUT_S = 5.0

Status = Mapping[str, Any]
"""What `status_of` tells."""

_CAMERA_COUNTERS = (
    "connections",
    "losses",
    "stalls",
    "decoded",
    "due",
    "damaged",
    "changes",
    "jumps",
    "skipped",
    "analysed",
    "moving",
    "inferences",
    "parts",
    "put_off",
    "dropped",
    "spared",
    "looks",
    "openings",
    "openings_told",
    "openings_missed",
    "refused",
    "faults",
)
_CAMERA_GAUGES = {
    "crashes": "crashes inside native code that are held against it",
    "ring_bytes": "memory of the packets that are kept, in bytes",
    "ring_seconds": "time that the kept packets cover, in seconds",
    "reconnects_per_hour": "connections made anew within the last hour",
    "stalls_per_hour": "losses within the last hour in which the connection stood and no picture came",
    "quarantined": "1 while it is not opened, since its stream ended the process or an operator wants it",
}
_CAMERA_PACE = {
    "analysed_hz": ("analyses_per_second", "analyses per second"),
    "age_s": ("age_median_seconds", "age of a frame when its analysis has ended, median"),
    "age_p95_s": ("age_p95_seconds", "age of a frame when its analysis has ended, 95th percentile"),
    "wait_p95_s": ("wait_p95_seconds", "wait for a turn at the machine's cores, 95th percentile"),
}
_UPLINK_COUNTERS = ("connections", "sent", "resent", "acknowledged")
_OUTBOX_GAUGES = (
    "readings_waiting",
    "incidents_unsaved",
    "used_bytes",
    "room_bytes",
    "quota_bytes",
    "evidence_bytes",
)
_EVIDENCE_GAUGES = ("files_waiting", "used_bytes", "quota_bytes")
_LEVELS = {level.value: rank for rank, level in enumerate(Level)}
_REASONS_SHOWN = 20
"""Reasons are the cloud's words: more kinds of them than this are summed up as `other`."""


class NodeCollector(Collector):
    """The status of the node as metrics; their number is bounded by the configuration."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """All metrics at this moment."""
        status = self._status()
        uplink, outbox = status["uplink"], status["outbox"]
        yield GaugeMetricFamily(
            "gridward_edge_degraded", "Things that do not work at present.", len(status["degraded"])
        )
        yield GaugeMetricFamily(
            "gridward_edge_uplink_connected", "1 with a link to the cloud.", int(uplink["connected"])
        )
        yield GaugeMetricFamily("gridward_edge_uplink_in_flight", "Sent and not answered.", uplink["in_flight"])
        for name in _UPLINK_COUNTERS:
            yield CounterMetricFamily(f"gridward_edge_uplink_{name}", f"Uplink: {name} since the start.", uplink[name])
        yield from _kept(outbox)
        now = datetime.fromisoformat(status["clock"]["told_at"])
        yield from _clock(status["clock"])
        yield from _sensors(status["readings"], status["rules"])
        yield from _waiting(outbox, now)
        yield from _lost(outbox)
        yield from _evidence(status["evidence"], now)
        yield from _films(status["films"])
        yield from _commands(status["commands"])
        yield from _wall(status["wall"])
        yield from _linkage(status["linkage"])
        yield from _memory(status.get("memory", {}))
        yield from _cameras(status["cameras"])
        yield from _gates(status["gates"])
        yield from gateway_metrics(status["gateways"])
        yield from _crashes(status["crashes"])
        yield CounterMetricFamily(
            "gridward_edge_housekeeping_faults",
            "Turns of the housekeeping that failed.",
            status["faults"]["housekeeping"],
        )
        yield CounterMetricFamily(
            "gridward_edge_credentials_unkept",
            "Credentials or keys from the cloud that could not be written.",
            status["faults"].get("credentials_unkept", 0),
        )
        caught = CounterMetricFamily("gridward_edge_faults", "Mistakes that a thread has caught.", labels=["place"])
        for place, count in status["faults"]["caught"].items():
            caught.add_metric([place], count)
        yield caught
        yield from _models(status["models"])


def _clock(clock: Status) -> Iterator[Metric]:
    """How far the node's clock is off; `skew` only once the cloud has answered."""
    yield GaugeMetricFamily(
        "gridward_edge_clock_correction_seconds", "Added to node time when it leaves.", clock["correction_s"]
    )
    yield GaugeMetricFamily("gridward_edge_clock_synchronised", "1 if the kernel says so.", int(clock["synchronised"]))
    yield CounterMetricFamily("gridward_edge_clock_steps", "Times that the clock was put right.", clock["steps"])
    if clock["skew_s"] is not None:
        yield GaugeMetricFamily(
            "gridward_edge_clock_skew_seconds", "The machine's clock minus the cloud's.", clock["skew_s"]
        )


def _sensors(sources: Iterable[Status], rules: Status) -> Iterator[Metric]:
    """What was wrong with messages of devices and with their times, summed over all of them; the status names each."""
    refused: Counter[str] = Counter()
    clamped, replayed = 0, 0
    for source in sources:
        for name, count in source["refused"].items():
            refused[name.rpartition(": ")[2]] += count
        clamped += sum(source["clamped"].values())
        replayed += source["replayed"]
    family = CounterMetricFamily("gridward_edge_sensor_refused", "Parts of messages not taken.", labels=["reason"])
    for reason, count in refused.items():
        family.add_metric([reason], count)
    yield family
    yield CounterMetricFamily(
        "gridward_edge_sensor_clamped", "Readings whose device's time lay in the future: the node's counts.", clamped
    )
    yield CounterMetricFamily("gridward_edge_sensor_replayed", "Readings that their device sent late.", replayed)
    yield CounterMetricFamily(
        "gridward_edge_rule_set_back",
        "Times that a device's clock was set back, as its rules saw it.",
        sum(rules["set_back"].values()),
    )
    yield CounterMetricFamily(
        "gridward_edge_incidents_lost",
        "Findings that found room neither on disk nor in memory.",
        rules["incidents_lost"],
    )


def _kept(outbox: Status) -> Iterator[Metric]:
    """What the store counts, over all starts of the node."""
    for name, value in outbox.items():
        if name not in _OUTBOX_GAUGES and isinstance(value, int):
            yield CounterMetricFamily(
                f"gridward_edge_outbox_{name}", f"Outbox: {name} since the store was made.", value
            )


def _waiting(outbox: Status, now: datetime) -> Iterator[Metric]:
    """What is queued, and since when."""
    for name in _OUTBOX_GAUGES:
        yield GaugeMetricFamily(f"gridward_edge_outbox_{name}", f"Outbox: {name}.", outbox[name])
    yield GaugeMetricFamily(
        "gridward_edge_outbox_share", "Used part of the room for readings, 0 to 1.", outbox["share"]
    )
    yield GaugeMetricFamily(
        "gridward_edge_outbox_level", "0 normal, 1 warning from 0.5, 2 critical from 0.9.", _LEVELS[outbox["level"]]
    )
    yield GaugeMetricFamily(
        "gridward_edge_outbox_oldest_waiting_seconds",
        "Age of the oldest thing that waits, 0 when nothing does.",
        _age_s(outbox["oldest_waiting"], now),
    )
    messages = GaugeMetricFamily("gridward_edge_outbox_messages_waiting", "Messages formed.", labels=["channel"])
    for channel, count in outbox["messages_waiting"].items():
        messages.add_metric([channel], count)
    yield messages


def _lost(outbox: Status) -> Iterator[Metric]:
    """What was dropped and what was rejected, and why."""
    reasons = Counter({reason.value: 0 for reason in GapReason})
    for drop in outbox["dropped"]:
        reasons[drop["reason"]] += drop["count"]
    dropped = CounterMetricFamily(
        "gridward_edge_outbox_declared_readings",
        "Readings declared as lost, since the store was made.",
        labels=["reason"],
    )
    for reason, count in reasons.items():
        dropped.add_metric([reason], count)
    yield dropped
    letters: Counter[tuple[str, str]] = Counter()
    for place, tally in enumerate(outbox["dead_letters"]):
        letters[tally["subject"], tally["reason"] if place < _REASONS_SHOWN else "other"] += tally["count"]
    family = GaugeMetricFamily(
        "gridward_edge_outbox_dead_letters", "Rejected by the cloud and kept.", labels=["subject", "reason"]
    )
    for labels, count in letters.items():
        family.add_metric(labels, count)
    yield family


def _evidence(evidence: Status, now: datetime) -> Iterator[Metric]:
    for name in _EVIDENCE_GAUGES:
        yield GaugeMetricFamily(f"gridward_edge_evidence_{name}", f"Evidence: {name}.", evidence[name])
    yield GaugeMetricFamily(
        "gridward_edge_evidence_oldest_waiting_seconds",
        "Age of the oldest file that waits, 0 when none does.",
        _age_s(evidence["oldest_waiting"], now),
    )
    yield CounterMetricFamily(
        "gridward_edge_evidence_left_out", "Files that found no room since the start.", evidence["left_out"]
    )


def _films(films: Status) -> Iterator[Metric]:
    """Clips of incidents: originals that are sealed, and masked films."""
    yield GaugeMetricFamily("gridward_edge_films_waiting", "Films that wait to be made.", films["waiting"])
    family = CounterMetricFamily("gridward_edge_films", "Films by what became of them.", labels=["outcome"])
    for outcome in ("made", "refused", "skipped"):
        family.add_metric([outcome], films[outcome])
    yield family


def _commands(commands: Status) -> Iterator[Metric]:
    """What the cloud asked of the node, and what came of it."""
    family = CounterMetricFamily("gridward_edge_commands", "Commands carried out.", labels=["name", "outcome"])
    for key, count in commands["answered"].items():
        name, _, outcome = key.partition(" ")
        family.add_metric([name, outcome], count)
    yield family
    family = CounterMetricFamily("gridward_edge_commands_refused", "Commands not taken.", labels=["reason"])
    for reason, count in commands["refused"].items():
        family.add_metric([reason], count)
    yield family


def _memory(memory: Status) -> Iterator[Metric]:
    if not memory:
        return
    for name, words in (("used_bytes", "What the cameras' memory takes."), ("quota_bytes", "What it may take.")):
        yield GaugeMetricFamily(f"gridward_edge_memory_{name}", words, memory[name])
    for name in ("written_bytes", "blocks_lost", "faults"):
        yield CounterMetricFamily(f"gridward_edge_memory_{name}", f"Memory: {name} since the start.", memory[name])


def _linkage(linkage: Status) -> Iterator[Metric]:
    """What the cameras at a spot were asked for, and showed."""
    yield GaugeMetricFamily("gridward_edge_linkage_waiting", "Looks that other devices wait for.", linkage["waiting"])
    for name, value in linkage.items():
        if name != "waiting":
            yield CounterMetricFamily(f"gridward_edge_linkage_{name}", f"Linkage: {name} since the start.", value)


def _wall(wall: Status) -> Iterator[Metric]:
    """Pictures for those who look at cameras now."""
    yield GaugeMetricFamily("gridward_edge_wall_shown", "Cameras that somebody looks at.", len(wall["shown"]))
    for name, value in wall.items():
        if name != "shown":
            yield CounterMetricFamily(f"gridward_edge_wall_{name}", f"Wall: {name} since the start.", value)


def _age_s(since: str | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - datetime.fromisoformat(since)).total_seconds())


def _cameras(cameras: Mapping[str, Mapping[str, float]]) -> Iterator[Metric]:
    for name in _CAMERA_COUNTERS:
        family = CounterMetricFamily(
            f"gridward_edge_camera_{name}", f"Cameras: {name} since the start.", labels=["camera"]
        )
        for camera, figures in cameras.items():
            family.add_metric([camera], figures[name])
        yield family
    for name, words in _CAMERA_GAUGES.items():
        gauge = GaugeMetricFamily(f"gridward_edge_camera_{name}", f"Cameras: {words}.", labels=["camera"])
        for camera, figures in cameras.items():
            gauge.add_metric([camera], figures[name])
        yield gauge
    for name, (metric, words) in _CAMERA_PACE.items():
        gauge = GaugeMetricFamily(
            f"gridward_edge_camera_{metric}", f"Cameras: {words}, over ten seconds.", labels=["camera"]
        )
        for camera, figures in cameras.items():
            gauge.add_metric([camera], figures[name])
        yield gauge


def _gates(gates: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """What each gate does, and why, and what its audits found."""
    family = GaugeMetricFamily(
        "gridward_edge_camera_gate", "Cameras: 1 with what the gate does and why.", labels=["camera", "state", "reason"]
    )
    for camera, gate in gates.items():
        family.add_metric([camera, gate["state"], gate["reason"]], 1)
    yield family
    audited = CounterMetricFamily(
        "gridward_edge_camera_gate_audited_seconds",
        "Cameras: time in which everything was decoded to see what the gate would have missed.",
        labels=["camera"],
    )
    movements = CounterMetricFamily(
        "gridward_edge_camera_gate_audited_movements",
        "Cameras: movements in that time, by whether the gate found them too.",
        labels=["camera", "gate"],
    )
    for camera, gate in gates.items():
        audited.add_metric([camera], gate["audited_s"])
        movements.add_metric([camera, "found"], gate["found"])
        movements.add_metric([camera, "missed"], gate["missed"])
    yield from (audited, movements)


def _models(models: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """How often a model was taken away since it failed over a picture."""
    family = CounterMetricFamily(
        "gridward_edge_model_withdrawn", "Models taken away since they failed over a picture.", labels=["model"]
    )
    for model, figures in models.items():
        family.add_metric([model], figures["withdrawn"])
    yield family


def _crashes(crashes: Mapping[str, int]) -> Iterator[Metric]:
    """How often native code ended the process, since the data directory was made."""
    family = CounterMetricFamily(
        "gridward_edge_native_crashes",
        "Crashes inside native code, by whether a camera is suspected.",
        labels=["suspect"],
    )
    family.add_metric(["camera"], crashes["total"] - crashes["without_suspect"])
    family.add_metric(["none"], crashes["without_suspect"])
    yield family


class HealthServer:
    """Answers on 127.0.0.1. Raises ConfigurationError when the port is taken."""

    def __init__(self, port: int, status: Callable[[], Status]) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(NodeCollector(status))
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(registry, status))
        except OSError as error:
            raise ConfigurationError(f"node.http_port: {port} can't be used: {error.strerror}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="health", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(1.0)
        self._server.server_close()


def _handler(registry: CollectorRegistry, status: Callable[[], Status]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(CONTENT_TYPE, generate_latest(registry))
            elif self.path == "/healthz":
                found = status()
                short = {"node": found["node"], "session": found["session"], "degraded": found["degraded"]}
                self._answer("application/json", json.dumps(short, ensure_ascii=False).encode())
            else:
                self.send_error(404)

        def _answer(self, mime: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", mime)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 (the library's name)
            """Nothing: every scrape would be a line."""
            del format

    return Handler

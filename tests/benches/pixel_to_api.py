"""From a pixel to the case on the live stream.

`python -m tests.benches.pixel_to_api [--passes 100] [--cameras 3] [--score 0.3] [--json]`

The clock starts when the simulated camera sends the first frame in which an offline detector, looking at every frame of the
clip, sees the person; it stops when a client of the live stream holds the case. All real: RTSP over TCP, the node, the broker,
the database, the service. In between lie the analysis grid, the rule's confirming sights, the outbox and the cloud's commit.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil
import yaml

from cloud.demo import plan
from cloud.demo.registry import prepare
from cloud.demo.watch import CameraPlan
from cloud.embedded.broker import EmbeddedBroker
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import free_port, write_private
from cloud.fleet.grants import CLOUD_GRANTS, node_grants, user
from edge.perception.detector import open_detector
from edge.simulators.camera_process import CameraProcess
from edge.video import Video
from models import catalogue

CLIP: Final = "one_by_one_person_detection"
NODE: Final = plan.NODES[0]
ABSENCE_S: Final = 1.5
"""Someone who was not seen for this long has left: the next sight begins another visit."""
LONGEST_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Pass:
    """One person coming into one camera's picture."""

    camera: str
    loop: int
    frame: int
    latency_s: float | None


def first_sights(clip: Path, score: float) -> list[int]:
    """The frames in which the detector first sees the person of each visit, every frame looked at."""
    detector = open_detector(plan.MODEL)
    found: list[int] = []
    last_s = -ABSENCE_S
    with Video(clip) as video:
        period_s = video.frame_period_s
        for number, decoded in enumerate(video.frames()):
            detections = detector.detect(decoded.picture.image)
            sure = detections.scores >= score
            if any(label == "person" and sure[index] for index, label in enumerate(detections.labels)):
                if number * period_s - last_s >= ABSENCE_S:
                    found.append(number)
                last_s = number * period_s
    return found


class Listener(threading.Thread):
    """A client of the live stream: when which camera's case was opened."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(name="listener", daemon=True)
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0)
        self.ready = threading.Event()
        self.opened: list[tuple[float, str]] = []

    def run(self) -> None:
        """Read until the stream ends."""
        kind = ""
        try:
            with self._client.stream("GET", "/api/v1/live") as stream:
                for line in stream.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "event":
                        kind = value
                        self.ready.set()
                    elif name == "data" and kind == "case.opened":
                        at = time.time()
                        self.opened.append((at, str(json.loads(value)["device"]["device"])))
        except httpx.HTTPError:
            return


class Bench:
    """Everything that a pass goes through, on free ports in a folder of its own."""

    def __init__(self, directory: Path, cameras: int) -> None:
        self._directory = directory
        self._cameras = cameras
        self.processes: dict[str, int] = {}
        self.frame_logs: dict[str, Path] = {}
        self.listener: Listener

    def start(self, running: ExitStack) -> None:
        """Start the parts, cameras last but one, the node last."""
        database = EmbeddedPostgres(self._directory / "postgres")
        database.start()
        running.callback(database.stop)
        broker = EmbeddedBroker(self._directory / "broker")
        broker.start()
        running.callback(broker.stop)
        database_url = database.create_database()
        passwords = {name: os.urandom(12).hex() for name in [*(person.name for person in plan.PEOPLE), "cloud"]}
        credentials = prepare(database_url, passwords)[0][NODE.id]
        broker.add_users(
            [
                user("cloud", passwords["cloud"], CLOUD_GRANTS),
                user(NODE.id, credentials.mqtt_password, node_grants(plan.DISTRICT, NODE.id)),
            ]
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = {
            "GRIDWARD_DATABASE_URL": database_url,
            "GRIDWARD_MQTT_URL": broker.url,
            "GRIDWARD_MQTT_USER": "cloud",
            "GRIDWARD_MQTT_PASSWORD": passwords["cloud"],
            "GRIDWARD_DATA_DIRECTORY": str(self._directory / "cloud"),
            "GRIDWARD_HTTP_PORT": str(port),
            "GRIDWARD_FOLD_WINDOW_S": "0.5",
        }
        self._start(running, "cloud", ["cloud.cli", "serve"], environment)
        self.listener = Listener(url, _token(url, plan.PEOPLE[0].name, passwords[plan.PEOPLE[0].name]))
        self.listener.start()
        if not self.listener.ready.wait(10):
            raise RuntimeError("the live stream says nothing")
        feeds = [self._feed(running, number) for number in range(self._cameras)]
        self._start(
            running,
            "node",
            ["edge.cli", "run", "--config", str(self._configuration(feeds, broker.url, url, credentials))],
        )
        self.processes["broker"] = broker.pid

    def _feed(self, running: ExitStack, number: int) -> plan.CameraFeed:
        name = f"camera-{number}"
        log = self._directory / f"{name}.frames"
        camera = CameraProcess(catalogue.clip(CLIP), encode=True, shared=True, frame_log=log)
        running.enter_context(camera)
        self.frame_logs[name] = log
        zones = {"floor": NODE.cameras[0].zones["floor"]}
        watched = CameraPlan(name, name, CLIP, zones, [{"kind": "intrusion", "zone": "floor"}])
        return plan.CameraFeed(watched, camera.url)

    def _configuration(self, feeds: Sequence[plan.CameraFeed], mqtt: str, https: str, credentials: Any) -> Path:
        secrets = {"mqtt.password": credentials.mqtt_password, "token": credentials.token, "local.password": "-"}
        for name, secret in secrets.items():
            write_private(self._directory / name, secret.encode())
        files = plan.NodeFiles(
            data_directory=self._directory / "node",
            mqtt_url=mqtt,
            https_url=https,
            mqtt_password_file=self._directory / "mqtt.password",
            token_file=self._directory / "token",
            local_password_file=self._directory / "local.password",
        )
        node = plan.NodePlan(NODE.id, NODE.name, NODE.site, tuple(feed.plan for feed in feeds), ())
        configuration = plan.node_configuration(node, feeds, files)
        del configuration["local_mqtt"]
        path = self._directory / "node.yaml"
        path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        return path

    def _start(
        self, running: ExitStack, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        module, *arguments = command
        log = running.enter_context((self._directory / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())", *arguments],
            env=os.environ | (environment or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        running.callback(_stop, process)
        self.processes[name] = process.pid

    def passes(self, sights: Sequence[int]) -> list[Pass]:
        """Every pass whose first frame was sent long enough ago, with the case that followed it."""
        frames = set(sights)
        found = []
        opened: dict[str, list[float]] = {}
        for at, camera in list(self.listener.opened):
            opened.setdefault(camera, []).append(at)
        for camera, log in self.frame_logs.items():
            for loop, frame, sent_at in _sent(log, frames):
                if time.time() - sent_at < LONGEST_S:
                    continue
                after = [at - sent_at for at in opened.get(camera, ()) if -1.0 < at - sent_at < LONGEST_S]
                found.append(Pass(camera, loop, frame, min(after, default=None)))
        return found


def _sent(log: Path, frames: set[int]) -> Iterator[tuple[int, int, float]]:
    if not log.exists():
        return
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["frame"] in frames:
            yield entry["loop"], entry["frame"], datetime.fromisoformat(entry["sent_at"]).timestamp()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _token(url: str, name: str, password: str) -> str:
    until = time.monotonic() + 60
    while True:
        try:
            answer = httpx.post(f"{url}/api/v1/session", json={"name": name, "password": password})
            answer.raise_for_status()
            return str(answer.json()["token"])
        except httpx.HTTPError:
            if time.monotonic() > until:
                raise
            threading.Event().wait(0.2)


def _cpu_s(pid: int) -> float:
    try:
        root = psutil.Process(pid)
        members = [root, *root.children(recursive=True)]
        return float(sum(sum(member.cpu_times()[:2]) for member in members))
    except psutil.NoSuchProcess:
        return 0.0


def measure(passes: int, cameras: int, score: float, say: Any) -> dict[str, Any]:
    """Run until there were as many passes; the report."""
    sights = first_sights(catalogue.clip(CLIP), score)
    say(f"an offline detector first sees the visitors in frames {sights}")
    with tempfile.TemporaryDirectory(prefix="gridward-pixel-") as folder, ExitStack() as running:
        Path(folder).chmod(0o711)
        bench = Bench(Path(folder), cameras)
        bench.start(running)
        began = time.monotonic()
        before = {name: _cpu_s(pid) for name, pid in bench.processes.items()}
        done: list[Pass] = []
        deadline = began + 60 + passes / max(1, len(sights) * cameras) * 150 * 1.5
        while len(done) < passes and time.monotonic() < deadline:
            threading.Event().wait(5)
            now = bench.passes(sights)
            if len(now) // 10 != len(done) // 10:
                say(f"{len(now)} passes, {sum(each.latency_s is None for each in now)} without a case")
            done = now
        elapsed_s = time.monotonic() - began
        cpu = {name: round((_cpu_s(pid) - before[name]) / elapsed_s, 3) for name, pid in bench.processes.items()}
        extra = len(bench.listener.opened) - sum(each.latency_s is not None for each in done)
    return _report(done, sights, cpu, elapsed_s, extra) | {"cameras": cameras, "score": score}


def _report(
    done: Sequence[Pass], sights: Sequence[int], cpu: Mapping[str, float], elapsed_s: float, extra: int
) -> dict[str, Any]:
    latencies = np.array([each.latency_s for each in done if each.latency_s is not None])
    figures = {
        name: round(float(np.percentile(latencies, share)), 3) if len(latencies) else None
        for name, share in (("p50_s", 50), ("p95_s", 95), ("max_s", 100))
    }
    return figures | {
        "passes": len(done),
        "missed": sum(each.latency_s is None for each in done),
        "cases_beside": extra,
        "first_sight_frames": list(sights),
        "elapsed_s": round(elapsed_s, 1),
        "cores": os.cpu_count(),
        "cpu_cores_used": dict(cpu),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "all": [asdict(each) for each in done],
    }


def main() -> int:
    """Print the report; 0 when every pass became a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--cameras", type=int, default=3)
    parser.add_argument("--score", type=float, default=0.3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = measure(
        options.passes, options.cameras, options.score, lambda text: print(text, file=sys.stderr, flush=True)
    )
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            if name != "all":
                print(f"{name:<20}{value}")
    return 0 if report["missed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

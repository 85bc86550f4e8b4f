"""From a pile's message to the incident with its picture, in the cloud's API.

`python -m tests.benches.linkage [--events 64] [--cameras 8] [--storm 40] [--gap 2.5] [--piles ocpp] [--json]`

Eight cameras run, each with a pile beside it; half of them show people and cars, the others an empty scene in full HD, and are not decoded
while nothing moves there. A pile says that it is hot, over OCPP 1.6J or, with `--piles mqtt`, on the station's broker: the clock starts before the message is
sent and stops three times, when a client of the live stream can read the incident, when it can read the incident with a masked picture
that it can also fetch, and when the film is there. Then forty piles at one spot say so at the same moment. All real: RTSP over TCP, the
gates, the detector, the node, the broker, the database, the service.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import paho.mqtt.client as mqtt
import psutil
import pyrage
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from websockets.exceptions import WebSocketException

from cloud.demo import plan
from cloud.demo.registry import prepare
from cloud.embedded.broker import EmbeddedBroker
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import free_port, write_private
from cloud.fleet.grants import CLOUD_GRANTS, Access, Grant, node_grants, user
from edge.benches.films import AS_A_CAMERA, Kind, film_of, idle_film
from edge.node.status import read_status
from edge.simulators.camera_process import CameraProcess
from models import catalogue
from tests.fakes.ocpp_client import Station, stations

CLIPS: Final = ("one_by_one_person_detection", "person_bicycle_car_preview")
NODE: Final = plan.NODES[0]
LOCAL: Final = f"{NODE.id}-local"
TOPIC: Final = "piles"
PATIENCE_S: Final = 60.0
ZONE: Final = {"lane": [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]}


@dataclass(slots=True)
class Event:
    """One pile that became hot, and how many seconds later what could be read; None where it never could."""

    device: str
    sent_s: float
    storm: bool = False
    told_s: float | None = None
    picture_s: float | None = None
    film_s: float | None = None
    filmed_after_s: float | None = None
    absent: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)


class Reader(threading.Thread):
    """A client of the live stream, which reads each case that is told of anew."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(name="reader", daemon=True)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._url = url
        self.ready = threading.Event()
        self.waiting: dict[str, list[Event]] = {}
        self._due: queue.SimpleQueue[int] = queue.SimpleQueue()
        threading.Thread(target=self._read_cases, name="cases", daemon=True).start()

    def run(self) -> None:
        """Follow the stream until it ends."""
        kind = ""
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60.0) as client:
            try:
                with client.stream("GET", "/api/v1/live") as stream:
                    for line in stream.iter_lines():
                        name, _, value = line.partition(": ")
                        if name == "event":
                            kind = value
                            self.ready.set()
                        elif name == "data" and kind in {"case.opened", "case.updated"}:
                            case = json.loads(value)
                            self._due.put(case["id"])
            except httpx.HTTPError:
                return

    def _read_cases(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60.0) as client:
            while True:
                due = {self._due.get()}
                while not self._due.empty():
                    due.add(self._due.get())
                for case_id in due:
                    self._read_case(client, case_id)

    def _read_case(self, client: httpx.Client, case_id: int) -> None:
        """Its incidents are told apart by their own devices: what piles at one spot say at once is one case."""
        case = client.get(f"/api/v1/cases/{case_id}").json()
        now = time.time()
        for incident in case["incidents"]:
            started_s = datetime.fromisoformat(incident["started_at"]).timestamp()
            events = self.waiting.get(incident["device"], ())
            before = [event for event in events if event.sent_s <= started_s + 0.05]
            if before:
                self._note(before[-1], incident, now)

    @staticmethod
    def _note(event: Event, incident: Mapping[str, Any], now: float) -> None:
        since_s = now - event.sent_s
        event.told_s = since_s if event.told_s is None else event.told_s
        files = {file["sha256"]: file for file in incident["evidence"]}
        for view in incident["views"]:
            if view["absence"] is not None and view["absence"] not in event.absent:
                event.absent.append(view["absence"])
            shown = [files[name] for name in view["evidence"] if name in files and files[name]["stored"]]
            if event.picture_s is None and any(file["kind"] == "snapshot" for file in shown):
                event.picture_s = since_s
                event.filmed_after_s = datetime.fromisoformat(view["captured_at"]).timestamp() - event.sent_s
                event.seen = {each["label"]: each["count"] for each in view["counts"] or () if each["zone"] is None}
            if event.film_s is None and any(file["kind"] == "clip" for file in shown):
                event.film_s = since_s


class Bench:
    """Everything that an event goes through, on free ports in a folder of its own."""

    def __init__(self, directory: Path, cameras: int, storm: int, *, ocpp: bool) -> None:
        self._directory, self._cameras, self._storm = directory, cameras, storm
        self._ocpp_port = free_port() if ocpp else None
        self._stations: dict[str, Station] = {}
        self.processes: dict[str, int] = {}
        self.reader: Reader
        self._piles: mqtt.Client

    def start(self, running: ExitStack) -> None:
        """Start the parts, the node last, and wait until its cameras show pictures and its gates have learnt their streams."""
        database = EmbeddedPostgres(self._directory / "postgres")
        database.start()
        running.callback(database.stop)
        broker = EmbeddedBroker(self._directory / "broker")
        broker.start()
        running.callback(broker.stop)
        database_url = database.create_database()
        passwords = {name: os.urandom(12).hex() for name in [*(each.name for each in plan.PEOPLE), "cloud", "local"]}
        credentials = prepare(database_url, passwords)[0][NODE.id]
        local = Grant(Access.READWRITE, f"{TOPIC}/#")
        broker.add_users(
            [
                user("cloud", passwords["cloud"], CLOUD_GRANTS),
                user(NODE.id, credentials.mqtt_password, node_grants(plan.DISTRICT, NODE.id)),
                user(LOCAL, passwords["local"], (local,)),
                user("piles", passwords["local"], (local,)),
            ]
        )
        url = f"http://127.0.0.1:{free_port()}"
        environment = {
            "GRIDWARD_DATABASE_URL": database_url,
            "GRIDWARD_MQTT_URL": broker.url,
            "GRIDWARD_MQTT_USER": "cloud",
            "GRIDWARD_MQTT_PASSWORD": passwords["cloud"],
            "GRIDWARD_DATA_DIRECTORY": str(self._directory / "cloud"),
            "GRIDWARD_HTTP_PORT": url.rpartition(":")[2],
            "GRIDWARD_FOLD_WINDOW_S": "0.5",
        }
        self._start(running, "cloud", ["cloud.cli", "serve"], environment)
        self.reader = Reader(url, _token(url, plan.PEOPLE[0].name, passwords[plan.PEOPLE[0].name]))
        self.reader.start()
        if not self.reader.ready.wait(10):
            raise RuntimeError("the live stream says nothing")
        addresses = self._addresses(running)
        secrets = {"mqtt.password": credentials.mqtt_password, "token": credentials.token, "local": passwords["local"]}
        for name, secret in secrets.items():
            write_private(self._directory / name, secret.encode())
        (self._directory / "district.pub").write_text(f"{pyrage.x25519.Identity.generate().to_public()}\n")
        configuration = self._configuration(addresses, broker.url, url)
        self._start(running, "node", ["edge.cli", "run", "--config", str(configuration)])
        self._piles = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="piles")
        self._piles.username_pw_set("piles", passwords["local"])
        self._piles.connect("127.0.0.1", broker.port)
        self._piles.loop_start()
        running.callback(self._piles.loop_stop)
        self.processes["broker"] = broker.pid
        if self._ocpp_port is not None:
            connect = running.enter_context(stations())
            for number in range(self._cameras):
                self._stations[f"pile-{number}"] = _connected(connect, self._ocpp_port, f"pile-{number}")

    def _addresses(self, running: ExitStack) -> list[str]:
        """Where the cameras are asked for their pictures: every other one shows the empty scene."""
        idle = idle_film(film_of(None), Kind(1920, 1080, 25, AS_A_CAMERA))
        sources = [
            CameraProcess(catalogue.clip(CLIPS[0]), encode=True, shared=True),
            CameraProcess(idle, shared=True),
            CameraProcess(catalogue.clip(CLIPS[1]), encode=True, shared=True),
            CameraProcess(idle, shared=True),
        ]
        urls = [running.enter_context(source).url for source in sources]
        return [urls[number % len(urls)] for number in range(self._cameras)]

    def _configuration(self, addresses: Sequence[str], broker: str, url: str) -> Path:
        configuration: dict[str, Any] = {
            "node": {
                "id": NODE.id,
                "district": plan.DISTRICT,
                "data_directory": str(self._directory / "node"),
                "district_key": str(self._directory / "district.pub"),
            },
            "cloud": {
                "mqtt": broker,
                "https": url,
                "mqtt_user": NODE.id,
                "mqtt_password_file": str(self._directory / "mqtt.password"),
                "token_file": str(self._directory / "token"),
            },
            "local_mqtt": {"url": broker, "user": LOCAL, "password_file": str(self._directory / "local")},
            "cameras": [
                {"id": f"camera-{number}", "url": address, "model": plan.MODEL, "clips": True, "zones": ZONE}
                for number, address in enumerate(addresses)
            ],
            "spots": [
                {"id": f"spot-camera-{number}", "cameras": [f"camera-{number}"]} for number in range(self._cameras)
            ],
        }
        spots = {f"pile-{number}": f"spot-camera-{number}" for number in range(self._cameras)}
        spots |= {f"storm-{number}": "spot-camera-0" for number in range(self._storm)}
        rule = {"kind": "threshold", "point": "temperature_c", "above": 65, "severity": "critical"}
        if self._ocpp_port is not None:
            piles = [
                {"id": f"pile-{number}", "spot": spots.pop(f"pile-{number}"), "rules": [rule]}
                for number in range(self._cameras)
            ]
            said = {"host": "127.0.0.1", "port": self._ocpp_port, "security_profile": 0, "piles": piles}
            configuration["ocpp"] = said
        configuration["sensors"] = [
            {
                "id": device,
                "kind": "charging_pile",
                "topic": f"{TOPIC}/{device}",
                "time": "time",
                "spot": spot,
                "points": [{"name": "temperature_c", "unit": "°C"}],
                "rules": [rule],
            }
            for device, spot in spots.items()
        ]
        path = self._directory / "node.yaml"
        path.write_text(yaml.safe_dump(configuration, allow_unicode=True), encoding="utf-8")
        return path

    def settle(self, patience_s: float) -> dict[str, str]:
        """Wait until the gates of the idle cameras have learnt their streams, or said that they do not suit; the states of all."""
        until_s = time.monotonic() + patience_s
        gates: dict[str, str] = {}
        idle = {f"camera-{number}" for number in range(1, self._cameras, 2)}
        while time.monotonic() < until_s:
            threading.Event().wait(2.0)
            gates = {
                name: gate["state"] for name, gate in read_status(self._directory / "node").get("gates", {}).items()
            }
            idle -= {name for name, state in gates.items() if state in {"watching", "unsuited"}}
            if len(gates) == self._cameras and not idle:
                break
        return gates

    def status(self) -> dict[str, Any]:
        """What the node says of itself."""
        return read_status(self._directory / "node")

    def heat(self, *devices: str, celsius: float) -> list[Event]:
        """Have piles say how hot they are, all at once."""
        events = []
        for device in devices:
            event = Event(device, time.time())
            if celsius > 65:
                self.reader.waiting.setdefault(device, []).append(event)
            events.append(event)
            if device in self._stations:
                self._stations[device].meter({"Temperature": celsius})
            else:
                said = {"time": datetime.now(UTC).isoformat(), "temperature_c": celsius}
                self._piles.publish(f"{TOPIC}/{device}", json.dumps(said), qos=1)
        return events

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


def _connected(connect: Callable[..., Station], port: int, name: str) -> Station:
    """A station that the node has let in, and that has told of its start."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            station = connect(f"ws://127.0.0.1:{port}/ocpp", name)
            station.boot()
        except (OSError, WebSocketException):
            if time.monotonic() > until_s:
                raise
            threading.Event().wait(0.5)
        else:
            return station


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
        return float(sum(sum(each.cpu_times()[:2]) for each in [root, *root.children(recursive=True)]))
    except psutil.NoSuchProcess:
        return 0.0


def _await(events: Sequence[Event], name: str, patience_s: float) -> None:
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s and any(getattr(event, name) is None for event in events):
        threading.Event().wait(0.1)


def measure(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Run until all events have their films, or nobody waits for them any more; the report."""
    with tempfile.TemporaryDirectory(prefix="gridward-linkage-") as folder, ExitStack() as running:
        Path(folder).chmod(0o711)
        bench = Bench(Path(folder), options.cameras, options.storm, ocpp=options.piles == "ocpp")
        bench.start(running)
        gates = bench.settle(options.settle)
        say(f"the gates of {len(gates)} cameras: {dict(Counter(gates.values()))}")
        began_s, before = time.monotonic(), {name: _cpu_s(pid) for name, pid in bench.processes.items()}
        events: list[Event] = []
        for number in range(options.events):
            device = f"pile-{number % options.cameras}"
            events += bench.heat(device, celsius=80.0)
            threading.Event().wait(options.gap / 2)
            bench.heat(device, celsius=20.0)
            threading.Event().wait(options.gap / 2)
            if number % 10 == 9:
                say(f"{number + 1} events, {sum(event.picture_s is None for event in events)} without a picture so far")
        _await(events, "picture_s", PATIENCE_S)
        elapsed_s = time.monotonic() - began_s
        cpu = {name: round((_cpu_s(pid) - before[name]) / elapsed_s, 3) for name, pid in bench.processes.items()}
        _await(events, "film_s", PATIENCE_S)
        storm = bench.heat(*(f"storm-{number}" for number in range(options.storm)), celsius=80.0)
        _await(storm, "picture_s", PATIENCE_S)
        figures = bench.status().get("linkage", {})
        films = bench.status().get("films", {})
    return {
        "events": _figures(events),
        "behind_a_gate": _figures([event for event in events if int(event.device.rpartition("-")[2]) % 2]),
        "storm": _figures(storm),
        "gates": gates,
        "cameras": options.cameras,
        "piles": options.piles,
        "linkage": figures,
        "films": films,
        "cores": os.cpu_count(),
        "cpu_cores_used": cpu,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "all": [asdict(event) for event in (*events, *storm)],
    }


def _figures(events: Sequence[Event]) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(events)}
    for name in ("told_s", "picture_s", "film_s", "filmed_after_s"):
        values = [value for event in events if (value := getattr(event, name)) is not None]
        found[name] = {"missing": len(events) - len(values)}
        if values:
            shares = (("p50", 50), ("p95", 95), ("max", 100))
            found[name] |= {share: round(float(np.percentile(values, at)), 3) for share, at in shares}
    found["absent"] = dict(Counter(reason for event in events for reason in event.absent))
    found["seen"] = dict(sum((Counter(event.seen) for event in events), Counter()))
    return found


def main() -> int:
    """Print the report; 0 when every event has its picture, and 95 of 100 have it within two seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=64)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--storm", type=int, default=40)
    parser.add_argument("--gap", type=float, default=2.5, help="seconds between two events")
    parser.add_argument("--settle", type=float, default=150.0, help="so long the gates may learn, seconds")
    parser.add_argument("--piles", choices=["ocpp", "mqtt"], default="ocpp")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = measure(options, lambda text: print(text, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            if name != "all":
                print(f"{name:<20}{value}")
    picture = report["events"]["picture_s"]
    return 0 if picture["missing"] == 0 and picture.get("p95", PATIENCE_S) <= 2.0 else 1


if __name__ == "__main__":
    sys.exit(main())

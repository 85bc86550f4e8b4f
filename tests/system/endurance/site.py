"""A whole site that lives faster: database, brokers, the cloud's three processes, a node with two cameras and twenty sensors.

Our own processes run at the `Tempo`, and so do camera and sensors; the database checkpoints and vacuums as much more often. What
the node reaches (broker, HTTPS, one camera) lies behind a `Door`.
"""

import dataclasses
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml

from cloud.demo import plan
from cloud.demo.registry import prepare
from cloud.embedded.broker import EmbeddedBroker
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import Child, Command, free_port, log_tail, wait_until_accepting, write_private
from cloud.fleet.grants import CLOUD_GRANTS, node_grants, user
from edge.simulators.camera_process import CameraProcess
from models import catalogue
from tests.fakes.variants import Variant, write_variant
from tests.fakes.visits import CLIP
from tests.system.endurance.door import Door
from tests.system.endurance.tempo import Tempo

NODE: Final = plan.NODES[0]
SENSORS: Final = 20
FRAMES_PER_S: Final = 1
"""Of the clips and of the analysis, by the time of the load: what two cores can look at with twenty times the speed."""

MIB: Final = 1 << 20
READING_MIB: Final = 4
RESERVE_MIB: Final = 28
"""For the incidents of an hour: they are never dropped, so the quota has to hold them all."""
QUOTA_MIB: Final = READING_MIB + RESERVE_MIB
EVIDENCE_MIB: Final = 1
WAL_MIB: Final = 64
POOL: Final = 6
POOLED: Final = frozenset({"ingest", "jobs", "api"})
BACKENDS: Final = 3 * POOL + 3
"""Three pools, the leads of ingest and jobs, the listener of the live stream."""
DATABASE_SETTINGS: Final = {
    "max_wal_size": f"{WAL_MIB}MB",
    "min_wal_size": "32MB",
    "checkpoint_timeout": "30s",
    "autovacuum_naptime": "3s",
}
LIVE_RETENTION_S: Final = 300.0
_START_S = 60.0


class Site:
    """Starts everything, ends everything; a context manager. `children` are our processes by name."""

    def __init__(self, directory: Path, tempo: Tempo) -> None:
        self.directory = directory
        self.tempo = tempo
        self.children: dict[str, Child] = {}
        self.node_directory = directory / "node"
        self.url = ""
        self._running = ExitStack()
        self._passwords = {name: os.urandom(12).hex() for name in [*(person.name for person in plan.PEOPLE), "cloud"]}
        self.database = EmbeddedPostgres(directory / "postgres", settings=DATABASE_SETTINGS)
        self.broker = EmbeddedBroker(directory / "broker")
        self.local_broker = EmbeddedBroker(directory / "local-broker", anonymous=True)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._running.close()

    def _start(self) -> None:
        for part in (self.database, self.broker, self.local_broker):
            part.start()
            self._running.callback(part.stop)
        environment, credentials = self._prepare_cloud()
        for role in ("ingest", "jobs", "api"):
            self._run(role, ["cloud.cli", "serve", "--role", role], environment)
        wait_until_accepting(self.children["api"], int(environment["GRIDWARD_HTTP_PORT"]), _START_S)
        self.broker_door = self._running.enter_context(Door(self.broker.port))
        self.https_door = self._running.enter_context(Door(int(environment["GRIDWARD_HTTP_PORT"])))
        clip = self.directory / "clip.mp4"
        write_variant(catalogue.clip(CLIP), clip, Variant(lambda image: image, every=10 // FRAMES_PER_S))
        camera = self._running.enter_context(CameraProcess(clip, log=self.directory / "camera.log"))
        camera.slow(self.tempo.speed)
        self.camera_door = self._running.enter_context(Door(camera.port))
        write_private(self.directory / "mqtt.password", credentials.mqtt_password.encode())
        write_private(self.directory / "token", credentials.token.encode())
        configuration = self._configuration(clip, camera.url.replace(str(camera.port), str(self.camera_door.port)))
        file = self.directory / "node.yaml"
        file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        self._run("node", ["edge.cli", "run-node", "--config", str(file)])
        self._run(
            "sensors",
            [
                "edge.simulators.sensors",
                *(f"pile-{number}" for number in range(1, SENSORS + 1)),
                *("--broker", self.local_broker.url, "--topic", plan.sensor_topic(NODE.id), "--seed", "7"),
            ],
        )

    def _prepare_cloud(self) -> tuple[dict[str, str], Any]:
        database_url = self.database.create_database()
        credentials = prepare(database_url, self._passwords)[0][NODE.id]
        self.broker.add_users(
            [
                user("cloud", self._passwords["cloud"], CLOUD_GRANTS),
                user(NODE.id, credentials.mqtt_password, node_grants(plan.DISTRICT, NODE.id)),
            ]
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        return {
            "GRIDWARD_DATABASE_URL": database_url,
            "GRIDWARD_MQTT_URL": self.broker.url,
            "GRIDWARD_MQTT_USER": "cloud",
            "GRIDWARD_MQTT_PASSWORD": self._passwords["cloud"],
            "GRIDWARD_DATA_DIRECTORY": str(self.directory / "cloud"),
            "GRIDWARD_HTTP_PORT": str(port),
            "GRIDWARD_DATABASE_POOL": str(POOL),
            "GRIDWARD_LIVE_RETENTION_S": str(LIVE_RETENTION_S),
        }, credentials

    def _run(self, name: str, program: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        command = Command(
            name=name,
            arguments=self.tempo.arguments(program),
            log=self.directory / f"{name}.log",
            environment=environment or {},
            directory=Path(__file__).resolve().parents[3],
        )
        child = Child(command).start()
        self.children[name] = child
        self._running.callback(child.stop)

    def _configuration(self, clip: Path, camera_url: str) -> dict[str, Any]:
        pile = NODE.sensors[0]
        sensors = tuple(dataclasses.replace(pile, id=f"pile-{number}") for number in range(1, SENSORS + 1))
        feeds = [
            plan.CameraFeed(dataclasses.replace(NODE.cameras[0], id="hall"), camera_url),
            plan.CameraFeed(dataclasses.replace(NODE.cameras[0], id="yard"), str(clip)),
        ]
        node = dataclasses.replace(NODE, sensors=sensors)
        files = plan.NodeFiles(
            data_directory=self.node_directory,
            mqtt_url=f"mqtt://127.0.0.1:{self.broker_door.port}",
            https_url=f"http://127.0.0.1:{self.https_door.port}",
            mqtt_password_file=self.directory / "mqtt.password",
            token_file=self.directory / "token",
            local_password_file=self.directory / "unused",
        )
        configuration = plan.node_configuration(node, feeds, files)
        for camera in configuration["cameras"]:
            camera["analysis_hz"] = float(FRAMES_PER_S)
        configuration["cameras"][1]["loop"] = True
        configuration["local_mqtt"] = {"url": self.local_broker.url}
        configuration["outbox"] = {
            "quota_mib": QUOTA_MIB,
            "incident_reserve_mib": RESERVE_MIB,
            "evidence_quota_mib": EVIDENCE_MIB,
        }
        return configuration

    # --- while running ------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The node's status file, as it stands."""
        status = json.loads((self.node_directory / "status.json").read_text(encoding="utf-8"))
        assert isinstance(status, dict)
        return status

    @property
    def servers(self) -> dict[int, str]:
        """Who listens where."""
        return {
            self.database.port: "database",
            self.broker.port: "broker",
            self.local_broker.port: "local broker",
            self.broker_door.port: "door of the broker",
            self.https_door.port: "door of the API",
            self.camera_door.port: "door of the camera",
        }

    def check_alive(self) -> None:
        """Raises RuntimeError when a process has ended: what starts anew is never flat."""
        for name, child in self.children.items():
            if not child.running:
                raise RuntimeError(f"{name} has ended: {log_tail(child.command.log)}")

    def wait_for(self, what: str, condition: Any, *, timeout_s: float) -> float:
        """Until `condition()` holds; how many real seconds that took. Raises RuntimeError."""
        began_s = time.monotonic()
        while True:
            self.check_alive()
            try:
                if condition():
                    return time.monotonic() - began_s
            except (OSError, ValueError, KeyError, httpx.HTTPError):
                pass  # not there yet
            if time.monotonic() - began_s > timeout_s:
                raise RuntimeError(f"no {what} within {timeout_s:.0f} s")
            threading.Event().wait(0.1)

    def visitor(self) -> "Visitor":
        """A person in the command centre, logged in."""
        person = plan.PEOPLE[0]
        answer = httpx.post(
            f"{self.url}/api/v1/session",
            json={"name": person.name, "password": self._passwords[person.name]},
            timeout=20.0,
        )
        answer.raise_for_status()
        return Visitor(self.url, str(answer.json()["token"]))


class Visitor:
    """Someone with the page open: the live stream on one thread, the lists now and then on another, and who collects metrics."""

    PAGES: Final = ("/api/v1/cases?limit=50", "/api/v1/nodes", "/api/v1/devices?limit=200")

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30.0)
        self._collector = httpx.Client(base_url=url, timeout=30.0)
        self._stop = threading.Event()
        self.events = 0
        self.streams = 0
        self.answers = 0
        self.errors: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=work, name=f"visitor-{work.__name__}", daemon=True)
            for work in (self._listen, self._look)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._client.close()
        self._collector.close()
        for thread in self._threads:
            thread.join(5.0)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with self._client.stream("GET", "/api/v1/live") as stream:
                    self.streams += 1
                    for line in stream.iter_lines():
                        self.events += line.startswith("event:")
                        if self._stop.is_set():
                            return
            except (httpx.HTTPError, RuntimeError) as error:
                self._note(error)
            self._stop.wait(0.5)

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            for client, page in (*((self._client, page) for page in self.PAGES), (self._collector, "/metrics")):
                try:
                    status = client.get(page).status_code
                except (httpx.HTTPError, RuntimeError) as error:
                    self._note(error)
                    continue
                self.answers += 1
                if status != httpx.codes.OK:
                    self.errors[f"{page}: {status}"] = self.errors.get(f"{page}: {status}", 0) + 1

    def _note(self, error: Exception) -> None:
        if not self._stop.is_set():
            name = type(error).__name__
            self.errors[name] = self.errors.get(name, 0) + 1

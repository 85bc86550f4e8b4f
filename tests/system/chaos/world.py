"""Everything that data passes through, as real processes on free ports, every link of it through a proxy.

Sensors → the node's own broker → the node (with its supervisor) → the site's broker → ingest → PostgreSQL → API; jobs
beside them. A camera → the node → HTTPS → API → the store of evidence. The node's own broker stands for the sources: it keeps what it acknowledged, so nothing is done to it.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import psutil
import psycopg
import yaml

from cloud.access import accounts
from cloud.access.model import Role
from cloud.db.migrate import migrate
from cloud.embedded.broker import BrokerKind, EmbeddedBroker
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import free_port, log_tail, write_private
from cloud.fleet import service as fleet
from cloud.fleet.grants import CLOUD_GRANTS, node_grants, user
from edge.node.status import read_status
from tests.cloud.samples import GRID, PASSWORD, take_in_areas
from tests.system.chaos.camera import Footage
from tests.system.chaos.load import TOPIC
from tests.system.chaos.proxy import Proxy
from tests.system.chaos.truth import Device, standard_devices

DISTRICT = "110105"
NODE = "station-1"
WATCHER = "watcher"
START_S = 180.0
_STARTING = threading.Lock()
"""A start is nothing but work: worlds that run side by side start one after the other, or none of them would come up in time."""
RELAUNCH_EVERY_S = 0.5
THRESHOLD = 500_000.0

Value = TypeVar("Value")


class Part(StrEnum):
    """What can be killed and frozen."""

    EDGE = "edge"
    INGEST = "ingest"
    API = "api"
    JOBS = "jobs"
    BROKER = "broker"
    DATABASE = "database"


class Link(StrEnum):
    """What lies behind a proxy."""

    EDGE_BROKER = "edge-broker"
    EDGE_HTTPS = "edge-https"
    CLOUD_BROKER = "cloud-broker"
    CLOUD_DATABASE = "cloud-database"


@dataclass(frozen=True, slots=True)
class Commands:
    """How the two programs are started; a deliberate defect names an entry of its own."""

    edge: Sequence[str] = ("-m", "edge.cli")
    cloud: Sequence[str] = ("-m", "cloud.cli")


AS_DEPLOYED = Commands()


class World:
    """All parts in one folder, which servers under another account must be able to pass through."""

    def __init__(
        self,
        directory: Path,
        *,
        broker: BrokerKind,
        devices: Mapping[str, Device] | None = None,
        commands: Commands = AS_DEPLOYED,
        durable: bool = True,
    ) -> None:
        self.directory = directory
        self.devices = standard_devices() if devices is None else devices
        self._commands = commands
        self._running = ExitStack()
        self.database = EmbeddedPostgres(directory / "postgres", durable=durable)
        self.broker = EmbeddedBroker(directory / "broker", kind=broker, autosave_on_changes=True)
        self.sources = EmbeddedBroker(
            directory / "sources", kind=BrokerKind.MOSQUITTO, anonymous=True, autosave_on_changes=True
        )
        self.is_evidence = False
        """Something was found: the folder has to stay."""
        self.footage = Footage(directory / "lane.mp4")
        self.proxies: dict[Link, Proxy] = {}
        self._processes: dict[Part, subprocess.Popen[bytes]] = {}
        self._frozen: dict[Part, list[psutil.Process]] = {}
        self._wanted: set[Part] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, name="site", daemon=True)
        self._environment: dict[str, str] = {}
        self._database_url = ""
        self.url = ""
        self._token = ""

    # --- start and stop -----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._running.__enter__()
        try:
            with _STARTING:
                self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        for part in list(self._frozen):
            self.thaw(part)
        self._running.close()

    def _start(self) -> None:
        self.database.start()
        self._running.callback(self.database.stop)
        self._database_url = self.database.create_database()
        cloud_password = secrets.token_hex(12)
        credentials = self._prepare_database()
        for broker in (self.broker, self.sources):
            broker.start()
            self._running.callback(broker.stop)
        self.broker.add_users(
            [
                user("cloud", cloud_password, CLOUD_GRANTS),
                user(NODE, credentials.mqtt_password, node_grants(DISTRICT, NODE)),
            ]
        )
        api_port = free_port()
        self.url = f"http://127.0.0.1:{api_port}"
        for link, port in (
            (Link.EDGE_BROKER, self.broker.port),
            (Link.EDGE_HTTPS, api_port),
            (Link.CLOUD_BROKER, self.broker.port),
            (Link.CLOUD_DATABASE, self.database.port),
        ):
            self.proxies[link] = self._running.enter_context(Proxy(link.value, port))
        proxied = self._database_url.replace(f":{self.database.port}/", f":{self.proxies[Link.CLOUD_DATABASE].port}/")
        self._environment = {
            "GRIDWARD_DATABASE_URL": proxied,
            "GRIDWARD_DATABASE_POOL": "4",
            "GRIDWARD_MQTT_URL": f"mqtt://127.0.0.1:{self.proxies[Link.CLOUD_BROKER].port}",
            "GRIDWARD_MQTT_USER": "cloud",
            "GRIDWARD_MQTT_PASSWORD": cloud_password,
            "GRIDWARD_DATA_DIRECTORY": str(self.directory / "cloud"),
            "GRIDWARD_HTTP_PORT": str(api_port),
            "GRIDWARD_FOLD_WINDOW_S": "0.000001",
        }
        configuration = self._write_configuration(credentials)
        self._running.callback(self._end_processes)
        for part in (Part.INGEST, Part.API, Part.JOBS):
            self.launch(part)
        self._configuration = configuration
        self.launch(Part.EDGE)
        self._keeper.start()
        wait_for("answer of the API", self._sign_in, timeout_s=START_S)
        wait_for("connected node", lambda: self.status().get("uplink", {}).get("connected") or None, timeout_s=START_S)

    def _prepare_database(self) -> Any:
        migrate(self._database_url)
        now = datetime.now(UTC)
        with psycopg.connect(self._database_url) as connection:
            take_in_areas(connection, now=now)
        with psycopg.connect(self._database_url) as connection:
            accounts.add(connection, name=WATCHER, password=PASSWORD, role=Role.DUTY_CHIEF, area_code=DISTRICT, now=now)
        with psycopg.connect(self._database_url) as connection:
            return fleet.add_node(connection, NODE, district=DISTRICT, area_code=GRID, now=now)

    def _write_configuration(self, credentials: Any) -> Path:
        for name, secret in (("mqtt.password", credentials.mqtt_password), ("token", credentials.token)):
            write_private(self.directory / name, secret.encode())
        configuration = {
            "node": {"id": NODE, "district": DISTRICT, "data_directory": str(self.node_directory)},
            "cloud": {
                "mqtt": f"mqtt://127.0.0.1:{self.proxies[Link.EDGE_BROKER].port}",
                "https": f"http://127.0.0.1:{self.proxies[Link.EDGE_HTTPS].port}",
                "mqtt_user": NODE,
                "mqtt_password_file": str(self.directory / "mqtt.password"),
                "token_file": str(self.directory / "token"),
            },
            "local_mqtt": {"url": self.sources.url},
            "sensors": [_sensor(device) for device in self.devices.values()],
            "cameras": [dict(self.footage.configuration)],
            "outbox": {"quota_mib": 4, "incident_reserve_mib": 3},
        }
        path = self.directory / "node.yaml"
        path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        return path

    @property
    def node_directory(self) -> Path:
        """The node's data directory."""
        return self.directory / "node"

    @property
    def evidence_directory(self) -> Path:
        """The cloud's store of whole files."""
        return self.directory / "cloud" / "evidence"

    @property
    def is_uploading(self) -> bool:
        """Whether a file is on its way into the cloud."""
        return any((self.directory / "cloud" / "partial").glob("*.part"))

    # --- processes ----------------------------------------------------------------------------------------------

    def launch(self, part: Part) -> None:
        """Start one of our programs unless it runs, and see to it that it goes on running."""
        with self._lock:
            self._wanted.add(part)
            self._launch(part)

    def _launch(self, part: Part) -> None:
        known = self._processes.get(part)
        if known is not None and known.poll() is None:
            return
        if part is Part.EDGE:
            arguments = [*self._commands.edge, "run", "--config", str(self._configuration)]
        else:
            arguments = [*self._commands.cloud, "serve", "--role", part.value, "--json"]
        with (self.directory / f"{part.value}.log").open("ab") as log:
            self._processes[part] = subprocess.Popen(
                [sys.executable, *arguments],
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _keep_running(self) -> None:
        """A program that gives up (its database is away while it starts) is started again, as a service manager does."""
        while not self._ending.wait(RELAUNCH_EVERY_S):
            with self._lock:
                for part in self._wanted:
                    self._launch(part)

    def _end_processes(self) -> None:
        self._ending.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for process in self._processes.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                below = psutil.Process(process.pid).children(recursive=True)
                process.kill()  # the parent first: it would start its child again
                for child in below:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
        for process in self._processes.values():
            process.wait()

    def process(self, part: Part) -> psutil.Process | None:
        """The process that does the work of a part: of the node the supervised one. None while there is none."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if part is Part.DATABASE:
                return psutil.Process(self.database.pid) if self.database.running else None
            if part is Part.BROKER:
                return psutil.Process(self.broker.pid) if self.broker.pid else None
            known = self._processes[part]
            if known.poll() is not None:
                return None
            own = psutil.Process(known.pid)
            if part is not Part.EDGE:
                return own
            return next(iter(own.children()), None)
        return None

    def kill(self, part: Part) -> None:
        """End a part as a power cut would. The node's supervisor starts it again by itself; the others stay away."""
        self.thaw(part)
        if part is Part.DATABASE:
            self.database.kill()
        elif part is Part.BROKER:
            self.broker.kill()
        else:
            self._kill_program(part)

    def _kill_program(self, part: Part) -> None:
        with self._lock:
            process = self.process(part)
            if part is not Part.EDGE:
                self._wanted.discard(part)
            if process is None:
                return
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
            if part is not Part.EDGE:
                self._processes[part].wait()

    def restore(self, part: Part) -> None:
        """Bring a killed part back, as whoever runs the site would."""
        if part is Part.DATABASE:
            if not self.database.running:
                self.database.restart()
        elif part is Part.BROKER:
            if not self.broker.running:
                self.broker.start()
        else:
            self.launch(part)

    def freeze(self, part: Part) -> None:
        """Stop a part and its children where they are (SIGSTOP)."""
        process = self.process(part)
        if process is None:
            return
        try:
            stopped = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return  # it has just ended
        for each in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGSTOP)
        self._frozen[part] = stopped

    def thaw(self, part: Part) -> None:
        """Let a frozen part go on."""
        for each in self._frozen.pop(part, []):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)

    # --- looking ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """To the database, past the proxy."""
        with psycopg.connect(self._database_url, connect_timeout=5, options="-c timezone=UTC") as connection:
            yield connection

    def status(self) -> dict[str, Any]:
        """What the node says of itself."""
        return read_status(self.node_directory)

    def get(self, path: str, **query: Any) -> Any:
        """An answer of the API, past the proxy. Raises httpx.HTTPError."""
        answer = httpx.get(
            f"{self.url}/api/v1{path}", params=query, headers={"Authorization": f"Bearer {self._token}"}, timeout=5.0
        )
        answer.raise_for_status()
        return answer.json()

    def _sign_in(self) -> bool | None:
        try:
            answer = httpx.post(f"{self.url}/api/v1/session", json={"name": WATCHER, "password": PASSWORD}, timeout=5.0)
            answer.raise_for_status()
        except httpx.HTTPError:
            process = self._processes[Part.API]
            if process.poll() is not None:
                raise RuntimeError(f"the API ended: {log_tail(self.directory / 'api.log')}") from None
            return None
        self._token = str(answer.json()["token"])
        return True


def wait_for(what: str, look: Callable[[], Value | None], *, timeout_s: float, every_s: float = 0.1) -> Value:
    """The first value that `look` finds. Raises TimeoutError naming `what`."""
    until_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while (value := look()) is None:
        if time.monotonic() > until_s:
            raise TimeoutError(f"no {what} within {timeout_s:.0f} s")
        pause.wait(every_s)
    return value


def _sensor(device: Device) -> dict[str, Any]:
    points: list[dict[str, Any]] = [{"name": point, "path": "n"} for point in device.points]
    if device.state is not None:
        points.append({"name": device.state, "kind": "state"})
    sensor: dict[str, Any] = {"id": device.name, "topic": f"{TOPIC}/{device.name}", "points": points}
    if device.timed:
        sensor["time"] = "time"
    if device.alarms:
        sensor["rules"] = [{"kind": "threshold", "id": "over", "point": device.points[0], "above": THRESHOLD}]
    return sensor

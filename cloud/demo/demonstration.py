"""The demo: everything on this machine, on free ports, from a database to two nodes that look at real footage, or at made scenes."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import yaml

from cloud.demo import past, plan
from cloud.demo.day import WorkingDay
from cloud.demo.directory import DemoDirectory
from cloud.demo.equipment import EquipmentPorts
from cloud.demo.footage import Showing, find_showings, own_camera, seen_with
from cloud.demo.registry import Spot, place_devices, prepare
from cloud.demo.visitor import Visitor
from cloud.embedded.broker import EmbeddedBroker
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import (
    Child,
    Command,
    EmbeddedProblem,
    free_port,
    log_tail,
    port_is_free,
    wait_until_accepting,
)
from cloud.fleet.grants import CLOUD_GRANTS, Access, Grant, node_grants, user

_ROOT = Path(__file__).resolve().parents[2]
_KEPT = frozenset({"GRIDWARD_ASSETS", "GRIDWARD_CACHE", "GRIDWARD_MIRROR"})
_ANSWER_TIMEOUT_S = 60.0
_CAMERA_TIMEOUT_S = 120.0
_CLOUD_USER = "cloud"
_SENSORS_USER = "sensors"
_PILES_USER = "piles"
_RESTARTS = 5
_SETTLED_S = 60.0
_FOLLOW_PERIOD_S = 0.5
_FIRST_TROUBLE_S = 45.0
"""The cameras come first."""


@dataclass(slots=True)
class _Watched:
    child: Child
    started_at: float
    restarts: int = 0


class Demonstration:
    """Starts the parts in order, keeps them running, and stops them in the opposite order."""

    def __init__(self, directory: DemoDirectory, say: Callable[[str], None], stop: Event) -> None:
        self._directory = directory
        self._say = say
        self._stop = stop
        self._database = EmbeddedPostgres(directory.path / "postgres")
        self._broker = EmbeddedBroker(directory.path / "broker")
        self._watched: dict[str, _Watched] = {}
        self._simulated: list[tuple[Child, int]] = []
        self._unplaced: set[tuple[str, str]] = set()
        self._spots: dict[str, Spot] = {}
        self._begun_at = datetime.now(UTC)
        self.url = ""

    def run(self) -> None:
        """Run until told to stop. Raises EmbeddedProblem when something can't run, or does not stay up."""
        with ExitStack() as running:
            showings = self._start_servers(running)
            running.callback(self._stop_children)
            feeds = self._start_cameras(showings)
            access = self._start_cloud()
            self._start_nodes(feeds)
            visitor = Visitor(self.url, access["users"][0]["name"], access["users"][0]["password"])
            self._wait_for_answer(visitor)
            self._directory.write(self._directory.access.name, json.dumps(access, indent=2, ensure_ascii=False) + "\n")
            self._announce(access)
            people = {each["name"]: Visitor(self.url, each["name"], each["password"]) for each in access["users"]}
            day = WorkingDay(people, self._spots[plan.NODES[0].id], self._say)
            with day.going_on(self._stop):
                self._follow(visitor)

    def _start_servers(self, running: ExitStack) -> dict[str, list[Showing]]:
        """Database, broker and footage, all at once: none needs another."""
        with ThreadPoolExecutor(3, thread_name_prefix="demo-start") as together:
            database = together.submit(self._database.start)
            broker = together.submit(self._broker.start)
            found = together.submit(self._find_footage)
            running.callback(self._database.stop)
            running.callback(self._broker.stop)
            database.result()
            self._say(f"PostgreSQL answers on port {self._database.port}")
            broker.result()
            self._say(f"MQTT broker ({self._broker.kind}) answers on port {self._broker.port}")
            return found.result()

    def _find_footage(self) -> dict[str, list[Showing]]:
        showings = find_showings(plan.NODES, self._say)
        for line in seen_with([each for shown in showings.values() for each in shown]):
            self._say(line)
        return showings

    def _start_cloud(self) -> dict[str, Any]:
        passwords = self._directory.passwords([*(person.name for person in plan.PEOPLE), _CLOUD_USER, _SENSORS_USER])
        database_url = self._database.create_database()
        people = hashlib.sha256(json.dumps(passwords, sort_keys=True).encode()).hexdigest()
        renew = self._directory.remembered().get("people") != people
        credentials, self._spots = prepare(database_url, passwords, renew=renew)
        self._say("schema, areas, people and nodes are in the database")
        users = [
            user(_CLOUD_USER, passwords[_CLOUD_USER], CLOUD_GRANTS),
            user(
                _SENSORS_USER,
                passwords[_SENSORS_USER],
                (Grant(Access.WRITE, "sensors/#"), Grant(Access.READ, "sensors/+/+/ack")),
            ),
        ]
        for node, secret in credentials.items():
            local = self._directory.passwords([f"{node}-local"])[f"{node}-local"]
            users.append(user(node, secret.mqtt_password, node_grants(plan.DISTRICT, node)))
            hears = Grant(Access.READ, f"{plan.sensor_topic(node)}/#")
            answers = Grant(Access.WRITE, f"{plan.sensor_topic(node)}/+/ack")
            users.append(user(f"{node}-local", local, (hears, answers)))
            self._directory.write(f"nodes/{node}/mqtt.password", secret.mqtt_password)
            self._directory.write(f"nodes/{node}/token", secret.token)
            self._directory.write(f"nodes/{node}/local.password", local)
        self._broker.add_users(users)
        port = _kept_port(self._directory.remembered().get("http_port"))
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "GRIDWARD_DATABASE_URL": database_url,
            "GRIDWARD_MQTT_URL": self._broker.url,
            "GRIDWARD_MQTT_USER": _CLOUD_USER,
            "GRIDWARD_MQTT_PASSWORD_FILE": str(self._directory.write("cloud/mqtt.password", passwords[_CLOUD_USER])),
            "GRIDWARD_DATA_DIRECTORY": str(self._directory.path / "cloud"),
            "GRIDWARD_HTTP_PORT": str(port),
        }
        self._start("cloud", [*_program("cloud.cli"), "serve"], environment)
        self._directory.remember(http_port=port, people=people)
        mqtt_password = quote(passwords[_CLOUD_USER], safe="")
        return {
            "url": self.url,
            "users": [
                {"role": person.role.value, "name": person.name, "password": passwords[person.name]}
                for person in plan.PEOPLE
            ],
            "database_url": database_url,
            "mqtt_url": f"mqtt://{_CLOUD_USER}:{mqtt_password}@127.0.0.1:{self._broker.port}",
        }

    def _start_cameras(self, showings: dict[str, list[Showing]]) -> dict[str, list[plan.CameraFeed]]:
        """The simulated cameras get ready while the cloud does."""
        return {node: [self._feed(node, showing) for showing in shown] for node, shown in showings.items()}

    def _start_nodes(self, feeds_of: dict[str, list[plan.CameraFeed]]) -> None:
        for child, port in self._simulated:
            wait_until_accepting(child, port, _CAMERA_TIMEOUT_S)
        for node in plan.NODES:
            feeds = feeds_of[node.id]
            self._unplaced |= {(node.id, device) for device in node.devices_beside(feed.plan.id for feed in feeds)}
            home = self._directory.path / "nodes" / node.id
            files = plan.NodeFiles(
                data_directory=home / "data",
                mqtt_url=self._broker.url,
                https_url=self.url,
                mqtt_password_file=home / "mqtt.password",
                token_file=home / "token",
                local_password_file=home / "local.password",
                pile_password_file=self._pile_password(),
                ports=EquipmentPorts(modbus=free_port(), line=self._broker.port, ocpp=free_port(), ykc=free_port()),
            )
            configuration = plan.node_configuration(node, feeds, files)
            text = yaml.safe_dump(configuration, allow_unicode=True, sort_keys=False)
            file = self._directory.write(f"nodes/{node.id}/node.yaml", text)
            self._start(node.id, [*_program("edge.cli"), "run", "--config", str(file)])
            self._start_sensors(node, _FIRST_TROUBLE_S if node is plan.NODES[0] else None)
            self._start_equipment(node, files.ports)
            self._start_piles(node, files.ports)
        self._say(f"two nodes run: {', '.join(node.name for node in plan.NODES)}")

    def _start_sensors(self, node: plan.NodePlan, first_trouble_s: float | None) -> None:
        password = self._directory.write("sensors.password", self._directory.passwords([_SENSORS_USER])[_SENSORS_USER])
        arguments = [
            *_program("edge.simulators.sensors"),
            *(sensor.id for sensor in node.sensors),
            *("--broker", self._broker.url, "--user", _SENSORS_USER, "--password-file", str(password)),
            *("--topic", plan.sensor_topic(node.id), "--seed", "7"),
            *(("--first-trouble", str(first_trouble_s)) if first_trouble_s is not None else ()),
        ]
        self._start(f"{node.id}-sensors", arguments)

    def _start_equipment(self, node: plan.NodePlan, ports: EquipmentPorts) -> None:
        """The terminals, and the gateway with what stands behind it; a post calls for help after ten minutes."""
        password = self._directory.write("sensors.password", self._directory.passwords([_SENSORS_USER])[_SENSORS_USER])
        if node.equipment.terminals:
            arguments = [
                *_program("edge.simulators.terminals"),
                *(terminal.id for terminal in node.equipment.terminals),
                *("--broker", self._broker.url, "--user", _SENSORS_USER, "--password-file", str(password)),
                *("--topic", plan.sensor_topic(node.id), "--seed", "7", "--first-call", "600"),
            ]
            self._start(f"{node.id}-terminals", arguments)
        if node.equipment.registers:
            arguments = [*_program("edge.simulators.modbus_server"), "--port", str(ports.modbus), "--seed", "7"]
            self._start(f"{node.id}-modbus", arguments)

    def _pile_password(self) -> Path:
        return self._directory.write("pile.password", self._directory.passwords([_PILES_USER])[_PILES_USER])

    def _start_piles(self, node: plan.NodePlan, ports: EquipmentPorts) -> None:
        """Each charges and gets hot after some minutes; it is told to stop, and does."""
        for pile in node.equipment.piles:
            arguments = [
                *_program("edge.simulators.ocpp_pile"),
                *(f"ws://127.0.0.1:{ports.ocpp}/ocpp/{pile.id}", "--password-file", str(self._pile_password())),
                *("--connectors", str(pile.connectors), "--charge-after", "20", "--heat-after", "150", "--seed", "7"),
            ]
            self._start(f"{node.id}-{pile.id}", arguments)
        if node.equipment.ykc_piles:
            arguments = [
                *_program("edge.simulators.ykc_pile"),
                *(pile.number for pile in node.equipment.ykc_piles),
                *("--server", f"127.0.0.1:{ports.ykc}", "--seed", "7", "--first-trouble", "300"),
            ]
            self._start(f"{node.id}-ykc", arguments)

    def _feed(self, node: str, showing: Showing) -> plan.CameraFeed:
        """A camera's feed: the visitor's own, or a simulated camera that is started here."""
        if showing.address is not None:
            return own_camera(showing, lambda name, text: self._directory.write(f"nodes/{node}/{name}", text))
        port = free_port()
        child = self._start(f"{node}-{showing.plan.id}-camera", [*_simulator(showing), "--port", str(port)])
        self._simulated.append((child, port))
        return plan.CameraFeed(showing.plan, f"rtsp://127.0.0.1:{port}/live")

    def _start(self, name: str, arguments: list[str], environment: dict[str, str] | None = None) -> Child:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("GRIDWARD_") or key in _KEPT}
        command = Command(
            name=name,
            arguments=arguments,
            log=self._directory.log(name),
            environment={**inherited, **(environment or {}), "PYTHONUNBUFFERED": "1"},
            inherit_environment=False,
            directory=_ROOT,
            grace_s=8.0,
        )
        child = Child(command).start()
        self._watched[name] = _Watched(child, time.monotonic())
        return child

    def _wait_for_answer(self, visitor: Visitor) -> None:
        cloud = self._watched["cloud"].child
        until = time.monotonic() + _ANSWER_TIMEOUT_S
        while (missing := visitor.what_is_missing()) is not None:
            if not cloud.running:
                raise EmbeddedProblem(f"the cloud ended while starting: {log_tail(cloud.command.log)}")
            if time.monotonic() > until:
                raise EmbeddedProblem(f"the cloud does not answer: {missing}; {log_tail(cloud.command.log)}")
            if self._stop.wait(0.1):
                raise KeyboardInterrupt
        self._say("the page, the service and the log-in answer")

    def _announce(self, access: dict[str, Any]) -> None:
        lines = [f"open {access['url']}"]
        lines += [f"  {each['role']:14} {each['name']:12} {each['password']}" for each in access["users"]]
        lines += [f"  database {access['database_url']}", f"  MQTT     {access['mqtt_url']}"]
        lines.append(f"  the same in {self._directory.access}; Ctrl-C stops everything")
        for line in lines:
            self._say(line)

    def _follow(self, visitor: Visitor) -> None:
        """Watch the children, put the devices on the map, tell of the first case."""
        without_past = frozenset(past.COUNTERS)
        told = False
        database_url = self._database.url()
        while not self._stop.wait(_FOLLOW_PERIOD_S):
            self._keep_running()
            if self._unplaced:
                self._unplaced = place_devices(database_url, self._unplaced, self._spots)
            if without_past:
                without_past = past.enter(database_url, without_past, now=datetime.now(UTC))
            if not told and (case := visitor.case_since(self._begun_at)) is not None:
                told = True
                self._say(
                    f"first case: {case['number']} {case['kind']} ({case['severity']}), {self.url}/cases/{case['id']}"
                )

    def _keep_running(self) -> None:
        if not self._database.running:
            self._say("PostgreSQL has ended; it starts again")
            self._database.restart()
        if not self._broker.running:
            self._say("the broker has ended; it starts again")
            self._broker.restart()
        now = time.monotonic()
        for name, watched in self._watched.items():
            if watched.child.running:
                continue
            if now - watched.started_at > _SETTLED_S:
                watched.restarts = 0
            if watched.restarts >= _RESTARTS:
                raise EmbeddedProblem(f"{name} does not stay up: {log_tail(watched.child.command.log)}")
            watched.restarts += 1
            watched.started_at = now
            self._say(f"{name} has ended (status {watched.child.exit_status()}); it starts again")
            watched.child = Child(watched.child.command).start()

    def _stop_children(self) -> None:
        """Nodes, cameras and sensors together, then the cloud, so that what they said last still arrives."""
        cloud = [watched.child for name, watched in self._watched.items() if name == "cloud"]
        others = [watched.child for name, watched in self._watched.items() if name != "cloud"]
        for together in (others, cloud):
            for child in together:
                child.ask_to_stop()
            for child in together:
                child.stop()


def _simulator(showing: Showing) -> list[str]:
    """The program that is a camera and shows this."""
    if showing.story is not None:
        return [*_program("edge.cli"), "scene", "serve", "--story", showing.story]
    least = ["--least-seconds", str(showing.plan.least_s)] if showing.plan.least_s else []
    return [*_program("edge.simulators.rtsp_camera"), str(showing.file), *least]


def _program(module: str) -> list[str]:
    """A module of this project as a program. The edge is named, never imported here."""
    if module.endswith(".cli"):
        return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]
    return [sys.executable, "-m", module]


def _kept_port(last: object) -> int:
    """The port of the last run where it is free, so that an open page finds its way back; else any free one."""
    return last if isinstance(last, int) and 1024 <= last <= 65_535 and port_is_free(last) else free_port()

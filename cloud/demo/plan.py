"""What the demo shows: people, nodes, cameras, sensors, and the configuration of a node made from them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cloud.access.departments import DepartmentKind
from cloud.access.model import Role
from cloud.demo.equipment import EQUIPMENT, Equipment, EquipmentPorts
from cloud.demo.watch import SCENES, CameraPlan, ScenePlan
from cloud.organisation.model import DutyKind, SiteKind

DISTRICT: Final = "110105"
MODEL: Final = "auto"
"""The first of the catalogue's order that can be had."""
_FLOOR: Final = [[0.0, 0.25], [1.0, 0.25], [1.0, 1.0], [0.0, 1.0]]
_EVERYTHING: Final = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who can log in. `area_digits` is how much of the first node's grid code the person's area shares.

    `department` is the code of the one for which the person works, `duty` what he is on duty as from the start.
    """

    name: str
    display_name: str
    role: Role
    area_digits: int | None
    department: str | None = None
    duty: DutyKind | None = None


DEPARTMENTS: Final = (
    ("sanitation", "环卫中心", DepartmentKind.DEPARTMENT),
    ("volunteers", "邻里志愿队", DepartmentKind.TEAM),
)


PEOPLE: Final = (
    Person("chief", "李值班", Role.DUTY_CHIEF, 6, duty=DutyKind.DUTY_CHIEF),
    Person("worker", "王网格", Role.GRID_WORKER, 12, duty=DutyKind.GRID_WORKER),
    Person("lead", "孙网格长", Role.GRID_LEAD, 12, duty=DutyKind.GRID_LEAD),
    Person("clerk", "周受理", Role.INTAKE_CLERK, 6, duty=DutyKind.INTAKE_CLERK),
    Person("dispatcher", "吴派遣", Role.DISPATCHER, 6, duty=DutyKind.DISPATCHER),
    Person("sanitation", "郑环卫", Role.DEPARTMENT, 6, department="sanitation"),
    Person("volunteer", "冯志愿", Role.DEPARTMENT, 6, department="volunteers"),
    Person("auditor", "陈审计", Role.AUDITOR, None),
    Person("maintainer", "赵运维", Role.MAINTAINER, 6),
    Person("admin", "管理员", Role.ADMINISTRATOR, None),
)


@dataclass(frozen=True, slots=True)
class SensorPlan:
    """A sensor: its points (name, unit, least, most) and its rules. `id` is a name that the simulator knows."""

    id: str
    name: str
    kind: str
    period_s: float
    points: Sequence[tuple[str, str, float, float]]
    rules: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node, and the site that it stands in: a station (驿站) or a gate house (门房)."""

    id: str
    name: str
    site: SiteKind
    cameras: tuple[CameraPlan, ...]
    sensors: tuple[SensorPlan, ...]
    equipment: Equipment = field(default_factory=Equipment)
    scenes: tuple[ScenePlan, ...] = ()
    """One for each camera, in their order."""

    @property
    def site_code(self) -> str:
        """The code of its site; the spot of what counts there is the same in small letters."""
        return self.id.upper()

    @property
    def devices(self) -> tuple[str, ...]:
        """The ids of everything that it watches where all footage can be had."""
        return self.devices_beside(camera.id for camera in self.cameras)

    def devices_beside(self, cameras: Iterable[str]) -> tuple[str, ...]:
        """The ids of everything that it watches with these cameras."""
        return (*cameras, *(sensor.id for sensor in self.sensors), *self.equipment.devices)


def _pile(number: int) -> SensorPlan:
    return SensorPlan(
        id=f"pile-{number}",
        name=f"{number} 号充电桩",
        kind="charging_pile",
        period_s=2.0,
        points=(
            ("temperature_c", "°C", -40.0, 150.0),
            ("power_kw", "kW", 0.0, 250.0),
            ("voltage_v", "V", 0.0, 1_000.0),
        ),
        rules=(
            {
                "kind": "threshold",
                "id": "pile-hot",
                "point": "temperature_c",
                "above": 65.0,
                "clear": 60.0,
                "for_s": 6.0,
                "clear_for_s": 6.0,
                "severity": "high",
                "category": "fire_safety",
            },
        ),
    )


NODES: Final = (
    NodePlan(
        id="station-1",
        name="朝阳驿站",
        site=SiteKind.STATION,
        equipment=EQUIPMENT["station-1"],
        cameras=(
            CameraPlan(
                id="hall",
                name="驿站大厅",
                clip="one_by_one_person_detection",
                zones={"floor": _FLOOR},
                rules=(
                    {"kind": "intrusion", "zone": "floor", "severity": "medium"},
                    {"kind": "loitering", "zone": "floor", "limit_s": 16.5, "severity": "high"},
                ),
            ),
        ),
        scenes=(SCENES["fire-lane"],),
        sensors=(
            _pile(1),
            _pile(2),
            SensorPlan(
                id="climate-1",
                name="驿站温湿度",
                kind="climate",
                period_s=10.0,
                points=(("temperature_c", "°C", -40.0, 80.0), ("humidity_percent", "%", 0.0, 100.0)),
            ),
        ),
    ),
    NodePlan(
        id="gate-1",
        name="东门门房",
        site=SiteKind.GATE_HOUSE,
        equipment=EQUIPMENT["gate-1"],
        cameras=(
            CameraPlan(
                id="lane",
                name="东门车道",
                clip="person_bicycle_car_preview",
                zones={"lane": _EVERYTHING},
                rules=(
                    {
                        "kind": "loitering",
                        "id": "vehicle-in-lane",
                        "zone": "lane",
                        "limit_s": 12.0,
                        "classes": ["car", "truck"],
                        "severity": "medium",
                        "category": "traffic",
                    },
                ),
                least_s=40.0,
            ),
        ),
        scenes=(SCENES["gate"],),
        sensors=(
            SensorPlan(
                id="smoke-1",
                name="门房烟感",
                kind="smoke_detector",
                period_s=5.0,
                points=(("obscuration_percent_per_m", "%/m", 0.0, 100.0), ("temperature_c", "°C", -40.0, 120.0)),
                rules=(
                    {
                        "kind": "threshold",
                        "id": "smoke",
                        "point": "obscuration_percent_per_m",
                        "above": 6.0,
                        "clear": 3.0,
                        "for_s": 5.0,
                        "severity": "critical",
                        "category": "fire_safety",
                    },
                ),
            ),
            SensorPlan(
                id="water-1",
                name="东门积水",
                kind="water_level",
                period_s=5.0,
                points=(("level_mm", "mm", 0.0, 5_000.0),),
                rules=(
                    {
                        "kind": "threshold",
                        "id": "water-high",
                        "point": "level_mm",
                        "above": 200.0,
                        "clear": 120.0,
                        "for_s": 10.0,
                        "severity": "high",
                        "category": "municipal",
                    },
                ),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class CameraFeed:
    """Where a planned camera's pictures come from in this run."""

    plan: CameraPlan
    url: str
    user: str | None = None
    password_file: Path | None = None
    simulated: bool = True


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The files and addresses that a node's configuration names."""

    data_directory: Path
    mqtt_url: str
    https_url: str
    mqtt_password_file: Path
    token_file: Path
    local_password_file: Path
    pile_password_file: Path = Path("pile.password")
    ports: EquipmentPorts = field(default_factory=EquipmentPorts)


def sensor_topic(node: str) -> str:
    """Below which topic a node's sensors speak on the local broker."""
    return f"sensors/{node}"


def node_configuration(node: NodePlan, feeds: Sequence[CameraFeed], files: NodeFiles) -> dict[str, Any]:
    """The content of the node's `node.yaml`."""
    return {
        "node": {
            "id": node.id,
            "district": DISTRICT,
            "name": node.name,
            "data_directory": str(files.data_directory),
        },
        "cloud": {
            "mqtt": files.mqtt_url,
            "https": files.https_url,
            "mqtt_user": node.id,
            "mqtt_password_file": str(files.mqtt_password_file),
            "token_file": str(files.token_file),
        },
        "local_mqtt": {
            "url": files.mqtt_url,
            "user": f"{node.id}-local",
            "password_file": str(files.local_password_file),
        },
        "cameras": [_camera(feed) for feed in feeds],
        "sensors": [_sensor(sensor, node.id) for sensor in node.sensors],
        **node.equipment.configuration(sensor_topic(node.id), files.ports, str(files.pile_password_file)),
    }


def _camera(feed: CameraFeed) -> dict[str, Any]:
    camera: dict[str, Any] = {
        "id": feed.plan.id,
        "name": feed.plan.name,
        "url": feed.url,
        "spot": feed.plan.spot or feed.plan.id,
        "model": MODEL,
        "analysis_hz": 5.0,
        "zones": {name: [list(vertex) for vertex in polygon] for name, polygon in feed.plan.zones.items()},
        "rules": [dict(rule) for rule in feed.plan.rules],
        "simulated": feed.simulated,
    }
    if feed.user is not None:
        camera |= {"user": feed.user, "password_file": str(feed.password_file)}
    return camera


def _sensor(sensor: SensorPlan, node: str) -> dict[str, Any]:
    return {
        "id": sensor.id,
        "name": sensor.name,
        "kind": sensor.kind,
        "topic": f"{sensor_topic(node)}/{sensor.id}",
        "spot": sensor.id,
        "time": "time",
        "points": [
            {"name": name, "unit": unit, "minimum": least, "maximum": most, "period_s": sensor.period_s}
            for name, unit, least, most in sensor.points
        ],
        "rules": [dict(rule) for rule in sensor.rules],
        "simulated": True,
    }

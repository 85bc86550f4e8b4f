"""A district with a node whose cameras take part in drills, or do not."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Principal, Role
from cloud.correlate import service as correlate
from cloud.db.pool import open_pool
from cloud.drills import service as drills
from cloud.drills.model import ChosenSource, DrillWish
from cloud.drills.service import Drill
from cloud.fleet import service as fleet
from cloud.ingest.writer import Writer
from edge.contract.birth import Device, DeviceKind, PresenceState
from edge.contract.incident import Incident
from tests.cloud.samples import GRID, NOW, OTHER_GRID, STREET, add_person, report, take_in_areas
from tests.databases import DatabaseServer
from tests.fakes.node import FakeNode, birth, itself

NODE = "node-1"
CAMERAS = ("cam-1", "cam-2", "cam-3")
PEOPLE = {
    "chief": (Role.DUTY_CHIEF, "110105"),
    "near": (Role.DUTY_CHIEF, STREET),
    "worker": (Role.GRID_WORKER, GRID),
    "far": (Role.DUTY_CHIEF, OTHER_GRID),
    "auditor": (Role.AUDITOR, "110105"),
    "sanitation": (Role.DEPARTMENT, "110105"),
}


@dataclass(frozen=True)
class Exercised:
    """A transaction over the district; `who` are its people."""

    conn: Connection[Any]

    def who(self, name: str) -> Principal:
        found = accounts.in_use(self.conn, name)
        assert found is not None
        return found

    def start(self, *devices: str, at: datetime = NOW, hours: float = 2, area: str = GRID, **more: Any) -> Drill:
        wish = DrillWish(
            name="Fire at the gate",
            purpose="spring exercise",
            area_code=area,
            planned_end_at=at + timedelta(hours=hours),
            sources=tuple(ChosenSource(NODE, device) for device in devices),
            **more,
        )
        return drills.start(self.conn, self.who("chief"), wish, now=at, address="test")

    def receive(self, *found: Incident, **where: Any) -> None:
        correlate.receive_all(self.conn, [report(each, **where) for each in found])

    def cases(self) -> list[tuple[int, str, int | None, bool]]:
        """Each case with its device, its drill, and whether it is marked."""
        return self.conn.execute("select id, device, drill_id, drill from grid_case order by id").fetchall()


@pytest.fixture(scope="session")
def exercised_template(postgres_server: DatabaseServer, migrated_template: str) -> str:
    url = postgres_server.create_database("exercised", template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for name, (role, area) in PEOPLE.items():
            add_person(conn, name, role, area)
        fleet.add_node(conn, NODE, district="110105", area_code=GRID, now=NOW - timedelta(days=9))
    pool = open_pool(url, size=2)
    try:
        node = FakeNode(NODE)
        cameras = [Device(id=name, kind=DeviceKind.CAMERA) for name in CAMERAS]
        Writer(pool, lambda _: False, clock=lambda: NOW - timedelta(days=9)).settle(
            [node.item(birth(itself(NODE), *cameras)), node.status(PresenceState.ONLINE)]
        )
    finally:
        pool.close()
    return "exercised"


@pytest.fixture(scope="session")
def exercised_url(postgres_server: DatabaseServer, exercised_template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name, template=exercised_template)
    postgres_server.drop_database(name)


@pytest.fixture
def exercised(exercised_url: str) -> Iterator[Exercised]:
    """A transaction that is rolled back."""
    with psycopg.connect(exercised_url, options="-c timezone=UTC") as conn:
        yield Exercised(conn)
        conn.rollback()

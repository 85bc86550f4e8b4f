"""A cloud that answers on a port, with a district and its people."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import Connection

from cloud.access import sessions
from cloud.access.model import Role
from cloud.correlate import service as correlate
from cloud.correlate.model import IncidentReport
from cloud.fleet import service as fleet
from cloud.main import Part, running
from cloud.settings import CloudSettings
from tests.cloud.samples import GRID, PASSWORD, add_person, take_in_areas
from tests.databases import DatabaseServer

PEOPLE = {
    "chief": (Role.DUTY_CHIEF, "110105"),
    "worker": (Role.GRID_WORKER, "110105001001"),
    "elsewhere": (Role.GRID_WORKER, "110105003"),
    "clerk": (Role.INTAKE_CLERK, "110105"),
    "dispatcher": (Role.DISPATCHER, "110105"),
    "lead": (Role.GRID_LEAD, "110105001001"),
    "sanitation": (Role.DEPARTMENT, "110105"),
    "auditor": (Role.AUDITOR, None),
    "maintainer": (Role.MAINTAINER, "110105"),
    "admin": (Role.ADMINISTRATOR, None),
}
NODE = "node-1"


@dataclass(frozen=True)
class Cloud:
    """What tests hold in hand."""

    url: str
    database_url: str
    conn: Connection[Any]
    node_token: str

    def anyone(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20)

    def token(self, name: str) -> str:
        with self.anyone() as client:
            answer = client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == httpx.codes.OK, answer.text
        token: str = answer.json()["token"]
        return token

    def session(self, name: str) -> str:
        """The token of a session that nobody signed in for: no password is hashed."""
        with psycopg.connect(self.database_url, options="-c timezone=UTC") as conn:
            row = conn.execute("select id from account where name = %s", [name]).fetchone()
            assert row is not None
            token, _ = sessions.start(conn, row[0], now=datetime.now(UTC), lasts_s=3_600, address="test", agent="")
        return token

    def client(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20, headers={"Authorization": f"Bearer {self.token(name)}"})

    def node(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20, headers={"Authorization": f"Bearer {self.node_token}"})

    def receive(self, *reports: IncidentReport) -> None:
        correlate.receive_all(self.conn, reports)
        self.conn.commit()


@dataclass(frozen=True)
class Template:
    """A database with a district, its people and one node, to be copied."""

    name: str
    node_token: str


@pytest.fixture(scope="session")
def peopled(postgres_server: DatabaseServer, migrated_template: str) -> Template:
    """Made once: passwords take their time to hash."""
    url = postgres_server.create_database("peopled", template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for name, (role, area) in PEOPLE.items():
            add_person(conn, name, role, area)
        made = fleet.add_node(conn, NODE, district="110105", area_code=GRID, now=datetime.now(UTC))
    return Template("peopled", made.token)


@contextmanager
def made_settings(server: DatabaseServer, peopled: Template, tmp_path: Path) -> Iterator[CloudSettings]:
    """Settings with a database of their own, which is gone afterwards."""
    web = tmp_path / "web"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>Gridward</title>", encoding="utf-8")
    (web / "assets" / "app-1a2b.js").write_text("export {}", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    database = f"test_{uuid.uuid4().hex}"
    yield CloudSettings.model_validate(
        {
            "database_url": server.create_database(database, template=peopled.name),
            "http_port": 0,
            "data_directory": tmp_path / "data",
            "web_directory": web,
            "live_heartbeat_s": 0.2,
            "database_pool": 8,
        }
    )
    server.drop_database(database)


@contextmanager
def answering(settings: CloudSettings, peopled: Template) -> Iterator[Cloud]:
    """A cloud that answers."""
    url = settings.database_url.get_secret_value()
    with psycopg.connect(url, options="-c timezone=UTC") as conn, running(settings, Part.API) as process:
        assert process.address is not None
        yield Cloud(process.address, url, conn, peopled.node_token)


@pytest.fixture
def settings(postgres_server: DatabaseServer, peopled: Template, tmp_path: Path) -> Iterator[CloudSettings]:
    with made_settings(postgres_server, peopled, tmp_path) as made:
        yield made


@pytest.fixture
def cloud(settings: CloudSettings, peopled: Template) -> Iterator[Cloud]:
    with answering(settings, peopled) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def shared_cloud(
    postgres_server: DatabaseServer, peopled: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """One cloud for all tests of a module, for those that only look whether it stands."""
    directory = tmp_path_factory.mktemp("cloud")
    with made_settings(postgres_server, peopled, directory) as settings, answering(settings, peopled) as cloud:
        yield cloud

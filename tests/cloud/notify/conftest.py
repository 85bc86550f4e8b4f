"""A district with people of all roles, and a planner over it."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.rows import namedtuple_row

from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.correlate import service as correlate
from cloud.db.pool import Pool, open_pool
from cloud.fleet import service as fleet
from cloud.notify.planner import Planner
from edge.contract.incident import Incident
from tests.cloud.samples import GRID, NOW, OTHER_GRID, add_person, report, take_in_areas
from tests.databases import DatabaseServer

COMMUNITY = "110105001001"
PEOPLE = {
    "chief": (Role.DUTY_CHIEF, "110105"),
    "near": (Role.DUTY_CHIEF, COMMUNITY),
    "worker": (Role.GRID_WORKER, GRID),
    "other": (Role.GRID_WORKER, OTHER_GRID),
    "dispatcher": (Role.DISPATCHER, "110105"),
    "sanitation": (Role.DEPARTMENT, "110105"),
}


@dataclass
class District:
    """What tests hold in hand; `told` says who was told what since the last look."""

    pool: Pool
    conn: Connection[Any]
    people: dict[str, int]
    on_duty: set[int] = field(default_factory=set)
    now: datetime = NOW + timedelta(minutes=1)
    seen: int = 0

    @property
    def planner(self) -> Planner:
        return Planner(self.pool, ZoneInfo("Asia/Shanghai"), lambda _conn, _path, _at: self.on_duty)

    def receive(self, *found: Incident, **where: Any) -> None:
        correlate.receive_all(self.conn, [report(each, **where) for each in found])
        self.conn.commit()

    def rows(self, statement: LiteralString, *values: object) -> list[Any]:
        with self.conn.cursor(row_factory=namedtuple_row) as cursor:
            found = cursor.execute(statement, values).fetchall()
        self.conn.commit()
        return found

    def run(self, statement: LiteralString | sql.Composed) -> None:
        self.conn.execute(statement)
        self.conn.commit()

    def told(self, after: timedelta = timedelta()) -> dict[tuple[str, str], str]:
        """(who, word) → in which manner, of what the next look tells."""
        self.now += after
        self.planner.look(self.now)
        rows = self.rows(
            "select n.id, a.name, n.word, n.manner from notice n join account a on a.id = n.account_id"
            " where n.id > %s order by n.id",
            self.seen,
        )
        self.seen = max([self.seen, *(row.id for row in rows)])
        return {(row.name, row.word): row.manner for row in rows}

    def act(self, name: str, action: CaseAction, case_id: int = 1, **given: Any) -> None:
        version = self.rows("select version from grid_case where id = %s", case_id)[0].version
        order = Order(action=action, version=version, **given)
        cases.act(self.conn, self.principal(name), case_id, order, now=self.now, address="test")
        self.conn.commit()

    def principal(self, name: str) -> Principal:
        row = self.rows(
            "select a.*, coalesce(r.path, '') as path from account a left join area r on r.code = a.area_code where a.name = %s",
            name,
        )[0]
        role = Role(row.role)
        return Principal(row.id, name, row.display_name, role, row.area_code, row.path, row.department_id)


@pytest.fixture(scope="session")
def district_template(postgres_server: DatabaseServer, migrated_template: str) -> str:
    url = postgres_server.create_database("notified", template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for name, (role, area) in PEOPLE.items():
            add_person(conn, name, role, area)
        fleet.add_node(conn, "node-1", district="110105", area_code=GRID, now=NOW)
    return "notified"


@pytest.fixture
def district(postgres_server: DatabaseServer, district_template: str) -> Iterator[District]:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=district_template)
    pool = open_pool(url, size=4)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        people: dict[str, int] = dict(conn.execute("select name, id from account").fetchall())
        conn.commit()
        yield District(pool, conn, people)
    pool.close()
    postgres_server.drop_database(name)

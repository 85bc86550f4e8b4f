"""A town for the tests of clocks and whistles: its people, and cases that no incident opened."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.access import departments
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases import store
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.cases.store import NewCase
from cloud.deadlines import service as deadlines
from cloud.deadlines import store as clocks
from cloud.deadlines.store import KeptClock
from cloud.escalation import sweeps, whistles
from cloud.escalation.roster import LevelArea, Person, Posts
from edge.contract.incident import Severity
from tests.cloud.samples import GRID

NINE = datetime(2026, 3, 17, 1, tzinfo=UTC)  # 09:00 in Shanghai, a Tuesday
GRID_PATH = "110105/110105001/110105001001/110105001001003/"


def open_case(
    conn: Connection[Any], number: int = 1, *, at: datetime = NINE, severity: Severity = Severity.MEDIUM
) -> int:
    """Case `number` in a grid of the sample district."""
    return store.open_case(
        conn,
        NewCase(
            number=f"110105-20260317-{number:04}",
            correlation_key=f"test-{number}",
            kind="intrusion",
            category="public_order",
            severity=severity.value,
            area_code=GRID,
            area_path=GRID_PATH,
            node="node-1",
            device="cam-1",
            device_id=None,
            device_kind="camera",
            spot=None,
            opened_at=at,
            started_at=at,
            last_activity_at=at,
            late=False,
            simulated=False,
        ),
    )


PEOPLE = {
    "lead": (Role.GRID_LEAD, "110105001001"),
    "community": (Role.DUTY_CHIEF, "110105001001"),
    "street": (Role.DUTY_CHIEF, "110105001"),
    "chief": (Role.DUTY_CHIEF, "110105"),
    "worker": (Role.GRID_WORKER, "110105001001"),
    "dispatcher": (Role.DISPATCHER, "110105"),
    "sanitation": (Role.DEPARTMENT, "110105"),
}


def person(conn: Connection[Any], name: str) -> Principal:
    """Somebody of `PEOPLE`, as a route would see him."""
    role, area = PEOPLE[name]
    row = conn.execute(
        "select a.id, a.department_id, p.path from account a join area p on p.code = a.area_code and p.valid_to is null"
        " where a.name = %s",
        [name],
    ).fetchone()
    assert row is not None
    return Principal(row[0], name, name, role, area, row[2], row[1])


class Staffed:
    """Somebody on each level but for those that are empty."""

    def __init__(self, people: dict[str, Person]) -> None:
        self.people = people

    def answering(self, _conn: Connection[Any], area: LevelArea, *, at: datetime) -> list[Person]:  # noqa: ARG002
        return [self.people[area.level]] if area.level in self.people else []


class Town:
    def __init__(self, conn: Connection[Any]) -> None:
        self.conn = conn
        self.people = {name: person(conn, name) for name in PEOPLE}
        self.department = departments.by_code(conn, "sanitation")
        self.other_department = departments.by_code(conn, "water")

    def open(self, number: int = 1, *, at: datetime = NINE, severity: Severity = Severity.MEDIUM) -> int:
        return open_case(self.conn, number, at=at, severity=severity)

    def do(self, name: str, case_id: int, action: str, *, at: datetime, **given: Any) -> None:
        row = self.conn.execute("select version from grid_case where id = %s", [case_id]).fetchone()
        assert row is not None
        order = Order(action=CaseAction(action), version=row[0], **given)
        cases.act(self.conn, self.people[name], case_id, order, now=at, address="test")

    def clock(self, case_id: int) -> KeptClock:
        return next(each for each in clocks.of_case(self.conn, case_id) if each.clock.runs)

    def told(self, case_id: int) -> list[tuple[str, str | None, datetime | None]]:
        rows = self.conn.execute(
            "select action, reason, until from case_event where case_id = %s and action = any(%s) order by id",
            [
                case_id,
                [
                    "deadline_amber",
                    "deadline_red",
                    "escalated",
                    "escalated_again",
                    "nobody_on_duty",
                    "whistle",
                    "whistle_overdue",
                    "whistle_ended",
                ],
            ],
        ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    def sweep(self, at: datetime, roster: Any = None) -> None:
        """As `sweeps.sweep`, in one transaction."""
        answering = roster or Posts()
        deadlines.recompute(self.conn, now=at)
        whistles.end_idle(self.conn, now=at, count=99)
        while sweeps.fire_due(self.conn, answering, now=at, count=2):
            pass
        while whistles.fall_due(self.conn, answering, now=at, count=2):
            pass


def minutes(amount: float) -> timedelta:
    return timedelta(minutes=amount)

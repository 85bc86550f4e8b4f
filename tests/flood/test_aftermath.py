"""What comes of a night's cases is told in memory as the sweeps and the planner tell it in the database."""

from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest

from cloud.access.model import Role
from cloud.cases import store as cases
from cloud.db.pool import Pool, open_pool
from cloud.deadlines.rulebook import RuleBook
from cloud.escalation import sweeps
from cloud.notify.planner import Planner
from cloud.notify.policy import Fact, rehearse
from tests.cloud.escalation.town import open_case
from tests.cloud.samples import add_person, take_in_areas
from tests.flood.aftermath import NOON, aftermath
from tests.flood.desk import ZONE, Desk
from tests.flood.night import BEGIN, Night

PEOPLE = {
    "worker": (Role.GRID_WORKER, "110105001001003"),
    "lead": (Role.GRID_LEAD, "110105001001003"),
    "near": (Role.DUTY_CHIEF, "110105001001"),
    "street": (Role.DUTY_CHIEF, "110105001"),
    "chief": (Role.DUTY_CHIEF, "110105"),
    "dispatcher": (Role.DISPATCHER, "110105"),
}


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn, now=BEGIN)
        for name, (role, area) in PEOPLE.items():
            add_person(conn, name, role, area)
    pool = open_pool(migrated_url, size=3)
    yield pool
    pool.close()


def night_of_few(count: int) -> tuple[Desk, list[Fact]]:
    """The first cases of a night's desk, and what was told of them."""
    night, desk = Night(9, 400), Desk()
    for delivery in night.deliveries:
        desk.take(delivery)
    del desk.cases[count:]
    return desk, [fact for fact in desk.facts if fact.case_id <= count and not fact.late and fact.word == "opened"]


def next_due(pool: Pool, facts: list[Fact], after: datetime) -> datetime | None:
    """When something happens next: a case, a clock, a call that nobody answered, a summary."""
    with pool.connection() as conn:
        row = conn.execute(
            "select least((select min(next_at) from case_clock), (select min(next_at) from whole_clock),"
            " (select min(k.due_at) from whistle_call k join whistle w on w.id = k.whistle_id"
            "  where k.arrived_at is null and k.overdue_at is null and w.ended_at is null),"
            " (select min(gather_at) from notice where manner = 'gathered' and gathered_into is null))"
        ).fetchone()
    upcoming = [fact.at for fact in facts if fact.at > after] + ([row[0]] if row and row[0] else [])
    return min(upcoming, default=None)


def test_the_rehearsal_rings_as_often_as_the_planner_does(pool: Pool, book: RuleBook) -> None:
    desk, facts = night_of_few(14)
    assert len(facts) > 8
    begun = {fact.case_id for fact in facts}
    desk.cases[:] = [case for case in desk.cases if case.facts.case_id in begun]
    planner = Planner(pool, ZONE, lambda _conn, _path, _at: ())
    now: datetime | None = min(fact.at for fact in facts)
    while now is not None and now < NOON:
        with pool.connection() as conn:
            for fact in facts:
                if fact.at == now:
                    case_id = open_case(conn, fact.case_id, at=fact.at, severity=fact.severity)
                    conn.execute("update grid_case set kind = %s where id = %s", [fact.kind, case_id])
                    cases.add_event(conn, case_id, "opened", at=fact.at)
        sweeps.sweep(pool, now=now)
        planner.look(now)
        now = next_due(pool, facts, now)
    expected = rehearse([*facts, *aftermath(desk.cases, facts, book, until=NOON)], zone=ZONE)
    with pool.connection() as conn:
        rung = conn.execute(
            "select n.word, count(*) from notice n join account a on a.id = n.account_id"
            " where a.name = 'near' and n.manner = 'ring' group by 1"
        ).fetchall()
    wanted: dict[str, int] = {}
    for word in [fact.word for fact in expected.rings] + ["summary"] * len(expected.summaries):
        wanted[word] = wanted.get(word, 0) + 1
    assert dict(rung) == wanted
    assert {"deadline_red", "whistle_overdue"} <= set(wanted)

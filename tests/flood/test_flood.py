"""A windy night does not drown what is real: promise 4. Twenty nights more in `python -m tests.benches.flood`."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.correlate import service
from cloud.deadlines.rulebook import RuleBook
from tests.cloud.samples import take_in_areas
from tests.flood.desk import Desk, work_through
from tests.flood.night import HIDDEN, INCIDENTS, Night

MOST_NOTIFICATIONS = 60
TOLD_WITHIN_S = 1_800.0


@pytest.mark.parametrize("judges_after", [None, timedelta(minutes=15)], ids=["nobody judges", "judged after 15 min"])
@pytest.mark.parametrize("seed", [206, 401])
def test_of_ten_thousand_incidents_the_three_that_matter_are_heard(
    seed: int, judges_after: timedelta | None, book: RuleBook
) -> None:
    outcome = work_through(Night(seed), Desk(judges_after=judges_after), book)
    assert outcome.incidents == INCIDENTS
    assert outcome.notifications <= MOST_NOTIFICATIONS
    assert outcome.own_case == dict.fromkeys(HIDDEN, True)
    assert outcome.case_after_s == dict.fromkeys(HIDDEN, 0.0)
    assert max(outcome.told_after_s.values()) <= TOLD_WITHIN_S
    assert outcome.cases < INCIDENTS / 25


def test_the_same_seed_is_the_same_night() -> None:
    one, same, other = Night(7, 200), Night(7, 200), Night(8, 200)
    assert one.deliveries == same.deliveries
    assert one.deliveries != other.deliveries


@pytest.fixture
def conn(migrated_url: str) -> Any:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection


def partition(conn: Connection[Any]) -> list[tuple[str, tuple[str, ...]]]:
    return sorted(
        (severity, tuple(sorted(incidents)))
        for severity, incidents in conn.execute(
            "select c.severity::text, array_agg(i.incident_id::text) from grid_case c"
            " join case_incident ci on ci.case_id = c.id join incident i on i.id = ci.incident_id group by c.id"
        )
    )


def test_the_desk_in_memory_folds_as_the_database_does(conn: Connection[Any]) -> None:
    night, desk = Night(5, 260), Desk()
    for delivery in night.deliveries:
        desk.take(delivery)
        service.receive(conn, delivery.report)
    in_memory = sorted((case.facts.severity.value, tuple(sorted(map(str, case.incidents)))) for case in desk.cases)
    assert partition(conn) == in_memory
    assert any(len(incidents) > 4 for _, incidents in in_memory)

"""A staffed town, made once for all tests of a process: passwords take their time to hash."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access import departments
from tests.cloud.escalation.town import NINE, PEOPLE, Town
from tests.cloud.samples import principal, take_in_areas
from tests.databases import DatabaseServer

STAFFED = "staffed"


@pytest.fixture(scope="session")
def staffed(postgres_server: DatabaseServer, migrated_template: str) -> str:
    """The address of a database with a district and its people; nothing is ever committed to it."""
    url = postgres_server.create_database(STAFFED, template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn, now=NINE - timedelta(days=30))
        departments.add(conn, code="water", name="Water", now=NINE - timedelta(days=30))
        for name, (role, area) in PEOPLE.items():
            principal(conn, name, role, area)
    return url


@pytest.fixture
def conn(staffed: str) -> Iterator[Connection[Any]]:
    """A transaction that is rolled back."""
    with psycopg.connect(staffed, options="-c timezone=UTC") as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def town(conn: Connection[Any]) -> Town:
    return Town(conn)

"""A district with people, and a transaction in it that is taken back after each test."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Principal, Role
from tests.cloud.samples import GRID, OTHER_GRID, add_person, take_in_areas
from tests.databases import DatabaseServer

PEOPLE = {
    "wang": (Role.GRID_WORKER, GRID[:12]),
    "li": (Role.GRID_WORKER, GRID[:12]),
    "zhao": (Role.GRID_WORKER, GRID[:12]),
    "far": (Role.GRID_WORKER, OTHER_GRID[:9]),
    "lead": (Role.GRID_LEAD, GRID[:12]),
    "admin": (Role.ADMINISTRATOR, None),
}


@pytest.fixture(scope="session")
def peopled_url(postgres_server: DatabaseServer, migrated_template: str) -> str:
    url = postgres_server.create_database("organisation", template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for name, (role, area) in PEOPLE.items():
            add_person(conn, name, role, area)
    return url


@pytest.fixture
def conn(peopled_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(peopled_url, options="-c timezone=UTC") as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def who(conn: Connection[Any]) -> Callable[[str], Principal]:
    def find(name: str) -> Principal:
        found = accounts.in_use(conn, name)
        assert found is not None
        return found

    return find

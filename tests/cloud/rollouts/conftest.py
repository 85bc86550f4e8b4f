"""A fleet over one database for all: what a test wrote is gone when it ends."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.cloud.rollouts.simulated import Fleet, fresh, make_fleet
from tests.databases import DatabaseServer


@pytest.fixture(scope="module")
def fleet_of_all(postgres_server: DatabaseServer, migrated_template: str) -> Iterator[Fleet]:
    name = "rollouts"
    url = postgres_server.create_database(name, template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        yield make_fleet(conn)
    postgres_server.drop_database(name)


@pytest.fixture
def fleet(fleet_of_all: Fleet) -> Iterator[Fleet]:
    with fresh(fleet_of_all) as made:
        yield made

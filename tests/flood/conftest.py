"""The rules of clocks as migrations make them, read once."""

import psycopg
import pytest

from cloud.deadlines import rulebook
from cloud.deadlines.rulebook import RuleBook
from tests.databases import DatabaseServer


@pytest.fixture(scope="session")
def book(postgres_server: DatabaseServer, migrated_template: str) -> RuleBook:
    with psycopg.connect(postgres_server.create_database("flood_rules", template=migrated_template)) as connection:
        return rulebook.read(connection)

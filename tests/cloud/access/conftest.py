"""A database with a district, and a transaction in it that is taken back after each test."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.cloud.samples import take_in_areas
from tests.databases import DatabaseServer


@pytest.fixture(scope="session")
def district_url(postgres_server: DatabaseServer, migrated_template: str) -> str:
    url = postgres_server.create_database("access_district", template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
    return url


@pytest.fixture
def conn(district_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(district_url, options="-c timezone=UTC") as opened:
        yield opened
        opened.rollback()

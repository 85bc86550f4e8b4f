"""What desks read is brought into the server's memory, as far as there is room."""

import json
import threading
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cloud.cli import app
from cloud.db.warming import DESK_TABLES, Relation, stretches, warm
from cloud.errors import ConfigurationError
from tests.databases import DatabaseServer

SIZES = st.lists(st.integers(0, 50), max_size=6)


@given(SIZES, st.integers(0, 200), st.integers(1, 20))
def test_what_fits_is_read_once_and_the_newest_first(sizes: list[int], room: int, chunk: int) -> None:
    relations = [Relation(number, f"r{number}", blocks) for number, blocks in enumerate(sizes)]
    found = stretches(relations, room, chunk)
    assert all(0 < stretch.blocks <= chunk for stretch in found)
    read = [(stretch.relation.oid, block) for stretch in found for block in range(stretch.first, stretch.last + 1)]
    assert len(read) == len(set(read)) == min(room, sum(sizes))
    for relation in relations:
        own = [block for oid, block in read if oid == relation.oid]
        assert own == list(range(relation.blocks - len(own), relation.blocks))
    left_out = [oid for oid, blocks in enumerate(sizes) if sum(own == oid for own, _ in read) < blocks]
    assert not [oid for oid, _ in read if left_out and oid > left_out[0]]  # what is worth less comes later


@pytest.fixture
def prepared_url(postgres_server: DatabaseServer, migrated_url: str) -> str:
    """A database with the extension."""
    name = urlsplit(migrated_url).path
    superuser_url = urlunsplit(urlsplit(postgres_server.superuser_url())._replace(path=name))
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute("create extension pg_prewarm")
    return migrated_url


@pytest.mark.system
def test_the_tables_of_desks_are_all_there(prepared_url: str) -> None:
    told: list[str] = []
    warmed = warm(prepared_url, tell=told.append)
    assert warmed is not None
    assert warmed.read_bytes == warmed.wanted_bytes > 0
    with psycopg.connect(prepared_url) as conn:
        for table in (table for group in DESK_TABLES for table in group):
            assert conn.execute("select to_regclass(%s)", [table]).fetchone() != (None,), table
    assert any(words.startswith("grid_case_") for words in told)  # indexes have a page from the first day on


@pytest.mark.system
def test_it_ends_when_it_is_told_to(prepared_url: str) -> None:
    stopping = threading.Event()
    stopping.set()
    warmed = warm(prepared_url, stopping=stopping)
    assert warmed is not None
    assert warmed.read_bytes == 0


@pytest.mark.system
def test_without_the_extension_the_way_out_is_told(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert warm(migrated_url) is None
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    result = CliRunner().invoke(app, ["warm"])
    assert isinstance(result.exception, ConfigurationError)
    assert "create extension pg_prewarm" in str(result.exception)


@pytest.mark.system
def test_the_command_says_what_it_read(prepared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", prepared_url)
    result = CliRunner().invoke(app, ["warm", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["read_bytes"] == said["wanted_bytes"] > 0

"""A populated cloud, and places for backups of it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.evidence.files import EvidenceFiles
from tests.cloud.populated import populate
from tests.databases import DatabaseServer
from tests.fakes.node import FakeNode


@dataclass(frozen=True)
class Populated:
    """A cloud with something in every table."""

    url: str
    files: EvidenceFiles
    store: Path
    node: FakeNode

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, options="-c timezone=UTC")


@pytest.fixture(scope="session")
def populated_template(
    postgres_server: DatabaseServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, FakeNode]:
    """Made once, to be copied: passwords take their time to hash."""
    place = tmp_path_factory.mktemp("populated")
    url = postgres_server.create_database("populated", template=migrated_template)
    node = populate(url, (place / "store").as_uri(), place / "scratch")
    return "populated", place / "store", node


@pytest.fixture
def populated(
    postgres_server: DatabaseServer, populated_template: tuple[str, Path, FakeNode], tmp_path: Path
) -> Iterator[Populated]:
    template, store, node = populated_template
    name = f"test_{tmp_path.name}".lower().replace("-", "_")[:50]
    url = postgres_server.create_database(name, template=template)
    own = tmp_path / "store"
    shutil.copytree(store, own)
    yield Populated(url, EvidenceFiles(own.as_uri()), own, node)
    postgres_server.drop_database(name)

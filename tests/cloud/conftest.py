"""A populated cloud, a backup of it, and an empty store."""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.backup import service
from cloud.evidence.files import EvidenceFiles
from tests.cloud.populated import Populated, populate
from tests.databases import DatabaseServer
from tests.fakes.node import FakeNode


@dataclass(frozen=True)
class Template:
    """What is copied for each test."""

    database: str
    store: Path
    backup: Path
    node: FakeNode


@pytest.fixture(scope="session")
def populated_template(
    postgres_server: DatabaseServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Template:
    """Made once: passwords take their time to hash."""
    place = tmp_path_factory.mktemp("populated")
    url = postgres_server.create_database("populated", template=migrated_template)
    node = populate(url, (place / "store").as_uri(), place / "scratch")
    service.back_up(url, EvidenceFiles((place / "store").as_uri()), place / "backup")
    return Template("populated", place / "store", place / "backup", node)


@pytest.fixture
def populated(postgres_server: DatabaseServer, populated_template: Template, tmp_path: Path) -> Iterator[Populated]:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=populated_template.database)
    store = tmp_path / "store"
    shutil.copytree(populated_template.store, store)
    yield Populated(url, EvidenceFiles(store.as_uri()), store, populated_template.node)
    postgres_server.drop_database(name)


@pytest.fixture
def backup(populated_template: Template, tmp_path: Path) -> Path:
    """A backup of the populated cloud, to be damaged."""
    shutil.copytree(populated_template.backup, tmp_path / "backup")
    return tmp_path / "backup"


@pytest.fixture
def empty_store(tmp_path: Path) -> EvidenceFiles:
    return EvidenceFiles((tmp_path / "restored").as_uri())

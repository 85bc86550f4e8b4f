"""Real parts for tests: PostgreSQL, both kinds of broker, a camera stream, footage, weights.

| fixture | gives |
|---|---|
| `postgres_server` | one server for the session |
| `postgres_url` | a fresh, empty database for this test |
| `migrated_url` | a fresh database with the present schema |
| `native_partitions`, `hypertable` | nothing; skip where the server keeps readings in the other way |
| `broker` | a broker with passwords and grants, once with mosquitto, once with amqtt; see `tests.brokers` |
| `mosquitto_broker` | the same, mosquitto alone |
| `open_broker` | a broker without passwords, as sensors have it on a node |
| `clip`, `model` | a function: name → path, from the catalogue; skips where it can't be had |
| `rtsp_camera` | a function: file → a running camera |

`GRIDWARD_TEST_DATABASE_URL` names a superuser of a server to be used in place of the embedded one, for another version of
PostgreSQL, or TimescaleDB: `GRIDWARD_TEST_DATABASE_URL=postgresql://postgres:…@127.0.0.1:5432/postgres pytest tests/cloud`.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cloud.db.migrate import migrate
from cloud.embedded.broker import BrokerKind, EmbeddedBroker
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import find_program
from edge.simulators.camera_process import CameraProcess
from models import catalogue
from models.manifest import ModelProblem
from tests.brokers import ReadyBroker
from tests.databases import VARIABLE, DatabaseServer, GivenServer, has_timescaledb

settings.register_profile("gridward", deadline=None)  # a shared machine misses deadlines for no reason of ours
settings.register_profile("gate", deadline=None, derandomize=True)  # a change is judged by what it changes, not by luck
settings.load_profile("gate" if os.environ.get("CI") else "gridward")

os.environ["GRIDWARD_MODELS"] = f"{os.devnull}/none"  # what somebody imported on this machine is no part of the tests

_TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A short-lived folder that servers under another account can pass through, as pytest's own can't be."""
    directory = Path(tempfile.mkdtemp(prefix="gridward-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(server_directory: Path) -> Iterator[DatabaseServer]:
    given = os.environ.get(VARIABLE)
    if given:
        with GivenServer(given) as known:
            yield known
        return
    with EmbeddedPostgres(server_directory / "postgres", durable=False) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: DatabaseServer) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: DatabaseServer) -> str:
    """The name of a database with the present schema, to be copied."""
    migrate(postgres_server.create_database(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def migrated_url(postgres_server: DatabaseServer, migrated_template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name, template=migrated_template)
    postgres_server.drop_database(name)


@pytest.fixture
def native_partitions(migrated_url: str) -> None:
    """Readings lie in PostgreSQL's own partitions; skips where TimescaleDB keeps them in its chunks."""
    if has_timescaledb(migrated_url):
        pytest.skip("this server has TimescaleDB")


@pytest.fixture
def hypertable(migrated_url: str) -> None:
    """Readings lie in a hypertable of TimescaleDB; skips where the server has none."""
    if not has_timescaledb(migrated_url):
        pytest.skip("this server has no TimescaleDB")


def _skip_without(kind: BrokerKind) -> None:
    if kind is BrokerKind.MOSQUITTO and find_program("mosquitto") is None:
        pytest.skip("there is no mosquitto on this machine")


@pytest.fixture(params=list(BrokerKind))
def broker(request: pytest.FixtureRequest, server_directory: Path) -> Iterator[ReadyBroker]:
    kind: BrokerKind = request.param
    _skip_without(kind)
    with ReadyBroker(server_directory / f"broker-{uuid.uuid4().hex}", kind=kind) as running:
        yield running


@pytest.fixture
def mosquitto_broker(server_directory: Path) -> Iterator[ReadyBroker]:
    _skip_without(BrokerKind.MOSQUITTO)
    directory = server_directory / f"broker-{uuid.uuid4().hex}"
    with ReadyBroker(directory, kind=BrokerKind.MOSQUITTO, autosave_on_changes=True) as running:
        yield running


@pytest.fixture
def open_broker(server_directory: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(server_directory / f"broker-{uuid.uuid4().hex}", anonymous=True) as running:
        yield running


@pytest.fixture(scope="session")
def clip() -> Callable[[str], Path]:
    """Footage by its name in the catalogue, such as `one_by_one_person_detection`."""

    def find(name: str) -> Path:
        try:
            return catalogue.clip(name)
        except ModelProblem as problem:
            pytest.skip(f"no footage: {problem}")

    return find


@pytest.fixture(scope="session")
def model() -> Callable[[str], Path]:
    """The weights of a model by its id."""

    def find(model_id: str) -> Path:
        try:
            return catalogue.resolve(model_id).path
        except ModelProblem as problem:
            pytest.skip(f"no weights: {problem}")

    return find


@pytest.fixture
def rtsp_camera(tmp_path: Path) -> Iterator[Callable[..., CameraProcess]]:
    """Cameras in processes of their own; all are gone when the test ends."""
    with ExitStack() as running:

        def start(video: Path, **options: Any) -> CameraProcess:
            return running.enter_context(CameraProcess(video, log=tmp_path / "camera.log", **options))

        yield start

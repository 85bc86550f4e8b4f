"""The power goes while PostgreSQL writes: what nodes were told to be kept is there after its own recovery."""

import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest

from cloud.db.migrate import migrate
from cloud.db.pool import open_pool
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.fleet import service as fleet
from cloud.ingest.writer import Writer
from edge.contract.downlink import Outcome
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, incident
from tests.waiting import wait_until

pytestmark = pytest.mark.system

POWER_CUTS = 2
COMMITS_BETWEEN = 25


@pytest.fixture(scope="module")
def directory(server_directory: Path) -> Path:
    return server_directory / f"durable-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def durable(directory: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(directory) as server:
        yield server


class Telling:
    """Nodes' messages, settled one after the other; `told` holds the ids that were answered after their commit."""

    def __init__(self, url: str) -> None:
        self.told: list[uuid.UUID] = []
        self._pool = open_pool(url, size=2)
        with self._pool.connection() as conn:
            take_in_areas(conn)
            fleet.add_node(conn, "station-01", district=DISTRICT, area_code=GRID, now=AT)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="telling")
        self._thread.start()

    def _tell(self) -> None:
        node = FakeNode()
        writer = Writer(self._pool, lambda _: False, clock=lambda: AT)
        writer.settle([node.item(birth())])
        number = 0
        while not self._ended.is_set():
            number += 1
            readings = batch(column([1.0] * 50, begin=AT - timedelta(minutes=number)))
            for verdict in writer.settle([node.item(readings), node.item(incident(kind=f"kind-{number}"))]):
                assert verdict.outcome is Outcome.ACCEPTED
                self.told.append(verdict.message_id)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._pool.close()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A server whose processes stand still, so that its files are of one moment, as a power cut has them."""
    parent = psutil.Process(pid)
    parent.suspend()
    processes = [parent, *parent.children(recursive=True)]
    for process in processes[1:]:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


def test_the_embedded_server_writes_through_before_it_answers(durable: EmbeddedPostgres) -> None:
    with psycopg.connect(durable.url("postgres")) as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert conn.execute(f"show {setting}").fetchone() == ("on",)


def test_what_was_told_before_a_power_cut_is_there_after_it(durable: EmbeddedPostgres, directory: Path) -> None:
    url = durable.create_database()
    migrate(url)
    telling = Telling(url)
    copies: list[tuple[Path, list[uuid.UUID]]] = []
    try:
        for number in range(POWER_CUTS):
            wanted = len(telling.told) + COMMITS_BETWEEN
            wait_until(lambda wanted=wanted: len(telling.told) >= wanted, timeout_s=60.0)  # type: ignore[misc]
            copy = directory.with_name(f"{directory.name}-cut-{number}")
            with frozen(durable.pid):
                told = list(telling.told)
                subprocess.run(["cp", "-a", directory, copy], check=True)
            copies.append((copy, told))
    finally:
        telling.end()
    for copy, told in copies:
        with EmbeddedPostgres(copy) as restarted, psycopg.connect(restarted.url()) as conn:
            kept = {message_id for (message_id,) in conn.execute("select message_id from receipt")}
            assert set(told) <= kept
            (readings,) = conn.execute("select count(*) from reading").fetchone() or (0,)
            (incidents,) = conn.execute("select count(*) from incident").fetchone() or (0,)
            assert len(kept) == 1 + readings // 50 + incidents
            assert readings % 50 == 0
        shutil.rmtree(copy)

import os
import socket
import sys
import threading

import pytest

from tests.system.endurance.sampling import Ages, ProcessProbe, database_kinds
from tests.system.endurance.series import Series, judge

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks below /proc")


@on_linux
def test_connections_to_the_database_are_counted_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        before = ProcessProbe(os.getpid(), database_port=port).read()
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            found = ProcessProbe(os.getpid(), database_port=port).read()
    assert before["database_connections"] == 0.0
    assert found["database_connections"] == 2.0
    assert found["files"] - before["files"] < 2.0
    assert "database_connections" not in ProcessProbe(os.getpid()).read()


@on_linux
def test_the_census_knows_every_thread_and_descriptor() -> None:
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait, name="waits", daemon=True)
    thread.start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            census = ProcessProbe(os.getpid()).census({port: "database"})
    leave.set()
    thread.join()
    assert census["threads"].total() >= 2
    assert census["files"]["database"] == 1
    assert census["files"]["listen socket"] >= 1


@pytest.mark.parametrize(("left", "passed"), [(0, True), (1, False)])
def test_a_sweep_that_leaves_the_oldest_row_is_found_by_its_age(left: int, passed: bool) -> None:
    """Ten events a minute, swept every ten minutes."""
    ages = Ages()
    series = Series(database_kinds(backends=1, wal_bytes=1, retention_s=300.0)["pruned_age"])
    for minute in range(60):
        newest = minute * 10 + 10
        oldest = left or minute // 10 * 100 + 1
        series.add(minute * 60.0, ages.of_oldest(minute * 60.0, oldest, newest))
    assert judge(series).passed is passed
    assert max(series.values) == (540.0 + 60.0 if passed else 59 * 60.0)

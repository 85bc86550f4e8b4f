import os
import socket
import sys
import threading

import pytest

from tests.system.endurance.sampling import ProcessProbe

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks below /proc")


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

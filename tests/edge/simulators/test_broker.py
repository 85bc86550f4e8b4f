"""What simulated devices have in common over the local broker."""

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.embedded.broker import EmbeddedBroker
from edge.simulators.broker import add_broker, client_of, connected
from edge.simulators.stopping import told_to_stop


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_broker(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_program_is_told_to_end_by_either_signal(signals: None) -> None:  # noqa: ARG001 (a fixture)
    for number in (signal.SIGTERM, signal.SIGINT):
        stop = told_to_stop()
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(60)


def test_a_password_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" secret\n", encoding="utf-8")
    told = options("--broker", "mqtt://127.0.0.1:1", "--user", "shed", "--password-file", str(file))
    client = client_of(told, "shed")
    assert (client.username, client.password) == ("shed", "secret")
    assert client_of(options("--broker", "mqtt://127.0.0.1:1"), "shed").username is None


@pytest.mark.system
def test_it_is_connected_within_the_block_and_not_after(open_broker: EmbeddedBroker) -> None:
    client, there = client_of(options("--broker", open_broker.url), "shed"), threading.Event()
    client.on_connect = lambda *_: there.set()
    with connected(client, open_broker.url):
        assert there.wait(60)
    assert not client.is_connected()

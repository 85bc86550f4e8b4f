"""A node in this process, without anything to watch and without a cloud."""

import threading
from pathlib import Path

import pytest

from edge.node.assembly import Node, taken
from edge.node.status import FILE
from edge.settings import CloudSettings, NodeConfiguration, NodeSettings
from tests.edge.waiting import wait_until


def configuration(directory: Path) -> NodeConfiguration:
    return NodeConfiguration(
        node=NodeSettings(id="station-01", district="110105", data_directory=directory),
        cloud=CloudSettings.model_validate({"mqtt": "mqtt://127.0.0.1:1", "https": "http://127.0.0.1:1"}),
    )


def test_a_node_whose_last_status_finds_no_room_lets_go_of_everything(tmp_path: Path) -> None:
    node = Node(configuration(tmp_path), on_fatal=pytest.fail)
    (tmp_path / f"{FILE}.part").mkdir()  # nothing can be written there
    node.start()
    wait_until(lambda: node.status()["faults"]["housekeeping"], "a turn of the housekeeping that failed")
    node.stop()
    (tmp_path / f"{FILE}.part").rmdir()
    again = Node(configuration(tmp_path), on_fatal=pytest.fail)
    again.start()
    again.stop()


class Interrupted(threading.Event):
    """A signal that is given again between the look at it and whatever is done next."""

    def is_set(self) -> bool:
        was = super().is_set()
        self.set()
        return was


def test_a_signal_that_is_given_during_the_look_is_there_at_the_next() -> None:
    signal = Interrupted()
    assert not taken(signal)
    assert taken(signal)
    plain = threading.Event()
    plain.set()
    assert [taken(plain), taken(plain)] == [True, False]

"""What the top of a thread catches is counted at its place."""

from datetime import UTC, datetime

from edge.faults import FAULTS, Faults, Place
from edge.mqtt import Endpoint, LinkOptions, MqttLink, Will
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.perception.detector import OnnxDetector
from tests.waiting import wait_until


def test_each_place_is_told_from_the_start() -> None:
    faults = Faults()
    faults.count(Place.WALL)
    assert faults.counts() == dict.fromkeys(map(str, Place), 0) | {"wall": 1}


def test_a_link_that_fails_is_counted() -> None:
    def will() -> Will:
        raise RuntimeError("no will")

    before = FAULTS.counts()["mqtt_link"]
    link = MqttLink(Endpoint("127.0.0.1", 1), LinkOptions(client_id="test-faults"), will=will)
    link.start()
    wait_until(lambda: FAULTS.counts()["mqtt_link"] > before)
    link.stop()


def test_a_model_that_can_not_be_opened_by_a_mistake_is_counted() -> None:
    def open_model(_model_id: str) -> OnnxDetector:
        raise RuntimeError("a mistake")

    before = FAULTS.counts()["models"]
    shelf = ModelShelf({"x"}, Standing(clock=lambda: datetime.now(UTC), on_change=lambda: None), open_model=open_model)
    shelf.start()
    wait_until(lambda: FAULTS.counts()["models"] > before)
    shelf.stop()

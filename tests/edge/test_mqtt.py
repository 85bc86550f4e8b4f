"""A link that goes on as somebody else, while the broker may not know that one yet."""

from contextlib import closing, suppress
from queue import Empty

import pytest

from edge.mqtt import Connected, Endpoint, LinkOptions, MqttLink
from tests.brokers import ReadyBroker
from tests.waiting import wait_until

pytestmark = pytest.mark.system
DISTRICT = "110105"


class Linked:
    """A link whose connections are counted."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.link = MqttLink(endpoint, LinkOptions(client_id="test-link"))
        self.link.start()
        self.connections = 0

    def seen(self) -> int:
        with suppress(Empty):
            while True:
                self.connections += isinstance(self.link.events.get_nowait(), Connected)
        return self.connections

    def close(self) -> None:
        self.link.stop()


def endpoint(broker: ReadyBroker, user: str, password: str) -> Endpoint:
    return Endpoint(broker.host, broker.port, user=user, password=password)


def test_it_falls_back_to_who_it_was_until_the_broker_knows_the_other(mosquitto_broker: ReadyBroker) -> None:
    first = endpoint(mosquitto_broker, "station-01", mosquitto_broker.add_node(DISTRICT, "station-01"))
    second = endpoint(mosquitto_broker, "station-02", "password of station-02")
    with closing(Linked(first)) as linked:
        wait_until(lambda: linked.seen() == 1)
        linked.link.use(first)  # nothing to change
        linked.link.use(second)
        wait_until(lambda: linked.seen() == 2, timeout_s=30)
        assert linked.link.endpoint == first
        mosquitto_broker.add_node(DISTRICT, "station-02")
        linked.link.use(second)
        wait_until(lambda: linked.seen() == 3, timeout_s=30)
        assert linked.link.endpoint == second
        assert "password" not in repr(linked.link.endpoint)

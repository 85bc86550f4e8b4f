import threading
import time

import pytest

from cloud.errors import ConfigurationError
from cloud.mqtt import Delivery, Endpoint, Mailbox
from tests.fakes.node import AT


def delivery(number: int = 1, size: int = 10) -> Delivery:
    return Delivery("gw/1/110105/station-01/up/birth", b"x" * size, AT, number, 1, 1)


def test_a_mailbox_gives_back_in_order() -> None:
    mailbox = Mailbox()
    for number in range(5):
        assert mailbox.put(delivery(number))
    assert [each.message_number for each in mailbox.take(3, wait_s=0)] == [0, 1, 2]
    assert [each.message_number for each in mailbox.take(3, wait_s=0)] == [3, 4]
    assert mailbox.take(3, wait_s=0.01) == []


@pytest.mark.parametrize("mailbox", [Mailbox(maximum_messages=1), Mailbox(maximum_bytes=10)])
def test_a_full_mailbox_holds_up_who_fills_it(mailbox: Mailbox) -> None:
    mailbox.put(delivery(1))
    put = threading.Thread(target=mailbox.put, args=[delivery(2)])
    put.start()
    put.join(0.05)
    assert put.is_alive()
    assert [each.message_number for each in mailbox.take(1, wait_s=0)] == [1]
    put.join(5)
    assert [each.message_number for each in mailbox.take(1, wait_s=5)] == [2]


def test_a_closed_mailbox_lets_everyone_go() -> None:
    mailbox = Mailbox(maximum_messages=1)
    mailbox.put(delivery())
    waiting = threading.Thread(target=mailbox.put, args=[delivery()])
    waiting.start()
    mailbox.close()
    waiting.join(5)
    began_s = time.monotonic()
    assert (mailbox.put(delivery()), mailbox.take(1, wait_s=5)) == (False, [])
    assert time.monotonic() - began_s < 1


def test_addresses_of_brokers() -> None:
    assert Endpoint.of("mqtt://broker:1999") == Endpoint("broker", 1999)
    assert Endpoint.of("mqtts://[::1]") == Endpoint("::1", 8883, tls=True)
    assert "secret" not in repr(Endpoint.of("mqtt://broker", user="u", password="secret"))
    for wrong in ("http://broker", "broker:1883", "mqtt://user:word@broker", "mqtt://"):
        with pytest.raises(ConfigurationError):
            Endpoint.of(wrong)

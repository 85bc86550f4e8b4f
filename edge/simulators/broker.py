"""The local broker as simulated devices have it: what their programs are told of it, and a connection that comes back by itself."""

import argparse
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_MOST_WAITING: Final = 1_000
_RECONNECT_S: Final = (1, 5)
_PORT: Final = 1883


def add_broker(parser: argparse.ArgumentParser) -> None:
    """The options that say where the broker is and how one logs in."""
    parser.add_argument("--broker", required=True, help="mqtt://host:port")
    parser.add_argument("--user")
    parser.add_argument("--password-file", type=Path)


def client_of(options: argparse.Namespace, name: str) -> mqtt.Client:
    """A client of that broker, under a name of its own, that is not connected yet."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{name}-{random.getrandbits(48):x}")
    if options.user is not None:
        password = options.password_file.read_text(encoding="utf-8").strip() if options.password_file else None
        client.username_pw_set(options.user, password)
    client.max_queued_messages_set(_MOST_WAITING)
    client.reconnect_delay_set(*_RECONNECT_S)
    return client


@contextmanager
def connected(client: mqtt.Client, broker: str) -> Iterator[None]:
    """Connect, now or as soon as the broker is there, and again whenever it was away; until the end of the block."""
    address = urlsplit(broker)
    client.connect_async(address.hostname or "127.0.0.1", address.port or _PORT)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()

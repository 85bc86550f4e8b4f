"""Simulated piles for electric bicycles, in the words of the map `shedwatt`: sockets charge and end, one gets hot now and then.

`python -m edge.simulators.ebike_pile NAME… --broker mqtt://127.0.0.1:1883 [--user U --password-file F] [--sockets 10] [--seed N]
[--first-trouble S] [--ignore-stop]`

A pile publishes on `ebike/NAME/up` and hears on `ebike/NAME/down`. What happens is a function of the seed and the time since the start; the
story (`ShedStory`) is pure.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import paho.mqtt.client as mqtt

from edge.simulators.broker import add_broker, client_of, connected
from edge.simulators.stopping import told_to_stop

PERIOD_S: Final = 10.0
_FULL, _STOPPED_BY_APP, _OVERHEAT = 25, 1, 6
_HOT_C: Final = 72.0
_OFFSET_C: Final = 40


@dataclass(slots=True)
class SimulatedSocket:
    """A socket; times are seconds since the start."""

    number: int
    next_s: float
    order: str = ""
    began_s: float = 0.0
    until_s: float = 0.0
    hot: bool = False
    power_w: float = 0.0


@dataclass(slots=True)
class ShedStory:
    """What happens at a pile. `stops` says whether it obeys an order to stop."""

    name: str
    sockets: int = 10
    seed: int = 0
    first_trouble_s: float | None = None
    stops: bool = True
    _sockets: dict[int, SimulatedSocket] = field(default_factory=dict)
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._random.seed(f"{self.seed}/{self.name}")
        for number in range(1, self.sockets + 1):
            self._sockets[number] = SimulatedSocket(number, self._random.uniform(0.0, 240.0) if number > 1 else 2.0)

    def advance(self, at_s: float, now: datetime) -> list[dict[str, Any]]:
        """Live until then; what is said at once: charges that ended."""
        said = []
        for socket in self._sockets.values():
            if not socket.order and at_s >= socket.next_s:
                self._begin(socket, at_s)
            elif socket.order and at_s >= socket.until_s:
                said.append(self._end(socket, at_s, now, _OVERHEAT if socket.hot else _FULL))
        return said

    def status(self, at_s: float, now: datetime) -> dict[str, Any]:
        """All sockets."""
        return {
            "cmd": "status",
            "ts": now.timestamp(),
            "ports": [self._port(socket, at_s) for socket in self._sockets.values()],
        }

    def box(self, now: datetime) -> dict[str, Any]:
        """The pile itself."""
        return {"cmd": "box", "ts": now.timestamp(), "t": 24 + _OFFSET_C, "smoke": 0}

    def obey(self, order: Any, at_s: float, now: datetime) -> list[dict[str, Any]]:
        """What is said to an order."""
        if not isinstance(order, dict) or order.get("cmd") != "stop" or not self.stops:
            return []
        socket = self._sockets.get(order["no"]) if isinstance(order.get("no"), int) else None
        if socket is None or not socket.order:
            return [{"cmd": "stop_ack", "sn": order.get("sn"), "code": 1}]
        ended = self._end(socket, at_s, now, _STOPPED_BY_APP)
        return [{"cmd": "stop_ack", "sn": order.get("sn"), "code": 0}, ended, self.status(at_s, now)]

    def charging(self) -> list[int]:
        """The sockets that charge."""
        return [socket.number for socket in self._sockets.values() if socket.order]

    def _begin(self, socket: SimulatedSocket, at_s: float) -> None:
        socket.order = f"{self._random.getrandbits(40):010x}"
        socket.began_s, socket.until_s = at_s, at_s + self._random.uniform(240.0, 900.0)
        socket.power_w = self._random.uniform(120.0, 420.0)
        socket.hot = self._random.random() < 0.05
        if self.first_trouble_s is not None and socket.number == 1 and at_s >= self.first_trouble_s:
            socket.hot, self.first_trouble_s = True, None

    def _end(self, socket: SimulatedSocket, at_s: float, now: datetime, reason: int) -> dict[str, Any]:
        energy = self._energy(socket, at_s)
        socket.order, socket.hot, socket.next_s = "", False, at_s + self._random.uniform(60.0, 300.0)
        return {"cmd": "stopped", "ts": now.timestamp(), "no": socket.number, "reason": reason, "e": energy}

    def _energy(self, socket: SimulatedSocket, at_s: float) -> int:
        """In the vendor's 10 Wh."""
        return round(socket.power_w * (at_s - socket.began_s) / 36_000.0)

    def _port(self, socket: SimulatedSocket, at_s: float) -> dict[str, Any]:
        since_s = at_s - socket.began_s
        if not socket.order:
            return {"no": socket.number, "p": 0, "i": 0, "e": 0, "t": 24 + _OFFSET_C, "st": 0, "err": 0, "order": ""}
        celsius = min(95.0, 30.0 + since_s * 0.5) if socket.hot else min(44.0, 26.0 + since_s * 0.03)
        return {
            "no": socket.number,
            "p": round(socket.power_w * 10),
            "i": round(socket.power_w / 228.0 * 1_000),
            "e": self._energy(socket, at_s),
            "t": round(celsius) + _OFFSET_C,
            "st": 1,
            "err": _OVERHEAT if celsius >= _HOT_C else 0,
            "order": socket.order,
        }


class SimulatedShed:
    """Tells stories over one connection."""

    def __init__(self, stories: Sequence[ShedStory], client: mqtt.Client) -> None:
        self._stories = {story.name: story for story in stories}
        self._client = client
        self._began_s = time.monotonic()
        self._lock = threading.Lock()
        client.on_connect = lambda *_: self._subscribe()
        client.on_message = lambda _client, _data, message: self._hear(message.topic, bytes(message.payload))

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        due_s = 0.0
        while not stop.is_set():
            at_s, now = self._at_s(), datetime.now(UTC)
            with self._lock:
                for story in self._stories.values():
                    self._say(story, story.advance(at_s, now))
                    if at_s >= due_s:
                        self._say(story, [story.status(at_s, now), story.box(now)])
            if at_s >= due_s:
                due_s = at_s + PERIOD_S
            stop.wait(0.2)

    def _at_s(self) -> float:
        return time.monotonic() - self._began_s

    def _subscribe(self) -> None:
        for name in self._stories:
            self._client.subscribe(f"ebike/{name}/down", qos=1)

    def _hear(self, topic: str, payload: bytes) -> None:
        story = self._stories.get(topic.split("/")[1])
        try:
            order = json.loads(payload)
        except ValueError:
            return
        if story is not None:
            with self._lock:
                self._say(story, story.obey(order, self._at_s(), datetime.now(UTC)))

    def _say(self, story: ShedStory, messages: Sequence[dict[str, Any]]) -> None:
        for message in messages:
            self._client.publish(f"ebike/{story.name}/up", json.dumps(message), qos=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m edge.simulators.ebike_pile", description="Simulated piles for electric bicycles."
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    add_broker(parser)
    parser.add_argument("--sockets", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first-trouble", type=float, metavar="SECONDS", help="from when on the first pile gets hot")
    parser.add_argument("--ignore-stop", action="store_true", help="hear orders to stop and do nothing")
    options = parser.parse_args(arguments)
    stories = [
        ShedStory(
            name,
            options.sockets,
            options.seed,
            options.first_trouble if index == 0 else None,
            stops=not options.ignore_stop,
        )
        for index, name in enumerate(options.names)
    ]
    client = client_of(options, "ebike")
    shed = SimulatedShed(stories, client)
    stop = told_to_stop()
    with connected(client, options.broker):
        shed.run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())

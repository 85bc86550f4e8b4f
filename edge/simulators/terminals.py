"""Simulated terminals: kiosks, SOS posts and doors that beat, count, run down, and now and then call for help.

`python -m edge.simulators.terminals sos-1 kiosk-1 door-1 --broker mqtt://127.0.0.1:1883 [--user U --password-file F] [--seed N]`

What a terminal says is a function of its seed and the time since the start. A post repeats its call until it is answered on
`<topic>/ack`; every message says `simulated: true`.
"""

import argparse
import contextlib
import json
import random
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import paho.mqtt.client as mqtt

from edge.simulators.broker import add_broker, client_of, connected
from edge.simulators.stopping import told_to_stop

KINDS: Final[Mapping[str, str]] = {"sos": "sos", "kiosk": "kiosk", "door": "gate"}
"""By the part of a name before the dash: the kind that stands in a configuration."""

BEAT_S: Final = 10.0
REPEAT_S: Final = 3.0
"""So often a call is said again until it is answered."""

_CALL_EVERY_S: Final = 2_400.0
_HELD_EVERY_S: Final = 900.0
_HELD_FOR_S: Final = 60.0
_USED_EVERY_S: Final = 120.0
_BATTERY_LASTS_S: Final = 40 * 86_400.0


class TerminalStory:
    """One terminal's story; times are seconds since the start."""

    def __init__(self, name: str, *, seed: int = 0, first_call_s: float | None = None) -> None:
        kind = name.partition("-")[0]
        if kind not in KINDS:
            raise ValueError(f"{name}: unknown terminal {kind!r}; known: {', '.join(KINDS)}")
        self.name, self.kind = name, kind
        self._random = random.Random(f"{seed}/{name}")  # noqa: S311 - a story, not a secret
        self._next_call_s = first_call_s if first_call_s is not None else self._wait_s(_CALL_EVERY_S)
        self._held_from_s = self._wait_s(_HELD_EVERY_S)
        self._calls = 0
        self._unanswered: tuple[str, datetime] | None = None

    def _wait_s(self, about_s: float) -> float:
        return about_s * self._random.uniform(0.6, 1.4)

    def beat(self, at_s: float, now: datetime) -> dict[str, object]:
        """What it says at each heartbeat; `now` (aware) is the time that it claims."""
        message: dict[str, object] = {
            "id": f"{self.name}-{int(at_s)}",
            "time": now.isoformat(timespec="milliseconds"),
            "heartbeat": int(at_s),
            "tamper": False,
            "network": "ethernet" if self.kind == "kiosk" else "4g",
            "use_count": int(at_s // _USED_EVERY_S),
            "simulated": True,
        }
        if self.kind != "kiosk":
            message["battery_pct"] = round(max(0.0, 100.0 - 100.0 * at_s / _BATTERY_LASTS_S), 1)
            message["signal_dbm"] = -70 + self._random.randrange(-6, 7)
        if self.kind == "door":
            held = self._held(at_s)
            message |= {"door": "open" if held else "closed", "door_held_open": held}
        return message

    def _held(self, at_s: float) -> bool:
        if at_s > self._held_from_s + _HELD_FOR_S:
            self._held_from_s = at_s + self._wait_s(_HELD_EVERY_S)
        return at_s >= self._held_from_s

    def call(self, at_s: float, now: datetime) -> dict[str, object] | None:
        """A call for help that begins now, or is still unanswered; None while there is none. Doors do not call."""
        if self.kind == "door":
            return None
        if at_s >= self._next_call_s:
            self._next_call_s = at_s + self._wait_s(_CALL_EVERY_S)
            self._calls += 1
            self._unanswered = f"{self.name}-call-{self._calls}", now
        if self._unanswered is None:
            return None
        call, called_at = self._unanswered
        return {"id": call, "time": called_at.isoformat(timespec="milliseconds"), "sos": "pressed", "simulated": True}

    def answered(self, call: object) -> None:
        """Somebody keeps the call: it need not be said again."""
        if self._unanswered is not None and call == self._unanswered[0]:
            self._unanswered = None


def hear_answers(stories: Sequence[TerminalStory], client: mqtt.Client, *, topic: str) -> None:
    """Listen for who keeps a call, from the first connection on."""
    by_topic = {f"{topic}/{story.name}/ack": story for story in stories}

    def on_connect(client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(each, 1) for each in by_topic])

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            by_topic[message.topic].answered(json.loads(message.payload)["id"])

    client.on_connect, client.on_message = on_connect, on_message


def run(stories: Sequence[TerminalStory], client: mqtt.Client, stop: threading.Event, *, topic: str) -> None:
    """Publish until told to stop, each at its own moment."""
    began = datetime.now(UTC)
    due_s = {story.name: index * 0.7 % BEAT_S for index, story in enumerate(stories)}
    said_s = dict.fromkeys(due_s, -REPEAT_S)
    while not stop.wait(0.2):
        now = datetime.now(UTC)
        at_s = (now - began) / timedelta(seconds=1)
        for story in stories:
            call = story.call(at_s, now)
            if call is not None and at_s - said_s[story.name] >= REPEAT_S:
                said_s[story.name] = at_s
                client.publish(f"{topic}/{story.name}", json.dumps(call), qos=1)
            if at_s >= due_s[story.name]:
                due_s[story.name] += BEAT_S
                client.publish(f"{topic}/{story.name}", json.dumps(story.beat(at_s, now)), qos=1)


def main(arguments: list[str] | None = None) -> int:
    """Publish until told to stop; 2 for a terminal that is not known."""
    parser = argparse.ArgumentParser(prog="python -m edge.simulators.terminals", description="Simulated terminals.")
    parser.add_argument("terminals", nargs="+", help=f"names such as sos-1; kinds: {', '.join(KINDS)}")
    add_broker(parser)
    parser.add_argument("--topic", default="terminals", help="published as TOPIC/NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first-call", type=float, metavar="SECONDS", help="when the first terminal calls for help")
    options = parser.parse_args(arguments)
    try:
        stories = [
            TerminalStory(name, seed=options.seed, first_call_s=options.first_call if index == 0 else None)
            for index, name in enumerate(options.terminals)
        ]
    except ValueError as error:
        parser.error(str(error))
    client = client_of(options, "terminals")
    hear_answers(stories, client, topic=options.topic)
    stop = told_to_stop()
    with connected(client, options.broker):
        run(stories, client, stop, topic=options.topic)
    return 0


if __name__ == "__main__":
    sys.exit(main())

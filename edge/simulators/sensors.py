"""Simulated sensors: charging piles, smoke, water and climate, that publish JSON and cross a threshold now and then.

`python -m edge.simulators.sensors DEVICE… --broker mqtt://127.0.0.1:1883 [--user U --password-file F] [--seed N]`

What a sensor says is a function of its seed and the time since the start, so that two runs tell the same story. Every
message says `simulated: true`.
"""

import argparse
import json
import math
import random
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import paho.mqtt.client as mqtt

from edge.simulators.broker import add_broker, client_of, connected
from edge.simulators.stopping import told_to_stop

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Episode:
    """Trouble: the value rises to `peak`, stays there and falls back. Seconds since the start."""

    start_s: float
    rise_s: float
    hold_s: float
    fall_s: float

    def strength(self, at_s: float) -> float:
        """0 outside, 1 while it holds."""
        since = at_s - self.start_s
        if since < self.rise_s:
            return max(0.0, since / self.rise_s)
        return max(0.0, min(1.0, 1.0 - (since - self.rise_s - self.hold_s) / self.fall_s))


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured value: a level, a slow wave, noise; `peak` is where an episode takes it (None: not at all)."""

    level: float
    wave: float = 0.0
    wave_period_s: float = _DAY_S
    noise: float = 0.0
    peak: float | None = None
    digits: int = 1
    least: float | None = None

    def value(self, at_s: float, strength: float, random_: random.Random) -> float:
        """The value at a time, given how strong the present episode is."""
        calm = self.level + self.wave * math.sin(2 * math.pi * at_s / self.wave_period_s)
        value = calm + random_.gauss(0.0, self.noise)
        if self.peak is not None:
            value += strength * (self.peak - calm)
        return round(value if self.least is None else max(self.least, value), self.digits)


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of sensor: what it measures how often, and how often it gets into trouble."""

    kind: str
    period_s: float
    quantities: Mapping[str, Quantity]
    trouble_every_s: float | None = None
    rise_s: float = 20.0
    hold_s: float = 25.0
    fall_s: float = 30.0


DEVICES: Final[Mapping[str, Device]] = {
    "pile": Device(
        kind="charging_pile",
        period_s=2.0,
        quantities={
            "temperature_c": Quantity(level=36.0, wave=4.0, wave_period_s=900.0, noise=0.25, peak=79.0),
            "power_kw": Quantity(level=1.9, wave=0.4, wave_period_s=600.0, noise=0.03, digits=2, least=0.0),
            "voltage_v": Quantity(level=226.0, wave=3.0, wave_period_s=3_600.0, noise=0.6),
        },
        trouble_every_s=420.0,
    ),
    "smoke": Device(
        kind="smoke_detector",
        period_s=5.0,
        quantities={
            "obscuration_percent_per_m": Quantity(level=0.3, noise=0.05, peak=9.0, digits=2, least=0.0),
            "temperature_c": Quantity(level=23.0, wave=2.0, noise=0.1, peak=41.0),
        },
        trouble_every_s=1_500.0,
    ),
    "water": Device(
        kind="water_level",
        period_s=5.0,
        quantities={
            "level_mm": Quantity(level=40.0, wave=12.0, wave_period_s=1_800.0, noise=1.0, peak=320.0, digits=0)
        },
        trouble_every_s=1_100.0,
        rise_s=60.0,
        hold_s=40.0,
        fall_s=90.0,
    ),
    "climate": Device(
        kind="climate",
        period_s=10.0,
        quantities={
            "temperature_c": Quantity(level=21.0, wave=6.0, noise=0.1),
            "humidity_percent": Quantity(level=48.0, wave=9.0, noise=0.4, least=0.0),
        },
    ),
}


class Sensor:
    """One sensor's story. `name` is its device id, `<device>-<number>`; the part before the dash says what it is."""

    def __init__(self, name: str, *, seed: int = 0, first_trouble_s: float | None = None) -> None:
        kind = name.partition("-")[0]
        if kind not in DEVICES:
            raise ValueError(f"{name}: unknown sensor {kind!r}; known: {', '.join(DEVICES)}")
        self.name = name
        self.device = DEVICES[kind]
        self._random = random.Random(f"{seed}/{name}")  # noqa: S311 - a story, not a secret
        self._first_trouble_s = first_trouble_s
        self._episode = self._next_episode(None)

    def message(self, at_s: float, now: datetime) -> dict[str, object]:
        """What it publishes at `at_s` seconds since the start; `now` (aware) is the time that it claims."""
        episode = self._episode
        if episode is not None and at_s > episode.start_s + episode.rise_s + episode.hold_s + episode.fall_s:
            episode = self._episode = self._next_episode(at_s)
        strength = 0.0 if episode is None else episode.strength(at_s)
        values = {
            name: quantity.value(at_s, strength, self._random) for name, quantity in self.device.quantities.items()
        }
        return {"time": now.isoformat(timespec="milliseconds"), **values, "simulated": True}

    def _next_episode(self, after_s: float | None) -> Episode | None:
        device = self.device
        if device.trouble_every_s is None:
            return None
        wait_s = device.trouble_every_s * self._random.uniform(0.6, 1.4)
        if after_s is None and self._first_trouble_s is not None:
            wait_s = self._first_trouble_s
        return Episode((after_s or 0.0) + wait_s, device.rise_s, device.hold_s, device.fall_s)


def run(sensors: Sequence[Sensor], client: mqtt.Client, stop: threading.Event, *, topic: str = "sensors") -> None:
    """Publish until told to stop, each sensor at its own period, spread so that they don't all speak at once."""
    begun = datetime.now(UTC)
    due_s = [index * 0.37 % sensor.device.period_s for index, sensor in enumerate(sensors)]
    while not stop.is_set():
        at_s = (datetime.now(UTC) - begun) / timedelta(seconds=1)
        for index, sensor in enumerate(sensors):
            if at_s >= due_s[index]:
                due_s[index] = at_s - (at_s - due_s[index]) % sensor.device.period_s + sensor.device.period_s
                client.publish(f"{topic}/{sensor.name}", json.dumps(sensor.message(at_s, datetime.now(UTC))), qos=1)
        stop.wait(max(0.01, min(due_s) - at_s))


def main(arguments: list[str] | None = None) -> int:
    """Publish until told to stop; 2 for a sensor that is not known."""
    parser = argparse.ArgumentParser(prog="python -m edge.simulators.sensors", description="Simulated sensors.")
    parser.add_argument("devices", nargs="+", help=f"names such as pile-1; kinds: {', '.join(DEVICES)}")
    add_broker(parser)
    parser.add_argument("--topic", default="sensors", help="published as TOPIC/NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--first-trouble", type=float, metavar="SECONDS", help="when the first sensor gets into trouble"
    )
    options = parser.parse_args(arguments)
    try:
        sensors = [
            Sensor(name, seed=options.seed, first_trouble_s=options.first_trouble if index == 0 else None)
            for index, name in enumerate(options.devices)
        ]
    except ValueError as error:
        parser.error(str(error))
    client = client_of(options, "sensors")
    stop = told_to_stop()
    with connected(client, options.broker):
        run(sensors, client, stop, topic=options.topic)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The sources: sensors that publish over the node's own broker, and remember what was acknowledged to them."""

import itertools
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.contract.telemetry import from_microseconds
from tests.system.chaos.truth import ALARM_FROM, Crossing, Device, Truth

TOPIC = "sensors"
SENSOR_LAG_US = 200_000
"""The sensors' clocks are a little slow: none of their times is ever ahead of the node's."""

STATE_EVERY = 25
"""A meter's word changes with each so manieth message."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is sent, evenly over `seconds`: rounds of all meters, messages of the bank, crossings of each switch."""

    seconds: float
    rounds: int
    bank_messages: int
    crossings_per_switch: int


class Load:
    """Publishes at QoS 1 and waits for the acknowledgement of each message; a message counts once it has come."""

    def __init__(self, devices: Mapping[str, Device], port: int) -> None:
        self.truth = Truth(devices)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="chaos-load", clean_session=False)
        self._client.max_inflight_messages_set(100)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._on_publish
        self._port = port
        self._numbers = {name: itertools.count(1) for name in devices}
        self._last_us = dict.fromkeys(devices, 0)
        self._published = 0
        self._acknowledged = 0
        self._changed = threading.Condition()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._client.disconnect()
        self._client.loop_stop()

    def stop(self) -> None:
        """End `run` early."""
        self._stop.set()

    def run(self, amount: Amount) -> None:
        """Send the amount; returns when the last message is published. Every switch is back below its threshold then."""
        devices = self.truth.devices.values()
        meters = [device for device in devices if device.name.startswith("meter")]
        switches = [device for device in devices if device.name.startswith("switch")]
        plan: list[tuple[float, int, str, bool]] = []
        spoken = amount.rounds * len(meters)  # one after the other: something is always under way
        plan += [
            (amount.seconds * index / spoken, 0, meters[index % len(meters)].name, False) for index in range(spoken)
        ]
        plan += [
            (amount.seconds * index / amount.bank_messages, 1, "bank", False) for index in range(amount.bank_messages)
        ]
        flips = amount.crossings_per_switch * 2
        for place, switch in enumerate(switches):
            for flip in range(flips):
                at_s = amount.seconds * (flip + place / len(switches)) / flips
                plan.append((at_s, 2, switch.name, flip % 2 == 0))
        began_s = time.monotonic()
        for at_s, _, name, alarm in sorted(plan):
            if self._stop.wait(max(0.0, began_s + at_s - time.monotonic())):
                return
            self.send(name, alarm=alarm)

    def burst(self, messages: int) -> None:
        """Messages of the bank, as fast as they go."""
        for _ in range(messages):
            self.send("bank")

    def send(self, name: str, *, alarm: bool = False) -> float:
        """One message of a device, now; its value comes back."""
        with self._lock:
            return self._send(self.truth.devices[name], alarm=alarm)

    def _send(self, device: Device, *, alarm: bool) -> float:
        number = next(self._numbers[device.name])
        value = float(number) + (ALARM_FROM if alarm else 0.0)
        at_us = max(time.time_ns() // 1000 - SENSOR_LAG_US, self._last_us[device.name] + 1)
        self._last_us[device.name] = at_us
        message: dict[str, Any] = {"n": value}
        if device.timed:
            message["time"] = from_microseconds(at_us).isoformat(timespec="microseconds")
        if device.state is not None:
            message["mode"] = f"m{number // STATE_EVERY}"
            self.truth.add_state(device.name, at_us, message["mode"])
        self.truth.add(device.name, value, at_us if device.timed else None)
        if device.alarms:
            self._note_crossing(device.name, at_us, alarm=alarm)
        self._client.publish(f"{TOPIC}/{device.name}", json.dumps(message), qos=1)
        self._published += 1
        return value

    def _note_crossing(self, device: str, at_us: int, *, alarm: bool) -> None:
        if alarm and device not in self._open:
            self._open[device] = at_us
        elif not alarm and device in self._open:
            self.truth.crossings.append(Crossing(device, self._open.pop(device), at_us))

    def settle(self, timeout_s: float = 30.0) -> None:
        """Bring every switch back below its threshold and wait until every message is acknowledged. Raises TimeoutError: then
        the truth is not known.
        """
        for name in list(self._open):
            self.send(name)
        with self._changed:
            if not self._changed.wait_for(lambda: self._acknowledged == self._published, timeout_s):
                missing = self._published - self._acknowledged
                raise TimeoutError(f"{missing} messages are not acknowledged by the local broker")

    def _on_publish(self, *_what: Any) -> None:
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()

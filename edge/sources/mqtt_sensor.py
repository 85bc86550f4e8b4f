"""Sensors (传感器) on the local broker: JSON messages, acknowledged only once their readings are in the outbox."""

import hashlib
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from edge.contract.telemetry import ReadingFlag
from edge.errors import Retryable
from edge.flow import DeviceControl, Health, Parcel, Reading, Receipts
from edge.mqtt import Connected, Delivery, Disconnected, Endpoint, Event, LinkOptions, MqttLink
from edge.settings import NodeConfiguration, SensorSettings
from edge.sources.kept_messages import KeptMessages
from edge.sources.payload import Parsed, Refusal, StateMemory, parse

AT_ONCE = 500
"""Messages that share one commit."""

READINGS_AT_ONCE = 5_000
"""Readings that share one commit, about: what is kept together has to fit into the smallest outbox together."""

RECEIPTS = "mqtt-sensors"
TRY_AGAIN_S = 1.0
SILENT_PERIODS = 3.0
SILENT_AFTER_S = 120.0
"""A sensor without a declared period counts as lost after so long."""

_log = structlog.get_logger(__name__)

StatusListener = Callable[[str, Health, str | None], None]
"""Device id, health, reason; an empty id is the broker itself. Called from the source's thread, on changes only."""


@dataclass(slots=True)
class SensorFigures:
    """What the source did since the start; memory is bounded by the number of sensors."""

    messages: int = 0
    readings: int = 0
    unknown_topic: int = 0
    repeated: int = 0
    retained: int = 0
    refusals: Counter[tuple[str, Refusal]] = field(default_factory=Counter)
    skew_s: dict[str, float] = field(default_factory=dict)
    clamped: Counter[str] = field(default_factory=Counter)
    replayed: int = 0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MqttSensorSource:
    """The thread `sensors`. `keep` returns once the readings are kept, or raises Retryable: then nothing is acknowledged and
    the same messages are tried again. `receipts` are the marks of what was kept before the last end of the process.
    """

    def __init__(
        self,
        sensors: Sequence[SensorSettings],
        endpoint: Endpoint,
        keep: Callable[[Parcel], None],
        on_status: StatusListener,
        *,
        client_id: str,
        receipts: Sequence[bytes] = (),
        clock: Callable[[], datetime] = _utc_now,
        correction: Callable[[], timedelta] = timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figures = SensorFigures()
        self._by_topic = _by_topic(sensors)
        self._last_words: dict[str, bytes] = {}
        self._successors: deque[Sequence[SensorSettings]] = deque(maxlen=1)
        self._keep = keep
        self._on_status = on_status
        self._monotonic = monotonic
        self._correction = correction
        self._states = StateMemory()
        self._presence = _Presence(sensors, started_s=monotonic())
        self._clock = clock
        self._kept = KeptMessages(receipts)
        self._stop = threading.Event()
        self._link = MqttLink(
            endpoint,
            LinkOptions(client_id=client_id, subscriptions=sorted(self._by_topic), manual_acknowledgement=True),
            clock=clock,
        )
        self._thread = threading.Thread(target=self._run, name="sensors", daemon=True)

    def start(self) -> None:
        """Connect and begin to take messages."""
        self._link.start()
        self._thread.start()

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with other sensors, on the same connection; what comes for those that stay is not touched by it. Any thread."""
        self._successors.append(configuration.sensors)
        self._link.nudge()
        if not configuration.sensors:  # nobody may be there any more to do it later
            self._link.listen(())

    def _take_over(self) -> None:
        if not self._successors:
            return
        sensors = self._successors.pop()
        self._by_topic = _by_topic(sensors)
        self._last_words = {topic: word for topic, word in self._last_words.items() if topic in self._by_topic}
        self._presence.adopt(sensors, now_s=self._monotonic())
        self._link.listen(sorted(self._by_topic))

    def stop(self) -> None:
        """End; what is not acknowledged the broker delivers again."""
        self._stop.set()
        self._link.nudge()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._link.stop()

    def control(self, device: str) -> DeviceControl | None:  # noqa: ARG002 (asked of every source)
        """A sensor takes no orders."""
        return None

    def tally(self) -> dict[str, Any]:
        """What the source did since the start, ready for JSON."""
        figures = self.figures
        return {
            "messages": figures.messages,
            "readings": figures.readings,
            "unknown_topic": figures.unknown_topic,
            "repeated": figures.repeated,
            "retained": figures.retained,
            "refused": {f"{device}: {why.value}": count for (device, why), count in dict(figures.refusals).items()},
            "clamped": dict(figures.clamped),
            "replayed": figures.replayed,
            "skew_s": {device: round(skew_s, 3) for device, skew_s in dict(figures.skew_s).items()},
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # noqa: BLE001 (the top of the thread)
                _log.exception("the sensors' source failed and goes on")
                self._kept.forget_unsaved()
                self._link.renew()
                self._stop.wait(TRY_AGAIN_S)

    def _turn(self) -> None:
        self._take_over()
        deliveries: list[Delivery] = []
        for event in self._events():
            match event:
                case Connected():
                    self._take(deliveries)
                    deliveries = []
                    if not event.session_present:
                        self._begin_session()
                    self._on_status("", Health.OK, None)
                case Disconnected():
                    self._on_status("", Health.LOST, event.reason)
                case Delivery():
                    deliveries.append(event)
        if deliveries:
            self._take(deliveries)
        for device, health, reason in self._presence.changes(self._monotonic()):
            self._on_status(device, health, reason)

    def _events(self) -> list[Event]:
        events: list[Event] = []
        try:
            events.append(self._link.events.get(timeout=1.0))
            while len(events) < AT_ONCE:
                events.append(self._link.events.get_nowait())
        except queue.Empty:
            pass
        return events

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        """Parse, keep, then acknowledge: in that order."""
        fresh: list[Reading] = []
        again: list[Reading] = []
        taken: list[Delivery] = []
        for delivery in deliveries:
            taken.append(delivery)
            if self._is_known_word(delivery):
                self.figures.retained += 1
                continue
            kept_at = self._kept.note(delivery)
            if kept_at is None:
                fresh.extend(self._parse(delivery))
            else:
                self.figures.repeated += 1
                again.extend(self._parse_again(delivery, kept_at))
            if len(fresh) + len(again) >= READINGS_AT_ONCE:
                if not self._keep_and_acknowledge(fresh, again, taken):
                    return
                fresh, again, taken = [], [], []
        self._keep_and_acknowledge(fresh, again, taken)

    def _keep_and_acknowledge(
        self, fresh: Sequence[Reading], again: Sequence[Reading], deliveries: Sequence[Delivery]
    ) -> bool:
        """False when the stop came first."""
        told = list(self._states.changes(fresh))
        if told or again:
            if not self._keep_until_kept(Parcel(told, again, self._receipts())):
                return False
            self._kept.settle()
        self._states.kept(told)
        self.figures.readings += len(told)
        for delivery in deliveries:
            self._link.acknowledge(delivery)
        return True

    def _receipts(self) -> Receipts:
        return Receipts(RECEIPTS, self._kept.unsaved())

    def _begin_session(self) -> None:
        if self._kept.begin_session(self._clock()) and self._keep_until_kept(Parcel((), (), self._receipts())):
            self._kept.settle()

    def _is_known_word(self, delivery: Delivery) -> bool:
        """Whether a retained message only says again what was heard last on its topic: each subscription brings it."""
        if delivery.topic not in self._by_topic:
            return False
        digest = hashlib.sha256(delivery.payload).digest()
        if delivery.retained and not delivery.again and self._last_words.get(delivery.topic) == digest:
            return True
        self._last_words[delivery.topic] = digest
        return False

    def _parse_again(self, delivery: Delivery, kept_at: datetime) -> list[Reading]:
        """The readings as they were kept. They come now, though: rules tell a buffer that is played back by its pace."""
        readings = self._parse(replace(delivery, received_at=kept_at))
        return [replace(reading, received_at=delivery.received_at) for reading in readings]

    def _parse(self, delivery: Delivery) -> list[Reading]:
        self.figures.messages += 1
        sensors = self._by_topic.get(delivery.topic, ())
        if not sensors:
            self.figures.unknown_topic += 1
        readings: list[Reading] = []
        for sensor in sensors:
            parsed = parse(delivery.payload, sensor, delivery.received_at, correction=self._correction())
            self._note(sensor, parsed)
            if parsed.readings and not delivery.retained:  # whoever said that may be gone since
                self._presence.heard(sensor.id, self._monotonic())
            readings += parsed.readings
        return readings

    def _keep_until_kept(self, parcel: Parcel) -> bool:
        """False when the stop came first: nothing is acknowledged then."""
        while not self._stop.is_set():
            try:
                self._keep(parcel)
            except Retryable as error:
                _log.error("readings wait for room", reason=str(error), readings=len(parcel.readings))
                self._stop.wait(TRY_AGAIN_S)
            else:
                return True
        return False

    def _note(self, sensor: SensorSettings, parsed: Parsed) -> None:
        for refusal in parsed.refusals:
            known = self.figures.refusals[sensor.id, refusal]
            self.figures.refusals[sensor.id, refusal] = known + 1
            if known & (known + 1) == 0:  # the 1st, 2nd, 4th, 8th …: a broken sensor does not flood the log
                _log.warning("part of a message was refused", sensor=sensor.id, reason=refusal, times=known + 1)
        if parsed.skew_s is not None:
            self.figures.skew_s[sensor.id] = parsed.skew_s
        if parsed.readings and ReadingFlag.CLAMPED in parsed.readings[0].flag:
            self.figures.clamped[sensor.id] += len(parsed.readings)
        if parsed.readings and ReadingFlag.REPLAYED in parsed.readings[0].flag:
            self.figures.replayed += len(parsed.readings)


class _Presence:
    """Which sensors speak: one that is silent for three of its periods is lost."""

    def __init__(self, sensors: Sequence[SensorSettings], *, started_s: float) -> None:
        self._heard_s = {sensor.id: started_s for sensor in sensors}
        self._patience_s = {sensor.id: _patience_s(sensor) for sensor in sensors}
        self._told: dict[str, Health] = {}
        self._new: set[str] = set()

    def adopt(self, sensors: Sequence[SensorSettings], *, now_s: float) -> None:
        """Look for these from now on; what is known of those that stay stays known."""
        self._patience_s = {sensor.id: _patience_s(sensor) for sensor in sensors}
        self._heard_s = {sensor.id: self._heard_s.get(sensor.id, now_s) for sensor in sensors}
        self._told = {device: health for device, health in self._told.items() if device in self._patience_s}
        self._new &= set(self._patience_s)

    def heard(self, device: str, now_s: float) -> None:
        self._heard_s[device] = now_s
        self._new.add(device)

    def changes(self, now_s: float) -> list[tuple[str, Health, str | None]]:
        found: list[tuple[str, Health, str | None]] = []
        for device, heard_s in self._heard_s.items():
            silent = now_s - heard_s > self._patience_s[device]
            if not silent and device not in self._new:
                continue
            health = Health.LOST if silent else Health.OK
            if self._told.get(device) is not health:
                self._told[device] = health
                reason = f"nothing came for {self._patience_s[device]:.0f} s" if silent else None
                found.append((device, health, reason))
        self._new.clear()
        return found


def _by_topic(sensors: Sequence[SensorSettings]) -> dict[str, list[SensorSettings]]:
    found: dict[str, list[SensorSettings]] = {}
    for sensor in sensors:
        found.setdefault(sensor.topic, []).append(sensor)
    return found


def _patience_s(sensor: SensorSettings) -> float:
    periods = [point.period_s for point in sensor.points if point.period_s is not None]
    return max(10.0, SILENT_PERIODS * max(periods)) if periods else SILENT_AFTER_S

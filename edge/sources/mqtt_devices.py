"""Devices on the local broker (sensors 传感器, terminals 终端, e-bike piles): one connection for all of them, and no message
acknowledged before its readings are in the outbox.

What a kind of device says and how is its `MqttDevice`, pure; this is the shell.
"""

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
from edge.faults import FAULTS, Place
from edge.flow import DeviceControl, Health, Parcel, Reading, Receipts
from edge.mqtt import Connected, Delivery, Disconnected, Endpoint, Event, LinkOptions, MqttLink
from edge.settings import NodeConfiguration
from edge.sources.kept_messages import KeptMessages
from edge.sources.mqtt_device import Answer, MqttDevice, Said
from edge.sources.payload import Parsed, Refusal, StateMemory
from edge.sources.presence import Presence

AT_ONCE = 500
"""Messages that share one commit."""

READINGS_AT_ONCE = 5_000
"""Readings that share one commit, about: what is kept together has to fit into the smallest outbox together."""

RECEIPTS = "mqtt-sensors"
TRY_AGAIN_S = 1.0

_log = structlog.get_logger(__name__)

StatusListener = Callable[[str, Health, str | None], None]
"""Device id, health, reason; an empty id is the broker itself. Called from the source's thread, on changes only."""


@dataclass(slots=True)
class MqttFigures:
    """What the source did since the start; memory is bounded by the number of devices."""

    messages: int = 0
    readings: int = 0
    unknown_topic: int = 0
    repeated: int = 0
    retained: int = 0
    refusals: Counter[tuple[str, Refusal]] = field(default_factory=Counter)
    skew_s: dict[str, float] = field(default_factory=dict)
    clamped: Counter[str] = field(default_factory=Counter)
    replayed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Messages at which a kind's own code failed; by device."""
    unanswered: int = 0
    """Answers that were due to devices while there was no connection."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MqttDeviceSource:
    """The thread `mqtt-devices`. `keep` returns once the readings are kept, or raises Retryable: then nothing is acknowledged and
    the same messages are tried again. `devices_of` tells the devices of another configuration; `receipts` are the marks of what was kept
    before the last end of the process.
    """

    def __init__(
        self,
        devices: Sequence[MqttDevice],
        endpoint: Endpoint,
        keep: Callable[[Parcel], None],
        on_status: StatusListener,
        *,
        client_id: str,
        devices_of: Callable[[NodeConfiguration], Sequence[MqttDevice]],
        receipts: Sequence[bytes] = (),
        clock: Callable[[], datetime] = _utc_now,
        correction: Callable[[], timedelta] = timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figures = MqttFigures()
        self._devices = tuple(devices)
        self._by_topic = _by_topic(devices)
        self._last_words: dict[str, bytes] = {}
        self._devices_of = devices_of
        self._successors: deque[Sequence[MqttDevice]] = deque(maxlen=1)
        self._keep = keep
        self._on_status = on_status
        self._monotonic = monotonic
        self._correction = correction
        self._states = StateMemory()
        self._presence = Presence(_patience_s(devices), started_s=monotonic())
        self._clock = clock
        self._kept = KeptMessages(receipts)
        self._stop = threading.Event()
        self._link = MqttLink(
            endpoint,
            LinkOptions(client_id=client_id, subscriptions=sorted(self._by_topic), manual_acknowledgement=True),
            clock=clock,
        )
        self._thread = threading.Thread(target=self._run, name="mqtt-devices", daemon=True)

    def start(self) -> None:
        """Connect and begin to take messages."""
        self._link.start()
        self._thread.start()

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with other devices, on the same connection; what comes for those that stay is not touched by it. Any thread."""
        known = {device.settings.id: device for device in self._devices}
        devices = tuple(_same(known.get(device.settings.id), device) for device in self._devices_of(configuration))
        self._devices = devices
        self._successors.append(devices)
        self._link.nudge()
        if not devices:  # nobody may be there any more to do it later
            self._link.listen(())

    def _take_over(self) -> None:
        if not self._successors:
            return
        devices = self._successors.pop()
        self._by_topic = _by_topic(devices)
        self._last_words = {topic: word for topic, word in self._last_words.items() if topic in self._by_topic}
        self._presence.adopt(_patience_s(devices), now_s=self._monotonic())
        self._link.listen(sorted(self._by_topic))

    def stop(self) -> None:
        """End; what is not acknowledged the broker delivers again."""
        self._stop.set()
        self._link.nudge()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._link.stop()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Say something to a device, at least once; False without a connection. Says nothing about its arrival. Any thread."""
        return self._link.publish(topic, payload)

    def control(self, device: str) -> DeviceControl | None:
        """What acts on a device: it itself says whether anything does."""
        for each in self._devices:
            if each.settings.id == device:
                return each.control(self.publish)
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
            "faults": dict(figures.faults),
            "unanswered": figures.unanswered,
            "skew_s": {device: round(skew_s, 3) for device, skew_s in dict(figures.skew_s).items()},
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.MQTT_DEVICES)
                _log.exception("the source of devices over MQTT failed and goes on")
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
        batch = _Batch()
        for delivery in deliveries:
            batch.deliveries.append(delivery)
            if self._is_known_word(delivery):
                self.figures.retained += 1
                continue
            kept_at = self._kept.note(delivery)
            if kept_at is None:
                self._parse(delivery, batch.fresh, batch.answers)
            else:
                self.figures.repeated += 1
                self._parse_again(delivery, kept_at, batch)
            if batch.size >= READINGS_AT_ONCE:
                if not self._keep_and_acknowledge(batch):
                    return
                batch = _Batch()
        self._keep_and_acknowledge(batch)

    def _keep_and_acknowledge(self, batch: "_Batch") -> bool:
        """False when the stop came first."""
        told = list(self._states.changes(batch.fresh))
        if told or batch.again:
            if not self._keep_until_kept(Parcel(told, batch.again, self._receipts())):
                return False
            self._kept.settle()
        self._states.kept(told)
        self.figures.readings += len(told)
        for answer in batch.answers:
            if not self.publish(answer.topic, answer.payload):
                self.figures.unanswered += 1
        for delivery in batch.deliveries:
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

    def _parse_again(self, delivery: Delivery, kept_at: datetime, batch: "_Batch") -> None:
        """The readings as they were kept. They come now, though: rules tell a buffer that is played back by its pace."""
        readings: list[Reading] = []
        self._parse(replace(delivery, received_at=kept_at), readings, batch.answers)
        batch.again += [replace(reading, received_at=delivery.received_at) for reading in readings]

    def _parse(self, delivery: Delivery, readings: list[Reading], answers: list[Answer]) -> None:
        self.figures.messages += 1
        devices = self._by_topic.get(delivery.topic, ())
        if not devices:
            self.figures.unknown_topic += 1
        said = Said(
            delivery.topic, delivery.payload, delivery.received_at, self._correction(), retained=delivery.retained
        )
        for device in devices:
            try:
                parsed = device.parse(said)
            except Exception:  # noqa: BLE001 (a mistake in one kind must not hold up all others: the message would come again for ever)
                self.figures.faults[device.settings.id] += 1
                _log.exception("what a device said could not be read", device=device.settings.id)
                continue
            self._note(device.settings.id, parsed)
            if (parsed.readings or parsed.alive) and not delivery.retained:  # whoever said that may be gone since
                self._presence.heard(device.settings.id, self._monotonic())
            readings += parsed.readings
            answers += device.answers(said, parsed.readings)

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

    def _note(self, device: str, parsed: Parsed) -> None:
        for refusal in parsed.refusals:
            known = self.figures.refusals[device, refusal]
            self.figures.refusals[device, refusal] = known + 1
            if known & (known + 1) == 0:  # the 1st, 2nd, 4th, 8th …: a broken device does not flood the log
                _log.warning("part of a message was refused", device=device, reason=refusal, times=known + 1)
        if parsed.skew_s is not None:
            self.figures.skew_s[device] = parsed.skew_s
        if parsed.readings and ReadingFlag.CLAMPED in parsed.readings[0].flag:
            self.figures.clamped[device] += len(parsed.readings)
        if parsed.readings and ReadingFlag.REPLAYED in parsed.readings[0].flag:
            self.figures.replayed += len(parsed.readings)


@dataclass(slots=True)
class _Batch:
    """What shares one commit: readings that are new, those that were kept before, and what is due to brokers and devices after it."""

    fresh: list[Reading] = field(default_factory=list)
    again: list[Reading] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.fresh) + len(self.again)


def _by_topic(devices: Sequence[MqttDevice]) -> dict[str, list[MqttDevice]]:
    found: dict[str, list[MqttDevice]] = {}
    for device in devices:
        for topic in device.topics:
            found.setdefault(topic, []).append(device)
    return found


def _same(known: MqttDevice | None, made: MqttDevice) -> MqttDevice:
    """The device that is known already, where nothing of it has changed: who waits for its answer holds on to it."""
    return known if known is not None and type(known) is type(made) and known.settings == made.settings else made


def _patience_s(devices: Sequence[MqttDevice]) -> dict[str, float]:
    return {device.settings.id: device.patience_s for device in devices}

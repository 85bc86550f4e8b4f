"""One Modbus TCP gateway (Modbus 网关) and the devices behind it, in a thread of its own."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from edge.contract.telemetry import ReadingFlag
from edge.errors import Retryable
from edge.faults import FAULTS, Place
from edge.flow import Health, Parcel, Reading
from edge.settings.modbus import ModbusDeviceSettings, RegisterPoint
from edge.sources.modbus_link import Failed, Failure, Held, ModbusLink
from edge.sources.modbus_registers import Block, Value, value_of
from edge.sources.modbus_timetable import BackOff, Timetable, Turn, patience_s
from edge.sources.payload import Refusal, StateMemory
from edge.sources.presence import Presence

GATHERED_S: Final = 0.25
READINGS_AT_ONCE: Final = 1_000
"""What is read within this time, or so many readings, share one commit."""

TRY_AGAIN_S: Final = 1.0
LONGEST_PAUSE_S: Final = 1.0
_STOP_S: Final = 2.0

_log = structlog.get_logger(__name__)

Address = tuple[str, int]
StatusListener = Callable[[str, Health, str | None], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ModbusFigures:
    """What was done since the start; bounded by the number of devices."""

    reads: int = 0
    readings: int = 0
    unreachable: int = 0
    """Attempts to reach the gateway that failed."""
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[tuple[str, Failure]] = field(default_factory=Counter)
    exceptions: Counter[tuple[str, int]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a gateway's thread gets from the node."""

    keep: Callable[[Parcel], None]
    on_status: StatusListener
    clock: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random


class ModbusGateway:
    """The thread `modbus-<host>:<port>`: reads what is due of the devices behind one address, keeps it, and tells who answers."""

    def __init__(self, address: Address, devices: Sequence[ModbusDeviceSettings], around: Surroundings) -> None:
        self.figures = ModbusFigures()
        self._around = around
        self._address = address
        self._lock = threading.Lock()
        self._wanted: Sequence[ModbusDeviceSettings] | None = None
        self._devices = {device.id: device for device in devices}
        self._timetable = Timetable(around.jitter)
        self._timetable.adopt(devices, around.monotonic())
        self._presence = Presence(_patience(devices), started_s=around.monotonic())
        self._why: dict[str, str] = {}
        self._states = StateMemory()
        self._back_off = BackOff(around.jitter)
        self._not_before_s = 0.0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._link = ModbusLink(*address, max(device.timeout_s for device in devices))
        self._thread = threading.Thread(target=self._run, name=f"modbus-{address[0]}:{address[1]}"[:60], daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def adopt(self, devices: Sequence[ModbusDeviceSettings]) -> None:
        """Read these devices from the next turn on. Any thread."""
        with self._lock:
            self._wanted = devices
        self._wake.set()

    def stop(self, *, wait: bool = True) -> None:
        """End; a read that waits for its answer is broken off."""
        self._stop.set()
        self._wake.set()
        self._link.abort()
        if wait and self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.MODBUS)
                _log.exception("a Modbus gateway's thread failed and goes on", gateway=self._address[0])
                self._link.close()
                self._stop.wait(TRY_AGAIN_S)
        self._link.close()

    def _turn(self) -> None:
        self._take_over()
        readings = self._gather()
        if readings:
            self._keep(readings)
        now_s = self._around.monotonic()
        for device, health, reason in self._presence.changes(now_s, self._why):
            self._around.on_status(device, health, reason)
        due_s = self._timetable.next_due_s()
        pause_s = LONGEST_PAUSE_S if due_s is None else max(due_s, self._not_before_s) - now_s
        if pause_s > 0:
            self._wake.wait(min(pause_s, LONGEST_PAUSE_S))
            self._wake.clear()

    def _take_over(self) -> None:
        with self._lock:
            devices, self._wanted = self._wanted, None
        if not devices:
            return
        now_s = self._around.monotonic()
        self._devices = {device.id: device for device in devices}
        self._timetable.adopt(devices, now_s)
        self._presence.adopt(_patience(devices), now_s=now_s)
        self._why = {device: why for device, why in self._why.items() if device in self._devices}
        timeout_s = max(device.timeout_s for device in devices)
        if timeout_s != self._link.timeout_s:
            self._link.close()
            self._link = ModbusLink(*self._address, timeout_s)

    def _gather(self) -> list[Reading]:
        """What is due now, of one device after the other, for a quarter of a second."""
        began_s = self._around.monotonic()
        readings: list[Reading] = []
        while not self._stop.is_set() and len(readings) < READINGS_AT_ONCE:
            now_s = self._around.monotonic()
            if now_s < self._not_before_s or now_s - began_s > GATHERED_S:
                break
            if (self._timetable.next_due_s() or now_s) > now_s or not self._connected():
                break
            turn = self._timetable.take(self._around.monotonic())
            if turn is None:
                break
            readings += self._read(turn)
        return readings

    def _connected(self) -> bool:
        """Without a gateway nobody behind it is asked: it is tried again for all of them at once."""
        if self._link.connect():
            if self._back_off.failing:
                self._back_off.answered()
            return True
        self._not_before_s = self._around.monotonic() + self._back_off.failed()
        self.figures.unreachable += 1
        self._why = dict.fromkeys(self._devices, "its Modbus gateway can't be reached")
        return False

    def _read(self, turn: Turn) -> list[Reading]:
        readings: list[Reading] = []
        for block in turn.blocks:
            held = self._link.read(turn.device.unit, block)
            self.figures.reads += 1
            if isinstance(held, Failed) and held.failure is Failure.REFUSED and len(block.points) > 1:
                for single in block.singly:  # one address that the device does not have spoils the whole read
                    readings += self._taken(turn.device, single, self._link.read(turn.device.unit, single))
                continue
            if isinstance(held, Failed) and held.failure is not Failure.REFUSED:
                self._failed(turn.device, held)
                return readings
            readings += self._taken(turn.device, block, held)
        self._timetable.answered(turn.device.id)
        self._presence.heard(turn.device.id, self._around.monotonic())
        self._why.pop(turn.device.id, None)
        return readings

    def _failed(self, device: ModbusDeviceSettings, failed: Failed) -> None:
        self.figures.failures[device.id, failed.failure] += 1
        self._why[device.id] = f"no answer of unit {device.unit}: {failed.failure}"
        self._timetable.failed(device.id, self._around.monotonic())

    def _taken(self, device: ModbusDeviceSettings, block: Block, held: Held | Failed) -> list[Reading]:
        if isinstance(held, Failed):
            if held.code is not None:
                self.figures.exceptions[device.id, held.code] += 1
            self._refused(device.id, held.failure.value, len(block.points))
            return []
        at = self._around.clock()
        readings: list[Reading] = []
        for point in block.points:
            value = value_of(point, block, held)
            if isinstance(value, Refusal):
                self._refused(device.id, value.value, 1)
            else:
                readings.append(_reading(device, point, value, at))
        return readings

    def _refused(self, device: str, reason: str, times: int) -> None:
        known = self.figures.refusals[device, reason]
        self.figures.refusals[device, reason] = known + times
        if known & (known + 1) == 0:  # the 1st, 2nd, 4th, 8th …
            _log.warning("registers were refused", device=device, reason=reason, times=known + times)

    def _keep(self, readings: Sequence[Reading]) -> None:
        told = list(self._states.changes(readings))
        while told and not self._stop.is_set():
            try:
                self._around.keep(Parcel(told))
            except Retryable as error:
                _log.error("readings wait for room", reason=str(error), readings=len(told))
                self._stop.wait(TRY_AGAIN_S)
            else:
                self._states.kept(told)
                self.figures.readings += len(told)
                return


def _patience(devices: Sequence[ModbusDeviceSettings]) -> dict[str, float]:
    return {device.id: patience_s(device) for device in devices}


def _reading(device: ModbusDeviceSettings, point: RegisterPoint, value: Value, at: datetime) -> Reading:
    return Reading(
        device=device.id,
        point=point.declared.name,
        observed_at=at,
        value=value.value,
        received_at=at,
        flag=ReadingFlag.SIMULATED if device.simulated else ReadingFlag.NONE,
        raw_code=value.raw_code,
    )

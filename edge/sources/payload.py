"""From the bytes of a sensor's message to readings: every value is checked against what was declared. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from edge.contract.fields import LARGEST_VALUE, shifted
from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings import DeviceSettings, PointSettings, SensorSettings

LARGEST_PAYLOAD_BYTES = 64 * 1024
LONGEST_STATE = 200
FUTURE_TOLERANCE_S = 2.0
"""So far a device's clock may be ahead before its time is replaced by the node's."""

REPLAYED_AFTER_S = 60.0
"""A device that sends something older than this replays."""

OLDEST = timedelta(days=366)
"""A time before that is a clock that was never set, and so is one before 1970, whatever the node's own clock says."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 100_000_000_000
"""Numbers above are milliseconds since 1970, below seconds (the year 5138)."""


class Refusal(StrEnum):
    """Why something of a message was not taken."""

    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIME = "bad_time"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a message held. `skew_s` is device time minus node time, where the device told its time; `alive`: it shows that the device is
    there, also without a reading.
    """

    readings: tuple[Reading, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    skew_s: float | None = None
    alive: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """When a message's values were observed."""

    observed_at: datetime
    device_at: datetime | None = None
    flag: ReadingFlag = ReadingFlag.NONE
    own_time: bool = False
    refusals: tuple[Refusal, ...] = ()

    def skew_s(self, received_at: datetime, correction: timedelta) -> float | None:
        """Device time minus true time, where the device told its time."""
        return None if self.device_at is None else (self.device_at - received_at - correction).total_seconds()


def parse(
    payload: bytes,
    sensor: SensorSettings,
    received_at: datetime,
    *,
    correction: timedelta = timedelta(0),
    retained: bool = False,
) -> Parsed:
    """Read one message, received at `received_at` (node time; the true time is `correction` later). Whatever it holds, this
    raises nothing: what can't be taken is named in `refusals`. What happened in one that was `retained` may be long ago.
    """
    message = decoded(payload)
    if isinstance(message, Refusal):
        return Parsed(refusals=(message,))
    moment = moment_of(message, sensor.time, received_at, correction)
    readings: list[Reading] = []
    refusals = list(moment.refusals)
    for point in sensor.points:
        value = value_at(message, point)
        if isinstance(value, Refusal):
            refusals.append(value)
        elif value is not None:
            readings.append(
                reading_of(sensor, point, value, moment, received_at, stale=retained and not moment.own_time)
            )
    if len(readings) > 0:
        refusals = [refusal for refusal in refusals if refusal is not Refusal.MISSING]
    return Parsed(tuple(readings), tuple(refusals), moment.skew_s(received_at, correction))


def decoded(payload: bytes) -> Any:
    """The JSON value of a payload, or the Refusal that says why there is none."""
    if len(payload) > LARGEST_PAYLOAD_BYTES:
        return Refusal.OVERSIZED
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return Refusal.MALFORMED


def reading_of(
    device: DeviceSettings,
    point: PointSettings,
    value: float | str,
    moment: Moment,
    received_at: datetime,
    *,
    raw_code: str | None = None,
    stale: bool = False,
) -> Reading:
    """A reading of a declared point. Where it is `stale` (nobody knows when it was said), an occurrence is history."""
    is_event = point.kind == "event"
    flag = moment.flag | (ReadingFlag.SIMULATED if device.simulated else ReadingFlag.NONE)
    return Reading(
        device=device.id,
        point=point.name,
        observed_at=moment.observed_at,
        value=value,
        received_at=received_at,
        device_at=moment.device_at,
        flag=flag | (ReadingFlag.REPLAYED if stale and is_event else ReadingFlag.NONE),
        own_time=moment.own_time,
        raw_code=raw_code,
        is_event=is_event,
    )


def at_path(message: Any, path: str) -> Any:
    """The value at `a.b.0` in decoded JSON, or `Refusal.MISSING`."""
    value = message
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return Refusal.MISSING
    return value


def value_at(message: Any, point: PointSettings) -> float | str | Refusal | None:
    """What stands at a point's path. None: of an event that it has not occurred."""
    value = at_path(message, point.path or point.name)
    if value is Refusal.MISSING or value is None:
        return Refusal.MISSING
    if point.kind == "number":
        return number(value, point)
    return occurrence(value) if point.kind == "event" else state(value)


def number(value: Any, point: PointSettings) -> float | Refusal:
    """A finite number within the point's range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Refusal.WRONG_TYPE
    try:
        number = float(value)
    except OverflowError:
        return Refusal.OUT_OF_RANGE
    too_low = point.minimum is not None and number < point.minimum
    too_high = point.maximum is not None and number > point.maximum
    return Refusal.OUT_OF_RANGE if too_low or too_high or not abs(number) <= LARGEST_VALUE else number


def state(value: Any) -> str | Refusal:
    """A word, a truth value or a whole number, as a word of bounded length."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 63 else Refusal.OUT_OF_RANGE
    if not isinstance(value, str):
        return Refusal.WRONG_TYPE
    return value if len(value) <= LONGEST_STATE and "\0" not in value else Refusal.OUT_OF_RANGE


def occurrence(value: Any) -> str | Refusal | None:
    """What occurred, as a word. A device that says with each message that nothing has (`false`, `0`, an empty word) tells no event."""
    if value in (False, 0, ""):
        return None
    return state(value)


def moment_of(message: Any, path: str | None, received_at: datetime, correction: timedelta) -> Moment:
    """The device's time at `path` where it is plausible; a future one is clamped and flagged, one that can't be is refused."""
    if path is None:
        return Moment(received_at)
    device_at = _instant(at_path(message, path))
    now = shifted(received_at, correction)
    if device_at is None or device_at < _EPOCH or now - device_at > OLDEST:
        return Moment(received_at, refusals=(Refusal.BAD_TIME,))
    ahead_s = (device_at - now).total_seconds()
    if ahead_s > FUTURE_TOLERANCE_S:
        return Moment(received_at, device_at, ReadingFlag.CLAMPED)
    if ahead_s > 0:
        return Moment(received_at, device_at)
    flag = ReadingFlag.REPLAYED if -ahead_s > REPLAYED_AFTER_S else ReadingFlag.NONE
    return Moment(shifted(device_at, -correction), device_at, flag, own_time=True)


def _instant(value: Any) -> datetime | None:
    """ISO 8601 with a zone, or seconds or milliseconds since 1970."""
    try:
        if isinstance(value, str):
            instant = datetime.fromisoformat(value)
            return None if instant.tzinfo is None else instant.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _state_told(reading: Reading) -> str | None:
    """The state that a reading tells as of now; None where it is a number, an occurrence, or told late."""
    if isinstance(reading.value, float) or reading.is_event or ReadingFlag.REPLAYED in reading.flag:
        return None
    return reading.value


def _is_replayed_state(reading: Reading) -> bool:
    return isinstance(reading.value, str) and not reading.is_event and ReadingFlag.REPLAYED in reading.flag


class StateMemory:
    """The last kept state of each declared point, so that only changes are told. Bounded by the configuration."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str | None] = {}

    def changes(self, readings: Sequence[Reading]) -> Iterator[Reading]:
        """Numbers, events, replayed states, and those states that differ from the one before. After another state was replayed the
        present one is told, also where it was told before: whoever listens has heard the other one since.
        """
        seen: dict[tuple[str, str], str | None] = {}
        for reading in readings:
            key, state = (reading.device, reading.point), _state_told(reading)
            if state is not None:
                if seen.get(key, self._last.get(key)) == state:
                    continue
                seen[key] = state
            elif _is_replayed_state(reading):
                seen[key] = None
            yield reading

    def kept(self, readings: Sequence[Reading]) -> None:
        """These are committed."""
        for reading in readings:
            state = _state_told(reading)
            if state is not None or _is_replayed_state(reading):
                self._last[reading.device, reading.point] = state

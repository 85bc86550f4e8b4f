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
from edge.settings import PointSettings, SensorSettings

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
    """What a message held. `skew_s` is device time minus node time, where the device told its time."""

    readings: tuple[Reading, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Moment:
    """When a message's values were observed."""

    observed_at: datetime
    device_at: datetime | None = None
    flag: ReadingFlag = ReadingFlag.NONE
    own_time: bool = False
    refusals: tuple[Refusal, ...] = ()


def parse(
    payload: bytes, sensor: SensorSettings, received_at: datetime, *, correction: timedelta = timedelta(0)
) -> Parsed:
    """Read one message, received at `received_at` (node time; the true time is `correction` later). Whatever it holds, this
    raises nothing: what can't be taken is named in `refusals`.
    """
    if len(payload) > LARGEST_PAYLOAD_BYTES:
        return Parsed(refusals=(Refusal.OVERSIZED,))
    try:
        message = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return Parsed(refusals=(Refusal.MALFORMED,))
    moment = _moment(message, sensor, received_at, correction)
    readings: list[Reading] = []
    refusals = list(moment.refusals)
    for point in sensor.points:
        value = _value(message, point)
        if isinstance(value, Refusal):
            refusals.append(value)
            continue
        readings.append(
            Reading(
                device=sensor.id,
                point=point.name,
                observed_at=moment.observed_at,
                value=value,
                received_at=received_at,
                device_at=moment.device_at,
                flag=moment.flag | (ReadingFlag.SIMULATED if sensor.simulated else ReadingFlag.NONE),
                own_time=moment.own_time,
                is_event=point.kind == "event",
            )
        )
    if len(readings) > 0:
        refusals = [refusal for refusal in refusals if refusal is not Refusal.MISSING]
    skew_s = None if moment.device_at is None else (moment.device_at - received_at - correction).total_seconds()
    return Parsed(tuple(readings), tuple(refusals), skew_s)


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


def _value(message: Any, point: PointSettings) -> float | str | Refusal:
    value = at_path(message, point.path or point.name)
    if value is Refusal.MISSING or value is None:
        return Refusal.MISSING
    return _number(value, point) if point.kind == "number" else _state(value)


def _number(value: Any, point: PointSettings) -> float | Refusal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Refusal.WRONG_TYPE
    try:
        number = float(value)
    except OverflowError:
        return Refusal.OUT_OF_RANGE
    too_low = point.minimum is not None and number < point.minimum
    too_high = point.maximum is not None and number > point.maximum
    return Refusal.OUT_OF_RANGE if too_low or too_high or not abs(number) <= LARGEST_VALUE else number


def _state(value: Any) -> str | Refusal:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 63 else Refusal.OUT_OF_RANGE
    if not isinstance(value, str):
        return Refusal.WRONG_TYPE
    return value if len(value) <= LONGEST_STATE and "\0" not in value else Refusal.OUT_OF_RANGE


def _moment(message: Any, sensor: SensorSettings, received_at: datetime, correction: timedelta) -> _Moment:
    """The device's time where it is plausible; a future one is clamped and flagged, one that can't be is refused."""
    if sensor.time is None:
        return _Moment(received_at)
    device_at = _instant(at_path(message, sensor.time))
    now = shifted(received_at, correction)
    if device_at is None or device_at < _EPOCH or now - device_at > OLDEST:
        return _Moment(received_at, refusals=(Refusal.BAD_TIME,))
    ahead_s = (device_at - now).total_seconds()
    if ahead_s > FUTURE_TOLERANCE_S:
        return _Moment(received_at, device_at, ReadingFlag.CLAMPED)
    if ahead_s > 0:
        return _Moment(received_at, device_at)
    flag = ReadingFlag.REPLAYED if -ahead_s > REPLAYED_AFTER_S else ReadingFlag.NONE
    return _Moment(shifted(device_at, -correction), device_at, flag, own_time=True)


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


class StateMemory:
    """The last kept state of each declared point, so that only changes are told. Bounded by the configuration."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str] = {}

    def changes(self, readings: Sequence[Reading]) -> Iterator[Reading]:
        """Numbers, events, replayed states, and those states that differ from the one before."""
        seen: dict[tuple[str, str], str] = {}
        for reading in readings:
            key, state = (reading.device, reading.point), _state_told(reading)
            if state is not None:
                if seen.get(key, self._last.get(key)) == state:
                    continue
                seen[key] = state
            yield reading

    def kept(self, readings: Sequence[Reading]) -> None:
        """These are committed."""
        for reading in readings:
            state = _state_told(reading)
            if state is not None:
                self._last[reading.device, reading.point] = state

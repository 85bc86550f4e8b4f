"""Smart terminals (智慧社区服务终端): what their messages say, and what a call for help is answered. Pure.

A post in distress is answered once its call is kept, not before; it may repeat the call until then. What a terminal means by a
word that nobody knows counts as the alarm, with the word beside it: it is the one mistake that can be put right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from edge.flow import DeviceControl, Reading
from edge.settings import NodeConfiguration, PointSettings
from edge.settings.terminals import ALARM, ALARM_STATES, HEARTBEAT, NORMAL, PRESSED, SOS, TerminalSettings
from edge.sources.mqtt_device import SILENT_PERIODS, Answer, MqttDevice, Publish, Said
from edge.sources.payload import (
    Moment,
    Parsed,
    Refusal,
    at_path,
    decoded,
    moment_of,
    number,
    reading_of,
    state,
    value_at,
)

_QUIET: Final = frozenset(
    {"", "0", "false", "no", "none", "off", "ok", "normal", "idle", "released", "closed", "secure"}
)
"""What terminals say of an alarm that is none, in lower case."""

_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal."""

    settings: TerminalSettings

    @property
    def topics(self) -> Sequence[str]:
        """Where it speaks."""
        return self.settings.topics

    @property
    def patience_s(self) -> float:
        """Three heartbeats."""
        return max(10.0, SILENT_PERIODS * self.settings.heartbeat_s)

    def parse(self, said: Said) -> Parsed:
        """Every message that is one is a sign of life, also where nothing in it is a reading."""
        message = decoded(said.payload)
        if isinstance(message, Refusal):
            return Parsed(refusals=(message,))
        if not isinstance(message, dict):
            return Parsed(refusals=(Refusal.MALFORMED,))
        moment = self._moment(message, said)
        readings: list[Reading] = []
        refusals = list(moment.refusals)
        for point in self.settings.declared:
            value, raw_code = _told(message, point)
            if isinstance(value, Refusal):
                refusals += [value] if value is not Refusal.MISSING else []
            elif value is not None:
                stale = said.retained and not moment.own_time
                readings.append(
                    reading_of(self.settings, point, value, moment, said.received_at, raw_code=raw_code, stale=stale)
                )
        skew_s = moment.skew_s(said.received_at, said.correction)
        return Parsed(tuple(readings), tuple(refusals), skew_s, alive=True)

    def _moment(self, message: Any, said: Said) -> Moment:
        """A terminal without a clock is none that has a wrong one."""
        has_time = at_path(message, self.settings.time) is not Refusal.MISSING
        return moment_of(message, self.settings.time if has_time else None, said.received_at, said.correction)

    def answers(self, said: Said, kept: Sequence[Reading]) -> Sequence[Answer]:
        """A call for help is acknowledged, by the name that the terminal gave it."""
        if said.retained or not any(reading.point == SOS and reading.is_event for reading in kept):
            return ()
        answer = {"acknowledged": SOS, "id": _message_id(decoded(said.payload), self.settings.message_id)}
        return (Answer(self.settings.acknowledged_on, msgspec.json.encode(answer)),)

    def control(self, publish: Publish) -> DeviceControl | None:  # noqa: ARG002
        """Terminals take no orders."""
        return None


def terminal_devices(configuration: NodeConfiguration) -> tuple[MqttDevice, ...]:
    """The terminals of a configuration."""
    return tuple(Terminal(terminal) for terminal in configuration.terminals)


def _told(message: Any, point: PointSettings) -> tuple[float | str | Refusal | None, str | None]:
    """What a point says, and the terminal's own word for it where that is another one."""
    value = at_path(message, point.path or point.name)
    if point.name == HEARTBEAT:
        return _counted(value, point), None
    if value is Refusal.MISSING or value is None:
        return Refusal.MISSING, None
    if point.name == SOS and point.kind == "event":
        return _named(value, PRESSED, None)
    if point.name in ALARM_STATES and point.kind == "state":
        return _named(value, ALARM, NORMAL)
    return value_at(message, point), None


def _counted(value: Any, point: PointSettings) -> float | Refusal | None:
    """A heartbeat may count, or just be there."""
    return number(value, point) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _named(value: Any, alarm: str, quiet: str | None) -> tuple[str | Refusal | None, str | None]:
    if isinstance(value, dict | list):
        return (alarm if value else quiet), None  # details of a call, or none
    word = str(int(value)) if isinstance(value, float) and value.is_integer() else state(value)
    if isinstance(word, Refusal):
        return alarm, None  # whatever it was, it was no word for quiet
    return (quiet if word.strip().lower() in _QUIET else alarm), word


def _message_id(message: Any, path: str) -> str | int | None:
    name = at_path(message, path)
    if isinstance(name, str) and len(name) <= _LONGEST_ID:
        return name
    return name if isinstance(name, int) and not isinstance(name, bool) and abs(name) < 1 << 63 else None

"""Piles for electric bicycles (电动自行车充电桩): a vendor's JSON, read by its map; and the order to stop, as the vendor wants it. Pure but for
the wait for an answer.
"""

import secrets
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from edge.contract.device_command import DeviceAction
from edge.contract.safety import NONE, SafetyFault, joined
from edge.errors import CommandRefused, DeviceBusy, DeviceUnreachable
from edge.flow import DeviceControl, Reading
from edge.settings import NodeConfiguration, PointSettings
from edge.settings.ebike import PILE_ITSELF, EbikePileSettings
from edge.settings.ebike_map import EbikeCodes, EbikeMessage, EbikeOrder, EbikeStatus, EbikeStop, EbikeValue
from edge.sources.mqtt_device import Answer, MqttDevice, Publish, Said
from edge.sources.payload import (
    Parsed,
    Refusal,
    at_path,
    decoded,
    moment_of,
    number,
    reading_of,
    state,
)

MOST_ITEMS: Final = 64
"""Sockets in one message; what comes behind them is left alone."""

MOST_CODES: Final = 32
_LONGEST_CODE: Final = 100
_PLACES: Final = 6
"""A scale of 0.001 leaves dust behind them."""

MOST_ORDERS: Final = 64
"""Orders of one pile that wait for their answers."""

TURN_S: Final = 5.0
"""So long an answer is waited for at the least that no name tells from others, while other orders wait for their turn."""

_UNKNOWN_STATUS: Final = "unavailable"


@dataclass(slots=True)
class _Pending:
    """An order that waits for its answer."""

    name: str
    result: str | None = None


class _Orders:
    """The orders of one pile that wait for their answers. Where an answer repeats the name of its order, all that are wanted go out at once: a
    box that is hot stops all its sockets together. Where it does not, they take turns. Any thread.
    """

    def __init__(self, *, named: bool, turn_s: float) -> None:
        self._named, self._turn_s = named, turn_s
        self._changed = threading.Condition()
        self._pending: dict[str, _Pending] = {}
        self._waiting = 0

    @contextmanager
    def begun(self, name: str, wait_s: float) -> Iterator[_Pending]:
        """An order that may be sent now. Raises DeviceBusy where others stand before it all the time."""
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                if not self._changed.wait_for(lambda: len(self._pending) < self._most, wait_s):
                    raise DeviceBusy(f"other orders stood before it for {wait_s:.0f} s")
            finally:
                self._waiting -= 1
            pending = self._pending[name] = _Pending(name)
        try:
            yield pending
        finally:
            with self._changed:
                del self._pending[name]
                self._changed.notify_all()

    def answer(self, pending: _Pending, wait_s: float) -> str | None:
        """What was answered; None where nothing was in time."""
        with self._changed:
            sure_s = min(wait_s, self._turn_s)
            if not self._changed.wait_for(lambda: pending.result is not None, sure_s):
                self._changed.wait_for(
                    lambda: pending.result is not None or (self._waiting > 0 and not self._named), wait_s - sure_s
                )
            return pending.result

    def answered(self, name: str | None, result: str) -> None:
        """The pile answers the order of that name, or the one that is under way."""
        with self._changed:
            pending = self._pending.get(name or "") if self._named else next(iter(self._pending.values()), None)
            if pending is not None and pending.result is None:
                pending.result = result
                self._changed.notify_all()

    @property
    def _most(self) -> int:
        return MOST_ORDERS if self._named else 1


class EbikePile:
    """One pile. What `parse` does besides reading is to wake whoever waits for an answer."""

    def __init__(self, settings: EbikePileSettings, *, turn_s: float = TURN_S) -> None:
        self.settings = settings
        self._points: Mapping[str, PointSettings] = {point.name: point for point in settings.declared}
        order = settings.map.stop
        self.orders = _Orders(named=order is not None and order.answer_order is not None, turn_s=turn_s)

    @property
    def topics(self) -> Sequence[str]:
        """Where it speaks."""
        return self.settings.topics

    @property
    def patience_s(self) -> float:
        """As configured."""
        return self.settings.silent_s

    def parse(self, said: Said) -> Parsed:
        """Each kind of message that fits; a message that is JSON is a sign of life."""
        message = decoded(said.payload)
        if isinstance(message, Refusal):
            return Parsed(refusals=(message,))
        if not isinstance(message, dict):
            return Parsed(refusals=(Refusal.MALFORMED,))
        self._note_answer(message, said)
        readings: list[Reading] = []
        refusals: list[Refusal] = []
        skew_s = None
        for kind in self.settings.map.messages:
            if not _holds(message, kind.when):
                continue
            moment = moment_of(message, kind.time, said.received_at, said.correction)
            refusals += moment.refusals
            skew_s = moment.skew_s(said.received_at, said.correction)
            stale = said.retained and not moment.own_time
            for name, value, raw_code in self._told(message, kind, refusals):
                point = self._points[name]
                reading = reading_of(
                    self.settings, point, value, moment, said.received_at, raw_code=raw_code, stale=stale
                )
                readings.append(reading)
        return Parsed(tuple(readings), tuple(refusals), skew_s, alive=True)

    def answers(self, said: Said, kept: Sequence[Reading]) -> Sequence[Answer]:  # noqa: ARG002
        """Nothing is said in return."""
        return ()

    def control(self, publish: Publish) -> DeviceControl | None:
        """What stops a charge, where the map says how."""
        order = self.settings.map.stop
        return None if order is None else _Control(self, order, publish)

    def _told(
        self, message: Any, kind: EbikeMessage, refusals: list[Refusal]
    ) -> Iterator[tuple[str, float | str, str | None]]:
        """Point, value and raw code of all that a message of a kind holds."""
        if not kind.is_of_sockets:
            yield from self._of(message, kind, "", refusals)
            return
        items = [message] if kind.sockets is None else at_path(message, kind.sockets)
        if not isinstance(items, list):
            refusals.append(Refusal.WRONG_TYPE)
            return
        for index, item in enumerate(items[:MOST_ITEMS]):
            socket = self._socket(item, kind, index)
            if isinstance(socket, Refusal):
                refusals.append(socket)
            else:
                yield from self._of(item, kind, f".{socket}", refusals)

    def _socket(self, item: Any, kind: EbikeMessage, index: int) -> int | Refusal:
        """Which socket an item is about, counted from 1."""
        told = index + self.settings.map.first_socket if kind.number is None else at_path(item, kind.number)
        if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 4:
            told = int(told)
        if isinstance(told, bool) or not isinstance(told, int):
            return Refusal.MISSING if told is Refusal.MISSING else Refusal.WRONG_TYPE
        socket = told - self.settings.map.first_socket + 1
        return socket if 1 <= socket <= self.settings.sockets else Refusal.OUT_OF_RANGE

    def _of(
        self, item: Any, kind: EbikeMessage, suffix: str, refusals: list[Refusal]
    ) -> Iterator[tuple[str, float | str, str | None]]:
        for quantity, value in kind.values.items():
            point = self._points[f"{quantity}{suffix or PILE_ITSELF}"]
            measured = _measured(item, value, point)
            if isinstance(measured, float):
                yield point.name, measured, None
            elif measured is not Refusal.MISSING:
                refusals.append(measured)
        if kind.status is not None and (status := _status(item, kind.status)) is not None:
            yield f"status{suffix}", status, None
        if kind.charge is not None and (charge := _charge(item, kind.charge)) is not None:
            yield f"charging{suffix}", charge, None
        if kind.faults is not None and (found := _faults(item, kind.faults)) is not None:
            members, code = found
            yield f"faults{suffix}", joined(members), code
            yield f"raw_code{suffix}", code or NONE, None
        if kind.stop is not None and (stop := _stop(item, kind.stop)) is not None:
            value_, code = stop
            yield f"stop_reason{suffix}", value_, code
            yield f"stop_code{suffix}", code, None

    # --- orders ---------------------------------------------------------------------------------------------------

    def _note_answer(self, message: Any, said: Said) -> None:
        order = self.settings.map.stop
        if order is None or said.retained or not (order.answer_when or order.answer_order):
            return
        if not _holds(message, order.answer_when):
            return
        name = None if order.answer_order is None else _code(at_path(message, order.answer_order))
        result = None if order.answer_result is None else _code(at_path(message, order.answer_result))
        self.orders.answered(name, result or "")


@dataclass(frozen=True, slots=True)
class _Control:
    """Stops a charge on one pile. Any thread."""

    pile: EbikePile
    order: EbikeOrder
    publish: Publish

    def actions(self, device: str) -> Collection[DeviceAction]:
        """A charge can be stopped, nothing else."""
        return (DeviceAction.STOP_CHARGE,) if device == self.pile.settings.id else ()

    def act(
        self,
        device: str,
        action: DeviceAction,
        arguments: Mapping[str, Any],
        *,
        connector: int | None = None,
        wait_s: float,
    ) -> dict[str, Any]:
        """See `DeviceControl`. Of a vendor whose piles answer nothing it says that the order was sent."""
        settings = self.pile.settings
        if action is not DeviceAction.STOP_CHARGE or device != settings.id:
            raise CommandRefused(f"{settings.id} can't be asked to {action}")
        if arguments:
            raise CommandRefused(f"{action} takes no arguments")
        if connector is None or not 1 <= connector <= settings.sockets:
            raise CommandRefused(f"say which of the {settings.sockets} sockets is meant")
        name = secrets.token_hex(8)
        if self.order.answer_result is None:
            self._send(connector, name)
            return {"result": "sent", "connector": connector}
        until_s = time.monotonic() + wait_s
        with self.pile.orders.begun(name, wait_s) as pending:
            self._send(connector, name)
            result = self.pile.orders.answer(pending, max(0.0, until_s - time.monotonic()))
        if result is None:
            raise DeviceUnreachable(f"the pile did not answer in time ({wait_s:.0f} s at most)")
        if result not in self.order.accepted:
            raise CommandRefused(f"the pile does not stop socket {connector}: its answer is {result!r}")
        return {"result": "accepted", "connector": connector}

    def _send(self, connector: int, name: str) -> None:
        settings = self.pile.settings
        payload = filled(self.order.payload, connector - 1 + settings.map.first_socket, name)
        if not self.publish(self.order.topic.replace("{id}", settings.id), msgspec.json.encode(payload)):
            raise DeviceUnreachable("the local broker is not connected")


def filled(template: Any, socket: int, order: str) -> Any:
    """A payload with the socket's number and the order's name in their places. Only whole texts are places, so that nothing is spliced."""
    match template:
        case "{socket}":
            return socket
        case "{order}":
            return order
        case dict():
            return {key: filled(value, socket, order) for key, value in template.items()}
        case list():
            return [filled(value, socket, order) for value in template]
    return template


def ebike_devices(configuration: NodeConfiguration) -> tuple[MqttDevice, ...]:
    """The piles for electric bicycles of a configuration."""
    return () if configuration.ebike is None else tuple(EbikePile(pile) for pile in configuration.ebike.piles)


def _holds(message: Any, when: Mapping[str, str]) -> bool:
    return all(_code(at_path(message, path)) == code for path, code in when.items())


def _code(value: Any) -> str | None:
    """A code as a text: whole numbers and truth values too; None for what is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = state(value)
    return None if isinstance(word, Refusal) or len(word) > _LONGEST_CODE else word


def _measured(item: Any, value: EbikeValue, point: PointSettings) -> float | Refusal:
    told = at_path(item, value.path)
    if told is Refusal.MISSING or told is None:
        return Refusal.MISSING
    if isinstance(told, str):
        try:
            told = float(told) if len(told) <= _LONGEST_CODE else told
        except ValueError:
            return Refusal.WRONG_TYPE
    if isinstance(told, bool) or not isinstance(told, int | float):
        return Refusal.WRONG_TYPE
    try:
        return number(round(told * value.scale + value.offset, _PLACES), point)
    except OverflowError:
        return Refusal.OUT_OF_RANGE


def _status(item: Any, status: EbikeStatus) -> str | None:
    """None where it is not told at all."""
    told = at_path(item, status.path)
    return None if told is Refusal.MISSING or told is None else status.words.get(_code(told) or "", _UNKNOWN_STATUS)


def _charge(item: Any, path: str) -> str | None:
    told = at_path(item, path)
    if told is Refusal.MISSING:
        return None
    return NONE if told in (None, "", 0, False) else _code(told)


def _faults(item: Any, settings: EbikeCodes) -> tuple[frozenset[SafetyFault], str | None] | None:
    """What is wrong, and in the vendor's words; None where nothing is told of it."""
    told = at_path(item, settings.path)
    if told is Refusal.MISSING or told is None:
        return None
    if settings.bits:
        codes = _bits(told)
    else:
        codes = [_code(each) or "?" for each in (told if isinstance(told, list) else [told])[:MOST_CODES]]
    named = codes if settings.bits else [code for code in codes if code not in settings.quiet]
    members = frozenset(settings.codes.get(code, SafetyFault.OTHER) for code in named)
    return members, ("bits " if settings.bits else "") + ",".join(named) if named else None


def _bits(told: Any) -> list[str]:
    """The numbers of the bits that are set; what is no number is a code of its own."""
    code = _code(told)
    if code is None or not code.isascii() or not code.isdigit():
        return ["?"]
    bits = int(code)
    return [str(bit) for bit in range(min(bits.bit_length(), MOST_CODES)) if bits >> bit & 1]


def _stop(item: Any, stop: EbikeStop) -> tuple[str, str] | None:
    """The event's value and the vendor's code."""
    told = at_path(item, stop.path)
    if told is Refusal.MISSING or told is None:
        return None
    code = _code(told) or "?"
    return stop.words.get(code) or stop.codes.get(code, SafetyFault.OTHER).value, code

"""What a station's messages mean for its pile: readings, answers, and what has to be remembered. Pure.

`hear` decides and changes nothing that matters; once the readings and marks are kept, `settle` remembers them, and only then may the answer go
out. A message that could not be kept was never heard: the station sends it again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from ocpp.v16.enums import Action

from edge.contract.safety import NONE
from edge.contract.telemetry import ReadingFlag
from edge.flow import FirmwareTold, Reading
from edge.settings.device import PointSettings
from edge.settings.ocpp import OcppPileSettings, Quantity
from edge.sources.ocpp import faults, meter
from edge.sources.ocpp.frames import Call, ErrorCode
from edge.sources.ocpp.messages import MOST_TIMES, Boot, Heard, Message, connector_of, content_of, number_of, times_of
from edge.sources.ocpp.station_clock import Moment, StationClock, instant
from edge.sources.ocpp.transactions import Transaction, TransactionBook
from edge.sources.payload import LONGEST_STATE, Refusal

UNDECLARED: Final = "undeclared_connector"


class Pile:
    """One configured pile. `transactions` is that of all piles."""

    def __init__(self, settings: OcppPileSettings, transactions: TransactionBook, *, heartbeat_s: int) -> None:
        self.clock = StationClock()
        self._transactions = transactions
        self._states: dict[str, tuple[str, str | None]] = {}
        self._boot_told: tuple[Boot, datetime] | None = None
        self._started_at: datetime | None = None
        self._installation_told: tuple[str, datetime] | None = None
        self.adopt(settings, heartbeat_s=heartbeat_s)

    def adopt(self, settings: OcppPileSettings, *, heartbeat_s: int) -> None:
        """Go on with other settings; what is known stays known."""
        self.settings = settings
        self._heartbeat_s = heartbeat_s
        self._points: Mapping[str, PointSettings] = {point.name: point for point in settings.declared}
        self._states = {point: told for point, told in self._states.items() if point in self._points}

    def hear(self, call: Call, received_at: datetime, correction: timedelta = timedelta(0)) -> Heard:
        """What a call means that came at `received_at` (node time; the true time is `correction` later). Whatever it holds, this raises
        nothing.
        """
        handler = self._handlers.get(call.action)
        if handler is None:
            known = call.action in set(Action)
            code = ErrorCode.NOT_IMPLEMENTED if known else ErrorCode.NOT_SUPPORTED
            return Heard(error=(code, f"nothing here answers {call.action}"), refused=("unknown_action",))
        message = Message(call.message_id, call.payload, received_at, correction)
        times = [at for at in times_of(call.payload) if at is not None]
        self.clock.hear(max(times, default=None), received_at, correction)
        return handler(self, message)

    def settle(self, heard: Heard) -> None:
        """Its readings and marks are kept."""
        for mark in heard.marks:
            self._transactions.settle(mark)
        for reading in heard.readings:
            if self._is_state(reading):
                self._states[reading.point] = str(reading.value), reading.raw_code
            else:  # history is told as it was; what holds now has to be told again after it
                self._states.pop(reading.point, None)
        if heard.boot is not None and heard.told_at is not None:
            self._boot_told = heard.boot, heard.told_at
            self._started_at = heard.told_at if heard.is_start else self._started_at
        if heard.firmware_status is not None and heard.told_at is not None:
            self._installation_told = heard.firmware_status, heard.told_at

    def charging(self, now: datetime) -> list[Reading]:
        """The charges that were under way when the node was last there, as they were told then: for rules that have to see them again."""
        return [
            self._reading(f"charging.{charge.connector}", str(charge.number), Moment(charge.started_at, now))
            for charge in self._transactions.open_of(self.settings.id)
            if f"charging.{charge.connector}" in self._points
        ]

    def transaction_on(self, connector: int | None) -> int | None:
        """The number of the charge on a connector, on any without one; None where none is known."""
        open_ = {charge.connector: charge.number for charge in self._transactions.open_of(self.settings.id)}
        for number in range(1, self.settings.connectors + 1) if connector is None else (connector,):
            told, _ = self._states.get(f"charging.{number}", (NONE, None))
            if number in open_:
                return open_[number]
            if told != NONE and told.isdigit():
                return int(told)
        return None

    def firmware(self, *, is_connected: bool, address: str | None, told_of: Collection[int] = ()) -> FirmwareTold:
        """What the pile told of its firmware since the node began to listen. `told_of`: the connectors of which it told over its present
        connection; what it told before says nothing of what has begun since.
        """
        boot, booted_at = self._boot_told or (Boot("", "", ""), None)
        status, status_at = self._installation_told or (None, None)
        states = [
            self._states.get(f"status.{number}", ("", None))[0] if number in told_of else ""
            for number in range(1, self.settings.connectors + 1)
        ]
        return FirmwareTold(
            vendor=boot.vendor,
            model=boot.model,
            version=boot.version,
            booted_at=booted_at,
            started_at=self._started_at,
            status=status,
            status_at=status_at,
            is_connected=is_connected,
            # a connector of which nothing is known may charge
            is_idle=self.transaction_on(None) is None and all(state and state not in faults.IN_USE for state in states),
            address=address,
        )

    # --- what stations say --------------------------------------------------------------------------------------

    def _boot(self, message: Message) -> Heard:
        version = faults.word(message.payload.get("firmwareVersion"))
        readings = (
            [self._reading("firmware", version, Moment(message.received_at, message.received_at))] if version else []
        )
        answer = {"status": "Accepted", "currentTime": message.now, "interval": self._heartbeat_s}
        said = Boot(
            faults.word(message.payload.get("chargePointVendor")),
            faults.word(message.payload.get("chargePointModel")),
            version,
        )
        return Heard(
            self._changed(readings), answer=answer, booted=True, boot=said, is_start=True, told_at=message.received_at
        )

    def _heartbeat(self, message: Message) -> Heard:
        return Heard(answer={"currentTime": message.now})

    def _status(self, message: Message) -> Heard:
        payload = message.payload
        moment, refused = self._moment(message, payload.get("timestamp"), optional=True)
        connector = connector_of(payload.get("connectorId"))
        suffix = self._suffix(connector)
        state, raw_status = faults.status(faults.word(payload.get("status")))
        fault, raw_code = faults.faults(payload, self.settings.vendor_codes)
        if suffix is None:  # whatever connector burns: it is told
            refused += (UNDECLARED,)
            if fault == NONE:
                return Heard(refused=refused)
            raw_code, suffix = f"{connector}:{raw_code}"[: faults.LONGEST_CODE], ""
            return Heard(self._fault_readings("", fault, moment, raw_code), refused=refused)
        readings = self._fault_readings(suffix, fault, moment, raw_code)
        if raw_status:
            readings.append(self._reading(f"status{suffix}", state, moment, raw_status))
        else:
            refused += (Refusal.MISSING.value,)
        marks: tuple[bytes, ...] = ()
        if state in faults.NOT_CHARGING and connector:
            freed, marks = self._freed(connector, moment)
            readings += freed
        told_now = None if moment.replayed else connector or 0  # how it was says nothing of how it is
        return Heard(self._changed(readings), marks=marks, refused=refused, status_of=told_now)

    def _freed(self, connector: int, moment: Moment) -> tuple[list[Reading], tuple[bytes, ...]]:
        """A connector is free: whatever began there before has ended, though its end may be told later, or never."""
        left = [
            each
            for each in self._transactions.open_of(self.settings.id)
            if each.connector == connector and each.started_at <= moment.observed_at
        ]
        marks = tuple(
            self._transactions.stop(
                self.settings.id, replace(each, started_at=moment.observed_at), ("freed", each.number)
            )
            for each in left
        )
        told, _ = self._states.get(f"charging.{connector}", (NONE, None))
        if not left and (told == NONE or moment.replayed):
            return [], marks
        return [self._reading(f"charging.{connector}", NONE, moment)], marks

    def _meter_values(self, message: Message) -> Heard:
        connector = connector_of(message.payload.get("connectorId"))
        readings, refused = self._measured(message, connector, message.payload.get("meterValue"))
        number = number_of(message.payload.get("transactionId"))
        if number > 0 and readings and connector is not None and f"charging.{connector}" in self._points:
            last = max(readings, key=lambda reading: reading.observed_at)
            told, _ = self._states.get(f"charging.{connector}", (NONE, None))
            live = ReadingFlag.REPLAYED not in last.flag
            if live and told == NONE and not self._transactions.has_ended(self.settings.id, number):
                moment = Moment(last.observed_at, last.received_at, last.device_at, last.flag, last.own_time)
                readings.append(self._reading(f"charging.{connector}", str(number), moment))
        return Heard(self._changed(readings), refused=refused)

    def _start(self, message: Message) -> Heard:
        payload = message.payload
        station, connector = self.settings.id, connector_of(payload.get("connectorId"))
        moment, refused = self._moment(message, payload.get("timestamp"))
        content = content_of("start", message, moment, "connectorId", "idTag", "meterStart", "timestamp")
        known = self._transactions.known(station, content)
        number = self._transactions.next_number(moment.observed_at) if known is None else known.number
        answer = {"transactionId": number, "idTagInfo": self._tag_info(payload.get("idTag"))}
        if connector is None or f"charging.{connector}" not in self._points:
            refused += (UNDECLARED,)
        if known is not None:
            at = replace(moment, observed_at=known.at)
            told = self._charge_readings(known.connector, str(number), payload.get("meterStart"), at)
            return Heard(again=() if known.in_this_run else told, answer=answer, refused=refused)
        begun = Transaction(number, connector or 0, moment.observed_at)
        mark = self._transactions.start(station, begun, content)
        told = self._charge_readings(connector or 0, str(number), payload.get("meterStart"), moment)
        return Heard(self._changed(told), marks=(mark,), answer=answer, refused=refused)

    def _stop(self, message: Message) -> Heard:
        payload, station = message.payload, self.settings.id
        number = number_of(payload.get("transactionId"))
        answer = {"idTagInfo": self._tag_info(payload.get("idTag"))} if payload.get("idTag") is not None else {}
        moment, refused = self._moment(message, payload.get("timestamp"))
        content = content_of("stop", message, moment, "transactionId", "meterStop", "timestamp", "reason")
        known = self._transactions.known(station, content)
        connector = self._transactions.connector_of(station, number)
        if connector is None:
            connector = self._connector_charging(number)
        if known is not None:
            moment = replace(moment, observed_at=known.at)
        measured, refused_values = self._measured(message, connector, payload.get("transactionData") or [])
        readings = [*measured, *self._end_readings(connector, number, payload, moment)]
        refused += refused_values
        if known is not None:
            return Heard(again=() if known.in_this_run else readings, answer=answer, refused=refused)
        ended = Transaction(number, connector or 0, moment.observed_at)
        mark = self._transactions.stop(station, ended, content)
        return Heard(self._changed(readings), marks=(mark,), answer=answer, refused=refused)

    def _authorize(self, message: Message) -> Heard:
        return Heard(answer={"idTagInfo": self._tag_info(message.payload.get("idTag"))})

    def _firmware_status(self, message: Message) -> Heard:
        heard = self._told(message, "firmware_status")
        status = faults.snake(message.payload.get("status")) or None
        return replace(heard, firmware_status=status, told_at=message.received_at)

    def _diagnostics_status(self, message: Message) -> Heard:
        return self._told(message, "diagnostics_status")

    def _told(self, message: Message, point: str) -> Heard:
        state = faults.snake(message.payload.get("status"))
        if not state:
            return Heard(refused=(Refusal.MISSING.value,))
        raw_code = faults.word(message.payload.get("status"))
        return Heard(
            self._changed([self._reading(point, state, Moment(message.received_at, message.received_at), raw_code)])
        )

    def _security_event(self, message: Message) -> Heard:
        payload = message.payload
        kind, info = faults.word(payload.get("type")), faults.word(payload.get("techInfo"))
        moment, refused = self._moment(message, payload.get("timestamp"))
        content = content_of("security", message, moment, "type", "timestamp", "techInfo")
        if not kind:
            return Heard(refused=(*refused, Refusal.MISSING.value))
        raw_code = f"{kind}/{info}" if info else kind
        known = self._transactions.known(self.settings.id, content)
        if known is not None:
            moment = replace(moment, observed_at=known.at)
        reading = self._reading("security_event", faults.snake(kind), moment, raw_code[: faults.LONGEST_CODE])
        if known is not None:
            return Heard(again=() if known.in_this_run else [reading], refused=refused)
        mark = self._transactions.event(self.settings.id, moment.observed_at, content)
        return Heard([reading], marks=(mark,), refused=refused)

    def _sign_certificate(self, _message: Message) -> Heard:
        return Heard(answer={"status": "Rejected"})

    def _data_transfer(self, _message: Message) -> Heard:
        return Heard(answer={"status": "UnknownVendorId"}, refused=("data_transfer",))

    _handlers: ClassVar[Mapping[str, Callable[[Any, Message], Heard]]] = {
        Action.boot_notification.value: _boot,
        Action.heartbeat.value: _heartbeat,
        Action.status_notification.value: _status,
        Action.meter_values.value: _meter_values,
        Action.start_transaction.value: _start,
        Action.stop_transaction.value: _stop,
        Action.authorize.value: _authorize,
        Action.firmware_status_notification.value: _firmware_status,
        Action.signed_firmware_status_notification.value: _firmware_status,
        Action.diagnostics_status_notification.value: _diagnostics_status,
        Action.log_status_notification.value: _diagnostics_status,
        Action.security_event_notification.value: _security_event,
        Action.sign_certificate.value: _sign_certificate,
        Action.data_transfer.value: _data_transfer,
    }
    """What answers which call."""

    # --- what they consist of -----------------------------------------------------------------------------------

    def _measured(self, message: Message, connector: int | None, values: Any) -> tuple[list[Reading], tuple[str, ...]]:
        """The readings of a list of meter values."""
        if not isinstance(values, list):
            return [], (Refusal.MALFORMED.value,)
        readings: list[Reading] = []
        refused: list[str] = [meter.MeterRefusal.TOO_MANY.value] if len(values) > MOST_TIMES else []
        for value in values[:MOST_TIMES]:
            if not isinstance(value, dict):
                refused.append(Refusal.MALFORMED.value)
                continue
            moment, wrong = self._moment(message, value.get("timestamp"))
            sampled = meter.sampled(value.get("sampledValue"), self.settings.quantities)
            refused += [*wrong, *(refusal.value for refusal in sampled.refusals)]
            for quantity, number in sampled.values.items():
                reading = self._number_reading(quantity, connector, number, moment)
                if isinstance(reading, str):
                    refused.append(reading)
                else:
                    readings.append(reading)
        return readings, tuple(refused)

    def _number_reading(self, quantity: Quantity, connector: int | None, value: float, moment: Moment) -> Reading | str:
        """A reading in range, or why it is none. What a pile with one connector says of itself it says of that one."""
        number = 1 if connector == 0 and self.settings.connectors == 1 else connector
        point = self._points.get(f"{quantity}.{number}")
        if point is None:
            return UNDECLARED
        low, high = point.minimum, point.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return Refusal.OUT_OF_RANGE.value
        return self._reading(point.name, value, moment)

    def _fault_readings(self, suffix: str, fault: str, moment: Moment, raw_code: str | None) -> list[Reading]:
        return [
            self._reading(f"faults{suffix}", fault, moment, raw_code),
            self._reading(f"raw_code{suffix}", raw_code or NONE, moment),
        ]

    def _charge_readings(self, connector: int, charging: str, register: Any, moment: Moment) -> list[Reading]:
        """A charge began or ended, with what the meter showed."""
        readings: list[Reading] = []
        if f"charging.{connector}" in self._points:
            readings.append(self._reading(f"charging.{connector}", charging, moment))
        if (
            isinstance(register, int | float)
            and not isinstance(register, bool)
            and Quantity.ENERGY_WH in self.settings.quantities
        ):
            try:
                reading = self._number_reading(Quantity.ENERGY_WH, connector, float(register), moment)
            except OverflowError:
                return readings
            readings += [reading] if isinstance(reading, Reading) else []
        return readings

    def _end_readings(
        self, connector: int | None, number: int, payload: Mapping[str, Any], moment: Moment
    ) -> list[Reading]:
        reason, raw_code = faults.stop_reason(payload.get("reason"))
        suffix = self._suffix(connector) if connector else ""
        event = self._reading(f"stop_reason{suffix or ''}", reason, moment, raw_code)
        readings = self._charge_readings(connector or 0, NONE, payload.get("meterStop"), moment)
        newer = {charge.connector: charge for charge in self._transactions.open_of(self.settings.id)}.get(
            connector or 0
        )
        if newer is not None and newer.number != number and newer.started_at >= moment.observed_at:
            readings = [reading for reading in readings if not reading.point.startswith("charging")]
        return [*readings, event]

    def _connector_charging(self, number: int) -> int | None:
        """Where a charge is that began while nobody wrote it down."""
        if self.settings.connectors == 1:
            return 1
        for connector in range(1, self.settings.connectors + 1):
            if self._states.get(f"charging.{connector}", (NONE, None))[0] == str(number):
                return connector
        return None

    def _suffix(self, connector: int | None) -> str | None:
        """What a connector adds to the name of a point; None for one that is not declared."""
        if connector is None or connector == 0:
            return ""
        return f".{connector}" if connector <= self.settings.connectors else None

    def _moment(self, message: Message, timestamp: Any, *, optional: bool = False) -> tuple[Moment, tuple[str, ...]]:
        at = instant(timestamp)
        moment = self.clock.moment(at, message.received_at, message.correction)
        bad = moment.device_at is None and not (optional and timestamp is None)
        return moment, (Refusal.BAD_TIME.value,) if bad else ()

    def _tag_info(self, tag: Any) -> dict[str, str]:
        accepted = not self.settings.id_tags or tag in self.settings.id_tags
        return {"status": "Accepted" if accepted else "Invalid"}

    def _reading(self, point: str, value: float | str, moment: Moment, raw_code: str | None = None) -> Reading:
        simulated = ReadingFlag.SIMULATED if self.settings.simulated else ReadingFlag.NONE
        return Reading(
            device=self.settings.id,
            point=point,
            observed_at=moment.observed_at,
            value=value[:LONGEST_STATE] if isinstance(value, str) else value,
            received_at=moment.received_at,
            device_at=moment.device_at,
            flag=moment.flag | simulated,
            own_time=moment.own_time,
            raw_code=raw_code or None,
            is_event=(known := self._points.get(point)) is not None and known.kind == "event",
        )

    def _changed(self, readings: Sequence[Reading]) -> list[Reading]:
        """Without the states that were told last; what is replayed is history, and each piece of it counts."""
        return [
            reading
            for reading in readings
            if not self._is_state(reading) or self._states.get(reading.point) != (reading.value, reading.raw_code)
        ]

    def _is_state(self, reading: Reading) -> bool:
        point = self._points.get(reading.point)
        return point is not None and point.kind == "state" and ReadingFlag.REPLAYED not in reading.flag

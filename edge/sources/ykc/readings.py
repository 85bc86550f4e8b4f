"""From what a pile says to readings of its declared points: the one place that knows units, offsets and states of YKC V1.6. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from edge.contract.safety import NONE, SafetyFault, joined
from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings.device import PointSettings
from edge.settings.ykc import YkcPileSettings
from edge.sources.ykc.faults import Stop, battery_faults, bms_stop, charger_stop, hardware_code, hardware_faults
from edge.sources.ykc.messages import (
    NO_TRANSACTION,
    BatteryState,
    BmsAbort,
    ChargeEnd,
    ChargeError,
    ChargeOutput,
    ChargerAbort,
    Heartbeat,
    Login,
    RealTimeData,
    TransactionRecord,
    UpdateAnswer,
)
from edge.sources.ykc.moment import CHARGING, Moment

_FAULTED: Final = 1
_IDLE: Final = 2
_OFFSET_C: Final = 50
_STATUS: Final[Mapping[int, str]] = MappingProxyType({0: "offline", 1: "faulted", 2: "available", 3: "charging"})
UNKNOWN_TRANSACTION: Final = "unknown"
UPDATE_RESULTS: Final[Mapping[int, str]] = MappingProxyType(
    {0: "installed", 1: "installation_failed", 2: "installation_failed", 3: "download_failed"}
)
"""How an update ended (§11.4), in the words of every protocol's piles."""


@dataclass(slots=True)
class _Gun:
    """What is known of a gun beyond its last 0x13."""

    status: str | None = None
    transaction: str | None = None
    charging_at: datetime | None = None
    """Node time at which `transaction` was heard to go on."""
    battery: frozenset[SafetyFault] = frozenset()
    battery_code: str = ""


class PileReadings:
    """One pile, over all of its connections. Memory is bounded by the number of its guns.

    `refused` counts values outside of their declared range, by point.
    """

    def __init__(self, pile: YkcPileSettings) -> None:
        self.refused: Counter[str] = Counter()
        self._guns: dict[int, _Gun] = {}
        self._stored: dict[str, str] = {}
        self.adopt(pile)

    def adopt(self, pile: YkcPileSettings) -> None:
        """Go on with other settings of the same pile."""
        self._pile = pile
        self._points: Mapping[str, PointSettings] = {point.name: point for point in pile.declared}
        self._guns = {number: self._guns.get(number, _Gun()) for number in range(1, pile.guns + 1)}

    def has(self, gun: int) -> bool:
        """Whether the pile has such a gun."""
        return gun in self._guns

    def charging(self) -> list[int]:
        """The guns that charge, as far as it was heard."""
        return [number for number, gun in self._guns.items() if gun.transaction is not None]

    def forget_stored(self) -> None:
        """A new connection: what was stored comes anew."""
        self._stored.clear()

    def login(self, login: Login, moment: Moment) -> list[Reading]:
        """Its program; asked for by those who roll out a new one."""
        return [self._reading("firmware", login.program or "unknown", moment)]

    def updated(self, answer: UpdateAnswer, moment: Moment) -> list[Reading]:
        """How an update ended; that the new program runs, only its next login says."""
        status = UPDATE_RESULTS.get(answer.result, "installation_failed")
        return [self._reading("firmware_status", status, moment, raw_code=f"0x93 {answer.result:02X}")]

    def heartbeat(self, heartbeat: Heartbeat, moment: Moment) -> tuple[list[Reading], bool]:
        """The second tells that the data of this gun should be asked for: its heartbeat and its last data disagree."""
        gun = self._guns[heartbeat.gun]
        faulted = heartbeat.state != 0
        if faulted == (gun.status == "faulted"):
            return [], False
        if not faulted:
            return [], True
        gun.status = "faulted"
        return [self._reading(f"status.{heartbeat.gun}", "faulted", moment)], True

    def real_time(self, data: RealTimeData, moment: Moment) -> list[Reading]:
        """0x13. What is stored leaves no trace in what is known of the present."""
        stored = ReadingFlag.REPLAYED in moment.flag
        gun = _Gun() if stored else self._guns[data.gun]
        status = _STATUS.get(data.state, "unavailable")
        if data.state == _IDLE and data.plugged == 1:
            status = "preparing"
        gun.status = status
        self._note_charge(gun, data, moment)
        faults, code = self._faults(gun, data)
        readings = [
            *self._numbers(data, moment),
            self._reading(f"status.{data.gun}", status, moment),
            self._reading(f"plugged.{data.gun}", {0: "no", 1: "yes"}.get(data.plugged, "unknown"), moment),
            self._reading(f"charging.{data.gun}", gun.transaction or NONE, moment),
            self._reading(f"faults.{data.gun}", joined(faults), moment, raw_code=code or None),
            self._reading(f"raw_code.{data.gun}", code or NONE, moment),
        ]
        return list(self._changes_of_stored(readings)) if stored else readings

    def _note_charge(self, gun: _Gun, data: RealTimeData, moment: Moment) -> None:
        if data.state == CHARGING:
            named = data.transaction != NO_TRANSACTION
            gun.transaction = data.transaction if named else UNKNOWN_TRANSACTION
            gun.charging_at = moment.received_at
        else:
            gun.transaction = None
            gun.battery, gun.battery_code = frozenset(), ""

    def _faults(self, gun: _Gun, data: RealTimeData) -> tuple[frozenset[SafetyFault], str]:
        """All that is wrong at present, and the pile's own words for it."""
        faults, codes = hardware_faults(data.hardware_faults), list[str]()
        if faults:
            codes.append(hardware_code(data.hardware_faults))
        elif data.state == _FAULTED:
            faults = frozenset((SafetyFault.OTHER,))
        if data.state == _FAULTED or data.state not in _STATUS:
            codes.append(f"0x13 state {data.state}")
        if gun.battery:
            codes.append(gun.battery_code)
        return faults | gun.battery, "; ".join(codes)

    def _numbers(self, data: RealTimeData, moment: Moment) -> Iterator[Reading]:
        """An idle gun measures nothing but that no current flows; a temperature of 0 is none then."""
        voltage_v, current_a = data.voltage_tenths_v / 10, data.current_tenths_a / 10
        values: dict[str, float] = {"voltage_v": voltage_v, "current_a": current_a}
        values["power_w"] = round(voltage_v * current_a, 2)
        charging = data.state == CHARGING
        if charging or data.cable_temperature_raw != 0:
            values["temperature_c"] = float(data.cable_temperature_raw - _OFFSET_C)
        if data.battery_temperature_raw != 0:
            values["battery_temperature_c"] = float(data.battery_temperature_raw - _OFFSET_C)
        if charging:
            values["energy_wh"] = data.energy_tenths_wh / 10
        if charging and data.soc_pct != 0:
            values["soc_pct"] = float(data.soc_pct)
        yield from self._measured(data.gun, values, moment)

    def _measured(self, gun: int, values: Mapping[str, float], moment: Moment) -> Iterator[Reading]:
        """Those in their plausible range; others are counted."""
        for name, value in values.items():
            point = self._points[f"{name}.{gun}"]
            too_low = point.minimum is not None and value < point.minimum
            if too_low or (point.maximum is not None and value > point.maximum):
                self.refused[point.name] += 1
            else:
                yield self._reading(point.name, value, moment)

    def _changes_of_stored(self, readings: list[Reading]) -> Iterator[Reading]:
        """Numbers, and stored states that differ from the stored one before."""
        for reading in readings:
            if isinstance(reading.value, str):
                if self._stored.get(reading.point) == reading.value:
                    continue
                self._stored[reading.point] = reading.value
            yield reading

    def charge(
        self, said: BmsAbort | ChargerAbort | ChargeEnd | ChargeError | BatteryState | ChargeOutput, moment: Moment
    ) -> list[Reading]:
        """What is said of a charge while it goes on and at its end."""
        match said:
            case BatteryState():
                return self._battery(said, moment)
            case ChargeOutput():
                return self._output(said, moment)
            case ChargeEnd():
                return self._charge_end(said, moment)
            case ChargeError():
                return self._error(said, moment)
            case _:
                return self._abort(said, moment)

    def _battery(self, said: BatteryState, moment: Moment) -> list[Reading]:
        """0x25: heat, and what the battery's management finds wrong; that stays until it says otherwise or the charge ends."""
        gun = self._guns[said.gun]
        gun.battery = battery_faults(said.states)
        gun.battery_code = f"0x25 {said.states:04X}" if gun.battery else ""
        values = {"battery_temperature_c": float(said.battery_maximum_raw - _OFFSET_C)}
        return list(self._measured(said.gun, values if said.battery_maximum_raw else {}, moment))

    def _output(self, said: ChargeOutput, moment: Moment) -> list[Reading]:
        """0x23: the state of charge; voltage and current are those of 0x13."""
        return list(self._measured(said.gun, {"soc_pct": float(said.soc_pct)} if said.soc_pct else {}, moment))

    def _charge_end(self, said: ChargeEnd, moment: Moment) -> list[Reading]:
        """0x19: how full and how hot the battery was at the end."""
        values = {"soc_pct": float(said.soc_pct)} if said.soc_pct else {}
        if said.battery_maximum_raw:
            values["battery_temperature_c"] = float(said.battery_maximum_raw - _OFFSET_C)
        return list(self._measured(said.gun, values, moment))

    def _abort(self, said: BmsAbort | ChargerAbort, moment: Moment) -> list[Reading]:
        """0x1D, 0x21: why a charge was broken off."""
        stop = bms_stop if isinstance(said, BmsAbort) else charger_stop
        return self._stopped(said.gun, stop(said.reasons, said.faults, said.errors), moment)

    def _error(self, said: ChargeError, moment: Moment) -> list[Reading]:
        """0x1B: words of the vehicle or the charger that did not come. The charge ends by it."""
        if not any(said.errors):
            return []
        stop = Stop(frozenset((SafetyFault.COMMUNICATION,)), "", f"0x1B {said.errors.hex().upper()}")
        return self._stopped(said.gun, stop, moment)

    def record(self, record: TransactionRecord, stop: Stop, moment: Moment) -> list[Reading]:
        """0x3B: why the charge ended and how much it took, at its end; the charge is over for whoever still thinks it goes on."""
        readings = self._stopped(record.gun, stop, moment)
        readings += self._measured(record.gun, {"energy_wh": record.energy_tenths_wh / 10}, moment)
        gun = self._guns[record.gun]
        if gun.transaction == record.transaction:
            gun.transaction = None
            live = replace(moment, observed_at=moment.received_at, device_at=None, own_time=False)
            live = replace(live, flag=ReadingFlag.NONE)
            readings.append(self._reading(f"charging.{record.gun}", NONE, live))
        return readings

    def charged_until(self, record: TransactionRecord) -> datetime | None:
        """Node time until which the charge of a record was heard to go on, so that it ended after; None where it was not heard at all."""
        gun = self._guns[record.gun]
        if gun.charging_at is None or gun.transaction != record.transaction:
            return None
        return gun.charging_at + timedelta(microseconds=1)

    def _stopped(self, gun: int, stop: Stop, moment: Moment) -> list[Reading]:
        return [
            self._reading(f"stop_reason.{gun}", stop.value, moment, raw_code=stop.raw_code),
            self._reading(f"stop_code.{gun}", stop.raw_code, moment),
        ]

    def _reading(self, point: str, value: float | str, moment: Moment, *, raw_code: str | None = None) -> Reading:
        return Reading(
            device=self._pile.id,
            point=point,
            observed_at=moment.observed_at,
            value=value,
            received_at=moment.received_at,
            device_at=moment.device_at,
            flag=moment.flag | (ReadingFlag.SIMULATED if self._pile.simulated else ReadingFlag.NONE),
            own_time=moment.own_time,
            raw_code=raw_code,
            is_event=self._points[point].kind == "event",
        )

"""Meter values (OCPP 1.6 §7.17, §7.33) as values of declared points: one quantity, one unit, one value per connector and time. Pure.

Several phases or places of one quantity become one value on the side of safety: the hottest place, the largest current of a phase, the
highest voltage between a phase and the neutral. Powers are added over the phases, unless the meter tells their sum itself, and so
are the registers.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from edge.contract.fields import LARGEST_VALUE
from edge.settings.ocpp import Quantity
from edge.sources.payload import Refusal

MOST_VALUES: Final = 200
"""Sampled values of one time; 22 measurands on 7 phases are 154."""


class _Joining(StrEnum):
    """How the phases of a quantity become one value."""

    LARGEST = "largest"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class _Measurand:
    quantity: Quantity
    joining: _Joining
    unit: str


_MEASURANDS: Final[Mapping[str, _Measurand]] = MappingProxyType(
    {
        "temperature": _Measurand(Quantity.TEMPERATURE_C, _Joining.LARGEST, "celsius"),
        "current.import": _Measurand(Quantity.CURRENT_A, _Joining.LARGEST, "a"),
        "current.export": _Measurand(Quantity.CURRENT_EXPORT_A, _Joining.LARGEST, "a"),
        "current.offered": _Measurand(Quantity.CURRENT_OFFERED_A, _Joining.LARGEST, "a"),
        "voltage": _Measurand(Quantity.VOLTAGE_V, _Joining.LARGEST, "v"),
        "power.active.import": _Measurand(Quantity.POWER_W, _Joining.SUM, "w"),
        "power.active.export": _Measurand(Quantity.POWER_EXPORT_W, _Joining.SUM, "w"),
        "power.offered": _Measurand(Quantity.POWER_OFFERED_W, _Joining.SUM, "w"),
        "power.reactive.import": _Measurand(Quantity.POWER_REACTIVE_VAR, _Joining.SUM, "var"),
        "power.factor": _Measurand(Quantity.POWER_FACTOR, _Joining.LARGEST, ""),
        "energy.active.import.register": _Measurand(Quantity.ENERGY_WH, _Joining.SUM, "wh"),
        "energy.active.export.register": _Measurand(Quantity.ENERGY_EXPORT_WH, _Joining.SUM, "wh"),
        "energy.reactive.import.register": _Measurand(Quantity.ENERGY_REACTIVE_VARH, _Joining.SUM, "varh"),
        "frequency": _Measurand(Quantity.FREQUENCY_HZ, _Joining.LARGEST, "hz"),
        "rpm": _Measurand(Quantity.FAN_RPM, _Joining.LARGEST, "rpm"),
        "soc": _Measurand(Quantity.SOC_PCT, _Joining.LARGEST, "percent"),
    }
)
DEFAULT: Final = "Energy.Active.Import.Register"
MEASURANDS: Final[Mapping[Quantity, str]] = MappingProxyType(
    {
        Quantity.TEMPERATURE_C: "Temperature",
        Quantity.CURRENT_A: "Current.Import",
        Quantity.CURRENT_EXPORT_A: "Current.Export",
        Quantity.CURRENT_OFFERED_A: "Current.Offered",
        Quantity.VOLTAGE_V: "Voltage",
        Quantity.POWER_W: "Power.Active.Import",
        Quantity.POWER_EXPORT_W: "Power.Active.Export",
        Quantity.POWER_OFFERED_W: "Power.Offered",
        Quantity.POWER_REACTIVE_VAR: "Power.Reactive.Import",
        Quantity.POWER_FACTOR: "Power.Factor",
        Quantity.ENERGY_WH: DEFAULT,
        Quantity.ENERGY_EXPORT_WH: "Energy.Active.Export.Register",
        Quantity.ENERGY_REACTIVE_VARH: "Energy.Reactive.Import.Register",
        Quantity.FREQUENCY_HZ: "Frequency",
        Quantity.FAN_RPM: "RPM",
        Quantity.SOC_PCT: "SoC",
    }
)
"""What to ask a station to sample."""

_SCALES: Final[Mapping[Quantity, Mapping[str, float]]] = MappingProxyType(
    {
        Quantity.CURRENT_A: {"a": 1.0, "ma": 1e-3},
        Quantity.CURRENT_EXPORT_A: {"a": 1.0, "ma": 1e-3},
        Quantity.CURRENT_OFFERED_A: {"a": 1.0, "ma": 1e-3},
        Quantity.VOLTAGE_V: {"v": 1.0, "kv": 1e3},
        Quantity.POWER_W: {"w": 1.0, "kw": 1e3, "va": 1.0, "kva": 1e3},
        Quantity.POWER_EXPORT_W: {"w": 1.0, "kw": 1e3, "va": 1.0, "kva": 1e3},
        Quantity.POWER_OFFERED_W: {"w": 1.0, "kw": 1e3, "va": 1.0, "kva": 1e3},
        Quantity.POWER_REACTIVE_VAR: {"var": 1.0, "kvar": 1e3},
        Quantity.POWER_FACTOR: {"": 1.0, "percent": 0.01},
        Quantity.ENERGY_WH: {"wh": 1.0, "kwh": 1e3},
        Quantity.ENERGY_EXPORT_WH: {"wh": 1.0, "kwh": 1e3},
        Quantity.ENERGY_REACTIVE_VARH: {"varh": 1.0, "kvarh": 1e3},
        Quantity.FREQUENCY_HZ: {"hz": 1.0},
        Quantity.FAN_RPM: {"rpm": 1.0},
        Quantity.SOC_PCT: {"percent": 1.0, "%": 1.0},
    }
)
"""Of each quantity the units that it may come in, in small letters. `Celcius` is the standard's own slip (§7.45)."""

_NEUTRAL: Final = "n"
_BETWEEN_PHASES: Final = frozenset({"l1-l2", "l2-l3", "l3-l1"})


class MeterRefusal(StrEnum):
    """Why a sampled value was not taken, beside what any value may suffer."""

    UNKNOWN_MEASURAND = "unknown_measurand"
    UNKNOWN_UNIT = "unknown_unit"
    SIGNED = "signed"
    """Sealed by the meter for billing; nothing that one can read."""
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Sampled:
    """The values of one time, and what was not taken of it."""

    values: Mapping[Quantity, float]
    refusals: tuple[MeterRefusal | Refusal, ...]


def sampled(samples: Any, wanted: Sequence[Quantity]) -> Sampled:
    """What the sampled values of one time say; a quantity that is not `wanted` is passed over. Raises nothing."""
    if not isinstance(samples, list):
        return Sampled({}, (Refusal.MALFORMED,))
    refusals: list[MeterRefusal | Refusal] = [MeterRefusal.TOO_MANY] if len(samples) > MOST_VALUES else []
    parts: dict[Quantity, list[tuple[str, float]]] = {}
    for sample in samples[:MOST_VALUES]:
        if not isinstance(sample, dict):
            refusals.append(Refusal.MALFORMED)
            continue
        measurand = _MEASURANDS.get(_text(sample.get("measurand"), DEFAULT))
        if measurand is None:
            refusals.append(MeterRefusal.UNKNOWN_MEASURAND)
        elif measurand.quantity in wanted:
            value = _value(sample, measurand)
            if isinstance(value, float):
                parts.setdefault(measurand.quantity, []).append((_text(sample.get("phase"), ""), value))
            else:
                refusals.append(value)
    joining = {each.quantity: each.joining for each in _MEASURANDS.values()}
    return Sampled(
        {quantity: _joined(quantity, joining[quantity], values) for quantity, values in parts.items()}, tuple(refusals)
    )


def _value(sample: Mapping[str, Any], measurand: _Measurand) -> float | MeterRefusal | Refusal:
    if _text(sample.get("format"), "raw") == "signeddata":
        return MeterRefusal.SIGNED
    number = _number(sample.get("value"))
    if isinstance(number, Refusal):
        return number
    unit = _text(sample.get("unit"), measurand.unit)
    if measurand.quantity is Quantity.TEMPERATURE_C:
        return _celsius(number, unit)
    if measurand.quantity is Quantity.POWER_FACTOR and unit == "wh":
        unit = ""  # the standard's default unit, which a factor can't mean
    scale = _SCALES[measurand.quantity].get(unit)
    return MeterRefusal.UNKNOWN_UNIT if scale is None else number * scale


def _celsius(number: float, unit: str) -> float | MeterRefusal:
    match unit:
        case "celsius" | "celcius" | "c" | "°c":
            return number
        case "fahrenheit" | "f" | "°f":
            return round((number - 32.0) / 1.8, 3)
        case "k" | "kelvin":
            return round(number - 273.15, 3)
    return MeterRefusal.UNKNOWN_UNIT


def _number(value: Any) -> float | Refusal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return Refusal.WRONG_TYPE
    if isinstance(value, str) and (len(value) > 40 or not value.isascii() or "_" in value):
        return Refusal.WRONG_TYPE
    try:
        number = float(value)
    except ValueError:
        return Refusal.WRONG_TYPE
    except OverflowError:
        return Refusal.OUT_OF_RANGE
    return number if abs(number) <= LARGEST_VALUE else Refusal.OUT_OF_RANGE


def _joined(quantity: Quantity, joining: _Joining, values: Sequence[tuple[str, float]]) -> float:
    """One value of several: see the module."""
    if joining is _Joining.LARGEST:
        counted = list(_without_neutral(quantity, values)) or [value for _, value in values]
        return max(counted)
    totals = [value for phase, value in values if not phase]
    return max(totals) if totals else math.fsum(value for _, value in values)


def _without_neutral(quantity: Quantity, values: Sequence[tuple[str, float]]) -> Iterator[float]:
    for phase, value in values:
        if phase == _NEUTRAL or (quantity is Quantity.VOLTAGE_V and phase in _BETWEEN_PHASES):
            continue
        yield value


def _text(value: Any, default: str) -> str:
    return value.lower() if isinstance(value, str) and value else default.lower()

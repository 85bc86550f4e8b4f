"""What the usual sensors behind Modbus measure: units, plausible ranges, periods, and when it is an incident.

Registers are no part of it: they differ from make to make, and a wrong one reads something else without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from edge.contract.incident import Severity
from edge.settings.reading_rules import StateSettings, ThresholdSettings


@dataclass(frozen=True, slots=True)
class UsualPoint:
    """What a point of this name is, in a device of this kind."""

    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    period_s: float | None = None
    states: Mapping[int, str] | None = None


_ALARM: Final = UsualPoint(period_s=2, states=MappingProxyType({0: "normal", 1: "alarm"}))
_TEMPERATURE: Final = UsualPoint("°C", -40, 200, 10)

KINDS: Final[Mapping[str, Mapping[str, UsualPoint]]] = MappingProxyType(
    {
        "smoke_detector": {
            "smoke": _ALARM,
            "obscuration_percent_per_m": UsualPoint("%/m", 0, 100, 5),
            "temperature_c": _TEMPERATURE,
        },
        "gas_detector": {"gas": _ALARM, "gas_percent_lel": UsualPoint("%LEL", 0, 100, 5)},
        "water_level": {"water": _ALARM, "level_mm": UsualPoint("mm", -1_000, 20_000, 10)},
        "temperature_sensor": {"temperature_c": _TEMPERATURE},
        "current_transformer": {
            "current_a": UsualPoint("A", 0, 6_000, 10),
            "residual_ma": UsualPoint("mA", 0, 30_000, 10),
            "temperature_c": _TEMPERATURE,
        },
    }
)
"""By kind and name of a point."""

ModbusKindRule = ThresholdSettings | StateSettings


def _above(
    point: str,
    limit: float,
    clear: float,
    *,
    for_s: float,
    clear_for_s: float = 60.0,
    severity: Severity,
    category: str,
) -> ThresholdSettings:
    return ThresholdSettings(
        kind="threshold",
        point=point,
        above=limit,
        clear=clear,
        for_s=for_s,
        clear_for_s=clear_for_s,
        severity=severity,
        category=category,
    )


def _alarm(point: str, severity: Severity, category: str) -> StateSettings:
    return StateSettings(
        kind="state", point=point, states=("alarm",), clear_for_s=30.0, severity=severity, category=category
    )


MODBUS_KIND_RULES: Final[Mapping[str, tuple[ModbusKindRule, ...]]] = MappingProxyType(
    {
        "smoke_detector": (
            _alarm("smoke", Severity.CRITICAL, "fire_safety"),
            _above("obscuration_percent_per_m", 6, 3, for_s=5, severity=Severity.CRITICAL, category="fire_safety"),
            _above("temperature_c", 60, 50, for_s=10, severity=Severity.CRITICAL, category="fire_safety"),
        ),
        "gas_detector": (
            _alarm("gas", Severity.CRITICAL, "fire_safety"),
            _above("gas_percent_lel", 20, 10, for_s=5, severity=Severity.CRITICAL, category="fire_safety"),
        ),
        "water_level": (
            _alarm("water", Severity.HIGH, "public_safety"),
            _above("level_mm", 150, 100, for_s=30, clear_for_s=120, severity=Severity.HIGH, category="public_safety"),
        ),
        "temperature_sensor": (
            _above("temperature_c", 65, 55, for_s=30, severity=Severity.CRITICAL, category="fire_safety"),
        ),
        "current_transformer": (
            _above("residual_ma", 300, 200, for_s=10, severity=Severity.HIGH, category="fire_safety"),
            _above("temperature_c", 70, 60, for_s=30, severity=Severity.HIGH, category="fire_safety"),
        ),
    }
)
"""By kind: what holds where a configuration says nothing of rules. 300 mA of residual current is the alarm of an electrical fire
monitor (GB 14287.2); how much current a line may carry is nobody's but the site's to say.
"""

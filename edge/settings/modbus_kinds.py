"""What the usual sensors behind Modbus measure: units, plausible ranges, periods, and when it is an incident.

Registers are no part of it: they differ from make to make, and a wrong one reads something else without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from edge.contract.incident import Severity
from edge.settings.reading_rules import ReadingRuleSettings, ThresholdSettings


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
        "smoke": {
            "smoke": _ALARM,
            "obscuration_percent_per_m": UsualPoint("%/m", 0, 100, 5),
            "temperature_c": _TEMPERATURE,
        },
        "gas": {"gas": _ALARM, "gas_percent_lel": UsualPoint("%LEL", 0, 100, 5)},
        "water_level": {"water": _ALARM, "level_mm": UsualPoint("mm", -1_000, 20_000, 10)},
        "temperature": {"temperature_c": _TEMPERATURE},
        "current_transformer": {
            "current_a": UsualPoint("A", 0, 6_000, 10),
            "residual_ma": UsualPoint("mA", 0, 30_000, 10),
            "temperature_c": _TEMPERATURE,
        },
    }
)
"""By kind and name of a point."""

MODBUS_KIND_RULES: Final[Mapping[str, tuple[ReadingRuleSettings, ...]]] = MappingProxyType(
    {
        "smoke": (
            ThresholdSettings(
                kind="threshold",
                point="obscuration_percent_per_m",
                above=6,
                clear=3,
                for_s=5,
                clear_for_s=60,
                severity=Severity.CRITICAL,
            ),
            ThresholdSettings(
                kind="threshold",
                point="temperature_c",
                above=60,
                clear=50,
                for_s=10,
                clear_for_s=60,
                severity=Severity.CRITICAL,
            ),
        ),
        "gas": (
            ThresholdSettings(
                kind="threshold",
                point="gas_percent_lel",
                above=20,
                clear=10,
                for_s=5,
                clear_for_s=60,
                severity=Severity.CRITICAL,
            ),
        ),
        "water_level": (
            ThresholdSettings(
                kind="threshold",
                point="level_mm",
                above=150,
                clear=100,
                for_s=30,
                clear_for_s=120,
                category="public_safety",
            ),
        ),
        "temperature": (
            ThresholdSettings(
                kind="threshold",
                point="temperature_c",
                above=65,
                clear=55,
                for_s=30,
                clear_for_s=60,
                severity=Severity.CRITICAL,
            ),
        ),
        "current_transformer": (
            ThresholdSettings(kind="threshold", point="residual_ma", above=300, clear=200, for_s=10, clear_for_s=60),
            ThresholdSettings(kind="threshold", point="temperature_c", above=70, clear=60, for_s=30, clear_for_s=60),
        ),
    }
)
"""By kind: what holds where a configuration says nothing of rules. 300 mA of residual current is the alarm of an electrical fire
monitor (GB 14287.2); how much current a line may carry is nobody's but the site's to say.
"""

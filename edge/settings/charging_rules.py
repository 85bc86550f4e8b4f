"""The rules by which whatever charges is watched, where its configuration names none (`rules: []` is none at all).

The limits are cautious ones of the field: contacts of a vehicle's plug may be 50 K warmer than the air (GB/T 20234.1), so above 85 °C
something is wrong; a socket for an e-bike stays cool, and a charge that outlasts ten hours is one that nobody looks after.
"""

from collections.abc import Collection
from typing import Final

from edge.contract.incident import Severity
from edge.settings.reading_rules import (
    Act,
    DeviceFaultSettings,
    LostWhileChargingSettings,
    OverlongChargeSettings,
    ReadingRuleSettings,
    ThresholdSettings,
)

VEHICLE_HOT_C: Final = 85.0
VEHICLE_LONGEST_S: Final = 24 * 3600.0
EBIKE_HOT_C: Final = 70.0
EBIKE_LONGEST_S: Final = 10 * 3600.0

_COOLER_BY_C: Final = 10.0
_CLEAR_FOR_S: Final = 60.0


def charging_rules(
    points: Collection[str], *, hot_c: float, longest_s: float, may_be_stopped: bool
) -> tuple[ReadingRuleSettings, ...]:
    """Over-temperature, faults that the device tells, a charge that lasts too long, contact lost while charging: those for which it
    has points. Where the node may stop a charge, over-temperature does so.
    """
    quantities = {point.partition(".")[0] for point in points}
    act = Act.STOP_CHARGE if may_be_stopped else None
    rules: list[ReadingRuleSettings] = []
    if "temperature_c" in quantities:
        rules.append(
            ThresholdSettings(
                kind="threshold",
                point="temperature_c",
                above=hot_c,
                clear=hot_c - _COOLER_BY_C,
                clear_for_s=_CLEAR_FOR_S,
                severity=Severity.CRITICAL,
                act=act,
            )
        )
    if quantities & {"faults", "stop_reason"}:
        rules.append(DeviceFaultSettings(kind="device_fault", act=act))
    if "charging" in quantities:
        rules.append(OverlongChargeSettings(kind="overlong_charge", limit_s=longest_s))
    if quantities & {"charging", "status"}:
        rules.append(LostWhileChargingSettings(kind="lost_while_charging"))
    return tuple(rules)

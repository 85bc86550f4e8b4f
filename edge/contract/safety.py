"""One safety taxonomy (故障分类) over all protocols of charging piles and terminals: what a fault means for people, whatever a vendor calls it.

A pile's state point `faults` holds the members that are present, joined by `+`, or `none`; each connector has its own, `faults.1`. The
device's own code travels beside it and is never dropped.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from edge.contract.incident import Severity


class SafetyFault(StrEnum):
    """What is wrong. The wire takes any name."""

    OVER_TEMPERATURE = "over_temperature"
    """过温"""
    BATTERY_OVER_TEMPERATURE = "battery_over_temperature"
    SMOKE = "smoke"
    SHORT_CIRCUIT = "short_circuit"
    OVER_CURRENT = "over_current"
    OVER_VOLTAGE = "over_voltage"
    UNDER_VOLTAGE = "under_voltage"
    INSULATION = "insulation"
    """绝缘故障, leakage and ground faults included"""
    REVERSED_BATTERY = "reversed_battery"
    CONTACTOR = "contactor"
    """A relay or contactor that does not open or close: the current may not be switched off."""
    LOCK = "lock"
    CONNECTOR = "connector"
    EMERGENCY_STOP = "emergency_stop"
    """急停: somebody pressed it"""
    FUSE = "fuse"
    SURGE_PROTECTOR = "surge_protector"
    POWER_ABNORMAL = "power_abnormal"
    POWER_LOST = "power_lost"
    COOLING = "cooling"
    DOOR_OPEN = "door_open"
    METER = "meter"
    READER = "reader"
    COMMUNICATION = "communication"
    """With the vehicle, or between parts of the device"""
    UPDATE_FAILED = "update_failed"
    TAMPER = "tamper"
    INTERNAL = "internal"
    OTHER = "other"
    """A code that no table knows: kept as it is, and worth a look."""


NONE: Final = "none"
"""The state of `faults` while nothing is wrong."""

SEPARATOR: Final = "+"

_DANGER: Final = frozenset(
    {
        SafetyFault.OVER_TEMPERATURE,
        SafetyFault.BATTERY_OVER_TEMPERATURE,
        SafetyFault.SMOKE,
        SafetyFault.SHORT_CIRCUIT,
        SafetyFault.REVERSED_BATTERY,
    }
)

_SEVERITIES: Final[Mapping[SafetyFault, Severity]] = MappingProxyType(
    {
        **dict.fromkeys(_DANGER, Severity.CRITICAL),
        **dict.fromkeys(
            (
                SafetyFault.OVER_CURRENT,
                SafetyFault.OVER_VOLTAGE,
                SafetyFault.INSULATION,
                SafetyFault.CONTACTOR,
                SafetyFault.LOCK,
                SafetyFault.EMERGENCY_STOP,
                SafetyFault.FUSE,
                SafetyFault.TAMPER,
            ),
            Severity.HIGH,
        ),
        **dict.fromkeys(
            (
                SafetyFault.UNDER_VOLTAGE,
                SafetyFault.CONNECTOR,
                SafetyFault.SURGE_PROTECTOR,
                SafetyFault.POWER_ABNORMAL,
                SafetyFault.COOLING,
                SafetyFault.DOOR_OPEN,
                SafetyFault.INTERNAL,
                SafetyFault.OTHER,
            ),
            Severity.MEDIUM,
        ),
    }
)

_SAFETY: Final = frozenset(fault for fault, severity in _SEVERITIES.items() if severity.rank >= Severity.HIGH.rank) - {
    SafetyFault.TAMPER
}


def severity_of(fault: SafetyFault) -> Severity:
    """How bad it is where nobody has configured it otherwise; what only stops a device from working is low."""
    return _SEVERITIES.get(fault, Severity.LOW)


def category_of(fault: SafetyFault) -> str:
    """`fire_safety` for what may burn or hurt, `public_order` for what people do to a device, else `maintenance`."""
    if fault is SafetyFault.TAMPER:
        return "public_order"
    return "fire_safety" if fault in _SAFETY else "maintenance"


def joined(faults: Iterable[SafetyFault]) -> str:
    """The state of a `faults` point, the same for any order of the members."""
    return SEPARATOR.join(sorted(set(faults))) or NONE


def split(state: str) -> frozenset[SafetyFault]:
    """The members of a `faults` state; a name that is not known counts as `other`."""
    names = {name for name in state.split(SEPARATOR) if name and name != NONE}
    known = set(SafetyFault)
    return frozenset(SafetyFault(name) if name in known else SafetyFault.OTHER for name in names)

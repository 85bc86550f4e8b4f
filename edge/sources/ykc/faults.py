"""What YKC's bits and codes mean in the safety taxonomy. Pure.

The text counts bits from 1. A bit or a code that no table knows is `other`, never an error. Where a code leaves open which of two faults it
is (电压异常: too high or too low), it counts as the worse one; its raw code says the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from edge.contract.safety import SafetyFault, joined

_HARDWARE: Final = (
    SafetyFault.EMERGENCY_STOP,
    SafetyFault.INTERNAL,
    SafetyFault.OVER_TEMPERATURE,
    SafetyFault.SURGE_PROTECTOR,
    SafetyFault.COMMUNICATION,
    SafetyFault.COMMUNICATION,
    SafetyFault.METER,
    SafetyFault.READER,
    SafetyFault.COMMUNICATION,
    SafetyFault.COOLING,
    SafetyFault.FUSE,
    SafetyFault.CONTACTOR,
    SafetyFault.DOOR_OPEN,
)
"""0x13 (§7.2), Bit1 to Bit13."""

_BMS_FAULTS: Final = (
    SafetyFault.INSULATION,
    SafetyFault.OVER_TEMPERATURE,
    SafetyFault.OVER_TEMPERATURE,
    SafetyFault.CONNECTOR,
    SafetyFault.BATTERY_OVER_TEMPERATURE,
    SafetyFault.CONTACTOR,
    SafetyFault.CONNECTOR,
    SafetyFault.OTHER,
)
_BMS_ERRORS: Final = (SafetyFault.OVER_CURRENT, SafetyFault.OVER_VOLTAGE)
_BMS_REASONS: Final = ("full", "full", "full", "charger")
"""0x1D (§7.7), by pairs of bits."""

_CHARGER_FAULTS: Final = (
    SafetyFault.OVER_TEMPERATURE,
    SafetyFault.CONNECTOR,
    SafetyFault.OVER_TEMPERATURE,
    SafetyFault.POWER_ABNORMAL,
    SafetyFault.EMERGENCY_STOP,
    SafetyFault.OTHER,
)
_CHARGER_ERRORS: Final = (SafetyFault.POWER_ABNORMAL, SafetyFault.OVER_VOLTAGE)
_CHARGER_REASONS: Final = ("limit", "local", None, "vehicle")
"""0x21 (§7.8); the third reason is that something was wrong."""

_SO: Final = 0b01
_OPEN: Final = 0b11
"""A pair of bits is 00 no, 01 yes, 10 not to be trusted (GB/T 27930); 11 means nothing that the text knows."""

_BATTERY: Final[Mapping[tuple[int, int], SafetyFault]] = MappingProxyType(
    {
        (0, 0b01): SafetyFault.OVER_VOLTAGE,
        (0, 0b10): SafetyFault.UNDER_VOLTAGE,
        (2, _SO): SafetyFault.OVER_CURRENT,
        (3, _SO): SafetyFault.BATTERY_OVER_TEMPERATURE,
        (4, _SO): SafetyFault.INSULATION,
        (5, _SO): SafetyFault.CONNECTOR,
    }
)
"""0x25 (§7.10), by pair and value. The state of charge (pair 1) and whether charging is allowed (pair 6) are no faults."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a charge ended: `faults`, or the plain `word` where nothing was wrong; `raw_code` as the pile said it."""

    faults: frozenset[SafetyFault]
    word: str
    raw_code: str

    @property
    def value(self) -> str:
        """As the event `stop_reason` tells it."""
        return joined(self.faults) if self.faults else self.word


def hardware_faults(bits: int) -> frozenset[SafetyFault]:
    """Of the two bytes at the end of 0x13."""
    return frozenset(
        _HARDWARE[index] if index < len(_HARDWARE) else SafetyFault.OTHER for index in range(16) if bits >> index & 1
    )


def hardware_code(bits: int) -> str:
    """The bits as the text counts them."""
    return "0x13 bit " + ",".join(str(index + 1) for index in range(16) if bits >> index & 1)


def battery_faults(states: int) -> frozenset[SafetyFault]:
    """Of the two bytes at the end of 0x25."""
    return frozenset(fault for (pair, value), fault in _BATTERY.items() if states >> 2 * pair & 0b11 == value)


def bms_stop(reasons: int, faults: int, errors: int) -> Stop:
    """Of 0x1D: the vehicle ended the charge."""
    found = frozenset((*_pairs(faults, _BMS_FAULTS, 8), *_pairs(errors, _BMS_ERRORS, 4)))
    return Stop(found, _reason(reasons, _BMS_REASONS, "vehicle"), f"0x1D {reasons:02X} {faults:04X} {errors:02X}")


def charger_stop(reasons: int, faults: int, errors: int) -> Stop:
    """Of 0x21: the charger ended the charge; that something was wrong and nothing says what is `other`."""
    found = frozenset((*_pairs(faults, _CHARGER_FAULTS, 8), *_pairs(errors, _CHARGER_ERRORS, 4)))
    if not found and reasons >> 4 & 0b11 == _SO:
        found = frozenset((SafetyFault.OTHER,))
    return Stop(found, _reason(reasons, _CHARGER_REASONS, "charger"), f"0x21 {reasons:02X} {faults:04X} {errors:02X}")


def _pairs(bits: int, table: Sequence[SafetyFault], pairs: int) -> Iterator[SafetyFault]:
    for pair in range(pairs):
        value = bits >> 2 * pair & 0b11
        if value == _SO:
            yield table[pair] if pair < len(table) else SafetyFault.OTHER
        elif value == _OPEN:
            yield SafetyFault.OTHER


def _reason(bits: int, words: Sequence[str | None], otherwise: str) -> str:
    for pair, word in enumerate(words):
        if word is not None and bits >> 2 * pair & 0b11 == _SO:
            return word
    return otherwise


_STOP_WORDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x00: "unspecified",
        0x40: "remote",
        0x41: "full",
        0x42: "limit",
        0x43: "limit",
        0x44: "limit",
        0x45: "local",
        0x46: "limit",
        0x47: "limit",
        0x48: "limit",
        0x49: "limit",
        0x4E: "refused",
        0x6E: "limit",
        0x82: "vehicle",
    }
)
"""Ends of a charge where nothing is wrong (§13.1); 00 stands in the text's own example."""

_STOP_FAULTS: Final[Mapping[int, SafetyFault]] = MappingProxyType(
    {
        **dict.fromkeys((0x4A, 0x4F, 0x6A, 0x71), SafetyFault.INTERNAL),
        **dict.fromkeys((0x4B, 0x6B), SafetyFault.CONNECTOR),
        **dict.fromkeys((0x4C, 0x6C, 0x6F, 0x70, 0x7A), SafetyFault.OVER_CURRENT),
        **dict.fromkeys((0x4D, 0x6D), SafetyFault.METER),
        **dict.fromkeys((0x50, 0x72), SafetyFault.EMERGENCY_STOP),
        **dict.fromkeys((0x51, 0x73), SafetyFault.SURGE_PROTECTOR),
        **dict.fromkeys((0x53, 0x74), SafetyFault.OVER_TEMPERATURE),
        0x54: SafetyFault.REVERSED_BATTERY,
        **dict.fromkeys((0x55, 0x77), SafetyFault.LOCK),
        0x56: SafetyFault.CONTACTOR,
        0x57: SafetyFault.INSULATION,
        **dict.fromkeys((0x52, *range(0x59, 0x60), 0x62, 0x63, 0x64, *range(0x84, 0x8A)), SafetyFault.COMMUNICATION),
        **dict.fromkeys((0x60, 0x61, 0x75, 0x76), SafetyFault.POWER_ABNORMAL),
        **dict.fromkeys((0x79, 0x7B, 0x7D, 0x7F), SafetyFault.OVER_VOLTAGE),
        **dict.fromkeys((0x7C, 0x7E, 0x80), SafetyFault.BATTERY_OVER_TEMPERATURE),
        0x83: SafetyFault.POWER_LOST,
    }
)
"""Ends where something is (§13.1). What stands in neither table is `other`."""


def recorded_stop(code: int) -> Stop:
    """Of the stop reason in 0x3B."""
    raw_code = f"0x3B {code:02X}"
    word = _STOP_WORDS.get(code)
    if word is not None:
        return Stop(frozenset(), word, raw_code)
    return Stop(frozenset((_STOP_FAULTS.get(code, SafetyFault.OTHER),)), "", raw_code)

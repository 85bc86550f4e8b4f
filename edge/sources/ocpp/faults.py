"""What a station calls its state and its faults, in the terms of the safety taxonomy. Pure.

A code that no table knows is no reason to lose a fault: it counts as `other`, and the code itself travels on.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from edge.contract.safety import NONE, SafetyFault, joined

FAULTED: Final = "faulted"
UNKNOWN_STATUS: Final = "unavailable"
"""What a state that no table knows counts as: nobody can rely on such a connector."""

LONGEST_CODE: Final = 200
_NO_ERROR: Final = "NoError"

STATUSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Available": "available",
        "Preparing": "preparing",
        "Charging": "charging",
        "SuspendedEVSE": "suspended",
        "SuspendedEV": "suspended",
        "Finishing": "finishing",
        "Reserved": "reserved",
        "Unavailable": "unavailable",
        "Faulted": FAULTED,
        "Occupied": "charging",
    }
)
"""OCPP 1.6 §7.7; `Occupied` is of version 1.5, which some stations still say."""

NOT_CHARGING: Final = frozenset({"available", "reserved"})
"""In these no charge can be under way, whatever became of its end."""

IN_USE: Final = frozenset({"preparing", "charging", "suspended", "finishing", "reserved"})
"""In these somebody charges, is about to, or has just done so: no time for a new firmware."""

ERROR_CODES: Final[Mapping[str, SafetyFault | None]] = MappingProxyType(
    {
        "ConnectorLockFailure": SafetyFault.LOCK,
        "EVCommunicationError": SafetyFault.COMMUNICATION,
        "GroundFailure": SafetyFault.INSULATION,
        "HighTemperature": SafetyFault.OVER_TEMPERATURE,
        "InternalError": SafetyFault.INTERNAL,
        "LocalListConflict": SafetyFault.OTHER,
        _NO_ERROR: None,
        "OtherError": SafetyFault.OTHER,
        "OverCurrentFailure": SafetyFault.OVER_CURRENT,
        "OverVoltage": SafetyFault.OVER_VOLTAGE,
        "PowerMeterFailure": SafetyFault.METER,
        "PowerSwitchFailure": SafetyFault.CONTACTOR,
        "ReaderFailure": SafetyFault.READER,
        "ResetFailure": SafetyFault.INTERNAL,
        "UnderVoltage": SafetyFault.UNDER_VOLTAGE,
        "WeakSignal": SafetyFault.COMMUNICATION,
        "Mode3Error": SafetyFault.COMMUNICATION,
    }
)
"""OCPP 1.6 §7.6; `Mode3Error` is of version 1.5."""

_VAGUE: Final = frozenset({SafetyFault.OTHER, SafetyFault.INTERNAL})
"""What the vendor's own code may say more exactly."""

STOP_REASONS: Final = MappingProxyType(
    {
        "EmergencyStop": "emergency_stop",
        "EVDisconnected": "unplugged",
        "HardReset": "hard_reset",
        "Local": "local",
        "Other": "other",
        "PowerLoss": "power_lost",
        "Reboot": "reboot",
        "Remote": "remote",
        "SoftReset": "soft_reset",
        "UnlockCommand": "unlock_command",
        "DeAuthorized": "deauthorized",
    }
)
"""OCPP 1.6 §7.35. Those that are faults bear the taxonomy's name."""

UNKNOWN_REASON: Final = "other"
_BLANK: Final = frozenset({"", "0", "none", "null", "noerror", "no_error", "ok", "0x0000", "0x00"})


def status(word: str) -> tuple[str, str]:
    """The state of a connector, and what the station called it."""
    return STATUSES.get(word, UNKNOWN_STATUS), word[:LONGEST_CODE]


def faults(payload: Mapping[str, Any], vendor_codes: Mapping[str, SafetyFault]) -> tuple[str, str | None]:
    """The state of `faults` that a StatusNotification tells, and the codes that it was made of.

    The vendor's code decides where the configuration knows it; else the standard's, else a vendor's word in the place of the
    standard's one. A connector that is faulted without any reason has a fault all the same.
    """
    error_code, vendor_code = word(payload.get("errorCode")), word(payload.get("vendorErrorCode"))
    told = [vendor_codes[code] for code in (vendor_code, error_code) if code in vendor_codes]
    is_error = error_code not in {"", _NO_ERROR}
    fault: SafetyFault | None = told[0] if told else None
    if fault is None and is_error:
        fault = ERROR_CODES.get(error_code, SafetyFault.OTHER)
    if fault is None and payload.get("status") == "Faulted":
        fault = SafetyFault.OTHER
    if fault is None:
        return NONE, None
    info = word(payload.get("info"))
    raw = [error_code if is_error else "", _unless_blank(vendor_code)]
    if not any(raw) or (fault in _VAGUE and not told):
        raw.append(_unless_blank(info))
    return joined([fault]), "/".join(part for part in raw if part)[:LONGEST_CODE] or FAULTED


def stop_reason(value: Any) -> tuple[str, str]:
    """Why a charge ended, and what the station called it. None told is `Local` (OCPP 1.6 §6.49)."""
    reason = word(value) or "Local"
    return STOP_REASONS.get(reason, UNKNOWN_REASON), reason


def word(value: Any) -> str:
    """A code as text, whatever it came as; nothing where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        text = str(value)
    except ValueError:  # an endless number
        return ""
    return "".join(character for character in text[:LONGEST_CODE] if character.isprintable()).strip()


def snake(value: Any) -> str:
    """`InstallationFailed` → `installation_failed`; nothing where it is no word."""
    text = word(value)
    parts = [
        f"_{letter.lower()}" if letter.isupper() and index else letter.lower() for index, letter in enumerate(text)
    ]
    return "".join(parts).replace(" ", "_")


def _unless_blank(code: str) -> str:
    return "" if code.lower() in _BLANK else code

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus, Reason

from edge.contract.safety import NONE, SafetyFault, split
from edge.sources.ocpp.faults import (
    ERROR_CODES,
    LONGEST_CODE,
    STATUSES,
    STOP_REASONS,
    faults,
    snake,
    status,
    stop_reason,
)
from tests.edge.sources.ocpp.test_frames import ANY_JSON


def told(
    code: Any, *, state: str = "Faulted", vendor: Any = None, info: Any = None, **codes: SafetyFault
) -> tuple[str, str | None]:
    payload = {"errorCode": code, "status": state, "vendorErrorCode": vendor, "info": info}
    return faults({key: value for key, value in payload.items() if value is not None}, codes)


def test_every_word_of_the_standard_is_known() -> None:
    assert {code.value for code in ChargePointErrorCode} <= set(ERROR_CODES)
    assert {state.value for state in ChargePointStatus} <= set(STATUSES)
    assert {reason.value for reason in Reason} <= set(STOP_REASONS)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("HighTemperature", "over_temperature"),
        ("GroundFailure", "insulation"),
        ("PowerSwitchFailure", "contactor"),
        ("OverCurrentFailure", "over_current"),
        ("ConnectorLockFailure", "lock"),
    ],
)
def test_the_codes_of_the_standard(code: str, fault: str) -> None:
    assert told(code) == (fault, code)


def test_nothing_is_wrong() -> None:
    assert told("NoError", state="Available") == (NONE, None)
    assert told("NoError", state="Charging", vendor="0") == (NONE, None)
    assert told(None, state="Charging") == (NONE, None)


def test_a_vendors_code_that_nobody_knows_is_a_fault_and_kept() -> None:
    assert told("OtherError", vendor="E-4711") == ("other", "OtherError/E-4711")
    assert told("OverheatPlugGun1") == ("other", "OverheatPlugGun1")
    assert told(4711) == ("other", "4711")


def test_a_vendors_code_that_the_configuration_knows_says_what_it_is() -> None:
    assert told("OtherError", vendor="E12", E12=SafetyFault.OVER_TEMPERATURE) == ("over_temperature", "OtherError/E12")
    assert told("GunOverheat", GunOverheat=SafetyFault.OVER_TEMPERATURE) == ("over_temperature", "GunOverheat")
    assert told("NoError", state="Charging", vendor="E12", E12=SafetyFault.SMOKE) == ("smoke", "E12")


def test_a_faulted_connector_has_a_fault_whatever_it_says() -> None:
    assert told("NoError") == ("other", "faulted")
    assert told("NoError", info="door sensor") == ("other", "door sensor")
    assert told("InternalError", info="fan 2") == ("internal", "InternalError/fan 2")


def test_states_that_nobody_knows() -> None:
    assert status("SuspendedEV") == ("suspended", "SuspendedEV")
    assert status("Sleeping") == ("unavailable", "Sleeping")


def test_why_a_charge_ended() -> None:
    assert stop_reason("EmergencyStop") == ("emergency_stop", "EmergencyStop")
    assert stop_reason(None) == ("local", "Local")
    assert stop_reason("TempTooHigh") == ("other", "TempTooHigh")


def test_words_in_small_letters() -> None:
    assert (snake("InstallationFailed"), snake("Idle"), snake(None)) == ("installation_failed", "idle", "")


@given(st.dictionaries(st.sampled_from(["errorCode", "status", "vendorErrorCode", "info"]), ANY_JSON))
def test_whatever_comes_is_a_state_of_the_taxonomy(payload: dict[str, Any]) -> None:
    state, raw_code = faults(payload, {})
    assert state == NONE or split(state) <= set(SafetyFault)
    assert (raw_code is None) == (state == NONE)
    assert raw_code is None or 0 < len(raw_code) <= LONGEST_CODE

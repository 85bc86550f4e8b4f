import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.safety import SafetyFault, split
from edge.sources.ykc.faults import (
    battery_faults,
    bms_stop,
    charger_stop,
    hardware_code,
    hardware_faults,
    recorded_stop,
)


@pytest.mark.parametrize(
    ("bit", "fault"),
    [
        (1, "emergency_stop"),
        (2, "internal"),
        (3, "over_temperature"),
        (4, "surge_protector"),
        (5, "communication"),
        (6, "communication"),
        (7, "meter"),
        (8, "reader"),
        (9, "communication"),
        (10, "cooling"),
        (11, "fuse"),
        (12, "contactor"),
        (13, "door_open"),
        (14, "other"),
        (15, "other"),
        (16, "other"),
    ],
)
def test_each_hardware_bit_as_the_text_counts_it(bit: int, fault: str) -> None:
    assert hardware_faults(1 << bit - 1) == {fault}
    assert hardware_code(1 << bit - 1) == f"0x13 bit {bit}"


@pytest.mark.parametrize(
    ("pair", "fault"),
    [
        (1, "insulation"),
        (2, "over_temperature"),
        (3, "over_temperature"),
        (4, "connector"),
        (5, "battery_over_temperature"),
        (6, "contactor"),
        (7, "connector"),
        (8, "other"),
    ],
)
def test_each_fault_for_which_the_vehicle_stops(pair: int, fault: str) -> None:
    assert bms_stop(0, 1 << 2 * (pair - 1), 0).faults == {fault}
    assert not bms_stop(0, 2 << 2 * (pair - 1), 0).faults, "not to be trusted"


@pytest.mark.parametrize(
    ("pair", "fault"),
    [
        (1, "over_temperature"),
        (2, "connector"),
        (3, "over_temperature"),
        (4, "power_abnormal"),
        (5, "emergency_stop"),
        (6, "other"),
        (7, "other"),
        (8, "other"),
    ],
)
def test_each_fault_for_which_the_charger_stops(pair: int, fault: str) -> None:
    stop = charger_stop(0, 1 << 2 * (pair - 1), 0)
    assert stop.value == fault
    assert stop.raw_code == f"0x21 00 {1 << 2 * (pair - 1):04X} 00"


def test_errors_reasons_and_what_nothing_explains() -> None:
    assert bms_stop(0, 0, 0b0001).faults == {SafetyFault.OVER_CURRENT}
    assert bms_stop(0, 0, 0b0100).faults == {SafetyFault.OVER_VOLTAGE}
    assert charger_stop(0, 0, 0b0001).faults == {SafetyFault.POWER_ABNORMAL}
    assert bms_stop(0b01, 0, 0).value == "full"
    assert bms_stop(0b01_00_00_00, 0, 0).value == "charger"
    assert charger_stop(0b01_00, 0, 0).value == "local"
    assert charger_stop(0b01_00_00_00, 0, 0).value == "vehicle"
    assert charger_stop(0b01_00_00, 0, 0).faults == {SafetyFault.OTHER}
    assert charger_stop(0b01_00_00, 1, 0).faults == {SafetyFault.OVER_TEMPERATURE}


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        ((0x50, 0x72), "emergency_stop"),
        ((0x53, 0x74), "over_temperature"),
        ((0x54,), "reversed_battery"),
        ((0x55, 0x77), "lock"),
        ((0x57,), "insulation"),
        ((0x6F, 0x70, 0x7A), "over_current"),
        ((0x75,), "power_abnormal"),
        ((0x79, 0x7B, 0x7D), "over_voltage"),
        ((0x7C, 0x7E, 0x80), "battery_over_temperature"),
        ((0x83,), "power_lost"),
        ((0x84, 0x85, 0x86, 0x87, 0x88, 0x89), "communication"),
        ((0x90, 0x65, 0x8F, 0xFF, 0x01), "other"),
    ],
)
def test_stop_reasons_that_matter_for_safety(codes: tuple[int, ...], fault: str) -> None:
    for code in codes:
        assert recorded_stop(code).value == fault
        assert recorded_stop(code).raw_code == f"0x3B {code:02X}"


def test_normal_ends_are_no_fault() -> None:
    for code in range(0x40, 0x4A):
        assert not recorded_stop(code).faults
        assert not split(recorded_stop(code).value) & (set(SafetyFault) - {SafetyFault.OTHER})


@given(st.integers(0, 255))
def test_every_code_means_something(code: int) -> None:
    stop = recorded_stop(code)
    assert stop.value
    assert bool(stop.faults) != bool(stop.word)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0xFF))
def test_any_bits_mean_something(faults: int, reasons: int, errors: int) -> None:
    assert bool(hardware_faults(faults)) == bool(faults)
    assert battery_faults(faults) <= set(SafetyFault)
    for stop in (bms_stop(reasons, faults, errors), charger_stop(reasons, faults, errors)):
        assert stop.value

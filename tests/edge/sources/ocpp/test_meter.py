from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings.ocpp import Quantity
from edge.sources.ocpp.meter import MEASURANDS, MOST_VALUES, MeterRefusal, sampled
from edge.sources.payload import Refusal
from tests.edge.sources.ocpp.test_frames import ANY_JSON

ALL = tuple(Quantity)


def of(*samples: dict[str, Any]) -> dict[Quantity, float]:
    found = sampled(list(samples), ALL)
    assert found.refusals == ()
    return dict(found.values)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("81.5", "Celsius", 81.5),
        ("81.5", "Celcius", 81.5),
        ("178.7", "Fahrenheit", 81.5),
        ("354.65", "K", 81.5),
        (7, None, 7.0),
    ],
)
def test_temperatures_in_any_unit(value: Any, unit: str | None, expected: float) -> None:
    sample = {"value": value, "measurand": "Temperature"} | ({} if unit is None else {"unit": unit})
    assert of(sample) == {Quantity.TEMPERATURE_C: pytest.approx(expected)}


def test_the_hottest_place_counts() -> None:
    samples = [
        {"value": value, "measurand": "Temperature", "unit": "Celsius", "location": place}
        for value, place in (("35", "Body"), ("92", "Cable"), ("61", "Outlet"))
    ]
    assert of(*samples) == {Quantity.TEMPERATURE_C: 92.0}


def test_the_largest_current_of_a_phase_counts_and_not_the_neutral() -> None:
    samples = [
        {"value": value, "measurand": "Current.Import", "unit": "A", "phase": phase}
        for value, phase in (("16", "L1"), ("31.5", "L2"), ("15", "L3"), ("99", "N"))
    ]
    assert of(*samples) == {Quantity.CURRENT_A: 31.5}


def test_voltages_between_phases_are_not_those_to_the_neutral() -> None:
    samples = [
        {"value": value, "measurand": "Voltage", "unit": "V", "phase": phase}
        for value, phase in (("231", "L1-N"), ("229", "L2-N"), ("401", "L1-L2"))
    ]
    assert of(*samples) == {Quantity.VOLTAGE_V: 231.0}


def test_powers_are_added_unless_the_meter_tells_their_sum() -> None:
    phases = [
        {"value": value, "measurand": "Power.Active.Import", "unit": "kW", "phase": phase}
        for value, phase in (("2.1", "L1"), ("2.2", "L2"), ("2.3", "L3"))
    ]
    assert of(*phases) == {Quantity.POWER_W: pytest.approx(6_600)}
    total = {"value": "6500", "measurand": "Power.Active.Import", "unit": "W"}
    assert of(*phases, total) == {Quantity.POWER_W: 6_500.0}


def test_without_a_measurand_it_is_the_register() -> None:
    assert of(
        {"value": "1.5", "unit": "kWh"},
    ) == {Quantity.ENERGY_WH: 1_500.0}
    assert of({"value": "1500"}) == {Quantity.ENERGY_WH: 1_500.0}


def test_what_is_not_wanted_is_passed_over() -> None:
    found = sampled([{"value": "50", "measurand": "SoC", "unit": "Percent"}], (Quantity.POWER_W,))
    assert (dict(found.values), found.refusals) == ({}, ())


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ("x", Refusal.MALFORMED),
        ({"value": "x"}, Refusal.WRONG_TYPE),
        ({"value": True}, Refusal.WRONG_TYPE),
        ({"value": "1_000"}, Refusal.WRONG_TYPE),
        ({}, Refusal.WRONG_TYPE),
        ({"value": "NaN"}, Refusal.OUT_OF_RANGE),
        ({"value": "1e999"}, Refusal.OUT_OF_RANGE),
        ({"value": 1e300}, Refusal.OUT_OF_RANGE),
        ({"value": "5", "measurand": "Humidity"}, MeterRefusal.UNKNOWN_MEASURAND),
        ({"value": "5", "measurand": "Voltage", "unit": "furlong"}, MeterRefusal.UNKNOWN_UNIT),
        ({"value": "AAAA", "format": "SignedData"}, MeterRefusal.SIGNED),
    ],
)
def test_what_can_not_be_taken_is_named_and_never_guessed(sample: Any, why: object) -> None:
    found = sampled([sample, {"value": "7", "measurand": "SoC", "unit": "Percent"}], ALL)
    assert found.refusals == (why,)
    assert dict(found.values) == {Quantity.SOC_PCT: 7.0}


def test_too_many_values_are_cut() -> None:
    found = sampled([{"value": "1"}] * (MOST_VALUES + 1), ALL)
    assert MeterRefusal.TOO_MANY in found.refusals


def test_each_quantity_can_be_asked_for() -> None:
    assert set(MEASURANDS) == set(Quantity)
    for quantity, name in MEASURANDS.items():
        assert set(sampled([{"value": "1", "measurand": name}], ALL).values) == {quantity}


@given(ANY_JSON | st.lists(ANY_JSON, max_size=10))
def test_whatever_comes_is_values_or_refusals(samples: Any) -> None:
    found = sampled(samples, ALL)
    assert all(isinstance(value, float) and abs(value) < float("inf") for value in found.values.values())

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings import ModbusDeviceSettings, ModbusPointSettings
from edge.settings.modbus import RegisterTable, RegisterType, WordOrder
from edge.simulators.modbus_server import words
from edge.sources.modbus_registers import MOST_BITS, MOST_REGISTERS, Block, Value, blocks, value_of
from edge.sources.payload import Refusal


def device(*points: ModbusPointSettings, kind: str = "sensor") -> ModbusDeviceSettings:
    return ModbusDeviceSettings(id="d", kind=kind, gateway="192.0.2.1", points=points)


def point(name: str = "p", address: int = 0, **more: object) -> ModbusPointSettings:
    return ModbusPointSettings.model_validate({"name": name, "address": address, **more})


def read(told: ModbusPointSettings, held: list[int], *, kind: str = "sensor") -> Value | Refusal:
    (register_point,) = device(told, kind=kind).register_points
    return value_of(register_point, Block(told.table, told.address, len(held), (register_point,)), held)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("int16", -12_345),
        ("uint16", 65_535),
        ("int32", -2_000_000_000),
        ("uint32", 4_000_000_000),
        ("float32", 21.5),
    ],
)
def test_each_type_is_read_in_both_word_orders(kind: str, number: float) -> None:
    held = words(number, kind)
    assert read(point(type=kind), held) == Value(number)
    assert read(point(type=kind, word_order="little"), held[::-1]) == Value(number)


def test_scale_and_offset_give_what_people_read() -> None:
    assert read(point(scale=0.1, offset=-40), [615]) == Value(21.5)
    assert read(point(scale=0.1), [3]) == Value(0.3)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(number: float) -> None:
    assert read(point(type="float32"), words(number, "float32")) is Refusal.OUT_OF_RANGE


def test_the_plausible_range_is_the_kinds_unless_the_point_has_its_own() -> None:
    hot = point("temperature_c", type="int16")
    assert read(hot, [500], kind="temperature_sensor") is Refusal.OUT_OF_RANGE
    assert read(point("temperature_c", type="int16", maximum=600), [500], kind="temperature_sensor") == Value(500)
    assert read(point(minimum=1), [0]) is Refusal.OUT_OF_RANGE


def test_states_are_words_and_an_unknown_number_is_told_as_it_is() -> None:
    told = point(states={0: "shut", 1: "open"})
    assert read(told, [1]) == Value("open", raw_code="1")
    assert read(told, [77]) == Value("77", raw_code="77")
    assert read(point(bit=3), [0b1000]) == Value("on", raw_code="1")
    assert read(point("smoke", table="discrete"), [1], kind="smoke_detector") == Value("alarm", raw_code="1")


def test_an_answer_that_is_too_short_or_has_no_registers_in_it_holds_nothing() -> None:
    assert read(point(type="int32"), [1]) is Refusal.MISSING
    assert read(point(), []) is Refusal.MISSING
    assert read(point(), [70_000]) is Refusal.MALFORMED


def test_reads_are_merged_where_nothing_lies_between() -> None:
    told = device(
        point("a", 0),
        point("b", 1, type="int32"),
        point("c", 3),
        point("d", 5),
        point("e", 0, table="input"),
        point("also-b", 2),
    ).register_points
    found = [(block.table.value, block.address, block.count, len(block.points)) for block in blocks(told)]
    assert found == [("holding", 0, 4, 4), ("holding", 5, 1, 1), ("input", 0, 1, 1)]
    assert [block.address for block in blocks(told)[0].singly] == [0, 1, 2, 3]


registers = st.builds(
    point,
    address=st.integers(0, 400),
    type=st.sampled_from([each.value for each in RegisterType]),
    word_order=st.sampled_from([each.value for each in WordOrder]),
    table=st.sampled_from(["holding", "input"]),
)
bits = st.builds(point, address=st.integers(0, 5_000), table=st.sampled_from(["coil", "discrete"]))


@given(st.lists(registers | bits, min_size=1, max_size=60))
def test_every_point_is_read_once_and_no_read_touches_what_no_point_has(told: list[ModbusPointSettings]) -> None:
    named = [each.model_copy(update={"name": f"p{index}"}) for index, each in enumerate(told)]
    points = device(*named).register_points
    wanted = {
        (each.settings.table, each.settings.address + offset)
        for each in points
        for offset in range(each.settings.addresses)
    }
    touched: list[tuple[RegisterTable, int]] = []
    found: list[str] = []
    for block in blocks(points):
        assert block.count <= (MOST_BITS if block.table.of_bits else MOST_REGISTERS)
        addresses = range(block.address, block.address + block.count)
        touched += [(block.table, address) for address in addresses]
        found += [each.settings.name for each in block.points]
        for each in block.points:
            assert each.settings.address in addresses
            assert each.settings.address + each.settings.addresses - 1 in addresses
    assert sorted(found) == sorted(each.name for each in named)
    assert set(touched) == wanted


@given(st.lists(st.integers(0, 0xFFFF), max_size=4), registers)
def test_whatever_stands_there_is_a_finite_value_or_refused(held: list[int], told: ModbusPointSettings) -> None:
    found = read(told, held)
    if isinstance(found, Value):
        assert isinstance(found.value, float | int)
        assert math.isfinite(found.value)
    else:
        assert len(held) < told.addresses or told.type is RegisterType.FLOAT32
        assert found in (Refusal.MISSING, Refusal.OUT_OF_RANGE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0},
        {"table": "coil", "bit": 1},
        {"table": "discrete", "type": "int16"},
        {"bit": 3, "type": "int32"},
        {"states": {1: "on"}, "unit": "°C"},
        {"states": {1: "on"}, "type": "float32"},
        {"address": 65_535, "type": "int32"},
        {"minimum": 3, "maximum": 2},
    ],
)
def test_a_point_that_contradicts_itself_is_a_mistake(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"`|minimum|register"):
        ModbusPointSettings.model_validate({"name": "p", "address": 0, **wrong})


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ("192.0.2.7", ("192.0.2.7", 502)),
        ("gw.example:1502", ("gw.example", 1502)),
        ("[2001:db8::7]:503", ("2001:db8::7", 503)),
        ("[2001:db8::7]", ("2001:db8::7", 502)),
    ],
)
def test_where_a_gateway_listens(gateway: str, expected: tuple[str, int]) -> None:
    made = ModbusDeviceSettings(id="d", gateway=gateway, points=(point(),))
    assert made.host_and_port == expected


@pytest.mark.parametrize("gateway", ["host:0", "host:65536", "a b", "", ":502", "host:port"])
def test_what_is_no_address_is_a_mistake(gateway: str) -> None:
    with pytest.raises(ValueError, match=r"gateway|address"):
        ModbusDeviceSettings(id="d", gateway=gateway, points=(point(),))


def test_words_of_the_simulator_are_those_of_the_wire() -> None:
    assert words(1.0, "float32") == list(struct.unpack(">HH", struct.pack(">f", 1.0)))

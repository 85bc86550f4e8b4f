import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.contract.device_command import DeviceAction
from edge.contract.safety import SafetyFault
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, DeviceBusy, DeviceUnreachable
from edge.flow import DeviceControl
from edge.settings import EbikePileSettings
from edge.settings.ebike_map import EbikeMap
from edge.settings.ebike_maps import EBIKE_MAPS
from edge.sources.ebike import MOST_ITEMS, TURN_S, EbikePile, filled
from edge.sources.mqtt_device import Said
from edge.sources.payload import Parsed, Refusal
from tests.edge.waiting import wait_until

NOW = datetime(2026, 3, 16, 9, 14, 47, tzinfo=UTC)


def pile(vendor: str | dict[str, Any] = "shedwatt", *, turn_s: float = TURN_S, **changes: Any) -> EbikePile:
    settings = EbikePileSettings.model_validate(
        {"id": "shed-3", "topics": ["shed/3"], "map": vendor, "sockets": 10, **changes}
    )
    return EbikePile(settings, turn_s=turn_s)


def said(message: object, **changes: Any) -> Said:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Said("shed/3", payload, NOW, **changes)


def values(parsed: Parsed) -> dict[str, float | str]:
    return {reading.point: reading.value for reading in parsed.readings}


STATUS = {
    "cmd": "status",
    "ts": NOW.timestamp(),
    "ports": [
        {"no": 1, "p": 2_105, "i": 950, "e": 12, "t": 71, "st": 1, "err": 0, "order": "A-17"},
        {"no": 10, "p": 0, "i": 0, "e": 0, "t": 70, "st": 3, "err": [6, 99], "order": ""},
    ],
}


def test_a_message_of_all_sockets() -> None:
    parsed = pile().parse(said(STATUS))
    assert values(parsed) == {
        "power_w.1": 210.5,
        "current_a.1": 0.95,
        "energy_wh.1": 120.0,
        "temperature_c.1": 31.0,
        "status.1": "charging",
        "charging.1": "A-17",
        "faults.1": "none",
        "raw_code.1": "none",
        "power_w.10": 0.0,
        "current_a.10": 0.0,
        "energy_wh.10": 0.0,
        "temperature_c.10": 30.0,
        "status.10": "faulted",
        "charging.10": "none",
        "faults.10": "other+over_temperature",
        "raw_code.10": "6,99",
    }
    assert parsed.refusals == ()
    assert {reading.observed_at for reading in parsed.readings} == {NOW}
    assert next(reading.raw_code for reading in parsed.readings if reading.point == "faults.10") == "6,99"


def test_a_message_of_one_socket_in_words_counted_from_nought() -> None:
    data = {"index": "3", "watt": "480.5", "volt": 229, "amp": 2.1, "minutes": 61, "state": "busy", "alarm": 0b100101}
    parsed = pile("plugrow").parse(said({"type": "socket", "data": data | {"time": NOW.isoformat()}}))
    assert values(parsed) == {
        "power_w.4": 480.5,
        "voltage_v.4": 229.0,
        "current_a.4": 2.1,
        "charging_s.4": 3_660.0,
        "status.4": "charging",
        "faults.4": "contactor+over_current+smoke",
        "raw_code.4": "bits 0,2,5",
    }


def test_what_a_pile_says_of_itself() -> None:
    parsed = pile().parse(said({"cmd": "box", "ts": NOW.timestamp(), "t": 110, "smoke": 1}))
    assert values(parsed) == {"temperature_c.0": 70.0, "faults": "smoke", "raw_code": "1"}


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (4, "unplugged"),
        (6, "over_temperature"),
        (7, "power_abnormal"),
        (10, "insulation"),
        (16, "short_circuit"),
        (21, "smoke"),
        (25, "limit"),
        (29, "fuse"),
        (44, "over_current"),
        ("44", "over_current"),
        (44.0, "over_current"),
        (77, "other"),
        ({"a": 1}, "other"),
    ],
)
def test_the_public_stop_reasons(code: object, value: str) -> None:
    message = {"cmd": "stopped", "ts": NOW.timestamp(), "no": 2, "reason": code, "e": 30}
    parsed = pile().parse(said(message))
    assert values(parsed)["stop_reason.2"] == value
    event = next(reading for reading in parsed.readings if reading.point == "stop_reason.2")
    assert event.is_event
    assert event.raw_code == values(parsed)["stop_code.2"]


def test_every_stop_reason_of_the_maps_is_a_fault_or_a_plain_word() -> None:
    for vendor in EBIKE_MAPS.values():
        for message in vendor.messages:
            if message.stop is not None:
                assert not set(message.stop.words.values()) & set(SafetyFault)
                assert not set(message.stop.words) & set(message.stop.codes)


def test_what_was_said_long_ago_is_history_and_so_is_a_retained_stop_without_a_time() -> None:
    message = {"cmd": "stopped", "ts": (NOW - timedelta(hours=1)).timestamp(), "no": 2, "reason": 6}
    assert all(ReadingFlag.REPLAYED in reading.flag for reading in pile().parse(said(message)).readings)
    del message["ts"]
    fresh = pile().parse(said(message))
    assert fresh.refusals == (Refusal.BAD_TIME,)
    assert not fresh.readings[0].flag
    retained = pile().parse(said(message, retained=True))
    assert all(ReadingFlag.REPLAYED in reading.flag for reading in retained.readings if reading.is_event)


def test_what_makes_no_sense_is_refused_and_the_rest_is_taken() -> None:
    ports: list[object] = [
        {"no": 0},
        {"no": 11},
        {"no": True},
        {"no": None},
        {},
        7,
        {"no": 1, "p": "warm", "t": 40_000, "i": None, "st": "?", "e": 1e308},
        {"no": "2", "p": 10, "t": [1], "st": None},
    ]
    parsed = pile().parse(said({"cmd": "status", "ts": NOW.timestamp(), "ports": ports}))
    assert values(parsed) == {"status.1": "unavailable", "power_w.2": 1.0}
    assert sorted(parsed.refusals) == sorted(
        [Refusal.OUT_OF_RANGE] * 4 + [Refusal.WRONG_TYPE] * 4 + [Refusal.MISSING] * 2
    )


@pytest.mark.parametrize("payload", [b"", b"[1]", b"7", b"\xff", b"[" * 5_000, b"{" + b" " * 70_000])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    parsed = pile().parse(said(payload))
    assert parsed.readings == ()
    assert parsed.refusals
    assert not parsed.alive


def test_a_message_that_no_kind_fits_is_a_sign_of_life() -> None:
    assert pile().parse(said({"cmd": "hello"})) == Parsed(alive=True)
    assert pile().parse(said({"cmd": "status", "ts": NOW.timestamp(), "ports": {"1": {}}})).refusals == (
        Refusal.WRONG_TYPE,
    )


def test_no_message_makes_more_than_a_bounded_number_of_readings() -> None:
    ports = [{"no": 1, "p": 1}] * 2_000
    assert len(pile().parse(said({"cmd": "status", "ts": 1, "ports": ports})).readings) == MOST_ITEMS


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
)
ports = st.fixed_dictionaries({}, optional=dict.fromkeys(("no", "p", "i", "e", "t", "st", "err", "order"), anything))
wild = st.fixed_dictionaries(
    {"cmd": st.sampled_from(["status", "stopped", "box"])},
    optional={
        "ts": anything,
        "ports": st.lists(ports, max_size=4) | anything,
        "no": anything,
        "reason": anything,
        "t": anything,
    },
)


@given(wild | anything)
def test_whatever_a_pile_says_raises_nothing_and_makes_sound_readings(message: object) -> None:
    made = pile()
    declared = {point.name: point for point in made.settings.declared}
    for reading in made.parse(said(message)).readings:
        point = declared[reading.point]
        assert isinstance(reading.value, str) == (point.kind != "number")
        assert reading.is_event == (point.kind == "event")
        if isinstance(reading.value, float):
            assert point.minimum is not None
            assert point.maximum is not None
            assert point.minimum <= reading.value <= point.maximum
        else:
            assert len(reading.value) <= 500


class Line:
    """What the node says, and what a pile answers."""

    def __init__(self, made: EbikePile, *, connected: bool = True) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.connected = connected
        control = made.control(self.publish)
        assert control is not None
        self.control: DeviceControl = control

    def publish(self, topic: str, payload: bytes) -> bool:
        self.sent.append((topic, msgspec.json.decode(payload)))
        return self.connected

    def stop(self, socket: int | None, wait_s: float = 10.0) -> dict[str, Any]:
        return self.control.act("shed-3", DeviceAction.STOP_CHARGE, {}, connector=socket, wait_s=wait_s)


@pytest.mark.parametrize(("code", "accepted"), [(0, True), ("0", True), (1, False), (None, False)])
def test_a_charge_is_stopped_and_the_answer_is_the_piles(code: object, accepted: bool) -> None:
    made = pile()
    line = Line(made)

    def answer() -> None:
        wait_until(lambda: line.sent, "the order")
        order = line.sent[0][1]
        for foreign in ({"cmd": "stop_ack", "sn": "another", "code": 0}, {"cmd": "status"}, [1]):
            made.parse(said(foreign))
        made.parse(said({"cmd": "stop_ack", "sn": order["sn"], "code": code}))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        if accepted:
            assert line.stop(3) == {"result": "accepted", "connector": 3}
        else:
            with pytest.raises(CommandRefused, match="does not stop socket 3"):
                line.stop(3)
    finally:
        thread.join()
    topic, order = line.sent[0]
    assert topic == "ebike/shed-3/down"
    assert order == {"cmd": "stop", "no": 3, "sn": order["sn"]}
    assert len(order["sn"]) == 16


def test_orders_that_find_nobody_or_make_no_sense() -> None:
    made = pile("plugrow")
    line = Line(made)
    with pytest.raises(DeviceUnreachable, match="did not answer"):
        line.stop(1, wait_s=0.01)
    assert line.sent[0][0] == "plugrow/shed-3/set"
    assert line.sent[0][1]["data"]["index"] == 0
    with pytest.raises(DeviceUnreachable, match="not connected"):
        Line(made, connected=False).stop(1, wait_s=0.01)
    for socket in (None, 0, 11):
        with pytest.raises(CommandRefused, match="say which"):
            line.stop(socket)
    with pytest.raises(CommandRefused, match="can't be asked to reset"):
        line.control.act("shed-3", DeviceAction.RESET, {}, wait_s=1.0)
    with pytest.raises(CommandRefused, match="no arguments"):
        line.control.act("shed-3", DeviceAction.STOP_CHARGE, {"socket": 1}, connector=1, wait_s=1.0)
    assert line.control.actions("shed-3") == (DeviceAction.STOP_CHARGE,)
    assert line.control.actions("other") == ()


@pytest.mark.parametrize("vendor", sorted(EBIKE_MAPS))
def test_a_hot_box_stops_all_its_sockets_at_once_and_each_order_gets_its_own_answer(vendor: str) -> None:
    made = pile(vendor)
    line = Line(made)
    with ThreadPoolExecutor(10) as threads:
        stops = {socket: threads.submit(line.stop, socket, 60.0) for socket in range(1, 11)}
        wait_until(lambda: len(line.sent) == 10, "all orders, before any answer")
        assert not any(stop.done() for stop in stops.values())
        for _, order in reversed(line.sent):
            if vendor == "shedwatt":
                made.parse(said({"cmd": "stop_ack", "sn": order["sn"], "code": 0 if order["no"] != 7 else 3}))
            else:
                is_seventh = order["data"]["index"] == 6
                made.parse(said({"type": "reply", "data": {"ref": order["data"]["ref"], "ok": not is_seventh}}))
        for socket, stop in stops.items():
            if socket == 7:
                with pytest.raises(CommandRefused, match="does not stop socket 7"):
                    stop.result(60)
            else:
                assert stop.result(60) == {"result": "accepted", "connector": socket}


NAMELESS: dict[str, Any] = {
    "messages": [{"number": "n", "values": {"power_w": {"path": "p"}}}],
    "stop": {
        "topic": "x/{id}",
        "payload": {"off": "{socket}"},
        "answer_when": {"cmd": "off"},
        "answer_result": "ok",
        "accepted": ["1"],
    },
}


def test_orders_whose_answers_have_no_name_take_turns() -> None:
    made = pile(NAMELESS, turn_s=60.0)
    line = Line(made)
    with ThreadPoolExecutor(2) as threads:
        stops = [threads.submit(line.stop, socket, 60.0) for socket in (1, 2)]
        for sent in (1, 2):
            wait_until(lambda sent=sent: len(line.sent) == sent, "the next order")  # type: ignore[misc]
            made.parse(said({"cmd": "off", "ok": 1}))
        assert sorted(stop.result(60)["connector"] for stop in stops) == [1, 2]


def test_an_order_that_nobody_answers_gives_way_to_the_next_one() -> None:
    made = pile(NAMELESS, turn_s=0.0)
    line = Line(made)
    with ThreadPoolExecutor(2) as threads:
        silent = threads.submit(line.stop, 1, 3_600.0)
        wait_until(lambda: len(line.sent) == 1, "the first order")
        urgent = threads.submit(line.stop, 2, 60.0)
        with pytest.raises(DeviceUnreachable, match="did not answer"):
            silent.result(60)
        wait_until(lambda: len(line.sent) == 2, "the second order")
        made.parse(said({"cmd": "off", "ok": 1}))
        assert urgent.result(60) == {"result": "accepted", "connector": 2}


def test_an_order_that_never_had_its_turn_says_that_it_was_not_sent() -> None:
    made = pile(NAMELESS, turn_s=3_600.0)
    line = Line(made)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(line.stop, 1, 3_600.0)
        wait_until(lambda: len(line.sent) == 1, "the first order")
        with pytest.raises(DeviceBusy):
            line.stop(2, wait_s=0.01)
        assert [order["off"] for _, order in line.sent] == [1]
        made.parse(said({"cmd": "off", "ok": 1}))
        assert first.result(60) == {"result": "accepted", "connector": 1}


def test_a_vendor_whose_piles_answer_nothing_is_believed_by_its_meter_only() -> None:
    plain = {
        "messages": [{"number": "n", "values": {"power_w": {"path": "p"}}}],
        "stop": {"topic": "x/{id}", "payload": {"off": ["{socket}", {"{socket}": "socket {socket}"}]}},
    }
    line = Line(pile(plain))
    assert line.stop(2) == {"result": "sent", "connector": 2}
    assert line.sent == [("x/shed-3", {"off": [2, {"{socket}": "socket {socket}"}]})], "whole texts only are places"
    without = {"messages": plain["messages"]}
    assert pile(without).control(line.publish) is None


def test_only_whole_texts_of_a_template_are_filled() -> None:
    assert filled({"a": "{order}", "b": [1, "{socket}", None, True, "x{socket}"]}, 7, '"}, {"cmd": "open') == {
        "a": '"}, {"cmd": "open',
        "b": [1, 7, None, True, "x{socket}"],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"map": "nobody"},
        {"map": {"messages": []}},
        {"topics": ["a/#"]},
        {"topics": []},
        {"sockets": 0},
        {"sockets": 32},
        {"map": {"messages": [{"stop": {"path": "a", "codes": {"1": "hot"}}}]}},
        {"map": {"messages": [{"values": {"speed": {"path": "a"}}}]}},
        {"map": {"messages": [{"number": "n"}], "stop": {"topic": "a", "payload": {}, "answer_result": "r"}}},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        pile(**{"vendor": wrong.pop("map", "shedwatt"), **wrong})


def test_maps_go_through_a_file_and_back() -> None:
    for name, vendor in EBIKE_MAPS.items():
        assert EbikeMap.model_validate(vendor.model_dump(mode="json")) == vendor
        assert pile(name).settings.declared

"""Codes, channels and addresses as gateways tell them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings import Department
from edge.sources.gb28181 import (
    Channel,
    channel_of,
    department_of,
    device_of,
    online_of,
    play_addresses,
    reason_in,
    rows_of,
)

CODE = "11010500081310000001"
DEVICE = "11010500002000000001"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("11010500001310000001", Department.PUBLIC_SECURITY),
        ("11010500031310000001", Department.PUBLIC_SECURITY),
        ("11010500041310000001", Department.TRAFFIC),
        ("11010500071310000001", Department.TRAFFIC),
        ("11010500081310000001", Department.URBAN_MANAGEMENT),
        ("11010500091310000001", None),
        ("11010500991310000001", None),
        ("1101050008131000000", None),
        ("１１０１０５０００８１３１００００００１", None),
        ("", None),
    ],
)
def test_the_industry_in_a_code_says_whose_camera_it_is(code: str, department: Department | None) -> None:
    assert department_of(code) is department


def test_a_channel_of_today_and_one_of_years_ago_are_the_same() -> None:
    now = {
        "deviceId": CODE,
        "parentDeviceId": DEVICE,
        "name": "北门",
        "status": "ON",
        "manufacturer": "A",
        "owner": "城管",
    }
    then = {"channelId": CODE, "deviceId": DEVICE, "name": "北门", "status": 1, "manufacture": "A", "owner": "城管"}
    common = {
        "gbDeviceId": CODE,
        "gbName": "北门",
        "gbStatus": "ON",
        "gbManufacturer": "A",
        "gbOwner": "城管",
        "gbId": 7,
    }
    expected = Channel(
        CODE, "北门", True, DEVICE, None, Department.URBAN_MANAGEMENT, owner="城管", manufacturer="A", civil_code=""
    )
    assert channel_of(now, device=DEVICE) == expected
    assert channel_of(then, device=DEVICE) == expected
    found = channel_of(common)
    assert found is not None
    assert (found.number, found.device, found.name, found.online) == (7, None, "北门", True)


def test_what_is_missing_is_not_guessed() -> None:
    bare = channel_of({"gbDeviceId": CODE})
    assert bare is not None
    assert (bare.online, bare.name, bare.number, bare.longitude) == (None, "", None, None)
    assert channel_of({"gbDeviceId": CODE, "gbLongitude": 0.0, "gbLatitude": 0.0}) == bare
    assert channel_of({"gbDeviceId": CODE, "gbLongitude": "116.4", "gbLatitude": None}) == bare
    placed = channel_of({"gbDeviceId": CODE, "gbLongitude": "116.4", "gbLatitude": 39.9, "gbId": True})
    assert placed is not None
    assert (placed.longitude, placed.latitude, placed.number) == (116.4, 39.9, None)


@pytest.mark.parametrize(
    "item", [None, [], "x", {}, {"gbDeviceId": "110105"}, {"gbDeviceId": None}, {"deviceId": CODE}]
)
def test_what_has_no_code_is_no_channel(item: Any) -> None:
    assert channel_of(item) is None


def test_a_code_says_what_has_pictures() -> None:
    assert Channel(CODE).is_camera
    assert Channel("11010500081320000001").is_camera
    assert not Channel("11010500081340000001").is_camera, "an alarm input"
    assert not Channel("11010500002160000001").is_camera, "a virtual organisation"


@pytest.mark.parametrize(
    ("status", "online"),
    [
        ("ON", True),
        ("on", True),
        ("OK", True),
        (1, True),
        (True, True),
        ("OFF", False),
        (0, False),
        (False, False),
        ("0", False),
        (None, None),
        ("", None),
        ("?", None),
        ([], None),
    ],
)
def test_a_status_has_many_forms(status: Any, online: bool | None) -> None:
    assert online_of(status) is online


def test_words_of_others_are_one_short_line() -> None:
    assert reason_in("点播\n超时\x1b[2J\u202e") == "点播 超时 [2J"
    assert len(reason_in("x" * 10_000)) == 120
    assert reason_in(None) == reason_in({"a": 1}) == "without a reason"


@pytest.mark.parametrize(
    ("rtsp", "stream_host", "addresses"),
    [
        ("rtsp://192.0.2.30:554/rtp/a_b", None, ("rtsp://192.0.2.30:554/rtp/a_b", "rtsp://gate.example:554/rtp/a_b")),
        ("rtsp://gate.example:554/rtp/a_b", None, ("rtsp://gate.example:554/rtp/a_b",)),
        ("rtsp://127.0.0.1:554/rtp/a_b?k=1", None, ("rtsp://gate.example:554/rtp/a_b?k=1",)),
        ("rtsp://localhost/rtp/a_b", None, ("rtsp://gate.example/rtp/a_b",)),
        ("rtsp://0.0.0.0:554/a", None, ("rtsp://gate.example:554/a",)),
        ("rtsp://[::1]:554/a", None, ("rtsp://gate.example:554/a",)),
        ("rtsp://172.17.0.4:554/a", "2001:db8::1", ("rtsp://[2001:db8::1]:554/a",)),
        ("rtsp://172.17.0.4/a", "media.example", ("rtsp://media.example/a",)),
        ("rtsp://user:word@172.17.0.4:554/a", "media.example", ("rtsp://user:word@media.example:554/a",)),
        ("http://192.0.2.30/a.flv", None, ()),
        ("rtsp:///a", None, ()),
        ("rtsp://192.0.2.30:0/a", None, ()),
        ("rtsp://192.0.2.30:99999/a", None, ()),
        ("rtsp://192.0.2.30/a b", None, ()),
        ("rtsp://192.0.2.30/a\r\nTEARDOWN", None, ()),
        ("rtsp://192.0.2.30/" + "a" * 3000, None, ()),
        ("file:///etc/passwd", None, ()),
        (None, None, ()),
        (7, None, ()),
    ],
)
def test_where_a_stream_can_be_read(rtsp: Any, stream_host: str | None, addresses: tuple[str, ...]) -> None:
    assert play_addresses({"rtsp": rtsp}, gateway_host="gate.example", stream_host=stream_host) == addresses


def test_encrypted_streams_are_taken_where_there_are_no_others() -> None:
    data = {"rtsp": None, "rtsps": "rtsps://gate.example:332/a"}
    assert play_addresses(data, gateway_host="gate.example") == ("rtsps://gate.example:332/a",)


def test_a_gateway_on_this_machine_is_read_on_this_machine() -> None:
    data = {"rtsp": "rtsp://127.0.0.1:554/a"}
    assert play_addresses(data, gateway_host="127.0.0.1") == ("rtsp://127.0.0.1:554/a",)


@given(JSON, st.none() | st.just(DEVICE))
def test_whatever_a_gateway_sends_is_read_or_left_out(data: Any, device: str | None) -> None:
    for row in [*rows_of(data), data]:
        channel = channel_of(row, device=device)
        assert channel is None or len(channel.code) == 20
        assert device_of(row) is None or len(device_of(row) or "") == 20
    assert reason_in(data)
    assert play_addresses(data, gateway_host="gate.example") == () or isinstance(data, dict)


@given(
    st.dictionaries(st.sampled_from(["gbDeviceId", "gbName", "gbStatus", "gbLongitude", "gbLatitude", "gbId"]), JSON)
)
def test_fields_of_any_type_are_read_or_left_out(row: dict[str, Any]) -> None:
    channel = channel_of({**row, "gbDeviceId": CODE})
    assert channel is not None
    assert channel.name.isprintable()
    assert len(channel.name) <= 120

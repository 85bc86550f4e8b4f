import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.ocpp.frames import (
    BadFrame,
    Call,
    CallError,
    CallResult,
    ErrorCode,
    Flaw,
    decode,
    error,
    result,
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=30,
)


def flaw(message: str | bytes) -> Flaw:
    with pytest.raises(BadFrame) as caught:
        decode(message)
    return caught.value.flaw


def test_the_three_kinds_are_read() -> None:
    assert decode('[2,"7","Heartbeat",{}]') == Call("7", "Heartbeat", {})
    assert decode('[3,"7",{"status":"Accepted"}]') == CallResult("7", {"status": "Accepted"})
    assert decode('[4,"7","NotSupported","no",{}]') == CallError("7", "NotSupported", "no")


def test_a_station_that_counts_its_messages_gets_its_number_back() -> None:
    call = decode('[2,17,"Heartbeat",{}]')
    assert isinstance(call, Call)
    assert json.loads(result(call, {"currentTime": "now"})) == [3, 17, {"currentTime": "now"}]


def test_a_refusal_names_the_call() -> None:
    assert json.loads(error("7", ErrorCode.NOT_SUPPORTED, "x" * 999)) == [4, "7", "NotSupported", "x" * 255, {}]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\x00\x01", Flaw.BINARY),
        ("", Flaw.MALFORMED),
        ("{", Flaw.MALFORMED),
        ("[" * 100_000, Flaw.MALFORMED),
        ('{"a":1}', Flaw.NO_FRAME),
        ("[2]", Flaw.NO_FRAME),
        ('[2,"7","Heartbeat",[]]', Flaw.NO_FRAME),
        ('[2,"7",{"a":1},{}]', Flaw.NO_FRAME),
        ('[9,"7","Heartbeat",{}]', Flaw.NO_FRAME),
        ('[true,"7",{}]', Flaw.NO_FRAME),
        ('[2,null,"Heartbeat",{}]', Flaw.BAD_ID),
        ('[2,"","Heartbeat",{}]', Flaw.BAD_ID),
        ('[2,"' + "7" * 65 + '","Heartbeat",{}]', Flaw.BAD_ID),
        ('[2,"7","DataTransfer",' + '{"a":' * 20 + "1" + "}" * 20 + "]", Flaw.TOO_DEEP),
        ('[2,"7","Heartbeat",{"a":' + "9" * 5_000 + "}]", Flaw.MALFORMED),
    ],
)
def test_what_is_no_frame_is_named(message: str | bytes, expected: Flaw) -> None:
    assert flaw(message) is expected


def test_a_broken_call_can_be_answered() -> None:
    with pytest.raises(BadFrame) as caught:
        decode('[2,"7","Heartbeat"]')
    assert caught.value.message_id == "7"


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_whatever_comes_is_a_frame_or_a_flaw(message: str | bytes) -> None:
    with contextlib.suppress(BadFrame):
        assert isinstance(decode(message), Call | CallResult | CallError)


@given(st.lists(ANY_JSON, max_size=6))
def test_any_json_is_a_frame_or_a_flaw(parts: list[Any]) -> None:
    try:
        frame = decode(json.dumps(parts))
    except BadFrame:
        return
    assert isinstance(frame, Call | CallResult | CallError)

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.ykc import answers, messages
from edge.sources.ykc.fields import (
    PILE_TIME,
    Bytes,
    Cp56Time,
    Decimal,
    Digits,
    Field,
    Gun,
    MalformedBody,
    Row,
    Unsigned,
    Words,
)
from edge.sources.ykc.frame import Frame
from edge.sources.ykc.layout import Layout

_TIMES = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)).map(  # noqa: DTZ001 (the zone follows)
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000, tzinfo=UTC)
)


def values(field: Field[Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 (one for each kind of field)
    match field:
        case Unsigned(size):
            return st.integers(0, 256**size - 1)
        case Digits(size):
            return st.binary(min_size=size, max_size=size).map(bytes.hex)
        case Decimal(size):
            return st.text("0123456789", min_size=2 * size, max_size=2 * size)
        case Gun():
            return st.integers(0, 99)
        case Words(size):
            return st.text("abcXYZ0189./-_", max_size=size)
        case Bytes(size):
            return st.binary(min_size=size, max_size=size)
        case Row(each, count):
            return st.tuples(*[values(each)] * count)
        case Cp56Time():
            return _TIMES
    raise AssertionError(field)


def said(layout: Layout[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*map(values, layout.fields)).map(lambda each: layout.message(*each))


@pytest.mark.parametrize("kind", sorted(messages.LAYOUTS))
def test_what_a_pile_says_goes_both_ways(kind: int) -> None:
    @given(said(messages.LAYOUTS[kind]), st.integers(0, 0xFFFF))
    def goes_both_ways(message: Any, sequence: int) -> None:
        frame = messages.frame_of(message, sequence)
        assert (frame.kind, frame.sequence) == (kind, sequence)
        assert messages.message_of(frame) == message
        longer = dataclasses.replace(frame, body=frame.body + b"\1")
        assert messages.message_of(longer) == message, "what a newer version adds is left alone"
        with pytest.raises(MalformedBody):
            messages.message_of(dataclasses.replace(frame, body=frame.body[:-1]))

    goes_both_ways()


@pytest.mark.parametrize("kind", sorted(answers.LAYOUTS))
def test_what_the_platform_says_goes_both_ways(kind: int) -> None:
    @given(said(answers.LAYOUTS[kind]))
    def goes_both_ways(answer: Any) -> None:
        assert answers.answer_of(answers.frame_of(answer, 7)) == answer

    goes_both_ways()


@given(st.integers(0, 0xFF), st.binary(max_size=196))
def test_any_body_is_a_message_or_refused(kind: int, body: bytes) -> None:
    try:
        message = messages.message_of(Frame(0, kind, body))
    except MalformedBody:
        return
    assert (message is None) == (kind not in messages.LAYOUTS)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0x01", 0x22),
        ("0x03", 0x0D),
        ("0x05", 0x0D),
        ("0x09", 0x0B),
        ("0x13", 0x40),
        ("0x19", 0x2B),
        ("0x1B", 0x24),
        ("0x1D", 0x20),
        ("0x21", 0x20),
        ("0x23", 0x30),
        ("0x25", 0x23),
        ("0x31", 0x37),
        ("0x33", 0x1E),
        ("0x35", 0x0E),
        ("0x3B", 0xA2),
        ("0x55", 0x12),
        ("0x91", 0x0C),
        ("0x93", 0x0C),
    ],
)
def test_lengths_are_those_of_the_text(text: str, length: int) -> None:
    assert messages.LAYOUTS[int(text, 16)].size + 4 == length


def test_the_login_of_the_text() -> None:
    body = bytes.fromhex("55031412782305 00 02 0F 56342E312E353000 01 01010101010101010101 04")
    login = messages.message_of(Frame(0, 0x01, body))
    assert login == messages.Login("55031412782305", 0, 2, 15, "V4.1.50", 1, "01" * 10, 4)


def test_the_time_of_the_text() -> None:
    at = Cp56Time().read(bytes.fromhex("98B70E11100314"))
    assert at == datetime(2020, 3, 16, 17, 14, 47, tzinfo=PILE_TIME)


@pytest.mark.parametrize(
    "text",
    [
        "00000000000000",
        "98B78E11100314",  # its own mark says that it is invalid
        "98B70E11200414",  # no day
        "98B70E11100D14",  # month 13
        "98B73F11100314",  # minute 63
        "60EA0E11100314",  # 60 seconds
        "98B70E111003FF",  # the year 2127 is one
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    at = Cp56Time().read(bytes.fromhex(text))
    assert at is None or text.endswith("FF")


@given(st.binary(min_size=7, max_size=7))
def test_any_seven_bytes_are_a_time_or_none(data: bytes) -> None:
    at = Cp56Time().read(data)
    assert at is None or at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("data", ["A5031412782305", "5503141278230F"])
def test_a_pile_number_that_is_no_bcd_is_refused(data: str) -> None:
    with pytest.raises(MalformedBody):
        Decimal(7).read(bytes.fromhex(data))
    with pytest.raises(MalformedBody):
        Gun().read(b"\x1a")


def test_who_charges_shows_in_no_repr() -> None:
    start = messages.StartRequest("1" * 14, 1, 1, 1, "00000000d14b0a54", b"p" * 16, b"LSVAU2180N2183294")
    update = answers.UpdateOrder("1" * 14, 1, 7, "10.0.0.1", 21, "user", "hidden-word", "/a", 1, 9)
    for secret in ("d14b0a54", "pppp", "LSVAU", "hidden-word"):
        assert secret not in f"{start!r}{update!r}"

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.ykc.frame import (
    LARGEST_BODY_BYTES,
    LARGEST_FRAME_BYTES,
    START,
    Frame,
    FrameReader,
    crc16_modbus,
)

PUBLISHED = bytes.fromhex("680C00000002" + "55031412782305" + "00" + "DA4C")
"""0x02 of the text (§6.2): one of the few examples there whose CRC is right."""

frames = st.builds(
    Frame,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFF),
    st.binary(max_size=LARGEST_BODY_BYTES),
    st.integers(0, 0xFF),
)


def test_the_published_example() -> None:
    (frame,) = FrameReader().feed(PUBLISHED)
    assert frame == Frame(0, 0x02, bytes.fromhex("5503141278230500"))
    assert frame.encoded() == PUBLISHED


@pytest.mark.parametrize(
    "text",
    [
        "680ECE040006 55031412782305 0000 00 8E2F",
        "682A00040032 32010200000001 01 20180612195957 85 32010200000001 01 0000000000000000 00000000 00 01 E829",
    ],
)
def test_further_published_examples_with_a_right_crc(text: str) -> None:
    data = bytes.fromhex(text)
    (frame,) = FrameReader().feed(data)
    assert frame.encoded() == data


def test_the_check_value_of_the_crc() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37


@given(st.lists(frames, max_size=8), st.data())
def test_frames_are_found_however_they_are_cut(said: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(frame.encoded() for frame in said)
    reader, found = FrameReader(), list[Frame]()
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == said
    assert reader.skipped_bytes == reader.wrong_crc == reader.waiting_bytes == 0


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_whatever_comes_raises_nothing_and_keeps_less_than_a_frame(parts: list[bytes]) -> None:
    reader, found = FrameReader(), 0
    for part in parts:
        found += sum(len(frame.encoded()) for frame in reader.feed(part))
        assert reader.waiting_bytes < LARGEST_FRAME_BYTES
    assert found + reader.skipped_bytes + reader.waiting_bytes == sum(map(len, parts)), "each byte counts once"


@given(st.binary(max_size=300), frames)
def test_a_frame_behind_noise_is_found(noise: bytes, frame: Frame) -> None:
    reader = FrameReader()
    found = [*reader.feed(noise + frame.encoded())]
    while reader.waiting_bytes:
        found += reader.give_up()
    assert frame in found


@given(frames, st.data())
def test_one_wrong_bit_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    bytes_ = bytearray(frame.encoded())
    position = data.draw(st.integers(16, 8 * len(bytes_) - 1))
    bytes_[position // 8] ^= 1 << position % 8
    reader = FrameReader()
    assert frame not in [*reader.feed(bytes(bytes_))]
    assert reader.wrong_crc > 0


def test_a_start_byte_that_promises_more_than_comes_holds_nothing_up_for_long() -> None:
    reader = FrameReader()
    assert [*reader.feed(bytes((START, 200)) + PUBLISHED)] == []
    assert [frame.kind for frame in reader.give_up()] == [0x02]


@pytest.mark.parametrize("length", [0, 1, 3, 201, 255])
def test_an_impossible_length_is_no_start(length: int) -> None:
    reader = FrameReader()
    assert [frame.kind for frame in reader.feed(bytes((START, length)) + PUBLISHED)] == [0x02]
    assert reader.skipped_bytes == 2


def test_a_body_that_no_frame_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 196 bytes"):
        Frame(0, 1, bytes(LARGEST_BODY_BYTES + 1)).encoded()

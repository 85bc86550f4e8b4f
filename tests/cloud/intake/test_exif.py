import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.evidence.formats import NotOfItsKind, check_jpeg
from cloud.intake.exif import orientation, stripped
from tests.fakes.pictures import END, HEAD, frame, jpeg, scan, segment

SECRET = b"39.9042N 116.4074E Phone X"


def tiff(way: int, *, order: str = "<") -> bytes:
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    field = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, way, 0)
    return head + struct.pack(f"{order}H", 2) + struct.pack(f"{order}HHII", 0x010F, 2, 4, 0) + field + bytes(4) + SECRET


def phone_picture(way: int = 1) -> bytes:
    about = segment(0xE1, b"Exif\x00\x00" + tiff(way)) + segment(0xE2, b"MPF\x00" + SECRET) + segment(0xFE, SECRET)
    return HEAD + about + frame() + scan() + segment(0xFE, SECRET) + scan() + END


@pytest.mark.parametrize("way", [1, 3, 6, 8])
def test_what_the_phone_wrote_is_gone_and_the_picture_is_the_same_way_up(way: int) -> None:
    kept = stripped(phone_picture(way))
    check_jpeg(kept)
    assert SECRET not in kept
    assert (b"Exif" in kept) is (way != 1)
    at = kept.find(b"Exif\x00\x00")
    assert way == 1 or orientation(kept[at + 6 :]) == way
    assert kept.count(scan()) == 2
    assert stripped(kept) == kept


def test_the_picture_itself_stays_bit_for_bit() -> None:
    picture = np.random.default_rng(7).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    written = content[:2] + segment(0xE1, b"Exif\x00\x00" + tiff(1)) + content[2:]
    first, second = (
        cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in (content, stripped(written))
    )
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(order: str) -> None:
    assert orientation(tiff(6, order=order)) == 6


@given(st.binary(max_size=200))
def test_whatever_stands_there_is_read_without_a_mistake(content: bytes) -> None:
    assert 1 <= orientation(content) <= 8
    assert 1 <= orientation(b"II*\x00" + content) <= 8


@given(st.integers(0, 3_999), st.integers(0, 255))
def test_a_damaged_picture_is_refused_or_clean(at: int, value: int) -> None:
    content = bytearray(phone_picture(6))
    content[at % len(content)] = value
    try:
        kept = stripped(bytes(content))
    except NotOfItsKind:
        return
    check_jpeg(kept)


def test_what_is_no_picture_is_refused() -> None:
    for content in (b"", b"GIF89a", jpeg(4_000) + b"PK"):
        with pytest.raises(NotOfItsKind):
            stripped(content)

"""What claims to be a picture or a film, and what is one."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.evidence.formats import MOST_SCANS, MOST_SEGMENTS, NotOfItsKind, check
from edge.contract.incident import SEALED_MIME
from edge.video import WebmWriter
from tests.fakes.pictures import END, HEAD, box, film, frame, jpeg, scan, segment

JPEG, MP4, WEBM = "image/jpeg", "video/mp4", "video/webm"
DISTRICT = pyrage.x25519.Identity.generate().to_public()
CHUNK_BYTES = 64 << 10


def fits(mime: str, content: bytes) -> bool:
    try:
        check(mime, content)
    except NotOfItsKind as error:
        assert str(error)  # noqa: PT017 - it has to say why
        return False
    return True


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
@pytest.mark.parametrize("shape", [(1, 1), (480, 640, 3), (37, 53)])
def test_pictures_pass(options: list[int], shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    done, encoded = cv2.imencode(".jpg", noise, options)
    assert done
    assert fits(JPEG, encoded.tobytes())


def test_a_film_passes(clip: Callable[[str], Path]) -> None:
    assert fits(MP4, clip("one_by_one_person_detection").read_bytes())


def test_made_ones_pass() -> None:
    assert fits(JPEG, jpeg(5_000))
    assert fits(JPEG, HEAD + frame(marker=0xC2) + scan() + scan() + END)
    assert fits(MP4, film(100))
    wide = b"\x00\x00\x00\x01mdat" + (16 + 15).to_bytes(8, "big") + bytes(15)
    assert fits(MP4, box(b"ftyp", b"isom") + box(b"moov") + wide)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nothing", b""),
        ("a PNG", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        ("markup", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("a page", b"<!doctype html><script>alert(1)</script>"),
        ("a page with a JPEG's first bytes", b"\xff\xd8\xff\xe0<script>alert(1)</script>"),
        ("a program", b"MZ" + bytes(200)),
        ("a start alone", b"\xff\xd8"),
        ("start and end", b"\xff\xd8\xff\xd9"),
        ("no picture", HEAD + END),
        ("a frame and no scan", HEAD + frame() + END),
        ("a scan and no frame", HEAD + scan() + END),
        ("no end", jpeg(500)[:-2]),
        ("cut", jpeg(500)[:250]),
        ("an archive behind it", jpeg(500) + b"PK\x03\x04" + bytes(100)),
        ("a page behind it", jpeg(500) + b"<script>alert(1)</script>"),
        ("another picture behind it", jpeg(500) * 2),
        ("something before it", b"GIF89a" + jpeg(500)),
        ("too large for any screen", HEAD + frame(65_535, 65_535) + scan() + END),
        ("no height", HEAD + frame(16, 0) + scan() + END),
        ("no width", HEAD + frame(0, 16) + scan() + END),
        ("two frames", HEAD + frame() + frame() + scan() + END),
        ("two components", HEAD + frame(components=2) + scan() + END),
        ("a frame that is cut", HEAD + segment(0xC0, b"\x08\x00") + scan() + END),
        ("scans without end", HEAD + frame(marker=0xC2) + scan() * (MOST_SCANS + 1) + END),
        ("segments without end", HEAD + segment(0xFE, b"") * MOST_SEGMENTS + frame() + scan() + END),
        ("fill bytes without end", HEAD + b"\xff" * 100_000),
        ("a coded picture of fill bytes", HEAD + frame() + scan(b"\xff" * 100_000)),
        ("a length of nothing", HEAD + b"\xff\xe1\x00\x00" + frame() + scan() + END),
        ("a length beyond the file", HEAD + b"\xff\xe1\xff\xff" + frame() + scan() + END),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_jpeg(name: str, content: bytes) -> None:
    assert not fits(JPEG, content), name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nothing", b""),
        ("a JPEG", jpeg(500)),
        ("first bytes alone", b"\x00\x00\x00\x18ftypmp42" + bytes(5_000)),
        ("no media", box(b"ftyp", b"isom") + box(b"moov")),
        ("no index", box(b"ftyp", b"isom") + box(b"mdat")),
        ("media first", box(b"mdat") + box(b"ftyp", b"isom") + box(b"moov")),
        ("cut", film(100)[:-1]),
        ("something behind it", film(100) + b"PK\x03\x04"),
        ("another film behind it", film(100) * 2),
        ("a box of no size", box(b"ftyp", b"isom", size=0) + bytes(100)),
        ("a box that is too small", box(b"ftyp", b"isom") + box(b"moov", size=7)),
        ("a box longer than the file", box(b"ftyp", b"isom") + box(b"moov", size=2**31)),
        ("a box of 2^64", box(b"ftyp", b"isom") + b"\x00\x00\x00\x01moov" + b"\xff" * 8),
        ("boxes without end", box(b"ftyp", b"isom") + box(b"free") * 20_000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_mp4(name: str, content: bytes) -> None:
    assert not fits(MP4, content), name


@given(st.sampled_from([JPEG, MP4]), st.binary(max_size=400))
def test_any_bytes_end_in_an_answer(mime: str, content: bytes) -> None:
    fits(mime, content)


@given(st.sampled_from([JPEG, MP4]), st.data())
def test_changed_files_end_in_an_answer(mime: str, data: st.DataObject) -> None:
    content = bytearray(jpeg(600) if mime == JPEG else film(300))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    fits(mime, bytes(content[: data.draw(st.integers(0, len(content)))]))


@pytest.mark.parametrize("size_bytes", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 200_000])
@pytest.mark.parametrize("holders", [1, 8])
def test_sealed_files_pass(size_bytes: int, holders: int) -> None:
    assert fits(SEALED_MIME, bytes(pyrage.encrypt(bytes(size_bytes), [DISTRICT] * holders)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"the original itself",
        HEAD + frame() + scan() + END,
        b"age-encryption.org/v1\n",
        bytes(pyrage.encrypt(b"", [DISTRICT])),
        bytes(pyrage.encrypt(bytes(CHUNK_BYTES), [DISTRICT]))[: -CHUNK_BYTES - 5],
        bytes(pyrage.encrypt(bytes(CHUNK_BYTES), [DISTRICT])) + bytes(16),
        b"x" + bytes(pyrage.encrypt(b"x", [DISTRICT])),
        bytes(pyrage.encrypt(b"x", [DISTRICT])).replace(b"-> X25519 ", b"-> scrypt "),
    ],
)
def test_what_is_not_sealed_to_a_public_key_is_refused(content: bytes) -> None:
    assert not fits(SEALED_MIME, content)


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_first_line_of_a_sealed_file_are_judged(content: bytes) -> None:
    fits(SEALED_MIME, b"age-encryption.org/v1\n" + content)


def element(kind: str, content: bytes) -> bytes:
    return bytes.fromhex(kind) + (len(content) | 1 << 56).to_bytes(8, "big") + content


EBML = element("1A45DFA3", element("4282", b"webm"))
TRACK = element("AE", element("83", b"\x01") + element("86", b"V_VP8"))
TRACKS = element("1654AE6B", TRACK)
CLUSTER = element("1F43B675", element("E7", b"\x00") + element("A3", bytes(20)))


def webm(*parts: bytes) -> bytes:
    return EBML + element("18538067", b"".join(parts))


def test_a_film_that_a_node_made_passes() -> None:
    with WebmWriter(width=64, height=48, rate_hz=10, bits_per_s=100_000, largest_bytes=1 << 20) as writer:
        for number in range(30):
            writer.write(np.full((48, 64, 3), number, dtype=np.uint8), number / 10)
        content = writer.finished()
    assert fits(WEBM, content)
    assert not any(fits(WEBM, content[:length]) for length in range(0, len(content), 7))
    assert not fits(WEBM, content + b"\x00")
    assert fits(WEBM, webm(TRACKS, element("EC", bytes(9)), CLUSTER, CLUSTER))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nothing", b""),
        ("a head alone", EBML),
        (
            "another kind of Matroska",
            element("1A45DFA3", element("4282", b"matroska")) + webm(TRACKS, CLUSTER)[len(EBML) :],
        ),
        ("no stream", webm(CLUSTER)),
        ("no picture", webm(TRACKS)),
        ("two lists of streams", webm(TRACKS, TRACKS, CLUSTER)),
        ("two streams", webm(element("1654AE6B", TRACK * 2), CLUSTER)),
        ("sound", webm(element("1654AE6B", element("AE", element("83", b"\x02") + element("86", b"A_OPUS"))), CLUSTER)),
        (
            "another codec",
            webm(element("1654AE6B", element("AE", element("83", b"\x01") + element("86", b"V_X"))), CLUSTER),
        ),
        ("a file within it", webm(TRACKS, element("1941A469", b"<script>alert(1)</script>"), CLUSTER)),
        ("a page where nothing is to be", webm(TRACKS, element("EC", b"<script>alert(1)</script>"), CLUSTER)),
        ("something between pictures", webm(TRACKS, element("1F43B675", element("A3", b"x") + element("BF", b"y")))),
        ("a page behind it", webm(TRACKS, CLUSTER) + b"<script>alert(1)</script>"),
        ("a second film behind it", webm(TRACKS, CLUSTER) * 2),
        ("a length that is not known", EBML + bytes.fromhex("1853806701FFFFFFFFFFFFFF") + TRACKS + CLUSTER),
        ("a length beyond the end", webm(TRACKS, CLUSTER)[:-1]),
        ("zeros", bytes(1_000)),
        ("nothing many times", webm(TRACKS, CLUSTER, element("1F43B675", b"\xec\x80" * 40_000) * 2)),
    ],
)
def test_what_is_no_webm_does_not_pass(name: str, content: bytes) -> None:
    assert not fits(WEBM, content), name


@given(st.binary(max_size=300), st.integers(0, 400))
def test_changed_bytes_are_judged_and_never_break_the_judge(noise: bytes, place: int) -> None:
    content = webm(TRACKS, CLUSTER)
    fits(WEBM, content[:place] + noise + content[place + len(noise) :])

"""What is sealed can be opened by the district and by nobody else, and whatever happened to it shows."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import SEALED_MIME, EvidenceKind
from edge.errors import ConfigurationError
from edge.evidence.seal import MOST_RECIPIENTS, DistrictKey, read_district_key
from edge.evidence.snapshot import SnapshotMaker
from edge.flow import Frame, PrivateParts
from edge.video import ArrayPicture
from tests.fakes.scenes import at

DISTRICT = pyrage.x25519.Identity.generate()
STRANGER = pyrage.x25519.Identity.generate()
KEY = DistrictKey((str(DISTRICT.to_public()),))
CHUNK_BYTES = 64 << 10


@pytest.mark.parametrize("size_bytes", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_the_district_opens_what_was_sealed_and_the_reference_names_both(size_bytes: int) -> None:
    original = bytes(index % 251 for index in range(size_bytes))
    file = KEY.seal(original, captured_at=at(3))
    assert pyrage.decrypt(file.content, [DISTRICT]) == original
    reference = file.reference
    assert (reference.kind, reference.mime, reference.captured_at) == (EvidenceKind.SEALED, SEALED_MIME, at(3))
    assert reference.sha256 == hashlib.sha256(file.content).hexdigest()
    assert reference.plain_sha256 == hashlib.sha256(original).hexdigest()
    assert reference.bytes == len(file.content)


def test_nobody_else_opens_it_and_no_two_are_alike() -> None:
    one, other = (KEY.seal(b"the original", captured_at=at(0)) for _ in range(2))
    assert one.content != other.content
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(one.content, [STRANGER])


SEALED = KEY.seal(bytes(CHUNK_BYTES + 100), captured_at=at(0)).content


@given(st.integers(0, len(SEALED) - 1), st.integers(0, 7))
def test_a_changed_bit_is_noticed(place: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 1 << bit
    try:
        opened = pyrage.decrypt(bytes(changed), [DISTRICT])
    except pyrage.DecryptError:
        return
    pytest.fail(f"opened to {len(opened)} bytes")


@given(st.integers(0, len(SEALED) - 1))
def test_a_cut_tail_is_noticed(length: int) -> None:
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(SEALED[:length], [DISTRICT])


def test_each_of_several_holders_can_open_it(tmp_path: Path) -> None:
    path = tmp_path / "district.pub"
    path.write_text(
        f"# the district and its archive\n{DISTRICT.to_public()}\n\n  {STRANGER.to_public()} \n", encoding="ascii"
    )
    sealed = read_district_key(path).seal(b"x", captured_at=at(0)).content
    assert pyrage.decrypt(sealed, [DISTRICT]) == pyrage.decrypt(sealed, [STRANGER]) == b"x"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing but a remark\n",
        b"age1foo\n",
        b"\xff\xfe\n",
        b"ssh-ed25519 AAAA\n",
        (str(DISTRICT.to_public()) + "\n").encode() * (MOST_RECIPIENTS + 1),
        bytes(20_000),
    ],
)
def test_what_is_no_public_key_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "district.pub"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_district_key(path)


def test_a_private_key_does_not_belong_on_a_node_and_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "district.key"
    path.write_text(f"{DISTRICT}\n", encoding="ascii")
    with pytest.raises(ConfigurationError, match="private key") as refusal:
        read_district_key(path)
    assert "AGE-SECRET-KEY-1" not in str(refusal.value)
    with pytest.raises(ConfigurationError):
        read_district_key(tmp_path)


def test_the_original_of_a_snapshot_shows_all_of_the_picture_to_the_district_alone() -> None:
    image = np.random.default_rng(5).integers(0, 256, (1080, 1920, 3)).astype(np.uint8)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 9), dtype=np.uint8)
    frame = Frame("c", 0, at(0), 0.0, ArrayPicture(image))
    maker = SnapshotMaker("c", [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]], district_key=KEY)
    file = maker.seal(frame)
    assert file is not None
    original = bytes(pyrage.decrypt(file.content, [DISTRICT]))
    assert hashlib.sha256(original).hexdigest() == file.reference.plain_sha256
    decoded = cv2.imdecode(np.frombuffer(original, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 3
    assert original not in file.content
    assert maker.take(frame, PrivateParts(at(0))) is not None


def test_without_the_key_no_original_is_kept() -> None:
    frame = Frame("c", 0, at(0), 0.0, ArrayPicture(np.zeros((48, 64, 3), dtype=np.uint8)))
    maker = SnapshotMaker("c")
    assert maker.seal(frame) is None
    assert maker.refused == 0

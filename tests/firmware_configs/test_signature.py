import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_configs.keyring import Keyring, TrustedKey
from firmware_configs.problems import ArtifactProblem, ContentWrong, KeyFileWrong, KeyUnknown, SignatureWrong
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass, Signature
from firmware_configs.signing import SigningKey, write_public
from tests.firmware_configs.keys import SIGNED_AT, made_key, profile_bytes, ring_of, signed

KEY, RING = made_key()
CONTENT = profile_bytes()
SIGNATURE = signed(KEY, CONTENT)


def test_a_signature_is_read_as_it_was_written_and_vouches_for_its_bytes() -> None:
    again = Signature.parse(SIGNATURE.content())
    assert again == SIGNATURE
    assert RING.verify(again).name == "key-0"
    again.require_content(CONTENT)


@pytest.mark.parametrize(
    "change",
    [
        {"artifact": ArtifactClass.MODEL},
        {"name": "smoke_sensor"},
        {"version": "1.0.1"},
        {"sha256": "0" * 64},
        {"size_bytes": SIGNATURE.size_bytes + 1},
        {"signed_at": SIGNED_AT + timedelta(seconds=1)},
    ],
)
def test_nothing_of_a_statement_can_be_changed(change: dict[str, object]) -> None:
    with pytest.raises(SignatureWrong):
        RING.verify(replace(SIGNATURE, **change))  # type: ignore[arg-type]


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_seen(place: int, by: int) -> None:
    changed = bytearray(CONTENT)
    changed[place] ^= by
    with pytest.raises(ContentWrong) as raised:
        SIGNATURE.require_content(bytes(changed))
    assert not raised.value.size_differs


@given(st.integers(0, len(CONTENT) - 1))
def test_a_cut_file_is_seen_as_one(size: int) -> None:
    with pytest.raises(ContentWrong) as raised:
        SIGNATURE.require_content(CONTENT[:size])
    assert raised.value.size_differs


@given(st.binary(max_size=5000) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_whatever_lies_in_a_signature_file_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(SignatureWrong):
        Signature.parse(content)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "one"},
        {"name": "../x"},
        {"sha256": "zz"},
        {"size_bytes": True},
        {"size_bytes": 0},
        {"sig": 3},
        {"signed_at": "now"},
    ],
)
def test_a_statement_that_can_not_be_one_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SignatureWrong):
        Signature.of_plain({**SIGNATURE.plain(), **change})


@pytest.mark.parametrize("sig", ["", "AA==", "not base64!", "A" * 88])
def test_a_signature_that_is_none_is_refused(sig: str) -> None:
    with pytest.raises(SignatureWrong):
        RING.verify(replace(SIGNATURE, sig=sig))


def test_another_key_is_not_trusted() -> None:
    with pytest.raises(KeyUnknown, match="not among the trusted"):
        ring_of(SigningKey.make()).verify(SIGNATURE)


def test_two_keys_hold_while_one_follows_the_other() -> None:
    following = SigningKey.make()
    ring = ring_of(KEY, following)
    assert ring.verify(SIGNATURE).fingerprint == KEY.fingerprint
    assert ring.verify(signed(following, CONTENT)).fingerprint == following.fingerprint


def test_a_key_vouches_within_its_validity_alone() -> None:
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    ring = Keyring.of([KEY.public("january", valid_from=begin, valid_until=end)])
    ring.verify(signed(KEY, CONTENT, at=begin))
    for at in (begin - timedelta(seconds=1), end):
        with pytest.raises(KeyUnknown, match="was not valid"):
            ring.verify(signed(KEY, CONTENT, at=at))


def test_a_key_that_one_folder_revokes_is_trusted_nowhere(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    key = KEY.public("one", valid_from=SIGNED_AT, valid_until=None)
    write_public(shipped, key)
    Keyring.of_folders(shipped, own).verify(SIGNATURE)
    write_public(own, replace(key, revoked=True), by_fingerprint=True)
    for folders in ((shipped, own), (own, shipped)):
        with pytest.raises(KeyUnknown, match="revoked"):
            Keyring.of_folders(*folders).verify(SIGNATURE)


def test_a_key_file_with_mistakes_leaves_the_others_trusted(tmp_path: Path) -> None:
    write_public(tmp_path, KEY.public("sound", valid_from=SIGNED_AT, valid_until=None))
    sound = json.loads((tmp_path / "sound.pub").read_text())
    broken = {
        "empty": b"",
        "list": b"[]",
        "short": json.dumps({**sound, "key": "AAAA"}).encode(),
        "other-print": json.dumps({**sound, "fingerprint": "0" * 64}).encode(),
        "other-kind": json.dumps({**sound, "algorithm": "rsa"}).encode(),
        "no-zone": json.dumps({**sound, "valid_from": "2026-01-01"}).encode(),
        "long": b" " * 5000,
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.pub").write_bytes(content)
    ring = Keyring.of_folders(tmp_path, tmp_path / "not-there")
    assert {Path(file).stem for file in ring.problems} == set(broken)
    ring.verify(SIGNATURE)


@given(st.binary(max_size=200))
def test_whatever_lies_in_a_key_file_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(KeyFileWrong):
        TrustedKey.parse(content)


def test_a_private_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "site.key"
    KEY.write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert SigningKey.read(file).fingerprint == KEY.fingerprint
    with pytest.raises(KeyFileWrong, match="can't be written"):
        SigningKey.make().write(file)
    file.chmod(0o644)
    with pytest.raises(KeyFileWrong, match="others may read"):
        SigningKey.read(file)


def test_a_private_key_is_not_written_into_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "keys").mkdir()
    with pytest.raises(KeyFileWrong, match="belongs elsewhere"):
        KEY.write(tmp_path / "keys" / "site.key")
    assert not (tmp_path / "keys" / "site.key").exists()


def test_what_is_no_private_key_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "site.key"
    file.write_bytes(b"-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n")
    file.chmod(0o600)
    for wrong in (file, tmp_path / "not-there"):
        with pytest.raises(KeyFileWrong, match="no private key"):
            SigningKey.read(wrong)


def test_a_public_key_does_not_take_the_place_of_another(tmp_path: Path) -> None:
    write_public(tmp_path, KEY.public("site", valid_from=SIGNED_AT, valid_until=None))
    with pytest.raises(KeyFileWrong, match="another name"):
        write_public(tmp_path, SigningKey.make().public("site", valid_from=SIGNED_AT, valid_until=None))
    for name in ("../up", ".hidden", ""):
        with pytest.raises(KeyFileWrong, match="can't be the name"):
            write_public(tmp_path, KEY.public(name, valid_from=SIGNED_AT, valid_until=None))


def test_more_bytes_than_a_class_has_are_not_signed() -> None:
    with pytest.raises(ArtifactProblem, match="at most"):
        signed(KEY, b" " * (LARGEST_BYTES[ArtifactClass.PROFILE] + 1))

"""The district's private key opens what was sealed to it, and is never told; who opens what is `tests/cloud/proof/test_originals.py`."""

import os
from pathlib import Path

import pyrage
import pytest
from psycopg import Connection

from cloud.errors import Invalid
from cloud.evidence.command import evidence_make_key
from cloud.evidence.unsealing import DistrictPrivateKey, new_key_pair

ORIGINAL = b"a picture that shows somebody " * 4_000
PRIVATE, PUBLIC = new_key_pair()
Conn = Connection[tuple[object, ...]]


def key_file(place: Path, text: str = PRIVATE) -> Path:
    path = place / "district.key"
    path.write_text(f"# public key: {PUBLIC}\n{text}\n", encoding="ascii")
    return path


def test_keys_are_read_or_refused_and_never_told(tmp_path: Path) -> None:
    sealed = bytes(pyrage.encrypt(b"x", [pyrage.x25519.Recipient.from_str(PUBLIC)]))
    assert DistrictPrivateKey(key_file(tmp_path)).open(sealed) == b"x"
    stranger, _ = new_key_pair()
    with pytest.raises(Invalid, match="does not open"):
        DistrictPrivateKey(key_file(tmp_path, stranger)).open(sealed)
    for text in (PUBLIC, PRIVATE[:-1], "# nothing", "x" * 20_000):
        with pytest.raises(Invalid) as refusal:
            DistrictPrivateKey(key_file(tmp_path, text))
        assert "AGE-SECRET-KEY-1Q" not in str(refusal.value)
        assert PRIVATE[:30] not in str(refusal.value)
    with pytest.raises(Invalid):
        DistrictPrivateKey(tmp_path / "nowhere")


def test_what_is_written_for_one_alone_is_on_the_disk_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synced, sync = list[str](), os.fsync

    def noted_sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        assert (tmp_path / "district.key").read_text(encoding="ascii").count("\n") == 2
        assert not capsys.readouterr().out
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted_sync)
    evidence_make_key(tmp_path / "district.key")
    assert synced == ["district.key", tmp_path.name]
    assert (tmp_path / "district.key").stat().st_mode & 0o777 == 0o600

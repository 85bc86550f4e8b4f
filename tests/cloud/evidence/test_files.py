import hashlib
import os
from pathlib import Path

import pytest

from cloud.errors import ConfigurationError, Conflict, EvidenceStoreAway, Invalid, NotFound
from cloud.evidence.files import EvidenceFiles, Quarantine

HASH = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "partial", quota_bytes=1_000, longest_s=60)


def test_a_file_is_read_back_whole_and_in_parts(tmp_path: Path) -> None:
    files = EvidenceFiles((tmp_path / "store with blank").as_uri())
    source = tmp_path / "source"
    source.write_bytes(b"content")
    files.put(HASH, source)
    files.put(HASH, source)
    assert b"".join(files.read(HASH, 0, 7)) == b"content"
    assert b"".join(files.read(HASH, 2, 5)) == b"nte"
    with pytest.raises(NotFound):
        files.read("0" * 64, 0, 1)
    with pytest.raises(Invalid):
        files.read("../../etc/passwd", 0, 1)


@pytest.mark.parametrize("url", ["", "ftp://x", "/var/x", "memory://"])
def test_a_store_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError):
        EvidenceFiles(url)


def test_one_upload_of_a_file_at_a_time(quarantine: Quarantine) -> None:
    with quarantine.open("node-1", HASH, 7) as first:
        first.append(b"con")
        with pytest.raises(Conflict):
            quarantine.open("node-1", HASH, 7)
        with quarantine.open("node-2", HASH, 7) as other:
            assert other.size_bytes == 0
    assert quarantine.offset("node-1", HASH) == 3
    with quarantine.open("node-1", HASH, 7) as again:
        again.append(b"tent")
        assert again.digest() == HASH
        again.discard()
    assert quarantine.offset("node-1", HASH) == 0


def test_the_room_for_uploads_is_bounded(quarantine: Quarantine) -> None:
    with quarantine.open("node-1", HASH, 600) as first:
        first.append(bytes(600))
    with pytest.raises(EvidenceStoreAway):
        quarantine.open("node-2", HASH, 500)
    quarantine.open("node-1", HASH, 900).__exit__(None, None, None)


def test_one_node_does_not_take_the_room_of_all(quarantine: Quarantine) -> None:
    with quarantine.open("node-1", HASH, 200) as first:
        first.append(bytes(200))
    with pytest.raises(EvidenceStoreAway):
        quarantine.open("node-1", "0" * 64, 100)
    quarantine.open("node-1", HASH, 200).__exit__(None, None, None)
    quarantine.open("node-1.b", "0" * 64, 700).__exit__(None, None, None)


def test_a_file_that_is_thrown_away_while_one_waits_for_it_is_not_written_to(
    quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = quarantine.open("node-1", HASH, 7)

    def let_go_then_lock(_file: object, _how: int) -> None:
        holder.discard()
        holder.__exit__(None, None, None)

    monkeypatch.setattr("cloud.evidence.files.fcntl.flock", let_go_then_lock)
    with pytest.raises(Conflict):
        quarantine.open("node-1", HASH, 7)


def test_what_nobody_goes_on_with_is_deleted(quarantine: Quarantine) -> None:
    with quarantine.open("node-1", HASH, 600) as first:
        first.append(bytes(600))
        os.utime(first.path, (0, 0))
    assert quarantine.sweep().total() == 0
    assert quarantine.offset("node-1", HASH) == 0


def test_names_lead_nowhere_else(quarantine: Quarantine) -> None:
    for node, sha256 in (("../x", HASH), ("node", "../" + HASH), ("", HASH)):
        with pytest.raises(Invalid):
            quarantine.offset(node, sha256)

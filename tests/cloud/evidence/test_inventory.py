import hashlib
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from cloud.errors import NotFound
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.inventory import SHOWN, take_stock
from cloud.evidence.store import stored_files
from tests.cloud.populated import PICTURES, STORED_FILES, Populated, picture


def place(cloud: Populated, number: int) -> Path:
    sha256 = picture(number).sha256
    return cloud.store / sha256[:2] / sha256[2:4] / sha256


def test_what_is_whole_is_in_order(populated: Populated) -> None:
    with psycopg.connect(populated.url) as conn:
        found = take_stock(conn, populated.files, read=True)
    assert (found.files, found.in_order, found.orphaned.count) == (STORED_FILES, True, 0)


def test_a_long_check_holds_no_transaction_open(populated: Populated) -> None:
    with psycopg.connect(populated.url, autocommit=True) as conn:
        named = stored_files(conn)
        next(named)
        assert conn.info.transaction_status == TransactionStatus.IDLE
        assert len(list(named)) == STORED_FILES - 1
        assert take_stock(conn, populated.files).in_order


def test_missing_cut_changed_and_foreign_files_are_found(populated: Populated) -> None:
    place(populated, 0).unlink()
    place(populated, 1).write_bytes(PICTURES[1][:-1])
    changed = bytearray(PICTURES[2])
    changed[100] ^= 1
    place(populated, 2).write_bytes(changed)
    foreign = hashlib.sha256(b"foreign").hexdigest()
    populated.files.put(foreign, _source(populated.store.parent / "foreign"))
    (populated.store / "note.txt").write_bytes(b"x")
    with psycopg.connect(populated.url) as conn:
        lengths = take_stock(conn, populated.files)
        content = take_stock(conn, populated.files, read=True)
    assert lengths.missing.shown == [picture(0).sha256]
    assert lengths.damaged.shown == [picture(1).sha256]
    assert sorted(content.damaged.shown) == sorted([picture(1).sha256, picture(2).sha256])
    assert sorted(content.orphaned.shown) == sorted([foreign, "note.txt"])
    assert not lengths.in_order


def _source(path: Path) -> Path:
    path.write_bytes(b"foreign")
    return path


def test_many_are_counted_and_some_are_named(populated: Populated) -> None:
    for number in range(SHOWN + 20):
        (populated.store / f"{number}.txt").write_bytes(b"")
    with psycopg.connect(populated.url) as conn:
        found = take_stock(conn, populated.files)
    assert (found.orphaned.count, len(found.orphaned.shown)) == (SHOWN + 20, SHOWN)
    assert found.in_order


def test_a_file_is_read_to_its_end_whatever_its_length(tmp_path: Path) -> None:
    files = EvidenceFiles((tmp_path / "store").as_uri())
    content = bytes(3 << 20)
    (tmp_path / "source").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    files.put(sha256, tmp_path / "source")
    assert b"".join(files.read_all(sha256)) == content
    assert (files.size(sha256), files.size("0" * 64)) == (len(content), None)
    with pytest.raises(NotFound):
        next(files.read_all("0" * 64))

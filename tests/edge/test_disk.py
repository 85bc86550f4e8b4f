import os
from pathlib import Path

import pytest

from edge.disk import ReservedFile, make_folder, write_file

FULL = Path("/dev/full")
"""The kernel's own full disk: whatever is written there finds no room."""


def test_a_file_is_replaced_as_a_whole_and_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    sync, rename = os.fsync, os.rename

    def noted_sync(descriptor: int) -> None:
        told.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def noted_rename(source: Path, target: Path) -> None:
        told.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "rename", noted_rename)
    write_file(tmp_path / "a", b"one")
    write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert told == ["sync a~", "rename", f"sync {tmp_path.name}"] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_on_a_full_disk_the_old_file_stands_and_nothing_is_left(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"one")
    (tmp_path / "a~").symlink_to(FULL)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_folders_are_made_with_those_above_them(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_reserved_file_keeps_its_blocks_and_what_stands_in_it(tmp_path: Path) -> None:
    file = tmp_path / "spare"
    reserved = ReservedFile(file, 8_192)
    assert reserved.read() == bytes(8_192)
    before = file.stat()
    reserved.write(b"abc")
    again = ReservedFile(file, 8_192)
    assert again.read() == b"abc".ljust(8_192, b"\0")
    again.write(b"")
    assert again.read() == bytes(8_192)
    after = file.stat()
    assert (after.st_ino, after.st_blocks) == (before.st_ino, before.st_blocks)
    assert before.st_blocks * 512 >= 8_192
    with pytest.raises(ValueError, match="do not fit"):
        again.write(bytes(8_193))

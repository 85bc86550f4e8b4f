"""The memory on the disk: bounded, readable while it is written, and whole up to whatever damaged it."""

import hashlib
import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.recollection import store
from edge.recollection.block import Block, Told, Watched
from edge.recollection.store import FOLDER, MemoryReader, MemoryWriter, backgrounds, files, size_bytes

MIB = 1 << 20
DAY_MS = 86_400_000


def block(camera: str, number: int, *, from_ms: int | None = None, words: str = "") -> Block:
    begin = 60_000 * number if from_ms is None else from_ms
    told = (Told("k", "r", "intrusion", "high", ended=False, at_ms=begin, started_ms=begin, zone=words or None),)
    return Block(
        version=1,
        camera=camera,
        process=1,
        run=1,
        number=number,
        watched=Watched(model=None, motion=False, objects=False, troubles=False),
        from_ms=begin,
        to_ms=begin + 59_000,
        correction_ms=0,
        moments=(0, 118_000),
        ways=(),
        endings=(),
        troubles=(),
        things=(),
        told=told,
        ended=False,
    )


def noise(number: int) -> str:
    """What can't be deflated, so that sizes are what they seem."""
    return "".join(hashlib.sha256(f"{number}/{part}".encode()).hexdigest() for part in range(64))


def writer(directory: Path, *, quota_bytes: int = 64 * MIB, keep_days: int = 14) -> MemoryWriter:
    return MemoryWriter(directory, quota_bytes=quota_bytes, keep_days=keep_days)


def numbers(directory: Path, camera: str = "a", **span: int) -> list[int]:
    return [each.number for each in MemoryReader(directory).blocks(camera, **span)]


def test_what_was_written_is_read_by_camera_and_span_also_while_it_is_open(tmp_path: Path) -> None:
    kept = writer(tmp_path)
    for number in range(4):
        kept.append([block("a", number), block("b", number)])
    assert numbers(tmp_path) == numbers(tmp_path, "b") == [0, 1, 2, 3]
    assert numbers(tmp_path, from_ms=119_500, to_ms=180_000) == [2, 3]
    assert numbers(tmp_path, "c") == []
    assert MemoryReader(tmp_path).span_ms(["a"]) == (0, 239_000)
    assert MemoryReader(tmp_path).span_ms(["c"]) is None
    again = writer(tmp_path)
    again.append([block("a", 4)])
    assert numbers(tmp_path) == [0, 1, 2, 3, 4]
    assert len(files(tmp_path / FOLDER)) == 2


def test_nothing_is_remembered_where_there_is_no_memory(tmp_path: Path) -> None:
    assert numbers(tmp_path) == []
    assert MemoryReader(tmp_path).span_ms(["a"]) is None
    assert backgrounds(tmp_path) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 1 << 30), byte=st.integers(1, 255), cut=st.booleans())
def test_damage_costs_what_it_hits_and_nothing_that_was_not_written_is_read(
    tmp_path: Path, place: int, byte: int, cut: bool
) -> None:
    folder = tmp_path / FOLDER
    for old in files(folder):
        old.unlink()
    kept = writer(tmp_path)
    written = [block("a", number, words=str(number)) for number in range(6)]
    for each in written:
        kept.append([each])
    [file] = files(folder)
    content = bytearray(file.read_bytes())
    place %= len(content)
    if cut:
        del content[place:]
    else:
        content[place] ^= byte
    file.write_bytes(content)
    reader = MemoryReader(tmp_path)
    found = list(reader.blocks("a"))
    assert all(each in written for each in found)
    size = len(content) if not cut else len(content) + 1
    whole_before = place * 6 // max(size, 1) if not cut else 0
    assert found[: min(whole_before, 1)] == written[: min(whole_before, 1)]
    writer(tmp_path).append([block("a", 9)])
    assert next(iter(reversed(list(MemoryReader(tmp_path).blocks("a"))))).number == 9


def test_a_changed_byte_is_counted_and_costs_its_block_alone(tmp_path: Path) -> None:
    kept = writer(tmp_path)
    for number in range(3):
        kept.append([block("a", number)])
    [file] = files(tmp_path / FOLDER)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    reader = MemoryReader(tmp_path)
    assert [each.number for each in reader.blocks("a")] == [0, 2]
    assert reader.damaged == 1


def test_the_oldest_goes_when_the_quota_is_full(tmp_path: Path) -> None:
    kept = writer(tmp_path, quota_bytes=MIB // 4)
    for number in range(200):
        kept.append([block("a", number, words=noise(number))])
        assert size_bytes(tmp_path) <= MIB // 4
    left = numbers(tmp_path)
    assert left[-1] == 199
    assert left == list(range(left[0], 200))
    assert 20 < left[0] < 150


def test_what_is_too_old_goes_with_the_next_batch(tmp_path: Path) -> None:
    first = writer(tmp_path, keep_days=2)
    first.append([block("a", 0)])
    second = writer(tmp_path, keep_days=2)
    second.append([block("a", 1, from_ms=DAY_MS)])
    assert numbers(tmp_path) == [0, 1]
    second.append([block("a", 2, from_ms=2 * DAY_MS + 60_000)])
    assert numbers(tmp_path) == [1, 2]


def test_a_disk_that_takes_nothing_costs_the_batch_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = writer(tmp_path)
    kept.append([block("a", 0)])

    def full(_self: MemoryWriter) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryWriter, "_file", full)
        assert kept.append([block("a", 1)]) == 0
    assert kept.lost == 1
    kept.append([block("a", 2)])
    assert numbers(tmp_path) == [0, 2]


def test_a_disk_that_takes_a_part_of_a_batch_costs_the_batch_and_what_follows_stands_in_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LittleRoom(io.FileIO):
        def write(self, content: bytes) -> int:  # type: ignore[override]
            return super().write(content[:100])

    kept = writer(tmp_path)
    kept.append([block("a", 0)])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda file, mode, **_how: LittleRoom(file, mode))
        assert kept.append([block("a", 1)]) == 0
    assert kept.lost == 1
    assert kept.append([block("a", 2)]) > 0
    assert numbers(tmp_path) == [0, 2]
    assert len(files(tmp_path / FOLDER)) == 2


def test_backgrounds_are_kept_within_their_share(tmp_path: Path) -> None:
    kept = writer(tmp_path, quota_bytes=MIB)
    for number in range(20):
        content = noise(number).encode() * 3
        kept.keep_background("gate.1", number, hashlib.sha256(content).hexdigest(), content)
    found = backgrounds(tmp_path, "gate.1")
    assert [each.at_ms for each in found] == list(range(20 - len(found), 20))
    assert 3 <= len(found) <= MIB // store.BACKGROUND_SHARE // len(noise(0) * 3)
    assert backgrounds(tmp_path, "gate") == []


def test_times_of_the_span_are_corrected(tmp_path: Path) -> None:
    writer(tmp_path).append([msgspec.structs.replace(block("a", 0), correction_ms=5_000)])
    assert MemoryReader(tmp_path).span_ms(["a"]) == (5_000, 64_000)

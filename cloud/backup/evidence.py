"""The files of evidence, between their store and a backup. A file's name is its hash, so each is checked by itself."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from cloud.backup.dump import Say
from cloud.backup.folder import CHUNK_BYTES, INDEX, BackupReader, BackupWriter, evidence_file
from cloud.backup.model import EvidenceDump, Manifest
from cloud.errors import EvidenceStoreAway, NotFound, UnusableBackup
from cloud.evidence.files import EvidenceFiles

_TOLD_EVERY = 1_000
_LONGEST_LINE = 120


class State(StrEnum):
    """What became of a file that the database believes to be stored."""

    KEPT = "kept"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the index."""

    sha256: str
    size_bytes: int
    state: State


def note_named(rows: Iterable[tuple[str, int]], named: BinaryIO) -> None:
    """Write down which files there are to copy, so that the database need not be held open while they are."""
    named.writelines(f"{sha256}\t{size_bytes}\n".encode() for sha256, size_bytes in rows)
    named.seek(0)


def dump_evidence(files: EvidenceFiles, named: BinaryIO, writer: BackupWriter, say: Say) -> EvidenceDump:
    """Copy the files that `note_named` wrote down; what the store does not have, or has with other bytes, is noted. Raises EvidenceStoreAway, OSError."""
    counts = dict.fromkeys(State, 0)
    total_bytes = 0
    with writer.compress(INDEX) as index:
        for line in named:
            sha256, size_bytes = line.decode().split("\t")
            entry = _copy_out(files, sha256, int(size_bytes), writer)
            index.write(f"{entry.sha256}\t{entry.size_bytes}\t{entry.state}\n".encode())
            counts[entry.state] += 1
            if entry.state is State.KEPT:
                total_bytes += entry.size_bytes
            if sum(counts.values()) % _TOLD_EVERY == 0:
                say(f"evidence: {counts[State.KEPT]} files, {total_bytes >> 20} MiB so far")
        hashed = index.close()
    say(f"evidence: {counts[State.KEPT]} files, {total_bytes} bytes")
    return EvidenceDump(counts[State.KEPT], total_bytes, counts[State.MISSING], counts[State.DAMAGED], hashed)


def _copy_out(files: EvidenceFiles, sha256: str, named_bytes: int, writer: BackupWriter) -> Entry:
    name = evidence_file(sha256)
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        chunks = files.read_all(sha256)
        with writer.create(name) as copy:
            for chunk in chunks:
                digest.update(chunk)
                size_bytes += len(chunk)
                copy.write(chunk)
    except NotFound:
        writer.remove(name)
        return Entry(sha256, named_bytes, State.MISSING)
    if digest.hexdigest() != sha256:
        writer.remove(name)
        return Entry(sha256, size_bytes, State.DAMAGED)
    return Entry(sha256, size_bytes, State.KEPT)


def verify_evidence(reader: BackupReader, manifest: Manifest, say: Say) -> None:
    """Read every file of evidence of a backup. Raises UnusableBackup."""
    for entry in _read_index(reader, manifest, say):
        if _digest(reader, entry) != entry.sha256:
            raise UnusableBackup(f"{evidence_file(entry.sha256)} is damaged")


def load_evidence(reader: BackupReader, manifest: Manifest, files: EvidenceFiles, say: Say) -> int:
    """Put the files of a backup into a store, unless they are there already; how many were put.

    Each is read back from the store afterwards. Raises UnusableBackup, EvidenceStoreAway.
    """
    put = 0
    for entry in _read_index(reader, manifest, say):
        if _is_there(files, entry):
            continue
        if _digest(reader, entry) != entry.sha256:
            raise UnusableBackup(f"{evidence_file(entry.sha256)} is damaged")
        files.put(entry.sha256, reader.path(evidence_file(entry.sha256)))
        if not _is_there(files, entry):
            raise EvidenceStoreAway(f"the store of evidence gives back other bytes than it took of {entry.sha256}")
        put += 1
    return put


def _is_there(files: EvidenceFiles, entry: Entry) -> bool:
    digest = hashlib.sha256()
    try:
        for chunk in files.read_all(entry.sha256):
            digest.update(chunk)
    except NotFound:
        return False
    return digest.hexdigest() == entry.sha256


def _digest(reader: BackupReader, entry: Entry) -> str:
    name = evidence_file(entry.sha256)
    digest = hashlib.sha256()
    left = entry.size_bytes
    with reader.open(name) as file:
        while chunk := file.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
    if left != 0:
        raise UnusableBackup(f"{name} has another length than the index says")
    return digest.hexdigest()


def _read_index(reader: BackupReader, manifest: Manifest, say: Say) -> Iterator[Entry]:
    """The kept files, one after the other. Raises UnusableBackup when the index is not what the manifest says."""
    counts = dict.fromkeys(State, 0)
    total_bytes = 0
    for line in _lines(reader.unpack(INDEX, manifest.evidence.index)):
        entry = _parse(line)
        counts[entry.state] += 1
        if entry.state is State.KEPT:
            total_bytes += entry.size_bytes
            yield entry
        if sum(counts.values()) % _TOLD_EVERY == 0:
            say(f"evidence: {counts[State.KEPT]} of {manifest.evidence.files} files")
    told = manifest.evidence
    if (counts[State.KEPT], total_bytes, counts[State.MISSING], counts[State.DAMAGED]) != (
        told.files,
        told.size_bytes,
        told.missing,
        told.damaged,
    ):
        raise UnusableBackup(f"{INDEX} lists other files than the manifest says")
    say(f"evidence: {counts[State.KEPT]} files")


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > _LONGEST_LINE:
            raise UnusableBackup(f"{INDEX} has a line that is too long")
    if rest:
        raise UnusableBackup(f"{INDEX} ends within a line")


def _parse(line: bytes) -> Entry:
    try:
        sha256, size_bytes, state = line.decode("ascii").split("\t")
        entry = Entry(sha256, int(size_bytes), State(state))
        valid = len(sha256) == 64 and not set(sha256) - set("0123456789abcdef") and entry.size_bytes >= 0
    except ValueError as error:
        raise UnusableBackup(f"{INDEX} has a line that can't be read") from error
    if not valid:
        raise UnusableBackup(f"{INDEX} has a line that can't be read")
    return entry

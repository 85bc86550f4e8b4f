"""Whether the store and the database agree: files that are missing, files that nobody named (孤儿文件)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from cloud.errors import NotFound
from cloud.evidence import store
from cloud.evidence.files import EvidenceFiles

SHOWN = 100
"""How many names of each kind are told; all are counted."""


@dataclass(slots=True)
class Findings:
    """Some names of one kind, and how many there are."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(name)


@dataclass(slots=True)
class Inventory:
    """What was found. Orphans do no harm, they take room; what is missing or damaged is lost unless a backup has it."""

    files: int = 0
    missing: Findings = field(default_factory=Findings)
    damaged: Findings = field(default_factory=Findings)
    orphaned: Findings = field(default_factory=Findings)

    @property
    def in_order(self) -> bool:
        """Whether everything that is said to be stored is."""
        return not self.missing.count and not self.damaged.count


def take_stock(conn: Connection[Any], files: EvidenceFiles, *, read: bool = False) -> Inventory:
    """Compare the database with the store, both ways; `read` compares every byte with its hash, else lengths.

    A file that arrives meanwhile is never called missing; it may be called orphaned. Raises EvidenceStoreAway.
    """
    found = Inventory()
    for sha256, size_bytes in store.stored_files(conn):
        found.files += 1
        length = files.size(sha256)
        if length is None:
            found.missing.add(sha256)
        elif length != size_bytes or (read and not _is_whole(files, sha256)):
            found.damaged.add(sha256)
    for name in _orphans(conn, files):
        found.orphaned.add(name)
    return found


def _is_whole(files: EvidenceFiles, sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        for chunk in files.read_all(sha256):
            digest.update(chunk)
    except NotFound:
        return False
    return digest.hexdigest() == sha256


def _orphans(conn: Connection[Any], files: EvidenceFiles) -> Iterator[str]:
    for names in files.names():
        yield from sorted(set(names) - store.stored_among(conn, names))

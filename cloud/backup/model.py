"""What a backup holds, as its manifest says. Pure."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cloud.errors import UnusableBackup

FORMAT = 1
"""Grows when a backup of before can't be read in the same way any more."""

LONGEST_MANIFEST_BYTES = 8 << 20
_MOST_EXPANSION = 1_100
"""What deflate can make of a byte, and a little: whoever promises more has not compressed anything."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Identifier = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}$(?!\n)")]
Migration = Annotated[str, Meta(pattern=r"^[0-9]{4}_[a-z0-9_]{1,60}$(?!\n)")]
Size = Annotated[int, Meta(ge=0, le=1 << 62)]
Moment = Annotated[datetime, Meta(tz=True)]


class HashedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A compressed file: its hash and its sizes on the disk and when it is unpacked."""

    sha256: Sha256
    size_bytes: Size
    text_bytes: Size


class TableDump(Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of one table."""

    name: Identifier
    columns: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=1_600)]
    rows: Size
    file: HashedFile


class SequenceState(Struct, frozen=True, forbid_unknown_fields=True):
    """The last number that a sequence gave out."""

    name: Identifier
    last_value: Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class EvidenceDump(Struct, frozen=True, forbid_unknown_fields=True):
    """The evidence: how many files are in the backup, and what the database knows of and the store did not have.

    `index` lists every file with its hash, size and state.
    """

    files: Size
    size_bytes: Size
    missing: Size
    damaged: Size
    index: HashedFile


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The head of a backup. `schema` are the migrations that its tables have seen, `months` those of its readings."""

    format: int
    created_at: Moment
    software: Annotated[str, Meta(max_length=100)]
    schema: Annotated[tuple[Migration, ...], Meta(min_length=1, max_length=9_999)]
    tables: Annotated[tuple[TableDump, ...], Meta(min_length=1, max_length=10_000)]
    sequences: Annotated[tuple[SequenceState, ...], Meta(max_length=10_000)]
    months: Annotated[tuple[Moment, ...], Meta(max_length=100_000)]
    evidence: EvidenceDump

    @property
    def complete(self) -> bool:
        """Whether every file of evidence that the database knows of is in it."""
        return not self.evidence.missing and not self.evidence.damaged

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is written, to be read by people too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(text: bytes) -> Manifest:
    """Read a manifest. Raises UnusableBackup for what is none, for one of a newer format and for one that can't be true."""
    try:
        head = msgspec.json.decode(text, type=_Head)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnusableBackup(f"manifest.json can't be read: {error}") from error
    if head.format > FORMAT:
        raise UnusableBackup(
            f"the backup is of format {head.format}, made by a newer version of Gridward: update this one"
        )
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnusableBackup(f"manifest.json can't be read: {error}") from error
    _believe(manifest)
    return manifest


class _Head(Struct, frozen=True):
    format: Annotated[int, Meta(ge=1)]


def _believe(manifest: Manifest) -> None:
    for names in ([table.name for table in manifest.tables], manifest.schema, [one.name for one in manifest.sequences]):
        if len(set(names)) != len(names):
            raise UnusableBackup("manifest.json names something twice")
    for file in (*(table.file for table in manifest.tables), manifest.evidence.index):
        if file.text_bytes > file.size_bytes * _MOST_EXPANSION:
            raise UnusableBackup("manifest.json promises more than its files can hold")

"""Where a node keeps what it was given to run: files named by their hash, each with its signature, and the record beside them.

    <data_directory>/provisioned/record.json        what runs, ran before, is being tried
    <data_directory>/provisioned/<sha256>[.sig]     the bytes and who vouches for them
    <data_directory>/provisioned/<sha256>.part      on its way
    <data_directory>/provisioned/aside/             imported models while one that was given is tried (`edge.node.aside`)
    <data_directory>/keys/*.pub                     whom this site trusts, besides those who made the software

A file is looked at anew whenever it is used: hash, signature, key. What fails goes unused, and what stands behind it runs.
"""

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

import structlog

from edge.disk import make_folder, move_file, sync_folder, write_file
from edge.provisioning.record import LARGEST_RECORD_BYTES, Held, Record, decoded, encoded
from firmware_configs.keyring import SHIPPED, Keyring
from firmware_configs.problems import ContentWrong, SignatureWrong
from firmware_configs.shipped import SignedProfile, verified
from firmware_configs.signature import LARGEST_BYTES, LARGEST_SIGNATURE_BYTES, ArtifactClass, Signature

FOLDER: Final = "provisioned"
KEYS: Final = "keys"
RECORD: Final = "record.json"
PART: Final = ".part"
SIG: Final = ".sig"

_log = structlog.get_logger(__name__)


class Store:
    """The store of one node. Reading never writes: a check at a desk leaves no trace."""

    def __init__(self, directory: Path, folder: str = FOLDER) -> None:
        self.folder = directory / folder
        self._keys = directory / KEYS

    def keyring(self) -> Keyring:
        """Whom this node trusts at present."""
        return Keyring.of_folders(SHIPPED, self._keys)

    def record(self) -> Record:
        """The record; an empty one where there is none, or none that can be read: then what came with the software runs."""
        try:
            with (self.folder / RECORD).open("rb") as opened:
                return decoded(opened.read(LARGEST_RECORD_BYTES + 1))
        except FileNotFoundError:
            return Record()
        except (OSError, ValueError) as error:
            _log.error("the record of what runs can't be read", file=str(self.folder / RECORD), reason=str(error))
            return Record()

    def save(self, record: Record) -> None:
        """Replace the record, also after a power cut. Raises OSError; the one before stands then."""
        make_folder(self.folder)
        write_file(self.folder / RECORD, encoded(record))

    def path(self, sha256: str) -> Path:
        """Where the bytes lie."""
        return self.folder / sha256

    def part(self, sha256: str) -> Path:
        """Where they lie while they are fetched."""
        return self.folder / f"{sha256}{PART}"

    def keep(self, signature: Signature) -> None:
        """Take in what was fetched whole and written through: the signature, then the bytes. Raises OSError."""
        self.keep_signature(signature)
        move_file(self.part(signature.sha256), self.path(signature.sha256))

    def keep_signature(self, signature: Signature) -> None:
        """Who vouches for the bytes that lie there. Raises OSError."""
        write_file(self.folder / f"{signature.sha256}{SIG}", signature.content())

    def put(self, signature: Signature, content: bytes) -> None:
        """Take in bytes that are at hand. Raises OSError."""
        make_folder(self.folder)
        self.keep_signature(signature)
        write_file(self.path(signature.sha256), content)

    def has(self, sha256: str) -> bool:
        """Whether something lies there; whether it is whole shows when it is used."""
        return self.path(sha256).exists() and (self.folder / f"{sha256}{SIG}").exists()

    def content(self, held: Held, artifact: ArtifactClass, name: str, keyring: Keyring) -> tuple[Signature, bytes]:
        """The bytes of something that is small, verified to be this version of this name. Raises ArtifactProblem."""
        signature = self.signature(held, artifact, name, keyring)
        try:
            with self.path(held.sha256).open("rb") as opened:
                content = opened.read(LARGEST_BYTES[artifact] + 1)
        except OSError as error:
            raise ContentWrong(f"{self.path(held.sha256)} can't be read: {error.strerror}") from error
        signature.require_content(content)
        return signature, content

    def signature(self, held: Held, artifact: ArtifactClass, name: str, keyring: Keyring) -> Signature:
        """Who vouches for a version that is held, verified. Raises ArtifactProblem."""
        try:
            with (self.folder / f"{held.sha256}{SIG}").open("rb") as opened:
                signature = Signature.parse(opened.read(LARGEST_SIGNATURE_BYTES + 1))
        except OSError as error:
            raise SignatureWrong(f"the signature of {name} {held.version} can't be read: {error.strerror}") from error
        keyring.verify(signature)
        told = (signature.artifact, signature.name, signature.version, signature.sha256)
        if told != (artifact, name, held.version, held.sha256):
            raise SignatureWrong(f"what lies there as {name} {held.version} is signed as something else")
        return signature

    def profile(self, held: Held, kind: str, keyring: Keyring) -> SignedProfile:
        """A profile that is held, verified. Raises ArtifactProblem."""
        signature, content = self.content(held, ArtifactClass.PROFILE, kind, keyring)
        return verified(content, signature, keyring)

    def sweep(self, record: Record, *, fetching: str | None = None) -> None:
        """Remove what nothing refers to any more, but for what is on its way: a part of it, or all of it that a process died over."""
        self.sweep_but(record.hashes() | ({fetching} if fetching is not None else set()))

    def sweep_but(self, stay: Collection[str]) -> None:
        """Remove all files but those of these hashes, and the record."""
        with contextlib.suppress(FileNotFoundError):
            for file in list(self.folder.iterdir()):
                stem = file.name.partition(".")[0]
                if file.is_file() and file.name != RECORD and stem not in stay:
                    file.unlink(missing_ok=True)
            sync_folder(self.folder)

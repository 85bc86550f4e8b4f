"""Signing, at the desk of a maintainer: the only place that ever sees a private key, which lies outside of every repository."""

import base64
import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_configs.keyring import ENDING, TrustedKey, fingerprint
from firmware_configs.problems import ContentWrong, KeyFileWrong
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass, Signature

_LARGEST_PRIVATE_FILE_BYTES = 4096


class SigningKey:
    """A private key in memory."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.raw_public = private.public_key().public_bytes_raw()

    @classmethod
    def make(cls) -> "SigningKey":
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, file: Path) -> "SigningKey":
        """Read a private key (PEM, PKCS #8). Raises KeyFileWrong, also for one that others may read."""
        try:
            if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyFileWrong(f"{file}: others may read this private key; `chmod 600` it, if nobody has yet")
            with file.open("rb") as opened:
                content = opened.read(_LARGEST_PRIVATE_FILE_BYTES)
            key = serialization.load_pem_private_key(content, password=None)
        except (OSError, ValueError, TypeError) as error:
            raise KeyFileWrong(f"{file} is no private key that can be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileWrong(f"{file}: not a key for Ed25519")
        return cls(key)

    def write(self, file: Path) -> None:
        """Keep it, for the owner alone, in a file that was not there. Raises KeyFileWrong."""
        folder = file.absolute().parent
        for each in (folder, *folder.parents):
            if (each / ".git").exists():
                raise KeyFileWrong(f"{file} lies in the repository {each}: a private key belongs elsewhere")
        content = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
        except OSError as error:
            raise KeyFileWrong(f"{file} can't be written: {error.strerror}") from error

    @property
    def fingerprint(self) -> str:
        """That of the public half."""
        return fingerprint(self.raw_public)

    def public(self, name: str, *, valid_from: datetime, valid_until: datetime | None) -> TrustedKey:
        """The public half, with its name and validity."""
        return TrustedKey(name, self.raw_public, valid_from, valid_until)

    def sign(self, artifact: ArtifactClass, name: str, version: str, content: bytes, *, at: datetime) -> Signature:
        """Vouch for bytes. Raises ContentWrong for what is larger than its class can be."""
        if len(content) > LARGEST_BYTES[artifact]:
            raise ContentWrong(f"{len(content)} bytes; a {artifact} has {LARGEST_BYTES[artifact]} at most")
        unsigned = Signature(
            artifact=artifact,
            name=name,
            version=version,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            signed_at=at.astimezone(UTC).replace(microsecond=0),
            key=self.fingerprint,
            sig="",
        )
        sig = base64.b64encode(self._private.sign(unsigned.statement)).decode()
        return Signature.of_plain({**unsigned.plain(), "sig": sig})


def write_public(folder: Path, key: TrustedKey, *, by_fingerprint: bool = False) -> Path:
    """Keep a public key where keys are trusted, under its name or its fingerprint; the path of its file. Raises KeyFileWrong."""
    stem = key.fingerprint if by_fingerprint else key.name
    if "/" in stem or not stem.isprintable() or stem.startswith(".") or not stem:
        raise KeyFileWrong(f"{stem!r} can't be the name of a key's file")
    file = folder / f"{stem}{ENDING}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not by_fingerprint and file.exists() and TrustedKey.parse(file.read_bytes()).raw != key.raw:
            raise KeyFileWrong(f"{file} is there already, with another key: give the new one another name")
        unfinished = file.with_name(f"{file.name}~")
        unfinished.write_bytes(key.content())
        unfinished.replace(file)
    except OSError as error:
        raise KeyFileWrong(f"{file} can't be written: {error.strerror}") from error
    return file

"""Whom one trusts (信任的公钥): public keys in a folder, one file each, and what they may vouch for.

Several are trusted at a time, so that a key can be followed by the next while both hold. A key vouches for what says to be signed within its
validity; a file that says `"revoked": true` of a key, in any of the folders, takes it out of all of them. Private keys stand nowhere here.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from firmware_configs.problems import KeyFileWrong, KeyUnknown, SignatureWrong
from firmware_configs.signature import Signature

SHIPPED = Path(__file__).parent / "keys"
"""The keys of the releases."""

ENDING = ".pub"
LARGEST_KEY_FILE_BYTES = 4096
KEY_BYTES = 32
MOST_KEYS = 100
"""In one folder; more is a mistake of somebody."""


def fingerprint(raw: bytes) -> str:
    """SHA-256 of a public key's 32 bytes, hexadecimal: what people compare, and what a signature names."""
    return hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key with its name and validity (aware UTC; `valid_until` None: no end)."""

    name: str
    raw: bytes
    valid_from: datetime
    valid_until: datetime | None = None
    revoked: bool = False

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key, hexadecimal."""
        return fingerprint(self.raw)

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the file of a key. Raises KeyFileWrong."""
        try:
            told = json.loads(content)
            if told["algorithm"] != "ed25519":
                raise KeyFileWrong(f"the algorithm {told['algorithm']!r} is not known here: only ed25519")
            raw = base64.b64decode(told["key"], validate=True)
            key = cls(
                name=str(told["name"])[:100],
                raw=raw,
                valid_from=_instant(told["valid_from"]),
                valid_until=None if told.get("valid_until") is None else _instant(told["valid_until"]),
                revoked=told.get("revoked", False) is not False,
            )
            claimed = told["fingerprint"]
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, binascii.Error) as error:
            raise KeyFileWrong(f"not the file of a public key: {error!r}") from error
        if len(raw) != KEY_BYTES:
            raise KeyFileWrong(f"a key of {len(raw)} bytes; Ed25519 has {KEY_BYTES}")
        if claimed != key.fingerprint:
            raise KeyFileWrong("the fingerprint in the file is not that of its key")
        return key

    def plain(self) -> dict[str, Any]:
        """Ready for JSON, as it stands in its file."""
        return {
            "name": self.name,
            "algorithm": "ed25519",
            "key": base64.b64encode(self.raw).decode(),
            "fingerprint": self.fingerprint,
            "valid_from": self.valid_from.isoformat(),
            "valid_until": None if self.valid_until is None else self.valid_until.isoformat(),
            **({"revoked": True} if self.revoked else {}),
        }

    def content(self) -> bytes:
        """As it stands in its file."""
        return (json.dumps(self.plain(), indent=2, ensure_ascii=False) + "\n").encode()

    def vouches_at(self, instant: datetime) -> bool:
        """Whether the key could sign then."""
        return self.valid_from <= instant and (self.valid_until is None or instant < self.valid_until)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Trusted keys by fingerprint, and by the path of its file what is wrong with one: it is not trusted, the others are."""

    keys: dict[str, TrustedKey]
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[TrustedKey]) -> Self:
        """Of these keys; one that is revoked anywhere is trusted nowhere."""
        trusted: dict[str, TrustedKey] = {}
        for key in keys:
            known = trusted.get(key.fingerprint)
            if known is None or key.revoked:
                trusted[key.fingerprint] = key
        return cls(trusted)

    @classmethod
    def of_folders(cls, *folders: Path) -> Self:
        """All `*.pub` of the folders; a folder that is not there has none."""
        keys: list[TrustedKey] = []
        problems: dict[str, str] = {}
        for file in (file for folder in folders for file in sorted(folder.glob(f"*{ENDING}"))[:MOST_KEYS]):
            try:
                keys.append(_read(file))
            except KeyFileWrong as problem:
                problems[str(file)] = str(problem)
        return cls(cls.of(keys).keys, problems)

    @property
    def revoked(self) -> dict[str, str]:
        """The names of revoked keys by fingerprint."""
        return {fingerprint: key.name for fingerprint, key in self.keys.items() if key.revoked}

    def verify(self, signature: Signature) -> TrustedKey:
        """The key that vouches for a statement. Raises KeyUnknown, SignatureWrong."""
        key = self.keys.get(signature.key)
        if key is None:
            raise KeyUnknown(f"signed with the key {signature.key[:16]}…, which is not among the trusted ones")
        if key.revoked:
            raise KeyUnknown(f"signed with the key {key.name!r} ({signature.key[:16]}…), which is revoked")
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature.raw, signature.statement)
        except (InvalidSignature, ValueError) as error:
            raise SignatureWrong(f"the signature is not that of {key.name!r} for this statement") from error
        if not key.vouches_at(signature.signed_at):
            raise KeyUnknown(f"signed at {signature.signed_at.isoformat()}, when the key {key.name!r} was not valid")
        return key


def _read(file: Path) -> TrustedKey:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileWrong(f"{file} can't be read: {error.strerror}") from error
    if len(content) > LARGEST_KEY_FILE_BYTES:
        raise KeyFileWrong(f"{file}: larger than {LARGEST_KEY_FILE_BYTES} bytes: this is no public key")
    return TrustedKey.parse(content)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return instant.astimezone(UTC)

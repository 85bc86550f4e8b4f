"""What is signed and how: Ed25519 (RFC 8032) over canonical bytes that name their purpose.

The purpose stands before the content, so that what was signed as one thing is never taken for another. The content is JSON
with sorted keys and nothing between them; times are UTC in microseconds, so that a reader in another language writes the same bytes.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

PublicKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=$(?!\n)")]
"""A public key on the wire: base64 of its 32 bytes."""

SignatureText = Annotated[str, Meta(max_length=200)]
"""A signature on the wire: base64 of its 64 bytes. What is none is found by verifying it, not by reading it."""

_HEAD: Final = "gridward/1"


def statement(purpose: str, fields: Mapping[str, object]) -> bytes:
    """The bytes that are signed. `fields` hold what JSON can hold, UUIDs, aware times and bytes.

    Raises ValueError for numbers that are none and for texts that are not Unicode, TypeError for anything else.
    """
    content = json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    )
    return f"{_HEAD} {purpose}\n{content}".encode()


def _plain(value: object) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no canonical form")


def sign(key: Ed25519PrivateKey, signed: bytes) -> str:
    """The signature of a statement, as it travels."""
    return base64.b64encode(key.sign(signed)).decode()


def is_signed(signed: bytes, signature: str | None, keys: Iterable[bytes]) -> bool:
    """Whether one of these public keys (32 bytes each) has signed the statement; never raises."""
    if signature is None:
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == SIGNATURE_BYTES and any(_fits(key, raw, signed) for key in keys)


def _fits(key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public half."""
    return key.public_key().public_bytes_raw()


def key_text(key: bytes) -> str:
    """A public key as it travels."""
    return base64.b64encode(key).decode()


def key_of(text: str) -> bytes:
    """The 32 bytes of a public key that travelled. Raises ValueError."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a public key is base64 of 32 bytes") from error
    if len(key) != KEY_BYTES:
        raise ValueError("a public key is base64 of 32 bytes")
    return key


def fingerprint(key: bytes) -> str:
    """The fingerprint (指纹) of a public key that people compare: SHA-256 of its 32 bytes, in lower-case hexadecimal."""
    return hashlib.sha256(key).hexdigest()

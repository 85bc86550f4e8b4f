"""Sealing (封存): a picture that shows people as they are is encrypted to the district's public key before it touches the disk.

The format is age (age-encryption.org/v1): X25519, then ChaCha20-Poly1305 in chunks of 64 KiB of which the last one is marked, so
that a changed byte and a cut tail are noticed. The node holds no private key and can't open what it has sealed.
"""

import hashlib
import stat
from datetime import datetime
from pathlib import Path
from typing import Final

import pyrage

from edge.contract.incident import SEALED_MIME, EvidenceKind, EvidenceReference
from edge.errors import ConfigurationError
from edge.flow import EvidenceFile

MOST_RECIPIENTS: Final = 8
_LARGEST_BYTES: Final = 16 << 10


class DistrictKey:
    """The public keys (age recipients) to which originals are sealed: any one of their holders can open them."""

    def __init__(self, recipients: tuple[str, ...]) -> None:
        """Raises ConfigurationError when there is none, too many, or one that is no public key."""
        if not 1 <= len(recipients) <= MOST_RECIPIENTS:
            raise ConfigurationError(
                f"the district's key holds 1 to {MOST_RECIPIENTS} public keys, not {len(recipients)}"
            )
        if any(text.upper().startswith("AGE-SECRET-KEY-") for text in recipients):
            raise ConfigurationError("this is the district's private key: it does not belong on a node")
        try:
            self._recipients = [pyrage.x25519.Recipient.from_str(text) for text in recipients]
        except pyrage.RecipientError as error:
            raise ConfigurationError(f"not a public key of the kind age1…: {error}") from error

    def seal(self, content: bytes, *, captured_at: datetime) -> EvidenceFile:
        """The content as a file that only the district can open; the reference names the hashes of both."""
        sealed = bytes(pyrage.encrypt(content, self._recipients))
        reference = EvidenceReference(
            sha256=hashlib.sha256(sealed).hexdigest(),
            kind=EvidenceKind.SEALED,
            mime=SEALED_MIME,
            bytes=len(sealed),
            captured_at=captured_at,
            plain_sha256=hashlib.sha256(content).hexdigest(),
        )
        return EvidenceFile(reference, sealed)


def read_district_key(path: Path) -> DistrictKey:
    """A file of age recipients: one public key per line, `#` begins a remark. Raises ConfigurationError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_BYTES:
            raise ConfigurationError(f"{path}: not a file of public keys")
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the district's key {path} can't be read: {type(error).__name__}") from error
    lines = (line.strip() for line in text.splitlines())
    return DistrictKey(tuple(line for line in lines if line and not line.startswith("#")))

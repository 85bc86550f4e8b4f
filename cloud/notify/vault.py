"""The secret of the cloud for telling people: what their addresses are encrypted with, and what push services know us by.

One file of 32 random bytes; the keys are derived from it (HKDF, RFC 5869), each for its purpose alone. In the database and in backups of
it addresses are of no use without the file.
"""

import hmac
import os
from base64 import urlsafe_b64encode
from hashlib import sha256

import structlog
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.errors import ConfigurationError, Invalid
from cloud.settings import CloudSettings
from cloud.signing import made_once

_LENGTH = 32
_ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_log = structlog.get_logger(__name__)


class Vault:
    """Keys for notices. Nothing secret leaves this object but what was put in."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(urlsafe_b64encode(_derived(secret, "addresses", _LENGTH)))
        self._fingerprints = _derived(secret, "fingerprints", _LENGTH)
        scalar = int.from_bytes(_derived(secret, "web push", 48)) % (_ORDER_OF_P256 - 1) + 1
        self.push_key = ec.derive_private_key(scalar, ec.SECP256R1())

    @classmethod
    def of(cls, settings: CloudSettings) -> "Vault":
        """The secret of the settings, made at the first start. Raises ConfigurationError when its file can't be read or made."""
        file = settings.notice_key_file or settings.data_directory.resolve() / "keys" / "notice.key"
        try:
            if not file.exists() and made_once(file, os.urandom(_LENGTH)):
                _log.info("made the key for the addresses of people", file=str(file))
            secret = file.read_bytes()
            if file.stat().st_mode & 0o077:
                _log.warning("others may read the key for the addresses of people; `chmod 600` it", file=str(file))
        except OSError as error:
            raise ConfigurationError(f"the key for notices in {file}: {error.strerror}") from error
        if len(secret) != _LENGTH:
            raise ConfigurationError(f"the key for notices in {file} does not have {_LENGTH} bytes")
        return cls(secret)

    @property
    def push_public_key(self) -> bytes:
        """What browsers subscribe with: an uncompressed point of P-256 (RFC 8292 §3.2)."""
        return self.push_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def seal(self, address: bytes) -> bytes:
        """An address as it is kept."""
        return self._fernet.encrypt(address)

    def open(self, sealed: bytes) -> bytes:
        """An address as it was given. Raises Invalid when it was sealed with another key."""
        try:
            return self._fernet.decrypt(bytes(sealed))
        except InvalidToken:
            raise Invalid("the address was encrypted with another key") from None

    def fingerprint(self, address: bytes) -> bytes:
        """By which the same address is found again without being readable."""
        return hmac.new(self._fingerprints, address, sha256).digest()


def _derived(secret: bytes, purpose: str, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=f"gridward notices: {purpose}".encode()).derive(secret)

"""The cloud's own signing keys (Ed25519): commands and orders carry the signature of one, nodes learn its public half when they enrol;
another one seals the audit log.
"""

import os
from pathlib import Path

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.errors import ConfigurationError
from cloud.settings import CloudSettings
from edge.contract import signing

_log = structlog.get_logger(__name__)


class Signer:
    """Signs statements. Nothing of the private half leaves this object."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = signing.public_bytes(key)
        self.fingerprint = signing.fingerprint(self.public_key)

    @classmethod
    def of(cls, settings: CloudSettings) -> "Signer":
        """The key of the settings, made at the first start. Raises ConfigurationError when its file can't be read or made.

        Where several machines run the cloud, those that send commands share the file, or each has its own: nodes are given
        the public halves of all that were used and not retired.
        """
        return cls(_load(command_key_file(settings)))

    @classmethod
    def made(cls, settings: CloudSettings) -> "Signer | None":
        """The same, without making one: None where there is none, or none that can be read."""
        try:
            return cls.of(settings) if command_key_file(settings).exists() else None
        except (ConfigurationError, OSError):
            return None

    @classmethod
    def of_audit(cls, settings: CloudSettings) -> "Signer":
        """The key that seals the audit log, made at the first use; it has no other purpose. Raises ConfigurationError."""
        return cls(_load(audit_key_file(settings)))

    @classmethod
    def at(cls, file: Path) -> "Signer":
        """The key in a file, made where there is none. Raises ConfigurationError when it can't be read or made."""
        return cls(_load(file))

    def sign(self, statement: bytes) -> str:
        """The signature of a statement (`edge.contract.signing.statement`), as it travels."""
        return signing.sign(self._key, statement)


def command_key_file(settings: CloudSettings) -> Path:
    """Where the key that signs commands and orders lies."""
    return settings.command_key_file or settings.data_directory.resolve() / "keys" / "command.key"


def audit_key_file(settings: CloudSettings) -> Path:
    """Where the key that seals the audit log lies."""
    return settings.data_directory.resolve() / "keys" / "audit.key"


def _load(file: Path) -> Ed25519PrivateKey:
    try:
        if not file.exists():
            _make(file)
        content = file.read_bytes()
        key = serialization.load_pem_private_key(content, password=None)
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no private key in PEM"
        raise ConfigurationError(f"the key for signing in {file}: {reason}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"the key for signing in {file} is no Ed25519 key")
    if file.stat().st_mode & 0o077:
        _log.warning("others may read a signing key; `chmod 600` it", file=str(file))
    return key


def _make(file: Path) -> None:
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if made_once(file, content):
        _log.info("made the key that signs commands", file=str(file))


def made_once(file: Path, content: bytes) -> bool:
    """Make a file that only we may read, as a whole and once: of two processes that start together both read the same one afterwards.

    Whether this call made it. Raises OSError.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(unfinished, file)
        except FileExistsError:
            return False
        return True
    finally:
        unfinished.unlink(missing_ok=True)

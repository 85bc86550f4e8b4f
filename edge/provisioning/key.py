"""The node's own key (节点密钥): made here, kept in a file that its owner alone can read, and never told to anybody."""

import stat
from pathlib import Path

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.contract import signing
from edge.disk import make_folder, write_file
from edge.errors import ConfigurationError

FOLDER = "identity"
_FILE = "node.key"
_LARGEST_BYTES = 4_096

_log = structlog.get_logger(__name__)


class NodeKey:
    """An Ed25519 key. The private half shows in no repr and leaves by no method."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = signing.public_bytes(key)
        self.fingerprint = signing.fingerprint(self.public)

    def sign(self, statement: bytes) -> str:
        """The signature of a statement, as it travels."""
        return signing.sign(self._key, statement)


def identity_folder(data_directory: Path) -> Path:
    """Where the key lies, and what the cloud has given for it."""
    return data_directory / FOLDER


def read_key(data_directory: Path) -> NodeKey | None:
    """The node's key, None where it has none. Raises ConfigurationError for a file that can't be read or holds no such key:
    a node that had a key must not go on without one.
    """
    file = identity_folder(data_directory) / _FILE
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            _log.warning("others may read the node's key; `chmod 600` it", file=str(file))
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the node's key in {file} can't be read: {error.strerror}") from error
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{file} holds no private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{file} holds no Ed25519 key")
    return NodeKey(key)


def make_key(data_directory: Path) -> NodeKey:
    """The node's key, made as a whole where there is none. Raises ConfigurationError."""
    known = read_key(data_directory)
    if known is not None:
        return known
    folder = identity_folder(data_directory)
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        make_folder(data_directory)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        write_file(folder / _FILE, content, private=True)
    except OSError as error:
        raise ConfigurationError(f"the node's key can't be kept in {folder}: {error.strerror}") from error
    return NodeKey(key)

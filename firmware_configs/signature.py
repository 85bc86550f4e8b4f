"""The signature of an artifact (签名): a statement of what the bytes are, signed with Ed25519 (RFC 8032).

Not the bytes alone are signed but what they are for: class, name, version, hash and size. A file that was signed as one thing can't be
handed out as another, and a node refuses before it has fetched a byte. The file `NAME.sig` is one JSON object with the statement and `sig`.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from firmware_configs import device_firmware
from firmware_configs.problems import ContentWrong, SignatureWrong
from firmware_configs.semver import Version

LARGEST_SIGNATURE_BYTES = 4096
SIGNATURE_BYTES = 64
_PREAMBLE = b"gridward artifact 1\n"
"""Before each statement: what is signed for something else is no statement of this kind."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class ArtifactClass(StrEnum):
    """What nodes are given."""

    PROFILE = "profile"
    """What devices of a kind are set to: YAML."""
    MODEL = "model"
    """A detector: a ZIP of `manifest.yaml` and `model.onnx`."""
    PROGRAM = "program"
    """The node's own software: a wheel of pure Python."""
    FIRMWARE = "firmware"
    """What devices of a make and model run themselves: the very file that they take, under the version that they announce."""


LARGEST_BYTES: Mapping[ArtifactClass, int] = {
    ArtifactClass.PROFILE: 256 << 10,
    ArtifactClass.MODEL: 512 << 20,
    ArtifactClass.PROGRAM: 128 << 20,
    ArtifactClass.FIRMWARE: 256 << 20,
}
"""More is no artifact of the class, whoever signed it."""

PROGRAM_NAME = "gridward"


@dataclass(frozen=True, slots=True)
class Signature:
    """A statement and its signature, checked for form alone: whether it is to be trusted says a keyring.

    `key` is the fingerprint of the signing key, `signed_at` aware UTC in whole seconds, `sig` base64.
    """

    artifact: ArtifactClass
    name: str
    version: str
    sha256: str
    size_bytes: int
    signed_at: datetime
    key: str
    sig: str

    def __post_init__(self) -> None:
        """Refuse what can't be a statement, with SignatureWrong."""
        _require_version(self.artifact, self.version)
        if not _NAME.fullmatch(self.name):
            raise SignatureWrong(f"{self.name[:64]!r} can't be the name of an artifact")
        if not _SHA256.fullmatch(self.sha256) or not _SHA256.fullmatch(self.key):
            raise SignatureWrong("`sha256` and `key` have to be 64 digits, hexadecimal, in lower case")
        if self.size_bytes < 1:
            raise SignatureWrong("`size_bytes` has to be the number of bytes")
        if self.signed_at.tzinfo is None or self.signed_at.microsecond:
            raise SignatureWrong("`signed_at` has to be UTC in whole seconds")

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a `.sig` file. Raises SignatureWrong."""
        if len(content) > LARGEST_SIGNATURE_BYTES:
            raise SignatureWrong(f"larger than {LARGEST_SIGNATURE_BYTES} bytes: this is no signature")
        try:
            told = json.loads(content)
            return cls.of_plain(told)
        except (ValueError, RecursionError) as error:
            raise SignatureWrong(f"the signature is not JSON as it is written here: {error}") from error

    @classmethod
    def of_plain(cls, told: Any) -> Self:
        """From the values of its JSON. Raises SignatureWrong."""
        try:
            return cls(
                artifact=ArtifactClass(told["artifact"]),
                name=_text(told["name"]),
                version=_text(told["version"]),
                sha256=_text(told["sha256"]),
                size_bytes=_whole(told["size_bytes"]),
                signed_at=datetime.strptime(_text(told["signed_at"]), _TIME).replace(tzinfo=UTC),
                key=_text(told["key"]),
                sig=_text(told["sig"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SignatureWrong(f"the signature lacks something, or has what can't be read: {error}") from error

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        told = asdict(self)
        told["artifact"], told["signed_at"] = self.artifact.value, self.signed_at.astimezone(UTC).strftime(_TIME)
        return told

    def content(self) -> bytes:
        """As it stands in a file."""
        return (json.dumps(self.plain(), ensure_ascii=False, indent=2) + "\n").encode()

    @property
    def statement(self) -> bytes:
        """The bytes that are signed: always the same for the same statement."""
        told = self.plain()
        del told["sig"]
        return _PREAMBLE + json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @property
    def raw(self) -> bytes:
        """The signature itself. Raises SignatureWrong."""
        try:
            raw = base64.b64decode(self.sig, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SignatureWrong("`sig` is no base64") from error
        if len(raw) != SIGNATURE_BYTES:
            raise SignatureWrong(f"`sig` has {len(raw)} bytes, Ed25519 makes {SIGNATURE_BYTES}")
        return raw

    def require_content(self, content: bytes) -> None:
        """Raises ContentWrong when these are not the bytes that were signed."""
        self.require_digest(hashlib.sha256(content).hexdigest(), len(content))

    def require_digest(self, sha256: str, size_bytes: int) -> None:
        """The same for a file whose hash and size are known."""
        if size_bytes != self.size_bytes:
            raise ContentWrong(f"{size_bytes} bytes where {self.size_bytes} were signed", size_differs=True)
        if sha256 != self.sha256:
            raise ContentWrong(f"other bytes than were signed (SHA-256 {sha256[:12]}… for {self.sha256[:12]}…)")


def _require_version(artifact: ArtifactClass, version: str) -> None:
    if artifact is ArtifactClass.FIRMWARE:  # its maker numbers it, not we
        if not device_firmware.VERSION.fullmatch(version):
            raise SignatureWrong(
                f"{version[:64]!r} can't be what a device announces: 1 to 50 signs of ASCII, no blanks"
            )
        return
    try:
        Version.parse(version)
    except ValueError as error:
        raise SignatureWrong(str(error)) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value

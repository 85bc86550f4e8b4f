"""What an export says of itself: its members, its keys, which files are in it and which are not, and why. Pure.

The manifest is JSON in canonical form, and the last but one member; the last is the signature over it.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from edge.contract import signing

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
CHAIN: Final = "chain.jsonl"
PAGE: Final = "index.html"
REVISIONS: Final = "revisions/"
FILES: Final = "evidence/"

LARGEST_TEXT_BYTES: Final = 64 << 20
"""Manifest, chain, page: none is larger."""
LARGEST_REVISION_BYTES: Final = 4 << 20
LARGEST_REVISIONS_BYTES: Final = 256 << 20

_PURPOSE: Final = "evidence manifest"


class Absence(StrEnum):
    """Why a file that an incident names is not in an export."""

    DELETED = "deleted"
    """Under retention; the chain says when and why."""
    NEVER_SENT = "never_sent"
    SEALED = "sealed"
    """An original that two people open; an export never has it."""
    LEFT = "left"
    """Of an incident that is no part of the case any more; the chain says so."""
    LOST = "lost"
    """It should be there, and is not, or is damaged."""


_SUFFIX: Final = {"image/jpeg": "jpg", "video/mp4": "mp4", "video/webm": "webm"}


@dataclass(frozen=True, slots=True)
class ProvenCase:
    """The case that an export is of, as it stands."""

    id: int
    number: str
    area_path: str
    kind: str
    category: str
    severity: str
    status: str
    origin: str
    drill: bool
    simulated: bool
    area_code: str | None
    node: str | None
    device: str | None
    opened_at: datetime


@dataclass(slots=True)
class ProvenFile:
    """A file that incidents of the case name, where it lies in the archive, or why it is not in it."""

    sha256: str
    kind: str
    mime: str
    size_bytes: int
    captured_at: str
    node: str
    incidents: set[str]
    absence: Absence | None = None
    deleted_at: datetime | None = None
    deletion_reason: str | None = None

    @property
    def member(self) -> str:
        """Its name in the archive."""
        return f"{FILES}{self.sha256}.{_SUFFIX.get(self.mime, 'bin')}"

    def fields(self) -> dict[str, object]:
        """What the manifest says of it."""
        told: dict[str, object] = {
            "sha256": self.sha256,
            "kind": self.kind,
            "mime": self.mime,
            "bytes": self.size_bytes,
        }
        if self.absence is None:
            return told | {"member": self.member}
        told["absent"] = self.absence.value
        if self.deleted_at is not None:
            told |= {"deleted_at": self.deleted_at, "reason": self.deletion_reason or "age"}
        return told


class NoManifest(ValueError):
    """Bytes that are no manifest, or no signature of one."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a manifest: the fingerprint of the key, and the signature."""

    key: str
    sig: str


class _Bare(msgspec.Struct):
    """An envelope whose body is left as its bytes."""

    body: msgspec.Raw


def incident_bytes(raw: bytes) -> bytes:
    """The incident in what arrived: the body of the node's message, or all of it where the cloud made it itself.

    Raises ValueError where it is no JSON.
    """
    try:
        return bytes(msgspec.json.decode(raw, type=_Bare).body)
    except msgspec.ValidationError:
        return raw


def manifest_bytes(fields: Mapping[str, object]) -> bytes:
    """The manifest as a member."""
    return signing.statement(_PURPOSE, fields).partition(b"\n")[2]


def signed_manifest(content: bytes) -> bytes:
    """What is signed of it."""
    return signing.statement(_PURPOSE, {}).partition(b"\n")[0] + b"\n" + content


def signature_bytes(signature: Signature) -> bytes:
    """The signature as a member."""
    return json.dumps({"key": signature.key, "sig": signature.sig}, separators=(",", ":")).encode()


def read_signature(content: bytes) -> Signature:
    """Raises NoManifest."""
    told = _json(content)
    try:
        signature = Signature(told["key"], base64.b64encode(base64.b64decode(told["sig"], validate=True)).decode())
    except (KeyError, TypeError, ValueError) as error:
        raise NoManifest("the signature can't be read") from error
    if type(signature.key) is not str or signature_bytes(signature) != content:
        raise NoManifest("the signature can't be read")
    return signature


def read_manifest(content: bytes) -> dict[str, Any]:
    """The fields of a manifest. Raises NoManifest, also where the bytes are not in canonical form."""
    told = _json(content)
    if told.get("format") != FORMAT:
        raise NoManifest("the manifest has a form that is not known here")
    try:
        canonical = manifest_bytes(told)
    except (ValueError, TypeError) as error:
        raise NoManifest("the manifest can't be read") from error
    if canonical != content:
        raise NoManifest("the manifest is not in its canonical form")
    return told


def _json(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NoManifest("the manifest can't be read") from error
    if type(told) is not dict:
        raise NoManifest("the manifest can't be read")
    return told

"""Who may call (准入): a configured station, with its password where the security profile asks for one. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

SUBPROTOCOL: Final = "ocpp1.6"
LONGEST_IDENTITY: Final = 48
LONGEST_HEADER: Final = 1_000


class Denial(StrEnum):
    """Why a caller is not let in."""

    WRONG_PATH = "wrong_path"
    UNKNOWN = "unknown"
    """Nobody of this name is configured."""
    NO_PASSWORD = "no_password"  # noqa: S105 (a name)
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 (a name)
    WRONG_SUBPROTOCOL = "wrong_subprotocol"


@dataclass(frozen=True, slots=True)
class Denied:
    """Not let in; `identity` is what the caller calls itself, as far as it can be shown."""

    why: Denial
    identity: str | None = None

    @property
    def status(self) -> HTTPStatus:
        """What is answered."""
        return HTTPStatus.UNAUTHORIZED if self.why in _UNAUTHORISED else HTTPStatus.NOT_FOUND


_UNAUTHORISED: Final = frozenset({Denial.NO_PASSWORD, Denial.WRONG_PASSWORD})


@dataclass(frozen=True, slots=True)
class Admission:
    """Whom a listener knows. `devices` maps identities to device ids, `passwords` device ids to digests; without passwords none is asked
    for (security profile 0).
    """

    path: str
    devices: Mapping[str, str]
    passwords: Mapping[str, bytes] | None

    def decide(self, target: str, authorization: str | None) -> str | Denied:
        """The device that calls `target` (an address's path), or why not. A wrong name takes as long as a wrong password."""
        identity = self._identity(target)
        if identity is None:
            return Denied(Denial.WRONG_PATH)
        device = self.devices.get(identity)
        if self.passwords is None:
            return Denied(Denial.UNKNOWN, identity) if device is None else device
        login = None if authorization is None else _login(authorization)
        expected = self.passwords.get(device or "", _NOBODY)
        is_right = login is not None and hmac.compare_digest(digest(login[1]), expected)
        is_same = login is not None and hmac.compare_digest(login[0], identity.encode())
        if device is None:
            return Denied(Denial.UNKNOWN, identity)
        if login is None:
            return Denied(Denial.NO_PASSWORD, identity)
        return device if is_right and is_same else Denied(Denial.WRONG_PASSWORD, identity)

    def _identity(self, target: str) -> str | None:
        """The last part of the address, behind the configured path."""
        path, _, name = target.partition("?")[0].rpartition("/")
        identity = unquote(name, errors="replace")
        if path != self.path or not 0 < len(identity) <= LONGEST_IDENTITY or not identity.isprintable():
            return None
        return identity


def digest(password: bytes) -> bytes:
    """What is compared in the place of a password, so that its length tells nothing."""
    return hashlib.sha256(password).digest()


def speaks(offered: Sequence[str]) -> bool:
    """Whether a caller speaks this version."""
    return SUBPROTOCOL in offered


_NOBODY: Final = digest(b"\x00nobody")


def _login(header: str) -> tuple[bytes, bytes] | None:
    """Name and password of Basic authentication (RFC 7617), as bytes: a station's key may be any."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > LONGEST_HEADER:
        return None
    try:
        name, separator, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if separator else None

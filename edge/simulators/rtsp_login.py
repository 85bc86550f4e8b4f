"""Log-in of the simulated camera: Basic and Digest, as RFC 7617 and RFC 7616 (MD5, with and without qop) say. Pure."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]+))')
_REALM = "gridward"


class Scheme(StrEnum):
    """How a client proves that it knows the password."""

    BASIC = "basic"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Login:
    """The user that a camera lets in."""

    user: str
    password: str = field(repr=False)
    scheme: Scheme = Scheme.DIGEST
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    def challenge(self) -> str:
        """The header that asks for it."""
        if self.scheme is Scheme.BASIC:
            return f'Basic realm="{_REALM}"'
        return f'Digest realm="{_REALM}", nonce="{self.nonce}", algorithm=MD5'

    def accepts(self, header: str | None, method: str) -> bool:
        """Whether a request's `Authorization` proves it."""
        word, _, rest = (header or "").partition(" ")
        if word.lower() != self.scheme.value:
            return False
        if self.scheme is Scheme.BASIC:
            try:
                given = base64.b64decode(rest.strip(), validate=True)
            except (ValueError, binascii.Error):
                return False
            return hmac.compare_digest(given, f"{self.user}:{self.password}".encode())
        return self._digest_fits({key: quoted or plain for key, quoted, plain in _PAIR.findall(rest)}, method)

    def _digest_fits(self, given: dict[str, str], method: str) -> bool:
        if given.get("nonce") != self.nonce or given.get("username") != self.user:
            return False
        secret = _md5(f"{self.user}:{_REALM}:{self.password}")
        request = _md5(f"{method}:{given.get('uri', '')}")
        middle = ":".join(given.get(key, "") for key in ("nc", "cnonce", "qop")) + ":" if given.get("qop") else ""
        expected = _md5(f"{secret}:{self.nonce}:{middle}{request}")
        return hmac.compare_digest(expected.encode(), given.get("response", "").encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

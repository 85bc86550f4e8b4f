"""Web push: a message to a browser through the push service of its maker (RFC 8030), which can't read it (RFC 8291).

The service knows us by a key (VAPID, RFC 8292). Libraries for this exist as source archives only, and send wherever they are told; the few steps
are made here from the parts of `cryptography`, and tested by the RFC's own example and by a push service that decrypts.
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.errors import Invalid
from cloud.notify.model import Urgency
from cloud.notify.post import Post

_RECORD_SIZE = 4_096
LARGEST_MESSAGE = 3_000
KEPT_S = 12 * 3_600
_TOKEN_LASTS = timedelta(hours=12)
_URGENCIES = {Urgency.ALARM: "high", Urgency.RING: "high", Urgency.DIGEST: "normal", Urgency.QUIET: "low"}


def encode(data: bytes) -> str:
    """Base64 for addresses, without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes. Raises Invalid."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Invalid("that is no base64") from None


@dataclass(frozen=True, slots=True)
class Browser:
    """What a browser gave when it subscribed: where to send, its key, and a secret that it shares with us."""

    endpoint: str
    public_key: bytes
    secret: bytes

    @classmethod
    def of(cls, endpoint: str, p256dh: str, auth: str) -> Self:
        """The subscription, checked. Raises Invalid."""
        try:
            parts = urlsplit(endpoint)
            is_usual = parts.scheme == "https" and parts.username is None and parts.port in {None, 443}
        except ValueError:
            is_usual = False
        if not is_usual or not parts.hostname or not endpoint.isascii() or not endpoint.isprintable():
            raise Invalid("a push service has an address of the form https://host/…")
        public_key, secret = decode(p256dh), decode(auth)
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        except ValueError:
            raise Invalid("p256dh is no point of P-256") from None
        if len(secret) != 16:
            raise Invalid("auth has to have 16 bytes")
        return cls(endpoint, public_key, secret)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """As it was kept. Raises Invalid."""
        try:
            kept: dict[str, str] = json.loads(content)
            return cls(kept["endpoint"], decode(kept["p256dh"]), decode(kept["auth"]))
        except (ValueError, KeyError, TypeError):
            raise Invalid("the subscription can't be read") from None

    def to_bytes(self) -> bytes:
        """As it is kept, before it is encrypted."""
        return json.dumps(
            {"endpoint": self.endpoint, "p256dh": encode(self.public_key), "auth": encode(self.secret)}
        ).encode()


def encrypt(message: bytes, browser: Browser, *, own: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """A message for one browser (RFC 8291 §3.4, one record of RFC 8188). `own` and `salt` are for this message alone."""
    if len(message) > LARGEST_MESSAGE:
        raise Invalid("the message is too long for a push service")
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser.public_key)
    ours = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = own.exchange(ec.ECDH(), theirs)
    info = b"WebPush: info\x00" + browser.public_key + ours
    material = HKDF(hashes.SHA256(), 32, salt=browser.secret, info=info).derive(shared)
    key = HKDF(hashes.SHA256(), 16, salt=salt, info=b"Content-Encoding: aes128gcm\x00").derive(material)
    nonce = HKDF(hashes.SHA256(), 12, salt=salt, info=b"Content-Encoding: nonce\x00").derive(material)
    header = salt + _RECORD_SIZE.to_bytes(4) + bytes([len(ours)]) + ours
    return header + AESGCM(key).encrypt(nonce, message + b"\x02", None)


def authorisation(key: ec.EllipticCurvePrivateKey, endpoint: str, contact: str, *, now: datetime) -> str:
    """Who sends (RFC 8292 §3): a token for the push service of that endpoint, signed by our key."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now + _TOKEN_LASTS).timestamp()), "sub": contact}
    statement = f"{_part({'typ': 'JWT', 'alg': 'ES256'})}.{_part(claims)}"
    r, s = decode_dss_signature(key.sign(statement.encode(), ec.ECDSA(hashes.SHA256())))
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return f"vapid t={statement}.{encode(r.to_bytes(32) + s.to_bytes(32))}, k={encode(public)}"


def _part(content: Mapping[str, Any]) -> str:
    return encode(json.dumps(content, separators=(",", ":")).encode())


def send(
    post: Post,
    browser: Browser,
    content: Mapping[str, Any],
    *,
    key: ec.EllipticCurvePrivateKey,
    contact: str,
    topic: str,
    urgency: Urgency,
    now: datetime,
) -> None:
    """Send one message. Of those with one `topic` the service keeps the newest: a thread is one message. Raises ChannelAway, ChannelRefused."""
    message = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    body = encrypt(message, browser, own=ec.generate_private_key(ec.SECP256R1()), salt=os.urandom(16))
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(KEPT_S),
        "Topic": topic,
        "Urgency": _URGENCIES[urgency],
        "Authorization": authorisation(key, browser.endpoint, contact, now=now),
    }
    post.send(browser.endpoint, body, headers)

"""Claim codes, challenges and the life of credentials. Pure but for the source of randomness."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import Final

from cloud.enrolment.model import BoundNode, Claim, Credential

CLAIM_LASTS: Final = timedelta(hours=24)
CLAIM_LASTS_MOST: Final = timedelta(days=30)
CLAIM_FAILURES: Final = 10
"""So many wrong codes with the right beginning, and the claim is closed: a person makes a new one."""

CHALLENGE_LASTS: Final = timedelta(minutes=5)
CREDENTIAL_LASTS: Final = timedelta(days=90)
RENEW_FROM: Final = 2 / 3
"""Of its life a credential has this share behind it when the node asks for the next one: a month is left for a dead link."""
OVERLAP: Final = timedelta(hours=24)
"""So long older credentials still work after a newer one was used: what is under way ends in peace."""
LIVE_MOST: Final = 4
"""Generations of one node that work at a time; of still more the oldest ends at once."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing in it is taken for something else on paper."""
_GROUP: Final = 5
_GROUPS: Final = 5
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})
_SPACES: Final = re.compile(r"[\s\u2010-\u2015-]+")
_LONGEST_CODE: Final = 100
_USER: Final = re.compile(r"(?P<node>[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?)(?:~(?P<generation>[1-9][0-9]{0,8}))?")
_NONCE_BYTES: Final = 16
_MAC_BYTES: Final = 32


def new_code() -> tuple[str, str]:
    """A code of five groups and its selector (the first of them); the other four are 100 random bits."""
    groups = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS)]
    return "-".join(groups), groups[0]


def parts_of(code: str) -> tuple[str, str] | None:
    """Selector and secret of a code as people type it: any case, spaces or dashes, O for 0; None for what is no code."""
    if len(code) > _LONGEST_CODE:
        return None
    plain = _SPACES.sub("", code.upper()).translate(_MISREAD)
    if len(plain) != _GROUP * _GROUPS or not set(plain) <= set(_ALPHABET):
        return None
    return plain[:_GROUP], plain[_GROUP:]


def hash_secret(secret: str) -> bytes:
    """What is kept of a code: SHA-256 is enough for 100 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def refusal_of(claim: Claim | None, secret: str, key: bytes, now: datetime) -> str | None:
    """Why a code is not taken, in words for who typed it; None where it binds `key`.

    The hash is compared whatever else is known, so that the time tells nothing. The same key may come again while the code
    lasts: its answer was lost.
    """
    fits = hmac.compare_digest(hash_secret(secret), claim.code_hash if claim is not None else bytes(32))
    if claim is None or not fits:
        return "this claim code is not known here; look at it again, or ask for a new one"
    if claim.revoked_at is not None:
        return "this claim code was withdrawn; ask for a new one"
    if claim.failures >= CLAIM_FAILURES:
        return "this claim code was tried too often and is closed; ask for a new one"
    if claim.used_key is not None and not hmac.compare_digest(claim.used_key, key):
        return "this claim code has been used by another machine; if that was not you, tell whoever gave it to you"
    if now >= claim.expires_at:
        return "this claim code is over; ask for a new one"
    return None


def refusal_at(claim: Claim, node: BoundNode | None, key: bytes) -> str | None:
    """Why a code that is taken for itself does not bind `key` to the node of its name as that stands now; None where it does.

    A used code only repeats an answer: the key that it bound has to be the node's key still, so that a machine that was shut out
    does not come back by it. And a code never reaches past the area that it was made in.
    """
    if node is not None and (node.district, node.area_code) != (claim.district, claim.area_code):
        return "this claim code was made for another area than the one in which its node stands; ask for a new one"
    stands = node is not None and node.public_key is not None and hmac.compare_digest(node.public_key, key)
    if claim.used_at is not None and not stands:
        return "another machine has taken this place since; if that was not you, tell whoever gave you this claim code"
    return None


def new_challenge(secret: bytes, now: datetime, *, nonce: bytes | None = None) -> str:
    """A challenge that needs no memory: a nonce, until when it can be answered, and our mark on both."""
    nonce = secrets.token_bytes(_NONCE_BYTES) if nonce is None else nonce
    until = int((now + CHALLENGE_LASTS).timestamp()).to_bytes(8, "big")
    return base64.b64encode(nonce + until + _mark(secret, nonce + until)).decode()


def nonce_of(secret: bytes, challenge: str, now: datetime) -> bytes | None:
    """The nonce of a challenge of ours that can still be answered, else None."""
    try:
        raw = base64.b64decode(challenge, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _NONCE_BYTES + 8 + _MAC_BYTES:
        return None
    content, mark = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if not hmac.compare_digest(_mark(secret, content), mark):
        return None
    nonce, until_s = content[:_NONCE_BYTES], int.from_bytes(content[_NONCE_BYTES:], "big")
    return nonce if now.timestamp() < until_s else None


def _mark(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, b"challenge" + content, "sha256")


def ends_after_use(used: int, standing: list[Credential], now: datetime) -> dict[int, datetime]:
    """New ends of credentials, by generation, once generation `used` has been seen to work: older ones end soon."""
    end = now + OVERLAP
    return {each.generation: end for each in standing if each.generation < used and each.expires_at > end}


def ended_for_room(standing: list[Credential], now: datetime) -> list[int]:
    """Generations that end at once because a new one comes: who asks again and again does not gather keys to the door.

    The newest that was seen to work stays: it is what the node logs in with while answers get lost.
    """
    live = sorted((each for each in standing if each.expires_at > now), key=lambda each: -each.generation)
    in_use = next((each.generation for each in live if each.used_at is not None), None)
    return [each.generation for each in live[LIVE_MOST - 1 :] if each.generation != in_use]


def is_due(issued_at: datetime, expires_at: datetime, now: datetime) -> bool:
    """Whether a node should ask for the next credentials."""
    return now >= issued_at + (expires_at - issued_at) * RENEW_FROM


def mqtt_user(node: str, generation: int) -> str:
    """The name at the broker: two generations of one node are two users with the same rights. No node's name holds a tilde."""
    return f"{node}~{generation}"


def node_of_user(user: str) -> tuple[str, int | None] | None:
    """Node and generation (None: the secrets of `node add`) of a name at the broker; None for what can't be one."""
    found = _USER.fullmatch(user)
    if found is None:
        return None
    return found["node"], None if found["generation"] is None else int(found["generation"])

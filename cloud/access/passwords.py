"""Passwords: Argon2id, with as many hashes at once as the memory bears."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloud.errors import Invalid

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 200

_HASHER = PasswordHasher()  # the library's profile: RFC 9106 §4, second recommendation (64 MiB, 3 passes)
_SLOTS = threading.BoundedSemaphore(4)  # four hashes at once are 256 MiB; the rest wait


def hash_password(password: str) -> str:
    """The Argon2id hash to keep. Raises Invalid for a password that is too short, too long or one character repeated."""
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise Invalid(f"a password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters")
    if len(set(password)) < 4:
        raise Invalid("a password has at least four different characters")
    return rehash(password)


def rehash(password: str) -> str:
    """A fresh hash of a password that is in use already, whatever is asked of new ones by now."""
    with _SLOTS:
        return _HASHER.hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether `password` fits the kept hash. Without one it takes the same time and answers no, so that names can't be told."""
    if len(password) > MAXIMUM_LENGTH:
        return False
    with _SLOTS:
        try:
            fits = _HASHER.verify(kept if kept is not None else _nobody(), password)
        except (VerificationError, InvalidHashError):
            return False
    return fits and kept is not None


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with weaker settings than today's."""
    return _HASHER.check_needs_rehash(kept)


@cache
def _nobody() -> str:
    return _HASHER.hash("a hash for names that do not exist")

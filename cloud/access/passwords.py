"""Passwords: Argon2id, with as many hashes at once as the memory bears."""

import re
import threading
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloud.errors import Invalid

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 200

_TRIED_FIRST: Final = (
    *(
        "password",
        "passw0rd",
        "p@ssword",
        "p@ssw0rd",
        "letmein",
        "welcome",
        "iloveyou",
        "admin",
        "administrator",
        "woaini",
    ),
    *(
        "qwertyuiop",
        "qwerty",
        "asdfghjkl",
        "asdf",
        "zxcvbnm",
        "1q2w3e4r5t",
        "1q2w3e4r",
        "1qaz2wsx",
        "qazwsx",
        "abc",
        "gridward",
    ),
    *(
        "1234567890",
        "123456789",
        "12345678",
        "1234567",
        "123456",
        "12345",
        "1234",
        "123",
        "0987654321",
        "987654321",
        "654321",
    ),
    *("5201314", "1314", "520", "888888", "666666", "5678", "2024", "2025", "2026", "2027"),
)
"""Of the passwords that are guessed first what they are made of; longer ones are these with more of the same behind."""

_FILLERS: Final = "0123456789!@#$%^&*?._- "
"""What is put before and behind a word, so that it may pass."""

_HASHER = PasswordHasher()  # the library's profile: RFC 9106 §4, second recommendation (64 MiB, 3 passes)
_SLOTS = threading.BoundedSemaphore(4)  # four hashes at once are 256 MiB; the rest wait


def hash_password(password: str, *, name: str = "") -> str:
    """The Argon2id hash to keep; `name` is whose password it is.

    Raises Invalid for a password that is too short, too long, or what anybody would try first (OWASP ASVS 5.0, 6.2.4 and 6.2.11).
    """
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise Invalid(f"a password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters")
    if len(set(password)) < 4:
        raise Invalid("a password has at least four different characters")
    if is_plain(password, name):
        raise Invalid(
            "this password is what anybody would try first: take words that have nothing to do with you or this product"
        )
    return rehash(password)


def is_plain(password: str, name: str = "") -> bool:
    """Whether little of a password is left without the words, runs and the name that are tried first."""
    left = password.casefold()
    words = sorted({*_TRIED_FIRST, *_parts_of(name)}, key=len, reverse=True)
    for word in words:
        left = left.replace(word, "")
    if len(left) >= 16 and len(set(left)) >= 8:
        return False  # long and mixed, though of digits: a secret that a machine made
    return len(set(left) - set(_FILLERS)) < 4


def _parts_of(name: str) -> list[str]:
    parts = [name, *re.split(r"[._-]", name)]
    return [part.casefold() for part in parts if len(part) >= 3]


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

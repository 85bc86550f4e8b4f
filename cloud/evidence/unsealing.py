"""Opening sealed originals (解封): with the district's private key, for one case, a purpose, and two people who answer for it.

The key never comes near the service: this runs where its holder is. Any `age` program opens the same files with the same key;
this one compares hashes and writes down who did it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
from psycopg import Connection

from cloud.access import accounts, audit
from cloud.access.model import Principal, Role
from cloud.errors import Forbidden, Invalid, NotFound
from cloud.evidence import store
from cloud.evidence.files import EvidenceFiles

LARGEST_KEY_FILE_BYTES = 16 << 10
LONGEST_PURPOSE = 500
_MAY_ANSWER = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})


@dataclass(frozen=True, slots=True)
class UnsealOrder:
    """Which file, for which case, to what end; `by` does it and `approved_by` has allowed it."""

    sha256: str
    case: str
    purpose: str
    by: str
    approved_by: str


class DistrictPrivateKey:
    """The private keys of a file, of which one may open what was sealed to its public half. They show in no text."""

    def __init__(self, path: Path) -> None:
        """Raises Invalid when the file can't be read, or holds no private key of age."""
        try:
            if path.stat().st_size > LARGEST_KEY_FILE_BYTES:
                raise Invalid(f"{path} is no file of private keys")
            lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"the private key {path} can't be read: {type(error).__name__}") from error
        try:
            self._identities = [pyrage.x25519.Identity.from_str(line) for line in lines if line and line[0] != "#"]
        except pyrage.IdentityError as error:
            raise Invalid(f"{path} holds something that is no private key AGE-SECRET-KEY-1…") from error
        if not self._identities:
            raise Invalid(f"{path} holds no private key")

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises Invalid when it was sealed to another key, or is changed or cut anywhere."""
        try:
            return bytes(pyrage.decrypt(sealed, self._identities))
        except pyrage.DecryptError as error:
            raise Invalid("the key does not open this file, or the file is damaged") from error


def new_key_pair() -> tuple[str, str]:
    """A district's private key, for the one who keeps it, and its public key, for the nodes."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def unseal(
    conn: Connection[Any], files: EvidenceFiles, key: DistrictPrivateKey, order: UnsealOrder, *, maximum_bytes: int
) -> bytes:
    """The original, after a line in the audit log, in the caller's transaction: commit before anybody sees it.

    Raises NotFound, Invalid, Forbidden, EvidenceStoreAway.
    """
    if not 3 <= len(order.purpose.strip()) <= LONGEST_PURPOSE:
        raise Invalid(f"a purpose has 3 to {LONGEST_PURPOSE} characters")
    people = _people(conn, order)
    file = store.sealed(conn, order.sha256, order.case)
    if file is None or not file.is_stored or not all(person.sees(file.area_path) for person in people):
        raise NotFound("this case has no such sealed file, or lies outside the area of one of the two")
    if file.size_bytes > maximum_bytes:
        raise Invalid(f"the file is larger than {maximum_bytes} bytes")
    sealed = b"".join(files.read_all(file.sha256))
    if hashlib.sha256(sealed).hexdigest() != file.sha256:
        raise Invalid("the file is damaged in the store: its bytes are not those of its hash")
    original = key.open(sealed)
    plain_sha256 = hashlib.sha256(original).hexdigest()
    if file.plain_sha256 is not None and plain_sha256 != file.plain_sha256:
        raise Invalid("what was sealed is not what the incident names")
    audit.write(
        conn,
        "evidence.unsealed",
        f"evidence:{file.sha256}",
        actor_name=order.by,
        area_path=file.area_path,
        detail={
            "case": order.case,
            "purpose": order.purpose.strip(),
            "approved_by": order.approved_by,
            "plain_sha256": plain_sha256,
            "named_by_incident": file.plain_sha256 is not None,
        },
    )
    return original


def _people(conn: Connection[Any], order: UnsealOrder) -> list[Principal]:
    """Both who answer for it. Raises NotFound, Forbidden."""
    if order.by == order.approved_by:
        raise Forbidden("another person has to approve it")
    people = []
    for name in (order.by, order.approved_by):
        person = accounts.in_use(conn, name)
        if person is None:
            raise NotFound(f"there is no account {name!r} in use")
        if person.role not in _MAY_ANSWER:
            raise Forbidden(f"{name} is neither a duty chief nor an administrator")
        people.append(person)
    return people

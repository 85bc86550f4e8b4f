"""Who may do what at a broker: users, salted password hashes, topic grants, and the files that state them. Pure.

The password format is mosquitto's own (`$7$iterations$salt$hash`, PBKDF2 with SHA-512), so that one file serves both
kinds of broker and no password stands on a command line.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from edge.contract.topics import ROOT

_ITERATIONS = 10_000
_SALT_BYTES = 12  # mosquitto takes no other length
_CARRIER = re.compile(r"^(?:\$(?:share/[^/]*|delayed/[^/]*|exclusive|queue)/)+")
_DISTRICT = re.compile(re.escape(ROOT) + r"/(?P<district>[0-9]{6})/.+", re.DOTALL)
_FORBIDDEN = frozenset(" :\n\r\t\0#+")


class Access(StrEnum):
    """What a grant allows."""

    READ = "read"
    WRITE = "write"
    READWRITE = "readwrite"


@dataclass(frozen=True, slots=True)
class Grant:
    """One topic filter and what may be done with it."""

    access: Access
    topic_filter: str

    def allows(self, wanted: Access, topic: str) -> bool:
        """Whether the grant covers a topic, or every topic that a filter to subscribe to could match."""
        return self.access in {wanted, Access.READWRITE} and covers(self.topic_filter, topic)


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user with the hash of the password."""

    name: str
    password_hash: str
    grants: tuple[Grant, ...]

    def may(self, wanted: Access, topic: str) -> bool:
        """Whether any grant covers it."""
        return any(grant.allows(wanted, topic) for grant in self.grants)


CLOUD_GRANTS = (Grant(Access.READWRITE, f"{ROOT}/#"),)
"""The cloud's own user: everything under the contract's root."""


def node_grants(district: str, node: str) -> tuple[Grant, ...]:
    """A node: its own topics, each in one direction."""
    own = f"{ROOT}/{district}/{node}"
    return (
        Grant(Access.WRITE, f"{own}/up/#"),
        Grant(Access.WRITE, f"{own}/status"),
        Grant(Access.READ, f"{own}/down/#"),
    )


def covers(granted: str, topic: str) -> bool:
    """Whether a granted filter covers a topic or a filter: nothing that the latter matches lies outside the former."""
    if topic.startswith("$") != granted.startswith("$"):
        return False
    left, right = granted.split("/"), topic.split("/")
    for index, level in enumerate(left):
        if level == "#":
            return True
        if index >= len(right) or right[index] == "#" or (level != "+" and level != right[index]):
            return False
    return len(left) == len(right)


def reaches_root(topic: str) -> bool:
    """Whether a topic lies in the tree of the contract, in whichever version, or a filter to subscribe to could match one that does.

    A broker's own prefixes (shared, exclusive, delayed) carry another topic behind them.
    """
    plain = _CARRIER.sub("", topic)
    return plain.partition("/")[0] in {ROOT.partition("/")[0], "+", "#"}


def district_of(topic: str) -> str | None:
    """The one district in which a topic, or all that a filter could match, lies; None where there is none, or more than one."""
    found = _DISTRICT.fullmatch(topic)
    return None if found is None else found["district"]


def hash_password(password: str, *, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """The password's hash as mosquitto writes it."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def password_fits(password: str, password_hash: str) -> bool:
    """Whether it is the password, in constant time for a given hash; False for a hash of another make."""
    try:
        _, kind, iterations, salt, _ = password_hash.split("$")
        expected = hash_password(password, salt=base64.b64decode(salt), iterations=int(iterations))
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(expected.encode(), password_hash.encode())


def user(name: str, password: str, grants: Iterable[Grant]) -> BrokerUser:
    """A user. Raises ValueError for a name that the files can't hold."""
    if not name or len(name) > 100 or _FORBIDDEN & set(name):
        raise ValueError(f"not a user's name: {name[:100]!r}")
    granted = tuple(grants)
    for grant in granted:
        if not grant.topic_filter or "\n" in grant.topic_filter or "\0" in grant.topic_filter:
            raise ValueError(f"not a topic filter: {grant.topic_filter[:100]!r}")
    return BrokerUser(name, hash_password(password), granted)


def password_file(users: Iterable[BrokerUser]) -> str:
    """The password file: one `name:hash` per line."""
    return "".join(f"{each.name}:{each.password_hash}\n" for each in users)


def grant_file(users: Iterable[BrokerUser]) -> str:
    """The access control list in mosquitto's notation. Nothing is allowed that it does not name."""
    lines: list[str] = []
    for each in users:
        lines.append(f"user {each.name}")
        lines += [f"topic {grant.access} {grant.topic_filter}" for grant in each.grants]
        lines.append("")
    return "\n".join(lines) + "\n"


def read_users(passwords: str, grants: str) -> dict[str, BrokerUser]:
    """Both files read back. Raises ValueError for a line that neither side writes."""
    granted: dict[str, list[Grant]] = {}
    current: list[Grant] | None = None
    for line in grants.splitlines():
        word, _, rest = line.partition(" ")
        if word == "user":
            current = granted.setdefault(rest, [])
        elif word == "topic" and current is not None:
            access, _, topic_filter = rest.partition(" ")
            current.append(Grant(Access(access), topic_filter))
        elif line:
            raise ValueError(f"not a line of an access control list: {line[:100]!r}")
    pairs = (line.partition(":") for line in passwords.splitlines())
    return {name: BrokerUser(name, secret, tuple(granted.get(name, ()))) for name, _, secret in pairs}

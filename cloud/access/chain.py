"""The audit log as a chain of hashes: how a row is bound to the one before, and what is found where the chain does not hold. Pure.

Whoever owns the database can change what stands in it. He can't change it unseen: the hash of each row covers the one before,
and the newest hash is signed now and then with a key that lies elsewhere.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from edge.contract import signing

BEGINNING: Final = bytes(32)
"""What stands before the first row."""

MOST_FINDINGS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A row of the audit log, as the database has it."""

    id: int
    at: datetime
    actor_id: int | None
    actor_name: str | None
    action: str
    subject: str
    area_path: str | None
    address: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A place of the chain: the row that stands there (None: it is gone), and the hash that was kept."""

    position: int
    hash: bytes
    row: AuditRow | None


@dataclass(frozen=True, slots=True)
class Seal:
    """The chain up to a position, signed. `key` is the fingerprint of the key."""

    position: int
    hash: bytes
    sealed_at: datetime
    key: str
    sig: str


class Flaw(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    """A row, or the hash of one, is not what it was."""
    GONE = "gone"
    """A row is not there any more."""
    GAP = "gap"
    """Places of the chain are missing."""
    SEAL = "seal"
    """A seal does not fit the chain, or nobody trusted has signed it."""
    CUT = "cut"
    """The end is missing: more was sealed before, or noted outside."""
    UNCHAINED = "unchained"
    """Rows that no link holds and none waits for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and where."""

    flaw: Flaw
    position: int | None
    detail: str


@dataclass(slots=True)
class Verdict:
    """What a look over the whole chain found. `head` is the last position with its hash."""

    links: int = 0
    seals: int = 0
    sealed: int = 0
    waiting: int = 0
    head: tuple[int, bytes] = (0, BEGINNING)
    findings: list[Finding] = field(default_factory=list)
    flaws: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.flaws == 0

    def find(self, flaw: Flaw, position: int | None, detail: str) -> None:
        """Note what is wrong; of very much the first is enough."""
        self.flaws += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(flaw, position, detail))


def link_hash(previous: bytes, row: AuditRow) -> bytes:
    """The hash of a row behind another."""
    fields = {name: getattr(row, name) for name in AuditRow.__dataclass_fields__}
    return hashlib.sha256(signing.statement("audit row", {**fields, "previous": previous})).digest()


def seal_statement(position: int, hash_: bytes, sealed_at: datetime) -> bytes:
    """What is signed of a chain."""
    return signing.statement("audit seal", {"position": position, "hash": hash_, "sealed_at": sealed_at})


def verify(
    links: Iterable[Link],
    seals: Iterable[Seal],
    *,
    keys: Collection[bytes],
    noted: Iterable[tuple[int, bytes]] = (),
) -> Verdict:
    """Look over a chain from its beginning; links and seals come in their order, and are read once.

    `keys` are the public keys that are trusted to seal, `noted` places of the chain with the hashes that somebody wrote down
    outside of the database.
    """
    verdict = Verdict()
    expected: dict[int, list[tuple[bytes, str]]] = {}
    for position, hash_ in noted:
        expected.setdefault(position, []).append((hash_, "what was noted outside of the database"))
    for seal in seals:
        _look_at_seal(verdict, seal, keys)
        expected.setdefault(seal.position, []).append((seal.hash, "its seal"))
    previous = BEGINNING
    for link in links:
        _look_at_link(verdict, link, previous)
        for hash_, whose in expected.pop(link.position, ()):
            if hash_ != link.hash:
                verdict.find(Flaw.SEAL, link.position, f"its hash is not that of {whose}")
        verdict.links += 1
        verdict.head = (link.position, link.hash)
        previous = link.hash
    for position in sorted(expected):
        if position > 0:
            verdict.find(Flaw.CUT, position, f"the chain ends at {verdict.head[0]}, and there was more")
    return verdict


def _look_at_seal(verdict: Verdict, seal: Seal, keys: Collection[bytes]) -> None:
    verdict.seals += 1
    verdict.sealed = max(verdict.sealed, seal.position)
    if not signing.is_signed(seal_statement(seal.position, seal.hash, seal.sealed_at), seal.sig, keys):
        verdict.find(Flaw.SEAL, seal.position, f"not signed by a key that is trusted, but by {seal.key[:16]}")


def _look_at_link(verdict: Verdict, link: Link, previous: bytes) -> None:
    if link.position != verdict.head[0] + 1:
        verdict.find(Flaw.GAP, link.position, f"the place before it is {verdict.head[0]}")
    if link.row is None:
        verdict.find(Flaw.GONE, link.position, "its row is gone")
    elif link_hash(previous, link.row) != link.hash:
        verdict.find(Flaw.CHANGED, link.position, f"row {link.row.id} is not what was chained")

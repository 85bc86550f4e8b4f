"""The chain of a case (证据链): what a link says, and whether links that somebody shows are one whole chain. Pure.

A link is a statement in canonical bytes: the case, the place in its chain, the hash of the link before, and one fact (a step of
the history, a revision of an incident by its hash, a deletion). Its hash is SHA-256 over these bytes, and the cloud's key signs them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from edge.contract import signing

BEGINNING: Final = bytes(32)
"""What stands before the first link, of a case and of the ledger."""

_LINK: Final = "case link"
_HEAD: Final = f"gridward/1 {_LINK}\n"
_FIELDS: Final = frozenset({"case", "place", "previous", "kind", "fact"})


class FactKind(StrEnum):
    """What a link tells of."""

    EVENT = "event"
    """A step in the history: who did what."""
    REVISION = "revision"
    """A revision of an incident, by the hash of its bytes."""
    LEFT = "left"
    """An incident is no part of the case any more: the case that brought it was taken out again."""
    DELETED = "deleted"
    """A file was deleted, when and why. Of a copy that was dropped too, in chains of before there was a word for that: `fetched` is why."""
    COPY_DROPPED = "copy_dropped"
    """The copy of a sealed original that was fetched for people to see was dropped; the original stays at its node."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is kept and shown: its bytes, the fingerprint of the key that signed them, the signature."""

    statement: bytes
    key: str
    sig: str

    @property
    def hash(self) -> bytes:
        """What the next link names."""
        return hashlib.sha256(self.statement).digest()


@dataclass(frozen=True, slots=True)
class Said:
    """What a link says."""

    case: str
    place: int
    previous: bytes
    kind: FactKind
    fact: Mapping[str, Any]


class BrokenChain(ValueError):
    """Links that are no whole chain."""


def link_statement(case: str, place: int, previous: bytes, kind: FactKind, fact: Mapping[str, object]) -> bytes:
    """The bytes of a link. What a fact does not have (None) is left out, so that later kinds of knowledge change no old bytes."""
    return signing.statement(
        _LINK,
        {
            "case": case,
            "place": place,
            "previous": previous.hex(),
            "kind": kind.value,
            "fact": {name: value for name, value in fact.items() if value is not None},
        },
    )


def read_link(statement: bytes) -> Said:
    """What the bytes of a link say. Raises BrokenChain where they are none."""
    said = _said(statement)
    if said is None:
        raise BrokenChain("these bytes are no link")
    return said


def _said(statement: bytes) -> Said | None:
    try:
        head, _, content = statement.decode().partition("\n")
        told = json.loads(content)
        if f"{head}\n" != _HEAD or type(told) is not dict or told.keys() != _FIELDS or type(told["fact"]) is not dict:
            return None
        case, place, previous = told["case"], told["place"], bytes.fromhex(told["previous"])
        if type(case) is not str or type(place) is not int or len(previous) != len(BEGINNING):
            return None
        return Said(case, place, previous, FactKind(told["kind"]), told["fact"])
    except (ValueError, TypeError, RecursionError):
        return None


def read_chain(case: str, links: Iterable[Link], keys: Mapping[str, bytes]) -> list[Said]:
    """What a whole chain says, from its first link on. `keys`: those that are believed, by fingerprint.

    Raises BrokenChain at the first link that does not follow the one before it, is of another case, or is not signed by one of
    the keys. Whether the end is missing has to be seen by what was told of the end.
    """
    told: list[Said] = []
    previous = BEGINNING
    for place, link in enumerate(links, start=1):
        said = read_link(link.statement)
        if said.case != case:
            raise BrokenChain(f"link {place} is of the case {said.case!r}")
        if (said.place, said.previous) != (place, previous):
            raise BrokenChain(f"link {place} does not follow the one before it")
        if link.key not in keys or not signing.is_signed(link.statement, link.sig, [keys[link.key]]):
            raise BrokenChain(f"link {place} is not signed by a key that is believed")
        told.append(said)
        previous = link.hash
    return told


def next_ledger(ledger: bytes, link_hash: bytes) -> bytes:
    """The ledger over all cases after one more link."""
    return hashlib.sha256(ledger + link_hash).digest()


def checkpoint_statement(position: int, ledger: bytes, made_at: datetime) -> bytes:
    """What is signed of the ledger."""
    return signing.statement("case ledger", {"position": position, "ledger": ledger.hex(), "made_at": made_at})


def succession_statement(successor: bytes) -> bytes:
    """What the key before says of the one that follows it."""
    return signing.statement("proof key", {"successor": signing.key_text(successor)})


def believed_keys(
    trusted: Iterable[str], keys: Mapping[str, bytes], successions: Iterable[tuple[str, str, str]]
) -> dict[str, bytes]:
    """Those of `keys` (by fingerprint) that are trusted by their fingerprint, or were signed by one that is believed.

    `successions` are (fingerprint of the one before, of the one that follows, signature).
    """
    believed = {name: keys[name] for name in trusted if name in keys and signing.fingerprint(keys[name]) == name}
    waiting = list(successions)
    while True:
        found = {
            after: keys[after]
            for before, after, sig in waiting
            if before in believed
            and after in keys
            and after not in believed
            and signing.fingerprint(keys[after]) == after
            and signing.is_signed(succession_statement(keys[after]), sig, [believed[before]])
        }
        if not found:
            return believed
        believed |= found

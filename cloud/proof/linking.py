"""Linking facts of cases into their chains, telling of the end outside of the database, and looking whether all of it holds.

Facts wait in a table that is written with them; one at a time takes them from there. Were links made with the facts, each case and
the ledger would be locked until the slowest transaction ends, ingest's as well as people's.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cloud.db.pool import Pool
from cloud.errors import Invalid
from cloud.proof import store
from cloud.proof.chain import (
    BEGINNING,
    BrokenChain,
    FactKind,
    Link,
    Said,
    checkpoint_statement,
    link_statement,
    next_ledger,
    read_link,
)
from cloud.proof.store import Checkpoint, KeptLink
from cloud.signing import Signer
from edge.contract import signing

AT_ONCE: Final = 1_000
MOST_FINDINGS: Final = 100
HEAD_FILE: Final = "case-ledger-head.json"


def link_all(
    pool: Pool, signer: Signer, head_file: Path, *, now: datetime, most_batches: int | None = None, count: int = AT_ONCE
) -> int:
    """Link every fact that waits, sign the end of the ledger, and note it outside of the database; how many facts.

    In batches of `count` with a transaction each, at most so many of them; may be run at any time, by several at once (they take turns),
    and again.
    """
    linked = batches = 0
    while most_batches is None or batches < most_batches:
        with pool.connection() as conn:
            added = link(conn, signer, now=now, count=count)
        linked += added
        batches += 1
        if added < count:
            break
    with pool.connection() as conn:
        made = make_checkpoint(conn, signer, now=now)
    if made is not None:
        note_head(head_file, made)
    return linked


def link(
    conn: Connection[Any], signer: Signer, *, now: datetime, count: int = AT_ONCE, case_id: int | None = None
) -> int:
    """Link at most `count` facts that wait, of one case alone where it is named; how many. Nobody else links until the transaction ends."""
    store.lock_chain(conn)
    facts = store.facts_to_link(conn, count=count, case_id=case_id)
    if not facts:
        return 0
    store.note_key(conn, signer.public_key, now=now)
    position, ledger = store.ledger_head(conn)
    heads = store.heads_of(conn, {fact.case_id for fact in facts})
    links = []
    for fact in facts:
        place, previous = heads.get(fact.case_id, (0, BEGINNING))
        statement = link_statement(fact.case, place + 1, previous, fact.kind, fact.fact)
        made = Link(statement, signer.fingerprint, signer.sign(statement))
        position, ledger = position + 1, next_ledger(ledger, made.hash)
        heads[fact.case_id] = place + 1, made.hash
        links.append(KeptLink(position, fact.case_id, place + 1, fact.kind, fact.event_id, made, ledger))
    store.add_links(conn, links)
    store.wait_no_more(conn, [fact.id for fact in facts])
    return len(facts)


def link_case(conn: Connection[Any], signer: Signer, case_id: int, *, now: datetime) -> None:
    """Link whatever waits of one case."""
    while link(conn, signer, now=now, case_id=case_id) == AT_ONCE:
        pass


def make_checkpoint(conn: Connection[Any], signer: Signer, *, now: datetime) -> Checkpoint | None:
    """Sign the end of the ledger; None where that was done already."""
    store.lock_chain(conn)
    position, ledger = store.ledger_head(conn)
    known = store.last_checkpoint(conn)
    if position == 0 or (known is not None and known.position >= position):
        return None
    sig = signer.sign(checkpoint_statement(position, ledger, now))
    made = Checkpoint(position, ledger, now, signer.fingerprint, sig)
    store.add_checkpoint(conn, made)
    return made


def note_head(file: Path, made: Checkpoint) -> None:
    """Write down outside of the database how far the ledger went: what is cut off there later shows here."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = json.dumps({"position": made.position, "ledger": made.ledger.hex(), "made_at": made.made_at.isoformat()})
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with unfinished.open("w", encoding="ascii") as opened:
        opened.write(content + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.replace(file)


def noted_head(file: Path) -> list[tuple[int, bytes]]:
    """What `note_head` wrote; nothing where there is no such file. Raises Invalid for one that can't be read."""
    try:
        told = json.loads(file.read_text(encoding="ascii"))
        return [(int(told["position"]), bytes.fromhex(told["ledger"]))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{file} can't be read as the head of a ledger: {type(error).__name__}") from error


@dataclass(slots=True)
class LedgerVerdict:
    """What a look over all chains found. `head` is the last position with its ledger."""

    links: int = 0
    checkpoints: int = 0
    waiting: int = 0
    head: tuple[int, bytes] = (0, BEGINNING)
    flaws: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.flaws == 0

    def find(self, finding: str) -> None:
        """Note what is wrong; of very much the first is enough."""
        self.flaws += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


def check(
    conn: Connection[Any], keys: Mapping[str, bytes], *, noted: Iterable[tuple[int, bytes]] = ()
) -> LedgerVerdict:
    """Look over all chains, in the caller's transaction, which has to see one moment of the database.

    `keys` are believed, by fingerprint; `noted` are positions with the ledger that somebody wrote down outside of the database.
    """
    verdict = LedgerVerdict()
    expected: dict[int, list[bytes]] = {}
    for position, ledger in noted:
        expected.setdefault(position, []).append(ledger)
    for each in store.checkpoints(conn):
        verdict.checkpoints += 1
        statement = checkpoint_statement(each.position, each.ledger, each.made_at)
        if not signing.is_signed(statement, each.sig, [keys[each.key]] if each.key in keys else []):
            verdict.find(f"checkpoint {each.position} is not signed by a key that is believed")
        expected.setdefault(each.position, []).append(each.ledger)
    _check_links(conn, keys, expected, verdict)
    for position in sorted(expected):
        verdict.find(f"the ledger ends at {verdict.head[0]}, and there was a position {position}")
    verdict.waiting = store.waiting(conn)
    if unlinked := store.unlinked(conn):
        verdict.find(f"{unlinked} steps of histories are neither linked nor wait for it")
    return verdict


def _check_links(
    conn: Connection[Any], keys: Mapping[str, bytes], expected: dict[int, list[bytes]], verdict: LedgerVerdict
) -> None:
    """Each link follows the one before it of its case, and the ledger. Of each case the last hash is held in memory."""
    heads: dict[str, tuple[int, bytes]] = {}
    revisions: list[store.StoredLink] = []
    for each in store.all_links(conn):
        position, ledger = verdict.head
        if each.position != position + 1 or each.ledger != next_ledger(ledger, each.link.hash):
            verdict.find(f"position {each.position} does not follow position {position}")
        if flaw := _flaw(each, heads.get(each.case, (0, BEGINNING)), keys):
            verdict.find(f"position {each.position}, case {each.case}: {flaw}")
        if any(ledger != each.ledger for ledger in expected.pop(each.position, ())):
            verdict.find(f"position {each.position} is not what its checkpoint, or a note outside, says")
        heads[each.case] = each.place, each.link.hash
        verdict.links += 1
        verdict.head = each.position, each.ledger
        if each.kind == FactKind.REVISION:
            revisions.append(each)
        if len(revisions) == AT_ONCE:
            _check_revisions(conn, revisions, verdict)
            revisions.clear()
    _check_revisions(conn, revisions, verdict)


def _check_revisions(conn: Connection[Any], links: Iterable[store.StoredLink], verdict: LedgerVerdict) -> None:
    """The bytes of each revision are still those that were linked. A link whose bytes were changed names what is not there."""
    told: list[tuple[store.StoredLink, Said, store.RevisionKey]] = []
    for each in links:
        try:
            said = read_link(each.link.statement)
            told.append((each, said, (said.fact["node"], UUID(said.fact["incident"]), said.fact["revision"])))
        except (BrokenChain, KeyError, ValueError, TypeError, AttributeError):
            verdict.find(f"position {each.position}, case {each.case}: no revision can be read from it")
    found = store.revision_facts(conn, [key for _, _, key in told])
    for each, said, key in told:
        fact = found.get(key)
        if fact is None or link_statement(said.case, said.place, said.previous, said.kind, fact) != each.link.statement:
            verdict.find(
                f"position {each.position}, case {each.case}: revision {key[2]} of incident {key[1]} is not what was linked"
            )


def _flaw(each: store.StoredLink, head: tuple[int, bytes], keys: Mapping[str, bytes]) -> str | None:
    try:
        said = read_link(each.link.statement)
    except BrokenChain as error:
        return str(error)
    place, previous = head
    if (said.case, said.place, said.previous, said.kind) != (each.case, place + 1, previous, each.kind):
        return f"link {each.place} does not follow the one before it"
    key = keys.get(each.link.key)
    if key is None or not signing.is_signed(each.link.statement, each.link.sig, [key]):
        return f"link {each.place} is not signed by a key that is believed"
    if said.kind is not FactKind.EVENT:
        return None
    if (
        each.fact is None
        or link_statement(said.case, said.place, said.previous, said.kind, each.fact) != each.link.statement
    ):
        return f"the step {each.event_id} of the history is not what was linked"
    return None

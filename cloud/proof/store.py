"""Links, checkpoints and keys in the database. Takes a connection, never commits."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import namedtuple_row

from cloud.db.queries import load
from cloud.proof.chain import BEGINNING, FactKind, Link
from cloud.proof.manifest import ProvenCase

_queries = load("cloud.proof")
_READ_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A fact that no link holds yet."""

    id: int
    case_id: int
    case: str
    kind: FactKind
    event_id: int | None
    fact: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class KeptLink:
    """A link in its place, for the case and in the ledger."""

    position: int
    case_id: int
    place: int
    kind: FactKind
    event_id: int | None
    link: Link
    ledger: bytes


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link as the database has it, beside the row that it tells of: `fact` None where that is not asked for, or is gone."""

    position: int
    case: str
    place: int
    kind: str
    link: Link
    ledger: bytes
    event_id: int | None
    fact: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The ledger up to a position, signed; `key` is the fingerprint."""

    position: int
    ledger: bytes
    made_at: datetime
    key: str
    sig: str


@dataclass(frozen=True, slots=True)
class ProofKey:
    """A public key that signs chains and exports, and what the one before it said of it."""

    public_key: bytes
    first_used_at: datetime
    endorsed_by: bytes | None
    endorsement: str | None


def lock_chain(conn: Connection[Any]) -> None:
    """Nobody else links until the transaction ends."""
    _queries.lock_chain(conn)


def facts_to_link(conn: Connection[Any], *, count: int, case_id: int | None = None) -> list[WaitingFact]:
    """Facts that wait, in the order in which they were written."""
    return [
        WaitingFact(row.id, row.case_id, row.number, FactKind(row.kind), row.event_id, _fact(FactKind(row.kind), row))
        for row in _queries.facts_to_link(conn, count=count, case_id=case_id)
    ]


def _fact(kind: FactKind, row: Any) -> dict[str, object]:
    match kind:
        case FactKind.EVENT:
            return _event(row)
        case FactKind.REVISION:
            return {
                "node": row.node,
                "incident": row.incident_id,
                "revision": row.revision,
                "sha256": row.revision_sha256,
                "received_at": row.received_at,
                "historical": row.historical,
            }
        case FactKind.LEFT:
            return {"node": row.node, "incident": row.incident_id}
        case FactKind.DELETED | FactKind.COPY_DROPPED:
            return {"node": row.node, "sha256": row.sha256, "reason": row.deletion_reason, "at": row.deleted_at}


def _event(row: Any) -> dict[str, object]:
    return {
        "id": row.event_id,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "from": row.from_status,
        "to": row.to_status,
        "reason": row.reason,
        "note": row.note,
        "severity": row.severity,
        "person": row.person,
        "department": row.department,
        "other_case": row.other_case,
        "until": row.until,
        "rating": row.rating,
        "node": row.node,
        "incident": row.incident_id,
    }


def ledger_head(conn: Connection[Any]) -> tuple[int, bytes]:
    """The last position, and the ledger there."""
    row = _queries.ledger_head(conn)
    return (0, BEGINNING) if row is None else (row.position, bytes(row.ledger))


def heads_of(conn: Connection[Any], case_ids: Collection[int]) -> dict[int, tuple[int, bytes]]:
    """The last place of the chain of each case, and its hash; cases without a link are left out."""
    rows = _queries.heads_of(conn, case_ids=sorted(case_ids))
    return {row.case_id: (row.place, bytes(row.hash)) for row in rows}


def add_links(conn: Connection[Any], links: Sequence[KeptLink]) -> None:
    """Keep links, in the order of their positions."""
    _queries.insert_links(
        conn,
        positions=[each.position for each in links],
        case_ids=[each.case_id for each in links],
        places=[each.place for each in links],
        kinds=[each.kind.value for each in links],
        event_ids=[each.event_id for each in links],
        statements=[each.link.statement for each in links],
        ledgers=[each.ledger for each in links],
        keys=[each.link.key for each in links],
        sigs=[each.link.sig for each in links],
    )


def wait_no_more(conn: Connection[Any], ids: Sequence[int]) -> None:
    """These facts have their links."""
    _queries.wait_no_more(conn, ids=list(ids))


def links_of(conn: Connection[Any], case_id: int) -> Iterator[Link]:
    """The chain of a case from its beginning; read piece by piece."""
    after = 0
    while True:
        rows = list(_queries.links_of(conn, case_id=case_id, after=after, count=_READ_AT_ONCE))
        for row in rows:
            yield Link(bytes(row.statement), row.key, row.sig)
        if len(rows) < _READ_AT_ONCE:
            return
        after = rows[-1].place


def all_links(conn: Connection[Any]) -> Iterator[StoredLink]:
    """Every link in the order of the ledger, beside the step of the history that it tells of as it stands now."""
    with conn.cursor(name="all_links", row_factory=namedtuple_row) as cursor:
        cursor.itersize = _READ_AT_ONCE
        cursor.execute(_queries.all_links.sql)
        row: Any
        for row in cursor:
            link = Link(bytes(row.statement), row.key, row.sig)
            fact = _event(row) if row.kind == FactKind.EVENT and row.at is not None else None
            yield StoredLink(row.position, row.number, row.place, row.kind, link, bytes(row.ledger), row.event_id, fact)


def waiting(conn: Connection[Any]) -> int:
    """How many facts wait for their link."""
    count: int = _queries.waiting(conn)
    return count


def unlinked(conn: Connection[Any]) -> int:
    """How many steps of histories are neither linked nor wait for it."""
    count: int = _queries.unlinked(conn)
    return count


def last_checkpoint(conn: Connection[Any]) -> Checkpoint | None:
    """The newest checkpoint."""
    row = _queries.last_checkpoint(conn)
    return None if row is None else Checkpoint(row.position, bytes(row.ledger), row.made_at, row.key, row.sig)


def checkpoints(conn: Connection[Any]) -> list[Checkpoint]:
    """All checkpoints, the oldest first."""
    return [
        Checkpoint(row.position, bytes(row.ledger), row.made_at, row.key, row.sig) for row in _queries.checkpoints(conn)
    ]


def add_checkpoint(conn: Connection[Any], made: Checkpoint) -> None:
    """Keep a checkpoint."""
    _queries.insert_checkpoint(
        conn, position=made.position, ledger=made.ledger, made_at=made.made_at, key=made.key, sig=made.sig
    )


def note_key(conn: Connection[Any], public_key: bytes, *, now: datetime) -> None:
    """Remember that a key signs."""
    _queries.note_key(conn, public_key=public_key, first_used_at=now)


def endorse_key(
    conn: Connection[Any], public_key: bytes, *, endorsed_by: bytes, endorsement: str, now: datetime
) -> None:
    """Remember that a key follows another, which has signed it."""
    _queries.endorse_key(
        conn, public_key=public_key, endorsed_by=endorsed_by, endorsement=endorsement, first_used_at=now
    )


def proof_keys(conn: Connection[Any]) -> list[ProofKey]:
    """All keys that ever signed here."""
    return [
        ProofKey(
            bytes(row.public_key),
            row.first_used_at,
            None if row.endorsed_by is None else bytes(row.endorsed_by),
            row.endorsement,
        )
        for row in _queries.proof_keys(conn)
    ]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What became of a file that a node named."""

    is_stored: bool
    deleted_at: datetime | None
    deletion_reason: str | None


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A key of a node, since when it was bound to it, and by whose claim code."""

    node: str
    public_key: bytes
    bound_at: datetime
    signs_from: datetime | None
    replaced_at: datetime | None
    bound_by: str | None


RevisionKey = tuple[str, UUID, int]
"""Node, incident and revision."""


def case_to_prove(
    conn: Connection[Any], *, number: str | None = None, case_id: int | None = None, scope: str = ""
) -> ProvenCase | None:
    """A case by its number or id, in scope."""
    row = _queries.case_to_prove(conn, number=number, case_id=case_id, scope=scope)
    return None if row is None else ProvenCase(**row._asdict())


def revisions(conn: Connection[Any], wanted: Sequence[RevisionKey]) -> dict[RevisionKey, bytes]:
    """The bytes of these revisions, as they came."""
    found: dict[RevisionKey, bytes] = {}
    for begin in range(0, len(wanted), _READ_AT_ONCE):
        batch = wanted[begin : begin + _READ_AT_ONCE]
        rows = _queries.revisions(
            conn,
            nodes=[node for node, _, _ in batch],
            incidents=[incident for _, incident, _ in batch],
            revisions=[revision for _, _, revision in batch],
        )
        found |= {(row.node, row.incident_id, row.revision): bytes(row.raw) for row in rows}
    return found


def revision_facts(conn: Connection[Any], wanted: Sequence[RevisionKey]) -> dict[RevisionKey, dict[str, object]]:
    """What a link would say of these revisions as their bytes are now; nothing of those that are gone."""
    rows = _queries.revision_facts(
        conn,
        nodes=[node for node, _, _ in wanted],
        incidents=[incident for _, incident, _ in wanted],
        revisions=[revision for _, _, revision in wanted],
    )
    return {(row.node, row.incident_id, row.revision): _fact(FactKind.REVISION, row) for row in rows}


def kept_files(conn: Connection[Any], wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KeptFile]:
    """What became of files by node and hash."""
    rows = _queries.kept_files(conn, nodes=[node for node, _ in wanted], names=[name for _, name in wanted])
    return {(row.node, row.sha256): KeptFile(row.is_stored, row.pruned_at, row.pruned_reason) for row in rows}


def node_keys(conn: Connection[Any], nodes: Collection[str] | None = None) -> list[NodeKey]:
    """Keys of these nodes, of all where none are named."""
    return [
        NodeKey(row.node, bytes(row.public_key), row.bound_at, row.signs_from, row.replaced_at, row.bound_by)
        for row in _queries.node_keys(conn, nodes=None if nodes is None else sorted(nodes))
    ]

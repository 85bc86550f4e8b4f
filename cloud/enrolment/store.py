"""Statements of enrolment with their types. All take a connection; none commits."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from cloud.enrolment.model import BoundNode, Claim, CommandKey, Credential, HeldGroup

_queries = load("cloud.enrolment")


def add_claim(conn: Connection[Any], claim: Claim, *, made_by: int | None) -> int | None:
    """Keep a claim; None where the selector is taken, or another claim for the same node is open."""
    added: int | None = _queries.add_claim(
        conn,
        node=claim.node,
        district=claim.district,
        area_code=claim.area_code,
        trusts_births=claim.trusts_births,
        selector=claim.selector,
        code_hash=claim.code_hash,
        made_by=made_by,
        made_by_name=claim.made_by,
        made_at=claim.made_at,
        expires_at=claim.expires_at,
    )
    return added


def lock_open_claim(conn: Connection[Any], node: str) -> None:
    """Lock the open claim for a node, where there is one."""
    _queries.lock_open_claim(conn, node=node)


def withdraw_open_claims(conn: Connection[Any], node: str, *, scope: str, now: datetime) -> bool:
    """Withdraw what is open for a node in this scope, or over, or of an area that is no more; whether nothing is open any longer."""
    _queries.withdraw_open_claims(conn, node=node, scope=scope, now=now)
    return _queries.lock_open_claim(conn, node=node) is None


def lock_claim(conn: Connection[Any], selector: str) -> Claim | None:
    """The claim of a selector, its row locked."""
    row = _queries.lock_claim(conn, selector=selector)
    return None if row is None else _claim(row)


def count_claim_failure(conn: Connection[Any], selector: str) -> None:
    """One more wrong code with this beginning."""
    _queries.count_claim_failure(conn, selector=selector)


def use_claim(conn: Connection[Any], claim_id: int, key: bytes, now: datetime) -> None:
    """Note which key was bound by it."""
    _queries.use_claim(conn, id=claim_id, key=key, now=now)


def claims(conn: Connection[Any], *, scope: str, after: int | None, count: int) -> list[Claim]:
    """Claims of an area, the newest first."""
    return [_claim(row) for row in _queries.claims(conn, scope=scope, after=after, count=count)]


def revoke_claim(conn: Connection[Any], claim_id: int, *, scope: str, now: datetime) -> tuple[str, str] | None:
    """Withdraw an open claim: its node and the path of its area; None where there is none."""
    row = _queries.revoke_claim(conn, id=claim_id, scope=scope, now=now)
    return None if row is None else (row.node, row.area_path)


def secret(conn: Connection[Any], offered: bytes) -> bytes:
    """The secret that marks challenges; `offered` becomes it where there is none yet."""
    known = _queries.secret(conn)
    if known is None:
        _queries.make_secret(conn, secret=offered)
        known = _queries.secret(conn)
    return bytes(known)


def spend(conn: Connection[Any], nonce: bytes, now: datetime) -> bool:
    """Note that a challenge was answered; False where it was before."""
    return _queries.spend(conn, nonce=nonce, now=now) is not None


def lock_bound(conn: Connection[Any], name: str) -> BoundNode | None:
    """An accepted node with its key, its row locked."""
    row = _queries.lock_bound(conn, name=name)
    return None if row is None else _bound(row)


def identity(conn: Connection[Any], name: str, *, scope: str) -> Any:
    """An accepted node in scope with what the page shows of its key, as a row; None where there is none."""
    return _queries.bound_in_scope(conn, name=name, scope=scope)


def node_of_key(conn: Connection[Any], public_key: bytes) -> str | None:
    """The node to which a key is bound."""
    name: str | None = _queries.node_of_key(conn, public_key=public_key)
    return name


def bind_key(conn: Connection[Any], node_id: int, public_key: bytes, now: datetime) -> None:
    """Bind a key; the one before is kept as replaced."""
    _queries.replace_key(conn, node_id=node_id, now=now)
    _queries.add_key(conn, node_id=node_id, public_key=public_key, now=now)
    _queries.renew_registry(conn, node_id=node_id)


def begin_signing(conn: Connection[Any], node_id: int, now: datetime) -> None:
    """From now on incidents of this node carry the signature of its key."""
    _queries.begin_signing(conn, node_id=node_id, now=now)


def signing_keys(conn: Connection[Any], node_ids: Iterable[int]) -> dict[int, bytes]:
    """The key that each of these nodes has to sign with; nodes without one are left out."""
    rows = _queries.signing_keys(conn, node_ids=list(node_ids))
    return {row.node_id: bytes(row.public_key) for row in rows}


def ignored_devices(conn: Connection[Any], node_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """Devices that nodes declare and a person does not want, by node."""
    found: dict[int, set[str]] = {}
    for row in _queries.ignored_devices(conn, node_ids=list(node_ids)):
        found.setdefault(row.node_id, set()).add(row.name)
    return {node_id: frozenset(names) for node_id, names in found.items()}


def held_of(conn: Connection[Any], node: str) -> list[HeldGroup]:
    """What waits of a node in quarantine; what was released is on its way in."""
    return [HeldGroup(*row) for row in _queries.held_of(conn, node=node)]


def unproven(conn: Connection[Any], node: str, *, count: int) -> list[Any]:
    """The newest incidents of a node that wait because its key has not signed them, as rows."""
    return list(_queries.unproven(conn, node=node, count=count))


def vouch(conn: Connection[Any], node: str, *, by: str, upto: int | None = None) -> int:
    """Hand incidents of a node to ingest whose signature does not fit, none newer than `upto`; how many."""
    return int(_queries.vouch(conn, node=node, by=by, upto=upto))


def set_trust(conn: Connection[Any], node_id: int, *, trusts_births: bool) -> None:
    """Whether devices that the node declares are accepted unseen."""
    _queries.set_trust(conn, node_id=node_id, trusts_births=trusts_births)


def credentials(conn: Connection[Any], node_id: int) -> list[Credential]:
    """All credentials of a node that are kept, by generation."""
    return [Credential(*row) for row in _queries.credentials(conn, node_id=node_id)]


def add_credential(
    conn: Connection[Any],
    node_id: int,
    generation: int,
    *,
    mqtt_password_hash: str,
    token_hash: bytes,
    issued_at: datetime,
    expires_at: datetime,
) -> None:
    """Keep the hashes of new credentials."""
    _queries.add_credential(
        conn,
        node_id=node_id,
        generation=generation,
        mqtt_password_hash=mqtt_password_hash,
        token_hash=token_hash,
        issued_at=issued_at,
        expires_at=expires_at,
    )


def end_credentials(conn: Connection[Any], node_id: int, generations: Iterable[int], at: datetime) -> None:
    """Give these generations an end, where theirs is later."""
    _queries.end_credentials(conn, node_id=node_id, generations=list(generations), at=at)


def end_all(conn: Connection[Any], node_id: int, at: datetime) -> None:
    """End everything that the node logs in with."""
    _queries.end_all_credentials(conn, node_id=node_id, at=at)
    _queries.end_secrets(conn, node_id=node_id, at=at)


def end_secrets(conn: Connection[Any], node_id: int, at: datetime) -> None:
    """End the secrets of `node add`."""
    _queries.end_secrets(conn, node_id=node_id, at=at)


def mark_used(conn: Connection[Any], node_id: int, generation: int, now: datetime) -> None:
    """Note the first use of a generation."""
    _queries.mark_used(conn, node_id=node_id, generation=generation, now=now)


def want_renewal(conn: Connection[Any], node_id: int, at: datetime | None) -> None:
    """Note that new credentials are wanted, or (None) that they were given."""
    _queries.want_renewal(conn, node_id=node_id, at=at)


def highest_generation(conn: Connection[Any], node_id: int) -> int:
    """The newest generation of a node, 0 for none."""
    highest: int = _queries.highest_generation(conn, node_id=node_id)
    return highest


def use_command_key(conn: Connection[Any], public_key: bytes, now: datetime) -> bool:
    """Note that commands are signed with this key, which nodes are given; False for one that was retired: it stays so."""
    return _queries.use_command_key(conn, public_key=public_key, now=now) is not None


def command_keys(conn: Connection[Any]) -> list[bytes]:
    """The keys that sign commands and that nodes are told, the newest first."""
    return [bytes(row.public_key) for row in _queries.command_keys(conn)]


def is_retired(conn: Connection[Any], public_key: bytes) -> bool:
    """Whether nodes are to believe this key no more."""
    return bool(_queries.is_retired(conn, public_key=public_key))


def list_command_keys(conn: Connection[Any]) -> list[CommandKey]:
    """All keys that ever signed commands, the newest first."""
    return [_command_key(row) for row in _queries.list_command_keys(conn)]


def lock_command_keys(conn: Connection[Any]) -> list[CommandKey]:
    """The same, their rows locked."""
    return [_command_key(row) for row in _queries.lock_command_keys(conn)]


def retire_command_key(conn: Connection[Any], public_key: bytes, now: datetime) -> None:
    """Have nodes believe this key no longer."""
    _queries.retire_command_key(conn, public_key=public_key, now=now)


def prune(conn: Connection[Any], *, claims_before: datetime, ends_before: datetime, spent_before: datetime) -> int:
    """Forget claims, credentials and challenges that are over for long; how many."""
    return int(
        _queries.prune_claims(conn, before=claims_before)
        + _queries.prune_credentials(conn, before=ends_before)
        + _queries.prune_challenges(conn, before=spent_before)
    )


def _command_key(row: Any) -> CommandKey:
    return CommandKey(bytes(row.public_key), row.first_used_at, row.retired_at)


def _claim(row: Any) -> Claim:
    fields = row._asdict()
    used = None if row.used_key is None else bytes(row.used_key)
    return Claim(**{**fields, "code_hash": bytes(row.code_hash), "used_key": used})


def _bound(row: Any) -> BoundNode:
    key = None if row.public_key is None else bytes(row.public_key)
    return BoundNode(row.id, row.name, row.district, row.area_code, key, row.renewal_wanted_at)

"""Use cases of enrolment.

What a person does takes the connection of one transaction. What a machine asks takes the pool: a wrong code is counted, durably,
before it is looked at, so that neither a crash nor many at once get around the bound.
"""

import secrets as randomness
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from psycopg import Connection

from cloud.access import accounts, areas, audit
from cloud.access.model import Principal
from cloud.access.policy import Allowance, network_of
from cloud.db.pool import Pool
from cloud.enrolment import policy, store
from cloud.enrolment.model import BoundNode, Claim, IssuedCredential, MadeClaim, Proof
from cloud.errors import Conflict, Forbidden, Invalid, NotFound, Unproven
from cloud.fleet import secrets
from cloud.fleet import service as fleet
from edge.contract import signing
from edge.contract.enrolment import Standing, enrolment_statement, renewal_statement

PER_NETWORK: Final = Allowance(free=30)
"""Requests of one address that come to nothing; a station's nodes may share an address, and each comes once."""

CLAIMS_KEPT: Final = timedelta(days=365)
ENDED_KEPT: Final = timedelta(days=30)

_log = structlog.get_logger(__name__)


def make_claim(
    conn: Connection[Any],
    node: str,
    *,
    area_code: str,
    now: datetime,
    actor: Principal | None = None,
    lasts: timedelta = policy.CLAIM_LASTS,
    trusts_births: bool = False,
    address: str | None = None,
) -> MadeClaim:
    """A claim code for a node; what was open for it is withdrawn. The code is shown once.

    Without `actor` it was the command line. A node that exists keeps its place, its history and its district: the code gives it
    another key. Raises Invalid for a name, an area or a time that can't be, NotFound for an area outside of the actor's scope, Conflict
    for a name that a node has, or an open claim is for, outside of it.
    """
    if not timedelta(minutes=1) <= lasts <= policy.CLAIM_LASTS_MOST:
        raise Invalid("a claim code lasts from a minute to 30 days")
    area = areas.find(conn, area_code) if actor is None else areas.find_in_scope(conn, actor, area_code)
    if area is None:
        raise Invalid(f"there is no area {area_code}")
    store.lock_open_claim(conn, node)  # before the node, as whoever uses it does
    known = store.lock_bound(conn, node)
    if known is not None and actor is not None and store.identity(conn, node, scope=actor.area_path) is None:
        raise Conflict(f"the name {node} is taken")
    district = area.ancestry[0] if known is None else known.district
    fleet.check_name(node, district)
    scope = actor.area_path if actor is not None and known is None else ""
    for _ in range(20):
        if not store.withdraw_open_claims(conn, node, scope=scope, now=now):
            raise Conflict(f"somebody else has an open claim for the name {node}")
        code, selector = policy.new_code()
        parts = policy.parts_of(code)
        if parts is None:
            raise AssertionError("a code that was just made can be read")
        claim = Claim(
            id=0,
            node=node,
            district=district,
            area_code=area_code if known is None else known.area_code,
            trusts_births=trusts_births,
            selector=selector,
            code_hash=policy.hash_secret(parts[1]),
            made_by=actor.name if actor is not None else "command line",
            made_at=now,
            expires_at=now + lasts,
        )
        claim_id = store.add_claim(conn, claim, made_by=actor.user_id if actor is not None else None)
        if claim_id is not None:
            break
    else:
        raise Conflict("no claim code is free; withdraw old ones")
    audit.write(
        conn,
        "claim.made",
        node,
        actor=actor,
        actor_name=claim.made_by,
        area_path=area.path,
        address=address,
        detail={"claim": claim_id, "expires_at": claim.expires_at.isoformat(), "trusts_births": trusts_births},
    )
    return MadeClaim(replace(claim, id=claim_id), code)


def revoke_claim(
    conn: Connection[Any], claim_id: int, *, actor: Principal, now: datetime, address: str | None = None
) -> None:
    """Withdraw a claim that nobody has used. Raises NotFound."""
    found = store.revoke_claim(conn, claim_id, scope=actor.area_path, now=now)
    if found is None:
        raise NotFound("there is no open claim of this number in your scope")
    node, path = found
    audit.write(conn, "claim.withdrawn", node, actor=actor, area_path=path, address=address, detail={"claim": claim_id})


def challenge(conn: Connection[Any], *, now: datetime) -> str:
    """A challenge for a node to sign; nothing is kept of it."""
    return policy.new_challenge(_secret(conn), now)


def enrol(pool: Pool, claim_code: str, proof: Proof, *, software: str, now: datetime, address: str) -> IssuedCredential:
    """Bind the key of whoever shows the code, and give it credentials.

    The same key may come again while the code lasts and no other machine has taken the place. Raises LockedOut, Unproven (in words for
    whoever typed the code), Conflict for a key that is bound elsewhere.
    """
    subject = f"enrolment@{network_of(address)}"
    with pool.connection() as conn:
        accounts.count_attempt(conn, {subject: PER_NETWORK}, now)
    signed = enrolment_statement(
        claim=claim_code,
        public_key=signing.key_text(proof.public_key),
        challenge=proof.challenge,
        software=software,
    )
    parts = policy.parts_of(claim_code)
    with pool.connection() as conn:
        _require_proof(conn, proof, signed, now)
        if parts is not None:
            store.count_claim_failure(conn, parts[0])
    with pool.connection() as conn:
        claim = None if parts is None else store.lock_claim(conn, parts[0])
        before = None if claim is None else replace(claim, failures=claim.failures - (claim.used_at is None))
        refusal = policy.refusal_of(before, parts[1] if parts is not None else "", proof.public_key, now)
        node = None if claim is None or refusal is not None else store.lock_bound(conn, claim.node)
        if claim is not None and refusal is None:
            refusal = policy.refusal_at(claim, node, proof.public_key)
        if claim is not None and refusal is None:
            issued = _bind(conn, claim, node, proof.public_key, software=software, now=now, address=address)
            accounts.forget_attempts(conn, subject)
            return issued
        subject_of_line = claim.node if claim is not None else "enrolment"
        audit.write(
            conn,
            "enrolment.refused",
            subject_of_line,
            actor_name="a machine",
            address=address,
            detail={"reason": refusal, "key": signing.fingerprint(proof.public_key)},
        )
    raise Unproven(refusal or "refused")


def _bind(
    conn: Connection[Any],
    claim: Claim,
    node: BoundNode | None,
    public_key: bytes,
    *,
    software: str,
    now: datetime,
    address: str,
) -> IssuedCredential:
    """`node` is the claim's node as it was found, its row locked."""
    owner = store.node_of_key(conn, public_key)
    if owner is not None and owner != claim.node:
        raise Conflict("this key is bound to another node; each node makes a key of its own")
    if node is None:
        fleet.enrol_node(conn, claim.node, district=claim.district, area_code=claim.area_code, now=now)
        node = store.lock_bound(conn, claim.node)
    if node is None:
        raise Conflict(f"the node {claim.node} can't be enrolled now")
    if node.public_key != public_key:
        if node.public_key is not None:
            store.end_all(conn, node.id, now)  # another machine has taken this place
        store.bind_key(conn, node.id, public_key, now)
        store.set_trust(conn, node.id, trusts_births=claim.trusts_births)
    store.use_claim(conn, claim.id, public_key, now)
    issued = _issue(conn, node, now)
    audit.write(
        conn,
        "node.enrolled",
        claim.node,
        actor_name=f"claim of {claim.made_by}",
        area_path=_path(conn, node),
        address=address,
        detail={
            "claim": claim.id,
            "key": signing.fingerprint(public_key),
            "generation": issued.generation,
            "software": software,
        },
    )
    return issued


def renew(pool: Pool, node_name: str, proof: Proof, *, now: datetime, address: str) -> IssuedCredential:
    """New credentials for the holder of a bound key; the old ones work on until these were seen to work.

    Raises LockedOut, Unproven.
    """
    subject = f"enrolment@{network_of(address)}"
    with pool.connection() as conn:
        accounts.count_attempt(conn, {subject: PER_NETWORK}, now)
    signed = renewal_statement(node=node_name, public_key=signing.key_text(proof.public_key), challenge=proof.challenge)
    with pool.connection() as conn:
        _require_proof(conn, proof, signed, now)
        node = store.lock_bound(conn, node_name)
        if node is None or node.public_key is None or not _same(node.public_key, proof.public_key):
            audit.write(
                conn,
                "renewal.refused",
                node_name,
                actor_name="a machine",
                address=address,
                detail={"key": signing.fingerprint(proof.public_key)},
            )
            known = False
        else:
            known = True
            issued = _issue(conn, node, now)
            accounts.forget_attempts(conn, subject)
            audit.write(
                conn,
                "node.renewed",
                node_name,
                actor_name=node_name,
                area_path=_path(conn, node),
                address=address,
                detail={"generation": issued.generation, "expires_at": issued.expires_at.isoformat()},
            )
    if not known:
        raise Unproven("this key is not bound to this node; enrol it with a claim code")
    return issued


def _same(left: bytes, right: bytes) -> bool:
    return randomness.compare_digest(left, right)


def _require_proof(conn: Connection[Any], proof: Proof, signed: bytes, now: datetime) -> None:
    """Raises Unproven unless a challenge of ours, never answered before, was signed with the key that is shown."""
    nonce = policy.nonce_of(_secret(conn), proof.challenge, now)
    if nonce is None:
        raise Unproven("the challenge is none of this cloud's, or it is over; ask for a new one")
    if not signing.is_signed(signed, proof.signature, [proof.public_key]):
        raise Unproven("the signature does not fit the key and what was asked")
    if not store.spend(conn, nonce, now):
        raise Unproven("this challenge was answered before; ask for a new one")


def _issue(conn: Connection[Any], node: BoundNode, now: datetime) -> IssuedCredential:
    """The next generation. Older ones stay until it was used; of too many the oldest end."""
    generation = store.highest_generation(conn, node.id) + 1
    store.end_credentials(conn, node.id, policy.ended_for_room(store.credentials(conn, node.id), now), now)
    issued = IssuedCredential(
        node=node.name,
        district=node.district,
        generation=generation,
        mqtt_user=policy.mqtt_user(node.name, generation),
        mqtt_password=secrets.new_mqtt_password(),
        token=secrets.new_token(),
        issued_at=now,
        expires_at=now + policy.CREDENTIAL_LASTS,
    )
    store.add_credential(
        conn,
        node.id,
        generation,
        mqtt_password_hash=secrets.hash_mqtt_password(issued.mqtt_password),
        token_hash=secrets.hash_token(issued.token),
        issued_at=now,
        expires_at=issued.expires_at,
    )
    if node.renewal_wanted_at is not None:
        store.want_renewal(conn, node.id, None)
    return issued


def standing(conn: Connection[Any], node_name: str, generation: int | None, *, now: datetime) -> Standing:
    """How a node stands that has just shown a token of this generation: from now on that one is known to work."""
    node = store.lock_bound(conn, node_name)
    if node is None:
        raise NotFound("there is no such node")
    expires_at = None
    if generation is not None:
        note_use(conn, node.id, generation, now=now)
        expires_at = {each.generation: each.expires_at for each in store.credentials(conn, node.id)}.get(generation)
    return Standing(
        node=node_name,
        generation=generation,
        expires_at=expires_at,
        renewal_wanted=node.renewal_wanted_at is not None,
        command_keys=tuple(signing.key_text(each) for each in store.command_keys(conn)),
    )


def note_use(conn: Connection[Any], node_id: int, generation: int, *, now: datetime) -> None:
    """A generation was seen to work: older ones, and the secrets of `node add`, end after the overlap. Whoever uses it has the key
    at hand, so that from now on each incident is signed.
    """
    store.mark_used(conn, node_id, generation, now)
    store.begin_signing(conn, node_id, now)
    standing = store.credentials(conn, node_id)
    for older, end in policy.ends_after_use(generation, standing, now).items():
        store.end_credentials(conn, node_id, [older], end)
    store.end_secrets(conn, node_id, now + policy.OVERLAP)


def rotate(
    conn: Connection[Any],
    node_name: str,
    *,
    now: datetime,
    actor: Principal | None = None,
    at_once: bool = False,
    address: str | None = None,
) -> None:
    """Have a node ask for new credentials at its next look. `at_once` ends the present ones now: the node comes back by its key.

    Raises NotFound, and Conflict for a node that has no key and so can't ask.
    """
    found = store.identity(conn, node_name, scope="" if actor is None else actor.area_path)
    if found is None:
        raise NotFound("there is no such node in your scope")
    if found.public_key is None:
        raise Conflict(
            f"the node {node_name} has no key of its own: give it new secrets with `node add --replace`, or a claim code"
        )
    store.want_renewal(conn, found.id, now)
    if at_once:
        store.end_all(conn, found.id, now)
    audit.write(
        conn,
        "node.rotation_asked",
        node_name,
        actor=actor,
        actor_name=None if actor is not None else "command line",
        area_path=found.area_path,
        address=address,
        detail={"at_once": at_once},
    )


def use_command_key(conn: Connection[Any], public_key: bytes, *, now: datetime) -> None:
    """Tell the nodes of the key that this process signs with. One that was retired is not told again, and that is said."""
    if not store.use_command_key(conn, public_key, now):
        _log.error(
            "commands are signed with a key that was retired, and nodes refuse them: put another file in its place",
            key=signing.fingerprint(public_key),
        )


def retire_command_key(
    conn: Connection[Any],
    fingerprint: str,
    *,
    now: datetime,
    actor: Principal | None = None,
    address: str | None = None,
) -> str:
    """Have nodes believe a key no longer, from their next look; the whole fingerprint of it, of which the beginning was said.

    Without `actor` it was the command line. Raises Forbidden for a person of a part of the district, NotFound, Conflict for the last
    key: without any, a node would take commands that nobody signed.
    """
    if actor is not None and actor.area_path:
        raise Forbidden("all nodes believe these keys: ask a maintainer or an administrator of the whole")
    standing = [each.public_key for each in store.lock_command_keys(conn) if each.retired_at is None]
    meant = [each for each in standing if fingerprint and signing.fingerprint(each).startswith(fingerprint.lower())]
    if len(meant) != 1:
        raise NotFound(f"{len(meant) or 'none'} of the keys in use has a fingerprint that begins with {fingerprint!r}")
    if len(standing) == 1:
        raise Conflict("this is the last key: start the cloud with another one first")
    store.retire_command_key(conn, meant[0], now)
    whole = signing.fingerprint(meant[0])
    by = actor.name if actor is not None else "command line"
    audit.write(conn, "command_key.retired", whole, actor=actor, actor_name=by, address=address)
    return whole


def prune(conn: Connection[Any], *, now: datetime) -> int:
    """Forget what is over for long; how many rows."""
    return store.prune(
        conn,
        claims_before=now - CLAIMS_KEPT,
        ends_before=now - ENDED_KEPT,
        spent_before=now - 2 * policy.CHALLENGE_LASTS,
    )


def _secret(conn: Connection[Any]) -> bytes:
    return store.secret(conn, randomness.token_bytes(32))


def _path(conn: Connection[Any], node: BoundNode) -> str | None:
    area = areas.find(conn, node.area_code)
    return None if area is None else area.path

"""Enrolment: what machines ask with a claim code or their key, and what people do about it."""

from datetime import timedelta
from pathlib import Path as FilePath
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Node, Parts, client_address, require
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.enrolment import service, store
from cloud.enrolment.model import Claim as ClaimRow
from cloud.enrolment.model import IssuedCredential, Proof
from cloud.errors import Invalid, NotFound
from edge.contract.signing import fingerprint, key_of, key_text

router = APIRouter(prefix="/api/v1", tags=["enrolment"], responses=RESPONSES)

NodeName = Annotated[Name, Path()]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]
PublicKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", description="Ed25519, base64 of 32 bytes")]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Signature = Annotated[str, Field(min_length=1, max_length=200)]

_LARGEST_KEY_FILE = 4_096
_KEY_FILES = 16
_log = structlog.get_logger(__name__)


class Challenge(BaseModel):
    """What has to be signed along, once, within five minutes."""

    challenge: str


class EnrolmentRequest(BaseModel):
    """A claim code, the key that is to be bound, and the proof that the sender holds it."""

    model_config = ConfigDict(extra="ignore")

    claim: Annotated[str, Field(min_length=1, max_length=100)]
    public_key: PublicKey
    challenge: Short
    software: Annotated[str, Field(max_length=500)]
    sig: Signature


class RenewalRequest(BaseModel):
    """A bound key asks for the next credentials."""

    model_config = ConfigDict(extra="ignore")

    node: Name
    public_key: PublicKey
    challenge: Short
    sig: Signature


class NodeCredentials(BaseModel):
    """What a node logs in with, told once, and whom it believes."""

    v: int = 1
    node: str
    district: str
    generation: int
    mqtt_user: str
    mqtt_password: str
    token: str
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    command_keys: list[str]
    configuration_keys: list[str]


class NodeStanding(BaseModel):
    """How a node stands with its present credentials."""

    v: int = 1
    node: str
    generation: int | None
    expires_at: AwareDatetime | None
    renewal_wanted: bool
    command_keys: list[str]
    configuration_keys: list[str]


class ClaimWish(BaseModel):
    """For which node, where, how long. `trusts_births`: devices that it declares need no person's word."""

    model_config = ConfigDict(extra="forbid")

    node: Name
    area_code: Code
    hours: Annotated[int, Field(ge=1, le=720)] = 24
    trusts_births: bool = False


class Claim(BaseModel):
    """A claim code without the code; `key` is the fingerprint of the key that it has bound."""

    id: int
    node: str
    area_code: str
    begins_with: str
    made_by: str
    made_at: AwareDatetime
    expires_at: AwareDatetime
    failures: int
    used_at: AwareDatetime | None
    key: str | None
    revoked_at: AwareDatetime | None


class MadeClaim(BaseModel):
    """A claim with its code, which is told this once."""

    claim: Claim
    code: str


class ClaimList(BaseModel):
    """Claims, the newest first."""

    items: list[Claim]


class CredentialLife(BaseModel):
    """One generation of credentials."""

    model_config = ConfigDict(from_attributes=True)

    generation: int
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    used_at: AwareDatetime | None


class Identity(BaseModel):
    """Who a node is: the fingerprint of its key (`gridward-edge identity` shows the same), and the life of its credentials.

    `has_secrets`: it was given secrets by `gridward-cloud node add`; they end at `secrets_until`, where that is known.
    """

    node: str
    key: str | None
    bound_at: AwareDatetime | None
    has_secrets: bool
    secrets_until: AwareDatetime | None
    renewal_wanted_at: AwareDatetime | None
    trusts_births: bool
    credentials: list[CredentialLife]


class Rotation(BaseModel):
    """`at_once`: the present credentials end now, because they may be in other hands."""

    model_config = ConfigDict(extra="forbid")

    at_once: bool = False


@router.post("/enrolment/challenge")
def read_enrolment_challenge(conn: Conn, parts: Parts) -> Challenge:
    """For machines: the first step of enrolment and of renewal."""
    return Challenge(challenge=service.challenge(conn, now=parts.clock()))


@router.post("/enrolment")
def enrol(body: EnrolmentRequest, parts: Parts, request: Request) -> NodeCredentials:
    """For machines: bind a key with a claim code. 403 with the reason in words, 429 after too many attempts."""
    issued = service.enrol(
        parts.pool,
        body.claim,
        _proof(body),
        software=body.software,
        now=parts.clock(),
        address=client_address(request),
    )
    return _credentials(parts, issued)


@router.post("/enrolment/renewal")
def renew_credentials(body: RenewalRequest, parts: Parts, request: Request) -> NodeCredentials:
    """For machines: the next credentials for a bound key."""
    issued = service.renew(parts.pool, body.node, _proof(body), now=parts.clock(), address=client_address(request))
    return _credentials(parts, issued)


@router.get("/enrolment/standing")
def read_standing(node: Node, conn: Conn, parts: Parts) -> NodeStanding:
    """For nodes: until when the present credentials last, and whom to believe. It shows that they have arrived."""
    found = service.standing(conn, node.node, node.generation, now=parts.clock())
    return NodeStanding(
        node=found.node,
        generation=found.generation,
        expires_at=found.expires_at,
        renewal_wanted=found.renewal_wanted,
        command_keys=list(found.command_keys),
        configuration_keys=_configuration_keys(parts),
    )


@router.get("/claims")
def list_claims(conn: Conn, user: Steward, before: Annotated[int | None, Query(ge=1)] = None) -> ClaimList:
    """The newest fifty claims of one's area; with `before` those made before one."""
    found = store.claims(conn, scope=user.area_path, after=before, count=50)
    return ClaimList(items=[_claim(each) for each in found])


@router.post("/claims", status_code=201)
def make_claim(conn: Conn, user: Steward, *, parts: Parts, request: Request, body: ClaimWish) -> MadeClaim:
    """A one-time code for a node; what was open for it is withdrawn."""
    made = service.make_claim(
        conn,
        body.node,
        area_code=body.area_code,
        now=parts.clock(),
        actor=user,
        lasts=timedelta(hours=body.hours),
        trusts_births=body.trusts_births,
        address=client_address(request),
    )
    return MadeClaim(claim=_claim(made.claim), code=made.code)


@router.delete("/claims/{claim_id}", status_code=204)
def withdraw_claim(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, claim_id: Annotated[int, Path(ge=1, lt=1 << 63)]
) -> None:
    """Withdraw a code that nobody has used."""
    service.revoke_claim(conn, claim_id, actor=user, now=parts.clock(), address=client_address(request))


@router.get("/nodes/{node}/identity")
def read_identity(conn: Conn, user: Steward, node: NodeName) -> Identity:
    """The key of a node and the life of its credentials."""
    found = store.identity(conn, node, scope=user.area_path)
    if found is None:
        raise NotFound("there is no such node in your scope")
    return Identity(
        node=found.name,
        key=None if found.public_key is None else fingerprint(bytes(found.public_key)),
        bound_at=found.bound_at,
        has_secrets=found.has_secrets,
        secrets_until=found.secrets_until,
        renewal_wanted_at=found.renewal_wanted_at,
        trusts_births=found.trusts_births,
        credentials=[CredentialLife.model_validate(each) for each in store.credentials(conn, found.id)],
    )


@router.post("/nodes/{node}/rotate", status_code=202)
def rotate_credentials(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, node: NodeName, body: Rotation
) -> None:
    """Have a node ask for new credentials at its next look. 409 for one that has no key."""
    service.rotate(conn, node, now=parts.clock(), actor=user, at_once=body.at_once, address=client_address(request))


def _proof(body: EnrolmentRequest | RenewalRequest) -> Proof:
    try:
        key = key_of(body.public_key)
    except ValueError as error:
        raise Invalid(str(error)) from error
    if key_text(key) != body.public_key:
        raise Invalid("the public key is not written as base64 writes it")
    return Proof(key, body.challenge, body.sig)


def _credentials(parts: Parts, issued: IssuedCredential) -> NodeCredentials:
    with parts.pool.connection() as conn:
        command_keys = [key_text(each) for each in store.command_keys(conn)]
    return NodeCredentials(
        node=issued.node,
        district=issued.district,
        generation=issued.generation,
        mqtt_user=issued.mqtt_user,
        mqtt_password=issued.mqtt_password,
        token=issued.token,
        issued_at=issued.issued_at,
        expires_at=issued.expires_at,
        command_keys=command_keys,
        configuration_keys=_configuration_keys(parts),
    )


def _configuration_keys(parts: Parts) -> list[str]:
    """The public keys of the site's folder; one that can't be read is left out and said."""
    folder = parts.settings.configuration_keys
    files: list[FilePath] = [] if folder is None else sorted(folder.glob("*.pub"))[:_KEY_FILES]
    found = []
    for file in files:
        try:
            content = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("a public key can't be read", file=str(file), reason=type(error).__name__)
            continue
        if len(content) <= _LARGEST_KEY_FILE:
            found.append(content)
    return found


def _claim(row: ClaimRow) -> Claim:
    return Claim(
        id=row.id,
        node=row.node,
        area_code=row.area_code,
        begins_with=row.selector,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        failures=row.failures,
        used_at=row.used_at,
        key=None if row.used_key is None else fingerprint(row.used_key),
        revoked_at=row.revoked_at,
    )

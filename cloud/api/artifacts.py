"""Signed files for nodes: registered and sent by people, fetched by nodes."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.api.dependencies import AS_PERSON, Conn, Node, Parts, Services, client_address, require, signed_in
from cloud.api.paging import After, Limit, decode_id, encode_cursor
from cloud.api.parameters import Name
from cloud.api.problems import RESPONSES
from cloud.api.receiving import receive
from cloud.errors import Forbidden, Invalid, NotFound
from cloud.evidence import policy
from cloud.evidence.files import Partial
from cloud.evidence.policy import Part
from cloud.evidence.service import WrongOffset
from cloud.rollouts import artifact_store, artifacts
from cloud.rollouts.model import Artifact as Registered
from firmware_configs.signature import ArtifactClass, Signature

router = APIRouter(prefix="/api/v1/artifacts", tags=["rollouts"], responses=RESPONSES)

Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file")]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]

_STEWARDS = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
_UPLOADER = "artifact.upload"
"""Whose unfinished uploads they are, among those of nodes."""


class Artifact(BaseModel):
    """A signed file. Without `stored_at` its bytes have not come yet; `key` is the fingerprint of the key that signed it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    name: str
    version: str
    sha256: str
    size_bytes: int
    signed_at: AwareDatetime
    key: str
    added_by: str
    added_at: AwareDatetime
    stored_at: AwareDatetime | None


class ArtifactPage(BaseModel):
    """A page of artifacts, the newest first."""

    items: list[Artifact]
    next: str | None


class Statement(BaseModel):
    """The `.sig` file of an artifact, as it is."""

    model_config = ConfigDict(extra="forbid")

    artifact: ArtifactClass
    name: Annotated[str, Field(max_length=64)]
    version: Annotated[str, Field(max_length=64)]
    sha256: Annotated[str, Field(max_length=64)]
    size_bytes: Annotated[int, Field(ge=1, le=1 << 40)]
    signed_at: Annotated[str, Field(max_length=40)]
    key: Annotated[str, Field(max_length=64)]
    sig: Annotated[str, Field(max_length=200)]


class ArtifactUpload(BaseModel):
    """How far an upload is; `offset` is the number of the next byte."""

    sha256: str
    stored: bool
    offset: int
    size_bytes: int


@router.get("")
def list_artifacts(
    conn: Conn,
    _user: Steward,
    *,
    kind: Annotated[ArtifactClass | None, Query()] = None,
    name: Annotated[Name | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> ArtifactPage:
    """What is registered, the newest first."""
    rows = artifact_store.artifacts(conn, kind=kind, name=name, after=decode_id(after), count=limit + 1)
    following = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return ArtifactPage(items=[Artifact.model_validate(row) for row in rows[:limit]], next=following)


@router.post("", status_code=201, responses={200: {"model": Artifact}})
def register_artifact(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, response: Response, body: Statement
) -> Artifact:
    """Register what a trusted key has signed; its bytes come with `PUT /artifacts/{sha256}`. 200 where it is known.

    409 where the version is known with other bytes, 422 where no trusted key vouches for it.
    """
    signature: Signature = artifacts.read_signature(msgspec.json.encode(body.model_dump(mode="json")))
    keyring = artifacts.trusted_keys(parts.settings)
    found, is_new = artifacts.register(conn, signature, keyring=keyring, added_by=user.name, now=parts.clock())
    if is_new:
        detail = {"sha256": found.sha256, "key": found.key}
        subject = f"artifact:{found.kind}/{found.name}/{found.version}"
        audit.write(conn, "artifact.registered", subject, actor=user, address=client_address(request), detail=detail)
    else:
        response.status_code = HTTPStatus.OK
    return Artifact.model_validate(found)


@router.put(
    "/{sha256}",
    summary="Send the bytes, or a piece of them",
    dependencies=AS_PERSON,
    responses={201: {"model": ArtifactUpload}, 202: {"model": ArtifactUpload}},
)
async def upload_artifact(sha256: Hash, request: Request, response: Response, parts: Parts) -> ArtifactUpload:
    """The whole file, or the next piece with Content-Range.

    200 it was here, 201 it is stored now, 202 the piece is kept; 404 it is not registered, 409 the piece does not begin where the
    last one ended (`Upload-Offset` says where), 415 it is not what it was signed as, 422 the bytes are not those of the hash.
    """
    # asynchronous, for a body is read as it comes and must hold neither a thread nor a connection to the database
    found = await run_in_threadpool(_expected, request, parts, sha256)
    if found.stored_at is not None:
        return _state(found, found.size_bytes, response, HTTPStatus.OK)
    part = policy.parse_content_range(request.headers.get("content-range"), total=found.size_bytes)
    with parts.evidence.slots.taken(_UPLOADER), await run_in_threadpool(_begin, parts, found, part) as partial:
        await receive(request, partial, part)
        offset = partial.size_bytes
        if offset < found.size_bytes:
            return _state(found, offset, response, HTTPStatus.ACCEPTED)
        await run_in_threadpool(_finish, request, parts, found, partial)
    return _state(found, offset, response, HTTPStatus.CREATED)


def _expected(request: Request, parts: Services, sha256: str) -> Registered:
    with parts.pool.connection() as conn:
        if signed_in(request, conn, parts).principal.role not in _STEWARDS:
            raise Forbidden(f"this is for the roles {', '.join(sorted(_STEWARDS))}")
        found = artifact_store.artifact_of_hash(conn, sha256)
        if found is None:
            raise NotFound("nothing is registered with this hash: its signature comes first")
        return found


def _begin(parts: Services, found: Registered, part: Part) -> Partial:
    partial = parts.evidence.quarantine.open(_UPLOADER, found.sha256, found.size_bytes)
    if part.start == 0:
        partial.restart()
    elif part.start != partial.size_bytes:
        offset = partial.size_bytes
        partial.__exit__(None, None, None)
        raise WrongOffset(offset)
    return partial


def _finish(request: Request, parts: Services, found: Registered, partial: Partial) -> None:
    try:
        if partial.size_bytes != found.size_bytes or partial.digest() != found.sha256:
            raise Invalid("the bytes are not those of the hash")
        artifacts.check_content(partial.path, found)
        with parts.pool.connection() as conn:
            user = signed_in(request, conn, parts).principal
            artifacts.keep(conn, parts.evidence.files, found, partial.path, now=parts.clock())
            subject = f"artifact:{found.kind}/{found.name}/{found.version}"
            audit.write(conn, "artifact.stored", subject, actor=user, address=client_address(request))
    finally:
        partial.discard()


def _state(found: Registered, offset: int, response: Response, status: HTTPStatus) -> ArtifactUpload:
    response.status_code = status
    response.headers["Upload-Offset"] = str(offset)
    stored = status is not HTTPStatus.ACCEPTED
    return ArtifactUpload(sha256=found.sha256, stored=stored, offset=offset, size_bytes=found.size_bytes)


@router.get(
    "/{sha256}",
    summary="Fetch a file",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        206: {"description": "The part asked for"},
    },
)
def fetch_artifact(sha256: Hash, _node: Node, conn: Conn, request: Request, parts: Parts) -> StreamingResponse:
    """For nodes: a stored artifact, or with `Range: bytes=N-` the rest of it. 404 where none has this hash."""
    found = artifacts.require(conn, sha256)
    asked = policy.parse_range(request.headers.get("range"), total=found.size_bytes)
    start, end = asked or (0, found.size_bytes)
    headers = {"Content-Length": str(end - start), "Accept-Ranges": "bytes", "ETag": f'"{sha256}"'}
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size_bytes}"
    return StreamingResponse(
        parts.evidence.files.read(sha256, start, end),
        status_code=HTTPStatus.OK if asked is None else HTTPStatus.PARTIAL_CONTENT,
        media_type="application/octet-stream",
        headers=headers,
    )

"""Evidence: nodes send files by their hash, people look at them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import Counter
from pydantic import BaseModel, StringConstraints
from starlette.concurrency import run_in_threadpool

from cloud.api.dependencies import AS_NODE, Conn, Node, Parts, Services, User, client_address, node_principal
from cloud.api.problems import RESPONSES
from cloud.api.receiving import receive
from cloud.cases import service as cases
from cloud.errors import CloudError, UnsupportedMedia
from cloud.evidence import policy
from cloud.evidence.files import Partial
from cloud.evidence.store import NamedFile
from edge.contract.incident import SEALED_MIME

router = APIRouter(prefix="/api/v1/evidence", tags=["evidence"], responses=RESPONSES)

Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file")]

Purpose = Annotated[
    Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=3, max_length=500, pattern=r"^[^\x00]*$"),
    ]
    | None,
    Query(description="What it is needed for, outside of one's own cases"),
]

_SUFFIX = {"image/jpeg": "jpg", "video/mp4": "mp4", "video/webm": "webm", SEALED_MIME: "age"}
_UPLOADS = Counter("gridward_evidence_uploads_total", "Uploads by how they ended; errors by their name", ["outcome"])


class UploadState(BaseModel):
    """How far an upload is; `offset` is the number of the next byte."""

    sha256: str
    stored: bool
    offset: int
    bytes: int


@router.head("/{sha256}", summary="How many bytes of a file are here")
def read_upload(sha256: Hash, node: Node, conn: Conn, parts: Parts) -> Response:
    """For nodes: `Upload-Offset`, `Upload-Length`, and `Upload-Complete: ?1` once it is stored. 404 until it is named."""
    file = parts.evidence.expected(conn, node.node, sha256)
    return Response(headers=_upload_headers(file, parts.evidence.offset(node.node, file), stored=file.is_stored))


@router.put(
    "/{sha256}",
    summary="Send a file or a piece of it",
    dependencies=AS_NODE,
    responses={201: {"model": UploadState}, 202: {"model": UploadState}},
)
async def upload(sha256: Hash, request: Request, response: Response, parts: Parts) -> UploadState:
    """For nodes: the whole file, or the next piece with Content-Range.

    200 it was here, 201 it is stored now, 202 the piece is kept; 404 no incident names it yet, 409 the piece does not
    begin where the last one ended (`Upload-Offset` says where), 410 it was deleted when its time was over, 413, 415, 422
    the bytes do not fit their name.
    """
    # asynchronous, for a body is read as it comes and must hold neither a thread nor a connection to the database
    try:
        state = await _upload(sha256, request, response, parts)
    except CloudError as error:
        _UPLOADS.labels(type(error).__name__).inc()
        raise
    _UPLOADS.labels({200: "known", 201: "stored", 202: "part"}[response.status_code or 200]).inc()
    return state


async def _upload(sha256: str, request: Request, response: Response, parts: Services) -> UploadState:
    node, file = await run_in_threadpool(_expected, request, parts, sha256)
    if file.is_stored:
        return _state(file, file.size_bytes, response, HTTPStatus.OK)
    mime = request.headers.get("content-type", file.mime).partition(";")[0].strip().lower()
    if mime not in {file.mime, "application/octet-stream"}:
        raise UnsupportedMedia(f"the incident names {file.mime}, not {mime[:60]}")
    part = policy.parse_content_range(request.headers.get("content-range"), total=file.size_bytes)
    with parts.evidence.slots.taken(node), await run_in_threadpool(parts.evidence.begin, node, file, part) as partial:
        await receive(request, partial, part)
        offset = partial.size_bytes
        stored = await run_in_threadpool(_finish, parts, node, file, partial)
    return _state(file, offset, response, HTTPStatus.CREATED if stored else HTTPStatus.ACCEPTED)


def _expected(request: Request, parts: Services, sha256: str) -> tuple[str, NamedFile]:
    with parts.pool.connection() as conn:
        node = node_principal(request, conn).node
        return node, parts.evidence.expected(conn, node, sha256)


def _finish(parts: Services, node: str, file: NamedFile, partial: Partial) -> bool:
    if not parts.evidence.finish(file, partial):
        return False
    with parts.pool.connection() as conn:
        if parts.evidence.settle(conn, node, file, partial, now=parts.clock()):
            cases.announce_evidence(conn, node, file.sha256)
    partial.discard()
    return True


def _upload_headers(file: NamedFile, offset: int, *, stored: bool) -> dict[str, str]:
    return {
        "Upload-Offset": str(offset),
        "Upload-Length": str(file.size_bytes),
        "Upload-Complete": "?1" if stored else "?0",
    }


def _state(file: NamedFile, offset: int, response: Response, status: HTTPStatus) -> UploadState:
    stored = status is not HTTPStatus.ACCEPTED
    response.status_code = status
    response.headers.update(_upload_headers(file, offset, stored=stored))
    return UploadState(sha256=file.sha256, stored=stored, offset=offset, bytes=file.size_bytes)


@router.get(
    "/{sha256}",
    summary="Look at a file",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"image/jpeg": {}, "video/mp4": {}, "video/webm": {}}},
        206: {"description": "The part asked for"},
    },
)
def read_evidence(
    sha256: Hash, user: User, conn: Conn, *, request: Request, parts: Parts, purpose: Purpose = None
) -> StreamingResponse:
    """A stored file of a case in my scope. Every view stands in the audit log, with its purpose and whether the case is my own.

    403 for a sealed original: it is asked for at its case. 428 without a purpose where the case is over or not mine to work on.
    """
    file = parts.evidence.visible(conn, user, sha256)
    asked = policy.parse_range(request.headers.get("range"), total=file.size_bytes)
    start, end = asked or (0, file.size_bytes)
    shown = "attachment" if file.mime == SEALED_MIME else "inline"
    headers = {
        "Content-Length": str(end - start),
        "Content-Disposition": f'{shown}; filename="{sha256[:16]}.{_SUFFIX.get(file.mime, "bin")}"',
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
    }
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
    return StreamingResponse(
        parts.evidence.view(conn, user, file, (start, end), address=client_address(request), purpose=purpose),
        status_code=HTTPStatus.OK if asked is None else HTTPStatus.PARTIAL_CONTENT,
        media_type=file.mime,
        headers=headers,
    )

"""Evidence that leaves, stays or is opened: exports, legal holds, sealed originals."""

import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from psycopg import Connection
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from cloud.access.model import Principal, Role
from cloud.api.cases import CaseId
from cloud.api.dependencies import Conn, Parts, Services, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.problems import RESPONSES
from cloud.errors import EvidenceStoreAway, NotFound
from cloud.proof import export as exports
from cloud.proof import holds, keys, originals, store
from cloud.proof.manifest import ProvenCase
from cloud.proof.originals import RequestState, UnsealRequest, UnservedReason
from edge.contract.signing import fingerprint

router = APIRouter(prefix="/api/v1", tags=["evidence"], responses=RESPONSES)

_CHUNK_BYTES = 1 << 20
_KEPT_IN_MEMORY_BYTES = 8 << 20

_EXPORTS = threading.BoundedSemaphore(2)
"""Each holds two connections to the database for a moment: they must not wait for each other."""

_IN_CHARGE = tuple(sorted(holds.IN_CHARGE))
InCharge = Annotated[Principal, Depends(require(*_IN_CHARGE))]
Exporter = Annotated[Principal, Depends(require(*_IN_CHARGE, Role.AUDITOR))]
Asker = Annotated[Principal, Depends(require(Role.DUTY_CHIEF, Role.GRID_LEAD))]
"""Not an administrator: whoever makes accounts does not look at what two people have to open."""
Reader = Annotated[Principal, Depends(require(*_IN_CHARGE, Role.GRID_LEAD, Role.AUDITOR))]

Purpose = Annotated[
    str,
    StringConstraints(
        min_length=exports.SHORTEST_PURPOSE,
        max_length=exports.LONGEST_PURPOSE,
        strip_whitespace=True,
        pattern=r"^[^\x00]*$",
    ),
]
RequestId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
HoldId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class ExportWish(BaseModel):
    """What it is needed for; it stands in the file and in the audit log."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose


class HoldWish(BaseModel):
    """Why a case is held, and until when; without `until` somebody has to lift it."""

    model_config = ConfigDict(extra="forbid")

    reason: Purpose
    until: AwareDatetime | None = None


class HoldEnd(BaseModel):
    """Why it is no longer held."""

    model_config = ConfigDict(extra="forbid")

    note: Purpose


class HoldList(BaseModel):
    """All that ever held a case, the oldest first."""

    items: list[holds.Hold]


class OriginalList(BaseModel):
    """The sealed files of a case."""

    items: list[originals.SealedOriginal]


class UnsealWish(BaseModel):
    """Which sealed file, and what for; `unmarked` where a court needs it without the mark of who sees it."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    purpose: Purpose
    unmarked: bool = False


class Decision(BaseModel):
    """Whether the file may be opened, and in words why; to refuse it takes words."""

    model_config = ConfigDict(extra="forbid")

    allowed: bool
    words: Annotated[
        str, StringConstraints(max_length=exports.LONGEST_PURPOSE, strip_whitespace=True, pattern=r"^[^\x00]*$")
    ] = ""


class UnsealView(BaseModel):
    """A request. What is `ready` is handed out once, until `expires_at`; what is `allowed` or `fetching` is waited for until then."""

    id: int
    case_id: int
    case_number: str
    sha256: str
    purpose: str
    state: RequestState
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    expires_at: datetime
    ready_at: datetime | None
    gone_at: datetime | None
    unserved_at: datetime | None
    unserved_reason: UnservedReason | None
    unmarked: bool
    handed_at: datetime | None

    @classmethod
    def of(cls, request: UnsealRequest, now: datetime) -> "UnsealView":
        """The request as it is told."""
        fields = {name: getattr(request, name) for name in cls.model_fields if name != "state"}
        return cls(state=request.state(now), **fields)


class UnsealPage(BaseModel):
    """A page of requests, the newest first; `next` is the cursor of the page after it."""

    items: list[UnsealView]
    next: str | None


class ProofKeyView(BaseModel):
    """A key that signs chains and exports. `follows`: the fingerprint of the one that vouches for it."""

    fingerprint: str
    first_used_at: datetime
    follows: str | None
    in_use: bool


class ProofKeyList(BaseModel):
    """All keys that ever signed here."""

    items: list[ProofKeyView]


@router.post(
    "/cases/{case_id}/export", response_class=StreamingResponse, responses={200: {"content": {"application/zip": {}}}}
)
def export_case(
    conn: Conn, user: Exporter, *, parts: Parts, request: Request, case_id: CaseId, body: ExportWish
) -> StreamingResponse:
    """A case as one file that anybody can verify without this system (`gridward-cloud evidence verify`). It stands in the audit log."""
    found = store.case_to_prove(conn, case_id=case_id, scope=user.area_path)
    if found is None:
        raise NotFound("there is no such case in your scope")
    if not _EXPORTS.acquire(blocking=False):
        raise EvidenceStoreAway("too many exports at once")
    try:
        done, out = _exported(
            conn, parts, found, exports.Errand(body.purpose, parts.clock(), user=user, address=client_address(request))
        )
    finally:
        _EXPORTS.release()
    return StreamingResponse(
        _chunks(out),
        media_type="application/zip",
        headers={
            "Content-Length": str(done.size_bytes),
            "Content-Disposition": f'attachment; filename="{done.case}.zip"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _exported(
    conn: Connection[Any], parts: Services, case: ProvenCase, errand: exports.Errand
) -> tuple[exports.Exported, BinaryIO]:
    with parts.pool.connection() as linking:  # of its own: nobody links while it runs
        signer = exports.prepare(linking, parts.settings, case, now=errand.now)
    out: BinaryIO = tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY_BYTES, dir=_scratch(parts))  # type: ignore[assignment]  # noqa: SIM115 - closed when it was sent
    try:
        done = exports.export(conn, parts.evidence.files, signer, case, errand, out=out)
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return done, out


def _scratch(parts: Services) -> str:
    place = parts.settings.data_directory.resolve() / "partial"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return str(place)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


@router.get("/proof-keys")
def list_proof_keys(conn: Conn, _user: Exporter, parts: Parts) -> ProofKeyList:
    """The keys that sign chains and exports: compare the fingerprint in another way than with the file. A node's stands with its identity."""
    used = keys.signer_of(parts.settings)
    store.note_key(conn, used.public_key, now=parts.clock())
    return ProofKeyList(
        items=[
            ProofKeyView(
                fingerprint=fingerprint(each.public_key),
                first_used_at=each.first_used_at,
                follows=None if each.endorsed_by is None else fingerprint(each.endorsed_by),
                in_use=each.public_key == used.public_key,
            )
            for each in store.proof_keys(conn)
        ]
    )


@router.get("/cases/{case_id}/holds")
def list_holds(conn: Conn, user: Exporter, case_id: CaseId) -> HoldList:
    """What holds a case, and what did: as long as it is held none of its files is deleted."""
    return HoldList(items=holds.of_case(conn, user, case_id))


@router.post("/cases/{case_id}/holds")
def hold_case(
    conn: Conn, user: InCharge, *, parts: Parts, request: Request, case_id: CaseId, body: HoldWish
) -> HoldList:
    """Hold a case (法律保全)."""
    address = client_address(request)
    return HoldList(
        items=holds.put(conn, user, case_id, reason=body.reason, until=body.until, now=parts.clock(), address=address)
    )


@router.post("/holds/{hold_id}/end")
def end_hold(conn: Conn, user: InCharge, *, parts: Parts, request: Request, hold_id: HoldId, body: HoldEnd) -> HoldList:
    """Lift a hold. 409 where it is lifted already."""
    address = client_address(request)
    return HoldList(items=holds.lift(conn, user, hold_id, note=body.note, now=parts.clock(), address=address))


@router.get("/cases/{case_id}/originals")
def list_originals(conn: Conn, user: Reader, case_id: CaseId) -> OriginalList:
    """The sealed originals of a case, which can be asked for."""
    return OriginalList(items=originals.of_case(conn, user, case_id))


@router.post("/cases/{case_id}/originals", status_code=201)
def ask_for_original(
    conn: Conn, user: Asker, *, parts: Parts, request: Request, case_id: CaseId, body: UnsealWish
) -> UnsealView:
    """Ask to see a sealed original; another person has to allow it. 409 where you have asked already."""
    now, address = parts.clock(), client_address(request)
    asked = originals.ask(
        conn, user, case_id, body.sha256, purpose=body.purpose, now=now, address=address, unmarked=body.unmarked
    )
    return UnsealView.of(asked, now)


@router.get("/unsealings")
def list_unsealings(
    conn: Conn,
    user: Reader,
    *,
    parts: Parts,
    case_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    after: After = None,
    limit: Limit = 50,
) -> UnsealPage:
    """Who asked to see which sealed original, what for, and what became of it."""
    found = originals.page(conn, user, case_id=case_id, before=decode_id(after), count=limit + 1)
    now = parts.clock()
    shown = [UnsealView.of(each, now) for each in found[:limit]]
    return UnsealPage(items=shown, next=encode_cursor(shown[-1].id) if len(found) > limit else None)


@router.post("/unsealings/{request_id}/decision")
def decide_unsealing(
    conn: Conn, user: InCharge, *, parts: Parts, request: Request, request_id: RequestId, body: Decision
) -> UnsealView:
    """Allow or refuse it, as another person than the one who asked. 409 where it is decided already, 422 for a refusal without `words`."""
    now, address = parts.clock(), client_address(request)
    decided = originals.decide(conn, user, request_id, allowed=body.allowed, now=now, address=address, words=body.words)
    return UnsealView.of(decided, now)


@router.post(
    "/unsealings/{request_id}/handover",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-age": {}}}},
)
def hand_over(conn: Conn, user: Asker, *, parts: Parts, request: Request, request_id: RequestId) -> StreamingResponse:
    """The sealed bytes, once, for the one who asked; the holder of the district's key opens them. 409 where that was done already."""
    asked, size_bytes, chunks = originals.hand_over(
        conn, parts.evidence.files, user, request_id, now=parts.clock(), address=client_address(request)
    )
    return StreamingResponse(
        chunks,
        media_type="application/x-age",
        headers={
            "Content-Length": str(size_bytes),
            "Content-Disposition": f'attachment; filename="{asked.case_number}-{asked.id}.age"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )

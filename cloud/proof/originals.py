"""Sealed originals (封存原件): one person asks with a purpose, a second one allows it, and it is handed out once.

The original stays at its node until then; `cloud.proof.ordering` fetches it, and lets the copy go again. The service has sealed bytes
alone and no key to them: who asked takes them, or the holder of the district's key opens them for that
one with `gridward-cloud evidence unseal`. Both spend the same permission.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit, independence
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases import store as case_rows
from cloud.cases.model import HistoryAction
from cloud.db.queries import load
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.evidence import store as evidence
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.unsealing import DistrictPrivateKey
from cloud.proof.export import SHORTEST_PURPOSE, stated

WAITS: Final = timedelta(days=7)
"""A request that nobody decides is over after this."""
LASTS: Final = timedelta(hours=24)
"""So long is a permission good for, once the file is here."""
FETCHED_WITHIN: Final = timedelta(days=7)
"""So long is waited for a node that is away, or a line that is slow."""
MOST_OPEN: Final = 20
"""Requests of one case that wait at once."""

_BY_ITSELF: Final = frozenset({HistoryAction.UNSEAL_READY, HistoryAction.UNSEAL_GONE, HistoryAction.UNSEAL_UNSERVED})
"""What no person does."""

DECIDERS: Final = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})

_queries = load("cloud.proof")


class RequestState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    ALLOWED = "allowed"
    """The order waits for its node."""
    FETCHING = "fetching"
    """The node is about to send it."""
    READY = "ready"
    REFUSED = "refused"
    HANDED = "handed"
    EXPIRED = "expired"
    GONE = "gone"
    """Its node has it no more."""
    UNSERVED = "unserved"
    """It was allowed and did not come."""


class UnservedReason(StrEnum):
    """Why a file that may be seen did not come."""

    NODE_AWAY = "node_away"
    NOT_ANSWERED = "not_answered"
    """The node was present and said nothing of it."""
    NOT_SENT = "not_sent"
    """The node wanted to send it and has not in time."""
    REFUSED = "refused"
    """The node knows no such orders."""
    NOT_TAKEN = "not_taken"
    """The node sent it, and the service did not take it."""
    GONE = "gone"
    NOT_NAMED = "not_named"
    """No incident of the case names it any more."""


@dataclass(frozen=True, slots=True)
class UnsealRequest:
    """Who wants to see which sealed file of which case, what for, and what became of it. `unmarked`: without the mark of who sees it."""

    id: int
    case_id: int
    case_number: str
    area_path: str
    sha256: str
    purpose: str
    asked_by_id: int
    asked_by: str
    asked_at: datetime
    decided_by_id: int | None
    decided_by: str | None
    decided_at: datetime | None
    allowed: bool | None
    expires_at: datetime
    handed_at: datetime | None
    handed_by: str | None
    ready_at: datetime | None
    gone_at: datetime | None
    unserved_at: datetime | None
    unserved_reason: UnservedReason | None
    unmarked: bool
    is_fetching: bool

    def state(self, now: datetime) -> RequestState:
        """Where it stands at a time."""
        standing = (
            (self.handed_at is not None, RequestState.HANDED),
            (self.allowed is False, RequestState.REFUSED),
            (self.gone_at is not None, RequestState.GONE),
            (self.unserved_at is not None, RequestState.UNSERVED),
            (self.expires_at <= now, RequestState.EXPIRED),
            (self.allowed is None, RequestState.WAITING),
            (self.ready_at is not None, RequestState.READY),
            (self.is_fetching, RequestState.FETCHING),
        )
        return next((state for holds, state in standing if holds), RequestState.ALLOWED)

    def mark(self, at: datetime) -> str:
        """What is written into the picture: who sees it, when, for which case."""
        return f"{self.asked_by} {at:%Y-%m-%d %H:%M:%SZ} {self.case_number} #{self.id}"


@dataclass(frozen=True, slots=True)
class SealedOriginal:
    """A sealed file of a case that may be asked for; `is_stored` where it need not be fetched from its node."""

    sha256: str
    size_bytes: int
    captured_at: datetime
    is_stored: bool


def of_case(conn: Connection[Any], user: Principal, case_id: int) -> list[SealedOriginal]:
    """The sealed files of a case. Raises NotFound, also outside of the person's scope."""
    if _queries.case_to_prove(conn, number=None, case_id=case_id, scope=user.area_path) is None:
        raise NotFound("there is no such case in your scope")
    rows = _queries.sealed_files_of(conn, case_id=case_id)
    return [SealedOriginal(row.sha256, row.bytes, row.captured_at, row.is_stored) for row in rows]


def ask(
    conn: Connection[Any],
    user: Principal,
    case_id: int,
    sha256: str,
    *,
    purpose: str,
    now: datetime,
    address: str,
    unmarked: bool = False,
) -> UnsealRequest:
    """Ask to see a sealed file of a case; `unmarked` as the node sealed it, for a court, which is said to whoever decides. Raises NotFound, Invalid, Conflict where this person has asked already, or too many wait."""
    purpose = stated(purpose)
    case = _queries.lock_case(conn, case_id=case_id, scope=user.area_path)
    if case is None:
        raise NotFound("there is no such case in your scope")
    if all(file.sha256 != sha256 for file in of_case(conn, user, case_id)):
        raise NotFound("this case has no such sealed file")
    _queries.close_overdue(conn, case_id=case_id, sha256=sha256, asked_by=user.user_id, now=now)
    if _queries.count_open_requests(conn, case_id=case_id, now=now) >= MOST_OPEN:
        raise Conflict("too many requests of this case wait already")
    request_id = _queries.ask_unseal(
        conn,
        case_id=case_id,
        sha256=sha256,
        purpose=purpose,
        asked_by=user.user_id,
        asked_at=now,
        expires_at=now + WAITS,
        unmarked=unmarked,
    )
    if request_id is None:
        raise Conflict("you have asked for it already, and nobody has decided yet")
    request = find(conn, user, request_id)
    note(conn, user, request, HistoryAction.UNSEAL_ASKED, now=now, address=address)
    return request


def find(conn: Connection[Any], user: Principal, request_id: int) -> UnsealRequest:
    """A request in scope. Raises NotFound."""
    row = _queries.unseal_request(conn, request_id=request_id, scope=user.area_path)
    if row is None:
        raise NotFound("there is no such request in your scope")
    return UnsealRequest(**row._asdict())


def page(
    conn: Connection[Any], user: Principal, *, case_id: int | None, before: int | None, count: int
) -> list[UnsealRequest]:
    """Requests in scope, of one case where it is named, the newest first."""
    rows = _queries.unseal_requests(conn, scope=user.area_path, case_id=case_id, before=before, count=count)
    return [UnsealRequest(**row._asdict()) for row in rows]


def decide(
    conn: Connection[Any],
    user: Principal,
    request_id: int,
    *,
    allowed: bool,
    now: datetime,
    address: str,
    words: str = "",
) -> UnsealRequest:
    """Allow or refuse a request, as another person than the one who asked. What is not here is fetched from its node then.

    `words` say why; they stand in the history of the case and in the audit log. Nobody is refused without them.

    Raises NotFound, Invalid, Forbidden, also where the two accounts may be in one person's hands, Conflict.
    """
    request = find(conn, user, request_id)
    if user.role not in DECIDERS:
        raise Forbidden("a duty chief or an administrator decides")
    if user.user_id == request.asked_by_id:
        raise Forbidden("another person has to decide")
    words = words.strip()
    if not allowed and len(words) < SHORTEST_PURPOSE:
        raise Invalid(f"whoever is refused is told why: say it in `words`, with at least {SHORTEST_PURPOSE} characters")
    if allowed:
        independence.check_independent(conn, request.asked_by_id, user.user_id, now, acted_at=request.asked_at)
    evidence.lock_file(conn, request.sha256)  # or its copy goes while it is said to be ready
    file = evidence.sealed(conn, request.sha256, request.case_number)
    is_here = file is not None and file.is_stored
    touched = _queries.decide_unseal(
        conn,
        request_id=request_id,
        decided_by=user.user_id,
        decided_at=now,
        allowed=allowed,
        expires_at=now + (LASTS if is_here else FETCHED_WITHIN) if allowed else request.expires_at,
        ready_at=now if allowed and is_here else None,
    )
    if not touched:
        raise Conflict("it is decided already, or its time is over")
    action = HistoryAction.UNSEAL_ALLOWED if allowed else HistoryAction.UNSEAL_REFUSED
    note(conn, user, request, action, now=now, address=address, **({"words": words} if words else {}))
    return find(conn, user, request_id)


def hand_over(
    conn: Connection[Any], files: EvidenceFiles, user: Principal, request_id: int, *, now: datetime, address: str
) -> tuple[UnsealRequest, int, Iterator[bytes]]:
    """The sealed bytes, to the one who asked, and once: commit before the first of them leaves.

    Raises NotFound, Forbidden, Conflict where it is not allowed, over, or was handed out; EvidenceStoreAway, and then nothing is spent.
    """
    request = find(conn, user, request_id)
    if user.user_id != request.asked_by_id:
        raise Forbidden("it is handed to the one who asked")
    file = _take(conn, request, now=now, by=user.name)
    chunks = files.read(file.sha256, 0, file.size_bytes)
    note(conn, user, request, HistoryAction.UNSEALED, now=now, address=address, opened=False, marked=False)
    return request, file.size_bytes, chunks


def open_original(
    conn: Connection[Any],
    files: EvidenceFiles,
    key: DistrictPrivateKey,
    request_id: int,
    *,
    now: datetime,
    maximum_bytes: int,
) -> tuple[UnsealRequest, bytes]:
    """The original itself, where the holder of the key is: commit before anybody sees it. With the wrong key nothing is spent.

    Raises NotFound, Conflict, Invalid, EvidenceStoreAway.
    """
    row = _queries.unseal_request(conn, request_id=request_id, scope="")
    if row is None:
        raise NotFound("there is no such request")
    request = UnsealRequest(**row._asdict())
    file = _take(conn, request, now=now, by="command line")
    if file.size_bytes > maximum_bytes:
        raise Invalid(f"the file is larger than {maximum_bytes} bytes")
    sealed = b"".join(files.read_all(file.sha256))
    if hashlib.sha256(sealed).hexdigest() != file.sha256:
        raise Invalid("the file is damaged in the store: its bytes are not those of its hash")
    original = key.open(sealed)
    if file.plain_sha256 is not None and hashlib.sha256(original).hexdigest() != file.plain_sha256:
        raise Invalid("what was sealed is not what the incident names")
    note(conn, None, request, HistoryAction.UNSEALED, now=now, address=None, opened=True, marked=not request.unmarked)
    return request, original


def _take(conn: Connection[Any], request: UnsealRequest, *, now: datetime, by: str) -> evidence.SealedFile:
    """Spend the permission. Raises Conflict, NotFound."""
    if not _queries.take_unseal(conn, request_id=request.id, now=now, handed_by=by):
        raise Conflict("it is not allowed, its time is over, or it was handed out already")
    file = evidence.sealed(conn, request.sha256, request.case_number)
    if file is None or not file.is_stored:
        raise NotFound("the file is not kept any more")
    return file


def note(
    conn: Connection[Any],
    user: Principal | None,
    request: UnsealRequest,
    action: HistoryAction,
    *,
    now: datetime,
    address: str | None,
    **more: object,
) -> None:
    """In the history of the case, which the chain holds, and in the audit log."""
    words = f" — {more['words']}" if "words" in more else ""
    case_rows.add_event(
        conn,
        request.case_id,
        action,
        at=now,
        actor_id=_actor_of(user, request, action),
        note=f"#{request.id}{' (unmarked)' if request.unmarked else ''}: {request.purpose}{words}",
        named=case_rows.Named(person_id=request.asked_by_id),
    )
    audit.write(
        conn,
        f"evidence.{action}",
        f"evidence:{request.sha256}",
        actor=user,
        actor_name=None if user is not None else "originals" if action in _BY_ITSELF else "command line",
        area_path=request.area_path,
        address=address,
        detail={
            "case": request.case_id,
            "number": request.case_number,
            "request": request.id,
            "purpose": request.purpose,
            "asked_by": request.asked_by,
            "decided_by": request.decided_by,
            "unmarked": request.unmarked,
            **more,
        },
    )
    cases.announce(conn, request.case_id, "case.updated")


def _actor_of(user: Principal | None, request: UnsealRequest, action: HistoryAction) -> int | None:
    if user is not None:
        return user.user_id
    return None if action in _BY_ITSELF else request.asked_by_id

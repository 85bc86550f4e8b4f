"""Records of changes of shift: drawn up, given, taken, remarked on. One use case is one transaction of the caller's connection."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit, independence
from cloud.access.model import Principal, Role, SignedIn
from cloud.db.queries import load
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.handover.gathering import contents
from cloud.handover.model import DESKS, DRAWN_BEFORE, GRACE, LONGEST_AGO, canonical, digest
from cloud.organisation.model import DutyKind
from cloud.proof import store as proof

_queries = load("cloud.handover")

AT_ONCE: Final = 200
IDENTIFYING: Final = ("id", "shift_id", "area_code", "area_path", "kind", "ends_at", "due_at", "giver_id")
"""The columns that say whose record it is, and of what: they are hashed with what it says."""


class Which(StrEnum):
    """Mine to give, mine to take, or all that I may see."""

    GIVE = "give"
    TAKE = "take"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What somebody added later."""

    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftRecord:
    """The record of a change of shift. Until it is given there is nothing in it; `due_at` is when both have to have confirmed it.

    `sha256` is over the canonical JSON of `contents`, of which the words, whose record it is, and when, are part; `ledger` is the end of the ledger of cases at that time, hexadecimal.
    `needs_reason`: the reader's shift does not follow; he may take it from above and says why. `taken_instead`: what was said then.
    """

    id: int
    shift_id: int
    area_code: str
    area_name: str | None
    kind: DutyKind
    ends_at: datetime
    due_at: datetime
    giver: str
    given_at: datetime | None
    taker: str | None
    taken_at: datetime | None
    words: str | None
    sha256: str | None
    ledger_position: int | None
    ledger: str | None
    overdue: bool
    may_give: bool
    may_take: bool
    needs_reason: bool
    taken_instead: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDetail:
    """A record with what it says and what was added. `contents` of one that was not given yet: as things stand now."""

    record: ShiftRecord
    contents: dict[str, Any]
    intact: bool
    remarks: list[Remark]


def draw_up(conn: Connection[Any], *, now: datetime) -> int:
    """Make the records of shifts that end soon or have ended, where somebody else follows; how many. May be run at any time, by anyone, twice."""
    due = _queries.shifts_to_record(
        conn, kinds=sorted(DESKS), from_at=now - LONGEST_AGO, to_at=now + DRAWN_BEFORE, grace=GRACE, count=AT_ONCE
    )
    return sum(
        _queries.insert_record(
            conn,
            shift_id=row.id,
            area_code=row.area_code,
            area_path=row.area_path,
            kind=row.kind,
            ends_at=row.ends_at,
            due_at=row.ends_at + GRACE,
            giver_id=row.account_id,
            drawn_at=now,
        )
        is not None
        for row in list(due)
    )


def give(
    conn: Connection[Any], session: SignedIn, record_id: int, *, words: str, now: datetime, address: str
) -> RecordDetail:
    """Confirm, as the one who goes, how things stand now; from then on it stays so. Raises NotFound, Conflict when it was given."""
    actor = session.principal
    row = _locked(conn, actor, record_id)
    if row.giver_id != actor.user_id:
        raise NotFound("there is no such record to give")
    if row.given_at is not None:
        raise Conflict("it was given already; add a remark")
    checkpoint = proof.last_checkpoint(conn)
    said = {
        "given_at": now,
        "giver_role": actor.role.value,
        "words": words,
        "ledger_position": checkpoint.position if checkpoint is not None else None,
        "ledger": checkpoint.ledger.hex() if checkpoint is not None else None,
    }
    named = {name: getattr(row, name) for name in IDENTIFYING}
    text = canonical(contents(conn, row.area_path, now=now) | {"record": named | said})
    sha256 = digest(text)
    _queries.give_record(
        conn,
        record_id=record_id,
        contents=text,
        sha256=sha256,
        ledger_position=checkpoint.position if checkpoint is not None else None,
        ledger=checkpoint.ledger if checkpoint is not None else None,
        words=words,
        given_at=now,
        given_session=session.session_id,
        giver_role=actor.role.value,
    )
    _note(conn, "given", actor, row, address=address, detail={"sha256": sha256.hex()})
    return detail(conn, actor, record_id, now=now)


def take(
    conn: Connection[Any],
    session: SignedIn,
    record_id: int,
    *,
    sha256: str,
    now: datetime,
    address: str,
    reason: str | None = None,
) -> RecordDetail:
    """Confirm, as the one who comes, what was read: `sha256` says which. Another person, in a session of his own, of the same role.

    Whoever comes has a shift at the same desk that runs or begins soon. A duty chief of a level above takes it with a reason, which the
    record then tells. Raises NotFound, Forbidden, Conflict when it was not given yet, was taken already, or is not what was read.
    """
    actor = session.principal
    row = _locked(conn, actor, record_id)
    if row.given_at is None:
        raise Conflict("it was not given yet")
    if row.taken_at is not None:
        raise Conflict("it was taken already; add a remark")
    if not actor.sees(row.area_path):
        raise NotFound("there is no such record in your scope")
    if bytes(row.sha256).hex() != sha256:
        raise Conflict("this is not what was read; read it again")
    comes = _comes(conn, actor, _queries.record(conn, record_id=record_id), now)
    if not comes and not _is_above(actor, row):
        raise Forbidden("whoever comes has the role of who goes, and a shift at this desk that runs or begins soon")
    if not comes and not reason:
        raise Invalid("who takes it for the one who comes says why")
    if session.session_id == row.given_session:
        raise Forbidden("each confirms in a session of his own")
    independence.check_independent(conn, row.giver_id, actor.user_id, now, acted_at=row.given_at)
    _queries.take_record(
        conn,
        record_id=record_id,
        taker_id=actor.user_id,
        taken_at=now,
        taken_session=session.session_id,
        taking_note=None if comes else reason,
    )
    told = {"sha256": sha256} if comes else {"sha256": sha256, "instead": str(reason)}
    _note(conn, "taken", actor, row, address=address, detail=told)
    return detail(conn, actor, record_id, now=now)


def remark(
    conn: Connection[Any], actor: Principal, record_id: int, *, note: str, now: datetime, address: str
) -> RecordDetail:
    """Add something to a record that was given. Raises NotFound, Conflict."""
    row = _locked(conn, actor, record_id)
    if row.given_at is None:
        raise Conflict("it was not given yet")
    _queries.insert_remark(conn, record_id=record_id, at=now, actor_id=actor.user_id, note=note)
    _note(conn, "remarked", actor, row, address=address, detail={})
    return detail(conn, actor, record_id, now=now)


def page(
    conn: Connection[Any], user: Principal, which: Which, *, now: datetime, before: int | None = None, count: int = 50
) -> list[ShiftRecord]:
    """Records, the newest first."""
    rows = _queries.records(
        conn,
        scope=user.area_path,
        account_id=user.user_id,
        role=user.role.value,
        which=which.value,
        now=now,
        soon=now + GRACE,
        before=before,
        count=count,
    )
    return [_view(conn, row, user, now) for row in rows]


def detail(conn: Connection[Any], user: Principal, record_id: int, *, now: datetime) -> RecordDetail:
    """Raises NotFound, also outside of the person's scope."""
    row = _queries.record(conn, record_id=record_id)
    if row is None or not _sees(user, row):
        raise NotFound("there is no such record in your scope")
    text: str = row.contents if row.contents is not None else canonical(contents(conn, row.area_path, now=now))
    return RecordDetail(
        record=_view(conn, row, user, now),
        contents=json.loads(text),
        intact=row.sha256 is None or (digest(text) == bytes(row.sha256) and _tells(row, json.loads(text))),
        remarks=[Remark(**each._asdict()) for each in _queries.remarks(conn, record_id=record_id)],
    )


def _locked(conn: Connection[Any], user: Principal, record_id: int) -> Any:
    seen = _queries.record(conn, record_id=record_id)
    if seen is None or not _sees(user, seen):
        raise NotFound("there is no such record in your scope")
    return _queries.lock_record(conn, record_id=record_id)


def _sees(user: Principal, row: Any) -> bool:
    """Whoever gave or took it keeps what was given; how things stand now is for who is there."""
    return user.sees(row.area_path) or (row.given_at is not None and user.user_id in {row.giver_id, row.taker_id})


def _comes(conn: Connection[Any], user: Principal, row: Any, now: datetime) -> bool:
    follows: bool = _queries.follows(conn, record_id=row.id, account_id=user.user_id, now=now, soon=now + GRACE)
    return follows and row.given_as == user.role


def _is_above(user: Principal, row: Any) -> bool:
    return user.role is Role.DUTY_CHIEF and user.sees(row.area_path) and user.area_path != row.area_path


def _tells(row: Any, contents: dict[str, Any]) -> bool:
    """Whether the columns are what was hashed; records of before the columns were part of it are what their text is."""
    told = contents.get("record")
    if told is None:
        return True
    kept = {name: getattr(row, name) for name in (*IDENTIFYING, "given_at", "giver_role", "words", "ledger_position")}
    kept["ledger"] = None if row.ledger is None else bytes(row.ledger).hex()
    return bool(json.loads(canonical(kept)) == told)


def _note(
    conn: Connection[Any], what: str, actor: Principal, row: Any, *, address: str, detail: dict[str, str]
) -> None:
    audit.write(
        conn,
        f"shift_record.{what}",
        f"shift_record:{row.id}",
        actor=actor,
        area_path=row.area_path,
        address=address,
        detail=detail,
    )


def _view(conn: Connection[Any], row: Any, user: Principal, now: datetime) -> ShiftRecord:
    is_giver = row.giver_id == user.user_id
    waits = not is_giver and row.given_at is not None and row.taken_at is None and user.sees(row.area_path)
    comes = waits and _comes(conn, user, row, now)
    instead = waits and not comes and _is_above(user, row)
    return ShiftRecord(
        id=row.id,
        shift_id=row.shift_id,
        area_code=row.area_code,
        area_name=row.area_name,
        kind=DutyKind(row.kind),
        ends_at=row.ends_at,
        due_at=row.due_at,
        giver=row.giver,
        given_at=row.given_at,
        taker=row.taker,
        taken_at=row.taken_at,
        words=row.words,
        sha256=None if row.sha256 is None else bytes(row.sha256).hex(),
        ledger_position=row.ledger_position,
        ledger=None if row.ledger is None else bytes(row.ledger).hex(),
        overdue=row.taken_at is None and row.due_at <= now,
        may_give=is_giver and row.given_at is None,
        may_take=comes or instead,
        needs_reason=instead,
        taken_instead=row.taking_note,
    )

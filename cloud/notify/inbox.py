"""What a person was told, as threads of the page; what he wants; and who was, or would be, told of a case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Self

from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases.model import STAGE_OF, CaseStatus
from cloud.drills import store as drills
from cloud.errors import Invalid, NotFound
from cloud.notify import store
from cloud.notify.model import (
    Audience,
    Because,
    ChannelKind,
    DeliveryState,
    Failure,
    Happening,
    Manner,
    Preference,
    Urgency,
)
from cloud.notify.planner import Roster, decisions_for, those_called
from cloud.notify.rules import RULES, SILENT
from cloud.notify.store import queries
from edge.contract.incident import Severity

OF_A_CASE = 200
PRUNED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeThread:
    """The newest that a person was told of one case, or of several together. `news` is how much there is in it, `unseen` how much of it is new.

    `drill_id` and its name: what tells that a drill is over, `cases` then is how many it made.
    """

    id: int
    case_id: int | None
    word: str
    urgency: Urgency
    manner: Manner
    cases: int
    number: str | None
    kind: str | None
    category: str | None
    severity: Severity | None
    status: CaseStatus | None
    area_code: str | None
    area_name: str | None
    drill: bool
    simulated: bool
    created_at: datetime
    news: int
    unseen: int
    drill_id: int | None
    drill_name: str | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the queries."""
        return cls(
            id=row.id,
            case_id=row.case_id,
            word=row.word,
            urgency=Urgency(row.urgency),
            manner=Manner(row.manner),
            cases=row.cases,
            number=row.number,
            kind=row.kind,
            category=row.category,
            severity=Severity(row.severity) if row.severity is not None else None,
            status=CaseStatus(row.status) if row.status is not None else None,
            area_code=row.area_code,
            area_name=row.area_name,
            drill=row.drill,
            simulated=row.simulated,
            created_at=row.created_at,
            news=row.news,
            unseen=row.unseen,
            drill_id=row.drill_id,
            drill_name=row.drill_name,
        )


@dataclass(frozen=True, slots=True)
class DeliveryShown:
    """How far a notice came on one channel."""

    kind: ChannelKind
    label: str
    state: DeliveryState
    attempts: int
    failure: Failure | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ToldPerson:
    """Who was told of a case, of what, how, why so, and how far it came. In the page a notice is there at once; `seen_at` says whether it was read."""

    id: int
    account_id: int
    display_name: str
    role: Role
    word: str
    audience: Audience | None
    manner: Manner
    because: Because
    created_at: datetime
    seen_at: datetime | None
    gather_at: datetime | None
    deliveries: Sequence[DeliveryShown]


@dataclass(frozen=True, slots=True)
class WouldBeTold:
    """Who would be told of a fact about a case now, and how. `is_reachable`: he has a channel outside of the page."""

    account_id: int
    display_name: str
    role: Role
    audience: Audience | None
    urgency: Urgency
    on_duty: bool
    manner: Manner
    because: Because
    gather_at: datetime | None
    is_reachable: bool


def threads(conn: Connection[Any], user: Principal, *, before: int, count: int) -> list[NoticeThread]:
    """A person's own threads, the newest first."""
    return [NoticeThread.of(row) for row in queries.threads(conn, account_id=user.user_id, before=before, count=count)]


def unseen(conn: Connection[Any], user: Principal) -> int:
    """How many threads have something new for a person."""
    count: int = queries.count_unseen(conn, account_id=user.user_id)
    return count


def see(
    conn: Connection[Any], user: Principal, *, upto: int, case_id: int | None, now: datetime, alone: bool = False
) -> None:
    """Mark one's own notices up to an id as seen: all, those of one case, or that one `alone`. What came after stays new."""
    if alone:
        queries.see_one(conn, account_id=user.user_id, notice_id=upto, now=now)
    elif case_id is None:
        queries.see_upto(conn, account_id=user.user_id, upto=upto, now=now)
    else:
        queries.see_case(conn, account_id=user.user_id, case_id=case_id, upto=upto, now=now)


def preference(conn: Connection[Any], user: Principal) -> Preference:
    """What a person wants."""
    return store.preferences(conn, [user.user_id]).get(user.user_id, Preference())


def prefer(conn: Connection[Any], user: Principal, wanted: Preference, *, now: datetime) -> None:
    """Keep what a person wants. Raises Invalid."""
    if (wanted.quiet_from is None) != (wanted.quiet_to is None):
        raise Invalid("quiet hours have a beginning and an end")
    if wanted.quiet_from is not None and wanted.quiet_from == wanted.quiet_to:
        raise Invalid("quiet hours end at another time than they begin")
    queries.put_preference(
        conn,
        account_id=user.user_id,
        quiet_from=wanted.quiet_from,
        quiet_to=wanted.quiet_to,
        digest_min=wanted.digest_min,
        language=wanted.language,
        now=now,
    )


def told_of(conn: Connection[Any], user: Principal, case_id: int) -> list[ToldPerson]:
    """Who was told of a case, the newest first. Raises NotFound outside of the person's scope."""
    _case(conn, user, case_id)
    return [_told(row) for row in queries.told_of_case(conn, case_id=case_id, count=OF_A_CASE)]


def would_be_told(
    conn: Connection[Any],
    user: Principal,
    case_id: int,
    word: str,
    *,
    roster: Roster,
    zone: tzinfo,
    now: datetime,
) -> list[WouldBeTold]:
    """Who would be told if this happened to a case now, and how; nobody is. Raises NotFound, Invalid."""
    row = _case(conn, user, case_id)
    if word not in RULES and word not in SILENT:
        raise Invalid("no fact has that word")
    happening = Happening(
        word=word,
        status=CaseStatus(row.status),
        severity=Severity(row.severity),
        area_path=row.area_path,
        late=row.late,
        holder_id=row.worker_id,
        checker_id=row.checker_id,
        handler_id=row.handler_id,
        offered_ids=frozenset(row.offered_ids),
    )
    bounds = drills.bounds(conn, case_id)
    people, _ = those_called(conn, happening, roster=roster, now=now, bounds=bounds)
    if not people:
        return []
    fact = _Fact(
        row.id, row.kind, row.severity, row.status, word, _reason(word, CaseStatus(row.status)), bounds is not None
    )
    decided = decisions_for(conn, fact, people, zone=zone, now=now)
    names = {each.id: each for each in queries.names_of(conn, account_ids=[who.account_id for who in people])}
    return [
        WouldBeTold(
            account_id=who.account_id,
            display_name=names[who.account_id].display_name,
            role=Role(names[who.account_id].role),
            audience=who.audience,
            urgency=who.urgency,
            on_duty=who.on_duty,
            manner=decision.manner,
            because=decision.because,
            gather_at=decision.gather_at,
            is_reachable=names[who.account_id].is_reachable,
        )
        for who, decision in decided
    ]


def prune(conn: Connection[Any], *, before: datetime) -> int:
    """Forget notices from before a time, at most `PRUNED_AT_ONCE`; how many went. What gathered others stays until they go."""
    gone: int = queries.prune_notices(conn, before=before, count=PRUNED_AT_ONCE)
    return gone


@dataclass(frozen=True, slots=True)
class _Fact:
    case_id: int
    kind: str
    severity: str
    status: str
    word: str
    reason: str | None
    drill: bool


def _reason(word: str, status: CaseStatus) -> str | None:
    """A deadline that passes now is that of the stage in which the case is."""
    stage = STAGE_OF[status]
    return stage.value if word.startswith("deadline_") and stage is not None else None


def _case(conn: Connection[Any], user: Principal, case_id: int) -> Any:
    row = queries.case_for_rehearsal(conn, case_id=case_id)
    if row is None or not user.sees(row.area_path):
        raise NotFound("there is no such case in your scope")
    return row


def _told(row: Any) -> ToldPerson:
    return ToldPerson(
        id=row.id,
        account_id=row.account_id,
        display_name=row.display_name,
        role=Role(row.role),
        word=row.word,
        audience=Audience(row.audience) if row.audience is not None else None,
        manner=Manner(row.manner),
        because=Because(row.because),
        created_at=row.created_at,
        seen_at=row.seen_at,
        gather_at=row.gather_at,
        deliveries=[
            DeliveryShown(
                kind=ChannelKind(each["kind"]),
                label=each["label"],
                state=DeliveryState(each["state"]),
                attempts=each["attempts"],
                failure=Failure(each["failure"]) if each["failure"] is not None else None,
                ended_at=datetime.fromisoformat(each["ended_at"]) if each["ended_at"] is not None else None,
            )
            for each in row.deliveries
        ],
    )

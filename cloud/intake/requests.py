"""How far a report is, for whoever handed it in or asked for it and sees no case; and his rating. Takes the caller's transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.cases import service as cases
from cloud.cases.model import CaseStatus
from cloud.cases.standing import REOPEN_WINDOW, has_rated
from cloud.db.queries import load
from cloud.errors import NotFound
from cloud.intake import retention
from cloud.intake.model import PROGRESS_OF, Progress

_queries = load("cloud.intake")

LINK_LASTS = 2 * REOPEN_WINDOW
_NO_LINK = "this link leads nowhere, or no longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far it is; `due_at` is when the present step is to be done.

    Number, progress and times are those of the case that took it in, where it was merged; what and where, and the rating, are
    what this reporter told himself: others may have said more. `is_rated`: by him, since it was closed.
    """

    number: str
    progress: Progress
    category_code: str | None
    name_zh: str | None
    name_en: str | None
    title: str | None
    address: str | None
    longitude: float | None
    latitude: float | None
    opened_at: datetime
    moved_at: datetime
    due_at: datetime | None
    rating: int | None
    is_rated: bool

    @property
    def is_open(self) -> bool:
        """Whether somebody has yet to do something."""
        return self.progress not in {Progress.CLOSED, Progress.REJECTED}


def of_report(conn: Connection[Any], report_id: UUID) -> Standing:
    """How far a report is. The caller has looked whose it is."""
    return _standing(conn, _queries.told_of(conn, report_id=report_id, link=None))


def of_link(conn: Connection[Any], link: str) -> Standing:
    """How far it is, by the unguessable link. Raises NotFound."""
    told = _queries.told_of(conn, report_id=None, link=link)
    if told is None:
        raise NotFound(_NO_LINK)
    return _standing(conn, told)


def rate(conn: Connection[Any], link: str, rating: int, *, now: datetime, address: str) -> Standing:
    """Take the rating of whoever holds the link. Raises NotFound, TransitionRefused (not closed, or rated already)."""
    report = _queries.report_of_link(conn, link=link)
    if report is None:
        raise NotFound(_NO_LINK)
    case_id = _queries.followed(conn, case_id=report.case_id).id
    cases.rate_by_requester(conn, case_id, rating, rated_at=report.rated_at, now=now, address=address)
    _queries.rate_report(conn, id=report.id, rating=rating, rated_at=now)
    return of_link(conn, link)


def forget(conn: Connection[Any], *, now: datetime, count: int) -> int:
    """Let links end, and forget what residents wrote, when their cases are over for long; how many that were."""
    links: int = _queries.forget_links(conn, before=now - LINK_LASTS)
    return links + retention.forget_words(conn, now=now, count=count)


def _standing(conn: Connection[Any], told: Any) -> Standing:
    case = _queries.followed(conn, case_id=told.case_id)
    return Standing(
        number=case.number,
        progress=PROGRESS_OF[CaseStatus(case.status)],
        category_code=told.category_code,
        name_zh=told.name_zh,
        name_en=told.name_en,
        title=told.title,
        address=told.address,
        longitude=told.longitude,
        latitude=told.latitude,
        opened_at=told.opened_at,
        moved_at=max(at for at in (told.opened_at, told.moved_at, case.moved_at) if at is not None),
        due_at=case.due_at,
        rating=told.rating,
        is_rated=has_rated(case.ended_at, told.rated_at),
    )

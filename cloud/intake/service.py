"""Reports become cases, once each. One use case is one transaction of the caller's connection."""

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, Role, codes_of
from cloud.cases import service as cases
from cloud.cases import store
from cloud.cases.model import CaseOrigin, CaseStatus, HistoryAction
from cloud.db.queries import load
from cloud.drills import store as drills
from cloud.errors import Conflict, Forbidden, NotFound
from cloud.intake import categories
from cloud.intake.model import Report, moment
from cloud.intake.personal import without_numbers
from cloud.intake.placing import place

_queries = load("cloud.intake")

KIND = "report"
"""The kind of a case that no machine found."""

ORIGINS_OF: dict[Role, frozenset[CaseOrigin]] = {
    Role.GRID_WORKER: frozenset({CaseOrigin.PATROL}),
    Role.GRID_LEAD: frozenset({CaseOrigin.PATROL}),
    Role.INTAKE_CLERK: frozenset({CaseOrigin.REQUEST, CaseOrigin.HOTLINE}),
    Role.DISPATCHER: frozenset({CaseOrigin.REQUEST, CaseOrigin.HOTLINE}),
    Role.DUTY_CHIEF: frozenset({CaseOrigin.PATROL, CaseOrigin.REQUEST, CaseOrigin.HOTLINE}),
    Role.ADMINISTRATOR: frozenset({CaseOrigin.PATROL, CaseOrigin.REQUEST, CaseOrigin.HOTLINE}),
}
"""Who reports what. Machines: see `MACHINE_ORIGINS`."""

MACHINE_ORIGINS = frozenset({CaseOrigin.HOTLINE, CaseOrigin.PLATFORM, CaseOrigin.REQUEST})
_WITH_LINK = frozenset({CaseOrigin.REQUEST, CaseOrigin.HOTLINE, CaseOrigin.PLATFORM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who hands it in: a person, or another program by its key."""

    scope: str
    person: Principal | None = None
    key_id: int | None = None
    key_name: str | None = None

    @property
    def owner(self) -> dict[str, int | None]:
        """Whose the report is."""
        return {"key_id": self.key_id, "account_id": self.person.user_id if self.person is not None else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What whoever handed it in is told. `link` is the end of the address for whoever asked for it; `is_new`: not sent before."""

    id: UUID
    case_id: int
    number: str
    link: str | None
    received_at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """When and from where a report came, with the key by which its sender knows it again."""

    idempotency_key: str
    now: datetime
    zone: ZoneInfo
    address: str


def check_origin(person: Principal, report: Report) -> None:
    """Raise Forbidden where a person does not report such things."""
    if report.origin not in ORIGINS_OF.get(person.role, frozenset()):
        raise Forbidden(f"the role {person.role} does not report what comes from {report.origin}")


def take_in(conn: Connection[Any], reporter: Reporter, report: Report, arrival: Arrival) -> Receipt:
    """Open a case for a report, or answer as before where the same one was sent before.

    A case is opened whatever else goes on near it: two of one thing are merged by people. Raises NotFound (no such area in the
    reporter's scope), Invalid (no such category), Forbidden (no drill runs there to report into), Conflict (the key was used for
    something else).
    """
    body = _digest(report)
    owner = reporter.owner
    for _ in _queries.lock_key(conn, key=f"{owner} {arrival.idempotency_key}"):
        pass
    known = _queries.report_of_key(conn, idempotency_key=arrival.idempotency_key, **owner)
    if known is not None:
        if not hmac.compare_digest(bytes(known.body_sha256), body):
            raise Conflict("this Idempotency-Key came with another report before")
        return _receipt(conn, known, is_new=False)
    when = moment(report, received_at=arrival.now)
    report_id = uuid4()
    case_id = _open(conn, reporter, report, report_id, arrival)
    link = secrets.token_urlsafe(24) if report.origin in _WITH_LINK else None
    _queries.insert_report(
        conn,
        id=report_id,
        case_id=case_id,
        idempotency_key=arrival.idempotency_key,
        body_sha256=body,
        external_id=report.external_id,
        link=link,
        occurred_at=when.occurred_at,
        told_at=when.told_at,
        skew_s=when.skew_s,
        received_at=arrival.now,
        **owner,
    )
    return _receipt(conn, _queries.report(conn, id=report_id, **owner), is_new=True)


def receipt(conn: Connection[Any], reporter: Reporter, report_id: UUID) -> Receipt:
    """What was told when it was handed in. Raises NotFound for those of others."""
    known = _queries.report(conn, id=report_id, **reporter.owner)
    if known is None:
        raise NotFound("you handed in no such report")
    return _receipt(conn, known, is_new=False)


def _open(conn: Connection[Any], reporter: Reporter, report: Report, report_id: UUID, arrival: Arrival) -> int:
    when = moment(report, received_at=arrival.now)
    category = categories.find(conn, report.category_code)
    area_code, area_path = place(conn, report, reporter.scope)
    drill_id = _drill_of(conn, report, area_path, arrival.now)
    severity = (report.severity or category.severity).value
    case_id = store.open_case(
        conn,
        store.NewCase(
            number=store.next_number(conn, codes_of(area_path)[0], arrival.now, arrival.zone),
            correlation_key=f"{KIND}/{report_id}",
            kind=KIND,
            category=category.category,
            severity=severity,
            area_code=area_code,
            area_path=area_path,
            node=None,
            device=None,
            device_id=None,
            device_kind=None,
            spot=None,
            opened_at=arrival.now,
            started_at=when.occurred_at,
            last_activity_at=when.occurred_at,
            late=False,
            simulated=False,
            origin=report.origin,
            drill=report.drill,
            category_code=category.code,
            title=without_numbers(report.title),
            description=without_numbers(report.description),
            longitude=report.longitude,
            latitude=report.latitude,
            address=without_numbers(report.address),
        ),
    )
    if drill_id is not None:
        drills.mark_case(conn, case_id, drill_id)
    store.add_event(
        conn,
        case_id,
        HistoryAction.OPENED,
        at=arrival.now,
        actor_id=reporter.person.user_id if reporter.person is not None else None,
        to_status=CaseStatus.REPORTED,
        severity=severity,
    )
    audit.write(
        conn,
        "report.taken",
        f"case:{case_id}",
        actor=reporter.person,
        actor_name=f"key:{reporter.key_name}" if reporter.key_name is not None else None,
        area_path=area_path,
        address=arrival.address,
        detail={"origin": report.origin.value, "report": str(report_id), "drill": report.drill},
    )
    cases.announce(conn, case_id, "case.opened")
    return case_id


def _drill_of(conn: Connection[Any], report: Report, area_path: str, now: datetime) -> int | None:
    """The drill into which something is reported. Raises Forbidden where none runs that takes reports: without one there are no bounds."""
    if not report.drill:
        return None
    drill_id = drills.for_reports(conn, area_path, now=now)
    if drill_id is None:
        raise Forbidden("no drill runs there into which people report; where it is real, report it without that mark")
    return drill_id


def _receipt(conn: Connection[Any], row: Any, *, is_new: bool) -> Receipt:
    followed = _queries.followed(conn, case_id=row.case_id)
    return Receipt(
        id=row.id,
        case_id=row.case_id,
        number=followed.number,
        link=row.link,
        received_at=row.received_at,
        is_new=is_new,
    )


def _digest(report: Report) -> bytes:
    """The same for the same report: what the phone's clock says when it sends again is no other report."""
    words = {name: value for name, value in asdict(report).items() if name != "sent_at"}
    return hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode()).digest()


def of_person(person: Principal) -> Reporter:
    """A person who reports."""
    return Reporter(scope=person.area_path, person=person)

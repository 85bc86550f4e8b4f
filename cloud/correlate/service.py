"""Incident → case: the one use case of correlation, inside the transaction of ingest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from psycopg import Connection

from cloud.access import areas
from cloud.cases import service as cases
from cloud.cases import store
from cloud.cases.model import OPEN_STATUSES, CaseStatus, HistoryAction
from cloud.correlate import policy
from cloud.correlate.model import IncidentReport
from cloud.correlate.policy import CaseFacts
from cloud.evidence import store as evidence
from cloud.maintenance import faults
from cloud.maintenance.policy import belongs
from cloud.settings import CloudSettings
from edge.contract.incident import Incident, Severity

_OPEN = {status.value for status in OPEN_STATUSES}
_FUTURE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNPLACED = "000000"


@dataclass(frozen=True, slots=True)
class CorrelationRules:
    """The figures that an operator may set."""

    window: timedelta
    late_ring: timedelta
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: CloudSettings) -> "CorrelationRules":
        """The rules as the environment sets them."""
        return cls(timedelta(seconds=settings.fold_window_s), timedelta(seconds=settings.late_ring_s), settings.zone)


DEFAULT_RULES = CorrelationRules(timedelta(minutes=10), timedelta(days=1), ZoneInfo("Asia/Shanghai"))


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A report under the rules; `incident` is its believable form."""

    report: IncidentReport
    incident: Incident
    rules: CorrelationRules

    @property
    def rings(self) -> bool:
        return policy.rings(
            self.incident,
            historical=self.report.historical,
            taken_at=self.report.taken_at or self.report.received_at,
            late_ring=self.rules.late_ring,
        )

    @property
    def columns(self) -> dict[str, Any]:
        """What the store keeps of the report beside the incident."""
        return {
            "device_id": self.report.device_id,
            "historical": self.report.historical,
            "received_at": self.report.received_at,
        }


def receive(conn: Connection[Any], report: IncidentReport, rules: CorrelationRules = DEFAULT_RULES) -> None:
    """Take in one revision of an incident. For several in one transaction use `receive_all`."""
    receive_all(conn, [report], rules)


def receive_all(
    conn: Connection[Any], reports: Sequence[IncidentReport], rules: CorrelationRules = DEFAULT_RULES
) -> int:
    """Take in revisions, in one transaction of the caller; of how many the times could not be comes back.

    All locks are taken first and in one order, then cases are worked on district by district: two batches that meet wait
    for each other and can't deadlock. Of several revisions of an incident the highest comes first: what is over does not ring
    because its beginning was read before its end. A revision that is already here changes nothing. Each case touched is told once.
    Faults of devices become part of a work order and of no case.
    """
    if not reports:
        return 0
    keys = {report.key for report in reports}
    keys |= {faults.lock_key(report.node) for report in reports if belongs(report.incident)}
    store.lock_keys(conn, sorted(keys))
    touched: dict[int, str] = {}
    clamped = 0
    first = {report.incident.incident_id: place for place, report in reversed(list(enumerate(reports)))}

    def order(report: IncidentReport) -> tuple[str, bool, str, int, int]:
        place = first[report.incident.incident_id]
        return report.district or "", belongs(report.incident), report.key, place, -report.incident.revision

    for report in sorted(reports, key=order):
        arrival = _Arrival(report, _believable(report.incident, report.received_at), rules)
        clamped += _times(arrival.incident) != _times(report.incident)
        case_id, opened = _receive_one(conn, arrival)
        if case_id is not None:
            touched[case_id] = "case.opened" if opened else touched.get(case_id, "case.updated")
    for case_id, kind in sorted(touched.items()):
        cases.announce(conn, case_id, kind)
    return clamped


def _times(incident: Incident) -> tuple[datetime | None, ...]:
    return incident.started_at, incident.updated_at, incident.ended_at


def _receive_one(conn: Connection[Any], arrival: _Arrival) -> tuple[int | None, bool]:
    """The case that was touched, if any, and whether it was opened."""
    report, incident = arrival.report, arrival.incident
    known = store.known(conn, report.node, incident.incident_id)
    if belongs(incident) if known is None else known.order_id is not None:
        faults.receive(conn, _fault(arrival))
        return None, False
    if known is None or known.case_id is None:
        return _new_incident(conn, arrival)
    if not _add_revision(conn, arrival, known.row_id):
        return None, False
    is_newest = store.update_incident(conn, known.row_id, incident, **arrival.columns)
    case = _facts(store.facts(conn, known.case_id))
    if policy.outgrows(case, incident):
        return _continue_elsewhere(conn, arrival, known.row_id, case)
    # a lower revision that comes late adds its severity and span, but what it says of "now" is over: it never rings
    absorbed = policy.absorb(case, incident, aloud=is_newest and arrival.rings)
    _keep(conn, report, absorbed, is_new_incident=False, row_id=known.row_id)
    return known.case_id, False


def _fault(arrival: _Arrival) -> faults.Fault:
    report = arrival.report
    return faults.Fault(
        node=report.node,
        device_id=report.device_id,
        device_kind=report.device_kind,
        area_code=report.grid_code,
        district=report.district,
        incident=arrival.incident,
        raw=report.raw,
        historical=report.historical,
        received_at=report.received_at,
        zone=arrival.rules.zone,
    )


def _new_incident(conn: Connection[Any], arrival: _Arrival) -> tuple[int, bool]:
    case, opened = _place(conn, arrival)
    row_id = store.insert_incident(
        conn, arrival.incident, node=arrival.report.node, case_id=case.case_id, **arrival.columns
    )
    _add_revision(conn, arrival, row_id)
    _join(conn, arrival, row_id, case, opened=opened)
    return case.case_id, opened


def _add_revision(conn: Connection[Any], arrival: _Arrival, row_id: int) -> bool:
    """Keep the bytes and the files that they name; False when that revision is already here."""
    report = arrival.report
    added = store.add_revision(
        conn,
        row_id,
        report.incident.revision,
        report.raw,
        historical=report.historical,
        received_at=report.received_at,
    )
    if added:
        evidence.name_files(conn, report.node, row_id, arrival.incident.evidence)
    return added


def _continue_elsewhere(conn: Connection[Any], arrival: _Arrival, row_id: int, settled: CaseFacts) -> tuple[int, bool]:
    """A known incident outgrew its settled case: it goes on in an open one, and both histories say so."""
    case, opened = _place(conn, arrival)
    store.add_event(
        conn,
        settled.case_id,
        HistoryAction.CONTINUED,
        at=arrival.report.received_at,
        severity=arrival.incident.severity.value,
        incident_row_id=row_id,
    )
    _join(conn, arrival, row_id, case, opened=opened)
    cases.announce(conn, settled.case_id, "case.updated")
    return case.case_id, opened


def _place(conn: Connection[Any], arrival: _Arrival) -> tuple[CaseFacts, bool]:
    """The case for an incident, and whether it had to be opened."""
    window = arrival.rules.window
    near = [_facts(row) for row in store.open_cases_near(conn, arrival.report.key, arrival.incident, window)]
    chosen = policy.choose(arrival.incident, near, window=window)
    return (chosen, False) if chosen is not None else (_open(conn, arrival), True)


def _open(conn: Connection[Any], arrival: _Arrival) -> CaseFacts:
    report, incident = arrival.report, arrival.incident
    area = areas.find(conn, report.grid_code) if report.grid_code is not None else None
    if area is None and report.district is not None:
        area = areas.find(conn, report.district)
    district = area.ancestry[0] if area is not None else report.district or _UNPLACED
    late = not arrival.rings
    end = policy.activity_end(incident)
    case_id = store.open_case(
        conn,
        store.NewCase(
            number=store.next_number(conn, district, report.received_at, arrival.rules.zone),
            correlation_key=report.key,
            kind=incident.kind,
            category=incident.category,
            severity=incident.severity.value,
            area_code=area.code if area is not None else None,
            area_path=area.path if area is not None else "",
            node=report.node,
            device=incident.device,
            device_id=report.device_id,
            device_kind=report.device_kind,
            spot=incident.spot,
            opened_at=report.received_at,
            started_at=incident.started_at,
            last_activity_at=end,
            late=late,
            simulated=incident.simulated,
        ),
    )
    return CaseFacts(
        case_id=case_id,
        is_open=True,
        severity=incident.severity,
        started_at=incident.started_at,
        last_activity_at=end,
        late=late,
        simulated=incident.simulated,
    )


def _join(conn: Connection[Any], arrival: _Arrival, row_id: int, case: CaseFacts, *, opened: bool) -> None:
    report, incident = arrival.report, arrival.incident
    store.join_case(conn, case.case_id, row_id, at=report.received_at)
    if opened:
        store.add_event(
            conn,
            case.case_id,
            HistoryAction.OPENED,
            at=report.received_at,
            to_status=CaseStatus.REPORTED,
            severity=incident.severity.value,
            incident_row_id=row_id,
        )
        return
    absorbed = policy.absorb(case, incident, aloud=arrival.rings)
    _keep(conn, report, absorbed, is_new_incident=True, row_id=row_id)


def _keep(
    conn: Connection[Any], report: IncidentReport, absorbed: policy.Absorbed, *, is_new_incident: bool, row_id: int
) -> None:
    """Write what a revision changed in its case, with the history that people need to see."""
    facts = absorbed.facts
    is_news = is_new_incident or absorbed.raised or absorbed.rang
    if absorbed.changed or is_news:
        store.update_facts(
            conn,
            facts.case_id,
            severity=facts.severity.value,
            started_at=facts.started_at,
            last_activity_at=facts.last_activity_at,
            late=facts.late,
            simulated=facts.simulated,
            is_news=is_news,
        )
    steps = [HistoryAction.INCIDENT_ADDED] * is_new_incident + [HistoryAction.SEVERITY_RAISED] * absorbed.raised
    for step in steps:
        store.add_event(
            conn,
            facts.case_id,
            step,
            at=report.received_at,
            severity=facts.severity.value if step is HistoryAction.SEVERITY_RAISED else None,
            incident_row_id=row_id,
        )


def _facts(row: Any) -> CaseFacts:
    return CaseFacts(
        case_id=row.id,
        is_open=row.status in _OPEN,
        severity=Severity(row.severity),
        started_at=row.started_at,
        last_activity_at=row.last_activity_at,
        late=row.late,
        simulated=row.simulated,
    )


def _believable(incident: Incident, received_at: datetime) -> Incident:
    """The incident without times beyond now or before 1970, and without characters that no text column takes.

    One node's wrong clock must not stretch a case into the future, where it would swallow all that comes; and an offset at
    either end of the calendar makes a time that can be written but never read again. The raw bytes keep what was said.
    """

    def believable(instant: datetime) -> datetime:
        return max(_EPOCH, min(instant, received_at + _FUTURE))

    words = {name: getattr(incident, name) for name in ("unit", "note", "raw_code")}
    return msgspec.structs.replace(
        incident,
        started_at=believable(incident.started_at),
        updated_at=believable(incident.updated_at),
        ended_at=believable(incident.ended_at) if incident.ended_at is not None else None,
        evidence=tuple(
            msgspec.structs.replace(file, captured_at=believable(file.captured_at)) for file in incident.evidence
        ),
        views=tuple(
            view
            if view.captured_at is None
            else msgspec.structs.replace(view, captured_at=believable(view.captured_at))
            for view in incident.views
        ),
        model=_cleaned(incident.model),
        rule=_cleaned(incident.rule),
        **{name: value.replace("\x00", "\ufffd") if value is not None else None for name, value in words.items()},
    )


def _cleaned(reference: Any) -> Any:
    if reference is None:
        return None
    return msgspec.structs.replace(reference, version=reference.version.replace("\x00", "\ufffd"))

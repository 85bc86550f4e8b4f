"""Incident → case: the one use case of correlation, inside the transaction of ingest."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg import Connection

from cloud.cases import service as cases
from cloud.cases import steps, store
from cloud.cases.model import HistoryAction
from cloud.correlate import admission_rules, candidates, exercising, folding, placing, policy
from cloud.correlate.arrival import Arrival
from cloud.correlate.candidates import NOWHERE
from cloud.correlate.folding import Candidate
from cloud.correlate.model import IncidentReport
from cloud.correlate.rules import DEFAULT_RULES, CorrelationRules
from cloud.drills import store as drills
from cloud.drills.model import Exercise
from cloud.evidence import store as evidence
from cloud.maintenance import faults
from cloud.maintenance.policy import belongs

__all__ = ["DEFAULT_RULES", "CorrelationRules", "receive", "receive_all"]


def receive(conn: Connection[Any], report: IncidentReport, rules: CorrelationRules = DEFAULT_RULES) -> None:
    """Take in one revision of an incident. For several in one transaction use `receive_all`."""
    receive_all(conn, [report], rules)


def receive_all(
    conn: Connection[Any], reports: Sequence[IncidentReport], rules: CorrelationRules = DEFAULT_RULES
) -> int:
    """Take in revisions, in one transaction of the caller; of how many the times could not be comes back.

    All locks are taken first and in one order (mergers, keys, cases by their ids), then cases are worked on district by district: two
    batches that meet, or a batch and a merger, wait for each other and can't deadlock. Within a district what began first comes first, whatever the order of the batch. Of several
    revisions of an incident the highest comes first: what is over does not ring because its beginning was read before its end.
    A revision that is already here changes nothing. Each case touched is told once. Faults of devices become part of a work order
    and of no case; what no rule admits (事项准入) is kept and becomes none. What a drill's sources find for it stays apart from all that is real.
    """
    if not reports:
        return 0
    places = candidates.places(conn, [report.device_id for report in reports if report.device_id is not None])
    arrivals = [Arrival.of(report, rules, places.get(report.device_id or 0, NOWHERE)) for report in reports]
    store.lock_mergers(conn, alone=False)
    store.lock_keys(conn, sorted(set().union(*(_locks(arrival) for arrival in arrivals))))
    candidates.hold_all(conn, [(arrival.source, arrival.incident) for arrival in arrivals], rules.folding)
    admission = admission_rules.in_force(conn)
    exercises = exercising.during(conn, arrivals)
    touched: dict[int, str] = {}
    for arrival in _in_order(arrivals):
        case_id, opened = _receive_one(conn, replace(arrival, admission=admission), exercises)
        if case_id is not None:
            touched[case_id] = "case.opened" if opened else touched.get(case_id, "case.updated")
    for case_id, kind in sorted(touched.items()):
        cases.announce(conn, case_id, kind)
    return sum(arrival.was_clamped for arrival in arrivals)


def _locks(arrival: Arrival) -> frozenset[str]:
    if belongs(arrival.incident):
        return arrival.source.locks | {faults.lock_key(arrival.report.node)}
    return arrival.source.locks


def _in_order(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """District by district; incidents by the beginning that their highest revision tells, and of each that revision first."""
    highest: dict[tuple[str, object], Arrival] = {}
    for arrival in arrivals:
        key = arrival.report.node, arrival.incident.incident_id
        if key not in highest or highest[key].incident.revision < arrival.incident.revision:
            highest[key] = arrival

    def order(arrival: Arrival) -> tuple[Any, ...]:
        node, incident = arrival.report.node, arrival.incident
        began_at = highest[node, incident.incident_id].incident.started_at
        is_fault = belongs(incident)
        return arrival.report.district or "", is_fault, began_at, node, incident.incident_id, -incident.revision

    return sorted(arrivals, key=order)


def _receive_one(conn: Connection[Any], arrival: Arrival, exercises: Sequence[Exercise]) -> tuple[int | None, bool]:
    """The case that was touched, if any, and whether it was opened. What is known stays real, or of its drill until it outlasts that."""
    report, incident = arrival.report, arrival.incident
    known = _known(conn, arrival)
    arrival, outlasts = _of_drill(conn, arrival, known, exercises)
    if belongs(incident) if known is None else known.order_id is not None:
        faults.receive(conn, replace(_fault(arrival), outlasts=outlasts))
        return None, False
    if known is None:
        return _new_incident(conn, arrival)
    if not _add_revision(conn, arrival, known.row_id):
        return None, False
    is_newest = store.update_incident(conn, known.row_id, incident, **arrival.columns)
    if outlasts:
        drills.release(conn, known.row_id)
    if known.case_id is None:
        return _once_unadmitted(conn, arrival, known.row_id)
    case = candidates.lock(conn, known.case_id)
    if outlasts or policy.outgrows(case.facts, incident) or folding.breaks_out(incident, case, arrival.rules.folding):
        return _continue_elsewhere(conn, arrival, known.row_id, case)
    # a lower revision that comes late adds its severity and span, but what it says of "now" is over: it never rings
    aloud = is_newest and arrival.rings
    absorbed = policy.absorb(case.facts, incident, aloud=aloud)
    placing.keep(conn, arrival, absorbed, row_id=known.row_id)
    if absorbed.changed:
        candidates.reach(conn, known.case_id, arrival.source, incident)
    if aloud and folding.was_never_gone(incident, case, arrival.rules.folding):
        steps.come_again(conn, known.case_id, at=report.received_at)
    return known.case_id, False


def _of_drill(
    conn: Connection[Any], arrival: Arrival, known: store.KnownIncident | None, exercises: Sequence[Exercise]
) -> tuple[Arrival, bool]:
    """The arrival with its drill, and whether it has outlasted the one that it was found for, so that it has none now."""
    if known is None:
        return replace(arrival, drill_id=exercising.drill_of(conn, arrival, exercises)), False
    if known.drill_id is not None and exercising.outlasts(conn, arrival, known.row_id):
        return arrival, True
    return replace(arrival, drill_id=known.drill_id), False


def _known(conn: Connection[Any], arrival: Arrival) -> store.KnownIncident | None:
    """The incident as it is here already, locked after its case: whoever merges two cases locks in that order as well."""
    node, incident_id = arrival.report.node, arrival.incident.incident_id
    case_id = store.case_of(conn, node, incident_id)
    while True:
        if case_id is not None:
            candidates.hold(conn, case_id)
        known = store.known(conn, node, incident_id)
        if known is None or known.case_id == case_id:
            return known
        case_id = known.case_id  # merged in between


def _new_incident(conn: Connection[Any], arrival: Arrival) -> tuple[int | None, bool]:
    area = arrival.area(conn) if arrival.admission else None
    refusing = admission_rules.refusing(arrival.admission, arrival.incident, area)
    if refusing is not None:
        unadmitted = store.Unadmitted(refusing.rule_id, area.path if area is not None else "")
        _add_revision(conn, arrival, _insert(conn, arrival, unadmitted=unadmitted))
        return None, False
    placed = placing.place(conn, arrival)
    row_id = _insert(conn, arrival, case_id=placed.case_id)
    _add_revision(conn, arrival, row_id)
    placing.join(conn, arrival, row_id, placed)
    return placed.case_id, placed.is_new


def _insert(
    conn: Connection[Any],
    arrival: Arrival,
    *,
    case_id: int | None = None,
    unadmitted: store.Unadmitted | None = None,
) -> int:
    row_id = store.insert_incident(
        conn, arrival.incident, node=arrival.report.node, case_id=case_id, unadmitted=unadmitted, **arrival.columns
    )
    if arrival.drill_id is not None:
        drills.mark_incident(conn, row_id, arrival.drill_id)
    return row_id


def _once_unadmitted(conn: Connection[Any], arrival: Arrival, row_id: int) -> tuple[int | None, bool]:
    """What became no case when it began has got worse since, or the rules have changed."""
    if admission_rules.refusing(arrival.admission, arrival.incident, arrival.area(conn)) is not None:
        return None, False
    placed = placing.place(conn, arrival)
    admission_rules.admit(conn, row_id, placed.case_id)
    placing.join(conn, arrival, row_id, placed)
    return placed.case_id, placed.is_new


def _fault(arrival: Arrival) -> faults.Fault:
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
        drill_id=arrival.drill_id,
    )


def _add_revision(conn: Connection[Any], arrival: Arrival, row_id: int) -> bool:
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


def _continue_elsewhere(
    conn: Connection[Any], arrival: Arrival, row_id: int, behind: Candidate
) -> tuple[int | None, bool]:
    """A known incident outgrew its settled or flooded case: it goes on in another, and both histories say so."""
    placed = placing.place(conn, arrival, out_of=behind)
    store.add_event(
        conn,
        behind.facts.case_id,
        HistoryAction.CONTINUED,
        at=arrival.report.received_at,
        severity=arrival.incident.severity.value,
        incident_row_id=row_id,
        named=store.Named(case_id=placed.case_id),
    )
    placing.join(conn, arrival, row_id, placed)
    cases.announce(conn, behind.facts.case_id, "case.updated")
    return placed.case_id, placed.is_new

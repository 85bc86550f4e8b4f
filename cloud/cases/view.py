"""What is shown of a case: the same shapes in lists, details and the live stream."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from cloud.cases.model import CaseAction, CaseOrigin, CaseStatus, Petition
from cloud.deadlines.clock import ClockState
from edge.contract.incident import EvidenceKind, IncidentState, Severity
from edge.contract.telemetry import from_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedArea:
    """An area by its code, with the name that it had when the case was opened."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDevice:
    """The device that a case came from; `id` is None where the registry does not know it."""

    id: int | None
    node: str
    device: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDepartment:
    """Who handles a case."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClock:
    """What a case waits for and until when (时限): its light is green, from `amber_at` on amber, from `due_at` on red.

    One that rests (`paused`) keeps the light that it had at `stopped_at`.
    """

    id: int
    stage: str
    state: ClockState
    started_at: datetime
    amber_at: datetime
    due_at: datetime
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """A case in a list. `picture` is the address of its newest stored snapshot; `late` cases did not ring.

    `device` is None where no machine found it. `worker` verifies it, or handles it himself; `drill`: part of an exercise.
    `clock` is the one that runs, or the last that rests; None where nothing is waited for any more.
    """

    id: int
    number: str
    kind: str
    category: str
    severity: Severity
    status: CaseStatus
    grid: NamedArea | None
    community: NamedArea | None
    street: NamedArea | None
    device: CaseDevice | None
    spot: str | None
    opened_at: datetime
    started_at: datetime
    last_activity_at: datetime
    incident_count: int
    ongoing: bool
    late: bool
    simulated: bool
    picture: str | None
    origin: CaseOrigin
    drill: bool
    title: str | None
    department: CaseDepartment | None
    worker: str | None
    suspended_until: datetime | None
    merged_into: int | None
    urged_at: datetime | None
    clock: CaseClock | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPosition:
    """Where the thing was at a time, as a box in normalised image coordinates."""

    at: datetime
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The model or rule that decided, by version and hash."""

    id: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """A file that an incident named; `url` answers once it is `stored`."""

    sha256: str
    kind: EvidenceKind
    mime: str
    bytes: int
    captured_at: datetime
    stored: bool
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """So many of a kind were to be seen, in a zone of the camera or, without one, in all of its picture."""

    label: str
    count: int
    zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSight:
    """What a camera at the spot saw of it. `counts` is None where nobody counted; `evidence` are hashes; `absence` says why there is no picture,
    `trouble` what is wrong with the one that there is.
    """

    camera: str
    name: str
    captured_at: datetime | None
    counts: list[Counted] | None
    evidence: list[str]
    absence: str | None
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """One incident in its highest revision. `fault` is of the safety taxonomy, `raw_code` what the device itself called it; `views` are what
    cameras at the spot saw of it.
    """

    incident_id: UUID
    revision: int
    state: IncidentState
    kind: str
    severity: Severity
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    confidence: float | None
    dwell_s: float | None
    direction: str | None
    count: int | None
    point: str | None
    value: float | None
    unit: str | None
    zone: str | None
    historical: bool
    simulated: bool
    note: str | None
    device: str
    fault: str | None
    raw_code: str | None
    views: list[CameraSight]
    track: list[TrackPosition]
    model: Origin | None
    rule: Origin | None
    evidence: list[EvidenceView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something."""

    name: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One step in the history of a case; without an actor it was the system.

    `person` is whom the step names, `other_case` the number of the one that was merged with it.
    """

    at: datetime
    actor: Actor | None
    action: str
    from_status: CaseStatus | None
    to_status: CaseStatus | None
    reason: str | None
    note: str | None
    severity: Severity | None
    person: Actor | None
    department: str | None
    other_case: str | None
    until: datetime | None
    rating: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PetitionView:
    """What the handler has asked for, and nobody has answered yet."""

    petition: Petition
    asked_by: Actor | None
    asked_at: datetime
    until: datetime | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePlace:
    """Where whoever reported it says that it is: degrees, WGS 84."""

    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCategory:
    """What it is about, by the city's own list (大类, 小类)."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureView:
    """A picture that came with a report."""

    sha256: str
    width: int
    height: int
    stored_at: datetime
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDetail(CaseSummary):
    """A case with its incidents (the newest first), its history, and what the reader may do now."""

    description: str | None
    address: str | None
    place: CasePlace | None
    case_category: CaseCategory | None
    published_at: datetime | None
    rating: int | None
    pictures: list[PictureView]
    petitions: list[PetitionView]
    incidents: list[IncidentView]
    history: list[HistoryEntry]
    actions: list[CaseAction]


_SUMMARY = TypeAdapter(CaseSummary)


def to_payload(summary: CaseSummary) -> dict[str, Any]:
    """The summary as JSON values, for the live stream."""
    payload: dict[str, Any] = _SUMMARY.dump_python(summary, mode="json")
    return payload


def evidence_url(sha256: str) -> str:
    """Where a file is read."""
    return f"/api/v1/evidence/{sha256}"


def clock_view(clock_id: int, clock: Any) -> CaseClock:
    """A clock, or its row, as a list shows it."""
    return CaseClock(
        id=clock_id,
        stage=clock.stage,
        state=ClockState(clock.state),
        started_at=clock.started_at.astimezone(UTC),
        amber_at=clock.amber_at.astimezone(UTC),
        due_at=clock.due_at.astimezone(UTC),
        stopped_at=clock.stopped_at.astimezone(UTC) if clock.stopped_at is not None else None,
    )


def summary_fields(row: Any, clock: CaseClock | None) -> dict[str, Any]:
    """A row of `case_summary`, and the case's clock, as the fields of a `CaseSummary`."""
    areas = {level: NamedArea(**area) for level, area in (row.areas or {}).items()}
    return {
        "id": row.id,
        "number": row.number,
        "kind": row.kind,
        "category": row.category,
        "severity": Severity(row.severity),
        "status": CaseStatus(row.status),
        "grid": areas.get("grid"),
        "community": areas.get("community"),
        "street": areas.get("street"),
        "device": CaseDevice(
            id=row.device_id, node=row.node, device=row.device, name=row.device_name, kind=row.device_kind
        )
        if row.device is not None
        else None,
        "spot": row.spot,
        "opened_at": row.opened_at.astimezone(UTC),
        "started_at": row.started_at.astimezone(UTC),
        "last_activity_at": row.last_activity_at.astimezone(UTC),
        "incident_count": row.incident_count,
        "ongoing": row.ongoing,
        "late": row.late,
        "simulated": row.simulated,
        "picture": evidence_url(row.picture) if row.picture is not None else None,
        "origin": CaseOrigin(row.origin),
        "drill": row.drill,
        "title": row.title,
        "department": CaseDepartment(id=row.department_id, code=row.department_code, name=row.department_name)
        if row.department_id is not None
        else None,
        "worker": row.worker_name,
        "suspended_until": row.suspended_until,
        "merged_into": row.merged_into,
        "urged_at": row.urged_at,
        "clock": clock,
        "version": row.version,
    }


def incident_view(row: Any, evidence: Iterable[Any], names: Mapping[str, str]) -> IncidentView:
    """An incident's row and those of its evidence as shown; `names` are those of the cameras that people know them by."""
    return IncidentView(
        incident_id=row.incident_id,
        revision=row.revision,
        state=IncidentState(row.state),
        kind=row.kind,
        severity=Severity(row.severity),
        started_at=row.started_at,
        updated_at=row.updated_at,
        ended_at=row.ended_at,
        confidence=row.confidence,
        dwell_s=row.dwell_s,
        direction=row.direction,
        count=row.count,
        point=row.point,
        value=row.value,
        unit=row.unit,
        zone=row.zone,
        historical=row.historical,
        note=row.note,
        device=row.device,
        fault=row.fault,
        raw_code=row.raw_code,
        simulated=row.simulated,
        views=[_sight(view, names) for view in row.views],
        track=[_position(*point) for point in row.track],
        model=Origin(**row.model) if row.model is not None else None,
        rule=Origin(**row.rule) if row.rule is not None else None,
        evidence=[
            EvidenceView(
                sha256=file.sha256,
                kind=EvidenceKind(file.kind),
                mime=file.mime,
                bytes=file.bytes,
                captured_at=file.captured_at,
                stored=file.stored,
                url=evidence_url(file.sha256),
            )
            for file in evidence
        ],
    )


def history_entry(row: Any) -> HistoryEntry:
    """A row of the history as shown."""
    return HistoryEntry(
        at=row.at,
        actor=Actor(name=row.name, display_name=row.display_name) if row.name is not None else None,
        action=row.action,
        from_status=CaseStatus(row.from_status) if row.from_status is not None else None,
        to_status=CaseStatus(row.to_status) if row.to_status is not None else None,
        reason=row.reason,
        note=row.note,
        severity=Severity(row.severity) if row.severity is not None else None,
        person=Actor(name=row.person, display_name=row.person_name) if row.person is not None else None,
        department=row.department,
        other_case=row.other_case,
        until=row.until,
        rating=row.rating,
    )


def more_fields(row: Any) -> dict[str, Any]:
    """What only the details tell of a case."""
    return {
        "address": row.address,
        "place": CasePlace(longitude=row.longitude, latitude=row.latitude) if row.longitude is not None else None,
        "case_category": CaseCategory(code=row.category_code, name_zh=row.name_zh, name_en=row.name_en)
        if row.category_code is not None
        else None,
        "published_at": row.published_at,
        "rating": row.rating,
    }


def picture_view(case_id: int, row: Any) -> PictureView:
    """A picture of a report as shown."""
    return PictureView(
        sha256=row.sha256,
        width=row.width,
        height=row.height,
        stored_at=row.stored_at,
        url=f"/api/v1/cases/{case_id}/pictures/{row.sha256}",
    )


def petition_view(row: Any) -> PetitionView:
    """A petition that waits, as shown."""
    return PetitionView(
        petition=Petition(row.petition),
        asked_by=Actor(name=row.name, display_name=row.display_name) if row.name is not None else None,
        asked_at=row.asked_at,
        until=row.until,
        note=row.note,
    )


def _sight(view: dict[str, Any], names: Mapping[str, str]) -> CameraSight:
    counts = view.get("counts")
    captured_at = view.get("captured_at")
    return CameraSight(
        camera=view["camera"],
        name=names.get(view["camera"], view["camera"]),
        captured_at=None if captured_at is None else datetime.fromisoformat(captured_at),
        counts=None
        if counts is None
        else [Counted(label=each["label"], count=each["count"], zone=each.get("zone")) for each in counts],
        evidence=list(view.get("evidence", ())),
        absence=view.get("absence"),
        trouble=view.get("trouble"),
    )


def _position(at_us: int, left: float, top: float, right: float, bottom: float) -> TrackPosition:
    return TrackPosition(at=from_microseconds(at_us), left=left, top=top, right=right, bottom=bottom)

"""Revisions of an incident (修订): what one says, given what was told before it and what is found now. Pure.

Each names the hash of the one that was kept before it on this node (`prev_hash`), whatever incident that was of.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from edge.contract.incident import (
    EVIDENCE_DROPPED,
    EvidenceReference,
    Incident,
    IncidentState,
    ModelReference,
    TrackPoint,
)
from edge.contract.view import CameraView, ViewAbsence, joined
from edge.flow import Finding
from edge.incidents.cards import RuleCard

TRACK_POINTS = 120
EVIDENCE_FILES = 16
LONGEST_NOTE = 480
LONGEST_REMARK = LONGEST_NOTE // 2
_REMARK = " | "
"""Stands in a note between what was found and what was done about it."""

UPDATE_SPACING_S = 10.0
"""An update that tells nothing worse is sent at most this often."""


def thinned(path: Sequence[TrackPoint], limit: int = TRACK_POINTS) -> tuple[TrackPoint, ...]:
    """At most `limit` points, evenly chosen, first and last kept."""
    if len(path) <= limit:
        return tuple(path)
    step = (len(path) - 1) / (limit - 1)
    return tuple(path[round(index * step)] for index in range(limit))


def noted(note: str | None, known: Incident | None, *, dropped: bool = False, remark: str | None = None) -> str | None:
    """The note, with what was done about it, and with the word that a file had to go, once and for good."""
    said = (known.note or "") if known is not None else ""
    dropped = dropped or EVIDENCE_DROPPED in said
    if remark is None:
        remark = said.partition(_REMARK)[2].removesuffix(EVIDENCE_DROPPED).removesuffix("; ") or None
    told = (note or "").partition(_REMARK)[0]
    words = _REMARK.join(part for part in (told[:LONGEST_REMARK], remark) if part) if remark else told
    if not dropped or EVIDENCE_DROPPED in words:
        return words or None
    return f"{words[: LONGEST_NOTE - len(EVIDENCE_DROPPED)]}; {EVIDENCE_DROPPED}" if words else EVIDENCE_DROPPED


def end_of(incident: Incident, key: str, *, replayed: bool) -> Finding:
    """The end of an incident that its rule can't go on with."""
    return Finding(
        key=key,
        state=IncidentState.ENDED,
        rule=incident.rule.id if incident.rule else incident.kind,
        kind=incident.kind,
        category=incident.category,
        severity=incident.severity,
        device=incident.device,
        started_at=incident.started_at,
        at=incident.updated_at,
        ended_at=max(incident.updated_at, incident.started_at),
        point=incident.point,
        fault=incident.fault,
        replayed=replayed,
    )


def places(known: Incident | None) -> int:
    """So many more files may an incident have."""
    return EVIDENCE_FILES - (0 if known is None else len(known.evidence))


def tells_more(known: Incident, finding: Finding) -> bool:
    """Whether a finding is worth a revision of its own without a picture: it ends, is another severity, code or note, or comes long after."""
    if finding.state is IncidentState.ENDED or finding.severity is not known.severity:
        return True
    if finding.raw_code not in (None, known.raw_code) or not (known.note or "").startswith(finding.note or ""):
        return True
    return abs((finding.at - known.updated_at).total_seconds()) >= UPDATE_SPACING_S


def found(
    finding: Finding,
    known: Incident | None,
    *,
    incident_id: UUID,
    card: RuleCard | None,
    model: ModelReference | None,
    files: Iterable[EvidenceReference],
    dropped: bool,
    remark: str | None,
    prev_hash: str | None,
) -> Incident:
    """The revision that a finding makes: the first of a new one, or the next of what is `known`. `dropped`: a file had to go."""
    ended = finding.state is IncidentState.ENDED
    started_at = finding.started_at if known is None else known.started_at
    earlier: tuple[EvidenceReference, ...] = () if known is None else known.evidence
    return Incident(
        incident_id=incident_id,
        revision=1 if known is None else known.revision + 1,
        state=IncidentState.ENDED if ended else IncidentState.OPEN if known is None else IncidentState.UPDATE,
        kind=finding.kind,
        category=finding.category,
        severity=finding.severity,
        started_at=started_at,
        updated_at=max(finding.at, started_at),
        ended_at=max(finding.ended_at or finding.at, started_at) if ended else None,
        device=finding.device,
        spot=None if card is None else card.spot,
        zone=finding.zone,
        confidence=None if finding.confidence is None else min(1.0, max(0.0, finding.confidence)),
        dwell_s=finding.dwell_s,
        direction=finding.direction,
        count=finding.count,
        point=finding.point,
        value=finding.value,
        unit=finding.unit,
        fault=finding.fault,
        raw_code=finding.raw_code,
        track=thinned(finding.path),
        model=model or (None if known is None else known.model),
        rule=None if card is None else card.reference,
        evidence=(*earlier, *files)[:EVIDENCE_FILES],
        simulated=known is not None and known.simulated if card is None else card.simulated,
        note=noted(finding.note, known, dropped=dropped, remark=remark),
        views=() if known is None else known.views,
        prev_hash=prev_hash,
    )


def once_more(
    known: Incident,
    files: Iterable[EvidenceReference] = (),
    *,
    prev_hash: str | None,
    dropped: bool = False,
    remark: str | None = None,
) -> Incident:
    """The next revision of an incident that is as it was told last, but for its files and what is remarked: an end stays one."""
    return msgspec.structs.replace(
        known,
        revision=known.revision + 1,
        state=known.state if known.state is IncidentState.ENDED else IncidentState.UPDATE,
        evidence=(*known.evidence, *files),
        note=noted(known.note, known, dropped=dropped, remark=remark),
        prev_hash=prev_hash,
    )


def seen(incident: Incident, views: Iterable[CameraView]) -> Incident:
    """The same revision, with what cameras saw; a view names no file that the incident has not."""
    kept = {reference.sha256 for reference in incident.evidence}
    all_views = incident.views
    for view in views:
        named = tuple(sha256 for sha256 in view.evidence if sha256 in kept)
        absence = view.absence if named or not view.evidence else ViewAbsence.NOT_KEPT.value
        all_views = joined(all_views, msgspec.structs.replace(view, evidence=named, absence=absence))
    return msgspec.structs.replace(incident, views=all_views)


def ended_unseen(known: Incident, reason: str, *, prev_hash: str | None) -> Incident:
    """The end of an incident where it was last seen."""
    return msgspec.structs.replace(
        known,
        revision=known.revision + 1,
        state=IncidentState.ENDED,
        ended_at=max(known.updated_at, known.started_at),
        note=noted(reason, known),
        prev_hash=prev_hash,
    )

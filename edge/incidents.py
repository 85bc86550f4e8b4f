"""From findings to incidents (事件): one finding key becomes one incident, told in revisions that are chained by hash."""

import hashlib
import json
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from edge.contract.fields import uuid7
from edge.contract.incident import (
    EVIDENCE_DROPPED,
    EvidenceReference,
    Incident,
    IncidentState,
    ModelReference,
    RuleReference,
    Severity,
    TrackPoint,
    signed_incident,
)
from edge.contract.view import CameraView, ViewAbsence, joined
from edge.errors import EdgeError, EvidenceNotKept
from edge.flow import EvidenceFile, Finding, StagedFile
from edge.rules.identity import resumed_key, rule_id, subject
from edge.rules.registry import points_of
from edge.settings import (
    CameraSettings,
    CameraTroubleSettings,
    CompositeSettings,
    DeviceSettings,
    EventSettings,
    LineCrossingSettings,
    NodeConfiguration,
    ReadingRuleSettings,
    SceneRuleSettings,
)

RULE_VERSION = "1"
TRACK_POINTS = 120
EVIDENCE_FILES = 16
LONGEST_NOTE = 480
_REMARK = " | "
"""Stands in a note between what was found and what was done about it."""

UPDATE_SPACING_S = 10.0
"""An update that tells nothing worse is sent at most this often."""

UNSAVED = 200
"""Findings that wait in memory as they are while the disk takes nothing; more of them wait without their pictures, and what
tells nothing worse is left to the next one."""

UNSAVED_MOST = 5_000
"""Where a disk takes nothing for days, memory ends here: what finds no room is counted as lost."""

REPLAYED_KEPT = 1_024
"""Incidents of which only what devices sent late has told so far: what is added to them later is history too."""

ENDED_KEPT = 256
"""Incidents that have ended to which a film may still be added: it takes longer to make than many an incident lasts."""

_log = structlog.get_logger(__name__)


class Keeper(Protocol):
    """What the book needs of the outbox."""

    def stage(self, file: EvidenceFile, severity: Severity) -> StagedFile:
        """Write a file to the disk that an incident of this severity is going to name. Raises EvidenceNotKept."""
        ...

    def undeclared(self) -> Sequence[Incident]:
        """The newest revisions of incidents that have lost files for want of room and have not told of it."""
        ...

    def discard(self, file: StagedFile) -> None:
        """No incident will name it."""
        ...

    def incident(self, incident: Incident, evidence: Sequence[StagedFile] = (), *, replayed: bool = False) -> None:
        """Keep one revision with its new files, durably; as history where it was found in what a device sent late. Raises
        OutboxFull, EvidenceNotKept.
        """
        ...

    def ongoing(self) -> Sequence[Incident]:
        """The newest revision of every incident that has not ended."""
        ...

    def decided(self) -> Mapping[tuple[str, str], datetime]:
        """(device, rule) → until when that rule had decided when it last ended something."""
        ...

    def chain_head(self) -> str | None:
        """SHA-256 of the revision that was kept last."""
        ...


@dataclass(frozen=True, slots=True)
class RuleCard:
    """What an incident says of the rule that found it and of the place where. `resumes`: the rule goes on with what was open
    before a restart (a value is beyond its limit or it is not); a track of a camera can't come back.
    """

    reference: RuleReference
    spot: str | None
    simulated: bool
    resumes: bool


RuleCards = Mapping[tuple[str, str], RuleCard]
"""(device, rule id) → card."""


def rule_cards(configuration: NodeConfiguration) -> RuleCards:
    """The cards of all configured rules."""
    cards: dict[tuple[str, str], RuleCard] = {}
    for camera in configuration.cameras:
        for rule in camera.rules:
            cards[camera.id, rule_id(rule)] = RuleCard(
                _reference(rule, _place(rule, camera)), camera.spot, camera.simulated, resumes=False
            )
    for device in configuration.devices:
        for standing in device.standing_rules:
            points = [point.model_dump(mode="json") for point in points_of(standing, device)]
            stands_on = {"points": points} if subject(standing) is None else {"point": next(iter(points), None)}
            cards[device.id, rule_id(standing)] = RuleCard(
                _reference(standing, stands_on),
                device.spot,
                device.simulated,
                resumes=not isinstance(standing, EventSettings),
            )
    for composite in configuration.composites:
        members: tuple[DeviceSettings | CameraSettings, ...] = (*configuration.devices, *configuration.cameras)
        for member in members:
            reference = _reference(composite, {})
            cards[member.id, composite.id] = RuleCard(reference, member.spot, member.simulated, resumes=True)
    return cards


def _place(rule: SceneRuleSettings, camera: CameraSettings) -> Mapping[str, object]:
    """What the rule stands on in the camera's picture."""
    if isinstance(rule, LineCrossingSettings):
        return {"line": camera.lines.get(rule.line)}
    if isinstance(rule, CameraTroubleSettings):
        return {}
    return {"zone": camera.zones.get(rule.zone)}


def _reference(
    rule: SceneRuleSettings | ReadingRuleSettings | CompositeSettings, setting: Mapping[str, object]
) -> RuleReference:
    """Name, version and the hash of the canonical configuration: the rule's own and that of what it stands on."""
    canonical = json.dumps(
        {"rule": rule.model_dump(mode="json"), **setting}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    name = rule.id if isinstance(rule, CompositeSettings) else rule_id(rule)
    return RuleReference(id=name, version=RULE_VERSION, sha256=digest)


def thinned(path: Sequence[TrackPoint], limit: int = TRACK_POINTS) -> tuple[TrackPoint, ...]:
    """At most `limit` points, evenly chosen, first and last kept."""
    if len(path) <= limit:
        return tuple(path)
    step = (len(path) - 1) / (limit - 1)
    return tuple(path[round(index * step)] for index in range(limit))


def _noted(note: str | None, known: Incident | None, *, dropped: bool = False, remark: str | None = None) -> str | None:
    """The note, with what was done about it, and with the word that a file had to go, once and for good."""
    said = (known.note or "") if known is not None else ""
    dropped = dropped or EVIDENCE_DROPPED in said
    if remark is None:
        remark = said.partition(_REMARK)[2].removesuffix(EVIDENCE_DROPPED).removesuffix("; ") or None
    told = (note or "").partition(_REMARK)[0]
    words = _REMARK.join(part for part in (told[: LONGEST_NOTE // 2], remark) if part) if remark else told
    if not dropped or EVIDENCE_DROPPED in words:
        return words or None
    return f"{words[: LONGEST_NOTE - len(EVIDENCE_DROPPED)]}; {EVIDENCE_DROPPED}" if words else EVIDENCE_DROPPED


def _over(incident: Incident, key: str, *, replayed: bool) -> Finding:
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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A finding that could not be kept yet."""

    finding: Finding
    evidence: tuple[StagedFile, ...]
    model: ModelReference | None
    card: RuleCard | None
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class _Later:
    """Files for an incident that has been told, and what cameras saw of it: by the key of its findings, and by when it began."""

    key: str
    started_at: datetime
    evidence: tuple[StagedFile, ...]
    left_out: bool = False
    views: tuple[CameraView, ...] = ()


class IncidentBook:
    """All incidents of the node that have not ended. May be called from any thread; revisions are made one by one."""

    def __init__(
        self,
        keeper: Keeper,
        cards: RuleCards,
        *,
        clock: Callable[[], datetime],
        sign: Callable[[bytes], str] | None = None,
    ) -> None:
        """`sign` makes the node's signature of what it is given (promise 6); None where the node has no key."""
        self._keeper = keeper
        self._sign = sign
        self._cards = cards
        self._clock = clock
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Finding], None]] = []
        self._open: dict[str, Incident] = {}
        self._ended: OrderedDict[tuple[str, datetime], Incident] = OrderedDict()
        self._replayed: OrderedDict[UUID, None] = OrderedDict()
        self._remarks: dict[str, str] = {}
        self._unsaved: deque[_Waiting | _Later] = deque()
        self._refused = False
        self._unended: list[tuple[Incident, str, str | None]] = []
        self._head = keeper.chain_head()
        self.faults = 0
        self.evidence_left_out = 0
        self.lost = 0

    def resume(self) -> None:
        """Take up what was open when the node stopped: what a rule can go on with stays open until that rule tells of it
        again, however long that takes; the rest ends where it was last seen.
        """
        with self._lock:
            for incident in self._keeper.ongoing():
                card = self._cards.get((incident.device, incident.rule.id)) if incident.rule else None
                key = resumed_key(incident)
                if card is None:
                    self._end_unseen(incident, "its rule is not configured any more; what followed was not seen")
                elif not card.resumes:
                    self._end_unseen(incident, "the node restarted; what followed was not seen")
                elif key in self._open:
                    self._end_unseen(incident, "another incident of the same rule is open")
                else:
                    self._open[key] = incident

    def adopt(self, device: str, cards: RuleCards) -> None:
        """From now on, what is found on this device names the rules of these cards."""
        with self._lock:
            others = {key: card for key, card in self._cards.items() if key[0] != device}
            self._cards = others | {key: card for key, card in cards.items() if key[0] == device}

    def ongoing(self) -> list[Incident]:
        """What is open at present: after `resume`, what the rules have to go on with."""
        return list(self.ongoing_by_key().values())

    def ongoing_by_key(self) -> dict[str, Incident]:
        """The same, each by the key that its findings have. What is to end and waits for the disk is over."""
        with self._lock:
            over = {incident.incident_id for incident, _, _ in self._unended}
            return {key: incident for key, incident in self._open.items() if incident.incident_id not in over}

    def decided(self) -> Mapping[tuple[str, str], datetime]:
        """(device, rule) → until when that rule had decided before the restart: what is delivered again is no news to it."""
        return self._keeper.decided()

    def end(self, incident: Incident, reason: str) -> None:
        """End what its rule can't go on with, where it was last seen; what has ended meanwhile stays as it is. The listeners hear of it as of
        any other end.
        """
        with self._lock:
            key = self._key_of(incident)
            if key is None:
                return
            known = self._open[key]
            over = _over(known, key, replayed=known.incident_id in self._replayed)
            self._end_unseen(known, reason, key)
        for listener in self._listeners:
            listener(over)

    def _key_of(self, incident: Incident) -> str | None:
        """The key that the findings of an open incident have, whatever rule makes them; None once it is over."""
        same = (key for key, known in self._open.items() if known.incident_id == incident.incident_id)
        return next(same, None)

    def report(
        self, finding: Finding, evidence: Sequence[EvidenceFile] = (), *, model: ModelReference | None = None
    ) -> None:
        """Make and keep the next revision of the finding's incident. What the disk does not take now is tried again by
        `tick`, in order. The files are written before anybody is kept waiting.
        """
        staged = self._stage(evidence, finding.device, finding.severity)
        left_out = len(staged) < len(evidence)
        with self._lock:
            card = self._cards.get((finding.device, finding.rule))
            self._enqueue(_Waiting(finding, staged, model, card, left_out))
            self._save()
        for listener in self._listeners:
            listener(finding)

    def listen(self, listener: Callable[[Finding], None]) -> None:
        """Have every finding told to this one too, in the thread that found it, after it was kept; it must return at once. Before the start."""
        self._listeners.append(listener)

    def remark(self, key: str, words: str) -> None:
        """Have the incident of these findings say in its note what was done about it, from now on and at once where it is open. A later remark
        takes the place of the one before.
        """
        with self._lock:
            known = self._open.get(key)
            if self._remarks.get(key) == words[: LONGEST_NOTE // 2]:
                return
            self._remarks[key] = words[: LONGEST_NOTE // 2]
            if known is None or self._unsaved or words[: LONGEST_NOTE // 2] in (known.note or ""):
                return  # whatever waits for the disk will say it
            try:
                self._keep(self._once_more(known, remark=words[: LONGEST_NOTE // 2]), (), key)
            except EdgeError as error:
                _log.error("a remark waits for the next word of its incident", device=known.device, reason=str(error))

    def attach(
        self,
        key: str,
        started_at: datetime,
        device: str,
        severity: Severity,
        evidence: Sequence[EvidenceFile],
        *,
        views: Sequence[CameraView] = (),
    ) -> None:
        """Add files that were made later, and what cameras saw, to the incident of these findings, as it was told last; also when it has
        ended since. What `views` name of files that find no room is left out of them.
        """
        staged = self._stage(evidence, device, severity)
        with self._lock:
            if len(self._unsaved) < UNSAVED:
                left_out = len(staged) < len(evidence)
                self._unsaved.append(_Later(key, started_at, staged, left_out, tuple(views)))
            else:
                self._leave_out(staged)
            self._save()

    def _stage(self, evidence: Sequence[EvidenceFile], device: str, severity: Severity) -> tuple[StagedFile, ...]:
        staged = []
        for file in evidence:
            try:
                staged.append(self._keeper.stage(file, severity))
            except EvidenceNotKept as error:
                self.evidence_left_out += 1
                _log.error("an incident goes without a file", device=device, kind=file.kind.value, reason=str(error))
        return tuple(staged)

    def _leave_out(self, files: Sequence[StagedFile]) -> None:
        self.evidence_left_out += len(files)
        for file in files:
            self._keeper.discard(file)

    def tick(self) -> None:
        """Now and then: save what could not be saved, and tell of files that had to go."""
        with self._lock:
            self._save()
            self._declare_drops()
            waiting, self._unended = self._unended, []
            for incident, reason, key in waiting:
                if key is None or self._key_of(incident) == key:
                    self._end_unseen(incident if key is None else self._open[key], reason, key)

    @property
    def unsaved(self) -> int:
        """Findings that the disk has refused, with all that wait behind them; what is just being written is not one."""
        return len(self._unsaved) if self._refused else 0

    def _enqueue(self, waiting: _Waiting) -> None:
        """Behind the others. Where many wait already, beginnings and ends come before pictures and progress."""
        if len(self._unsaved) >= UNSAVED:
            self._leave_out(waiting.evidence)
            waiting = replace(waiting, evidence=())
            if waiting.finding.state is IncidentState.UPDATE and not self._is_news(waiting.finding):
                return
        if len(self._unsaved) >= UNSAVED_MOST:
            self.lost += 1
            _log.critical(
                "no room in memory for an incident: it is lost", device=waiting.finding.device, lost=self.lost
            )
            return
        self._unsaved.append(waiting)

    def _is_news(self, finding: Finding) -> bool:
        """Whether a finding tells another severity than what waits or is kept of it."""
        waiting = (each.finding for each in self._unsaved if isinstance(each, _Waiting))
        told = [each.severity for each in waiting if each.key == finding.key]
        known = self._open.get(finding.key)
        last = told[-1] if told else None if known is None else known.severity
        return last is not finding.severity

    def _save(self) -> None:
        while self._unsaved:
            waiting = self._unsaved[0]
            try:
                if isinstance(waiting, _Waiting):
                    self._apply(waiting)
                else:
                    self._add(waiting)
            except EdgeError as error:
                self._refused = True
                _log.error("an incident waits for the disk", reason=str(error), waiting=len(self._unsaved))
                return
            except Exception:  # noqa: BLE001 (one finding that can't be told must not hold up all that follow)
                self.faults += 1
                self._leave_out(waiting.evidence)
                _log.exception("a finding could not become an incident")
            self._unsaved.popleft()
        self._refused = False

    def _apply(self, waiting: _Waiting) -> None:
        finding = waiting.finding
        known = self._open.get(finding.key)
        files = waiting.evidence[: self._places(known)]
        if files:
            try:
                self._keep(self._revision(waiting, known, files), files, finding.key, replayed=finding.replayed)
            except EvidenceNotKept as error:
                _log.error("the disk takes no evidence", reason=str(error))
                files = ()
        self._leave_out(waiting.evidence[len(files) :])
        if not files and (known is None or self._tells_more(known, finding)):
            self._keep(self._revision(waiting, known, ()), (), finding.key, replayed=finding.replayed)

    def _add(self, later: _Later) -> None:
        """One more revision of an incident as it is, with these files: an end stays one."""
        known = self._open.get(later.key)
        if known is None or known.started_at != later.started_at:
            known = self._ended.get((later.key, later.started_at))
        files = later.evidence[: self._places(known)] if known is not None else ()
        if known is not None and files:
            try:
                self._keep(self._with(known, later, files), files, later.key)
            except EvidenceNotKept as error:
                _log.error("the disk takes no evidence", reason=str(error))
                files = ()
        if known is not None and not files and (later.left_out or later.views):
            self._keep(self._with(known, later, ()), (), later.key)
        self._leave_out(later.evidence[len(files) :])

    def _with(self, known: Incident, later: _Later, files: Sequence[StagedFile]) -> Incident:
        """The next revision, with these files and with what cameras saw; a view names no file that the incident has not."""
        incident = self._once_more(known, (file.reference for file in files), dropped=later.left_out)
        kept = {reference.sha256 for reference in incident.evidence}
        views = known.views
        for view in later.views:
            named = tuple(sha256 for sha256 in view.evidence if sha256 in kept)
            absence = view.absence if named or not view.evidence else ViewAbsence.NOT_KEPT.value
            views = joined(views, msgspec.structs.replace(view, evidence=named, absence=absence))
        return msgspec.structs.replace(incident, views=views)

    def _once_more(
        self,
        known: Incident,
        files: Iterable[EvidenceReference] = (),
        *,
        dropped: bool = False,
        remark: str | None = None,
    ) -> Incident:
        """The next revision of an incident that is as it was told last, but for its files and what is remarked: an end stays one."""
        return msgspec.structs.replace(
            known,
            revision=known.revision + 1,
            state=known.state if known.state is IncidentState.ENDED else IncidentState.UPDATE,
            evidence=(*known.evidence, *files),
            note=_noted(known.note, known, dropped=dropped, remark=remark),
            prev_hash=self._head,
        )

    def _declare_drops(self) -> None:
        """Each incident that has lost files says so, in a revision of its own."""
        try:
            for told in self._keeper.undeclared():
                known, key = told, None
                for kept in (self._open.items(), ((place[0], each) for place, each in self._ended.items())):
                    for its_key, incident in kept:
                        if incident.incident_id == told.incident_id:
                            known, key = incident, its_key
                self._keep(self._once_more(known, dropped=True), (), key)
        except EdgeError as error:
            _log.error("that evidence was dropped can't be told yet", reason=str(error))

    @staticmethod
    def _places(known: Incident | None) -> int:
        """So many more files may an incident have."""
        return EVIDENCE_FILES - (0 if known is None else len(known.evidence))

    def _tells_more(self, known: Incident, finding: Finding) -> bool:
        if finding.state is IncidentState.ENDED or finding.severity is not known.severity:
            return True
        if finding.raw_code not in (None, known.raw_code) or not (known.note or "").startswith(finding.note or ""):
            return True
        return abs((finding.at - known.updated_at).total_seconds()) >= UPDATE_SPACING_S

    def _revision(self, waiting: _Waiting, known: Incident | None, files: Sequence[StagedFile]) -> Incident:
        finding, card = waiting.finding, waiting.card
        ended = finding.state is IncidentState.ENDED
        started_at = finding.started_at if known is None else known.started_at
        earlier: tuple[EvidenceReference, ...] = () if known is None else known.evidence
        return Incident(
            incident_id=uuid7(int(self._clock().timestamp() * 1000)) if known is None else known.incident_id,
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
            model=waiting.model or (None if known is None else known.model),
            rule=None if card is None else card.reference,
            evidence=(*earlier, *(file.reference for file in files))[:EVIDENCE_FILES],
            simulated=card is not None and card.simulated,
            note=_noted(finding.note, known, dropped=waiting.left_out, remark=self._remarks.get(finding.key)),
            views=() if known is None else known.views,
            prev_hash=self._head,
        )

    def _end_unseen(self, incident: Incident, reason: str, key: str | None = None) -> None:
        ended = msgspec.structs.replace(
            incident,
            revision=incident.revision + 1,
            state=IncidentState.ENDED,
            ended_at=max(incident.updated_at, incident.started_at),
            note=_noted(reason, incident),
            prev_hash=self._head,
        )
        try:
            self._keep(ended, (), key)
        except EdgeError as error:
            self._unended.append((incident, reason, key))
            _log.error("the end of an incident waits for the disk", device=incident.device, reason=str(error))

    def _keep(
        self, incident: Incident, files: Sequence[StagedFile], key: str | None, *, replayed: bool | None = None
    ) -> None:
        """Only what the disk has taken is remembered. What says nothing of being `replayed` is so where all before it was."""
        incident = signed_incident(incident, self._sign)
        known_replayed = incident.incident_id in self._replayed
        replayed = known_replayed if replayed is None else replayed
        if replayed:
            self._keeper.incident(incident, files, replayed=True)
        else:
            self._keeper.incident(incident, files)
        self._head = hashlib.sha256(msgspec.json.encode(incident)).hexdigest()
        if replayed and incident.revision == 1:
            self._replayed[incident.incident_id] = None
            while len(self._replayed) > REPLAYED_KEPT:
                self._replayed.popitem(last=False)
        elif not replayed and known_replayed:
            del self._replayed[incident.incident_id]
        if key is None:
            return
        if incident.state is not IncidentState.ENDED:
            self._open[key] = incident
            return
        self._remarks.pop(key, None)
        known = self._open.get(key)
        if known is not None and known.incident_id == incident.incident_id:
            del self._open[key]
        self._ended[key, incident.started_at] = incident
        while len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

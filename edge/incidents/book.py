"""From findings to incidents (事件): one finding key becomes one incident, told in revisions that are chained by hash."""

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentState, ModelReference, Severity, signed_incident
from edge.contract.view import CameraView
from edge.errors import EdgeError, EvidenceNotKept
from edge.flow import EvidenceFile, Finding, StagedFile
from edge.incidents.cards import RuleCard, RuleCards
from edge.incidents.keeper import Keeper
from edge.incidents.revision import LONGEST_REMARK, end_of, ended_unseen, found, once_more, places, seen, tells_more
from edge.rules.identity import resumed_key

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
            over = end_of(known, key, replayed=known.incident_id in self._replayed)
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
            if self._remarks.get(key) == words[:LONGEST_REMARK]:
                return
            self._remarks[key] = words[:LONGEST_REMARK]
            if known is None or self._unsaved or words[:LONGEST_REMARK] in (known.note or ""):
                return  # whatever waits for the disk will say it
            try:
                self._keep(once_more(known, remark=words[:LONGEST_REMARK], prev_hash=self._head), (), key)
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
        files = waiting.evidence[: places(known)]
        if files:
            try:
                self._keep(self._revision(waiting, known, files), files, finding.key, replayed=finding.replayed)
            except EvidenceNotKept as error:
                _log.error("the disk takes no evidence", reason=str(error))
                files = ()
        self._leave_out(waiting.evidence[len(files) :])
        if not files and (known is None or tells_more(known, finding)):
            self._keep(self._revision(waiting, known, ()), (), finding.key, replayed=finding.replayed)

    def _add(self, later: _Later) -> None:
        """One more revision of an incident as it is, with these files: an end stays one."""
        known = self._open.get(later.key)
        if known is None or known.started_at != later.started_at:
            known = self._ended.get((later.key, later.started_at))
        files = later.evidence[: places(known)] if known is not None else ()
        if known is not None and files:
            try:
                self._keep(self._with(known, later, files), files, later.key)
            except EvidenceNotKept as error:
                _log.error("the disk takes no evidence", reason=str(error))
                files = ()
        if known is not None and not files and (later.left_out or later.views):
            self._keep(self._with(known, later, ()), (), later.key)
        self._leave_out(later.evidence[len(files) :])

    def _declare_drops(self) -> None:
        """Each incident that has lost files says so, in a revision of its own."""
        try:
            for told in self._keeper.undeclared():
                known, key = told, None
                for kept in (self._open.items(), ((place[0], each) for place, each in self._ended.items())):
                    for its_key, incident in kept:
                        if incident.incident_id == told.incident_id:
                            known, key = incident, its_key
                self._keep(once_more(known, dropped=True, prev_hash=self._head), (), key)
        except EdgeError as error:
            _log.error("that evidence was dropped can't be told yet", reason=str(error))

    def _revision(self, waiting: _Waiting, known: Incident | None, files: Sequence[StagedFile]) -> Incident:
        return found(
            waiting.finding,
            known,
            incident_id=uuid7(int(self._clock().timestamp() * 1000)) if known is None else known.incident_id,
            card=waiting.card,
            model=waiting.model,
            files=(file.reference for file in files),
            dropped=waiting.left_out,
            remark=self._remarks.get(waiting.finding.key),
            prev_hash=self._head,
        )

    def _with(self, known: Incident, later: _Later, files: Sequence[StagedFile]) -> Incident:
        """The next revision, with these files and with what cameras saw."""
        references = (file.reference for file in files)
        return seen(once_more(known, references, dropped=later.left_out, prev_hash=self._head), later.views)

    def _end_unseen(self, incident: Incident, reason: str, key: str | None = None) -> None:
        ended = ended_unseen(incident, reason, prev_hash=self._head)
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

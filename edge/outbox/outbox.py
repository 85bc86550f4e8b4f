"""The outbox as the rest of the node sees it: recorder, drain of the uplink, queue of evidence files."""

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog

from edge.clock import NodeClock
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import SEALED_MIME, EvidenceReference, Incident, Severity, moved
from edge.contract.originals import OriginalState
from edge.contract.telemetry import GapReason, to_microseconds
from edge.contract.topics import Channel
from edge.errors import EvidenceNotKept, OutboxDamaged
from edge.flow import EvidenceFile, EvidenceUpload, OutboxRecord, Reading, Receipts, StagedFile
from edge.outbox.committer import GROUP_WINDOW_S, Committer
from edge.outbox.folder import SEALED_SHARE, EvidenceFolder
from edge.outbox.losses import READINGS_GONE, Missing, balance, is_balanced, is_behind, mark_of, repair
from edge.outbox.mark import MARK, Mark, MarkFile
from edge.outbox.opening import STORE, open_store, suspect
from edge.outbox.originals import WITHOUT_END
from edge.outbox.retention import Quota
from edge.outbox.salvage import LOSS
from edge.outbox.store import Counter, DeadLetter, DeadLetterTally, DropTally, Store
from edge.settings import OutboxSettings

DROPS_TOLD_EVERY_S = 60.0

HELD_SHARE = 0.5
"""Of the room of sealed originals: so much can be held at most, or a court's cases would leave none for what happens today."""

ORIGINALS_AGED_EVERY_S = 600.0
ORIGINALS_AT_ONCE = 200

_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_MIB = 1 << 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Figures:
    """How full the outbox is and what went through it since the store was made.

    `room_bytes` is the part of the quota that readings may use; at its end the oldest are dropped, while incidents go on
    into their reserve. Originals wait for nothing as long as nobody orders them, and are not among the files that do; their bytes are
    among those of evidence. Dead letters and drops are summed up, the newest first.
    """

    counters: Mapping[Counter, int]
    messages_waiting: Mapping[Channel, int]
    oldest_waiting: datetime | None
    used_bytes: int
    quota_bytes: int
    room_bytes: int
    evidence_bytes: int
    evidence_quota_bytes: int
    evidence_waiting: int
    oldest_evidence: datetime | None
    originals: int
    originals_bytes: int
    oldest_original: datetime | None
    dropped: Sequence[DropTally]
    dead_letters: Sequence[DeadLetterTally]

    @property
    def share(self) -> float:
        """The part of the room that is used, 0 to 1."""
        return min(1.0, self.used_bytes / self.room_bytes)

    @property
    def evidence_share(self) -> float:
        """The part of the evidence quota that is used by what waits, 0 to 1: originals give way to the pictures that people look at."""
        return min(1.0, (self.evidence_bytes - self.originals_bytes) / self.evidence_quota_bytes)

    @property
    def readings_waiting(self) -> int:
        """Readings that were accepted and are neither delivered nor declared as lost."""
        count = self.counters
        return count[Counter.READINGS_ACCEPTED] - sum(count[each] for each in READINGS_GONE)


class _Unreadable(OutboxDamaged):
    """The store opened, and something in it can't be read."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Outbox:
    """`Recorder`, `OutboxDrain` and `EvidenceQueue` over one store in `directory`.

    `set_aside` names the damaged store that this one replaces, if there was one; `devices` are those whose readings may
    have been lost with it. Raises OutboxDamaged when no store can be opened at all.
    """

    def __init__(
        self,
        directory: Path,
        settings: OutboxSettings,
        *,
        devices: Sequence[str] = (),
        clock: Callable[[], datetime] | NodeClock = _utc_now,
        on_commit: Callable[[], None] = lambda: None,
        on_damage: Callable[[str], None] = lambda _reason: None,
        window_s: float = GROUP_WINDOW_S,
    ) -> None:
        self._clock = clock if isinstance(clock, NodeClock) else NodeClock.of(clock)
        self._quota = Quota.of(settings)
        self._untold, self._told_s = 0, float("-inf")
        self._originals_kept, self._aged_s = timedelta(days=settings.originals_days), float("-inf")
        self._path = directory / STORE
        self._on_commit, self._on_damage, self._window_s = on_commit, on_damage, window_s
        self.set_aside: Path | None = None
        try:
            self._folder = EvidenceFolder(directory / "evidence", quota_bytes=settings.evidence_quota_mib * _MIB)
            self._mark = MarkFile(self._path.with_name(MARK))
        except OSError as error:
            raise OutboxDamaged(
                f"the outbox can't be kept in {directory} ({error}); check the disk and its rights"
            ) from error
        try:
            self._open(settings, devices)
        except _Unreadable as error:  # what no look at the structure has found shows at the first use
            _log.error("the outbox is damaged", reason=str(error))
            suspect(self._path)
            self._open(settings, devices)

    def _open(self, settings: OutboxSettings, devices: Sequence[str]) -> None:
        opened = open_store(self._path, now=self._clock.told)
        self.set_aside = opened.set_aside or self.set_aside
        self._looked_through = opened.looked_through
        try:
            self._committer = Committer(
                opened.connection,
                on_commit=self._on_commit,
                mark=self._note,
                on_damage=self._suspect,
                window_s=self._window_s,
            )
        except sqlite3.Error as error:
            opened.connection.close()
            raise _Unreadable(f"the outbox {self._path} can't be read: {error}") from error
        self._committer.store.correction_us = self._clock.correction_us
        self._committer.start()
        try:
            self._settle_in(settings, devices)
        except OutboxDamaged as error:
            self._committer.stop()
            raise _Unreadable(str(error)) from error
        except BaseException:
            self._committer.stop()
            raise

    def _settle_in(self, settings: OutboxSettings, devices: Sequence[str]) -> None:
        self._declare_losses(self._mark.read(), devices)
        self._age(timedelta(seconds=settings.historical_after_s))
        self._sweep_evidence()

    def _suspect(self, reason: str) -> None:
        suspect(self._path)
        self._on_damage(reason)

    def close(self) -> None:
        """Commit what waits and close."""
        self._committer.stop()
        self._mark.close()

    def _note(self, store: Store) -> None:
        self._mark.write(mark_of(store, self._clock.told()))

    # --- Recorder -----------------------------------------------------------------------------------------------

    def readings(self, readings: Sequence[Reading], *, receipts: Receipts | None = None) -> None:
        """Keep readings and receipts; returns after the commit. Raises OutboxFull: do not acknowledge the source then."""
        if not readings and (receipts is None or not receipts.marks):
            return

        def work(store: Store) -> int:
            dropped = self._quota.room_for_readings(store, len(readings))
            store.add_readings(readings, now=self._clock(), receipts=receipts, timebase=self._clock.timebase)
            return dropped

        dropped = self._committer.write(work, urgent=False)
        if dropped:
            self._tell_of(dropped)

    def _tell_of(self, dropped: int) -> None:
        """Say so once a minute, not once a parcel."""
        self._untold += dropped
        if time.monotonic() - self._told_s >= DROPS_TOLD_EVERY_S:
            _log.warning("old readings were dropped and declared: the outbox is full", readings=self._untold)
            self._untold, self._told_s = 0, time.monotonic()

    def stage(self, file: EvidenceFile, severity: Severity) -> StagedFile:
        """Write a file to the disk that an incident of this severity is going to name: `incident` has only to move it then. Where there
        is no room, what matters less goes, and its incidents tell of it. Raises EvidenceNotKept where there is none
        all the same, or the disk does not take it.
        """
        with self._folder.lock:
            if not self._make_room(file.reference, severity):
                raise EvidenceNotKept("the quota is used up by files that matter as much or more")
            staged = self._folder.reserve(file.reference)
        try:
            self._folder.write(staged, file.content)
        except OSError as error:
            raise EvidenceNotKept(f"the disk does not take the incident's files: {error}") from error
        return staged

    def _make_room(self, reference: EvidenceReference, severity: Severity) -> bool:
        """Sealed ones for the share of the sealed ones first, then whatever matters least. The caller holds the folder's lock."""
        sealed = reference.mime == SEALED_MIME
        for which in (1, 0):
            needed_bytes = self._folder.missing_bytes(reference.bytes, sealed=sealed)[which]
            if needed_bytes <= 0:
                continue
            mime = SEALED_MIME if which == 1 else None
            dropped = self._committer.write(
                lambda store, needed_bytes=needed_bytes, mime=mime: store.drop_evidence(  # type: ignore[misc]
                    needed_bytes, severity=severity, kind=reference.kind, now=self._clock(), mime=mime
                )
            )
            if not dropped:
                return False
            for sha256 in dropped:
                self._folder.remove(sha256)
            _log.warning("evidence was dropped for want of room; its incidents say so", files=len(dropped))
        return True

    def undeclared(self) -> list[Incident]:
        """The newest revisions of incidents that have lost files for want of room and have not told of it, in present node time."""
        present_us = self._clock.correction_us(self._clock.timebase)
        return [
            moved(incident, timedelta(microseconds=self._clock.correction_us(timebase) - present_us))
            for incident, timebase in self._committer.read(lambda store: store.evidence_undeclared())
        ]

    def discard(self, file: StagedFile) -> None:
        """No incident will name it."""
        self._folder.discard(file)

    def incident(
        self, incident: Incident, evidence: Sequence[EvidenceFile | StagedFile] = (), *, replayed: bool = False
    ) -> None:
        """Keep one revision with its new files, staged ones or others; returns when both are on the disk. Raises OutboxFull, or
        EvidenceNotKept where only the files are too much: nothing is kept then, and what was staged stays so. One that is `replayed`
        travels as history, however soon.
        """
        references = [file.reference for file in evidence]

        def work(store: Store) -> None:
            self._quota.room_for_incident(store)
            store.add_incident(
                incident, references, now=self._clock(), timebase=self._clock.timebase, replayed=replayed
            )

        if not evidence:
            self._committer.write(work)
            return
        try:
            staged = [self._folder.stage(file) if isinstance(file, EvidenceFile) else file for file in evidence]
        except OSError as error:
            raise EvidenceNotKept(f"the disk does not take the incident's files: {error}") from error
        with self._folder.lock:
            try:
                for file in staged:
                    self._folder.keep(file)
            except OSError as error:
                raise EvidenceNotKept(f"the disk does not take the incident's files: {error}") from error
            self._committer.write(work)

    # --- what a restart has to know -----------------------------------------------------------------------------

    def ongoing(self) -> list[Incident]:
        """The newest revision of every incident that has not ended, its times in present node time."""
        present_us = self._clock.correction_us(self._clock.timebase)
        return [
            moved(incident, timedelta(microseconds=self._clock.correction_us(timebase) - present_us))
            for incident, timebase in self._committer.read(lambda store: store.ongoing())
        ]

    def decided(self) -> dict[tuple[str, str], datetime]:
        """(device, rule) → until when that rule had decided when it last ended something, in present node time."""
        present_us = self._clock.correction_us(self._clock.timebase)
        return {
            key: at + timedelta(microseconds=self._clock.correction_us(timebase) - present_us)
            for key, (at, timebase) in self._committer.read(lambda store: store.decided()).items()
        }

    def remember(self, name: str, words: str | None) -> None:
        """Keep what a rule has to know after a restart (None: forget it); returns after the commit."""
        self._committer.write(lambda store: store.remember(name, words))

    def remembered(self) -> dict[str, str]:
        """What was kept so, by name."""
        return self._committer.read(lambda store: store.remembered())

    def receipts(self, source: str) -> list[bytes]:
        """The newest marks that a source left with its readings, oldest first."""
        return self._committer.read(lambda store: store.receipts(source))

    def chain_head(self) -> str | None:
        """SHA-256 of the revision that was kept last."""
        return self._committer.read(lambda store: store.fact("chain_head"))

    def figures(self) -> Figures:
        """How things stand."""
        return self._committer.read(self._figures)

    def _figures(self, store: Store) -> Figures:
        now = self._clock()
        evidence_waiting, oldest_evidence = store.evidence_waiting(now)
        originals, originals_bytes, oldest_original = store.originals_kept(now)
        return Figures(
            counters=store.counters(),
            messages_waiting=store.messages_waiting(),
            oldest_waiting=store.oldest_waiting(self._clock.timebase),
            used_bytes=store.used_bytes(),
            quota_bytes=self._quota.total_bytes,
            room_bytes=self._quota.total_bytes - self._quota.reserve_bytes,
            evidence_bytes=self._folder.used_bytes,
            evidence_quota_bytes=self._folder.quota_bytes,
            evidence_waiting=evidence_waiting,
            oldest_evidence=oldest_evidence,
            originals=originals,
            originals_bytes=originals_bytes,
            oldest_original=oldest_original,
            dropped=store.dropped(),
            dead_letters=store.dead_letter_tallies(),
        )

    def dead_letters(self) -> list[DeadLetter]:
        """What the cloud has rejected, oldest first."""
        return self._committer.read(lambda store: store.dead_letters())

    # --- OutboxDrain --------------------------------------------------------------------------------------------

    def pending(
        self, lane: Lane, *, fresh_since: datetime, old: bool, skip: Collection[int], limit: int
    ) -> Sequence[OutboxRecord]:
        """As `OutboxDrain.pending` says. The lane `history` has no fresh part: all of it is old."""
        if lane is Lane.HISTORY:
            if not old:
                return []
            fresh_since = _END_OF_TIME
        found = self._committer.read(
            lambda store: store.pending(lane, fresh_since=fresh_since, old=old, skip=skip, limit=limit)
        )
        if len(found) == limit or lane is Lane.INCIDENT:
            return found
        missing = limit - len(found)
        if not self._committer.read(lambda store: store.formable(lane, fresh_since=fresh_since, old=old)):
            return found
        self._committer.write(
            lambda store: store.form_messages(
                lane, fresh_since=fresh_since, old=old, messages=missing, now=self._clock()
            )
        )
        return self._committer.read(
            lambda store: store.pending(lane, fresh_since=fresh_since, old=old, skip=skip, limit=limit)
        )

    def settle(self, outcomes: Mapping[UUID, tuple[Outcome, str | None]]) -> None:
        """As `OutboxDrain.settle` says; returns after the commit."""

        def work(store: Store) -> list[str]:
            return [
                sha256
                for message_id, (outcome, reason) in outcomes.items()
                for sha256 in store.settle(message_id, outcome, reason, now=self._clock.told())
            ]

        with self._folder.lock:
            for sha256 in self._committer.write(work):
                self._folder.remove(sha256)

    # --- EvidenceQueue ------------------------------------------------------------------------------------------

    def next_upload(self) -> EvidenceUpload | None:
        """The oldest file that is due now; sealed ones go last, and when they are ordered."""
        self._drop_old_originals()
        due = self._committer.read(lambda store: store.evidence_due(self._clock()))
        if due is None:
            return None
        sha256, mime, size_bytes, attempts = due
        return EvidenceUpload(sha256, mime, size_bytes, self._folder.path(sha256), attempts)

    def uploaded(self, sha256: str) -> None:
        """The cloud has it."""
        with self._folder.lock:
            if not self._committer.write(lambda store: store.evidence_done(sha256)):
                self._folder.remove(sha256)

    def delay_upload(self, sha256: str, wait_s: float, *, attempted: bool = True) -> None:
        """Try again later; `attempted` counts as a try."""
        until = self._clock() + timedelta(seconds=wait_s)
        self._committer.write(lambda store: store.evidence_delay(sha256, until, attempts=int(attempted)))

    def refuse_upload(self, sha256: str, reason: str) -> None:
        """The cloud will never take it. An original that is here stays, and waits for another order than the one that is over with this."""
        with self._folder.lock:
            if self._folder.present(sha256) and self._committer.read(lambda store: store.is_original(sha256)):
                self._committer.write(lambda store: store.refuse_order(sha256, reason))
                return
            self._committer.write(lambda store: store.evidence_refused(sha256, reason, now=self._clock.told()))
            self._folder.remove(sha256)

    # --- sealed originals ---------------------------------------------------------------------------------------

    def order_originals(self, names: Sequence[str], until: datetime) -> dict[str, OriginalState]:
        """Let these originals go until a time; how each of them stands."""
        with self._folder.lock:
            here = [name for name in names if self._folder.present(name)]

            def work(store: Store) -> dict[str, OriginalState]:
                standing = dict.fromkeys(names, OriginalState.GONE)
                for name in here:
                    if store.refusal(name, until) is not None:
                        standing[name] = OriginalState.NOT_TAKEN
                    elif store.order_original(name, until):
                        standing[name] = OriginalState.ORDERED
                return standing

            return self._committer.write(work)

    def refusals(self, names: Sequence[str], until: datetime) -> dict[str, str]:
        """Why the cloud did not take these originals when they were ordered until then; of the others nothing."""
        told = self._committer.read(lambda store: {name: store.refusal(name, until) for name in names})
        return {name: reason for name, reason in told.items() if reason is not None}

    def hold_originals(self, names: Sequence[str], until: datetime | None) -> dict[str, OriginalState]:
        """Let go of none of these originals before a time (None: before another one is named); how each of them stands."""
        end, now = until or WITHOUT_END, self._clock()
        most_bytes = int(HELD_SHARE * SEALED_SHARE * self._folder.quota_bytes)
        good = OriginalState.KEPT if end > now else OriginalState.RELEASED
        with self._folder.lock:
            here = {name for name in names if self._folder.present(name)}

            def work(store: Store) -> dict[str, OriginalState]:
                standing = dict.fromkeys(names, OriginalState.GONE)
                for name in standing:
                    if name in here and store.original_size(name) is not None:
                        fits = store.hold_original(name, end, now=now, most_bytes=most_bytes)
                        standing[name] = good if fits else OriginalState.NO_ROOM
                return standing

            return self._committer.write(work)

    def _drop_old_originals(self) -> None:
        """Let go of originals whose time is over, now and then."""
        if time.monotonic() - self._aged_s < ORIGINALS_AGED_EVERY_S:
            return
        self._aged_s = time.monotonic()
        now = self._clock()
        before = now - self._originals_kept
        with self._folder.lock:
            dropped = self._committer.write(
                lambda store: store.drop_old_originals(before, now=now, limit=ORIGINALS_AT_ONCE)
            )
            for sha256 in dropped:
                self._folder.remove(sha256)
        if dropped:
            _log.info("sealed originals are gone, for their time is over", files=len(dropped))
            if len(dropped) == ORIGINALS_AT_ONCE:
                self._aged_s = float("-inf")

    # --- opening ------------------------------------------------------------------------------------------------

    def _declare_losses(self, mark: Mark | None, devices: Sequence[str]) -> None:
        """Where the disk has lost something: count it, and give every device a gap of at least one reading, since nobody can
        tell whose it was, from the time of the oldest that waited to now.
        """

        def work(store: Store) -> Missing | None:
            if self._looked_through:
                store.remove_senseless()
            damaged_at = store.fact(LOSS)
            if damaged_at is None and not is_behind(store, mark) and (not self._looked_through or is_balanced(store)):
                return None
            now_us = to_microseconds(self._clock.told())
            since_us = [now_us if mark is None else mark.oldest_us or mark.at_us]
            if damaged_at is not None:
                since_us.append(to_microseconds(datetime.fromisoformat(damaged_at)))
                repair(store, self._folder.present, now=self._clock())
                store.remove_fact(LOSS)
            missing = balance(store, mark)
            if damaged_at is not None or missing.readings:
                span = (min(since_us), max(now_us, *since_us), 1)
                store.declare(dict.fromkeys(devices, span), GapReason.CORRUPT)
            return missing

        missing = self._committer.write(work)
        if missing is None:
            return
        if missing.readings or missing.incidents:
            _log.error(
                "the outbox has lost what it had accepted", readings=missing.readings, incidents=missing.incidents
            )
        else:
            _log.warning("the outbox is not the one that was used last; all that waited in that one is here or settled")

    def _age(self, at_least: timedelta) -> None:
        """After a start of the machine with an earlier clock, what waits must not count as fresh until that clock has caught up."""
        margin = at_least + timedelta(seconds=1)
        if self._committer.write(lambda store: store.age_from(self._clock(), at_least=margin)):
            _log.warning("the clock went back since the last start: what waits in the outbox counts as old")

    def _sweep_evidence(self) -> None:
        known, sealed = self._committer.read(lambda store: (store.evidence_files(), store.evidence_sealed()))
        missing = self._folder.sweep(known, sealed=sealed)
        for sha256 in missing:
            _log.error("an evidence file is gone from the disk", sha256=sha256)
            self.refuse_upload(sha256, "gone from the disk of the node")

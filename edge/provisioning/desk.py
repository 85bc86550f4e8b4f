"""From an order to what runs (下发与生效): checked, fetched, tried, and confirmed or given up; one at a time, each step in the record first.

An order passes through the thread `provisioning`: who gave it, who vouches for it, its bytes, its content. What came through waits until the
node's housekeeping begins its trial: the record says so before anything is touched. After a while in which nothing went wrong that was well
before, it is confirmed; else what ran before runs again. The cloud learns of each step from the next birth.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from edge.contract.artifacts import StepCode, StepReport, StepState
from edge.contract.downlink import DesiredProfile
from edge.errors import ConfigurationError, EdgeError, StepRefused, UplinkLost
from edge.masking import without_secrets
from edge.provisioning import policy
from edge.provisioning.fetching import Fetcher
from edge.provisioning.record import LONGEST_REASON, MOST_STARTS, Entry, Held, Record, Trial, Trouble
from edge.provisioning.store import Store
from firmware_configs.signature import ArtifactClass, Signature

MOST_WAITING: Final = 64
"""Orders for so many names may wait; of one name the newest counts."""

FETCH_PATIENCE_S: Final = 900.0
FIRST_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 60.0
LOOK_EVERY_S: Final = 1.0

_log = structlog.get_logger(__name__)


class Applier(Protocol):
    """What is done with one class of artifacts. `watch_s`: so long it has to be well before it is confirmed."""

    @property
    def watch_s(self) -> float:
        """Seconds from the beginning of a trial, or of a process that begins in it, to its judgement."""

    @property
    def patience_s(self) -> float:
        """So much longer what is not well then may take to become so: a link that has to be made."""

    def running(self, name: str) -> tuple[str, str | None] | None:
        """Version and hash of what runs where nothing was given to this node yet."""

    def admit(self, name: str) -> None:
        """Raises StepRefused where this node has no use for the name."""

    def inspect(self, signature: Signature) -> None:
        """Look at what lies in the store, and make ready what takes long. Raises StepRefused."""

    def begin(self, entry: Entry, trial: Trial) -> None:
        """Take the trial that stands in the record into use. Raises ConfigurationError where that can't be."""

    def go_back(self, entry: Entry, reason: str) -> None:
        """Run again what ran before; the record has no trial any more."""

    def confirm(self, entry: Entry) -> None:
        """What is tried will run on. Called before the record says so, and again where it could not be written."""

    def troubles(self, name: str) -> frozenset[Trouble]:
        """What is not well at present among what the name concerns."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What came through and waits for its trial."""

    signature: Signature
    desired: DesiredProfile


class ProvisioningDesk:
    """Follows the orders of one node. `on_change` is called after each step, from the thread that made it."""

    def __init__(
        self,
        node: str,
        store: Store,
        fetcher: Fetcher,
        appliers: Mapping[ArtifactClass, Applier],
        *,
        cloud_keys: Callable[[], Collection[bytes]],
        told: Callable[[], datetime],
        on_change: Callable[[], None],
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """`wait` lets time go by, and is true once the node stops."""
        self._node = node
        self._store = store
        self._fetcher = fetcher
        self._appliers = appliers
        self._cloud_keys = cloud_keys
        self._told = told
        self._on_change = on_change
        self._monotonic_s = monotonic_s
        self._record = store.record()
        self._began_s = monotonic_s()
        self._lock = threading.Lock()
        self._waiting: OrderedDict[tuple[str, str], DesiredProfile] = OrderedDict()
        self._ready: _Ready | None = None
        self._stop, self._wake = threading.Event(), threading.Event()
        self._wait = wait or self._stop.wait
        self._thread = threading.Thread(target=self._run, name="provisioning", daemon=True)
        self.ignored: Counter[str] = Counter()
        self.faults = 0

    @property
    def record(self) -> Record:
        """What runs and how far everything is, for births."""
        return self._record

    def start(self) -> None:
        """Begin to follow orders."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; what was begun is found in the record by the next process."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        self._fetcher.close()

    def receive(self, desired: DesiredProfile) -> None:
        """Take an order; returns at once. May be called from any thread."""
        if desired.node != self._node:
            self.ignored["other_node"] += 1
            _log.warning("an order for another node", profile=desired.profile)
            return
        key = (desired.artifact, desired.profile)
        with self._lock:
            self._waiting.pop(key, None)
            if len(self._waiting) >= MOST_WAITING:
                self.ignored["too_many"] += 1
                return
            self._waiting[key] = desired
        self._wake.set()

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()
            try:
                while not self._stop.is_set() and self.follow_next():
                    pass
            except Exception:  # noqa: BLE001 (the top of the thread)
                self.faults += 1
                _log.exception("an order could not be followed, and the others are")

    def follow_next(self) -> bool:
        """Follow the order that waits longest, up to its trial; False when none waits, or one is being tried."""
        with self._lock:
            if self._ready is not None or self._record.trial is not None or not self._waiting:
                return False
            _, desired = self._waiting.popitem(last=False)
        try:
            self._follow(desired)
        except StepRefused as refusal:
            self._end(desired, StepState.REFUSED, refusal.code, str(refusal))
        except UplinkLost as lost:
            if self._stop.is_set():  # the next process is told to again
                return False
            self._end(desired, StepState.FAILED, StepCode.NOT_FETCHED, str(lost))
        return True

    def _follow(self, desired: DesiredProfile) -> None:
        policy.require_orderer(desired, self._cloud_keys())
        artifact = policy.class_of(desired)
        applier = self._appliers.get(artifact)
        if applier is None:
            raise StepRefused(StepCode.UNSUPPORTED, f"this node takes no {artifact}")
        entry = self._record.entry(artifact, desired.profile)
        if policy.is_repeated(desired, entry) or policy.is_superseded(desired, entry):
            self.ignored["repeated" if policy.is_repeated(desired, entry) else "superseded"] += 1
            self._on_change()  # whoever asks again has not heard
            return
        signature = policy.signature_of(desired, self._store.keyring())
        held = Held(signature.version, signature.sha256)
        self._keep(replace(entry, ordered_at=desired.issued_at or entry.ordered_at))
        if entry.current == held:
            self._end(desired, StepState.APPLIED)
            return
        running = (
            applier.running(desired.profile) if entry.current is None else (entry.current.version, entry.current.sha256)
        )
        policy.require_forward(signature, running, roll_back=desired.roll_back)
        applier.admit(desired.profile)
        self._end(desired, StepState.FETCHING)
        self._store.sweep(self._record, fetching=signature.sha256)
        self._fetch(signature)
        self._count_look(signature, desired)
        applier.inspect(signature)
        with self._lock:
            self._ready = _Ready(signature, desired)

    def _count_look(self, signature: Signature, desired: DesiredProfile) -> None:
        """Write down that it is looked at before it is: what ends the process over that is not looked at for ever. Raises StepRefused."""
        looked = self._record.entry(signature.artifact, signature.name).looked(signature.sha256, desired.desired_id)
        if looked.look is not None and looked.look.times > MOST_STARTS:
            raise StepRefused(StepCode.CRASHED, f"{MOST_STARTS} processes of the node ended while they looked at it")
        try:
            self._write(looked)
        except OSError as error:
            raise StepRefused(StepCode.NO_ROOM, f"the disk does not take it: {error.strerror}") from error

    def _fetch(self, signature: Signature) -> None:
        until_s, wait_s = self._monotonic_s() + FETCH_PATIENCE_S, FIRST_WAIT_S
        while True:
            try:
                self._fetcher.fetch(signature, stopped=self._stop.is_set)
            except UplinkLost as lost:
                newer = (signature.artifact.value, signature.name) in self._waiting
                if self._monotonic_s() >= until_s or newer or self._wait(wait_s):
                    raise
                _log.info("what was ordered can't be fetched yet", name=signature.name, reason=str(lost))
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
            else:
                return

    # --- the housekeeping's turn --------------------------------------------------------------------------------

    def turn(self) -> None:
        """Begin a trial that is ready, or judge one that has lasted long enough."""
        trying = self._record.trial
        if trying is not None:
            self._judge(trying)
            return
        with self._lock:
            ready = self._ready
        if ready is not None:
            self._begin(ready)

    def _begin(self, ready: _Ready) -> None:
        signature, desired = ready.signature, ready.desired
        applier = self._appliers[signature.artifact]
        entry = self._record.entry(signature.artifact, signature.name)
        troubles = tuple(sorted(applier.troubles(signature.name)))[:500]
        now = self._told()
        trial = Trial(Held(signature.version, signature.sha256), now, troubles, desired.desired_id, 1)
        tried = entry.tried(trial, self._step(desired, StepState.TRYING))
        self._began_s = self._monotonic_s()
        try:
            self._save(tried)
            applier.begin(tried, trial)
        except (ConfigurationError, StepRefused) as error:
            self._not_taken(tried, error)
        except OSError as error:
            _log.error("a trial can't be recorded", name=signature.name, reason=str(error))
            self._end(desired, StepState.FAILED, StepCode.NO_ROOM, f"the disk does not take it: {error.strerror}")
        finally:
            with self._lock:
                self._ready = None
            self._wake.set()

    def _not_taken(self, tried: Entry, error: EdgeError) -> None:
        code = error.code if isinstance(error, StepRefused) else StepCode.NOT_VALID
        back = tried.given_up(self._told(), code, without_secrets(str(error)))
        if back.step is not None:
            back = back.told(replace(back.step, state=StepState.FAILED.value))
        try:
            self._save(back)
        except OSError as full:
            _log.error("that a trial failed can't be recorded", reason=str(full))
            self._keep(back)
        self._go_back(back, str(error))

    def _go_back(self, back: Entry, reason: str) -> None:
        try:
            self._appliers[back.artifact].go_back(back, reason)
        except (ConfigurationError, StepRefused) as error:
            _log.error("what ran before can't be taken in again, and the node goes on as it is", reason=str(error))

    def _judge(self, trying: Entry) -> None:
        applier, trial = self._appliers[trying.artifact], trying.trial
        lasted_s = self._monotonic_s() - self._began_s
        if trial is None or lasted_s < applier.watch_s:
            return
        new = applier.troubles(trying.name) - set(trial.troubles)
        if new and lasted_s < applier.watch_s + applier.patience_s:
            return
        if new:
            reason = "; ".join(f"{subject}: {what}" for subject, what in sorted(new)[:10])
            _log.error("what was tried is not well", name=trying.name, version=trial.held.version, reason=reason)
            back = trying.given_up(self._told(), StepCode.UNHEALTHY, reason)
            self._save(back)
            self._go_back(back, reason)
        else:
            applier.confirm(trying)
            self._save(trying.confirmed(self._told()), sweep=True)
            _log.info("what was tried is well", name=trying.name, version=trial.held.version)
        self._wake.set()

    # --- the record ---------------------------------------------------------------------------------------------

    def _step(
        self, desired: DesiredProfile, state: StepState, code: StepCode | None = None, reason: str | None = None
    ) -> StepReport:
        return StepReport(
            desired_id=desired.desired_id,
            artifact=desired.artifact,
            name=desired.profile,
            version=desired.version[:64] or "-",
            sha256=desired.sha256,
            state=state.value,
            code=None if code is None else code.value,
            reason=None if reason is None else without_secrets(reason)[:LONGEST_REASON],
            at=self._told(),
        )

    def _end(
        self, desired: DesiredProfile, state: StepState, code: StepCode | None = None, reason: str | None = None
    ) -> None:
        """Tell a step; one that can't be written down is told all the same."""
        if code is not None:
            _log.error("an order is not followed", profile=desired.profile, code=code.value, reason=reason)
        step = self._step(desired, state, code, reason)
        try:
            artifact = policy.class_of(desired)
        except StepRefused:
            self.ignored[StepCode.UNSUPPORTED] += 1
            return
        entry = self._record.entry(artifact, desired.profile).told(step)
        try:
            self._save(entry)
        except StepRefused as full:
            self.ignored["too_many"] += 1
            _log.error("a step can't be told", profile=desired.profile, reason=str(full))
        except OSError as error:
            _log.error("a step can't be recorded", reason=str(error))
            self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        with self._lock:
            self._record = self._record.with_entry(entry)

    def _save(self, entry: Entry, *, sweep: bool = False) -> None:
        """Write the record with this entry, go on with it, and tell. Raises OSError; nothing has changed then."""
        self._write(entry, sweep=sweep)
        self._on_change()

    def _write(self, entry: Entry, *, sweep: bool = False) -> None:
        """`sweep`: remove what it does not refer to any more, before the thread can begin to fetch what comes next."""
        with self._lock:
            record = self._record.with_entry(entry)
            self._store.save(record)
            self._record = record
            if sweep:
                try:
                    self._store.sweep(record)
                except OSError as error:
                    _log.error("what is not needed any more can't be removed", reason=str(error))

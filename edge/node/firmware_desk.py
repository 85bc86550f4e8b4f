"""Gives devices the firmware that the cloud wants of them (固件下发): fetched by hash, handed out by the node, installed when nobody charges.

A thread of its own looks at each job once a second, and alone writes; others ask the devices (`firmware_asking`). What was begun stands in `<data_directory>/firmware/record.json` before it is done, so
that a process that ends anywhere goes on with it; a device that nobody hears of any more is the cloud's to give up.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

import structlog
from msgspec.structs import replace

from edge.contract.artifacts import StepCode, StepState
from edge.contract.downlink import DesiredProfile
from edge.disk import make_folder, write_file
from edge.errors import StepRefused, UplinkLost
from edge.flow import FirmwareControl, FirmwareTold
from edge.node import firmware_job
from edge.node.firmware_asking import Answer, Asking, Question, in_thread, settled
from edge.node.firmware_door import FirmwareDoor, location, new_token
from edge.node.firmware_job import Book, Deed, Entry, Job
from edge.provisioning import policy
from edge.provisioning.fetching import Fetcher
from edge.provisioning.store import RECORD, Store

FOLDER: Final = "firmware"
MOST_WAITING: Final = 500
LOOK_EVERY_S: Final = 1.0
AGAIN_S: Final = 30.0
"""Between two tries of what did not succeed: a fetch, or a question that found nobody."""

_log = structlog.get_logger(__name__)


class FirmwareDesk:
    """Follows the orders for the devices of one node. `piles` finds what speaks with them; `host` is the node's name for them where that is
    not the address that they call. `on_change` is called after each step, `spawn` has a question asked beside everything else.
    """

    def __init__(
        self,
        node: str,
        store: Store,
        fetcher: Fetcher,
        door: FirmwareDoor | None,
        *,
        piles: Callable[[], FirmwareControl | None],
        host: Callable[[], str | None],
        cloud_keys: Callable[[], Collection[bytes]],
        told: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        on_change: Callable[[], None],
        spawn: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        self._node, self._store, self._fetcher, self._door = node, store, fetcher, door
        self._piles, self._host, self._cloud_keys = piles, host, cloud_keys
        self._told, self._monotonic_s, self._on_change = told, monotonic_s, on_change
        self.faults = 0
        self._book = self._read()
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, DesiredProfile] = OrderedDict()
        self._not_before_s: dict[str, float] = {}
        self._stop, self._wake = threading.Event(), threading.Event()
        self._asking = Asking(self._wake.set, spawn=spawn)
        self._thread = threading.Thread(target=self._run, name="firmware-desk", daemon=True)
        self.ignored: Counter[str] = Counter()

    @property
    def book(self) -> Book:
        """What devices run and how far each is, for births."""
        return self._book

    def start(self) -> None:
        """Begin, and go on with what was begun."""
        self._thread.start()

    def stop(self) -> None:
        """End soon."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        self._fetcher.close()
        if self._door is not None:
            self._door.stop()

    def receive(self, desired: DesiredProfile) -> None:
        """Take an order; returns at once. Any thread."""
        if desired.node != self._node or desired.device is None:
            self.ignored["other_node" if desired.node != self._node else "no_device"] += 1
            return
        with self._lock:
            self._waiting.pop(desired.device, None)
            if len(self._waiting) >= MOST_WAITING:
                self.ignored["too_many"] += 1
                return
            self._waiting[desired.device] = desired
        self._wake.set()

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            self._try(self.turn)
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()
        self._try(self._hear_answers)

    def _try(self, doing: Callable[[], None]) -> None:
        try:
            doing()
        except Exception:  # noqa: BLE001 (the top of the thread)
            self.faults += 1
            _log.exception("the firmware of devices could not be seen to, and is again")

    def turn(self) -> None:
        """Note what devices answered, take orders that wait, and look at each device once."""
        self._hear_answers()
        control = self._piles()
        views = {} if control is None else dict(control.firmware_of())
        if control is not None:
            self._make_room(frozenset(views))
        while (order := self._next_order()) is not None:
            self._take(order, views)
        for device, view in views.items():
            entry = self._book.entry(device)
            seen = firmware_job.seen(entry, view)
            if seen != entry and self._book.has_room_for(frozenset({device})):
                self._save(seen)
        for entry in self._book.entries:
            if entry.job is not None and not entry.job.is_over and not self._stop.is_set():
                self._see_to(entry, entry.job, views.get(entry.device), control)
        if self._door is not None:
            self._door.sweep()

    def _hear_answers(self) -> None:
        for answer in self._asking.answers():
            self._hear(answer)

    def _next_order(self) -> DesiredProfile | None:
        with self._lock:
            return self._waiting.popitem(last=False)[1] if self._waiting else None

    def _take(self, order: DesiredProfile, views: dict[str, FirmwareTold]) -> None:
        device = order.device or ""
        if device not in views:
            self.ignored["no_such_device"] += 1
            _log.warning("a firmware for what is no device of this node", device=device)
            return
        if not self._book.has_room_for(frozenset({device})):
            self.ignored["too_many_devices"] += 1
            _log.error("a firmware is not given: there are more devices than can be remembered", device=device)
            return
        entry = self._book.entry(device)
        try:
            policy.require_orderer(order, self._cloud_keys())
            if _is_old(order, entry):
                self.ignored["repeated"] += 1
                self._on_change()  # whoever asks again has not heard
                return
            self._require_possible(order)
        except StepRefused as refusal:
            _log.error("a firmware is not given", device=device, code=refusal.code.value, reason=str(refusal))
            if entry.job is None or entry.job.is_over:  # what can't be followed ends nothing that is under way
                job = firmware_job.refused(order, refusal.code, str(refusal), self._told())
                self._save(replace(entry, job=job))
            return
        self._end_address(entry.job)
        self._not_before_s.pop(device, None)
        job = firmware_job.begun(order, self._told(), entry.job)
        self._save(replace(entry, job=job, ordered_at=order.issued_at or entry.ordered_at))
        self._store.sweep_but(self._book.hashes())

    def _require_possible(self, order: DesiredProfile) -> None:
        """Raises StepRefused."""
        if self._door is None:
            raise StepRefused(StepCode.UNSUPPORTED, "`ocpp.firmware_port` is not set: devices could not fetch it here")
        if order.deadline is None:
            raise StepRefused(
                StepCode.NOT_VALID, "an order for a device without a deadline could be followed in a year"
            )
        policy.signature_of(order, self._store.keyring())

    def _see_to(self, entry: Entry, job: Job, view: FirmwareTold | None, control: FirmwareControl | None) -> None:
        after, deed = firmware_job.judged(job, view, self._told())
        if after != job:
            self._save(replace(self._book.entry(entry.device), job=after))
        if after.is_over:
            self._end_address(after)
            self._store.sweep_but(self._book.hashes())
            _log.info("a firmware step is over", device=entry.device, state=after.step.state, code=after.step.code)
            return
        if self._monotonic_s() < self._not_before_s.get(entry.device, 0.0):
            return
        if deed is Deed.FETCH:
            self._fetch(entry.device, after)
        elif deed is Deed.ASK and control is not None and view is not None:
            if self._asking.has_room_for(entry.device):
                self._ask(entry.device, after, view, control)
        elif after.token is not None:
            self._offer(after, after.token)  # this process may not be the one that asked

    def _fetch(self, device: str, job: Job) -> None:
        try:
            signature = policy.signature_of(job.order, self._store.keyring())
            self._fetcher.fetch(signature, stopped=self._stop.is_set)
        except UplinkLost as lost:
            _log.info("a firmware can't be fetched yet", device=device, reason=str(lost))
            self._not_before_s[device] = self._monotonic_s() + AGAIN_S
        except StepRefused as refusal:
            self._update(device, firmware_job.told(job, StepState.REFUSED, self._told(), refusal.code, str(refusal)))
        else:
            self._update(device, replace(job, is_fetched=True))

    def _ask(self, device: str, job: Job, view: FirmwareTold, control: FirmwareControl) -> None:
        """Have the device fetch and install it; the bytes and who vouches for them are looked at once more before."""
        try:
            self._fetcher.fetch(policy.signature_of(job.order, self._store.keyring()), stopped=self._stop.is_set)
        except StepRefused as refusal:
            self._update(device, firmware_job.told(job, StepState.REFUSED, self._told(), refusal.code, str(refusal)))
            return
        except UplinkLost:
            self._update(device, replace(job, is_fetched=False))
            return
        if firmware_job.judged(job, control.firmware_of().get(device), self._told())[1] is not Deed.ASK:
            return  # others were asked meanwhile, which takes its time: what it told before that is old
        token = job.token or new_token()
        is_repeated = job.asked_at is not None
        job = firmware_job.asked(job, token, self._told())
        host = self._host() or view.address
        where = None if host is None else self._offer(job, token)
        if where is None or host is None:
            self._not_before_s[device] = self._monotonic_s() + AGAIN_S
            return
        self._update(device, job)
        question = Question(device=device, location=location(host, where, token), token=token, is_repeated=is_repeated)
        self._asking.begin(control, question)

    def _hear(self, answer: Answer) -> None:
        """Note what a device said to the question that it was asked, or that it said nothing."""
        device = answer.question.device
        job = self._book.entry(device).job
        if answer.is_mistake:
            self.faults += 1
            _log.error(
                "a device could not be asked for a firmware, and is again", device=device, exc_info=answer.problem
            )
        if job is None or job.is_over or job.token != answer.question.token:
            return  # meanwhile it said more than this, or another order counts
        after = settled(job, answer, self._told())
        if answer.problem is None:
            _log.info("a device was told to take a firmware", device=device, version=job.order.version)
        elif after == job:  # it may have heard: what it says next tells; else it is asked again for the same
            _log.info("a device was asked for a firmware in vain", device=device, reason=answer.refusal)
            self._not_before_s[device] = self._monotonic_s() + AGAIN_S
        if after != job:
            self._update(device, after)
        if after.is_over:
            self._end_address(after)

    def _offer(self, job: Job, token: str) -> int | None:
        """Have the address open; the port, None where it can't be had."""
        size_bytes, until = job.order.size_bytes, job.open_until
        if self._door is None or size_bytes is None or until is None or until <= self._told():
            return None
        try:
            self._door.open(token, self._store.path(job.order.sha256), size_bytes, until)
        except OSError as error:
            _log.error("devices can't fetch a firmware: the port is not to be had", reason=str(error))
            return None
        return self._door.port

    def _end_address(self, job: Job | None) -> None:
        if self._door is not None and job is not None and job.token is not None:
            self._door.close(job.token)

    # --- the record ---------------------------------------------------------------------------------------------

    def _update(self, device: str, job: Job) -> None:
        self._save(replace(self._book.entry(device), job=job))

    def _make_room(self, devices: frozenset[str]) -> None:
        """Forget what is no device any more where a new one finds no place. As long as there is one nothing is forgotten: that an order was
        taken keeps it from being taken again.
        """
        if self._book.has_room_for(devices):
            return
        gone = [entry for entry in self._book.entries if entry.device not in devices]
        if not gone:
            return
        self._write(self._book.only(devices))
        for entry in gone:
            self._end_address(entry.job)
            self._not_before_s.pop(entry.device, None)
        self._store.sweep_but(self._book.hashes())
        _log.info("the firmware of devices that are none any more is forgotten", devices=len(gone))
        self._on_change()

    def _write(self, book: Book) -> None:
        """Raises OSError: what can't be written down is not done."""
        make_folder(self._store.folder)
        write_file(self._store.folder / RECORD, firmware_job.encoded(book), private=True)
        self._book = book

    def _save(self, entry: Entry) -> None:
        """Raises OSError."""
        before = self._book.entry(entry.device)
        self._write(self._book.with_entry(entry))
        if _is_news(before, entry):
            self._on_change()

    def _read(self) -> Book:
        try:
            with (self._store.folder / RECORD).open("rb") as opened:
                return firmware_job.decoded(opened.read(firmware_job.LARGEST_RECORD_BYTES + 1))
        except FileNotFoundError:
            return Book()
        except (OSError, ValueError) as error:
            self.faults += 1
            _log.error("the record of devices' firmware can't be read", reason=str(error))
            return Book()


def _is_old(order: DesiredProfile, entry: Entry) -> bool:
    """Whether it was taken before, or a later one was: what is replayed or late changes nothing."""
    job = entry.job
    if job is not None and order.desired_id is not None and job.order.desired_id == order.desired_id:
        return True
    return entry.ordered_at is not None and (order.issued_at is None or order.issued_at < entry.ordered_at)


def _is_news(before: Entry, after: Entry) -> bool:
    """Whether a birth tells of it."""
    steps = [None if each.job is None else each.job.step for each in (before, after)]
    return before.known != after.known or steps[0] != steps[1]

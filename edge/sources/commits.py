"""Keeping what stations say (落盘): one thread commits for all, what waits goes together, and nobody's loop waits for a disk."""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge.errors import Retryable
from edge.flow import Parcel, Reading, Receipts

MOST_WAITING: Final = 2_000
"""Deliveries that wait; each station has one on its way at most, and tells its coming and going besides."""

READINGS_AT_ONCE: Final = 5_000
_STOP_S: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Delivery:
    readings: Sequence[Reading]
    again: Sequence[Reading]
    marks: tuple[bytes, ...]
    kept: Future[None] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Errand:
    """Something else that may wait for the disk, in its turn."""

    do: Callable[[], None]


class Commits:
    """The thread. `keep` returns once a parcel is kept, or raises Retryable; `source` names the receipts."""

    def __init__(self, keep: Callable[[Parcel], None], *, source: str, name: str) -> None:
        self.faults = 0
        self.commits = 0
        self._keep = keep
        self._source = source
        self._queue: queue.Queue[_Delivery | _Errand | None] = queue.Queue(MOST_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way; what still waits is not kept, and its senders are told so."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):  # the thread looks up at the next one that waits
            self._queue.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        self._refuse_rest()

    def deliver(
        self, readings: Sequence[Reading], *, again: Sequence[Reading] = (), marks: tuple[bytes, ...] = ()
    ) -> Future[None]:
        """Have these kept; the future ends once they are, or with Retryable. Any thread."""
        delivery = _Delivery(readings, again, marks)
        if self._stopping.is_set():
            delivery.kept.set_exception(Retryable("the node stops"))
            return delivery.kept
        try:
            self._queue.put_nowait(delivery)
        except queue.Full:
            delivery.kept.set_exception(Retryable("too much waits to be kept"))
        return delivery.kept

    def run(self, errand: Callable[[], None]) -> bool:
        """Have this done by the same thread, after what was delivered before; False where too much waits. Any thread."""
        try:
            self._queue.put_nowait(_Errand(errand))
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            first = self._queue.get()
            if isinstance(first, _Errand):
                self._do(first)
            elif first is not None:
                follows = self._commit_with(first)
                if follows is not None:
                    self._do(follows)

    def _commit_with(self, first: _Delivery) -> _Errand | None:
        """Commit what waits; an errand ends a group, and is given back."""
        group, size = [first], len(first.readings) + len(first.again)
        follows: _Errand | None = None
        while size < READINGS_AT_ONCE:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, _Delivery):
                follows = item
                break
            group.append(item)
            size += len(item.readings) + len(item.again)
        wanted = [delivery for delivery in group if delivery.kept.set_running_or_notify_cancel()]
        if wanted:
            self._commit(wanted)
        return follows

    def _commit(self, group: Sequence[_Delivery]) -> None:
        marks = tuple(mark for delivery in group for mark in delivery.marks)
        parcel = Parcel(
            [reading for delivery in group for reading in delivery.readings],
            [reading for delivery in group for reading in delivery.again],
            Receipts(self._source, marks) if marks else None,
        )
        try:
            self._keep(parcel)
        except Retryable as error:
            for delivery in group:
                delivery.kept.set_exception(error)
        except Exception as error:  # noqa: BLE001 (the top of the thread; one's mistake must not cost the others their readings)
            if len(group) > 1:
                for delivery in group:
                    self._commit([delivery])
                return
            self.faults += 1
            _log.exception("readings could not be kept", readings=len(parcel.readings))
            group[0].kept.set_exception(Retryable(f"not kept: {type(error).__name__}"))
        else:
            self.commits += 1
            for delivery in group:
                delivery.kept.set_result(None)

    def _do(self, errand: _Errand) -> None:
        try:
            errand.do()
        except Exception:  # noqa: BLE001 (the top of the thread)
            self.faults += 1
            _log.exception("an errand failed")

    def _refuse_rest(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if isinstance(item, _Delivery):
                item.kept.set_exception(Retryable("the node stops"))

"""Batches into the database: one transaction each, tried again or taken apart when it fails."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from psycopg import Connection

from cloud.correlate.service import DEFAULT_RULES, CorrelationRules
from cloud.db.pool import Pool
from cloud.ingest import metrics, store
from cloud.ingest.failure import Failure, classify
from cloud.ingest.live import LiveReadings
from cloud.ingest.model import Item, Message, Reason, Refusal, Verdict
from cloud.ingest.reading import read
from cloud.ingest.refused import Refused
from cloud.ingest.registry import Registry
from cloud.ingest.seen import SeenNotes
from cloud.ingest.settled import Settled
from cloud.ingest.transaction import Transaction
from cloud.refusals import store as refusals
from cloud.refusals.policy import Allowance, letter_allowance
from cloud.telemetry.partitions import Partitions
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane

SEEN_EVERY_S = 5.0
RELEASED_AT_ONCE = 200
RECEIPT_AGE = timedelta(days=30)
"""What comes again after this long counts by its natural key: readings and changes by their time, incidents by revision."""
PRUNED_AT_ONCE = 20_000
CONTENTION_TRIES = 5
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 3.0
"""Between two tries at most, so that a database that is back is used at once."""

_log = structlog.get_logger(__name__)


class Stopped(Exception):
    """The process ends while the database is away; nothing of the batch stands, so it comes again."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Writer:
    """Settles items. For one thread. `wait` sleeps unless the process ends, and then answers True."""

    pool: Pool
    wait: Callable[[float], bool]
    rules: CorrelationRules = DEFAULT_RULES
    clock: Callable[[], datetime] = utc_now
    monotonic_s: Callable[[], float] = time.monotonic
    live: LiveReadings = field(default_factory=LiveReadings)
    letters: Allowance = field(default_factory=letter_allowance)
    partitions: Partitions = field(default_factory=Partitions)
    _registry: Registry = field(default_factory=Registry)
    _seen_s: dict[tuple[str, int], float] = field(default_factory=dict)

    def settle(self, items: Sequence[Item]) -> list[Verdict]:
        """Write a batch; when this returns it is committed. Raises Stopped."""
        try:
            return self._persist(items)
        except _Unsettled as failed:
            if len(items) == 1:
                return self._persist([_refused(items[0], failed.error)])
        _log.info("batch_taken_apart", messages=len(items))
        by_node = sorted(items, key=_node)  # what one node spoilt is found among its own, and the others wait less
        half = len(items) // 2
        return self.settle(by_node[:half]) + self.settle(by_node[half:])

    def _persist(self, items: Sequence[Item]) -> list[Verdict]:
        """One batch through all that can pass by waiting. Raises _Unsettled, Stopped."""
        tries = 0
        while True:
            try:
                return self._commit(items)
            except Exception as error:
                failure = classify(error)
                metrics.RETRIES.labels(failure.name.lower()).inc()
                tries += 1
                if failure is Failure.DATA or (failure is Failure.CONTENTION and tries >= CONTENTION_TRIES):
                    if failure is Failure.DATA and not _is_expected(error):
                        metrics.ERRORS.inc()
                        _log.exception("ingest_failed", messages=len(items))
                    raise _Unsettled(error) from error
                _log.warning("ingest_waits", failure=failure.name.lower(), error=_short(error), tries=tries)
                if self.wait(_wait_s(tries)):
                    raise Stopped from error

    def _commit(self, items: Sequence[Item]) -> list[Verdict]:
        began_s = self.monotonic_s()
        seen = SeenNotes(self._seen_s, now_s=began_s, every_s=SEEN_EVERY_S)
        with self._refusals(began_s) as refused, self.pool.connection() as conn:
            settled = self._transaction(conn, seen, refused).settle(items)
            self.live.emit(conn, began_s)
        metrics.COMMITS.observe(self.monotonic_s() - began_s)
        metrics.BATCH_MESSAGES.observe(len(items))
        self._committed(settled, seen)
        return settled.verdicts

    @contextmanager
    def _refusals(self, now_s: float) -> Iterator[Refused]:
        """Those of one try."""
        refused = Refused(self.letters, now_s)
        try:
            yield refused
        except BaseException:
            refused.give_back()
            raise

    def _transaction(self, conn: Connection[Any], seen: SeenNotes, refused: Refused) -> Transaction:
        return Transaction(conn, self._registry, now=self.clock(), rules=self.rules, seen=seen, refused=refused)

    def _committed(self, settled: Settled, seen: SeenNotes) -> None:
        seen.keep()
        self._registry.remember(settled.nodes.values())
        self.live.offer(settled.nodes, settled.newest)
        self.partitions.need(settled.minutes)
        for verdict in settled.verdicts:
            metrics.OUTCOMES.labels(verdict.outcome.value, _label(verdict)).inc()
        self._count_refused(settled.refusals, settled.letters_left_out)
        metrics.MENDED.labels("nul").inc(settled.mended)
        metrics.READINGS.inc(settled.readings)
        metrics.READINGS_NEW.inc(settled.readings_new)
        for what, count in settled.clamped.items():
            metrics.CLAMPED.labels(what.value).inc(count)
        metrics.CORRECTED.inc(settled.corrected)
        metrics.IGNORED.inc(settled.ignored)

    def tell_live(self) -> None:
        """Tell the newest readings when they are due and no batch does it on its way."""
        now_s = self.monotonic_s()
        if self.live.is_due(now_s):
            with self.pool.connection() as conn:
                self.live.emit(conn, now_s)

    def open_partitions(self) -> None:
        """Give the months that readings came from a place of their own."""
        if self.partitions.wanted:
            with self.pool.connection() as conn:
                self.partitions.open(conn, self.clock())

    def check_durability(self) -> None:
        """Say so when the database may forget, after a power cut, what nodes were told to be kept."""
        with self.pool.connection() as conn:
            forgetful = store.forgetful_settings(conn)
        metrics.FORGETFUL.set(len(forgetful))
        if forgetful:
            _log.warning("database_may_forget", settings_off=forgetful)

    def count_missing(self) -> None:
        """Show how many messages were numbered and did not come yet, how many wait in quarantine, how many were refused."""
        with self.pool.connection() as conn:
            missing = store.missing_messages(conn)
            waiting, kept = refusals.waiting(conn), refusals.kept(conn)
            metrics.DISCARDED.set(refusals.total(conn, Reason.DISCARDED))
        for lane in Lane:
            count = sum(missed for (_, of_lane), missed in missing.items() if of_lane == lane)
            metrics.MISSING.labels(lane.value).set(count)
        quarantined: Counter[str] = Counter()
        for each in waiting:
            quarantined[each.reason] += each.messages
        for gauge, counts in (
            (metrics.QUARANTINED, quarantined),
            (metrics.DEAD_LETTERS, Counter({each.reason: each.letters for each in kept})),
        ):
            gauge.clear()
            for reason, number in counts.items():
                gauge.labels(reason).set(number)

    def prune(self) -> int:
        """Forget receipts and counters that are too old to matter, a bounded number at a time; how many rows went."""
        now = self.clock()
        with self.pool.connection() as conn:
            receipts = store.prune_receipts(conn, before=now - RECEIPT_AGE, count=PRUNED_AT_ONCE)
            return receipts + store.prune_lanes(conn, before=now - RECEIPT_AGE)

    def release_declared(self) -> int:
        """Release what waits for something that another transaction declared at the same moment; how many messages."""
        with self.pool.connection() as conn:
            return store.release_declared(conn, RELEASED_AT_ONCE)

    def replay_released(self) -> int:
        """Take in what was released from quarantine; how many messages. The nodes heard of them long ago."""
        try:
            return self._replay(RELEASED_AT_ONCE)
        except Exception as error:
            if classify(error) is not Failure.DATA:
                raise
        return self._replay_one()

    def _replay(self, count: int) -> int:
        now_s = self.monotonic_s()
        seen = SeenNotes(self._seen_s, now_s=now_s, every_s=SEEN_EVERY_S)
        with self._refusals(now_s) as refused, self.pool.connection() as conn:
            arrivals = store.take_released(conn, count)
            if not arrivals:
                return 0
            items = [read(arrival) for arrival in arrivals]
            settled = self._transaction(conn, seen, refused).settle(items)
        self._committed(settled, seen)
        return len(arrivals)

    def _replay_one(self) -> int:
        """The first of the released ones alone; when it fails, it goes to the dead letters, in the transaction that took it:
        another process may take the next one meanwhile.
        """
        now_s = self.monotonic_s()
        seen = SeenNotes(self._seen_s, now_s=now_s, every_s=SEEN_EVERY_S)
        refused = Refused(self.letters, now_s)
        with self.pool.connection() as conn:
            arrivals = store.take_released(conn, 1)
            if not arrivals:
                return 0
            item = read(arrivals[0])
            try:
                with self._refusals(now_s) as inner, conn.transaction():
                    settled = self._transaction(conn, seen, inner).settle([item])
            except Exception as error:
                if classify(error) is not Failure.DATA:
                    raise
                settled = None
                refused.add(_refused(item, error), enrolled=bool(self._registry.resolve(conn, [_node(item)])))
                refused.write(conn, self.clock())
        if settled is not None:
            self._committed(settled, seen)
        self._count_refused(refused.reasons, refused.left_out)
        return 1

    def _count_refused(self, reasons: Counter[str], left_out: int) -> None:
        for reason, count in reasons.items():
            metrics.REFUSED.labels(reason).inc(count)
        metrics.LETTERS_LEFT_OUT.inc(left_out)


class _Unsettled(Exception):
    """A batch that fails again and again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(_short(error))
        self.error = error


def _refused(item: Item, error: Exception) -> Refusal:
    reason = Reason.DATA if _is_expected(error) else Reason.INTERNAL
    message_id = item.envelope.id if isinstance(item, Message) else None
    if isinstance(item, Refusal):
        message_id = item.message_id
    topic = item.topic
    return Refusal(item.arrival, topic, message_id, reason, _short(error))


def _node(item: Item) -> str:
    return item.topic.node if item.topic is not None else ""


def _is_expected(error: Exception) -> bool:
    return getattr(error, "sqlstate", None) is not None or type(error).__module__.startswith(("psycopg", "cloud."))


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _label(verdict: Verdict) -> str:
    if verdict.outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE} or verdict.reason is None:
        return ""
    return verdict.reason.partition(":")[0]


def _wait_s(tries: int) -> float:
    longest_s: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(tries - 1, 10))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311  # jitter

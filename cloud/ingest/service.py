"""The ingest service: a thread for each precedence reads and decodes, one writes. What was taken in is acknowledged after the
commit, by the connection that brought it.
"""

import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from cloud.correlate.service import DEFAULT_RULES, CorrelationRules
from cloud.db.leader import Leadership
from cloud.db.pool import Pool
from cloud.ingest import metrics
from cloud.ingest.acknowledgement import acknowledgements
from cloud.ingest.failure import Failure, classify
from cloud.ingest.handover import BATCH_MESSAGES, Batch, Handover
from cloud.ingest.intake import Intake, Precedence
from cloud.ingest.model import Arrival
from cloud.ingest.pace import NodePace
from cloud.ingest.reading import read
from cloud.ingest.writer import PRUNED_AT_ONCE, Stopped, Writer, utc_now
from cloud.mqtt import Delivery
from edge.contract.topics import Channel, for_all_nodes

TICK_S = 0.25
SLOW_TICK_S = 1.0
PARTITIONS_EVERY_S = 30.0
RELEASE_EVERY_S = 15.0
PRUNE_EVERY_S = 600.0
GATHER_S = 0.005

_log = structlog.get_logger(__name__)


SWITCH_INTERVAL_S = 0.0003
"""The writer comes back from the database many times in a transaction and wants the interpreter, which the reader has: at
Python's 5 ms the database waited for it (python -m tests.benches.ingest: ratio 0.75, with this 0.8)."""


class IngestService:
    """Runs between `start` and `stop`. With `presence` it reads the nodes' status too, while it holds that lead."""

    def __init__(
        self,
        pool: Pool,
        intake: Intake,
        *,
        rules: CorrelationRules = DEFAULT_RULES,
        presence: Leadership | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._intake = intake
        self._presence = presence
        self._leads = False
        self._stopping = threading.Event()
        self._handover = Handover()
        self._pace = NodePace()
        self._pace_lock = threading.Lock()
        self._writer = Writer(pool, self._stopping.wait, rules=rules, clock=clock)
        self._clock = clock
        self._slow_tick_at_s = 0.0
        self._partitions_at_s = 0.0
        self._release_at_s = 0.0
        self._prune_at_s = 0.0
        self._threads = [
            *(
                threading.Thread(target=self._read_all, args=[each], name=f"ingest-read-{each}", daemon=True)
                for each in Precedence
            ),
            threading.Thread(target=self._write_all, name="ingest-write", daemon=True),
        ]

    def start(self) -> None:
        """Connect and begin. Makes the interpreter change threads more often, for the whole process."""
        sys.setswitchinterval(min(SWITCH_INTERVAL_S, sys.getswitchinterval()))
        for thread in self._threads:
            thread.start()
        self._intake.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish the transaction under way, acknowledge it, close. What was not begun comes again at the next start."""
        self._stopping.set()
        self._handover.close()
        for thread in self._threads:
            thread.join(timeout_s)
        self._intake.close()
        if self._presence is not None:
            self._presence.release()

    def problem(self) -> str | None:
        """What keeps it from working, None when nothing does; for readiness."""
        if not all(thread.is_alive() for thread in self._threads):
            return "an ingest thread has ended"
        return None if self._intake.connected else "no connection to the broker"

    def _read_all(self, precedence: Precedence) -> None:
        mailbox = self._intake[precedence].mailbox
        batch = Batch(precedence)
        while not self._stopping.is_set():
            taken = mailbox.take(BATCH_MESSAGES // 4, wait_s=GATHER_S if batch.items else TICK_S)
            for delivery in self._admitted(precedence, taken):
                item = read(Arrival(delivery.topic, delivery.payload, delivery.received_at))
                time.sleep(0)  # lets the writer have the interpreter at once; it would wait for a switch interval else
                channel = item.topic.channel.value if item.topic is not None else "unknown"
                metrics.RECEIVED.labels(channel).inc()
                batch.add(delivery, item)
                if batch.full:
                    self._handover.give(batch)
                    batch = Batch(precedence)
            if batch.items and self._handover.wanted(precedence):
                self._handover.give(batch)
                batch = Batch(precedence)
            metrics.WAITING.labels(precedence).set(len(mailbox) + len(batch.items))

    def _admitted(self, precedence: Precedence, deliveries: list[Delivery]) -> list[Delivery]:
        """Without those of a node that floods: the broker is rid of them, and the others' messages come up behind them."""
        now_s = time.monotonic()
        admitted: list[Delivery] = []
        beyond: list[Delivery] = []
        with self._pace_lock:
            for delivery in deliveries:
                (admitted if self._pace.admits(delivery.topic, now_s) else beyond).append(delivery)
            told = self._pace.to_tell(now_s)
        if beyond:
            metrics.FLOOD.inc(len(beyond))
            self._intake[precedence].acknowledge(beyond)
        if told:
            _log.warning("nodes_flood", left_out=told)
        return admitted

    def _write_all(self) -> None:
        while not self._stopping.is_set():
            batch = self._handover.take(TICK_S)
            try:
                if batch is not None:
                    self._settle(batch)
                self._tick()
            except Stopped:
                return
            except Exception as error:  # noqa: BLE001  # the thread's top: counted, logged, and on it goes
                metrics.ERRORS.inc()
                if classify(error) is Failure.DATA:
                    _log.exception("ingest_tick_failed")
                else:
                    _log.warning("ingest_tick_failed", error=type(error).__name__)
                self._stopping.wait(TICK_S)

    def _settle(self, batch: Batch) -> None:
        verdicts = self._writer.settle(batch.items)
        for topic, payload in acknowledgements(verdicts, self._clock()):
            self._intake[batch.precedence].publish(topic, payload)
        self._acknowledge(batch)

    def _acknowledge(self, batch: Batch) -> None:
        self._intake[batch.precedence].acknowledge(batch.deliveries)

    def _tick(self) -> None:
        self._writer.tell_live()
        now_s = time.monotonic()
        if now_s < self._slow_tick_at_s:
            return
        replayed = self._writer.replay_released()
        self._slow_tick_at_s = now_s + (0.0 if replayed else SLOW_TICK_S)
        self._follow_presence()
        if now_s >= self._partitions_at_s:
            self._partitions_at_s = now_s + PARTITIONS_EVERY_S  # also when it fails: it waits for a lock
            self._writer.open_partitions()
        if now_s >= self._release_at_s:
            self._writer.release_declared()
            self._writer.count_missing()
            self._release_at_s = now_s + RELEASE_EVERY_S
        if now_s >= self._prune_at_s:
            self._writer.check_durability()
            pruned = self._writer.prune()
            self._prune_at_s = now_s + (SLOW_TICK_S if pruned >= PRUNED_AT_ONCE else PRUNE_EVERY_S)

    def _follow_presence(self) -> None:
        if self._presence is None:
            return
        leads = self._presence.held()
        if leads != self._leads:
            topics = [for_all_nodes(Channel.STATUS)]
            (self._intake.routine.subscribe if leads else self._intake.routine.unsubscribe)(topics)
            self._leads = leads

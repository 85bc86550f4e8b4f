"""From the thread that reads to the thread that writes: a batch grows while the writer is busy, and not a moment longer."""

import threading
from dataclasses import dataclass, field

from cloud.ingest.model import Item, Message
from cloud.mqtt import Delivery
from edge.contract.telemetry import TelemetryBatch

BATCH_READINGS = 10_000
BATCH_MESSAGES = 200


@dataclass(slots=True)
class Batch:
    """Messages that are settled in one transaction, and the deliveries that are acknowledged after it."""

    items: list[Item] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    readings: int = 0

    def add(self, delivery: Delivery, item: Item) -> None:
        """Add a message."""
        self.deliveries.append(delivery)
        self.items.append(item)
        if isinstance(item, Message) and isinstance(item.envelope.body, TelemetryBatch):
            self.readings += sum(len(column.value) for column in item.envelope.body.series)

    @property
    def full(self) -> bool:
        """Whether it shall not grow further."""
        return self.readings >= BATCH_READINGS or len(self.items) >= BATCH_MESSAGES


class Handover:
    """One place for one batch. The writer counts as busy from `take` until it asks again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batch: Batch | None = None
        self._writer_waits = False
        self._closed = False

    @property
    def wanted(self) -> bool:
        """Whether the writer waits for work and finds none."""
        with self._changed:
            return self._writer_waits and self._batch is None

    def give(self, batch: Batch) -> bool:
        """Put a batch; waits while one lies there. False when it was closed before."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch is None or self._closed)
            if self._closed:
                return False
            self._batch = batch
            self._changed.notify_all()
        return True

    def take(self, wait_s: float) -> Batch | None:
        """The batch, waiting up to `wait_s` for one."""
        with self._changed:
            self._writer_waits = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._batch is not None or self._closed, wait_s)
            batch, self._batch = self._batch, None
            self._writer_waits = False
            self._changed.notify_all()
        return batch

    def close(self) -> None:
        """Wake both sides; what still lies there is dropped, nobody acknowledged it."""
        with self._changed:
            self._closed = True
            self._batch = None
            self._changed.notify_all()

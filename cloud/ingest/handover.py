"""From the threads that read to the thread that writes: a batch grows while the writer is busy, and not a moment longer.

An urgent batch waits for the transaction under way and for no other, unless so many urgent ones went before in a row that
routine has to have its turn.
"""

import threading
from dataclasses import dataclass, field

from cloud.ingest.intake import Precedence
from cloud.ingest.model import Item, Message
from cloud.mqtt import Delivery
from edge.contract.telemetry import TelemetryBatch

BATCH_READINGS = 10_000
BATCH_MESSAGES = 200
URGENT_IN_A_ROW = 4
"""Alarms that never end would keep all else in the broker until its queue is full."""


@dataclass(slots=True)
class Batch:
    """Messages that are settled in one transaction, and the deliveries that are acknowledged after it."""

    precedence: Precedence
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
    """A place for one batch of each precedence. The writer counts as busy from `take` until it asks again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._places: dict[Precedence, Batch] = {}
        self._urgent_in_a_row = 0
        self._writer_waits = False
        self._closed = False

    def wanted(self, precedence: Precedence) -> bool:
        """Whether a batch that could grow further is better given now."""
        with self._changed:
            if precedence in self._places:
                return False
            if precedence is Precedence.URGENT or self._is_routines_turn:
                return True
            return self._writer_waits and not self._places

    @property
    def _is_routines_turn(self) -> bool:
        return self._urgent_in_a_row >= URGENT_IN_A_ROW

    def give(self, batch: Batch) -> bool:
        """Put a batch; waits while one of its precedence lies there. False when it was closed before."""
        with self._changed:
            self._changed.wait_for(lambda: batch.precedence not in self._places or self._closed)
            if self._closed:
                return False
            self._places[batch.precedence] = batch
            self._changed.notify_all()
        return True

    def take(self, wait_s: float) -> Batch | None:
        """The batch that is next, waiting up to `wait_s` for one."""
        with self._changed:
            self._writer_waits = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._places or self._closed, wait_s)
            batch = self._next()
            self._writer_waits = False
            self._changed.notify_all()
        return batch

    def _next(self) -> Batch | None:
        first, second = Precedence.URGENT, Precedence.ROUTINE
        if self._is_routines_turn:
            first, second = second, first
        batch = self._places.pop(first, None) or self._places.pop(second, None)
        if batch is not None:
            self._urgent_in_a_row = self._urgent_in_a_row + 1 if batch.precedence is Precedence.URGENT else 0
        return batch

    def close(self) -> None:
        """Wake all sides; what still lies there is dropped, nobody acknowledged it."""
        with self._changed:
            self._closed = True
            self._places.clear()
            self._changed.notify_all()

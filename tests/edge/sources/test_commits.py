import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from edge.errors import OutboxFull, Retryable
from edge.flow import Parcel, Reading
from edge.sources.commits import Commits

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Outbox:
    def __init__(self) -> None:
        self.parcels: list[Parcel] = []
        self.gate = threading.Event()
        self.error: Exception | None = None
        self.poison: float | None = None

    def keep(self, parcel: Parcel) -> None:
        self.gate.wait(20)
        if self.error is not None:
            raise self.error
        if any(reading.value == self.poison for reading in parcel.readings):
            raise ValueError("poison")
        self.parcels.append(parcel)


@contextmanager
def commits(outbox: Outbox) -> Iterator[Commits]:
    made = Commits(outbox.keep, source="test", name="commits-of-a-test")
    made.start()
    try:
        yield made
    finally:
        outbox.gate.set()
        made.stop()


def reading(value: float) -> Reading:
    return Reading("pile-1", "temperature_c.1", NOW, value, NOW)


def test_what_waits_is_kept_together_with_its_marks() -> None:
    outbox = Outbox()
    with commits(outbox) as made:
        first = made.deliver([reading(0)])
        rest = [made.deliver([reading(value)], marks=(bytes([value]),)) for value in range(1, 50)]
        outbox.gate.set()
        for future in (first, *rest):
            future.result(20)
    assert sum(len(parcel.readings) for parcel in outbox.parcels) == 50
    assert len(outbox.parcels) <= 3
    receipts = [parcel.receipts for parcel in outbox.parcels if parcel.receipts is not None]
    assert b"".join(mark for each in receipts for mark in each.marks) == bytes(range(1, 50))


def test_an_errand_is_done_in_its_turn() -> None:
    outbox, order = Outbox(), list[int]()
    with commits(outbox) as made:
        made.deliver([reading(0)])
        made.run(lambda: order.append(len(outbox.parcels)))
        last = made.deliver([reading(1)])
        outbox.gate.set()
        last.result(20)
    assert order == [1]


def test_what_can_not_be_kept_is_told_to_each_sender() -> None:
    outbox = Outbox()
    outbox.error = OutboxFull("no room")
    with commits(outbox) as made:
        waiting = [made.deliver([reading(value)]) for value in range(3)]
        outbox.gate.set()
        for future in waiting:
            with pytest.raises(OutboxFull):
                future.result(20)


def test_one_that_breaks_costs_the_others_nothing() -> None:
    outbox = Outbox()
    outbox.poison = 7
    with commits(outbox) as made:
        waiting = {value: made.deliver([reading(value)]) for value in range(10)}
        outbox.gate.set()
        for value, future in waiting.items():
            if value == 7:
                with pytest.raises(Retryable):
                    future.result(20)
            else:
                future.result(20)
        assert made.faults == 1


def test_one_that_nobody_waits_for_any_more_breaks_nothing() -> None:
    outbox = Outbox()
    with commits(outbox) as made:
        first, given_up = made.deliver([reading(0)]), made.deliver([reading(1)])
        given_up.cancel()
        outbox.gate.set()
        first.result(20)
        made.deliver([reading(2)]).result(20)
        assert made.faults == 0


def test_after_the_end_nothing_is_kept_and_nobody_waits() -> None:
    outbox = Outbox()
    outbox.gate.set()
    with commits(outbox) as made:
        pass
    with pytest.raises(Retryable):
        made.deliver([reading(0)]).result(1)

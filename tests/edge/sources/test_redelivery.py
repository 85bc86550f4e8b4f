"""Messages that come again after a restart, with the real outbox and without a broker: hundreds and thousands of them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.errors import OutboxFull
from edge.flow import RECEIPTS_KEPT, Health, Parcel, Reading, Receipts
from edge.mqtt import Delivery, Endpoint
from edge.outbox.outbox import Outbox
from edge.outbox.store import RECEIPTS_OVER, Counter
from edge.settings import OutboxSettings, PointSettings, SensorSettings
from edge.sources.mqtt_devices import AT_ONCE, RECEIPTS, MqttDeviceSource
from edge.sources.mqtt_sensor import MqttSensor, sensor_devices
from tests.edge.records import START, SteppedClock, reading

SENSORS = [SensorSettings(id="pile-1", topic="piles/1", points=(PointSettings(name="t"),))]
SETTINGS = OutboxSettings(quota_mib=16, incident_reserve_mib=1)
HIGHEST_NUMBER = 65_535


class Life:
    """A node between two starts: its outbox, and its source, whose acknowledgements reach nobody."""

    def __init__(self, directory: Path) -> None:
        self.outbox = Outbox(directory, SETTINGS, clock=SteppedClock(), window_s=0.0)
        self.again: list[Reading] = []
        self.failing = False
        self.source = MqttDeviceSource(
            [MqttSensor(sensor) for sensor in SENSORS],
            Endpoint("127.0.0.1", 1),
            self._keep,
            _ignore,
            devices_of=sensor_devices,
            client_id="unconnected",
            receipts=self.outbox.receipts(RECEIPTS),
        )

    def _keep(self, parcel: Parcel) -> None:
        if self.failing:
            raise ValueError("not of the kind that is tried again")
        self.outbox.readings(parcel.readings, receipts=parcel.receipts)
        self.again += parcel.again

    def hear(self, deliveries: Sequence[Delivery]) -> None:
        for begin in range(0, len(deliveries), AT_ONCE):
            self.source._take(deliveries[begin : begin + AT_ONCE])

    @property
    def accepted(self) -> int:
        return self.outbox.figures().counters[Counter.READINGS_ACCEPTED]


def _ignore(_device: str, _health: Health, _reason: str | None) -> None:
    pass


@contextmanager
def life(directory: Path) -> Iterator[Life]:
    living = Life(directory)
    try:
        yield living
    finally:
        living.outbox.close()


def message(index: int, *, again: bool = False, after_s: float = 0.0) -> Delivery:
    """The `index`-th message of the sensor; it tells no time, and most of them say the same."""
    at = START + timedelta(seconds=after_s, microseconds=index)
    payload = json.dumps({"t": index // 100 % 3}).encode()
    return Delivery("piles/1", payload, 1, index % HIGHEST_NUMBER + 1, connection=1, received_at=at, again=again)


@pytest.mark.parametrize("count", [500, 5_000])
@pytest.mark.parametrize("first", [0, HIGHEST_NUMBER - 250])
def test_all_that_comes_again_after_a_restart_is_the_same(tmp_path: Path, count: int, first: int) -> None:
    before = range(first, first + count)
    with life(tmp_path) as killed:
        killed.hear([message(index) for index in before])
        assert killed.accepted == count
    new = range(first + count, first + count + 300)
    with life(tmp_path) as next_life:
        next_life.hear([message(index, again=True, after_s=60) for index in before])
        next_life.hear([message(index, after_s=60) for index in new])
        assert next_life.accepted == count + len(new)
        assert next_life.source.figures.repeated == count
        assert [each.observed_at for each in next_life.again] == [message(index).received_at for index in before]
        assert {each.received_at for each in next_life.again} == {
            message(index, after_s=60).received_at for index in before
        }  # played back in no time: rules that look at its pace must not take that for a clock that was set back


def test_a_part_that_comes_again_among_new_ones_and_what_was_sent_and_never_heard(tmp_path: Path) -> None:
    with life(tmp_path) as killed:
        killed.hear([message(index) for index in range(1_000)])
    with life(tmp_path) as next_life:
        unheard = range(1_000, 1_200)  # flagged like the others, since the broker had sent them
        mixed = [message(index, again=True, after_s=60) for index in (*range(300, 1_000), *unheard)]
        mixed[100:100] = [message(5_000 + index, after_s=60) for index in range(50)]
        next_life.hear(mixed)
        assert next_life.source.figures.repeated == 700
        assert next_life.accepted == 1_000 + 200 + 50
        next_life.hear([message(index, again=True, after_s=90) for index in unheard])
        assert next_life.accepted == 1_250


def test_after_all_numbers_the_same_words_are_new(tmp_path: Path) -> None:
    with life(tmp_path) as living:
        living.hear([message(index) for index in range(100)])
        round_again = [message(HIGHEST_NUMBER * 20 + index, after_s=60) for index in range(100)]
        assert [each.mid for each in round_again] == [message(index).mid for index in range(100)]
        assert [each.payload for each in round_again] == [message(index).payload for index in range(100)]
        living.hear(round_again)
        assert living.accepted == 200
        assert living.source.figures.repeated == 0


def test_what_was_not_kept_is_kept_when_it_comes_again(tmp_path: Path) -> None:
    with life(tmp_path) as living:
        living.failing = True
        with pytest.raises(ValueError, match="tried again"):
            living.hear([message(index) for index in range(10)])
        living.source._kept.forget_unsaved()
        living.failing = False
        living.hear([message(index, again=True) for index in range(10)])
        assert (living.accepted, living.again) == (10, [])


def test_receipts_are_bounded_source_by_source_and_newest_first(tmp_path: Path) -> None:
    with life(tmp_path) as living:
        outbox = living.outbox
        outbox.readings([reading(0)], receipts=Receipts("quiet", (b"a", b"b")))
        numbers = [number.to_bytes(4) for number in range(RECEIPTS_KEPT + 2_000)]
        for begin in range(0, len(numbers), 400):
            outbox.readings([], receipts=Receipts("busy", tuple(numbers[begin : begin + 400])))
            kept = outbox._committer.read(lambda store: store.number("receipts_kept"))
            assert kept <= RECEIPTS_KEPT + RECEIPTS_OVER + 2
        assert outbox.receipts("busy") == numbers[-RECEIPTS_KEPT:]
        assert outbox.receipts("quiet") == [b"a", b"b"]
        assert outbox.receipts("unknown") == []


def test_receipts_are_kept_with_their_readings_or_not_at_all(tmp_path: Path) -> None:
    with life(tmp_path) as living:
        too_many = [reading(number) for number in range(300_000)]
        with pytest.raises(OutboxFull):
            living.outbox.readings(too_many, receipts=Receipts("source", (b"a",)))
        assert living.outbox.receipts("source") == []
        living.outbox.readings(too_many[:1], receipts=Receipts("source", (b"b",)))
        assert living.outbox.receipts("source") == [b"b"]


def test_the_last_word_that_each_subscription_brings_again_is_no_second_reading(tmp_path: Path) -> None:
    """A retained message comes with every new connection, as a new one: days old, and whoever said it may be gone."""
    with life(tmp_path) as living:
        living.hear([replace(message(0), retained=True)])
        assert living.accepted == 1
        living.hear([replace(message(number), retained=True) for number in (7, 8)])
        assert living.accepted == 1
        assert living.source.figures.retained == 2
        living.hear([message(9)])  # the same words, said now
        assert living.accepted == 2
        living.hear([replace(message(100), retained=True)])  # another word, said while nobody listened
        assert living.accepted == 3


def test_a_last_word_that_was_sent_and_never_kept_is_taken(tmp_path: Path) -> None:
    with life(tmp_path) as living:
        living.hear([message(0)])
        living.hear([replace(message(7, again=True), retained=True)])
        assert living.accepted == 2

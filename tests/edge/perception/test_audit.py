"""The audit of a gate, fed by hand."""

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.flow import Encoded, GateOrder, GateReason, GateState, Packet, Scene
from edge.perception.audit import AuditedGate, AuditSettings
from edge.perception.gate import PacketGate
from edge.video import ArrayPicture
from tests.fakes.footage import grainy, picture
from tests.fakes.scenes import at, standing_at, walk

RATE = 10
SETTINGS = AuditSettings(every_s=60.0)


class Camera:
    """Ten pictures a second and a key frame every two; what is decoded is analysed at once."""

    def __init__(self, settings: AuditSettings = SETTINGS) -> None:
        self.inner = PacketGate()
        self.gate = AuditedGate(self.inner, settings, chance=lambda: 0.5)
        self.gate.begin()
        self.number = 0
        self.moving = self.followed = False

    @property
    def now(self) -> datetime:
        return at(self.number / RATE)

    def send(self, seconds: float, size_bytes: int = 100) -> list[GateOrder]:
        """What it says to each packet."""
        orders = []
        for _ in range(round(seconds * RATE)):
            key = self.number % 20 == 0
            data = bytes(20_000 if key else size_bytes)
            encoded = Encoded(data, self.number, self.number, 1, key, self.number / RATE)
            order = self.gate.take(Packet(encoded, self.now, self.number / RATE))
            orders.append(order)
            if order in {GateOrder.LOOK, GateOrder.CHECK}:
                self.gate.looked(ArrayPicture(grainy(picture(3), self.number)), self.now)
            if order is not GateOrder.SPARE:
                tracks = next(walk(1, [(self.number / RATE, standing_at(0.5, 0.9))])).tracks if self.followed else ()
                self.gate.attend(Scene("c", self.now, tracks, moving=self.moving), followed=self.followed)
            self.number += 1
        return orders

    def audited(self) -> "Camera":
        """To the beginning of a stretch."""
        self.send(40)
        while self.gate.reason is not GateReason.AUDITED:
            self.send(0.1)
        return self


def test_a_stretch_decodes_everything_and_the_gate_is_as_it_would_be() -> None:
    camera = Camera().audited()
    assert [gate.state for gate in (camera.gate, camera.inner)] == [GateState.OPEN, GateState.WATCHING]
    spared = camera.gate.counters.spared
    orders = camera.send(SETTINGS.for_s - 1)
    assert set(orders) == {GateOrder.DECODE, GateOrder.CHECK}
    assert orders.count(GateOrder.CHECK) == 5
    assert camera.gate.counters.spared == spared
    assert GateOrder.SPARE in camera.send(3)
    assert camera.gate.reason is GateReason.STILL
    assert camera.gate.audit.stretches == 1
    assert abs(camera.gate.audit.audited_s - SETTINGS.for_s) < 0.3
    assert (camera.gate.audit.found, camera.gate.audit.missed) == (0, 0)


def test_a_stretch_takes_a_hundredth_of_the_time_and_begins_with_a_key_frame() -> None:
    camera = Camera(AuditSettings())
    orders = camera.send(3 * 1_200)
    assert 2 <= camera.gate.audit.stretches <= 3
    assert camera.gate.audit.audited_s <= 0.011 * 3_600
    first = 400 + next(index for index, order in enumerate(orders[400:]) if order is GateOrder.CHECK)
    assert first % 20 == 0
    assert orders[first - 1] is GateOrder.SPARE


def test_what_sizes_tell_is_found_by_both() -> None:
    camera = Camera().audited()
    camera.send(2.2)
    camera.followed = camera.moving = True
    camera.send(2, 2_000)
    assert (camera.gate.audit.found, camera.gate.audit.missed) == (1, 0)
    assert camera.gate.state is GateState.OPEN
    assert camera.gate.reason is GateReason.SIZES


def test_a_look_that_shows_it_is_enough() -> None:
    camera = Camera().audited()
    camera.send(0.5)
    camera.moving = True
    camera.send(3)
    assert (camera.gate.audit.found, camera.gate.audit.missed) == (1, 0)
    assert camera.gate.reason is GateReason.SEEN


def test_what_comes_and_goes_between_two_looks_was_missed_and_the_gate_is_opened_for_it() -> None:
    camera = Camera().audited()
    camera.send(0.5)
    camera.followed = True
    camera.send(1)
    camera.followed = False
    orders = camera.send(SETTINGS.grace_s)
    assert (camera.gate.audit.found, camera.gate.audit.missed) == (0, 1)
    assert GateOrder.SPARE not in orders
    assert camera.inner.state is GateState.OPEN


def test_a_flicker_is_no_movement() -> None:
    camera = Camera().audited()
    for _ in range(3):
        camera.send(0.5)
        camera.moving = True
        camera.send(0.2)
        camera.moving = False
        camera.send(1.3)
    camera.send(20)
    assert (camera.gate.audit.found, camera.gate.audit.missed) == (0, 0)
    assert camera.gate.state is GateState.WATCHING


def test_a_connection_that_ends_ends_the_stretch() -> None:
    camera = Camera().audited()
    camera.gate.begin()
    assert camera.gate.state is GateState.LEARNING
    camera.send(5)
    assert camera.gate.audit.stretches == 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([30, 100, 2_000]), st.booleans(), st.booleans()), max_size=40))
def test_whatever_happens_stretches_end_and_nothing_counts_twice(seconds: list[tuple[int, bool, bool]]) -> None:
    camera = Camera()
    camera.send(40)
    for size_bytes, camera.moving, camera.followed in seconds:
        camera.send(1, size_bytes)
    audit = camera.gate.audit
    assert audit.found + audit.missed <= audit.stretches
    assert audit.audited_s <= audit.stretches * (SETTINGS.for_s + 2 * SETTINGS.grace_s + 1)
    assert camera.gate.counters.spared >= 0
    camera.moving = camera.followed = False
    camera.send(60)
    assert camera.gate.reason in {GateReason.STILL, GateReason.AUDITED, GateReason.SIZES_TELL_NOTHING, GateReason.BEGUN}

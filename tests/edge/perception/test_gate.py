"""The gate, fed by hand."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import CameraTrouble
from edge.flow import Encoded, GateOrder, GateReason, GateState, Image, Packet, Scene
from edge.perception.gate import GateSettings, PacketGate
from edge.perception.packet_sizes import PacketSizes, spent_bytes
from edge.video import ArrayPicture
from tests.fakes.footage import grainy, picture
from tests.fakes.scenes import at

RATE = 10
GOP = 20


class Camera:
    """A camera with ten pictures a second and a key frame every two, whose analysis answers at once."""

    def __init__(self, *, gop: int = GOP) -> None:
        self.gate = PacketGate()
        self.gate.begin()
        self.number = 0
        self.gop = gop
        self.busy = False
        self.answers = True
        self.view = picture(3)
        self.still = False
        self.troubles: frozenset[CameraTrouble] = frozenset()

    @property
    def now(self) -> datetime:
        return at(self.number / RATE)

    def send(self, seconds: float, size_bytes: int = 100) -> list[GateOrder]:
        """What the gate says to each packet."""
        orders = []
        for _ in range(round(seconds * RATE)):
            key = self.number % self.gop == 0
            encoded = Encoded(
                bytes(20_000 if key else size_bytes), self.number, self.number, 1, key, self.number / RATE
            )
            order = self.gate.take(Packet(encoded, self.now, self.number / RATE))
            orders.append(order)
            if order is GateOrder.LOOK:
                self.gate.looked(ArrayPicture(self.view if self.still else self._grainy()), self.now)
            if self.answers and order is not GateOrder.SPARE:
                scene = Scene("c", self.now, (), moving=self.busy, troubles=self.troubles)
                self.gate.attend(scene, followed=False)
            self.number += 1
        return orders

    def _grainy(self) -> Image:
        """The view with grain that is never the same."""
        return grainy(self.view, self.number)

    def settled(self) -> "Camera":
        """After so much of the empty scene that it knows it."""
        self.send(40)
        assert self.gate.state is GateState.WATCHING
        return self


def test_it_decodes_all_until_it_knows_the_empty_scene_and_then_looks_at_key_frames() -> None:
    camera = Camera()
    assert set(camera.send(10)) == {GateOrder.DECODE}
    assert (camera.gate.state, camera.gate.reason) == (GateState.LEARNING, GateReason.BEGUN)
    camera.settled()
    orders = camera.send(20)
    assert orders.count(GateOrder.LOOK) == 10
    assert orders.count(GateOrder.DECODE) == 0
    assert camera.gate.reason is GateReason.STILL


def test_it_opens_within_a_few_larger_packets_and_says_when_it_began() -> None:
    camera = Camera().settled()
    began = camera.now
    orders = camera.send(0.5, 1_200)
    assert orders.index(GateOrder.DECODE) <= 3
    assert (camera.gate.state, camera.gate.reason) == (GateState.OPEN, GateReason.SIZES)
    assert camera.gate.began_at is not None
    assert camera.gate.began_at <= began


def test_it_stays_open_as_long_as_the_analysis_sees_something_and_closes_soon_after() -> None:
    camera = Camera().settled()
    camera.busy = True
    camera.send(1, 1_200)
    assert set(camera.send(60)) == {GateOrder.DECODE}
    camera.busy = False
    assert camera.send(10)[-1] is not GateOrder.DECODE
    assert camera.gate.counters.told == 1


def test_without_a_word_of_the_analysis_it_never_closes() -> None:
    camera = Camera()
    camera.answers = False
    assert set(camera.send(120)) == {GateOrder.DECODE}
    camera = Camera().settled()
    camera.send(0.5, 1_200)
    camera.answers = False
    assert set(camera.send(60)) == {GateOrder.DECODE}


def test_packets_that_stay_smaller_than_ever_are_looked_at_too() -> None:
    camera = Camera().settled()
    orders = camera.send(3, 20)
    assert GateOrder.DECODE not in orders[:10]
    assert orders[-1] is GateOrder.DECODE


def test_what_only_a_key_frame_shows_opens_it_and_after_three_times_sizes_are_not_believed() -> None:
    camera = Camera().settled()
    for turn in range(3):
        camera.busy = True
        assert GateOrder.DECODE in camera.send(3)
        camera.busy = False
        camera.send(10)
        assert camera.gate.counters.missed == turn + 1
    assert (camera.gate.state, camera.gate.reason) == (GateState.UNSUITED, GateReason.SIZES_TELL_NOTHING)
    camera.send(GateSettings().distrust_s)
    assert camera.gate.state is GateState.WATCHING


def test_a_key_frame_that_can_not_be_decoded_opens_it() -> None:
    camera = Camera().settled()
    camera.gate.damaged(camera.now)
    assert camera.send(0.1) == [GateOrder.DECODE]
    assert camera.gate.reason is GateReason.DAMAGED


def test_key_frames_that_are_rare_do_not_suit() -> None:
    camera = Camera(gop=60)
    assert set(camera.send(100)) == {GateOrder.DECODE}
    assert camera.gate.reason is GateReason.KEY_FRAMES_RARE
    camera = Camera().settled()
    camera.gop = 10_000
    camera.send(8)
    assert camera.gate.reason is GateReason.KEY_FRAMES_RARE


def test_packets_that_noise_fills_tell_nothing() -> None:
    camera = Camera()
    orders = [order for number in range(600) for order in camera.send(0.1, 4_000 + 600 * (number % 7))]
    assert set(orders) == {GateOrder.DECODE}
    assert camera.gate.reason is GateReason.SIZES_TELL_NOTHING


def test_a_new_trouble_is_looked_at_closely_for_a_while_and_an_old_one_is_not() -> None:
    camera = Camera().settled()
    camera.troubles = frozenset({CameraTrouble.DARK})
    orders = camera.send(60)
    assert orders[:60].count(GateOrder.DECODE) > 30
    assert GateOrder.DECODE not in orders[-200:]


def test_a_new_connection_begins_open_and_keeps_what_was_learnt() -> None:
    camera = Camera().settled()
    camera.gate.begin()
    assert camera.send(1) == [GateOrder.DECODE] * 10
    camera.send(10)
    assert camera.gate.state is GateState.WATCHING


@given(
    st.lists(
        st.tuples(st.sampled_from([60, 100, 130, 1_500]), st.booleans(), st.booleans(), st.booleans()), max_size=60
    )
)
def test_while_the_analysis_sees_something_or_somebody_asks_nothing_is_left_out(
    seconds: list[tuple[int, bool, bool, bool]],
) -> None:
    camera = Camera().settled()
    for size_bytes, busy, answers, asks in seconds:
        if asks:
            camera.gate.asked(camera.now)
        was_busy, camera.busy, camera.answers = camera.busy and camera.answers, busy, answers
        open_before = camera.gate.state is not GateState.WATCHING
        orders = camera.send(1, size_bytes)
        if asks:
            assert set(orders) == {GateOrder.DECODE}
        if open_before and was_busy and busy and answers:
            assert set(orders) == {GateOrder.DECODE}
        if camera.gate.state is GateState.WATCHING:
            assert not camera.gate._sizes.unusual


@given(st.lists(st.tuples(st.integers(10, 5_000), st.booleans()), max_size=400))
def test_what_is_learnt_is_bounded_and_never_of_a_busy_scene(sent: list[tuple[int, bool]]) -> None:
    sizes = PacketSizes()
    for number, (size_bytes, moved) in enumerate(sent):
        sizes.add(number / RATE, size_bytes)
        if moved:
            sizes.discard()
            assert not sizes._waiting
        sizes.settle(number / RATE - 1)
        assert len(sizes._empty) <= sizes._settings.most_blocks


def test_a_key_frame_in_which_something_moved_opens_it_from_the_one_before() -> None:
    camera = Camera().settled()
    camera.send(4)
    assert camera.gate.state is GateState.WATCHING
    before = camera.now
    camera.view = camera.view.copy()
    camera.view[20:60, 30:90] = 200
    camera.send(2.1)
    assert (camera.gate.state, camera.gate.reason) == (GateState.OPEN, GateReason.SEEN)
    assert camera.gate.began_at is not None
    assert camera.gate.began_at <= before


def test_it_closes_with_a_look_at_a_key_frame_so_that_the_next_one_tells_what_has_come() -> None:
    camera = Camera().settled()
    camera.busy = True
    camera.send(3, 1_200)
    camera.busy = False
    orders = [order for _ in range(100) for order in camera.send(0.1)]
    closed = next(index for index, order in enumerate(orders) if order is not GateOrder.DECODE)
    assert orders[closed] is GateOrder.LOOK
    assert (camera.number - 100 + closed) % GOP == 0
    assert set(orders[:closed]) == {GateOrder.DECODE}
    camera = Camera().settled()
    camera.busy = True
    camera.send(3, 1_200)
    camera.busy = False
    while camera.gate.state is not GateState.WATCHING:
        camera.send(0.1)
    closed_at = camera.now
    camera.view = camera.view.copy()
    camera.view[20:60, 30:90] = 200
    camera.send(2)
    assert camera.gate.reason is GateReason.SEEN
    assert camera.gate.began_at is not None
    assert camera.gate.began_at < closed_at


def test_a_stream_of_key_frames_alone_tells_nothing() -> None:
    camera = Camera(gop=1)
    assert set(camera.send(60)) == {GateOrder.DECODE}
    assert (camera.gate.state, camera.gate.reason) == (GateState.UNSUITED, GateReason.SIZES_TELL_NOTHING)


def test_a_picture_that_is_the_same_again_opens_it_once_from_the_look_before() -> None:
    camera = Camera().settled()
    camera.send(4)
    before = camera.now
    camera.still = True
    camera.send(4.1)
    assert (camera.gate.state, camera.gate.reason) == (GateState.OPEN, GateReason.SAME)
    assert camera.gate.began_at is not None
    assert camera.gate.began_at >= before
    camera.send(10)
    assert camera.gate.state is GateState.WATCHING
    openings = camera.gate.counters.openings
    camera.send(60)
    assert camera.gate.counters.openings == openings
    camera.still = False
    camera.send(10)
    camera.still = True
    camera.send(6)
    assert camera.gate.counters.openings == openings + 1


def test_key_frames_four_seconds_apart_suit_only_where_sizes_would_tell_a_frozen_camera() -> None:
    camera = Camera(gop=40)
    assert set(camera.send(60, 100)) == {GateOrder.DECODE}
    assert camera.gate.reason is GateReason.KEY_FRAMES_RARE
    camera = Camera(gop=40)
    camera.send(60, 900)
    assert camera.gate.state is GateState.WATCHING


def test_a_camera_that_spends_more_or_less_from_now_on_is_learnt_anew() -> None:
    camera = Camera().settled()
    for size_bytes in (500, 100, 1_000):
        camera.send(90, size_bytes)
        assert camera.gate.state is GateState.WATCHING
        orders = camera.send(0.5, size_bytes * 4)
        assert GateOrder.DECODE in orders
        camera.send(10, size_bytes)


def test_a_scene_in_which_something_always_moves_is_named() -> None:
    camera = Camera()
    camera.busy = True
    camera.send(100)
    assert (camera.gate.state, camera.gate.reason) == (GateState.LEARNING, GateReason.BEGUN)
    assert set(camera.send(50)) == {GateOrder.DECODE}
    assert (camera.gate.state, camera.gate.reason) == (GateState.LEARNING, GateReason.NEVER_STILL)


def test_what_fills_a_packet_up_to_its_bitrate_is_not_what_was_spent() -> None:
    picture_data = b"\0\0\0\1\x41" + bytes(range(1, 200))
    assert spent_bytes(picture_data) == len(picture_data)
    filler = b"\0\0\0\1\x0c" + b"\xff" * 3_000 + b"\x80"
    assert spent_bytes(picture_data + filler) == len(picture_data) + 5
    assert spent_bytes(b"") == 0


@given(st.binary(max_size=200))
def test_what_was_spent_is_never_more_than_what_was_sent(data: bytes) -> None:
    assert len(data.rstrip(b"\xff\x80")) <= spent_bytes(data) <= len(data)


def test_who_asks_has_it_opened_from_the_moment_on_and_that_says_nothing_of_the_sizes() -> None:
    camera = Camera().settled()
    before = camera.gate.counters.told, camera.gate.counters.missed
    asked_at = camera.now
    camera.gate.asked(asked_at)
    assert set(camera.send(2)) == {GateOrder.DECODE}
    assert (camera.gate.state, camera.gate.reason) == (GateState.OPEN, GateReason.ASKED)
    assert camera.gate.began_at == asked_at
    assert camera.send(10)[-1] is not GateOrder.DECODE
    assert (camera.gate.counters.told, camera.gate.counters.missed) == before


def test_a_gate_that_is_open_stays_so_for_who_asks_and_does_not_open_once_more_later() -> None:
    camera = Camera()
    camera.gate.asked(camera.now)
    camera.settled()
    assert camera.gate.reason is GateReason.STILL
    camera.send(0.5, 1_200)
    camera.send(2)
    camera.gate.asked(camera.now)
    assert set(camera.send(2.5)) == {GateOrder.DECODE}
    camera.send(10)
    assert camera.gate.state is GateState.WATCHING

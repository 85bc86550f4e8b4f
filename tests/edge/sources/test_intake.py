"""From packets to the pictures that a gate asks for, on a real clip."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from edge.flow import GateOrder, GateReason, GateState, Packet, Picture, Scene
from edge.sources.intake import LONGEST_LAG_S, LONGEST_PUT_OFF_S, Intake, Taken
from edge.sources.packets import PacketRing
from edge.sources.timing import EventClock, PacketClock
from edge.video import Video
from tests.fakes.footage import number_of, write_clip
from tests.fakes.hostile_footage import write_film
from tests.fakes.scenes import at


class Told:
    """A gate that does as it is told: `orders` by the number of the packet."""

    state, reason = GateState.OPEN, GateReason.SIZES

    def __init__(self, orders: Callable[[int], GateOrder], began_at: datetime | None = None) -> None:
        self.began_at = began_at
        self.number = 0
        self.broken: list[datetime] = []
        self.moved: set[datetime] = set()
        self.shown: list[tuple[datetime, int]] = []
        self._orders = orders

    def begin(self) -> None:
        """Nothing."""

    def take(self, _packet: Packet) -> GateOrder:
        self.number += 1
        return self._orders(self.number - 1)

    def looked(self, picture: Picture, moment: datetime) -> bool:
        self.shown.append((moment, number_of(picture.image)))
        return moment in self.moved

    def damaged(self, moment: datetime) -> None:
        self.broken.append(moment)

    def attend(self, scene: Scene, *, followed: bool) -> None:
        """Nothing."""

    def asked(self, at: datetime) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-eight numbered pictures, ten a second, a key frame every five."""
    return write_film(tmp_path_factory.mktemp("clip") / "a.mp4", frames=28)


def packets(video: Video) -> Iterator[Packet]:
    """As they would arrive: in the order of decoding, each when it is due."""
    clock = PacketClock(EventClock())
    for encoded in video.packets():
        time = clock.time_of(encoded.pts_s, at(float((encoded.dts or 0) * video.format.time_base)))
        yield Packet(encoded, time.captured_at, time.media_s)


def played(clip: Path, gate: Told, *, hurried_s: Callable[[int], float] = lambda _number: 0.0) -> list[Taken]:
    with Video(clip) as video:
        intake = Intake(gate, PacketRing(), video)
        return [
            taken
            for number, packet in enumerate(packets(video))
            for taken in intake.take(packet, hurried_s=hurried_s(number))
        ]


def numbers(taken: Sequence[Taken]) -> list[int]:
    return [number_of(each.picture.image) for each in taken]


def test_all_that_is_decoded_comes_in_order_and_at_its_time(clip: Path) -> None:
    taken = played(clip, Told(lambda _number: GateOrder.DECODE))
    assert numbers(taken) == list(range(28))
    assert [each.media_s for each in taken] == pytest.approx([number / 10 for number in range(28)])
    assert [each.captured_at for each in taken] == sorted(each.captured_at for each in taken)
    assert not any(each.late for each in taken)


def test_frames_that_wait_for_later_ones_get_their_own_times(tmp_path: Path) -> None:
    reordered = write_clip(tmp_path / "b.mp4", frames=28)
    taken = played(reordered, Told(lambda _number: GateOrder.DECODE))
    assert numbers(taken) == list(range(len(taken)))
    steps = [(b.captured_at - a.captured_at).total_seconds() for a, b in itertools.pairwise(taken[8:])]
    assert steps == pytest.approx([0.1] * len(steps), abs=1e-3)


def test_a_look_is_one_key_frame_and_nothing_waits_for_what_follows(clip: Path) -> None:
    order = {0: GateOrder.LOOK, 10: GateOrder.LOOK, 20: GateOrder.LOOK}
    assert numbers(played(clip, Told(lambda number: order.get(number, GateOrder.SPARE)))) == [0, 10, 20]


def test_when_it_opens_decoding_begins_at_the_key_frame_before(clip: Path) -> None:
    gate = Told(lambda number: GateOrder.DECODE if number >= 17 else GateOrder.SPARE, began_at=at(1.4))
    taken = played(clip, gate)
    assert numbers(taken) == list(range(10, 28))  # from the key frame at 1.0 s
    assert [each.late for each in taken] == [True] * 7 + [False] * 11
    assert taken[0].captured_at == at(1.0)


def test_what_was_looked_at_already_is_not_handed_over_again(clip: Path) -> None:
    def order(number: int) -> GateOrder:
        return GateOrder.LOOK if number == 15 else GateOrder.DECODE if number >= 17 else GateOrder.SPARE

    assert numbers(played(clip, Told(order, began_at=at(1.5)))) == list(range(15, 28))


def test_it_opens_and_closes_again_and_again_without_a_step_back(clip: Path) -> None:
    gate = Told(lambda number: GateOrder.DECODE if number % 8 >= 5 else GateOrder.SPARE)
    taken = numbers(played(clip, gate))
    assert taken == sorted(set(taken))
    assert {5, 6, 7, 13, 14, 15, 21, 22, 23} <= set(taken)


def test_a_key_frame_that_is_damaged_is_told_to_the_gate(clip: Path) -> None:
    gate = Told(lambda number: GateOrder.LOOK if number % 5 == 0 else GateOrder.SPARE)
    with Video(clip) as video:
        intake = Intake(gate, PacketRing(), video)
        found: list[Taken] = []
        for number, packet in enumerate(packets(video)):
            if number == 10:
                blank = bytes(len(packet.encoded.data))
                found += intake.take(replace(packet, encoded=replace(packet.encoded, data=blank)))
            else:
                found += intake.take(packet)
        assert numbers(found) == [0, 5, 15, 20, 25]
        assert gate.broken == [at(1.0)]


def test_who_can_not_keep_up_goes_on_with_the_newest_group(clip: Path) -> None:
    late = LONGEST_LAG_S + 1

    def hurried_s(number: int) -> float:
        return late if 7 <= number < 12 else 0.0

    with Video(clip) as video:
        intake = Intake(Told(lambda _number: GateOrder.DECODE), PacketRing(), video)
        found = [
            taken
            for number, packet in enumerate(packets(video))
            for taken in intake.take(packet, hurried_s=hurried_s(number))
        ]
        assert numbers(found) == [*range(7), *range(15, 28)]
        assert intake.counters.dropped == 8


def test_what_a_look_shows_to_have_moved_is_seen_from_the_look_before_and_in_order(clip: Path) -> None:
    gate = Told(
        lambda number: GateOrder.LOOK if number in {5, 15} else GateOrder.SPARE if number < 15 else GateOrder.DECODE
    )
    gate.moved, gate.began_at = {at(1.5)}, at(0.5)
    assert numbers(played(clip, gate)) == list(range(5, 28))


@pytest.mark.parametrize("reordered", [False, True])
def test_a_checked_key_frame_is_decoded_with_the_others_and_shown_to_the_gate(
    clip: Path, tmp_path: Path, *, reordered: bool
) -> None:
    film = write_clip(tmp_path / "b.mp4", frames=28) if reordered else clip
    with Video(film) as video:
        keys = [number for number, encoded in enumerate(video.packets()) if encoded.key]
    gate = Told(lambda number: GateOrder.CHECK if number in keys else GateOrder.DECODE)
    taken = played(film, gate)
    assert numbers(taken) == list(range(len(taken)))
    at_their_times = {each.captured_at: number for each, number in zip(taken, numbers(taken), strict=True)}
    assert [number for _, number in gate.shown] == [at_their_times[moment] for moment, _ in gate.shown]
    assert len(gate.shown) == len(keys)


@pytest.mark.parametrize("reordered", [False, True])
@pytest.mark.parametrize("behind", [1, 3, 11])
def test_what_is_put_off_comes_whole_and_in_order_whenever_it_is_fetched(
    clip: Path, tmp_path: Path, *, reordered: bool, behind: int
) -> None:
    film = write_clip(tmp_path / "b.mp4", frames=28) if reordered else clip
    with Video(film) as video:
        intake = Intake(Told(lambda _number: GateOrder.DECODE), PacketRing(), video)
        found: list[Taken] = []
        for number, packet in enumerate(packets(video)):
            at_once = list(intake.take(packet, later=True))
            assert not at_once or number == 0  # the first begins the decoder anew: the reading thread does that
            found += at_once
            if number % behind == 0:
                found += intake.caught_up()
                assert not intake.waiting
        found += intake.end()
    with Video(film) as video:
        whole = Intake(None, PacketRing(), video)
        expected = [taken for packet in packets(video) for taken in whole.take(packet)]
    assert numbers(found) == numbers(expected)
    assert [each.captured_at for each in found] == [each.captured_at for each in expected]


def test_what_was_put_off_comes_before_what_the_reading_thread_decodes_itself(clip: Path) -> None:
    with Video(clip) as video:
        intake = Intake(Told(lambda _number: GateOrder.DECODE), PacketRing(), video)
        found = [
            taken
            for number, packet in enumerate(packets(video))
            for taken in intake.take(packet, later=number not in {9, 10, 23})
        ]
        assert numbers(found) == list(range(24))
        assert intake.waiting
        assert numbers(list(intake.end())) == [24, 25, 26, 27]
        assert not intake.waiting


def test_when_a_gate_closes_what_was_put_off_is_decoded_all_the_same(clip: Path) -> None:
    order = {12: GateOrder.SPARE, 15: GateOrder.LOOK}
    gate = Told(lambda number: order.get(number, GateOrder.DECODE if number < 12 else GateOrder.SPARE))
    with Video(clip) as video:
        intake = Intake(gate, PacketRing(), video)
        found = [taken for packet in packets(video) for taken in intake.take(packet, later=True)]
        assert numbers(found) == [*range(12), 15]
        assert not intake.waiting


def test_what_nobody_fetches_is_let_go_of_and_it_goes_on_with_the_newest_group(tmp_path: Path) -> None:
    film = write_film(tmp_path / "long.mp4", frames=90)
    with Video(film) as video:
        intake = Intake(Told(lambda _number: GateOrder.DECODE), PacketRing(), video)
        most, found = 0, list[Taken]()
        for number, packet in enumerate(packets(video)):
            found += intake.take(packet, later=True)
            most = max(most, len(intake._put_off))
            if number >= 75:
                found += intake.caught_up()
    assert most == LONGEST_PUT_OFF_S * 10 + 1
    first, *others = found
    assert first.media_s == 0
    assert others[0].media_s > LONGEST_PUT_OFF_S
    assert [later.media_s - sooner.media_s for sooner, later in itertools.pairwise(others)] == pytest.approx(
        [0.1] * (len(others) - 1)
    )
    assert len(found) + intake.counters.dropped == number + 1


def test_who_comes_to_fetch_while_the_reading_thread_decodes_gets_nothing_and_does_not_wait(clip: Path) -> None:
    with Video(clip) as video:
        intake = Intake(Told(lambda _number: GateOrder.DECODE), PacketRing(), video)
        reading = packets(video)
        taken = intake.take(next(reading))
        assert number_of(next(taken).picture.image) == 0
        assert list(intake.caught_up()) == []
        assert list(taken) == []


def test_a_key_frame_that_is_to_be_checked_and_was_put_off_is_shown_to_the_gate_once(clip: Path) -> None:
    gate = Told(lambda number: GateOrder.CHECK if number == 10 else GateOrder.DECODE)
    with Video(clip) as video:
        intake = Intake(gate, PacketRing(), video)
        for number, packet in enumerate(packets(video)):
            list(intake.take(packet, later=True))
            if number == 12:
                list(intake.caught_up())
    assert [number for _, number in gate.shown] == [10]

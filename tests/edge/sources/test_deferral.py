"""Packets that wait to be decoded by the thread that analyses, on a real clip."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SourceLost
from edge.flow import Encoded, Frame, NativeMark, NativeStep, Packet
from edge.sources.deferral import Deferral
from edge.sources.intake import Intake, Taken, Timed
from edge.sources.mailbox import Mailbox
from edge.sources.packets import PacketRing
from edge.sources.timing import AnalysisGrid, EventClock, PacketClock
from edge.video import UNMARKED, Video
from tests.fakes.footage import number_of, write_clip
from tests.fakes.hostile_footage import write_film
from tests.fakes.scenes import at

HERTZ = 5.0


class Marked:
    """What a thread told that it does."""

    def __init__(self) -> None:
        self.steps: list[NativeStep] = []

    def tell(self, step: NativeStep) -> None:
        self.steps.append(step)


class Breaking:
    """A decoder that gives up with the packet of a number."""

    def __init__(self, video: Video, last: int) -> None:
        self._video, self._left = video, last

    def decode(self, encoded: Encoded, mark: NativeMark | None = None) -> Sequence[Timed]:
        if self._left == 0:
            raise SourceLost("nothing of it can be decoded")
        self._left -= 1
        return self._video.decode(encoded, mark)

    def decode_alone(self, encoded: Encoded) -> Sequence[Timed]:
        return self._video.decode_alone(encoded)

    def forget(self) -> None:
        self._video.forget()


class Camera:
    """What reads a clip, and who analyses it, in one thread."""

    def __init__(
        self, film: Path, decoder: Callable[[Video], Breaking] | None = None, *, analysis_hz: float = HERTZ
    ) -> None:
        self.video = Video(film)
        self.intake = Intake(None, PacketRing(), decoder(self.video) if decoder else self.video)
        self.mailbox = Mailbox()
        self.due: list[int] = []
        self.grid = AnalysisGrid(analysis_hz)
        self.deferral = Deferral(self.intake, self._due, self.mailbox, analysis_hz=analysis_hz)
        self.packets = self._packets()

    def _packets(self) -> Iterator[Packet]:
        clock = PacketClock(EventClock())
        for encoded in self.video.packets():
            time = clock.time_of(encoded.pts_s, at(float((encoded.dts or 0) * self.video.format.time_base)))
            yield Packet(encoded, time.captured_at, time.media_s)

    def _due(self, taken: Taken) -> Frame | None:
        if not self.grid.takes(taken.media_s if taken.pts_s is None else taken.pts_s):
            return None
        self.due.append(number_of(taken.picture.image))
        return Frame("c", len(self.due), taken.captured_at, taken.media_s, taken.picture)

    def read(self, count: int) -> bool:
        """Take in some packets; False when there are no more."""
        taken = 0
        for packet in itertools.islice(self.packets, count):
            for at_once in self.intake.take(packet, later=True):
                frame = self._due(at_once)
                if frame is not None:
                    self.mailbox.put(frame)
            self.deferral.tell(packet)
            taken += 1
        return taken == count

    def fetch(self) -> int | None:
        """The number of the picture that there is, if the mailbox says that there is one."""
        if not self.mailbox.wait(0):
            return None
        frame = self.mailbox.take(0) or self.deferral.fetch(UNMARKED)
        return None if frame is None else number_of(frame.picture.image)


def due_in(film: Path) -> list[int]:
    """What somebody sees who decodes everything as it comes."""
    with Video(film) as video:
        grid = AnalysisGrid(HERTZ)
        pictures = [decoded for decoded in video.frames() if grid.takes(decoded.pts_s or 0.0)]
        return [number_of(decoded.picture.image) for decoded in pictures]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Twenty-eight numbered pictures, ten a second; by whether some are sent before those that are shown first."""
    folder = tmp_path_factory.mktemp("films")
    return {
        False: write_film(folder / "a.mp4", frames=28),
        True: write_clip(folder / "b.mp4", frames=28),
    }


@pytest.mark.parametrize("reordered", [False, True])
def test_who_comes_after_each_packet_sees_what_he_would_have_seen_decoded_as_it_came(
    films: dict[bool, Path], *, reordered: bool
) -> None:
    camera = Camera(films[reordered])
    seen = []
    while camera.read(1):
        number = camera.fetch()
        seen += [] if number is None else [number]
    expected = due_in(films[reordered])
    assert seen == expected[: len(seen)]
    assert len(seen) >= len(expected) - 3  # some come out of the decoder only with what follows
    assert camera.mailbox.skipped == 0


@settings(max_examples=30, deadline=None)
@given(visits=st.lists(st.integers(1, 12), min_size=1, max_size=12), reordered=st.booleans())
def test_whenever_he_comes_he_gets_the_newest_and_what_he_missed_is_counted(
    films: dict[bool, Path], visits: list[int], reordered: bool
) -> None:
    camera = Camera(films[reordered])
    seen = []
    for packets in visits:
        camera.read(packets)
        waits = camera.mailbox.wait(0)
        number = camera.fetch()
        if number is not None:
            assert waits
            assert number == camera.due[-1] or number == 0  # the first is decoded by the reading thread
            seen.append(number)
    assert seen == sorted(set(seen))
    assert camera.due == due_in(films[reordered])[: len(camera.due)]
    assert len(seen) + camera.mailbox.skipped <= len(camera.due) <= len(seen) + camera.mailbox.skipped + 1


def test_a_decoder_that_gives_up_is_told_to_the_reading_thread_and_not_asked_again(films: dict[bool, Path]) -> None:
    camera = Camera(films[False], lambda video: Breaking(video, 6))
    camera.read(5)
    assert camera.fetch() == 0
    assert camera.fetch() == 4
    camera.read(4)
    assert camera.fetch() is None
    assert isinstance(camera.deferral.failure, SourceLost)
    camera.read(4)
    assert camera.fetch() is None


def test_the_thread_that_fetches_tells_what_it_does(films: dict[bool, Path]) -> None:
    camera, mark = Camera(films[False]), Marked()
    camera.read(4)
    camera.mailbox.take(0)
    assert camera.deferral.fetch(mark) is not None
    assert mark.steps == [NativeStep.DECODING, NativeStep.NONE] * 3
    assert camera.deferral.delivered


def test_a_camera_that_is_seldom_analysed_loses_nothing_for_it(films: dict[bool, Path]) -> None:
    camera, fetched, seen = Camera(films[False], analysis_hz=0.5), 0, []
    while camera.read(1):
        if camera.mailbox.wait(0):
            number = camera.fetch()
            fetched += 1
            seen += [] if number is None else [number]
        assert camera.intake.counters.dropped == 0
    assert seen == [0, 20]
    assert 3 <= fetched <= 5  # not with every packet


def test_whatever_goes_wrong_while_it_is_decoded_is_told_to_the_reading_thread(films: dict[bool, Path]) -> None:
    camera = Camera(films[False])
    camera.read(1)
    camera.mailbox.take(0)
    camera.read(3)
    camera.video.decode = lambda *_told: next(iter(()))  # type: ignore[method-assign]
    assert camera.fetch() is None
    assert isinstance(camera.deferral.failure, RuntimeError)  # a StopIteration within a generator

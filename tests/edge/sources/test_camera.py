"""The camera source, on files and on a real RTSP stream."""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.flow import Frame, Health
from edge.perception.gate import PacketGate
from edge.settings import CameraSettings
from edge.simulators.camera_process import CameraProcess
from edge.sources.camera import RETRY_CAP_S, CameraSource, RetryDelay
from edge.sources.mailbox import Mailbox
from edge.video import OPEN_TIMEOUT_S, READ_TIMEOUT_S, ArrayPicture
from tests.fakes.footage import number_of, picture, write_clip
from tests.fakes.scenes import at

PATIENCE_S = 30.0


class Watched:
    """A running source, what it said and what it left."""

    def __init__(self, camera: CameraSettings) -> None:
        self.mailbox = Mailbox()
        self.said: list[tuple[Health, str | None]] = []
        self.source = CameraSource(camera, self.mailbox, self._hear, delay=RetryDelay(lambda: 0.0))
        self.frames: list[Frame] = []

    def _hear(self, health: Health, reason: str | None) -> None:
        self.said.append((health, reason))

    def take(self, count: int) -> list[Frame]:
        """The next frames, as they come."""
        until_s = time.monotonic() + PATIENCE_S
        taken: list[Frame] = []
        while len(taken) < count and time.monotonic() < until_s and not (self.mailbox.closed and not taken):
            frame = self.mailbox.take(0.2)
            if frame is not None:
                taken.append(frame)
        assert len(taken) == count, self.said
        self.frames += taken
        return taken

    def wait_for(self, health: Health) -> str | None:
        """The reason of the next such word."""
        heard = len(self.said)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            self.mailbox.take(0.05)
            for said, reason in self.said[max(heard - 1, 0) :]:
                if said is health:
                    return reason
        raise AssertionError(f"never {health}: {self.said}")


@pytest.fixture
def watch() -> Iterator[Callable[[CameraSettings], Watched]]:
    running: list[Watched] = []

    def start(camera: CameraSettings) -> Watched:
        watched = Watched(camera)
        running.append(watched)
        watched.source.start()
        return watched

    yield start
    for watched in running:
        watched.source.stop()
        assert watched.mailbox.closed
        assert not watched.source._thread.is_alive()


def camera(url: str, **settings: object) -> CameraSettings:
    return CameraSettings.model_validate({"id": "c", "url": url, "analysis_hz": 10, **settings})


def test_a_file_is_played_in_its_own_time_and_ends(tmp_path: Path, watch: Callable[[CameraSettings], Watched]) -> None:
    watched = watch(camera(str(write_clip(tmp_path / "a.mp4", frames=15, rate=10))))
    began = datetime.now(UTC)
    frames = watched.take(15)
    assert [number_of(frame.image) for frame in frames] == list(range(15))
    assert (frames[-1].captured_at - frames[0].captured_at).total_seconds() == pytest.approx(1.4, abs=0.1)
    assert abs((frames[0].captured_at - began).total_seconds()) < 5
    assert watched.wait_for(Health.LOST) == "the file has ended"
    assert watched.said[0] == (Health.STARTING, None)
    assert watched.said[1] == (Health.OK, None)


def test_a_looped_file_goes_on_without_a_seam(tmp_path: Path, watch: Callable[[CameraSettings], Watched]) -> None:
    address = write_clip(tmp_path / "a b.mp4", frames=6, rate=20).as_uri()
    watched = watch(camera(address, loop=True, analysis_hz=20))
    frames = watched.take(20)
    steps = [later.media_s - sooner.media_s for sooner, later in itertools.pairwise(frames)]
    due = [later.sequence - sooner.sequence for sooner, later in itertools.pairwise(frames)]
    assert all(step_s == pytest.approx(0.05 * holes, abs=1e-6) for step_s, holes in zip(steps, due, strict=True))
    assert all(later.captured_at > sooner.captured_at for sooner, later in itertools.pairwise(frames))
    assert {Health.LOST} & {health for health, _ in watched.said} == set()


def test_only_frames_of_the_analysis_rate_are_handed_over(
    tmp_path: Path, watch: Callable[[CameraSettings], Watched]
) -> None:
    watched = watch(camera(str(write_clip(tmp_path / "a.mp4", frames=20, rate=20)), analysis_hz=5))
    assert [number_of(frame.image) for frame in watched.take(5)] == [0, 4, 8, 12, 16]
    watched.wait_for(Health.LOST)
    assert watched.source.counters.decoded == 20
    assert watched.source.counters.due == 5


def test_a_file_that_is_not_there_is_waited_for(tmp_path: Path, watch: Callable[[CameraSettings], Watched]) -> None:
    watched = watch(camera(str(tmp_path / "later.mp4")))
    assert "No such file" in str(watched.wait_for(Health.LOST))
    write_clip(tmp_path / "new.mp4").rename(tmp_path / "later.mp4")
    watched.take(3)


def test_what_nobody_fetches_is_replaced_and_counted() -> None:
    mailbox = Mailbox()
    for index in range(5):
        mailbox.put(Frame("c", index, at(index), float(index), ArrayPicture(picture(index))))
    newest = mailbox.take(0)
    assert newest is not None
    assert newest.sequence == 4
    assert mailbox.skipped == 4
    assert mailbox.take(0) is None
    mailbox.close()
    mailbox.put(newest)
    assert mailbox.take(0) is None


def test_who_asks_reaches_the_gate_in_the_thread_that_reads() -> None:
    camera = CameraSettings(id="cam-1", url="rtsp://127.0.0.1:1/")
    gate = PacketGate()
    source = CameraSource(camera, Mailbox(), lambda _health, _reason: None, gate=gate)
    for second in range(20):  # of more than a few the newest ones count: each of them opens it
        source.ask(at(second))
    source._tell_gate()
    assert gate._asked_at == at(12)
    assert not source._asked
    ungated = CameraSource(camera, Mailbox(), lambda _health, _reason: None)
    ungated.ask(at(0))
    assert not ungated._asked


def test_waits_grow_to_the_cap_and_differ() -> None:
    longest = RetryDelay(lambda: 1.0)
    waits = [longest.next_s() for _ in range(12)]
    assert waits[0] <= 0.25
    assert waits == sorted(waits)
    assert waits[-1] == RETRY_CAP_S
    assert RetryDelay(lambda: 0.0).next_s() < waits[0]
    longest.reset()
    assert longest.next_s() == waits[0]


@pytest.mark.system
class TestRtsp:
    """A camera that is a process of its own."""

    @pytest.fixture
    def footage(self, tmp_path: Path) -> Path:
        return write_clip(tmp_path / "live.mp4", frames=28, rate=10)

    def test_it_is_seen(
        self,
        footage: Path,
        rtsp_camera: Callable[..., CameraProcess],
        watch: Callable[[CameraSettings], Watched],
    ) -> None:
        watched = watch(camera(rtsp_camera(footage, encode=True).url))
        frames = watched.take(20)[1:]  # the first packet of an RTSP stream may lack its time
        neighbours = [
            (sooner, later) for sooner, later in itertools.pairwise(frames) if later.sequence == sooner.sequence + 1
        ]
        assert neighbours
        # The stream's own clock, whatever the machine's load does to the arrival.
        assert [later.media_s - sooner.media_s for sooner, later in neighbours] == pytest.approx(
            [0.1] * len(neighbours), abs=0.03
        )
        assert all(later.captured_at > sooner.captured_at for sooner, later in itertools.pairwise(frames))

    def test_a_killed_camera_is_lost_at_once_and_found_again(
        self,
        footage: Path,
        rtsp_camera: Callable[..., CameraProcess],
        watch: Callable[[CameraSettings], Watched],
    ) -> None:
        process = rtsp_camera(footage, encode=True)
        watched = watch(camera(process.url))
        before = watched.take(3)
        process.kill()
        reason = watched.wait_for(Health.LOST)
        assert "nothing came in time" not in str(reason)  # noticed by its end, and not because it was waited for
        process.start()
        after = watched.take(3)
        assert after[-1].captured_at > before[-1].captured_at
        assert watched.source.counters.connections >= 2
        assert watched.said[-1] == (Health.OK, None)

    def test_a_frozen_camera_is_lost_within_seconds(
        self,
        footage: Path,
        rtsp_camera: Callable[..., CameraProcess],
        watch: Callable[[CameraSettings], Watched],
    ) -> None:
        process = rtsp_camera(footage, encode=True)
        watched = watch(camera(process.url))
        watched.take(3)
        process.freeze()
        assert watched.wait_for(Health.LOST) == "reading stopped: nothing came in time"
        assert watched.source.counters.stalls == 1
        assert OPEN_TIMEOUT_S + READ_TIMEOUT_S <= 10
        process.thaw()
        watched.take(3)

    @pytest.mark.parametrize("basic", [False, True])
    def test_it_logs_in_and_never_says_the_password(
        self,
        basic: bool,
        tmp_path: Path,
        footage: Path,
        rtsp_camera: Callable[..., CameraProcess],
        watch: Callable[[CameraSettings], Watched],
    ) -> None:
        secret, wrong = tmp_path / "secret", tmp_path / "wrong"
        secret.write_text("open sesame/@\n")
        wrong.write_text("hunter2")
        process = rtsp_camera(footage, encode=True, user="watch", password_file=secret, basic=basic)
        watch(camera(process.url, user="watch", password_file=secret)).take(2)
        refused = watch(camera(process.url, user="watch", password_file=wrong))
        reason = refused.wait_for(Health.LOST)
        assert reason is not None
        assert "hunter2" not in reason

"""Cameras that say nothing, too much, or something else than video: given up in bounded time and memory, and tried again."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from edge.flow import Health
from edge.simulators.camera_process import CameraProcess
from edge.sources.quality import Quality
from edge.sources.reel import LONGEST_STILL_S, Reel
from tests.edge.sources.test_camera import Watched, camera
from tests.fakes.decoding_child import DecodingChild
from tests.fakes.footage import write_clip
from tests.fakes.hostile_cameras import KINDS, HostileCamera
from tests.fakes.hostile_footage import joined, write_film
from tests.waiting import wait_until

LARGEST_GROWTH_MIB = 400
"""A description of 100 MB is read whole, by a library that knows no limit of its own, and held while it is taken apart."""


COSTLY = ("description of 100 MB", "promises 2 GB", "noise", "five thousand streams")


@pytest.fixture(scope="module")
def found() -> Iterator[Mapping[str, Future[dict[str, Any]]]]:
    """What came of each costly camera, looked at by a process of its own; all are waited for at once."""
    with ExitStack() as running, ThreadPoolExecutor(len(COSTLY)) as pool:
        told = {}
        for kind in COSTLY:
            hostile = running.enter_context(HostileCamera(kind))
            child = running.enter_context(closing(DecodingChild()))
            told[kind] = pool.submit(child.decode, hostile.url, timeout_s=60)
        yield told


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    running: list[Watched] = []

    def start(url: str, **settings: object) -> Watched:
        watched = Watched(camera(url, **settings))
        running.append(watched)
        watched.source.start()
        return watched

    yield start
    for watched in running:
        watched.source.stop()
        assert not watched.source._thread.is_alive()


@pytest.mark.system
@pytest.mark.parametrize("kind", COSTLY)
def test_what_a_server_says_costs_bounded_memory(found: Mapping[str, Future[dict[str, Any]]], kind: str) -> None:
    told = found[kind].result()
    assert told["reason"] is not None
    assert told["pictures"] == 0
    assert told["most_mib"] < LARGEST_GROWTH_MIB


@pytest.mark.system
def test_what_is_no_camera_is_lost_and_others_are_seen_beside_it(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    with ExitStack() as running:
        lost = {kind: watch(running.enter_context(HostileCamera(kind)).url) for kind in KINDS}
        watch(str(write_clip(tmp_path / "a.mp4")), loop=True).take(10)
        for kind, watched in lost.items():
            wait_until(lambda watched=watched: Health.LOST in dict(watched.said), timeout_s=60, what=kind)  # type: ignore[misc]
            assert watched.source.counters.losses > 0
            assert watched.source.counters.decoded == watched.source.counters.faults == 0
        with ThreadPoolExecutor(len(lost)) as pool:  # each is in the middle of a try that it has to give up first
            list(pool.map(lambda watched: watched.source.stop(), lost.values()))


@pytest.mark.system
def test_a_camera_that_sends_garbage_for_ever_is_no_camera_that_works(
    tmp_path: Path, rtsp_camera: Callable[..., CameraProcess], watch: Callable[..., Watched]
) -> None:
    process = rtsp_camera(write_clip(tmp_path / "live.mp4", frames=28), encode=True)
    watched = watch(process.url)
    watched.take(3)
    process.send_garbage(1_000_000)
    wait_until(lambda: watched.source.counters.damaged > 0, timeout_s=60, what="damage that is counted")
    wait_until(lambda: watched.said[-1][0] is not Health.OK, timeout_s=60, what="health that says so")
    process.send_garbage(0)
    wait_until(lambda: watched.said[-1][0] is Health.OK, timeout_s=60, what="pictures again")


@pytest.mark.system
def test_another_camera_behind_the_same_address_is_seen_in_its_own_size(
    tmp_path: Path, rtsp_camera: Callable[..., CameraProcess], watch: Callable[..., Watched]
) -> None:
    first = rtsp_camera(write_clip(tmp_path / "small.mp4", frames=28), encode=True)
    watched = watch(first.url)
    assert watched.take(2)[-1].image.shape == (96, 160, 3)
    first.stop()
    rtsp_camera(write_clip(tmp_path / "large.mp4", frames=28, width=320, height=192), encode=True, port=first.port)
    wait_until(lambda: watched.take(1)[0].image.shape == (192, 320, 3), timeout_s=60)


def test_a_film_that_changes_its_size_and_whose_times_go_back_plays_on(
    tmp_path: Path, watch: Callable[..., Watched]
) -> None:
    parts = [write_film(tmp_path / "1.ts"), write_film(tmp_path / "2.ts", width=320, height=192)]
    watched = watch(str(joined(tmp_path / "both.ts", parts)), loop=True, analysis_hz=30)
    frames = watched.take(25)
    assert {frame.image.shape for frame in frames} == {(96, 160, 3), (192, 320, 3)}
    assert all(later.captured_at > sooner.captured_at for sooner, later in itertools.pairwise(frames))
    wait_until(lambda: watched.source.counters.changes >= 1, what="the change")
    wait_until(lambda: watched.source.counters.jumps >= 1, what="the jump")


def test_a_film_whose_times_leap_does_not_stand_still(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    leaping = write_film(tmp_path / "a.mkv", times=[0, 1, 2, *range(900_000, 900_007)])
    watched = watch(str(leaping), loop=True)
    watched.take(8)
    wait_until(lambda: watched.source.counters.jumps >= 1, what="the jump")


def test_sound_alone_is_told_and_tried_again(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    watched = watch(str(tmp_path / "a.mp4"))
    assert "not a video" in str(watched.wait_for(Health.LOST))
    wait_until(lambda: watched.source.counters.losses >= 2, timeout_s=30, what="a second try")
    assert watched.source.counters.faults == 0


@pytest.mark.parametrize(
    "times",
    [
        [0.0, 0.1, 0.2, 0.3],
        [5.0, 5.1, 5.2, 5.3],
        [None, None, None, None],
        [0.0, None, 0.1, None],
        [9.0, 3.0, 2.0, 1.0],
        [0.0, 1e9, 2e9, -1e9],
        [0.0, 0.0, 0.0, 0.0],
        [0.0, LONGEST_STILL_S + 1, 0.2, 0.3],
    ],
)
def test_a_reel_moves_on_whatever_its_file_says_of_time(times: list[float | None]) -> None:
    stopped = threading.Event()
    stopped.set()  # nothing is waited for
    reel = Reel(stopped)
    places = [reel.wait(pts_s, 0.1) for _ in range(3) for pts_s in times]
    assert places[0] == 0.0
    steps = [later - sooner for sooner, later in itertools.pairwise(places)]
    assert all(0 < step_s <= LONGEST_STILL_S for step_s in steps)


def test_the_quality_is_told_once_per_window() -> None:
    quality = Quality()
    told = [quality.flaw(0, now_s / 10) for now_s in range(100)]
    assert set(told) == {None}
    told = [quality.flaw(now_s, 10 + now_s / 10) for now_s in range(100)]
    assert set(told[:-1]) == {None}
    assert quality.flaw(100, 20.0) == "a part of the stream is damaged and can't be decoded"
    assert [quality.flaw(100, 20 + now_s / 10) for now_s in range(101)][-1] is None

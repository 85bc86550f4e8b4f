"""A camera behind a gate, over a real RTSP stream."""

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edge.flow import Frame, GateState, Health
from edge.perception.gate import GateSettings, PacketGate
from edge.perception.packet_sizes import SizeSettings
from edge.perception.pipeline import CameraPipeline
from edge.simulators.camera_process import CameraProcess
from edge.sources.camera import CameraSource
from edge.sources.mailbox import Mailbox
from edge.video import UNMARKED
from tests.edge.sources.test_camera import camera
from tests.waiting import wait_until

RATE = 10
STILL_S, MOVING_S = 6.0, 2.0


def write_footage(path: Path) -> Path:
    """Six seconds of nothing but a little noise, then a bright box that goes through the picture; a key frame a second."""
    chance = np.random.default_rng(5)
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(RATE), options={"bf": "0", "g": "10", "sc_threshold": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        across = np.linspace(40, 160, 320, dtype=np.float32)
        for number in range(round((STILL_S + MOVING_S) * RATE)):
            image = np.repeat(np.tile(across, (192, 1))[:, :, None], 3, axis=2) + chance.normal(0, 1, (192, 320, 1))
            if number >= STILL_S * RATE:
                left = round((number - STILL_S * RATE) * 14)
                image[60:150, left : left + 40] = 230
            frame = av.VideoFrame.from_ndarray(np.clip(image, 0, 255).astype(np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class Gated:
    """Source and analysis, each in its thread."""

    def __init__(self, url: str, *, defers: bool) -> None:
        self.gate = PacketGate(
            GateSettings(look_s=0.9, hold_s=0.8, empty_s=0.4, missed=100), SizeSettings(least_blocks=3, most_share=0.5)
        )
        settings = camera(url, model=None, analysis_hz=5)
        self.mailbox = Mailbox()
        self.said: list[Health] = []
        self.moving: list[Frame] = []
        self.seen = 0
        self.source = CameraSource(
            settings, self.mailbox, lambda health, _reason: self.said.append(health), gate=self.gate, defers=defers
        )
        self._pipeline = CameraPipeline(settings, None)
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        self.source.start()
        self._thread.start()

    def stop(self) -> None:
        self.source.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _watch(self) -> None:
        while not self.mailbox.closed:
            frame = (self.mailbox.take(0) or self.source.fetch(UNMARKED)) if self.mailbox.wait(0.2) else None
            if frame is not None:
                scene = self._pipeline.analyse(frame)
                self.seen += 1
                if scene.moving:
                    self.moving.append(frame)
                self.source.attend(scene, followed=self._pipeline.followed)


@pytest.fixture
def gated() -> Iterator[Callable[..., Gated]]:
    running: list[Gated] = []

    def start(url: str, *, defers: bool) -> Gated:
        running.append(Gated(url, defers=defers))
        running[-1].start()
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.mark.system
@pytest.mark.parametrize("defers", [False, True])
def test_it_rests_while_nothing_moves_sees_what_moves_and_survives_a_lost_camera(
    tmp_path: Path, rtsp_camera: Callable[..., CameraProcess], gated: Callable[..., Gated], *, defers: bool
) -> None:
    process = rtsp_camera(write_footage(tmp_path / "a.mp4"))
    watched = gated(process.url, defers=defers)
    gate, counters = watched.gate, watched.source.counters
    wait_until(lambda: gate.counters.spared > 20, timeout_s=120, what="packets that are not decoded")
    wait_until(lambda: gate.counters.looks > 2, timeout_s=60, what="looks")
    wait_until(lambda: gate.counters.openings > 0, timeout_s=60, what="an opening")
    seen = len(watched.moving)
    wait_until(lambda: len(watched.moving) > seen + 3, timeout_s=60, what="movement after the opening")
    assert watched.source.ring.size_bytes > 0
    process.kill()
    wait_until(lambda: watched.said[-1] is Health.LOST, timeout_s=60, what="the loss")
    process.start()
    analysed, spared = watched.seen, gate.counters.spared
    wait_until(lambda: watched.seen > analysed + 5, timeout_s=60, what="pictures again")
    wait_until(lambda: gate.counters.spared > spared, timeout_s=120, what="rest again")
    assert gate.state in set(GateState)
    assert counters.faults == counters.damaged == 0

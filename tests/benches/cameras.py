"""What a camera costs while nothing happens: over RTSP, behind the gate, beside decoding everything, in one run.

`python -m tests.benches.cameras [--json] [--row NAME …] [--seconds 20]`

The footage is real: an empty stretch of the clip, forwards and backwards with its own noise, as a camera would encode it (a key frame
every two seconds, no B-frames). The cameras' own CPU is not counted, they run in processes of their own. Each camera has all checks for
camera trouble, the rules of the clip and a detector, which probes an empty scene every ten seconds.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import cv2

from edge.configuration.words import camera_from_words
from edge.flow import GateState, Health, Image
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.gate import PacketGate
from edge.perception.pipeline import CameraPipeline
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings
from edge.simulators.camera_process import CameraProcess
from edge.sources.camera import CameraSource
from edge.sources.mailbox import Mailbox
from edge.video import Video
from models import catalogue
from tests.fakes.encodings import ENCODINGS, Encoding, write_pictures
from tests.fakes.visits import CLIP

EMPTY_S = (0.3, 5.3)
FOOTAGE_S = 20.0
SETTLING_S = 90.0
CORE_SHARE_32 = 0.15
CORE_SHARE_1080P = 0.015


CAMERA = Encoding(None, {"crf": "23"})
"""x264's own default quality: 0.2 Mbit/s at 768×432, 1.2 Mbit/s at 1080p in the empty room."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stream: its size and rate, how it is encoded, and how many cameras are behind gates and decoded whole."""

    width: int
    height: int
    rate: int
    encoding: str
    gated: int
    whole: int


KINDS = {
    "768x432": Kind(768, 432, 10, "camera", gated=32, whole=6),
    "1080p": Kind(1920, 1080, 25, "camera", gated=6, whole=2),
    "768x432-noisy-cbr": Kind(768, 432, 10, "noisy-cbr", gated=6, whole=6),
}


@dataclass(frozen=True, slots=True)
class Row:
    """Shares of one core per camera; `watching` is how many of the gates trusted the sizes in the end, `reasons` what they say."""

    kind: str
    cameras: int
    demuxed: float
    gated: float
    whole_cameras: int
    whole: float
    times_less: float
    watching: int
    reasons: tuple[str, ...]
    decoded_share: float
    stream_kbit_s: float


class Eye:
    """A camera with its analysis in a thread, as in a node; `gate` None decodes everything."""

    def __init__(self, camera: CameraSettings, detector: OnnxDetector, gate: PacketGate | None) -> None:
        self.gate = gate
        self.mailbox = Mailbox()
        self.losses: list[str] = []
        self.source = CameraSource(camera, self.mailbox, self._hear, gate=gate)
        self.pipeline = CameraPipeline(camera, detector)
        self._rules = [scene_rule(settings, camera) for settings in camera.rules]
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _hear(self, health: Health, reason: str | None) -> None:
        if health is Health.LOST:
            self.losses.append(reason or "")

    def start(self) -> None:
        """Open it."""
        self.source.start()
        self._thread.start()

    def stop(self) -> None:
        """Close it."""
        self.source.stop()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self.mailbox.closed:
            frame = self.mailbox.take(0.5)
            if frame is not None:
                scene = self.pipeline.analyse(frame)
                for rule in self._rules:
                    rule.observe(scene)
                self.source.attend(scene, followed=self.pipeline.followed)


def empty_stretch(kind: Kind) -> Iterator[Image]:
    """Pictures of the empty room, forwards and backwards without an end."""
    with Video(catalogue.clip(CLIP)) as video:
        images = [
            cv2.resize(decoded.picture.image, (kind.width, kind.height), interpolation=cv2.INTER_CUBIC)
            if decoded.picture.image.shape[0] != kind.height
            else decoded.picture.image
            for decoded in video.frames()
            if EMPTY_S[0] <= (decoded.pts_s or 0.0) < EMPTY_S[1]
        ]
    yield from cycle([*images, *images[-2:0:-1]])


def footage(kind: Kind, path: Path) -> Path:
    """A film of the empty room that can be played in a loop."""
    pictures = islice(empty_stretch(kind), round(FOOTAGE_S * kind.rate))
    write_pictures(
        pictures, path, Fraction(kind.rate), CAMERA if kind.encoding == "camera" else ENCODINGS[kind.encoding]
    )
    return path


def watched_camera(number: int, url: str) -> CameraSettings:
    """A camera with everything on."""
    rules = ["intrusion:floor", "loitering:floor:16.5", "camera_trouble"]
    camera = camera_from_words(["floor=0,0.25 1,0.25 1,1 0,1"], rules, model="yolox_nano_416", analysis_hz=5.0)
    return camera.model_copy(update={"id": f"c{number}", "url": url})


def demuxed(url: str, count: int, seconds: float) -> float:
    """CPU share per camera of a bare demuxer in a thread each, which nothing here can be below."""
    stopping = threading.Event()

    def read() -> None:
        with Video(url) as video:
            for _ in video.packets():
                if stopping.is_set():
                    return

    threads = [threading.Thread(target=read, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(3.0)
    share = _share(seconds)
    stopping.set()
    for thread in threads:
        thread.join(10)
    return share / count


def _share(seconds: float) -> float:
    wall_s, cpu_s = time.monotonic(), time.process_time()
    time.sleep(seconds)
    return (time.process_time() - cpu_s) / (time.monotonic() - wall_s)


def watched(url: str, count: int, detector: OnnxDetector, *, gated: bool, seconds: float) -> tuple[float, list[Eye]]:
    """CPU share per camera once they have settled."""
    eyes = [Eye(watched_camera(number, url), detector, PacketGate() if gated else None) for number in range(count)]
    for eye in eyes:
        eye.start()
    time.sleep(5.0)
    if gated:
        until_s = time.monotonic() + SETTLING_S
        while time.monotonic() < until_s and not all(_settled(eye) for eye in eyes):
            time.sleep(0.5)
        time.sleep(2.0)
    share = _share(seconds)
    for eye in eyes:
        eye.stop()
    return share / count, eyes


def _settled(eye: Eye) -> bool:
    return eye.gate is not None and eye.gate.state in {GateState.WATCHING, GateState.UNSUITED}


def measured(name: str, kind: Kind, detector: OnnxDetector, folder: Path, seconds: float) -> Row:
    """One kind of stream, the three ways."""
    film = footage(kind, folder / f"{name}.mp4")
    with ExitStack() as running:
        url = running.enter_context(CameraProcess(film, log=folder / "camera.log")).url
        bare = demuxed(url, kind.gated, min(seconds, 8.0))
        gated, eyes = watched(url, kind.gated, detector, gated=True, seconds=seconds)
        whole, _ = watched(url, kind.whole, detector, gated=False, seconds=min(seconds, 10.0))
    reasons = sorted({f"{eye.gate.state.value}: {eye.gate.reason.value}" for eye in eyes if eye.gate is not None})
    counters = [eye.gate.counters for eye in eyes if eye.gate is not None]
    spared = sum(each.spared for each in counters)
    decoded = sum(eye.source.counters.decoded for eye in eyes)
    return Row(
        kind=name,
        cameras=kind.gated,
        demuxed=round(bare, 5),
        gated=round(gated, 5),
        whole_cameras=kind.whole,
        whole=round(whole, 5),
        times_less=round(whole / gated, 1),
        watching=sum(eye.gate is not None and eye.gate.state is GateState.WATCHING for eye in eyes),
        reasons=tuple(reasons),
        decoded_share=round(decoded / max(decoded + spared, 1), 3),
        stream_kbit_s=round(film.stat().st_size * 8 / FOOTAGE_S / 1000, 1),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--row", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    detector = open_detector("yolox_nano_416")
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: measured(name, KINDS[name], detector, Path(folder), options.seconds) for name in options.row}
    report: dict[str, object] = {"rows": [asdict(row) for row in rows.values()]}
    held = True
    if "768x432" in rows:
        report["idle_core_share_32"] = share = round(32 * rows["768x432"].gated, 4)
        held = held and share <= CORE_SHARE_32
    if "1080p" in rows:
        report["idle_core_share_1080p"] = rows["1080p"].gated
        report["idle_times_less_1080p"] = rows["1080p"].times_less
        held = held and rows["1080p"].gated <= CORE_SHARE_1080P and rows["1080p"].times_less >= 5
    report["held"] = held
    print(json.dumps(report, indent=2) if options.json else "\n".join(f"{key}: {each}" for key, each in report.items()))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

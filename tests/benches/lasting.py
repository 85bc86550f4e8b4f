"""Camera faults, one after the other and side by side, on a node that has to last: `python -m tests.benches.lasting --json`.

A node in a process of its own has several cameras; each camera is a simulated one behind a proxy, every other one is decoded behind a gate,
and one is a channel of a video gateway. In an order from a seed each is killed, frozen, fed with garbage, half-opened (the connection stays
and nothing comes, ever), refused, given another password, told to send H.265 or another size of picture (in the stream that there is, or
with a cut), or replaced by one that changes its size of its own; the channel vanishes, calls to play it are held, its gateway goes away. How long after the
camera is back the node has analysed pictures of it is measured on its own `/metrics` and `/healthz`; its memory, threads, open files and the files in its
data directory are sampled all the while. A camera that only changes is there all along: it has to be seen after the change and after the way back.
"""

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil
import yaml

from cloud.embedded.broker import EmbeddedBroker
from edge.simulators.camera_process import CameraProcess
from edge.simulators.codec import Codec
from edge.simulators.wvp_gateway import WvpGateway
from edge.simulators.wvp_shapes import StandInChannel
from tests.fakes.answering_cloud import AnsweringCloud
from tests.fakes.footage import write_clip
from tests.fakes.hostile_footage import joined, write_film
from tests.system.chaos.proxy import FAIR, Conduct, Proxy, Weather

RECOVERY_S: Final = 10.0
GROWTH: Final = 0.05
LEAST_FAULTS: Final = 50
GIVEN_UP_S: Final = 60.0
WARM_UP_S: Final = 45.0
"""So long a process still meets code and sizes that it has not met before."""

_FAULT_S: Final = (2.0, 12.0)
_REST_S: Final = 2.0
_LOOK_S: Final = 0.1
_SAMPLE_S: Final = 2.0
_PICTURES: Final = 3
"""So many newly analysed pictures show that a camera is seen again: one may have been under way, one come of what was left."""

_RIGHT: Final = "right-one"
_CHANNEL: Final = "11010500081320000001"
_H265, _LARGER = 1, 2
"""What a camera can be told to show instead."""
_LOOSE: Final = 2
"""Descriptors come and go with the connections of cameras, of the gateway and of whoever looks: their peak may differ by so many. A leak
would leave one with each of fifty faults.
"""
_STILL_THERE: Final = (3.0, 8.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera with what stands between it and the node."""

    name: str
    process: CameraProcess
    proxy: Proxy
    others: Mapping[str, int]
    gateway: WvpGateway | None = None

    def show(self, film: int, *, cut: bool = False) -> None:
        """Send another film from now on; with a cut, to those who connect anew."""
        self.process.show(film)
        if cut:
            self.process.cut_off()

    @property
    def channel(self) -> tuple[WvpGateway, StandInChannel]:
        """Its place at the gateway, if it is a channel of one."""
        assert self.gateway is not None
        return self.gateway, self.gateway.channels.get(_CHANNEL) or self.gateway.vanished[_CHANNEL]

    def vanish(self) -> None:
        """The gateway does not know it any more, and its stream is over."""
        self.channel[0].vanish(_CHANNEL)
        self.process.cut_off()

    def hold(self) -> None:
        """Its stream is over, and a call to play it is held."""
        self.channel[1].held = True
        self.process.cut_off()

    def let_go(self) -> None:
        """The device sends again."""
        self.channel[1].held = False

    def leave_alone(self) -> None:
        """Its stream is over, and its gateway is away."""
        self.channel[0].stop()
        self.process.cut_off()

    def replace_by(self, port: int) -> None:
        """Another camera answers behind the same address."""
        self.proxy.target_port = port
        self.proxy.cut()


Act = Callable[[Camera], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """How a fault begins and how it ends. `there`: the camera is to be seen in between as well."""

    begin: Act
    end: Act
    there: bool = False


FAULTS: Final[Mapping[str, Fault]] = {
    "killed": Fault(lambda camera: camera.process.kill(), lambda camera: camera.process.start()),
    "frozen": Fault(lambda camera: camera.process.freeze(), lambda camera: camera.process.thaw()),
    "garbage": Fault(
        lambda camera: camera.process.send_garbage(1_000_000),
        lambda camera: camera.process.send_garbage(0),
    ),
    "half_open": Fault(
        lambda camera: camera.proxy.turn(Weather(Conduct.BLACK_HOLE)),
        lambda camera: camera.proxy.turn(FAIR),
    ),
    "refused": Fault(
        lambda camera: camera.proxy.turn(Weather(Conduct.REFUSE)),
        lambda camera: camera.proxy.turn(FAIR),
    ),
    "wrong_credentials": Fault(
        lambda camera: camera.replace_by(camera.others["stranger"]),
        lambda camera: camera.replace_by(camera.process.port),
    ),
    "another_camera": Fault(
        lambda camera: camera.replace_by(camera.others["shifting"]),
        lambda camera: camera.replace_by(camera.process.port),
        there=True,
    ),
    "codec_in_stream": Fault(lambda camera: camera.show(_H265), lambda camera: camera.show(0), there=True),
    "codec_with_cut": Fault(
        lambda camera: camera.show(_H265, cut=True), lambda camera: camera.show(0, cut=True), there=True
    ),
    "resolution_in_stream": Fault(lambda camera: camera.show(_LARGER), lambda camera: camera.show(0), there=True),
}
"""Of any camera."""

CHANNEL_FAULTS: Final[Mapping[str, Fault]] = {
    "channel_vanished": Fault(Camera.vanish, lambda camera: camera.channel[0].appear(_CHANNEL)),
    "play_held": Fault(Camera.hold, Camera.let_go),
    "gateway_away": Fault(Camera.leave_alone, lambda camera: camera.channel[0].start()),
}
"""Of a channel alone, beside those."""


Sample = tuple[float, float, int, int, int]


@dataclass(slots=True)
class Samples:
    """The node's process over time: seconds since its start, resident MiB, threads, open files, files in its directory."""

    rows: list[Sample] = field(default_factory=list)

    def third(self, which: int) -> list[Sample]:
        """One third of what came after the warm-up, counted from 0."""
        warm = [row for row in self.rows if row[0] >= WARM_UP_S]
        size = max(1, len(warm) // 3)
        return warm[which * size : (which + 1) * size] if which < 2 else warm[which * size :]

    def report(self) -> dict[str, Any]:
        """First against last third."""
        if len(self.rows) < 6 or not self.third(2):
            return {}
        first, last = self.third(0), self.third(2)
        told: dict[str, Any] = {}
        for place, name in enumerate(("rss_mib", "threads", "open_files", "kept_files"), 1):
            before, after = median(row[place] for row in first), median(row[place] for row in last)
            told[name] = {"first_third": round(before, 1), "last_third": round(after, 1)}
            told[name] |= {"first_peak": round(max(row[place] for row in first), 1)}
            told[name] |= {"last_peak": round(max(row[place] for row in last), 1)}
        rss = told["rss_mib"]
        told["rss_growth"] = round(rss["last_third"] / rss["first_third"] - 1, 4)
        told["series"] = [
            [round(row[0]), round(row[1], 1), *row[2:]] for row in self.rows[:: max(1, len(self.rows) // 60)]
        ]
        return told


class WatchedNode:
    """The node as others see it."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def analysed(self) -> dict[str, float]:
        """Analysed pictures since the start, by camera."""
        return self._counted("analysed")

    def met(self) -> dict[str, int]:
        """What the node says that it met, over all cameras: a bench whose faults do nothing would show here."""
        return {name: int(sum(self._counted(name).values())) for name in ("losses", "damaged", "changes", "faults")}

    def _counted(self, name: str) -> dict[str, float]:
        prefix = f"gridward_edge_camera_{name}_total{{"
        lines = [line for line in self._get("/metrics").splitlines() if line.startswith(prefix)]
        return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}

    def lost(self) -> set[str]:
        """The cameras that are told to be lost."""
        told = json.loads(self._get("/healthz"))["degraded"]
        return {each["subject"] for each in told if each["reason"] == "picture_lost"}

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self._address + path, timeout=10) as answer:  # noqa: S310 (its own node, over HTTP)
            return str(answer.read().decode())

    def sees(self, camera: str, *, within_s: float) -> float | None:
        """How long it takes until the camera shows new pictures; None when it does not in time."""
        began_s = time.monotonic()
        before = self.analysed().get(camera, 0.0)
        while (passed_s := time.monotonic() - began_s) < within_s:
            if self.analysed().get(camera, 0.0) >= before + _PICTURES and camera not in self.lost():
                return passed_s
            time.sleep(_LOOK_S)
        return None


class Faults:
    """One camera's share of the faults, in a thread of its own."""

    def __init__(self, node: WatchedNode, camera: Camera, seed: str, until_s: float) -> None:
        self.done: list[tuple[str, float | None]] = []
        self._node, self._camera = node, camera
        self._chance = random.Random(seed)  # noqa: S311 (no secret)
        self._until_s = until_s
        self._faults = {**FAULTS, **({} if camera.gateway is None else CHANNEL_FAULTS)}
        self.thread = threading.Thread(target=self._run, name=f"faults-{camera.name}")

    def _run(self) -> None:
        kinds: list[str] = []
        while time.monotonic() < self._until_s:
            if not kinds:
                kinds = list(self._faults)
                self._chance.shuffle(kinds)
            kind = kinds.pop()
            fault = self._faults[kind]
            fault.begin(self._camera)
            if fault.there:
                self._look(kind)
                time.sleep(self._chance.uniform(*_STILL_THERE))
            else:
                time.sleep(self._chance.uniform(*_FAULT_S))
            fault.end(self._camera)
            self._look(kind)
            time.sleep(_REST_S)

    def _look(self, kind: str) -> None:
        recovery_s = self._node.sees(self._camera.name, within_s=GIVEN_UP_S)
        self.done.append((kind, recovery_s))
        told = "NOT SEEN AGAIN" if recovery_s is None else f"{recovery_s:.1f} s"
        print(f"{self._camera.name} {kind}: {told}", file=sys.stderr, flush=True)


def bench(*, minutes: float, cameras: int, seed: int, directory: Path) -> dict[str, Any]:
    """Run and report."""
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(directory / "broker", anonymous=True))
        cloud = AnsweringCloud(broker.port)
        stack.callback(cloud.close)
        others = _others(directory, stack)
        gateway = stack.enter_context(WvpGateway(StandInChannel(_CHANNEL)))
        built = [_camera(directory, f"cam-{place}", stack, others) for place in range(cameras)]
        built.append(replace(_camera(directory, _CHANNEL, stack, others), gateway=gateway))
        gateway.channels[_CHANNEL].address = f"rtsp://viewer:{_RIGHT}@127.0.0.1:{built[-1].proxy.port}/live"
        port = _free_port()
        node = stack.enter_context(_node(directory, broker.url, built, port))
        watched = WatchedNode(port)
        _await(lambda: all(watched.sees(each.name, within_s=GIVEN_UP_S) is not None for each in built))
        samples, stop = Samples(), threading.Event()
        sampler = threading.Thread(target=_sample, args=(node, directory / "data", samples, stop))
        sampler.start()
        until_s = time.monotonic() + 60 * minutes
        faults = [Faults(watched, camera, f"{seed}/{camera.name}", until_s) for camera in built]
        for each in faults:
            each.thread.start()
        for each in faults:
            each.thread.join()
        stop.set()
        sampler.join()
        done = [done for each in faults for done in each.done]
        return _report(done, samples, minutes=minutes, seed=seed) | {"node_counted": watched.met()}


def _others(directory: Path, stack: ExitStack) -> dict[str, int]:
    """Cameras that answer in place of the right one."""
    parts = [write_film(directory / "1.ts"), write_film(directory / "2.ts", width=320, height=192)]
    film = joined(directory / "both.ts", parts)
    secret = directory / "other.password"
    secret.write_text("another one")
    stranger = CameraProcess(_clip(directory), user="viewer", password_file=secret, encode=True)
    shifting = CameraProcess(film, user="viewer", password_file=_password(directory))
    return {
        "stranger": stack.enter_context(stranger).port,
        "shifting": stack.enter_context(shifting).port,
    }


def _camera(directory: Path, name: str, stack: ExitStack, others: Mapping[str, int]) -> Camera:
    clip = _clip(directory)
    also = [(clip, Codec.H265), (_clip(directory, width=320, height=192), None)]
    process = CameraProcess(clip, user="viewer", password_file=_password(directory), encode=True, also=also)
    stack.enter_context(process)
    proxy = stack.enter_context(Proxy(name, process.port))
    return Camera(name, process, proxy, others)


def _clip(directory: Path, *, width: int = 160, height: int = 96) -> Path:
    clip = directory / f"clip-{width}.mp4"
    return clip if clip.exists() else write_clip(clip, frames=100, width=width, height=height)


def _password(directory: Path) -> Path:
    secret = directory / "camera.password"
    secret.write_text(_RIGHT)
    return secret


@contextmanager
def _node(directory: Path, broker: str, cameras: Sequence[Camera], port: int) -> Iterator[psutil.Process]:
    file = directory / "node.yaml"
    configuration = {
        "node": {"id": "station-01", "district": "110105", "data_directory": "data", "http_port": port},
        "cloud": {"mqtt": broker, "https": "http://127.0.0.1:1"},
        "cameras": [
            {
                "id": camera.name,
                **_source(camera),
                "gate": place % 2 == 0,
                "model": None,
                "rules": [{"kind": "camera_trouble", "troubles": ["stream_lost"]}],
            }
            for place, camera in enumerate(cameras)
        ],
        "gateways": [{"id": "sharp-eyes", "url": camera.gateway.url} for camera in cameras if camera.gateway],
    }
    file.write_text(yaml.safe_dump(configuration))
    with (directory / "node.log").open("wb") as log:
        command = [sys.executable, "-m", "edge.cli", "run-node", "--config", str(file)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _source(camera: Camera) -> dict[str, str]:
    if camera.gateway is not None:
        return {"url": "gb28181://sharp-eyes"}
    return {
        "url": f"rtsp://127.0.0.1:{camera.proxy.port}/live",
        "user": "viewer",
        "password_file": "camera.password",
    }


def _sample(node: psutil.Process, data: Path, samples: Samples, stop: threading.Event) -> None:
    began_s = time.monotonic()
    while not stop.wait(_SAMPLE_S):
        kept = sum(1 for _ in data.rglob("*"))
        with node.oneshot():
            rss_mib, threads, files = node.memory_info().rss / (1 << 20), node.num_threads(), node.num_fds()
        samples.rows.append((time.monotonic() - began_s, rss_mib, threads, files, kept))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _await(ready: Callable[[], bool]) -> None:
    until_s = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < until_s:
        try:
            if ready():
                return
        except OSError:
            time.sleep(_LOOK_S)
    raise SystemExit("the node does not see its cameras; nothing was measured")


def _report(done: Sequence[tuple[str, float | None]], samples: Samples, *, minutes: float, seed: int) -> dict[str, Any]:
    by_kind: dict[str, list[float | None]] = defaultdict(list)
    for kind, recovery_s in done:
        by_kind[kind].append(recovery_s)
    kinds = {
        kind: {
            "n": len(found),
            "median_s": round(median([each for each in found if each is not None] or [GIVEN_UP_S]), 2),
            "longest_s": round(max(GIVEN_UP_S if each is None else each for each in found), 2),
            "never": sum(each is None for each in found),
        }
        for kind, found in sorted(by_kind.items())
    }
    process = samples.report()
    met = {
        "faults": len(done) >= LEAST_FAULTS,
        "recovery": all(kind["longest_s"] <= RECOVERY_S for kind in kinds.values()),
        "memory": bool(process) and process["rss_growth"] <= GROWTH,
        "threads": bool(process) and process["threads"]["last_third"] <= process["threads"]["first_third"],
        "open_files": bool(process)
        and process["open_files"]["last_peak"] <= process["open_files"]["first_peak"] + _LOOSE,
        "kept_files": bool(process) and process["kept_files"]["last_third"] <= process["kept_files"]["first_third"] + 2,
    }
    return {"seed": seed, "minutes": minutes, "faults": len(done), "kinds": kinds, "process": process, "met": met}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when everything held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="leave the node's log and data in this new folder")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        if options.keep is not None:
            options.keep.mkdir(parents=True)
            directory = options.keep.absolute()
        report = bench(minutes=options.minutes, cameras=options.cameras, seed=options.seed, directory=directory)
    print(json.dumps(report, indent=2) if options.json else _lines(report))
    return 0 if all(report["met"].values()) else 1


def _lines(report: Mapping[str, Any]) -> str:
    rows = [
        f"{kind:<20} {row['n']:>4} {row['median_s']:>8} {row['longest_s']:>8} {row['never']:>6}"
        for kind, row in report["kinds"].items()
    ]
    head = f"{'fault':<20} {'n':>4} {'median s':>8} {'most s':>8} {'never':>6}"
    return "\n".join([head, *rows, json.dumps({**report["process"], "series": None}), json.dumps(report["met"])])


if __name__ == "__main__":
    sys.exit(main())

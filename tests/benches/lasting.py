"""Camera faults, one after the other and side by side, on a node that has to last: `python -m tests.benches.lasting --json`.

A node in a process of its own has several cameras; each camera is a simulated one behind a proxy. In an order from a seed each is killed,
frozen, fed with garbage, half-opened (the connection stays and nothing comes, ever), refused, given another password, or replaced by one
whose picture changes its size in mid-stream. How long after the camera is back the node sees it is measured on its own `/metrics`
and `/healthz`; its memory, threads and files are sampled all the while. The simulated camera speaks H.264 alone: a change of the codec is not
among the faults.
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
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil
import yaml

from cloud.embedded.broker import EmbeddedBroker
from edge.simulators.camera_process import CameraProcess
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
"""So many new pictures show that a camera is seen again."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera with what stands between it and the node."""

    name: str
    process: CameraProcess
    proxy: Proxy
    others: Mapping[str, int]

    def replace_by(self, port: int) -> None:
        """Another camera answers behind the same address."""
        self.proxy.target_port = port
        self.proxy.cut()


Act = Callable[[Camera], object]

FAULTS: Final[Mapping[str, tuple[Act, Act]]] = {
    "killed": (lambda camera: camera.process.kill(), lambda camera: camera.process.start()),
    "frozen": (lambda camera: camera.process.freeze(), lambda camera: camera.process.thaw()),
    "garbage": (
        lambda camera: camera.process.send_garbage(1_000_000),
        lambda camera: camera.process.send_garbage(0),
    ),
    "half_open": (
        lambda camera: camera.proxy.turn(Weather(Conduct.BLACK_HOLE)),
        lambda camera: camera.proxy.turn(FAIR),
    ),
    "refused": (
        lambda camera: camera.proxy.turn(Weather(Conduct.REFUSE)),
        lambda camera: camera.proxy.turn(FAIR),
    ),
    "wrong_credentials": (
        lambda camera: camera.replace_by(camera.others["stranger"]),
        lambda camera: camera.replace_by(camera.process.port),
    ),
    "changed_resolution": (
        lambda camera: camera.replace_by(camera.others["shifting"]),
        lambda camera: camera.replace_by(camera.process.port),
    ),
}
"""How each begins and how it ends."""


@dataclass(slots=True)
class Samples:
    """The node's process over time: seconds since its start, resident MiB, threads, open files."""

    rows: list[tuple[float, float, int, int]] = field(default_factory=list)

    def third(self, which: int) -> list[tuple[float, float, int, int]]:
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
        for place, name in ((1, "rss_mib"), (2, "threads"), (3, "files")):
            before, after = median(row[place] for row in first), median(row[place] for row in last)
            told[name] = {"first_third": round(before, 1), "last_third": round(after, 1)}
        rss = told["rss_mib"]
        told["rss_growth"] = round(rss["last_third"] / rss["first_third"] - 1, 4)
        return told


class WatchedNode:
    """The node as others see it."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def decoded(self) -> dict[str, float]:
        """Pictures since the start, by camera."""
        return self._counted("decoded")

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
        before = self.decoded().get(camera, 0.0)
        while (passed_s := time.monotonic() - began_s) < within_s:
            if self.decoded().get(camera, 0.0) >= before + _PICTURES and camera not in self.lost():
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
        self.thread = threading.Thread(target=self._run, name=f"faults-{camera.name}")

    def _run(self) -> None:
        kinds: list[str] = []
        while time.monotonic() < self._until_s:
            if not kinds:
                kinds = list(FAULTS)
                self._chance.shuffle(kinds)
            kind = kinds.pop()
            begin, end = FAULTS[kind]
            begin(self._camera)
            time.sleep(self._chance.uniform(*_FAULT_S))
            end(self._camera)
            recovery_s = self._node.sees(self._camera.name, within_s=GIVEN_UP_S)
            self.done.append((kind, recovery_s))
            told = "NOT SEEN AGAIN" if recovery_s is None else f"{recovery_s:.1f} s"
            print(f"{self._camera.name} {kind}: {told}", file=sys.stderr, flush=True)
            time.sleep(_REST_S)


def bench(*, minutes: float, cameras: int, seed: int, directory: Path) -> dict[str, Any]:
    """Run and report."""
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(directory / "broker", anonymous=True))
        cloud = AnsweringCloud(broker.port)
        stack.callback(cloud.close)
        built = [
            _camera(directory, place, stack, others)
            for others in [_others(directory, stack)]
            for place in range(cameras)
        ]
        port = _free_port()
        node = stack.enter_context(_node(directory, broker.url, built, port))
        watched = WatchedNode(port)
        _await(lambda: all(watched.sees(each.name, within_s=GIVEN_UP_S) is not None for each in built))
        samples, stop = Samples(), threading.Event()
        sampler = threading.Thread(target=_sample, args=(node, samples, stop))
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


def _camera(directory: Path, place: int, stack: ExitStack, others: Mapping[str, int]) -> Camera:
    process = CameraProcess(_clip(directory), user="viewer", password_file=_password(directory), encode=True)
    stack.enter_context(process)
    proxy = stack.enter_context(Proxy(f"cam-{place}", process.port))
    return Camera(f"cam-{place}", process, proxy, others)


def _clip(directory: Path) -> Path:
    clip = directory / "clip.mp4"
    return clip if clip.exists() else write_clip(clip, frames=100)


def _password(directory: Path) -> Path:
    secret = directory / "camera.password"
    secret.write_text("the right one")
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
                "url": f"rtsp://127.0.0.1:{camera.proxy.port}/live",
                "user": "viewer",
                "password_file": "camera.password",
                "model": None,
                "rules": [{"kind": "camera_trouble", "troubles": ["stream_lost"]}],
            }
            for camera in cameras
        ],
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


def _sample(node: psutil.Process, samples: Samples, stop: threading.Event) -> None:
    began_s = time.monotonic()
    while not stop.wait(_SAMPLE_S):
        with node.oneshot():
            row = (time.monotonic() - began_s, node.memory_info().rss / (1 << 20), node.num_threads(), node.num_fds())
        samples.rows.append(row)


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
        "files": bool(process) and process["files"]["last_third"] <= process["files"]["first_third"],
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
    return "\n".join([head, *rows, json.dumps(report["process"]), json.dumps(report["met"])])


if __name__ == "__main__":
    sys.exit(main())

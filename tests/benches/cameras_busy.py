"""How many cameras with people in them two cores carry: the node's own path, a plain loop at 5 Hz, a loop that detects every frame.

`python -m tests.benches.cameras_busy [--json] [--tries 5] [--only node plain every]`

Stretches of the clip in which people come and go are served over RTSP/TCP by simulated cameras in processes of their own (their CPU is
told and belongs to nobody; where the machine has more than two cores they get the others). A number of cameras is carried when
each of them is analysed at least 5 times a second (3 % less, for the edges of the window and a single frame) and 95 % of the openings are found no later
than 400 ms after the frame that completes the rule was taken. The largest such number is searched for each of the three, one after the
other in one run: `node` (watch, turns, regions, tracker, rules, masked pictures, incidents in memory), `plain` (everything decoded,
the newest full frame of each camera detected at 5 Hz by two workers, tracker and rules, no pictures), `every` (each camera
detects each frame, in order). Recall is held against a replay of the same stretches with full frames.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from threading import Thread
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil

from edge.configuration.words import camera_from_words
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.pace import percentile
from edge.settings import CameraSettings
from edge.simulators.camera_process import CameraProcess
from edge.video import Video
from models import catalogue
from tests.benches.busy_systems import SYSTEMS, Opening, openings_in
from tests.fakes.encodings import ENCODINGS, write_pictures
from tests.fakes.visits import CLIP

CORES = 2
STRETCH_S = 24.0
BEGINNINGS_S = (5.0, 22.0, 49.0, 73.5, 91.0, 114.0)
"""Where the stretches begin in the clip: in each somebody is there for most of the time."""

LEAST_HZ = 5.0
EDGE_SHARE = 0.03
MOST_P95_MS = 400.0
SETTLED_S = 8.0
"""Rates and delays are counted from here on: until then the cameras connect."""

MATCH_S = 1.5


@dataclass(frozen=True, slots=True)
class Trial:
    """One number of cameras, tried once."""

    cameras: int
    carried: bool
    least_hz: float
    p95_ms: float
    openings: int
    recall: float
    cpu_cores: float
    simulator_cores: float
    inferences_per_s: float
    lost: int


def busy_camera(name: str, url: str) -> CameraSettings:
    """A camera of the clip with rules that open often."""
    rules = ["intrusion:floor", "loitering:floor:3", "loitering:floor:8"]
    camera = camera_from_words(["floor=0,0.25 1,0.25 1,1 0,1"], rules, model="yolox_nano_416", analysis_hz=LEAST_HZ)
    return camera.model_copy(update={"id": name, "url": url})


def write_stretches(folder: Path) -> list[Path]:
    """The stretches as clips of their own, as a camera would send them (a key frame every two seconds)."""
    with Video(catalogue.clip(CLIP)) as video:
        rate = Fraction(1 / video.frame_period_s).limit_denominator(1000)
        images = [(decoded.pts_s or 0.0, decoded.picture.image) for decoded in video.frames()]
    files = []
    for number, begin_s in enumerate(BEGINNINGS_S):
        files.append(folder / f"stretch-{number}.mp4")
        inside = (image for at_s, image in images if begin_s <= at_s < begin_s + STRETCH_S)
        write_pictures(inside, files[-1], rate, ENCODINGS["as-it-is"])
    return files


def hardware_bound(detector: OnnxDetector, seconds: float = 6.0) -> float:
    """Whole looks per second of all cores when nothing else is done."""
    tensor = np.zeros((1, 3, detector.manifest.input.height, detector.manifest.input.width), dtype=np.float32)
    counts = [0] * CORES
    until_s = perf_counter() + seconds

    def look(place: int) -> None:
        while perf_counter() < until_s:
            detector.infer(tensor)
            counts[place] += 1

    threads = [Thread(target=look, args=(place,)) for place in range(CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


class Station:
    """The simulated cameras, and what happens in front of them."""

    def __init__(self, files: Sequence[Path], log: Path) -> None:
        self.files = files
        detector = open_detector("yolox_nano_416")
        self.expected = [openings_in(file, busy_camera("c", str(file)), detector) for file in files]
        self._processes = [CameraProcess(file, log=log) for file in files]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Serve."""
        with ExitStack() as opened:
            for process in self._processes:
                opened.enter_context(process)
                _pin(process.pid, first=CORES)
            yield

    def cameras(self, count: int) -> list[CameraSettings]:
        """So many, over the stretches in turn."""
        urls = [process.url for process in self._processes]
        return [busy_camera(f"c{number}", urls[number % len(urls)]) for number in range(count)]

    def cpu_s(self) -> float:
        """What the simulated cameras have used."""
        times = [psutil.Process(process.pid).cpu_times() for process in self._processes]
        return sum(each.user + each.system for each in times)

    def recall(self, found: Mapping[str, Sequence[Opening]]) -> tuple[int, int]:
        """How many of the expected openings were found, and how many there are."""
        hits = wanted = 0
        for number in range(len(found)):
            expected = self.expected[number % len(self.expected)]
            wanted += len(expected)
            hits += _hits(expected, found[f"c{number}"])
        return hits, wanted


def _hits(expected: Sequence[Opening], found: Sequence[Opening]) -> int:
    """Each opening found counts for one that was expected."""
    left, hits = list(found), 0
    for each in expected:
        match = next((one for one in left if one.rule == each.rule and abs(one.at_s - each.at_s) <= MATCH_S), None)
        if match is not None:
            left.remove(match)
            hits += 1
    return hits


def _pin(pid: int, *, first: int) -> None:
    """Give a process the cores from `first` on; all of them where the machine has no others."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) > CORES:
        os.sched_setaffinity(pid, usable[:CORES] if first == 0 else usable[first:])


def trial(system: str, station: Station, cameras: int) -> Trial:
    """Try a number of cameras in a process of its own."""
    settings = [camera.model_dump(mode="json") for camera in station.cameras(cameras)]
    order = {"system": system, "cameras": settings, "duration_s": STRETCH_S, "settled_s": SETTLED_S}
    simulator_s = station.cpu_s()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benches.busy_systems"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _pin(process.pid, first=0)
    answer, _ = process.communicate(json.dumps(order))
    told: dict[str, Any] = json.loads(answer)
    simulator_s = station.cpu_s() - simulator_s
    found = {name: [Opening(**each) for each in openings] for name, openings in told["openings"].items()}
    settled = [each for openings in found.values() for each in openings if each.at_s >= SETTLED_S]
    delays_ms = sorted(each.delay_ms for each in settled)
    hits, wanted = station.recall(found)
    p95_ms = percentile(delays_ms, 0.95) if delays_ms else float("inf")
    least_hz = min(told["analysed_hz"].values())
    return Trial(
        cameras=cameras,
        carried=least_hz >= LEAST_HZ * (1 - EDGE_SHARE) and p95_ms <= MOST_P95_MS and told["lost"] == 0,
        least_hz=round(least_hz, 2),
        p95_ms=round(p95_ms, 1),
        openings=len(delays_ms),
        recall=round(hits / wanted, 4),
        cpu_cores=round(told["cpu_s"] / told["wall_s"], 3),
        simulator_cores=round(simulator_s / told["wall_s"], 3),
        inferences_per_s=round(told["inferences"] / told["wall_s"], 1),
        lost=told["lost"],
    )


def largest(attempt: Callable[[int], Trial], first: int, tries: int) -> list[Trial]:
    """Search the largest number that is carried: by what a camera costs at first, then between the last that was and the first that was not."""
    trials: list[Trial] = []
    number = first
    for _ in range(tries):
        done = attempt(number)
        trials.append(done)
        passed = max((each.cameras for each in trials if each.carried), default=0)
        failed = min((each.cameras for each in trials if not each.carried), default=0)
        if failed and failed - passed <= 1:
            break
        if not failed:
            room = (CORES - done.simulator_cores) / max(done.cpu_cores, 0.05)
            number = max(passed + 1, min(int(passed * room * 0.92), passed * 3))
        elif not passed:
            number = max(1, int(failed * 0.7))
        else:
            number = (passed + failed) // 2
    return trials


FIRST: Mapping[str, int] = {"node": 18, "plain": 10, "every": 4}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when the node carries at least twice the plain loop's cameras at its recall."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--first", type=int, help="begin the search with this number of cameras")
    options = parser.parse_args(arguments)
    began_s, used_s = perf_counter(), process_time()
    trials: dict[str, list[Trial]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        station = Station(write_stretches(Path(temporary)), Path(temporary) / "cameras.log")
        bound = hardware_bound(open_detector("yolox_nano_416"))
        with station.open():
            for system in options.only:

                def attempt(cameras: int, system: str = system) -> Trial:
                    done = trial(system, station, cameras)
                    print(f"{system:<6} {done}", file=sys.stderr, flush=True)
                    return done

                trials[system] = largest(attempt, options.first or FIRST[system], options.tries)
    report = _report(trials, bound)
    report |= {"wall_s": round(perf_counter() - began_s, 1), "own_cpu_s": round(process_time() - used_s, 1)}
    print(json.dumps(report, indent=2) if options.json else _lines(report))
    return 0 if report.get("met", True) else 1


def _best(trials: Sequence[Trial]) -> Trial | None:
    return max((each for each in trials if each.carried), key=lambda each: each.cameras, default=None)


def _report(trials: Mapping[str, Sequence[Trial]], bound: float) -> dict[str, Any]:
    best = {system: _best(done) for system, done in trials.items()}
    names = {"node": "busy", "plain": "baseline", "every": "every_frame"}
    report: dict[str, Any] = {
        "cores": CORES,
        "whole_looks_per_s": round(bound, 1),
        "bound_cameras_whole_looks": round(bound / LEAST_HZ, 1),
    }
    for system, found in best.items():
        report[f"{names[system]}_cameras"] = 0 if found is None else found.cameras
        report[f"{names[system]}_p95_ms"] = None if found is None else found.p95_ms
        report[f"{names[system]}_recall"] = None if found is None else found.recall
    node, plain = best.get("node"), best.get("plain")
    if node is not None and plain is not None:
        report["times_baseline"] = round(node.cameras / plain.cameras, 2)
        report["recall_of_baseline"] = round(node.recall / plain.recall, 4)
        report["met"] = report["times_baseline"] >= 2 and report["recall_of_baseline"] >= 0.97
    report["trials"] = {system: [asdict(each) for each in done] for system, done in trials.items()}
    return report


def _lines(report: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in report.items() if key != "trials")


if __name__ == "__main__":
    sys.exit(main())

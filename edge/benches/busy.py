"""How many cameras with people in them the machine carries: the node, a plain loop at the analysis rate, a loop that detects every frame.

A number of cameras is carried when each of them is analysed at least five times a second (3 % less, for the edges of the window and a single
frame), none is lost, and 95 % of the openings are found no later than 400 ms after the frame that completes the rule was taken. The
same holds for all three. What is found is held against a replay of the same film that looks at whole frames, and in made scenes against
their truth: what a detector misses or breaks apart there is missed by all three.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Final

import numpy as np

from edge.benches.films import Film, made_scene, stretch, stretches
from edge.benches.idle import MODEL
from edge.benches.machine import Place, cpu_s, keep_to
from edge.benches.openings import Follower, Opening, PlainWatch, hits, now, plain_detector
from edge.benches.search import largest
from edge.benches.watching import Order, watch
from edge.configuration.words import camera_from_words
from edge.errors import MediaUnusable
from edge.flow import Detections, Frame
from edge.perception.detector import OnnxDetector
from edge.perception.pace import percentile
from edge.settings import CameraSettings
from edge.simulators.camera_process import CameraProcess
from edge.simulators.scene.scene import Scene
from edge.simulators.scene.truth import Thing
from edge.sources.timing import AnalysisGrid
from edge.video import Video

LEAST_HZ: Final = 5.0
EDGE_SHARE: Final = 0.03
MOST_P95_MS: Final = 400.0
SETTLED_S: Final = 8.0
"""Rates and delays are counted from here on, or after the length of a shorter measurement: until then the cameras connect."""

SPREAD_S: Final = 2.0
"""Cameras are opened over the time between two key frames: at a station no two of them send theirs in step. A key frame costs as much as four
others, and a machine that gets those of all cameras at once has to do in a fifth of a second what it would have had two seconds for.
"""

SECONDS: Final = 15.0
_AFTERWARDS_S: Final = 1.0
_TOO_LATE_S: Final = 3.0
"""Cameras connect one after the other: what happens in the last seconds of the film may come after the end of a trial."""

FIRST: Final[Mapping[str, int]] = {"node": 48, "plain": 28, "every": 14}
_ROOM: Final = 0.92
_SEEN_FROM: Final = 0.3
_LEAST_SIDE: Final = 0.012
"""Of made scenes: what is visible by a smaller share, or smaller than this part of the picture, need not be seen."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One number of cameras, tried once. `simulator_cores` is what the simulated cameras took, which counts for nobody; `room`: so many
    times as much work the cores would have had time for.
    """

    cameras: int
    carried: bool
    least_hz: float
    p95_ms: float | None
    openings: int
    found: int
    expected: int
    cpu_cores: float
    simulator_cores: float
    looks_per_s: float
    lost: int
    memory_mib: float
    room: float

    @property
    def recall(self) -> float:
        """Share of what was expected that was found."""
        return self.found / self.expected if self.expected else 0.0


OWN_MODEL: Final = "gridward_nano_320"
"""Knows the people of made scenes, and needs no download."""


def model_for(film: Film) -> str:
    """The detector of all three."""
    return OWN_MODEL if film.made else MODEL


def busy_camera(name: str, url: str, model: str) -> CameraSettings:
    """A camera with rules that open often."""
    rules = ["intrusion:floor", "loitering:floor:3", "loitering:floor:8"]
    camera = camera_from_words(["floor=0,0.25 1,0.25 1,1 0,1"], rules, model=model, analysis_hz=LEAST_HZ)
    return camera.model_copy(update={"id": name, "url": url})


def openings_in(file: Path, camera: CameraSettings, detector: OnnxDetector) -> list[Opening]:
    """What whole frames at the analysis rate find in a file, as fast as the machine can."""
    plain, grid, begin_at = PlainWatch(camera, detector), AnalysisGrid(camera.analysis_hz), now()
    found = []
    with Video(file) as video:
        for number, decoded in enumerate(video.frames()):
            at_s = decoded.pts_s or 0.0
            if grid.takes(at_s):
                frame = Frame(camera.id, number, begin_at + timedelta(seconds=at_s), at_s, decoded.picture)
                found += [Opening(finding.rule, round(at_s, 2)) for finding in plain.analyse(frame)]
    return found


def openings_in_truth(scene: Scene, camera: CameraSettings) -> list[Opening]:
    """What the truth of a made scene brings, at the analysis rate, where all that can be seen of it is seen; no detector is asked."""
    follower, grid, begin_at = Follower(camera), AnalysisGrid(camera.analysis_hz), now()
    found = []
    for moment, _ in scene.moments():
        if grid.takes(moment.at_s):
            seen = [thing for thing in moment.objects if _can_be_seen(thing)]
            boxes = np.array([thing.visible for thing in seen], np.float32).reshape(-1, 4)
            detections = Detections(boxes, np.ones(len(seen), np.float32), tuple(thing.label for thing in seen))
            at = begin_at + timedelta(seconds=moment.at_s)
            found += [Opening(finding.rule, round(moment.at_s, 2)) for finding in follower.take(at, detections)]
    return found


def _can_be_seen(thing: Thing) -> bool:
    left, top, right, bottom = thing.visible
    return thing.share >= _SEEN_FROM and min(right - left, bottom - top) >= _LEAST_SIDE


class Station:
    """The simulated cameras, and what happens in front of them; further ones are started as more cameras are asked for."""

    def __init__(self, film: Film, place: Place, *, seconds: float) -> None:
        self.place = place
        self.seconds = seconds
        self._film = film
        self.settled_s = min(SETTLED_S, seconds)
        self._length_s = SPREAD_S + self.settled_s + seconds + _AFTERWARDS_S
        self._places = stretches(film, self._length_s)
        self._model = model_for(film)
        self._detector = plain_detector(self._model)
        self._processes: list[CameraProcess] = []
        self._expected: list[list[Opening]] = []
        self._running = ExitStack()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Serve; whatever was started ends with the block."""
        with self._running:
            yield

    def cameras(self, count: int) -> list[CameraSettings]:
        """So many, over the stretches in turn."""
        while len(self._processes) < min(count, self._places):
            self._add(len(self._processes))
        urls = [process.url for process in self._processes]
        return [busy_camera(f"c{number}", urls[number % len(urls)], self._model) for number in range(count)]

    def simulator_s(self) -> float:
        """Processor seconds that the simulated cameras have used."""
        return cpu_s([process.pid for process in self._processes])

    def recall(self, found: Mapping[str, Sequence[Opening]]) -> tuple[int, int]:
        """How many of the expected openings were found, and how many there are."""
        count = expected = 0
        for number in range(len(found)):
            wanted = self._expected[number % len(self._expected)]
            expected += len(wanted)
            count += hits(wanted, found[f"c{number}"])
        return count, expected

    def _add(self, number: int) -> None:
        file = stretch(self._film, number, self._length_s, self.place.say)
        camera = busy_camera("c", str(file), self._model)
        if self._film.made:
            openings = openings_in_truth(made_scene(number, self._length_s), camera)
        else:
            openings = openings_in(file, camera, self._detector)
        self._expected.append([each for each in openings if each.at_s <= self._length_s - SPREAD_S - _TOO_LATE_S])
        if number == 0 and self._film.own and not self._expected[0]:
            raise MediaUnusable(
                f"nobody is seen in the first {self._length_s:.0f} s of {self._film.path}: give a film with people in it"
            )
        process = self._running.enter_context(CameraProcess(file, log=self.place.folder / "cameras.log"))
        keep_to(process.pid, self.place.other_cores)
        self._processes.append(process)


def trial(system: str, station: Station, count: int, *, cores: int, shared: bool) -> Trial:
    """Try a number of cameras on so many cores; `shared`: the simulated cameras run on the same ones. Raises MeasurementFailed."""
    cameras = [camera.model_dump(mode="json") for camera in station.cameras(count)]
    simulator_s, began_s = station.simulator_s(), perf_counter()
    told = watch(Order(system, cameras, station.settled_s, station.seconds, spread_s=SPREAD_S), station.place.folder)
    simulator_cores = (station.simulator_s() - simulator_s) / (perf_counter() - began_s)
    settled = [each for openings in told.openings.values() for each in openings if each.at_s >= station.settled_s]
    delays_ms = sorted(each.delay_ms for each in settled)
    p95_ms = percentile(delays_ms, 0.95) if delays_ms else None
    least_hz = min(told.analysed_hz.values())
    found, expected = station.recall(told.openings)
    free_cores = cores - (simulator_cores if shared else 0.0)
    in_time = p95_ms is not None and p95_ms <= MOST_P95_MS
    return Trial(
        cameras=count,
        carried=in_time and least_hz >= LEAST_HZ * (1 - EDGE_SHARE) and told.lost == 0,
        least_hz=round(least_hz, 2),
        p95_ms=None if p95_ms is None else round(p95_ms, 1),
        openings=len(delays_ms),
        found=found,
        expected=expected,
        cpu_cores=round(told.cpu_cores, 3),
        simulator_cores=round(simulator_cores, 3),
        looks_per_s=round(told.looks_per_s, 1),
        lost=told.lost,
        memory_mib=told.memory_mib,
        room=round(_ROOM * free_cores / max(told.cpu_cores, 0.05), 2),
    )


def searched(system: str, station: Station, *, cores: int, shared: bool, first: int | None, tries: int) -> list[Trial]:
    """All trials of one system, in order."""

    def attempt(count: int) -> Trial:
        done = trial(system, station, count, cores=cores, shared=shared)
        station.place.say(f"{system:<6}{in_words(done)}")
        return done

    return largest(attempt, first or FIRST[system], tries)


def in_words(done: Trial) -> str:
    """A trial as a line."""
    delay = "nothing found" if done.p95_ms is None else f"p95 {done.p95_ms:.0f} ms over {done.openings}"
    lost = f", {done.lost} lost" if done.lost else ""
    return (
        f"{done.cameras:>4} cameras: {'carried' if done.carried else 'too many':<9} at least {done.least_hz:.2f} Hz, {delay}, recall {done.recall:.3f}, "
        f"{done.cpu_cores:.2f} cores (cameras {done.simulator_cores:.2f}), {done.looks_per_s:.0f} looks/s{lost}"
    )


def hardware_looks_per_s(cores: int, model: str = MODEL, seconds: float = 6.0) -> float:
    """Whole looks per second of all cores when nothing else is done: a node that looks at all of each picture can't be faster."""
    detector = plain_detector(model)
    given = detector.manifest.input
    tensor = np.zeros((1, 3, given.height, given.width), dtype=np.float32)
    counts = [0] * cores
    until_s = perf_counter() + seconds

    def look(place: int) -> None:
        while perf_counter() < until_s:
            detector.infer(tensor)
            counts[place] += 1

    threads = [Thread(target=look, args=(place,), name=f"look-{place}") for place in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(counts) / seconds, 1)

"""How long detectors take on one thread, all of them in turns, so that whatever else the machine does meets each of them alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Image
from edge.inference import Graph
from edge.perception.detector import OnnxDetector, reader
from edge.perception.preprocess import input_shape
from models.catalogue import ResolvedModel

REFERENCE: Final = "yolox_nano_416"
"""What the others are compared with: the default detector of every node that can have it."""

WIDTH, HEIGHT = 1920, 1080
"""The size of the pictures that the whole detector is given."""

_WARM_UP: Final = 5


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of the wall clock; `cpu_ms` is the median of the thread's own, which neighbours on the machine lengthen less.

    `ratio` is the median over the rounds of this time to that of the reference in the same round; None without a reference.
    """

    median_ms: float
    p95_ms: float
    cpu_ms: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Speed:
    """`graph`: the network alone, on the input of its manifest. `whole`: from a picture of 1920 × 1080 to boxes, in the input that fits it."""

    model: str
    runs: int
    graph: Times
    whole: Times


def speeds(
    models: Sequence[ResolvedModel],
    pictures: Sequence[Image],
    *,
    runs: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[Speed]:
    """Measure all models in turns, each `runs` times. Raises ModelUnusable."""
    cv2.setNumThreads(1)
    large = [np.asarray(cv2.resize(picture, (WIDTH, HEIGHT)), np.uint8) for picture in pictures]
    tried = [_Tried(model) for model in models]
    names = [model.manifest.id for model in models]
    taken = np.zeros((_WARM_UP + runs, len(tried), 2, 2))
    for number in range(_WARM_UP + runs):
        picture = large[number % len(large)]
        for place in np.roll(np.arange(len(tried)), number):
            taken[number, place] = tried[place].once(picture)
        progress(number + 1)
    kept = taken[_WARM_UP:]
    reference = kept[:, names.index(REFERENCE)] if REFERENCE in names else None
    return [
        Speed(name, runs, *(_times(kept[:, place], reference, part) for part in (0, 1)))
        for place, name in enumerate(names)
    ]


class _Tried:
    """A model, ready to be timed."""

    def __init__(self, model: ResolvedModel) -> None:
        manifest, decoder = model.manifest, reader(model.manifest)
        self._detector = OnnxDetector(model)
        self._graph = Graph(
            model.path,
            input_shape(manifest.input),
            decoder.output_shapes,
            model=manifest.id,
            further_inputs=decoder.further_inputs,
            outputs=manifest.outputs,
        )

    def once(self, picture: Image) -> NDArray[np.float64]:
        """Milliseconds of wall clock and CPU, of the graph and of the whole: (2, 2)."""
        tensor, _ = self._detector.prepare(picture)
        self._graph.run(tensor)  # another model's weights are in the caches by now; on a node they would be its own
        return np.array([_timed(lambda: self._graph.run(tensor)), _timed(lambda: self._detector.detect(picture))])


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    began, began_cpu = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - began) * 1000, (time.thread_time() - began_cpu) * 1000


def _times(taken: NDArray[np.float64], reference: NDArray[np.float64] | None, part: int) -> Times:
    wall, cpu = taken[:, part, 0], taken[:, part, 1]
    ratio = None if reference is None else float(np.median(wall / reference[:, part, 0]))
    return Times(float(np.median(wall)), float(np.quantile(wall, 0.95)), float(np.median(cpu)), ratio)

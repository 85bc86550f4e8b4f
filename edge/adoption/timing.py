"""How long a look takes, on one thread (模型测速)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.flow import Image
from edge.perception.detector import OnnxDetector

WARM_UP: Final = 5
RUNS: Final = 50


@dataclass(frozen=True, slots=True)
class Spread:
    """Middle and slow end of some durations, milliseconds."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Timing:
    """`inference`: the network and reading its answer; `look`: preparing the picture as well. `cpu_ms`: processor time per look."""

    runs: int
    inference: Spread
    look: Spread
    cpu_ms: float


def time_looks(detector: OnnxDetector, image: Image, *, runs: int = RUNS, warm_up: int = WARM_UP) -> Timing:
    """Look at one picture again and again. Raises ModelUnusable as `detect` does."""
    tensor, _ = detector.prepare(image)
    for _ in range(warm_up):
        detector.detect(image)
    inferences = _durations_ms(lambda: detector.infer(tensor), runs)
    before_s = time.process_time()
    looks = _durations_ms(lambda: detector.detect(image), runs)
    cpu_ms = (time.process_time() - before_s) * 1000 / runs
    return Timing(runs, _spread(inferences), _spread(looks), round(cpu_ms, 2))


def _durations_ms(work: Callable[[], object], runs: int) -> list[float]:
    durations = []
    for _ in range(runs):
        began_s = time.perf_counter()
        work()
        durations.append((time.perf_counter() - began_s) * 1000)
    return durations


def _spread(durations_ms: list[float]) -> Spread:
    p50, p95 = np.percentile(durations_ms, [50, 95])
    return Spread(round(float(p50), 2), round(float(p95), 2))

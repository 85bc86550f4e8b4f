"""What one training run is made of. Everything that changes its result stands here, and goes into the run's log."""

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from models.datasets.labels import Label
from models.training.network import Shape


class Precision(StrEnum):
    """The numbers that convolutions are computed with while training. What is exported is float32 either way."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    """Twice as fast on processors that have it (AVX-512 BF16, AMX) and on GPUs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`epochs` at pictures of `size` × `size` pixels; the share `mosaic` of them is made of four."""

    epochs: int
    size: int
    mosaic: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """`seed` decides on all that is drawn at random. `rate` is the highest step size, reached after `warm_up` of the way and then
    falling as a cosine to `last_rate` of it. A class that fewer than `common` of the pictures show comes more often. Things of the classes
    `pasted` are put into so many of the pictures.
    """

    stages: tuple[Stage, ...]
    seed: int = 1
    batch: int = 16
    rate: float = 1.5e-3
    last_rate: float = 0.01
    warm_up: float = 0.03
    decay: float = 0.03
    average: float = 0.9995
    common: float = 0.15
    pasted: tuple[tuple[Label, float], ...] = ((Label.FALLEN_PERSON, 0.15),)
    scene_share: float = 0.12
    precision: Precision = Precision.BFLOAT16
    threads: int = 2
    teacher: str = "yolox_nano_416"
    shape: Shape = field(default_factory=Shape)

    @property
    def epochs(self) -> int:
        """How often all pictures are looked at."""
        return sum(stage.epochs for stage in self.stages)

    def with_choices(self, *, seed: int, threads: int, precision: Precision) -> Self:
        """The same with what whoever trains may choose."""
        return replace(self, seed=seed, threads=threads, precision=precision)

    def of_epochs(self, epochs: int) -> Self:
        """The same with so many epochs: the last one as the last stage has it, what is left as the first."""
        stages = replace(self.stages[0], epochs=epochs - 1), replace(self.stages[-1], epochs=1)
        return replace(self, stages=tuple(stage for stage in stages if stage.epochs))

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON has it: what a log says, and what a checkpoint is held against."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    def stage_at(self, epoch: int) -> Stage:
        """The stage of an epoch, counted from 0."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage
            epoch -= stage.epochs
        return self.stages[-1]


RECIPES: Final[dict[str, Recipe]] = {
    "try": Recipe(stages=(Stage(1, 160, 0.5),)),
    "short": Recipe(stages=(Stage(28, 224, 0.7), Stage(10, 320, 0.5), Stage(2, 416, 0.0))),
    "standard": Recipe(stages=(Stage(50, 224, 0.6), Stage(40, 320, 0.5), Stage(6, 320, 0.0))),
    "large": Recipe(
        stages=(Stage(200, 320, 0.7), Stage(80, 416, 0.5), Stage(20, 416, 0.0)), precision=Precision.FLOAT32
    ),
    "further": Recipe(
        stages=(Stage(7, 416, 0.5), Stage(20, 320, 0.5), Stage(4, 320, 0.0)),
        rate=7e-4,
        warm_up=0.05,
        pasted=((Label.FALLEN_PERSON, 0.18),),
        scene_share=0.35,
    ),
    "tune": Recipe(
        stages=(Stage(5, 320, 0.3), Stage(1, 320, 0.0)), rate=3e-4, warm_up=0.1, decay=0.01, pasted=(), scene_share=0.6
    ),
}
"""By name: to see that it runs; half an hour on two cores; three hours on two cores; a night on many; from weights that there are, on
more made scenes than before (`train --from`); from weights that there are, on a site's own verdicts."""

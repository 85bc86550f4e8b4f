"""Whether a camera that is covered or dark is told of, and nothing else is, on made scenes in any light.

`python -m tests.benches.scene_troubles [--json] [--scenes N] [--workers N]`

Pictures are drawn once a second, as often as the watch looks. In half of the scenes something hides the view for a while; in a third of them
day turns into night or night into day meanwhile, and in one of nine a cloud or a lamp changes the light at once: nothing is to be told of that.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Final

import cv2
import numpy as np

from edge.contract.incident import CameraTrouble, IncidentState
from edge.flow import Finding, Image, Look, Scene
from edge.perception.trouble import TroubleWatch
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings
from edge.simulators.scene.scene import Scene as MadeScene
from edge.simulators.scene.scene import random_scene
from edge.simulators.scene.story import Parameters
from edge.simulators.scene.weather import Conditions, Cover, random_conditions
from tests.benches.scene_feed import moment_at
from tests.benches.scene_score import Score
from tests.fakes.scenes import seconds

SIZE: Final = (384, 216)
PERIOD_S: Final = 1.0
DURATION_S: Final = 90.0
NEAR_S: Final = 3.0
HIDDEN: Final = frozenset({CameraTrouble.COVERED, CameraTrouble.DARK})
"""A hand at night is dark, a black picture is blank: either word sends the same person to the same camera."""


def conditions_of(seed: int) -> Conditions:
    """Any weather; something that hides the view in every other scene, light that changes in some."""
    chance = np.random.default_rng([seed, 23])
    conditions = random_conditions(chance)
    light, changes = conditions.daylight_at(0.0), chance.random()
    if changes < 1 / 3:
        conditions = replace(conditions, daylight=((0.0, light), (DURATION_S, 1.0 - light)))
    elif changes < 4 / 9:
        at_s, other = float(chance.uniform(30, 70)), min(1.0, max(0.0, light + float(chance.uniform(-0.4, 0.4))))
        conditions = replace(conditions, daylight=((0.0, light), (at_s, light), (at_s + 0.5, other)))
    if seed % 2:
        begin_s = float(chance.uniform(25.0, 50.0))
        cover = Cover.HAND if chance.random() < 0.5 else Cover.BLACK
        span = (begin_s, begin_s + float(chance.uniform(10.0, 30.0)), cover)
        conditions = replace(conditions, covered=(span,))
    return conditions


def scene_of(seed: int) -> MadeScene:
    """One scene of the bench."""
    parameters = Parameters(duration_s=DURATION_S, conditions=conditions_of(seed))
    return random_scene(seed, parameters, size=SIZE, frame_period_s=PERIOD_S)


def scene_score(seed: int) -> Score:
    """Draw a scene, watch it, and hold what is told against what hid it."""
    scene = scene_of(seed)
    camera = CameraSettings.model_validate(
        {"id": "made", "url": "rtsp://made/scene", "rules": [{"kind": "camera_trouble"}]}
    )
    watch, rule = TroubleWatch(), scene_rule(camera.rules[0], camera)
    told: list[Finding] = []
    for moment, _, image in scene.frames():
        troubles = watch.look(luma_of(image), moment.at_s)
        shown = Scene(camera.id, moment_at(moment.at_s), (), (), look=Look(()), troubles=troubles)
        told += chain(rule.observe(shown))
    return compared(scene, [finding for finding in told if finding.state is IncidentState.OPEN])


def luma_of(image: Image) -> np.ndarray:
    """The brightness (height, width) as a decoder gives it: 16 is black, 235 is white."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)[: image.shape[0]], np.uint8)


def compared(scene: MadeScene, told: Sequence[Finding]) -> Score:
    """What was told beside what hid the view."""
    score = Score()
    spans = scene.story.conditions.covered
    score.wanted = len(spans)
    for begin_s, end_s, cover in spans:
        if any(_suits(finding, begin_s, end_s) for finding in told):
            score.told += 1
        else:
            score.examples.append(f"scene {scene.head.seed}: {cover} at {begin_s:.0f}–{end_s:.0f} s not told")
    for finding in told:
        if any(_suits(finding, begin_s, end_s) for begin_s, end_s, _ in spans):
            score.right += 1
        else:
            score.wrong += 1
            light = scene.story.conditions.daylight
            at_s = seconds(finding.started_at)
            score.examples.append(f"scene {scene.head.seed}: {finding.point} at {at_s:.0f} s, wrong; daylight {light}")
    return score


def _suits(finding: Finding, begin_s: float, end_s: float) -> bool:
    began_s = seconds(finding.started_at)
    return finding.point in HIDDEN and begin_s - NEAR_S <= began_s <= end_s + NEAR_S


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when recall and precision are at least .97."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scenes", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    total = Score()
    with ProcessPoolExecutor(options.workers) as pool:
        for score in pool.map(scene_score, range(options.scenes), chunksize=4):
            total.add(score)
    names = ("wanted", "told", "right", "wrong", "recall", "precision")
    figures = {name: getattr(total, name) for name in names}
    if options.json:
        print(json.dumps({"scenes": options.scenes, "camera_trouble": figures, "examples": total.examples}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in figures.items()))
        print("\n".join(total.examples))
    return 0 if total.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

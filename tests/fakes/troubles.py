"""Real clips with a camera that is covered, blurred, turned, frozen or blinded from some second on, and what is found in them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.incident import CameraTrouble, IncidentState
from edge.flow import Frame, Image
from edge.perception.pipeline import CameraPipeline
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings, CameraTroubleSettings
from edge.video import Video
from tests.fakes.scenes import EPOCH

Luma = NDArray[np.uint8]
Change = Callable[[Luma], Luma]

ONSET_S = 12.0
FOUND_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Grey:
    """A picture of which only the brightness is asked for."""

    luma: Luma

    @property
    def image(self) -> Image:
        return np.repeat(self.luma[:, :, None], 3, axis=2)


@dataclass(frozen=True, slots=True)
class Found:
    """A trouble that was found: clip time of its report and of its beginning."""

    trouble: CameraTrouble
    reported_s: float
    started_s: float


def _noisy(luma: NDArray[np.float64], seed: int) -> Luma:
    noise = np.random.default_rng(seed).normal(0.0, 3.0, luma.shape)
    return np.asarray(np.clip(luma + noise, 0, 255), dtype=np.uint8)


def _blurred(share: float) -> Change:
    return lambda luma: np.asarray(cv2.GaussianBlur(luma, (0, 0), share * luma.shape[1]), dtype=np.uint8)


def _covered(share: float) -> Change:
    def change(luma: Luma) -> Luma:
        changed = luma.copy()
        columns = int(share * luma.shape[1])
        changed[:, :columns] = _noisy(np.full((luma.shape[0], columns), 80.0), seed=int(luma.sum()))
        return changed

    return change


def _turned(right: float, down: float, degrees: float = 0.0) -> Change:
    def change(luma: Luma) -> Luma:
        height, width = luma.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        matrix[:, 2] += (right * width, down * height)
        return np.asarray(cv2.warpAffine(luma, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), dtype=np.uint8)

    return change


def _dimmed(gain: float) -> Change:
    return lambda luma: np.asarray(16 + np.clip((luma.astype(np.float64) - 16) * gain, 0, 219), dtype=np.uint8)


CHANGES: Mapping[str, tuple[frozenset[CameraTrouble], Change]] = {
    "covered": (frozenset({CameraTrouble.COVERED}), _covered(1.0)),
    "covered-0.9": (frozenset({CameraTrouble.COVERED, CameraTrouble.MOVED}), _covered(0.9)),
    "blurred-0.5%": (frozenset({CameraTrouble.DEFOCUSED}), _blurred(0.005)),
    "blurred-1%": (frozenset({CameraTrouble.DEFOCUSED}), _blurred(0.01)),
    "shifted-right-6%": (frozenset({CameraTrouble.MOVED}), _turned(0.06, 0.0)),
    "shifted-10%-5%": (frozenset({CameraTrouble.MOVED}), _turned(0.1, 0.05)),
    "turned-away": (frozenset({CameraTrouble.MOVED}), _turned(0.35, 0.1)),
    "darkened": (frozenset({CameraTrouble.DARK}), _dimmed(0.05)),
    "black": (frozenset({CameraTrouble.DARK}), _dimmed(0.0)),
}
"""What is done to each picture from `ONSET_S` on, and what it may be called then: of bare asphalt that is covered but for a strip
nobody can say more than that it is another view. `frozen` repeats one picture.
"""


def pictures(clip: Path, hertz: float = 5.0) -> list[tuple[float, Luma]]:
    """Clip times and brightness of a clip's pictures."""
    taken: list[tuple[float, Luma]] = []
    with Video(clip) as video:
        for decoded in video.frames():
            at_s = decoded.pts_s or 0.0
            if at_s + 1e-6 >= len(taken) / hertz:
                taken.append((at_s, np.array(decoded.picture.luma)))
    return taken


def changed(taken: list[tuple[float, Luma]], change: Change) -> Iterator[tuple[float, Luma]]:
    """The pictures, changed from `ONSET_S` on."""
    return ((at_s, change(luma) if at_s >= ONSET_S else luma) for at_s, luma in taken)


def frozen(taken: list[tuple[float, Luma]]) -> Iterator[tuple[float, Luma]]:
    """The pictures, of which one is repeated from `ONSET_S` on."""
    last = next(luma for at_s, luma in taken if at_s >= ONSET_S)
    return ((at_s, last if at_s >= ONSET_S else luma) for at_s, luma in taken)


def troubles_in(shown: Iterator[tuple[float, Luma]]) -> list[Found]:
    """What the real pipeline and the real rule find, without a detector."""
    settings = CameraTroubleSettings(kind="camera_trouble")
    camera = CameraSettings(id="c", url="clip", model=None, rules=(settings,))
    pipeline, rule = CameraPipeline(camera, None), scene_rule(settings, camera)
    found = []
    for sequence, (at_s, luma) in enumerate(shown):
        at = EPOCH + timedelta(seconds=at_s)
        scene = pipeline.analyse(Frame("c", sequence, at, at_s, Grey(luma)))
        found += [
            Found(
                CameraTrouble(str(finding.point)),
                round((finding.at - EPOCH).total_seconds(), 2),
                round((finding.started_at - EPOCH).total_seconds(), 2),
            )
            for finding in rule.observe(scene)
            if finding.state is IncidentState.OPEN
        ]
    return found

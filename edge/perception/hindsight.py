"""Hindsight: who is to be seen in a film that has been taken already, looked at forwards and backwards.

A camera's eyes know in each moment what they have seen before it. Of a film they know what comes as well: somebody is masked
before the first look that finds him, and after the last one. Where no detector looks, whatever moves at some time in the film is
masked all the time: behind a gate and under load the camera's eyes have not seen each of its pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Box, Detections, Detector, FilmLook, Frame, Image, PrivateParts
from edge.perception.pipeline import CameraPipeline, detected, recognisable
from edge.settings import CameraSettings

LOOK_EVERY_S: Final = 0.2
"""Without a detector every picture is looked at: that is cheap, and nobody says where things went in between."""

_KEPT_WIDTH: Final = 320
"""Of a picture that was looked at; motion asks for less."""


@dataclass(frozen=True, slots=True)
class _Grey:
    """What is kept of a picture that was looked at: all that motion needs."""

    luma: NDArray[np.uint8]

    @property
    def image(self) -> Image:
        """Without its colours."""
        return np.repeat(self.luma[:, :, None], 3, axis=2)


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    grey: _Grey
    found: Detections
    private: PrivateParts


class _Told:
    """A detector that says what another one has found: each picture is looked at once."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.found = Detections(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32), ())

    def detect(self, _image: Image, _things: Sequence[Box] = ()) -> Detections:
        """What was found in the picture that is at hand."""
        return self.found


class Hindsight:
    """Looks at the pictures of one film, which come in the order of their times, about five times a second; without a detector at each
    of them, for what moves.
    """

    def __init__(self, camera: CameraSettings, detector: Detector | None) -> None:
        self._camera = camera.model_copy(update={"rules": ()})
        self._detector = detector
        self._told = _Told(() if detector is None else detector.labels)
        self._ahead = self._pipeline()
        self._looks: list[_Look] = []
        self._skipped: Frame | None = None

    def show(self, frame: Frame) -> None:
        """The next picture. Raises ModelUnusable when the detector fails."""
        last = self._looks[-1].at if self._looks else None
        every_s = 0.0 if self._detector is None else LOOK_EVERY_S
        if last is not None and (frame.captured_at - last).total_seconds() < every_s - 1e-3:
            self._skipped = frame
            return
        self._look(frame)

    def looks(self) -> tuple[FilmLook, ...]:
        """When all have been shown: what every look tells, the last picture's among them. Raises ModelUnusable."""
        if self._skipped is not None:
            self._look(self._skipped)
        if not self._looks:
            return ()
        end = self._looks[-1].at
        back = self._pipeline()
        told = []
        for look in reversed(self._looks):
            seen_back = self._analysed(back, look, end + (end - look.at))
            people, vehicles = (
                (*ours, *theirs)
                for ours, theirs in (
                    (look.private.people, seen_back.people),
                    (look.private.vehicles, seen_back.vehicles),
                )
            )
            private = PrivateParts(look.at, people, vehicles, (*look.private.moving, *seen_back.moving))
            seen = PrivateParts(
                look.at,
                recognisable(look.found),
                (*detected(look.found, "vehicle"), *detected(look.found, "two_wheeler")),
            )
            told.append(FilmLook(private, seen))
        return tuple(reversed(told))

    def _pipeline(self) -> CameraPipeline:
        return CameraPipeline(self._camera, None if self._detector is None else self._told, probe_s=0.0, watched_s=0.0)

    def _look(self, frame: Frame) -> None:
        self._skipped = None
        rows, columns = frame.picture.luma.shape
        width = min(_KEPT_WIDTH, columns)
        size = (width, max(round(width * rows / columns), 1))
        small = np.asarray(cv2.resize(frame.picture.luma, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        nobody = PrivateParts(frame.captured_at)
        found = self._told.found if self._detector is None else self._detector.detect(frame.image)
        look = _Look(frame.captured_at, _Grey(small), found, nobody)
        private = self._analysed(self._ahead, look, frame.captured_at)
        self._looks.append(_Look(look.at, look.grey, look.found, private))

    def _analysed(self, pipeline: CameraPipeline, look: _Look, at: datetime) -> PrivateParts:
        """What one of the two directions has to say of a look, which it takes to be of this time."""
        self._told.found = look.found
        frame = Frame(self._camera.id, len(self._looks), at, 0.0, look.grey)
        pipeline.analyse(frame)
        return pipeline.private_parts(frame)

"""A detector: letterbox, graph, decoder, and back to the picture's own coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge.flow import Detections, Image
from edge.inference import Graph
from edge.perception.decoders.registry import decoder
from edge.perception.preprocess import letterbox

LEAST_SCORE: Final = 0.1
"""What is less sure than this is not even a hint for the tracker."""

WATCHED: Final = frozenset({"person", "bicycle", "car", "motorcycle", "bus", "truck"})
"""The labels that the node looks at; the others of a model (chairs, dogs) never compete for a box."""


@dataclass(frozen=True, slots=True)
class DetectorModel:
    """What a detector needs of a catalogue's entry."""

    id: str
    version: str
    sha256: str
    path: Path
    head: str
    width: int
    height: int
    pad: int
    labels: tuple[str, ...]


class OnnxDetector:
    """Finds the watched things in pictures of any size; threads may share it."""

    def __init__(self, model: DetectorModel, *, watched: frozenset[str] = WATCHED) -> None:
        """Open the graph. Raises ModelUnusable when it is not what the model says."""
        self.model = model
        self.labels: tuple[str, ...] = model.labels
        wanted: Sequence[int] = [index for index, label in enumerate(model.labels) if label in watched]
        self._decoder = decoder(
            model.head, model=model.id, width=model.width, height=model.height, labels=model.labels, wanted=wanted
        )
        self._graph = Graph(model.path, self._decoder.signature, model=model.id)

    def detect(self, image: Image) -> Detections:
        """Look at one BGR picture; boxes are normalised and may reach a little past the picture's edge."""
        tensor, fit = letterbox(image, width=self.model.width, height=self.model.height, pad=self.model.pad)
        boxes, scores, classes = self._decoder.decode(self._graph.run(tensor), least_score=LEAST_SCORE)
        labels = tuple(self.labels[index] for index in classes)
        return Detections(boxes=fit.to_picture(boxes), scores=np.clip(scores, 0, 1), labels=labels)

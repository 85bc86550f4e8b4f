"""A detector: picture to tensor, graph, decoder, and back to the picture's own coordinates."""

from typing import Final

import numpy as np

from edge.errors import ModelUnusable
from edge.flow import Detections, Image
from edge.inference import Graph, Tensor
from edge.perception.decoders.registry import Decoder, decoder
from edge.perception.decoders.selection import Answer
from edge.perception.preprocess import Placement, input_shape, prepared
from models.catalogue import ResolvedModel, resolve
from models.manifest import Manifest, ModelProblem

LEAST_SCORE: Final = 0.05
"""What is less sure than this is not even a hint for the tracker."""

WATCHED: Final = frozenset({"person", "bicycle", "car", "motorcycle", "bus", "truck"})
"""The labels that the node looks at; the others of a model (chairs, dogs) never compete for a box."""


def watched_labels(manifest: Manifest, watched: frozenset[str] = WATCHED) -> tuple[str, ...]:
    """The labels of a model that the node looks at, in the model's order."""
    return tuple(label for label in manifest.labels if label in watched)


def reader(manifest: Manifest, watched: frozenset[str] = WATCHED) -> Decoder:
    """What reads the outputs of a model; its weights need not be there. Raises ModelUnusable where this version has none."""
    wanted = [index for index, label in enumerate(manifest.labels) if label in watched]
    if not wanted:
        raise ModelUnusable(f"{manifest.id}: none of its labels is watched ({', '.join(sorted(watched))})")
    return decoder(manifest, wanted)


def usable(manifest: Manifest) -> bool:
    """Whether this version can read the model."""
    try:
        reader(manifest)
    except ModelUnusable:
        return False
    return True


class OnnxDetector:
    """Finds the watched things in pictures of any size; threads may share it."""

    def __init__(self, model: ResolvedModel, *, watched: frozenset[str] = WATCHED) -> None:
        """Open the graph. Raises ModelUnusable when it is not what the manifest says."""
        manifest = model.manifest
        self.manifest = manifest
        self.labels: tuple[str, ...] = manifest.labels
        self._decoder = reader(manifest, watched)
        self._graph = Graph(
            model.path,
            input_shape(manifest.input),
            self._decoder.output_shapes,
            model=manifest.id,
            further_inputs=self._decoder.further_inputs,
            outputs=manifest.outputs,
        )

    def detect(self, image: Image) -> Detections:
        """Look at one BGR picture; boxes are normalised and may reach a little past the picture's edge.

        Raises ModelUnusable when the graph fails over it.
        """
        tensor, placement = self.prepare(image)
        boxes, scores, classes = self.infer(tensor)
        labels = tuple(self.labels[index] for index in classes)
        return Detections(boxes=placement.to_picture(boxes), scores=np.clip(scores, 0, 1), labels=labels)

    def prepare(self, image: Image) -> tuple[Tensor, Placement]:
        """A BGR picture as the network wants it, and where it lies in it."""
        return prepared(image, self.manifest.input)

    def infer(self, tensor: Tensor) -> Answer:
        """What the network finds, in pixels of its input, as sure as it is taken to be. Raises ModelUnusable as `detect` does."""
        exponent = self.manifest.score_exponent
        outputs = self._graph.run(tensor)
        if exponent == 1:
            return self._decoder.decode(outputs, least_score=LEAST_SCORE)
        boxes, scores, classes = self._decoder.decode(outputs, least_score=LEAST_SCORE ** (1 / exponent))
        return boxes, np.asarray(scores**exponent, dtype=np.float32), classes

    def end_overdue(self) -> None:
        """End looks that take too long; called now and then from another thread."""
        self._graph.end_overdue()


def open_detector(model_id: str) -> OnnxDetector:
    """The detector of a catalogue's model. Raises ModelUnusable, naming the way out, when there is none to be had."""
    try:
        model = resolve(model_id)
    except ModelProblem as problem:
        raise ModelUnusable(str(problem)) from problem
    return OnnxDetector(model)

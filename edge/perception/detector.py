"""A detector: picture to tensor, graph, decoder, and back to the picture's own coordinates."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edge.errors import ModelUnusable
from edge.flow import Box, Detections, Image
from edge.inference import Graph, Tensor
from edge.perception.decoders.registry import OF_ANY_SIZE, Decoder, decoder
from edge.perception.decoders.selection import Answer
from edge.perception.preprocess import Placement, input_shape, prepared, prepared_view
from edge.perception.views import STRIDE, View, around, holds, view_of, whole_view
from edge.settings.vocabulary import FOLLOWED, PLACED
from models.catalogue import ResolvedModel, resolve
from models.manifest import Fit, Layout, Manifest, ModelProblem

LEAST_SCORE: Final = 0.05
"""What is less sure than this is not even a hint for the tracker."""

WATCHED: Final = FOLLOWED | PLACED
"""The labels that the node looks at; the others of a model (chairs, dogs) never compete for a box. A bin is among them so that a closed one
may outdo the overflowing one that it resembles.
"""


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
    """Finds the watched things in pictures of any size; threads may share it.

    A network whose head is a grid is run in an input of the picture's own shape, or in one of the part that is asked for;
    any other one in that of its manifest.
    """

    def __init__(
        self, model: ResolvedModel, *, watched: frozenset[str] = WATCHED, least_score: float = LEAST_SCORE
    ) -> None:
        """Open the graph; what is less sure than `least_score` is not told. Raises ModelUnusable when it is not what the manifest says."""
        manifest = model.manifest
        self.manifest = manifest
        self.labels: tuple[str, ...] = manifest.labels
        self._watched = watched
        self._least_score = least_score
        self._decoder = reader(manifest, watched)
        self._decoders: dict[tuple[int, int], Decoder] = {}
        self._graph = self._opened(model)
        fitting = self._opened_for_any_size(model)
        self.looks_at_parts = fitting is not None
        """Whether a part of a picture costs less than all of it."""
        self._graph = fitting or self._graph

    def detect(self, image: Image, things: Sequence[Box] = ()) -> Detections:
        """Look at one BGR picture, or at the part of it that holds `things`; boxes are normalised and may reach a little past its edge.

        What is told of a part has its middle among them. Raises ModelUnusable when the graph fails over it.
        """
        if not self.looks_at_parts:
            tensor, placement = self.prepare(image)
            return self._told(self.infer(tensor), placement)
        rows, columns = image.shape[:2]
        given, region = self.manifest.input, around(things)
        view = view_of(things, columns, rows, width=given.width, height=given.height)
        tensor, placement = prepared_view(image, given, view)
        found = self._told(self._infer(tensor, self._decoder_for(view)), placement)
        whole = whole_view(columns, rows, width=given.width, height=given.height)
        return found if region is None or view == whole else _within(found, region)

    def prepare(self, image: Image) -> tuple[Tensor, Placement]:
        """A BGR picture as the network wants it by its manifest, and where it lies in it."""
        return prepared(image, self.manifest.input)

    def infer(self, tensor: Tensor) -> Answer:
        """What the network finds, in pixels of its input, as sure as it is taken to be. Raises ModelUnusable as `detect` does."""
        return self._infer(tensor, self._decoder)

    def _infer(self, tensor: Tensor, decoder: Decoder) -> Answer:
        exponent, least_score = self.manifest.score_exponent, self._least_score
        outputs = self._graph.run(tensor, decoder.output_shapes)
        if exponent == 1:
            return decoder.decode(outputs, least_score=least_score)
        boxes, scores, classes = decoder.decode(outputs, least_score=least_score ** (1 / exponent))
        return boxes, np.asarray(scores**exponent, dtype=np.float32), classes

    def _told(self, answer: Answer, placement: Placement) -> Detections:
        boxes, scores, classes = answer
        labels = tuple(self.labels[index] for index in classes)
        return Detections(boxes=placement.to_picture(boxes), scores=np.clip(scores, 0, 1), labels=labels)

    def _opened(self, model: ResolvedModel, open_axes: tuple[int, ...] = ()) -> Graph:
        return Graph(
            model.path,
            input_shape(self.manifest.input),
            self._decoder.output_shapes,
            model=self.manifest.id,
            further_inputs=self._decoder.further_inputs,
            outputs=self.manifest.outputs,
            open_axes=open_axes,
        )

    def _opened_for_any_size(self, model: ResolvedModel) -> Graph | None:
        """The graph for inputs of any size, None where its head or the graph itself is made for one size."""
        given = self.manifest.input
        small = replace(given, width=given.width - STRIDE, height=given.height - STRIDE)
        if (
            self.manifest.decoder not in OF_ANY_SIZE
            or given.fit is not Fit.LETTERBOX
            or min(small.width, small.height) < 1
        ):
            return None
        try:
            graph = self._opened(model, (2, 3) if given.layout is Layout.NCHW else (1, 2))
            shapes = self._decoder_of(small.width, small.height).output_shapes
            graph.run(np.zeros(input_shape(small), dtype=np.float32), shapes)
        except ModelUnusable:
            return None
        return graph

    def _decoder_for(self, view: View) -> Decoder:
        return self._decoder_of(view.input_width, view.input_height)

    def _decoder_of(self, width: int, height: int) -> Decoder:
        """Made once per size of the input; there are as many sizes as cells in a square of the coarsest grid."""
        made = self._decoders.get((width, height))
        if made is None:
            given = replace(self.manifest.input, width=width, height=height)
            made = self._decoders[width, height] = reader(replace(self.manifest, input=given), self._watched)
        return made

    def end_overdue(self) -> None:
        """End looks that take too long; called now and then from another thread."""
        self._graph.end_overdue()


def _within(found: Detections, region: Box) -> Detections:
    """Those that have their middle in a region, as all that was found in it."""
    inside = [
        index
        for index, (left, top, right, bottom) in enumerate(found.boxes.tolist())
        if holds(region, (left, top, right, bottom))
    ]
    return Detections(found.boxes[inside], found.scores[inside], tuple(found.labels[index] for index in inside), region)


def open_detector(model_id: str) -> OnnxDetector:
    """The detector of a catalogue's model. Raises ModelUnusable, naming the way out, when there is none to be had."""
    try:
        model = resolve(model_id)
    except ModelProblem as problem:
        raise ModelUnusable(str(problem)) from problem
    return OnnxDetector(model)

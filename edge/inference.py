"""The one door to onnxruntime: a graph is opened once, held against what its manifest says, and run.

One thread per session: two threads give the small networks of an edge node nothing, and spinning workers cost twice the
CPU at ten pictures a second.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.errors import ModelUnusable

Tensor = NDArray[np.float32]

_FLOAT: Final = "tensor(float)"
_PROVIDERS: Final = ["CPUExecutionProvider"]


Shape = tuple[int, ...]

LooseShape = tuple[int | None, ...]
"""A shape in which None is any length."""


class Graph:
    """Weights, ready to run; threads may share it."""

    def __init__(self, path: Path, input_shape: Shape, output_shapes: Sequence[LooseShape], *, model: str) -> None:
        """Open and warm up a graph of one float input. Raises ModelUnusable when the file is no graph, or another one than its manifest says."""
        self._session = _open(path, model)
        _check(self._session, input_shape, output_shapes, model)
        self._input = str(self._session.get_inputs()[0].name)
        self.run(np.zeros(input_shape, dtype=np.float32))

    def run(self, tensor: Tensor) -> Sequence[Tensor]:
        """All outputs for one input of the declared shape."""
        outputs: Sequence[Tensor] = self._session.run(None, {self._input: tensor})
        return outputs


def _open(path: Path, model: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=_PROVIDERS)
    except Exception as error:  # onnxruntime raises a dozen unrelated classes for a damaged or foreign file
        raise ModelUnusable(
            f"{model}: {path} is not a graph that onnxruntime {onnxruntime.__version__} can open ({error}); "
            "fetch the weights again, or export them with an opset that this version knows"
        ) from error


def _check(
    session: onnxruntime.InferenceSession, input_shape: Shape, output_shapes: Sequence[LooseShape], model: str
) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    way_out = "correct the manifest (input, decoder, labels) or choose weights that fit it"
    if len(inputs) != 1:
        names = ", ".join(str(node.name) for node in inputs)
        raise ModelUnusable(f"{model}: the graph has {len(inputs)} inputs ({names}), one is expected; {way_out}")
    _check_node(inputs[0], input_shape, "input", model, way_out)
    if len(outputs) != len(output_shapes):
        raise ModelUnusable(f"{model}: the graph has {len(outputs)} outputs, {len(output_shapes)} expected; {way_out}")
    for node, shape in zip(outputs, output_shapes, strict=True):
        _check_node(node, shape, "output", model, way_out)


def _check_node(node: Any, expected: LooseShape, side: str, model: str, way_out: str) -> None:
    if node.type != _FLOAT:
        raise ModelUnusable(f"{model}: {side} `{node.name}` is {node.type}, {_FLOAT} is expected; {way_out}")
    found = tuple(node.shape)
    fits = len(found) == len(expected) and all(
        wanted is None or not isinstance(length, int) or length == wanted
        for length, wanted in zip(found, expected, strict=True)
    )
    if not fits:
        raise ModelUnusable(
            f"{model}: {side} `{node.name}` has the shape {list(found)}, {list(expected)} is expected; {way_out}"
        )

"""The one door to onnxruntime: a graph is opened once, held against what its manifest says, and run.

One thread per session: two threads give the small networks of an edge node nothing, and spinning workers cost twice the
CPU at ten pictures a second.
"""

import mmap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.errors import ModelUnusable

Tensor = NDArray[np.float32]

_FLOAT: Final = "tensor(float)"
_PROVIDERS: Final = ["CPUExecutionProvider"]
_FATAL_ALONE: Final = 4
"""What onnxruntime would write to the standard error itself: an error is raised as well, and told once."""

_PLACE_OF_WEIGHTS: Final = b"\x0a\x08location\x12"
"""The key under which a graph names another file with its weights (onnx.proto, StringStringEntryProto)."""

LONGEST_RUN_S: Final = 30.0
"""No graph of an edge node takes so long for one picture; one that does is ended."""


Shape = tuple[int, ...]

LooseShape = tuple[int | None, ...]
"""A shape in which None is any length."""


class Graph:
    """Weights, ready to run; threads may share it."""

    def __init__(
        self,
        path: Path,
        input_shape: Shape,
        output_shapes: Sequence[LooseShape],
        *,
        model: str,
        longest_run_s: float = LONGEST_RUN_S,
    ) -> None:
        """Open and warm up a graph of one float input. Raises ModelUnusable when the file is no graph, another one than its
        manifest says, or one that can't be run.
        """
        self._model = model
        self._longest_run_s = longest_run_s
        self._running: dict[int, tuple[float, onnxruntime.RunOptions]] = {}
        self._session = _open(path, model)
        _check(self._session, input_shape, output_shapes, model)
        self._input = str(self._session.get_inputs()[0].name)
        self._output_shapes = tuple(output_shapes)
        patience = threading.Timer(longest_run_s, self._end, args=(0.0,))
        patience.daemon = True
        patience.start()
        try:
            self.run(np.zeros(input_shape, dtype=np.float32))
        finally:
            patience.cancel()

    def run(self, tensor: Tensor) -> Sequence[Tensor]:
        """All outputs for one input of the declared shape. Raises ModelUnusable when there are none that could be used."""
        with self._under_way() as options:
            try:
                outputs: Sequence[Tensor] = self._session.run(None, {self._input: tensor}, options)
            except Exception as error:  # onnxruntime raises unrelated classes here as well
                reason = f"took longer than {self._longest_run_s:g} s" if options.terminate else f"failed ({error})"
                raise ModelUnusable(f"{self._model}: the graph {reason}; choose other weights") from error
        for output, shape in zip(outputs, self._output_shapes, strict=True):
            if not _fits(output.shape, shape):
                raise ModelUnusable(
                    f"{self._model}: the graph gave an output of {list(output.shape)}, {list(shape)} is expected; choose other weights"
                )
            if not np.isfinite(output).all():
                raise ModelUnusable(f"{self._model}: the graph gave values that are no numbers; choose other weights")
        return outputs

    def end_overdue(self) -> None:
        """End the runs that take too long; whoever waits for one gets ModelUnusable. Called from any thread, now and then."""
        self._end(self._longest_run_s)

    def _end(self, older_than_s: float) -> None:
        now_s = time.monotonic()
        for began_s, options in list(self._running.values()):
            if now_s - began_s >= older_than_s:
                options.terminate = True

    @contextmanager
    def _under_way(self) -> Iterator[onnxruntime.RunOptions]:
        options = onnxruntime.RunOptions()
        options.log_severity_level = _FATAL_ALONE
        thread = threading.get_ident()
        self._running[thread] = time.monotonic(), options
        try:
            yield options
        finally:
            del self._running[thread]


def _open(path: Path, model: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ALONE
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    _refuse_other_files(path, model)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=_PROVIDERS)
    except Exception as error:  # onnxruntime raises a dozen unrelated classes for a damaged or foreign file
        raise ModelUnusable(
            f"{model}: {path} is not a graph that onnxruntime {onnxruntime.__version__} can open ({error}); "
            "fetch the weights again, or export them with an opset that this version knows"
        ) from error


def _refuse_other_files(path: Path, model: str) -> None:
    """The manifest's hash is that of one file: weights in others would be believed without having been looked at."""
    try:
        with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = content.find(_PLACE_OF_WEIGHTS) >= 0
    except (OSError, ValueError):
        return  # not there, or empty: opening it says so
    if found:
        raise ModelUnusable(
            f"{model}: {path} names other files with its weights, which no manifest vouches for; export it as one file"
        )


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
    if not _fits(found, expected):
        raise ModelUnusable(
            f"{model}: {side} `{node.name}` has the shape {list(found)}, {list(expected)} is expected; {way_out}"
        )


def _fits(found: Sequence[Any], expected: LooseShape) -> bool:
    """Whether a shape is the expected one; lengths that are no numbers are only known after a run."""
    return len(found) == len(expected) and all(
        wanted is None or not isinstance(length, int) or length == wanted
        for length, wanted in zip(found, expected, strict=True)
    )

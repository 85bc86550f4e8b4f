"""The one door to onnxruntime: a graph is opened once, held against what its manifest says, and run.

One thread per session: two threads give the small networks of an edge node nothing, and spinning workers cost twice the
CPU at ten pictures a second.
"""

import mmap
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.errors import ModelUnusable

Tensor = NDArray[np.float32]

FLOAT: Final = "tensor(float)"
_WHOLE: Final = "tensor(int64)"
_ANSWERS: Final = frozenset({FLOAT, _WHOLE, "tensor(int32)"})
"""What outputs may be made of: numbers, or indices of classes."""

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


WholeNumbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Node:
    """An input or output of a graph, as the file declares it; None: a length that only a run shows."""

    name: str
    kind: str
    shape: LooseShape


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file of weights says of itself."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    metadata: Mapping[str, str]


def declared(path: Path, model: str) -> Declared:
    """Read what a graph declares. Raises ModelUnusable when the file is no graph."""
    session = _open(path, model)
    told = session.get_modelmeta()
    return Declared(
        tuple(_node(node) for node in session.get_inputs()),
        tuple(_node(node) for node in session.get_outputs()),
        {
            "description": str(told.description),
            **{str(key): str(told.custom_metadata_map[key]) for key in told.custom_metadata_map},
        },
    )


def _node(node: Any) -> Node:
    lengths = tuple(length if isinstance(length, int) and length > 0 else None for length in node.shape)
    return Node(str(node.name), str(node.type), lengths)


class Graph:
    """Weights, ready to run; threads may share it."""

    def __init__(
        self,
        path: Path,
        input_shape: Shape,
        output_shapes: Sequence[LooseShape],
        *,
        model: str,
        further_inputs: Sequence[WholeNumbers] = (),
        outputs: Sequence[str] = (),
        longest_run_s: float = LONGEST_RUN_S,
        open_axes: Sequence[int] = (),
    ) -> None:
        """Open and warm up a graph of one float input; `further_inputs` are what any others always get, in the graph's order.

        `outputs` names those that are asked for, in the order of their shapes; all, in the graph's order, when there is none.
        Along `open_axes` the input may have another length in each run, whatever the file declares.
        Raises ModelUnusable when the file is no graph, another one than its manifest says, or one that can't be run.
        """
        self._model = model
        self._longest_run_s = longest_run_s
        self._running: dict[int, tuple[float, onnxruntime.RunOptions]] = {}
        self._session = _open(path, model, open_axes)
        wanted = _Wanted(input_shape, tuple(further_inputs), tuple(output_shapes), tuple(outputs))
        self._input, self._constants = _checked_inputs(self._session, wanted, model)
        self._outputs = _checked_outputs(self._session, wanted, model)
        self._output_shapes = wanted.output_shapes
        patience = threading.Timer(longest_run_s, self._end, args=(0.0,))
        patience.daemon = True
        patience.start()
        try:
            self.run(np.zeros(input_shape, dtype=np.float32))
        finally:
            patience.cancel()

    def run(self, tensor: Tensor, output_shapes: Sequence[LooseShape] | None = None) -> Sequence[Tensor]:
        """The outputs for one input of the declared shape, all as floats; `output_shapes` are those for an input of another one.

        Raises ModelUnusable when there are none that could be used.
        """
        with self._under_way() as options:
            try:
                outputs: Sequence[NDArray[Any]] = self._session.run(
                    self._outputs, {self._input: tensor, **self._constants}, options
                )
            except Exception as error:  # onnxruntime raises unrelated classes here as well
                reason = f"took longer than {self._longest_run_s:g} s" if options.terminate else f"failed ({error})"
                raise ModelUnusable(f"{self._model}: the graph {reason}; choose other weights") from error
        for output, shape in zip(outputs, output_shapes or self._output_shapes, strict=True):
            if not _fits(output.shape, shape):
                raise ModelUnusable(
                    f"{self._model}: the graph gave an output of {list(output.shape)}, {list(shape)} is expected; choose other weights"
                )
            if not np.isfinite(output).all():
                raise ModelUnusable(f"{self._model}: the graph gave values that are no numbers; choose other weights")
        return [np.asarray(output, dtype=np.float32) for output in outputs]

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


def _open(path: Path, model: str, open_axes: Sequence[int] = ()) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ALONE
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    _refuse_other_files(path, model)
    try:
        graph = _with_open_axes(path, open_axes) if open_axes else str(path)
        return onnxruntime.InferenceSession(graph, options, providers=_PROVIDERS)
    except Exception as error:  # onnxruntime raises a dozen unrelated classes for a damaged or foreign file
        raise ModelUnusable(
            f"{model}: {path} is not a graph that onnxruntime {onnxruntime.__version__} can open ({error}); "
            "fetch the weights again, or export them with an opset that this version knows"
        ) from error


def _with_open_axes(path: Path, axes: Sequence[int]) -> bytes:
    """The graph with a picture input (the one with the most dimensions) that has no fixed lengths along `axes`.

    What the file declares of lengths behind it no longer holds; onnxruntime works them out itself.
    """
    import onnx  # noqa: PLC0415 (12 MB that a process without such a detector does not need)

    model = onnx.load_model_from_string(path.read_bytes())
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [node for node in model.graph.input if node.name not in constants]
    picture = max(inputs, key=lambda node: len(node.type.tensor_type.shape.dim))
    for axis in axes:
        picture.type.tensor_type.shape.dim[axis].dim_param = f"side_{axis}"
    for number, output in enumerate(model.graph.output):
        for axis, length in enumerate(output.type.tensor_type.shape.dim):
            length.dim_param = f"output_{number}_{axis}"
    del model.graph.value_info[:]
    content: bytes = model.SerializeToString()
    return content


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


_WAY_OUT: Final = "correct the manifest (input, decoder, labels) or choose weights that fit it"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a graph has to be."""

    input_shape: Shape
    further_inputs: tuple[WholeNumbers, ...]
    output_shapes: tuple[LooseShape, ...]
    outputs: tuple[str, ...]


def _checked_inputs(
    session: onnxruntime.InferenceSession, wanted: _Wanted, model: str
) -> tuple[str, dict[str, WholeNumbers]]:
    """The name of the picture's input, and what the others get. The picture is the one with the most dimensions."""
    inputs = session.get_inputs()
    expected = 1 + len(wanted.further_inputs)
    if len(inputs) != expected:
        names = ", ".join(str(node.name) for node in inputs)
        count = "one is" if expected == 1 else f"{expected} are"
        raise ModelUnusable(f"{model}: the graph has {len(inputs)} inputs ({names}), {count} expected; {_WAY_OUT}")
    picture = max(inputs, key=lambda node: len(node.shape))
    _check_node(picture, wanted.input_shape, {FLOAT}, "input", model)
    others = [node for node in inputs if node is not picture]
    for node, value in zip(others, wanted.further_inputs, strict=True):
        _check_node(node, value.shape, {_WHOLE}, "input", model)
    constants = {str(node.name): value for node, value in zip(others, wanted.further_inputs, strict=True)}
    return str(picture.name), constants


def _checked_outputs(session: onnxruntime.InferenceSession, wanted: _Wanted, model: str) -> list[str]:
    nodes = {str(node.name): node for node in session.get_outputs()}
    names = list(wanted.outputs or nodes)
    if unknown := [name for name in names if name not in nodes]:
        raise ModelUnusable(
            f"{model}: the graph has no output {', '.join(unknown)}, it has {', '.join(nodes)}; {_WAY_OUT}"
        )
    if len(names) != len(wanted.output_shapes):
        raise ModelUnusable(
            f"{model}: the graph has {len(names)} outputs, {len(wanted.output_shapes)} expected; {_WAY_OUT}"
        )
    for name, shape in zip(names, wanted.output_shapes, strict=True):
        _check_node(nodes[name], shape, _ANSWERS, "output", model)
    return names


def _check_node(node: Any, expected: LooseShape, kinds: Collection[str], side: str, model: str) -> None:
    if node.type not in kinds:
        possible = " or ".join(sorted(kinds))
        raise ModelUnusable(f"{model}: {side} `{node.name}` is {node.type}, {possible} is expected; {_WAY_OUT}")
    found = tuple(node.shape)
    if not _fits(found, expected):
        raise ModelUnusable(
            f"{model}: {side} `{node.name}` has the shape {list(found)}, {list(expected)} is expected; {_WAY_OUT}"
        )


def _fits(found: Sequence[Any], expected: LooseShape) -> bool:
    """Whether a shape is the expected one; lengths that are no numbers are only known after a run."""
    return len(found) == len(expected) and all(
        wanted is None or not isinstance(length, int) or length == wanted
        for length, wanted in zip(found, expected, strict=True)
    )

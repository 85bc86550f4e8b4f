"""Tiny detectors: real ONNX graphs whose answers are written down in them, laid out as each kind of head lays them out.

An answer can be made to count only for a picture in the right range of numbers, so that a wrong preparation is seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.manifest import Colour, Fit, Input, Layout, Manifest, Source

WIDTH, HEIGHT = 64, 96
LABELS = ("person", "car", "dog")

Floats = NDArray[np.float32]
Outputs = dict[str, tuple[NDArray[Any], NDArray[Any] | None]]


@dataclass(frozen=True)
class Thing:
    """Something in the picture: its box in pixels of the input, its class, how sure the network is."""

    box: tuple[float, float, float, float]
    label: int
    score: float


PERSON = Thing((8, 16, 24, 48), 0, 0.9)
CAR = Thing((32, 40, 56, 56), 1, 0.625)
DOG = Thing((0, 0, 16, 16), 2, 0.95)
SCENE = (PERSON, CAR, DOG)


class Range(StrEnum):
    """What a graph takes for a picture."""

    ANY = "any"
    BYTES = "0-255"
    UNIT = "0-1"
    IMAGENET = "imagenet"


@dataclass(frozen=True)
class Head:
    """A layout: per output its name, what is always there and what is added for a picture in the right range."""

    outputs: Mapping[str, tuple[NDArray[Any], NDArray[Any] | None]]
    size_input: bool = False
    scaled: str | None = None
    """The output that is multiplied by the size that the second input names."""


@dataclass(frozen=True)
class Kind:
    """How the graph around a head is declared."""

    width: int = WIDTH
    height: int = HEIGHT
    layout: Layout = Layout.NCHW
    range: Range = Range.ANY
    element: int = TensorProto.FLOAT
    open_size: bool = False
    open_batch: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


def _middles(things: Sequence[Thing]) -> Floats:
    boxes = np.array([thing.box for thing in things], dtype=np.float32).reshape(-1, 4)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _class_scores(things: Sequence[Thing], labels: int) -> Floats:
    scores = np.zeros((len(things), labels), dtype=np.float32)
    for row, thing in enumerate(things):
        scores[row, thing.label] = thing.score
    return scores


def yolox(things: Sequence[Thing] = SCENE, labels: int = 3, width: int = WIDTH, height: int = HEIGHT) -> Head:
    """Each thing is told by the cell of stride 8 in which its middle lies."""
    cells = sum((width // stride) * (height // stride) for stride in (8, 16, 32))
    base, lit = (np.zeros((1, cells, 5 + labels), dtype=np.float32) for _ in range(2))
    for thing, (x, y, wide, high) in zip(things, _middles(things), strict=True):
        column, row = int(x // 8), int(y // 8)
        cell = row * (width // 8) + column
        base[0, cell, :4] = x / 8 - column, y / 8 - row, np.log(wide / 8), np.log(high / 8)
        base[0, cell, 4] = 1
        lit[0, cell, 5 + thing.label] = thing.score
    return Head({"output": (base, lit)})


def yolox_decoded(things: Sequence[Thing] = SCENE, labels: int = 3) -> Head:
    """A YOLOX that works its boxes out itself: as many rows as cells, each near its cell."""
    cells = [
        ((column + 0.5) * stride, (row + 0.5) * stride, stride, stride)
        for stride in (8, 16, 32)
        for row in range(HEIGHT // stride)
        for column in range(WIDTH // stride)
    ]
    rows = [int(middle[1] // 8) * (WIDTH // 8) + int(middle[0] // 8) for middle in _middles(things)]
    base, lit = (np.zeros((1, len(cells), 5 + labels), dtype=np.float32) for _ in range(2))
    base[0, :, :4] = cells
    base[0, rows, :4], base[0, rows, 4] = _middles(things), 1
    lit[0, rows, 5:] = _class_scores(things, labels)
    return Head({"output": (base, lit)})


def yolov5(things: Sequence[Thing] = SCENE, labels: int = 3, *, raw_heads: bool = False) -> Head:
    """Three anchors per cell; the things are told by the last rows."""
    anchors = 3 * sum((WIDTH // stride) * (HEIGHT // stride) for stride in (8, 16, 32))
    base, lit = (np.zeros((1, anchors, 5 + labels), dtype=np.float32) for _ in range(2))
    if things:
        base[0, -len(things) :, :4] = _middles(things)
        base[0, -len(things) :, 4] = 1
        lit[0, -len(things) :, 5:] = _class_scores(things, labels)
    outputs: Outputs = {"output0": (base, lit)}
    if raw_heads:
        outputs |= {f"raw{stride}": (np.zeros((1, 3, 4, 4, 5 + labels), np.float32), None) for stride in (8, 16, 32)}
    return Head(outputs)


def yolov8(things: Sequence[Thing] = SCENE, labels: int = 3) -> Head:
    """Columns without objectness."""
    cells = sum((WIDTH // stride) * (HEIGHT // stride) for stride in (8, 16, 32))
    base, lit = (np.zeros((1, 4 + labels, cells), dtype=np.float32) for _ in range(2))
    base[0, :4, : len(things)] = _middles(things).T
    lit[0, 4:, : len(things)] = _class_scores(things, labels).T
    return Head({"output0": (base, lit)})


def end_to_end(things: Sequence[Thing] = SCENE, *, flat: bool = False, rows: int = 100) -> Head:
    """Rows of corners, score and class; those that are not needed are zero."""
    base, lit = (np.zeros((rows, 6), dtype=np.float32) for _ in range(2))
    for row, thing in enumerate(things):
        base[row, :4], base[row, 5] = thing.box, thing.label
        lit[row, 4] = thing.score
    return Head({"output0": (base, lit) if flat else (base[None], lit[None])})


def detr(things: Sequence[Thing] = SCENE, labels: int = 3, *, queries: int = 30, further: bool = False) -> Head:
    """Logits and boxes as shares of the input."""
    base, lit = (np.full((1, queries, labels), -20, dtype=np.float32), np.zeros((1, queries, labels), dtype=np.float32))
    boxes = np.full((1, queries, 4), 0.5, dtype=np.float32)
    size = np.array([WIDTH, HEIGHT] * 2, dtype=np.float32)
    for row, (thing, middle) in enumerate(zip(things, _middles(things), strict=True)):
        boxes[0, row] = middle / size
        lit[0, row, thing.label] = 20 + np.log(thing.score / (1 - thing.score))
    outputs: Outputs = {"pred_boxes": (boxes, None), "logits": (base, lit)}
    if further:
        outputs["last_hidden_state"] = (np.zeros((1, queries, 8), np.float32), None)
    return Head(outputs)


def detr_postprocessed(things: Sequence[Thing] = SCENE, *, queries: int = 30) -> Head:
    """Classes, boxes in pixels of the size that is asked for, scores."""
    labels = np.zeros((1, queries), dtype=np.int64)
    boxes, scores = np.zeros((1, queries, 4), dtype=np.float32), np.zeros((1, queries), dtype=np.float32)
    for row, thing in enumerate(things):
        labels[0, row], scores[0, row] = thing.label, thing.score
        boxes[0, row] = np.array(thing.box) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
    outputs: Outputs = {"labels": (labels, None), "boxes": (boxes, None), "scores": (np.zeros_like(scores), scores)}
    return Head(outputs, size_input=True, scaled="boxes")


def fastestdet(things: Sequence[Thing] = SCENE, labels: int = 3) -> Head:
    """Each thing is told by the cell of stride 16 in which its middle lies; all is the classes' word."""
    base, lit = (np.zeros((1, 5 + labels, HEIGHT // 16, WIDTH // 16), dtype=np.float32) for _ in range(2))
    for thing, (x, y, wide, high) in zip(things, _middles(things), strict=True):
        column, row = int(x // 16), int(y // 16)
        shares = np.array([wide / WIDTH, high / HEIGHT])
        base[0, 0, row, column] = 1
        base[0, 1:3, row, column] = np.arctanh([x / 16 - column, y / 16 - row])
        base[0, 3:5, row, column] = np.log(shares / (1 - shares))
        lit[0, 5 + thing.label, row, column] = thing.score**2.5
    return Head({"output": (base, lit)})


def nanodet(things: Sequence[Thing] = SCENE, labels: int = 3) -> Head:
    """Each thing is told by the cell of stride 8 in which its middle lies."""
    outputs: Outputs = {}
    for stride in (8, 16, 32):
        cells = (WIDTH // stride) * (HEIGHT // stride)
        lit, distances = np.zeros((1, cells, labels), np.float32), np.zeros((1, cells, 4, 8), np.float32)
        for thing, (x, y, _, _) in zip(things, _middles(things), strict=True):
            if stride == 8:
                column, row = int(x // 8), int(y // 8)
                cell, middle = row * (WIDTH // 8) + column, ((column + 0.5) * 8, (row + 0.5) * 8)
                lit[0, cell, thing.label] = thing.score
                distances[0, cell] = _distribution(np.abs(np.array(thing.box) - np.array(middle * 2)) / 8)
        outputs[f"dis_pred_stride_{stride}"] = (distances.reshape(1, cells, 32), None)
        outputs[f"cls_pred_stride_{stride}"] = (np.zeros_like(lit), lit)
    return Head(outputs)


def _distribution(strides: NDArray[np.floating]) -> Floats:
    """Logits (4, 8) whose softmax has these means: all weight on the two whole numbers beside each."""
    shares = np.full((len(strides), 8), 1e-9)
    for row, value in enumerate(strides):
        below = min(int(value), 6)
        shares[row, below] += 1 - (value - below)
        shares[row, below + 1] += value - below
    return np.asarray(np.log(shares), dtype=np.float32)


def write_graph(path: Path, head: Head, kind: Kind | None = None) -> Path:
    """Write a head as a graph that looks at its picture."""
    kind = kind or Kind()
    nodes, weights = _range_nodes(kind.range)
    for name, (base, lit) in head.outputs.items():
        weights.append(numpy_helper.from_array(base, f"{name}_base"))
        made = name if name != head.scaled else f"{name}_shares"
        if lit is None:
            nodes.append(helper.make_node("Identity", [f"{name}_base"], [made]))
        else:
            weights.append(numpy_helper.from_array(lit, f"{name}_lit"))
            nodes.append(helper.make_node("Mul", [f"{name}_lit", "right"], [f"{name}_seen"]))
            nodes.append(helper.make_node("Add", [f"{name}_base", f"{name}_seen"], [made]))
    if head.scaled is not None:
        nodes += [
            helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["size", "size"], ["sizes"], axis=1),
            helper.make_node("Mul", [f"{head.scaled}_shares", "sizes"], [head.scaled]),
        ]
    inputs = [helper.make_tensor_value_info("images", kind.element, _input_shape(kind))]
    if head.size_input:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]))
    outputs = [
        helper.make_tensor_value_info(
            name, TensorProto.INT64 if base.dtype == np.int64 else TensorProto.FLOAT, list(base.shape)
        )
        for name, (base, _) in head.outputs.items()
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(kind.metadata))
    onnx.save(model, str(path))
    return path


def _input_shape(kind: Kind) -> list[int | str]:
    batch: int | str = "N" if kind.open_batch else 1
    sides: list[int | str] = ["H", "W"] if kind.open_size else [kind.height, kind.width]
    return [batch, 3, *sides] if kind.layout is Layout.NCHW else [batch, *sides, 3]


def _range_nodes(wanted: Range) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """`right` is one for a picture in the right range of numbers, a tenth for any other."""
    limits = {Range.ANY: (-1e9, 1e9), Range.BYTES: (10, 1e9), Range.UNIT: (0, 1.01), Range.IMAGENET: (0.1, 9.9)}
    least, most = limits[wanted]
    values = {"least": least, "most": most, "tenth": 0.1, "rest": 0.9, "zero": 0.0}
    weights = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in values.items()]
    shallow = "ReduceMin" if wanted is Range.UNIT else "ReduceMax"
    node = helper.make_node
    nodes = [
        node("Cast", ["images"], ["picture"], to=TensorProto.FLOAT),
        node("ReduceMax", ["picture"], ["largest"], keepdims=0),
        node(shallow, ["picture"], ["bound"], keepdims=0),
        node("ReduceMin", ["picture"], ["smallest"], keepdims=0),
        node("GreaterOrEqual", ["bound", "least"], ["enough"]),
        node("LessOrEqual", ["largest", "most"], ["not_too_much"]),
        node("Less", ["smallest", "zero"], ["below"]),
        node("Not", ["below"], ["above"]),
        node("And", ["enough", "not_too_much"], ["within"]),
        node("And", ["within", "below" if wanted is Range.IMAGENET else "above"], ["strictly"]),
        node("Cast", ["within" if wanted is Range.ANY else "strictly"], ["share"], to=TensorProto.FLOAT),
        node("Mul", ["share", "rest"], ["more"]),
        node("Add", ["more", "tenth"], ["right"]),
    ]
    return nodes, weights


def manifest(decoder: str, *, labels: tuple[str, ...] = LABELS, outputs: tuple[str, ...] = ()) -> Manifest:
    """A manifest for such a graph; its hash is nobody's."""
    return replace(_MANIFEST, decoder=decoder, labels=labels, outputs=outputs)


_MANIFEST = Manifest(
    id="tiny",
    sha256="a" * 64,
    bytes=1,
    licence="Apache-2.0",
    licence_note="made for tests",
    source=Source("someone/something", "b" * 40, "tiny.onnx"),
    mirror="models/tiny.onnx",
    version="1.0.0",
    title="tiny",
    input=Input(WIDTH, HEIGHT, Layout.NCHW, Colour.RGB, Fit.LETTERBOX, 114, 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    decoder="yolox",
    labels=LABELS,
    figures={},
)

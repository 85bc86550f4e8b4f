"""Which head a graph has, from the shapes and names of what goes in and comes out. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.errors import ModelUnusable
from edge.inference import FLOAT, Node, Tensor
from models.manifest import Layout

_MOST_QUERIES: Final = 1000
"""A list that a network has already thinned out, or the queries of a transformer; grids have more."""

_SMALLEST_SIDE: Final = 32
_LARGEST_SIDE: Final = 4096

_GRIDS: Final = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""The strides that networks are built with: the usual ones, with a coarser one, with a finer one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture that a graph takes; `wants_size`: a second input takes the size of the original."""

    layout: Layout
    width: int
    height: int
    wants_size: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A head: its decoder, the outputs that it reads in order, how many classes it has (None: not to be seen), why it is this one."""

    decoder: str
    outputs: tuple[str, ...]
    classes: int | None
    because: str


def picture_of(inputs: Sequence[Node], size: tuple[int, int] | None) -> Picture:
    """The picture input; `size` (width, height) is what to take where the graph leaves it open. Raises ModelUnusable."""
    pictures = [node for node in inputs if len(node.shape) == 4]
    others = [node for node in inputs if len(node.shape) != 4]
    if len(pictures) != 1:
        raise ModelUnusable(f"one input for a picture is expected, with 4 dimensions; the graph takes {_told(inputs)}")
    [picture] = pictures
    if picture.kind != FLOAT:
        raise ModelUnusable(f"the input `{picture.name}` is {picture.kind}; export the model in 32-bit floats")
    if picture.shape[0] not in {1, None}:
        raise ModelUnusable(f"the graph takes {picture.shape[0]} pictures at a time; export it for one")
    if picture.shape[1] == 3:
        layout, (height, width) = Layout.NCHW, picture.shape[2:]
    elif picture.shape[3] == 3:
        layout, (height, width) = Layout.NHWC, picture.shape[1:3]
    else:
        raise ModelUnusable(f"the input `{picture.name}` has no 3 colours: {_shape(picture)}")
    if size is not None:
        if (width or size[0], height or size[1]) != size:
            raise ModelUnusable(f"the graph takes pictures of {width}×{height}, not of {size[0]}×{size[1]}")
        width, height = size
    if width is None or height is None:
        raise ModelUnusable(f"the graph leaves the size open ({_shape(picture)}); state it: --size 640x640")
    if not (_SMALLEST_SIDE <= width <= _LARGEST_SIDE and _SMALLEST_SIDE <= height <= _LARGEST_SIDE):
        raise ModelUnusable(f"a picture of {width}×{height} is no input for a detector")
    return Picture(layout, width, height, wants_size=_wants_size(others))


def _wants_size(others: Sequence[Node]) -> bool:
    if not others:
        return False
    if len(others) == 1 and others[0].kind == "tensor(int64)" and others[0].shape in {(1, 2), (None, 2)}:
        return True
    raise ModelUnusable(
        f"besides the picture the graph takes {_told(others)}; only the size of the original is known here "
        "(int64, one row of two)"
    )


def recognised(outputs: Sequence[Node], picture: Picture, stated: str | None) -> tuple[Head, ...]:
    """The heads that it may be, by outputs whose shapes a run has shown; more than one where the shape does not tell
    whether boxes are worked out already. Raises ModelUnusable when none fits; `stated` names one and is held against it.
    """
    found = [head for look in _LOOKS for head in look(outputs, picture)]
    if stated is not None:
        structural = [head for head in _by_structure(outputs) if head.decoder == stated]
        found = [head for head in found if head.decoder == stated] or structural
        if not found:
            raise ModelUnusable(f"the head can't be `{stated}`: the graph gives {_told(outputs)}")
    if not found:
        possible = sorted({head.decoder for head in _by_structure(outputs)})
        way_out = (
            f"if you know it, state it by --head {' or '.join(possible)}"
            if possible
            else "no head that is read has these"
        )
        raise ModelUnusable(f"the head can't be recognised: the graph gives {_told(outputs)}; {way_out}")
    return tuple(dict.fromkeys(found))


def works_boxes_out(rows: Tensor, picture: Picture) -> bool:
    """Whether rows (cells, …) that a grid gave are boxes in pixels, each near its cell, and not shares of a cell."""
    near = []
    start = 0
    for stride in _GRIDS[0]:
        down, across = np.mgrid[: picture.height // stride, : picture.width // stride]
        cells = rows[start : start + down.size]
        start += down.size
        near.append(np.abs(cells[:, 0] - (across.ravel() + 0.5) * stride) <= 4 * stride)
        near.append(np.abs(cells[:, 1] - (down.ravel() + 0.5) * stride) <= 4 * stride)
    return bool(np.concatenate(near).mean() > 0.9)


def _cells(picture: Picture, strides: Sequence[int]) -> int:
    return sum((picture.width // stride) * (picture.height // stride) for stride in strides)


def _detr_postprocessed(outputs: Sequence[Node], picture: Picture) -> list[Head]:
    if not picture.wants_size or len(outputs) != 3:
        return []
    classes = [node for node in outputs if node.kind != FLOAT and len(node.shape) == 2]
    boxes = [node for node in outputs if node.kind == FLOAT and len(node.shape) == 3 and node.shape[2] == 4]
    scores = [node for node in outputs if node.kind == FLOAT and len(node.shape) == 2]
    if not (len(classes) == len(boxes) == len(scores) == 1):
        return []
    names = (classes[0].name, boxes[0].name, scores[0].name)
    return [Head("detr_postprocessed", names, None, "classes, boxes and scores, and an input for the size")]


def _detr(outputs: Sequence[Node], picture: Picture) -> list[Head]:
    """Of outputs with as many rows: boxes by their name where there is a choice, logits likewise."""
    lists = [node for node in outputs if node.kind == FLOAT and len(node.shape) == 3 and node.shape[0] == 1]
    boxes = _named([node for node in lists if node.shape[2] == 4], ("box", "det"))
    if picture.wants_size or boxes is None or (boxes.shape[1] or 0) > _MOST_QUERIES:
        return []
    if boxes.shape[1] == _cells(picture, _GRIDS[0]):
        return []
    logits = _named(
        [node for node in lists if node is not boxes and node.shape[1] == boxes.shape[1]], ("logit", "label")
    )
    if logits is None:
        return []
    return [
        Head("detr", (logits.name, boxes.name), logits.shape[2], f"{boxes.shape[1]} queries, logits and boxes apart")
    ]


def _named(nodes: Sequence[Node], words: Sequence[str]) -> Node | None:
    named = [node for node in nodes if any(word in node.name.lower() for word in words)]
    if len(named) == 1:
        return named[0]
    return nodes[0] if len(nodes) == 1 else None


def _end_to_end(outputs: Sequence[Node], picture: Picture) -> list[Head]:
    if len(outputs) != 1 or outputs[0].kind != FLOAT or picture.wants_size:
        return []
    [node] = outputs
    rows = node.shape[-2] if len(node.shape) >= 2 else None
    if node.shape[-1] != 6 or rows is None or rows > _MOST_QUERIES or rows in _grid_rows(picture):
        return []
    if len(node.shape) == 2:
        return [Head("end_to_end_flat", (node.name,), None, "rows of corners, score and class")]
    return [Head("end_to_end", (node.name,), None, "rows of corners, score and class")] if len(node.shape) == 3 else []


def _grid_rows(picture: Picture) -> set[int]:
    return {anchors * _cells(picture, strides) for strides in _GRIDS for anchors in (1, 3)}


def _grid(outputs: Sequence[Node], picture: Picture) -> list[Head]:
    node = _single(outputs)
    if node is None or picture.wants_size:
        return []
    _, rows, columns = node.shape
    if rows is None or columns is None:
        return []
    name = (node.name,)
    if columns >= 6 and rows == _cells(picture, _GRIDS[0]):
        because = f"{rows} cells of strides 8, 16 and 32"
        return [Head("yolox", name, columns - 5, because), Head("yolov5", name, columns - 5, f"{because}, worked out")]
    if columns >= 6 and rows in {3 * _cells(picture, strides) for strides in _GRIDS}:
        return [Head("yolov5", name, columns - 5, f"{rows} rows, three per cell")]
    if rows >= 5 and columns in {_cells(picture, strides) for strides in _GRIDS}:
        return [Head("yolov8", name, rows - 4, f"{columns} columns, one per cell")]
    return []


def _fastestdet(outputs: Sequence[Node], picture: Picture) -> list[Head]:
    grid = (picture.height // 16, picture.width // 16)
    if len(outputs) != 1 or len(outputs[0].shape) != 4 or outputs[0].shape[2:] != grid or picture.wants_size:
        return []
    channels = outputs[0].shape[1]
    if channels is None or channels < 6:
        return []
    return [Head("fastestdet", (outputs[0].name,), channels - 5, "one grid of stride 16")]


def _nanodet(outputs: Sequence[Node], picture: Picture) -> list[Head]:
    """Per stride one list of class scores and one of distances, told apart by their names or by there being 32 of these."""
    names: dict[str, list[str]] = {"cls": [], "dis": []}
    classes: set[int | None] = set()
    for stride in _GRIDS[0]:
        lists = [node for node in outputs if node.shape[:2] == (1, _cells(picture, (stride,))) and len(node.shape) == 3]
        distances = _named([node for node in lists if node.shape[2] == 32], ("dis", "reg", "box"))
        scores = _named([node for node in lists if node is not distances], ("cls", "class", "score"))
        if len(lists) != 2 or distances is None or scores is None:
            return []
        names["cls"].append(scores.name)
        names["dis"].append(distances.name)
        classes.add(scores.shape[2])
    if len(outputs) != 2 * len(_GRIDS[0]) or len(classes) != 1:
        return []
    return [Head("nanodet", (*names["cls"], *names["dis"]), classes.pop(), "classes and distances on three grids")]


def _single(outputs: Sequence[Node]) -> Node | None:
    """The one list; raw heads of five dimensions that some exporters give besides are passed over."""
    lists = [node for node in outputs if len(node.shape) == 3 and node.shape[0] == 1 and node.kind == FLOAT]
    raw = [node for node in outputs if len(node.shape) == 5]
    if len(lists) == 1 and len(lists) + len(raw) == len(outputs):
        return lists[0]
    return None


def _by_structure(outputs: Sequence[Node]) -> list[Head]:
    """What the number of dimensions would allow, were somebody to know better than the counts."""
    node = _single(outputs)
    if node is None or node.shape[1] is None or node.shape[2] is None:
        return []
    heads = []
    if node.shape[2] == 6:
        heads.append(Head("end_to_end", (node.name,), None, "stated"))
    if node.shape[2] >= 6:
        heads.append(Head("yolov5", (node.name,), node.shape[2] - 5, "stated"))
    if node.shape[1] >= 5:
        heads.append(Head("yolov8", (node.name,), node.shape[1] - 4, "stated"))
    return heads


_LOOKS: Final[Sequence[Callable[[Sequence[Node], Picture], list[Head]]]] = (
    _detr_postprocessed,
    _detr,
    _end_to_end,
    _grid,
    _fastestdet,
    _nanodet,
)


def size_told(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Width and height that an exporter wrote down as `imgsz` ([height, width])."""
    numbers = metadata.get("imgsz", "").strip("[]() ").split(",")
    if len(numbers) != 2 or not all(number.strip().isdecimal() and len(number) < 8 for number in numbers):
        return None
    height, width = (int(number) for number in numbers)
    return width, height


def _told(nodes: Sequence[Node]) -> str:
    return ", ".join(f"`{node.name}` {_shape(node)}" for node in nodes) or "nothing"


def _shape(node: Node) -> str:
    return f"({', '.join('?' if length is None else str(length) for length in node.shape)})"

"""An exported network read back into one that can learn: a site needs nothing but the file that is shipped.

The export made each norm a part of its convolution, the scale of the input a part of the first one, and the scales of scores a part of the
last ones. What it keeps are the names of the convolutions. Here the input's and the scores' scales are taken out again, and each
convolution gets a norm that multiplies with one and adds the bias, so that the network says what the file says, but for the last digits.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from models.datasets.labels import LABELS, Label
from models.datasets.pictures import DataProblem
from models.training.calibration import Scale, fold
from models.training.network import NORM_EPSILON, Detector, Shape

_LARGEST_FILE_BYTES: Final = 64 << 20
_SCOPE: Final = "network"
_SIZES: Final = range(64, 2049, 32)


@dataclass(frozen=True, slots=True)
class Base:
    """Weights to begin with: the network's state by name, the side of its input in pixels, the scales of its scores, which are not in the
    state, and the hash of its weights as the file tells it.
    """

    state: Mapping[str, Tensor]
    size: int
    scales: Mapping[Label, Scale]
    weights_hash: str

    def network(self, shape: Shape) -> Detector:
        """The network with these weights, its scores not on scale."""
        made = Detector(len(LABELS), shape)
        made.load_state_dict(self.state)
        return made.eval()


def read_base(file: Path, shape: Shape) -> Base:
    """Weights from an exported file. Raises DataProblem when it is none of ours, or of a network of another shape."""
    model = _loaded(file)
    about = {each.key: each.value for each in model.metadata_props}
    network = Detector(len(LABELS), shape)
    state = network.state_dict()
    try:
        tensors = _initial(model)
        size = int(model.graph.input[0].type.tensor_type.shape.dim[2].dim_value)
        scales = _scales(about.get("scales", "{}"))
        given = dict(_tensors(model, tensors, state))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataProblem(_other(file, str(error)[:200])) from error
    learnt = {name for name in state if not name.endswith("num_batches_tracked")}
    if learnt != given.keys() or size not in _SIZES:
        raise DataProblem(_other(file, f"{len(learnt - given.keys())} of {len(learnt)} weights are missing"))
    state |= {name: torch.from_numpy(np.array(values, np.float32)) for name, values in given.items()}
    state["stem.0.weight"] = state["stem.0.weight"] / network.input_scale
    network.load_state_dict(state)
    fold(network, {label: scale.inverse for label, scale in scales.items()})
    return Base(network.state_dict(), size, scales, about.get("weights_sha256", "unknown"))


def _loaded(file: Path) -> Any:
    try:
        with file.open("rb") as held:
            content = held.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise DataProblem(f"{file} can't be read: {error.strerror}") from error
    if len(content) > _LARGEST_FILE_BYTES:
        raise DataProblem(_other(file, "it is too large"))
    try:
        return onnx.load_from_string(content)
    except Exception as error:  # of protobuf, which onnx keeps to itself
        raise DataProblem(_other(file, "it is no ONNX")) from error


def _initial(model: Any) -> dict[str, NDArray[Any]]:
    """The weights by the names of the graph. Raises ValueError where they lie in another file, or are damaged."""
    if any(each.data_location == onnx.TensorProto.EXTERNAL for each in model.graph.initializer):
        raise ValueError("its weights lie in another file")
    tensors = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:  # weights that are alike are kept once
        if node.op_type == "Identity" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]]
    return tensors


def _other(file: Path, why: str) -> str:
    return f"{file} holds no weights of our own detector ({why}); begin with a file that `python -m models.training export` wrote"


def _scales(told: str) -> dict[Label, Scale]:
    scales = {Label(name): Scale(float(slope), float(offset)) for name, (slope, offset) in json.loads(told).items()}
    if not all(np.isfinite([each.slope, each.offset]).all() and each.slope > 0 for each in scales.values()):
        raise ValueError("its scales of scores can't be")
    return scales


def _tensors(
    model: Any, tensors: Mapping[str, NDArray[Any]], state: Mapping[str, Tensor]
) -> "list[tuple[str, NDArray[Any]]]":
    """The weights by the names of the network, of each convolution and of the norm after it."""
    found: list[tuple[str, NDArray[Any]]] = []
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        name = _module(node.name)
        weight, bias = (tensors[each] for each in node.input[1:3])
        if tuple(weight.shape) != tuple(state[f"{name}.weight"].shape) or bias.shape != weight.shape[:1]:
            raise ValueError(f"{name} has another shape")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(f"{name} holds what is no number")
        found.append((f"{name}.weight", weight))
        if f"{name}.bias" in state:
            found.append((f"{name}.bias", bias))
        else:
            found += _norm(f"{name.rpartition('.')[0]}.1", bias)
    return found


def _norm(name: str, bias: NDArray[Any]) -> "list[tuple[str, NDArray[Any]]]":
    """A norm that multiplies with one and adds the bias."""
    one = np.ones(len(bias), np.float32)
    return [
        (f"{name}.weight", one),
        (f"{name}.bias", bias),
        (f"{name}.running_mean", one * 0),
        (f"{name}.running_var", one - np.float32(NORM_EPSILON)),
    ]


def _module(node: str) -> str:
    """`/network/stages.0/stages.0.1/first/first.0/Conv` → `stages.0.1.first.0`: each part goes on with the one before, or is below it."""
    parts: list[str] = []
    _, scope, *names, _ = node.split("/")
    if scope != _SCOPE:
        raise ValueError(f"{node} is no part of it")
    for name in names:
        if parts and name.startswith(f"{parts[-1]}."):
            parts[-1] = name
        else:
            parts.append(name)
    return ".".join(parts)

"""A trained network as a file that the edge node runs: ONNX in the form that the `yolox` decoder reads."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import onnx
import torch
from torch import Tensor, nn

from models.datasets.labels import LABELS, Label
from models.training.calibration import Scale, fold
from models.training.checkpoint import read
from models.training.network import BOX_NUMBERS, Detector, fold_input_scale
from models.training.recipe import Recipe

OPSET: Final = 17
_LEAST: Final = 1e-6
"""Below it a score is nothing; what is divided by is never zero."""


class _Exported(nn.Module):
    """Raw rows to (1, cells, 5 + labels): the box as it is, the largest score, and each score as a part of the largest. Their products are
    the scores: the head has no objectness of its own, since what is known of a place differs from class to class.
    """

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        rows = self.network(pictures)
        scores = rows[..., BOX_NUMBERS:].sigmoid()
        best = scores.amax(-1, keepdim=True).clamp(min=_LEAST)
        return torch.cat([rows[..., :BOX_NUMBERS], best, scores / best], -1)


def averaged(checkpoint: Path, recipe: Recipe) -> Detector:
    """The averaged network of a run."""
    network = Detector(len(LABELS), recipe.shape)
    network.load_state_dict(read(checkpoint, {"averaged"})["averaged"])
    return network.eval()


def exported(
    checkpoint: Path,
    recipe: Recipe,
    size: int,
    *,
    title: str,
    licence: str,
    scales: Mapping[Label, Scale] = MappingProxyType({}),
) -> bytes:
    """The averaged network of a run for pictures of `size` × `size` pixels, its scores on `scales`; the same weights give the same bytes."""
    network = averaged(checkpoint, recipe)
    fold_input_scale(network)
    fold(network, scales)
    held = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            _Exported(network),
            (torch.zeros(1, 3, size, size),),
            held,
            dynamo=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["rows"],
        )
    model = onnx.load_from_string(held.getvalue())
    about = {"title": title, "licence": licence, "weights_sha256": weights_hash(checkpoint)}
    if scales:
        about["scales"] = json.dumps({label: [scale.slope, scale.offset] for label, scale in scales.items()})
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString(deterministic=True))


def weights_hash(checkpoint: Path) -> str:
    """SHA-256 over the averaged weights: names, shapes and bytes in the order of the network."""
    digest = hashlib.sha256()
    for name, values in read(checkpoint, {"averaged"})["averaged"].items():
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}\n".encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()

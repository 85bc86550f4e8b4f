from pathlib import Path

import numpy as np
import pytest
import torch

from edge.inference import Graph
from models import catalogue
from models.datasets.labels import LABELS
from models.training.export import exported
from models.training.network import BOX_NUMBERS, Detector, Shape
from models.training.recipe import Recipe, Stage
from models.training.tune_command import SHIPPED
from models.training.weights_file import read_base

RECIPE = Recipe(stages=(Stage(1, 64, 0.0),), shape=Shape(widths=(8, 8, 16, 16, 16), neck=16))
SIZE = 64
pytestmark = pytest.mark.filterwarnings("ignore")


def cells_in(height: int, width: int) -> int:
    return sum((height // stride) * (width // stride) for stride in (8, 16, 32))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
def test_the_file_gives_what_the_network_gives_at_any_size(tmp_path: Path, height: int, width: int) -> None:
    torch.manual_seed(1)
    network = Detector(len(LABELS), RECIPE.shape).eval()
    checkpoint, path = tmp_path / "checkpoint.pt", tmp_path / "own.onnx"
    torch.save({"averaged": network.state_dict()}, checkpoint)
    content = exported(checkpoint, RECIPE, SIZE, title="own", licence="Apache-2.0")
    assert content == exported(checkpoint, RECIPE, SIZE, title="own", licence="Apache-2.0")
    path.write_bytes(content)
    picture = np.random.default_rng(2).uniform(0, 255, (1, 3, height, width)).astype(np.float32)
    graph = Graph(path, (1, 3, SIZE, SIZE), [(1, cells_in(SIZE, SIZE), 5 + len(LABELS))], model="own", open_axes=(2, 3))
    (rows,) = graph.run(picture, [(1, cells_in(height, width), 5 + len(LABELS))])
    with torch.no_grad():
        wanted = network(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(rows[..., :BOX_NUMBERS], wanted[..., :BOX_NUMBERS], atol=1e-3)
    scores = 1 / (1 + np.exp(-wanted[..., BOX_NUMBERS:]))
    np.testing.assert_allclose(
        rows[..., BOX_NUMBERS : BOX_NUMBERS + 1] * rows[..., BOX_NUMBERS + 1 :], scores, atol=1e-4
    )


def test_both_shipped_files_hold_the_same_weights_each_for_the_size_it_is_named_after() -> None:
    known = catalogue.models()
    bases = {}
    for size in (320, 416):
        manifest = known[f"gridward_nano_{size}"]
        assert (manifest.input.width, manifest.input.height) == (size, size)
        assert manifest.labels == tuple(LABELS)
        bases[size] = read_base(SHIPPED.with_name(f"gridward_nano_{size}.onnx"), Shape())
        assert bases[size].size == size
    assert bases[320].weights_hash == bases[416].weights_hash != "unknown"
    assert bases[320].scales.keys() == bases[416].scales.keys() == set(LABELS)
    assert known["gridward_nano_320"].version == known["gridward_nano_416"].version
    for name, values in bases[320].state.items():
        torch.testing.assert_close(values, bases[416].state[name], atol=1e-3, rtol=1e-3)

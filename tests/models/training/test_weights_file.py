from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge.inference import Graph
from models.datasets.labels import LABELS, Label
from models.datasets.pictures import DataProblem
from models.training.calibration import Scale, fold
from models.training.checkpoint import CHECKPOINT
from models.training.command import main
from models.training.export import exported, weights_hash
from models.training.mean import write_mean
from models.training.network import BOX_NUMBERS, Detector, Shape
from models.training.recipe import Recipe, Stage
from models.training.weights_file import read_base

RECIPE = Recipe(stages=(Stage(1, 64, 0.0),), shape=Shape(widths=(8, 8, 16, 16, 16), neck=16))
SHIPPED = Path(__file__).resolve().parents[3] / "models" / "weights" / "gridward_nano_320.onnx"
SCALES = {Label.CAR: Scale(1.5, 0.5), Label.LITTER: Scale(0.7, -1.0)}
pytestmark = pytest.mark.filterwarnings("ignore")


def with_lively_norms(network: Detector) -> Detector:
    """Norms as training leaves them: none of them does nothing."""
    chance = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values, low in (
                (module.weight, 0.5),
                (module.bias, -0.5),
                (module.running_mean, -0.5),
                (module.running_var, 0.5),
            ):
                values.data = low + torch.rand(values.shape, generator=chance)
    return network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    network = with_lively_norms(Detector(len(LABELS), RECIPE.shape)).eval()
    torch.save({"averaged": network.state_dict()}, tmp_path / "checkpoint.pt")
    content = exported(tmp_path / "checkpoint.pt", RECIPE, 64, title="own", licence="Apache-2.0", scales=SCALES)
    (tmp_path / "own.onnx").write_bytes(content)
    return tmp_path / "own.onnx"


def said_by_file(file: Path, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = picture.shape[-1]
    rows = sum((size // stride) ** 2 for stride in (8, 16, 32))
    shape = (1, rows, BOX_NUMBERS + 1 + len(LABELS))
    (told,) = Graph(file, picture.shape, [shape], model="own").run(picture, [shape])
    return told[..., :BOX_NUMBERS], told[..., BOX_NUMBERS : BOX_NUMBERS + 1] * told[..., BOX_NUMBERS + 1 :]


def test_the_mean_of_weights_lies_in_the_middle_and_can_be_exported(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(2)
    torch.save(
        {"averaged": with_lively_norms(Detector(len(LABELS), RECIPE.shape)).eval().state_dict()}, tmp_path / "b.pt"
    )
    other = tmp_path / "other.onnx"
    other.write_bytes(exported(tmp_path / "b.pt", RECIPE, 64, title="own", licence="Apache-2.0"))
    bases = write_mean([file, other], tmp_path / "mean", RECIPE)
    content = exported(tmp_path / "mean" / CHECKPOINT, RECIPE, 64, title="own", licence="Apache-2.0")
    (tmp_path / "mean.onnx").write_bytes(content)
    mean = read_base(tmp_path / "mean.onnx", RECIPE.shape)
    for name, values in mean.state.items():
        if values.dtype.is_floating_point:
            middle = (bases[0].state[name] + bases[1].state[name]) / 2
            torch.testing.assert_close(values, middle, rtol=1e-4, atol=1e-5)
    assert main(["mean", "--of", str(SHIPPED), str(SHIPPED), "--run", str(tmp_path / "same")]) == 0
    assert capsys.readouterr().out.strip() == weights_hash(tmp_path / "same" / CHECKPOINT)
    for wrong, words in (
        (["--of", str(SHIPPED)], "two or more"),
        (["--of", str(SHIPPED), str(SHIPPED)], "holds a run"),
    ):
        assert main(["mean", *wrong, "--run", str(tmp_path / "same")]) == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("of", ["made", "shipped"])
def test_the_network_that_is_read_back_says_what_the_file_says(file: Path, of: str) -> None:
    path, shape = (file, RECIPE.shape) if of == "made" else (SHIPPED, Shape())
    base = read_base(path, shape)
    assert base.size == (64 if of == "made" else 320)
    network = base.network(shape)
    fold(network, base.scales)
    picture = np.random.default_rng(2).uniform(0, 255, (1, 3, base.size, base.size)).astype(np.float32)
    boxes, scores = said_by_file(path, picture)
    with torch.no_grad():
        rows = network(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(rows[..., :BOX_NUMBERS], boxes, atol=2e-3)
    np.testing.assert_allclose(1 / (1 + np.exp(-rows[..., BOX_NUMBERS:])), scores, atol=1e-4)


def test_scales_are_taken_out_of_the_scores_and_kept(file: Path) -> None:
    base = read_base(file, RECIPE.shape)
    assert base.scales == SCALES
    checkpoint = torch.load(file.parent / "checkpoint.pt", weights_only=True)["averaged"]
    for number in range(3):
        name = f"heads.{number}.2.bias"
        torch.testing.assert_close(base.state[name], checkpoint[name])


def test_another_network_is_refused_with_a_way_out(file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    model = onnx.load(str(file))
    del model.graph.node[5:]
    onnx.save(model, str(tmp_path / "cut.onnx"))
    for name, shape in (("text.onnx", RECIPE.shape), ("cut.onnx", RECIPE.shape), ("own.onnx", Shape())):
        with pytest.raises(DataProblem, match=r"models\.training export"):
            read_base(tmp_path / name, shape)
    with pytest.raises(DataProblem, match="can't be read"):
        read_base(tmp_path / "nowhere.onnx", RECIPE.shape)


def test_weights_that_are_no_numbers_are_refused(file: Path) -> None:
    model = onnx.load(str(file))
    spoilt = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    spoilt.flat[0] = np.nan
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(spoilt, model.graph.initializer[0].name))
    onnx.save(model, str(file))
    with pytest.raises(DataProblem, match="no number"):
        read_base(file, RECIPE.shape)


@pytest.mark.parametrize(
    "told", ["[]", "{", "[" * 100_000, '{"person": 3}', '{"dragon": [1, 0]}', '{"person": [0, 0]}']
)
def test_scales_that_are_none_are_refused(file: Path, told: str) -> None:
    model = onnx.load(str(file))
    entry = next(each for each in model.metadata_props if each.key == "scales")
    entry.value = told
    onnx.save(model, str(file))
    with pytest.raises(DataProblem, match=r"models\.training export"):
        read_base(file, RECIPE.shape)


def test_weights_that_are_cut_or_lie_elsewhere_are_refused(file: Path) -> None:
    whole = file.read_bytes()
    model = onnx.load(str(file))
    first = model.graph.initializer[0]
    first.raw_data = first.raw_data[:-3]
    onnx.save(model, str(file))
    with pytest.raises(DataProblem, match="no weights of our own"):
        read_base(file, RECIPE.shape)
    model = onnx.load_from_string(whole)
    first = model.graph.initializer[0]
    first.ClearField("raw_data")
    first.data_location = onnx.TensorProto.EXTERNAL
    entry = first.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(DataProblem, match="another file"):
        read_base(file, RECIPE.shape)

"""There may be no GPU here: what is made beside the network's numbers must lie where those lie, on whatever device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.datasets.labels import LABELS
from models.datasets.pictures import DataProblem
from models.training.assignment import Things
from models.training.command import main
from models.training.device import Device, found
from models.training.loss import Truth, losses
from models.training.network import Detector, Shape
from models.training.samples import ALL_KNOWN, Sample
from models.training.validation import looked_at

SHAPE = Shape(widths=(8, 8, 16, 16, 16), neck=16)
NONE = Things(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
TWO = Things(torch.tensor([0, 1]), torch.tensor([0, 2]), torch.tensor([[8.0, 8.0, 40.0, 40.0], [4.0, 4.0, 30.0, 50.0]]))


@pytest.mark.parametrize("things", [NONE, TWO], ids=["nothing", "two"])
def test_the_loss_makes_nothing_on_another_device(things: Things) -> None:
    torch.manual_seed(1)
    rows = Detector(len(LABELS), SHAPE)(torch.rand(2, 3, 64, 64) * 255)
    truth = Truth(things, torch.full((2, 8, 8), ALL_KNOWN, dtype=torch.long), TWO)
    wanted = losses(rows, truth, 64, 64).total
    with torch.device("meta"):  # whatever is made without saying where lies there, and can't be reckoned with
        assert torch.equal(losses(rows, truth.to(rows.device), 64, 64).total, wanted)


def test_looking_makes_nothing_on_another_device() -> None:
    network = Detector(len(LABELS), SHAPE)
    none = np.empty((0, 4), np.float32)
    sample = Sample(
        np.full((64, 64, 3), 90, np.uint8), none, np.empty(0, np.intp), none, np.empty(0, np.intp), ALL_KNOWN
    )
    with torch.device("meta"):
        ((_, boxes, scores, classes),) = looked_at(network, [sample], 64)
    assert len(boxes) == len(scores) == len(classes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_is_not_taken_and_who_insists_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(Device.AUTO) == found(Device.CPU) == torch.device("cpu")
    with pytest.raises(DataProblem, match="--device cpu"):
        found(Device.CUDA)
    assert main(["tune", "--verdicts", str(tmp_path), "--run", str(tmp_path / "run"), "--device", "cuda"]) == 2
    assert "sees no GPU" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_loses_as_processors_do() -> None:
    torch.manual_seed(1)
    network, pictures = Detector(len(LABELS), SHAPE), torch.rand(2, 3, 64, 64) * 255
    truth = Truth(TWO, torch.full((2, 8, 8), ALL_KNOWN, dtype=torch.long), NONE)
    wanted = losses(network(pictures), truth, 64, 64).total
    device = found(Device.CUDA)
    told = losses(network.to(device)(pictures.to(device)), truth.to(device), 64, 64).total
    torch.testing.assert_close(told.cpu(), wanted, rtol=1e-3, atol=1e-3)

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.perception.decoders.yolox import YoloxDecoder
from models.catalogue import models
from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import DataProblem
from models.evaluation.average_precision import overlap_of
from models.training import checkpoint
from models.training.augmentation import Example
from models.training.batches import collate
from models.training.checkpoint import CHECKPOINT
from models.training.circumstances import began, differences
from models.training.command import main
from models.training.curves import draw, epochs_of, last_precisions
from models.training.export import weights_hash
from models.training.loss import losses
from models.training.network import BOX_NUMBERS, Detector, Shape, boxes_of, cells
from models.training.recipe import Precision, Recipe, Stage
from models.training.run import LOG, Run
from models.training.samples import ALL_KNOWN, Sample

SHAPE = Shape(widths=(8, 8, 16, 16, 16), neck=16)


def recipe(epochs: int, **changed: object) -> Recipe:
    choices = {"batch": 2, "pasted": (), "precision": Precision.FLOAT32, "threads": 1, "shape": SHAPE, **changed}
    return Recipe(stages=(Stage(epochs, 64, 0.0),), **choices)  # type: ignore[arg-type]


def drawn() -> list[Sample]:
    """Two pictures with a bright thing each."""
    samples = []
    for left, top, label in ((8, 12, Label.CAR), (30, 20, Label.PERSON)):
        pixels = np.full((64, 64, 3), 60, np.uint8)
        pixels[top : top + 28, left : left + 24] = (240, 200, 30)
        box = np.array([[left, top, left + 24, top + 28]], np.float32)
        none = np.empty((0, 4), np.float32)
        samples.append(Sample(pixels, box, np.array([NUMBER[label]]), none, np.empty(0, np.intp), ALL_KNOWN))
    return samples


def trained(folder: Path, chosen: Recipe, workers: int = 0) -> str:
    Run(folder, chosen).train(drawn(), [], workers=workers)
    return weights_hash(folder / CHECKPOINT)


class Interrupted(Exception):
    pass


def test_two_pictures_are_learnt_by_heart() -> None:
    torch.manual_seed(1)
    network = Detector(len(LABELS), SHAPE)
    known = np.full((8, 8), ALL_KNOWN, np.int64)
    examples = [
        Example(each.pixels, each.boxes, each.classes, each.ignored, each.ignored_classes, known) for each in drawn()
    ]
    batch = collate(examples)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    told = []
    for _ in range(120):
        loss = losses(network(batch.pictures.float()), batch.truth, 64, 64).total
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        told.append(loss.item())
    assert told[-1] < told[0] / 5
    corners, strides = cells(64, 64)
    for rows, sample in zip(network(batch.pictures.float()).detach(), drawn(), strict=True):
        surest = rows[:, BOX_NUMBERS:].amax(1).argmax()
        assert rows[surest, BOX_NUMBERS:].argmax() == sample.classes[0]
        box = boxes_of(rows, corners, strides)[surest].numpy()
        assert overlap_of(box[None], sample.boxes)[0, 0] > 0.6


def test_the_same_seed_gives_the_same_weights_whoever_makes_the_batches(tmp_path: Path) -> None:
    chosen = recipe(2)
    one = trained(tmp_path / "one", chosen)
    assert trained(tmp_path / "other", chosen, workers=1) == one
    assert trained(tmp_path / "third", recipe(2, seed=2)) != one


def test_a_run_that_was_interrupted_ends_with_the_same_weights(tmp_path: Path) -> None:
    chosen = recipe(3)

    def stop(told: object) -> None:
        if getattr(told, "epoch", 0) == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        Run(tmp_path / "cut", chosen).train(drawn(), [], workers=0, progress=stop)
    going_on = Run(tmp_path / "cut", chosen)
    assert going_on.epoch == 1
    going_on.train(drawn(), [], workers=0)
    assert weights_hash(tmp_path / "cut" / CHECKPOINT) == trained(tmp_path / "whole", chosen)


def test_a_checkpoint_of_another_recipe_is_refused_by_words(tmp_path: Path) -> None:
    trained(tmp_path, recipe(1))
    with pytest.raises(DataProblem, match=r"another recipe.*--run"):
        Run(tmp_path, recipe(2))


@pytest.mark.parametrize("kept", [slice(0, 4000), slice(0, 0), slice(100, None)], ids=["cut", "empty", "other"])
def test_a_checkpoint_that_is_damaged_is_told_in_words(
    tmp_path: Path, kept: slice, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path, recipe(1))
    file = tmp_path / CHECKPOINT
    file.write_bytes(file.read_bytes()[kept])
    with pytest.raises(DataProblem, match="another folder"):
        Run(tmp_path, recipe(1))
    for action in ("export", "hash"):
        assert main([action, "--run", str(tmp_path)]) == 2
        assert "damaged" in capsys.readouterr().err


def test_fewer_pictures_than_a_batch_teach_nothing_and_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="2 pictures to learn from, 4 are the least"):
        Run(tmp_path, recipe(1, batch=4)).train(drawn(), [], workers=0)
    assert not (tmp_path / CHECKPOINT).exists()


def test_what_cannot_be_written_is_said_and_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"can't be written.*make room"):
        checkpoint.keep(tmp_path / "nowhere" / CHECKPOINT, b"x")
    checkpoint.keep(tmp_path / CHECKPOINT, b"before")
    (tmp_path / f"{CHECKPOINT}.part").symlink_to("/dev/full")
    with pytest.raises(DataProblem, match="No space left"):
        checkpoint.keep(tmp_path / CHECKPOINT, b"after")
    assert (tmp_path / CHECKPOINT).read_bytes() == b"before"


def test_other_pictures_end_a_run_and_other_code_is_told() -> None:
    then = {"data_sha256": "a", "code_sha256": "b", "versions": {"torch": "2"}, "processor": "x"}
    assert differences(then, then) == []
    assert differences({}, then) == [], "the log of an older run tells less"
    assert differences(then, {**then, "code_sha256": "c", "processor": "y"}) == ["other code", "another processor"]
    with pytest.raises(DataProblem, match="other pictures"):
        differences(then, {**then, "data_sha256": "z"})


def test_a_run_goes_on_from_the_weights_that_it_began_with_alone() -> None:
    random, ours = {"data_sha256": "a", "start": None}, {"data_sha256": "a", "start": "7ae4ab3e9d01ffff"}
    assert differences(ours, ours) == differences(random, random) == []
    assert differences({"data_sha256": "a"}, random) == [], "older runs all began with random weights"
    with pytest.raises(DataProblem, match=r"began with random weights, not with the weights 7ae4ab3e9d01;.*--from"):
        differences(random, ours)
    with pytest.raises(DataProblem, match=r"began with the weights 7ae4ab3e9d01, not with random weights;.*--from"):
        differences(ours, random)


def test_a_run_tells_how_it_began_whatever_stands_in_its_log(tmp_path: Path) -> None:
    assert began(tmp_path) == {}
    (tmp_path / LOG).write_text(
        '{"epo\n[]\n{"began": 3}\n{"began": {"data_sha256": "a"}}\n{"began": {"data_sha256": "b"}}\n'
    )
    assert began(tmp_path) == {"data_sha256": "a"}


@pytest.mark.parametrize("wrong", [["--threads", "0"], ["--seed", "-1"], ["--seed", "x"], ["--threads", "1e3"]])
def test_numbers_that_cannot_be_are_refused_before_anything_is_read(
    tmp_path: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--data", str(tmp_path), "--run", str(tmp_path / "run"), *wrong])
    assert "whole number" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["made-site", "--to", str(tmp_path / "file" / "site.zip"), "--pictures", "1"]) == 2
    assert "can be written" in capsys.readouterr().err


def test_a_checkpoint_with_code_in_it_or_of_something_else_is_not_read(tmp_path: Path) -> None:
    torch.save({"averaged": Interrupted}, tmp_path / CHECKPOINT)
    with pytest.raises(DataProblem, match="no checkpoint"):
        weights_hash(tmp_path / CHECKPOINT)
    torch.save({"network": {}}, tmp_path / CHECKPOINT)
    with pytest.raises(DataProblem, match="no checkpoint"):
        weights_hash(tmp_path / CHECKPOINT)


def test_rows_are_the_same_boxes_to_the_node_as_to_the_training() -> None:
    manifest = models()["gridward_nano_320"]
    corners, strides = cells(320, 320)
    rows = torch.full((len(corners), 4 + len(LABELS)), -9.0)
    rows[:, :4] = torch.randn(len(corners), 4, generator=torch.Generator().manual_seed(1)) * 0.2
    there = [5, 700, 1650, 2080]
    rows[there, 4 + NUMBER[Label.CAR]] = 3.0
    scores = rows[:, 4:].sigmoid()
    best = scores.amax(-1, keepdim=True)
    told = torch.cat([rows[:, :4], best, scores / best], -1)[None].numpy()
    decoder = YoloxDecoder(manifest, range(len(LABELS)))
    boxes, sure, classes = decoder.decode([told], least_score=0.5)
    wanted = boxes_of(rows, corners, strides)[there].numpy()
    order, ours = np.lexsort(boxes.T), np.lexsort(wanted.T)
    np.testing.assert_allclose(boxes[order], wanted[ours], atol=1e-2)
    assert set(classes.tolist()) == {NUMBER[Label.CAR]}
    assert sure == pytest.approx(torch.tensor(3.0).sigmoid().item(), abs=1e-4)


def test_a_folder_without_sets_or_without_a_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(tmp_path / "none"), "--run", str(tmp_path / "run")]) == 2
    assert "--data" in capsys.readouterr().err
    assert main(["hash", "--run", str(tmp_path / "none")]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_curves_are_drawn_of_what_the_log_tells_whatever_was_cut_off(tmp_path: Path) -> None:
    assert draw(tmp_path) is None
    lines = [
        {"began": {}},
        {"epoch": 1, "size": 64, "box_loss": 0.6, "class_loss": 9.0, "seconds": 1.0},
        {"epoch": 2, "size": 64, "box_loss": 0.5, "class_loss": 7.0, "seconds": 1.0, "ap50": {"car": 0.2}},
        {"epoch": 2, "size": 64, "box_loss": 0.4, "class_loss": 6.0, "seconds": 1.0, "ap50": {"car": 0.3}},
        {"epoch": 3, "size": 96, "box_loss": 0.4, "class_loss": 5.0, "seconds": 1.0},
    ]
    (tmp_path / LOG).write_text("\n".join(json.dumps(line) for line in lines) + '\n{"epoch": 4, "si', encoding="utf-8")
    epochs = epochs_of(tmp_path)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3]
    assert last_precisions(epochs) == {"car": 0.3}
    drawn_to = draw(tmp_path)
    assert drawn_to is not None
    assert drawn_to.read_bytes().startswith(b"\x89PNG")

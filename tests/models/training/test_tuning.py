import hashlib
import json
import math
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import DataProblem
from models.datasets.sets import SETS
from models.datasets.split import Part, read_split
from models.datasets.verdicts import KINDS
from models.manifest import read_manifest
from models.training import command
from models.training.augmentation import example_of_one
from models.training.before_after import FEWEST_BOXES, Figures, Judgement, figures, judged
from models.training.export import exported
from models.training.made_site import write_made_site
from models.training.network import Detector, Shape
from models.training.recipe import RECIPES, Precision, Recipe, Stage
from models.training.samples import Sample
from models.training.tune_command import _words, weights_of
from models.training.tuning import SCENES, SITE, TuneOrder, _write, as_json, tune
from models.training.tuning import SETS as TUNED_SETS
from models.training.weights_file import read_base

AT = datetime(2026, 3, 1, tzinfo=UTC)
RECIPE = Recipe(
    stages=(Stage(1, 64, 0.0),),
    batch=4,
    shape=Shape(widths=(8, 8, 16, 16, 16), neck=16),
    pasted=(),
    scene_share=0.1,
    precision=Precision.FLOAT32,
    threads=1,
)
NONE = np.empty((0, 4), np.float32)
pytestmark = pytest.mark.filterwarnings("ignore")


def judged_sample(boxes: list[list[float]], absent: list[list[float]], label: Label = Label.LITTER) -> Sample:
    return Sample(
        np.full((64, 64, 3), 90, np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), NUMBER[label]),
        NONE,
        np.empty(0, np.intp),
        0,
        np.array(absent, np.float32).reshape(-1, 4),
        np.full(len(absent), NUMBER[label]),
    )


def test_where_something_is_absent_that_class_is_known_and_nothing_else() -> None:
    sample = judged_sample([], [[16, 16, 48, 48]])
    for seed in range(20):
        example = example_of_one(sample, 64, np.random.default_rng(seed), degrade=False)
        inside = np.unique(example.known)
        assert set(inside.tolist()) <= {0, 1 << NUMBER[Label.LITTER], (1 << len(LABELS)) - 1}
        assert (example.known == 1 << NUMBER[Label.LITTER]).any()


class Telling(Detector):
    """Says one thing of every picture: a box with a score of its class."""

    def __init__(self, label: Label, box: tuple[float, float, float, float], logit: float) -> None:
        super().__init__(len(LABELS), RECIPE.shape)
        self._label, self._box, self._logit = label, box, logit

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        rows = torch.full((len(pictures), 84, 4 + len(LABELS)), -20.0)
        left, top, right, bottom = (side / 8 for side in self._box)
        rows[:, 0, :4] = torch.tensor(
            [(left + right) / 2, (top + bottom) / 2, math.log(right - left), math.log(bottom - top)]
        )
        rows[:, 0, 4 + NUMBER[self._label]] = self._logit
        return rows


def test_what_is_found_where_nobody_looked_is_not_wrong() -> None:
    looked = judged_sample([[8, 8, 24, 24]], [])
    right = figures(Telling(Label.LITTER, (8, 8, 24, 24), 3.0), [looked], 64)
    assert right.ap50 == {Label.LITTER: pytest.approx(1.0)}
    elsewhere = judged_sample([], [[8, 8, 24, 24]])
    told = figures(Telling(Label.LITTER, (40, 40, 56, 56), 3.0), [looked, elsewhere], 64)
    assert (told.ap50[Label.LITTER], told.told_again, told.false_alarms) == (0.0, 0, 1)
    both = figures(Telling(Label.LITTER, (8, 8, 24, 24), 3.0), [looked, elsewhere], 64)
    assert both.told_again == 1
    assert figures(Telling(Label.LITTER, (8, 8, 24, 24), -3.0), [elsewhere], 64).told_again == 0


def of(ap50: float, boxes: int = 40, told_again: int = 0) -> Figures:
    return Figures({Label.LITTER: ap50}, {Label.LITTER: boxes}, 5, told_again)


@pytest.mark.parametrize(
    ("before", "after", "scenes", "better", "why"),
    [
        (of(0.2), of(0.4), of(0.5), True, "rose"),
        (of(0.4), of(0.2), of(0.5), False, "went from"),
        (of(0.4), of(0.4), of(0.5), False, "went from"),
        (of(0.2), of(0.4), of(0.4), False, "forgot"),
        (of(0.2, FEWEST_BOXES - 1), of(0.9, FEWEST_BOXES - 1), of(0.5), False, "too few"),
        (of(0.2), of(0.4, told_again=3), of(0.5), False, "false alarms"),
        (Figures({}, {}), Figures({}, {}), of(0.5), False, "too few"),
        (of(0.2), of(math.nan), of(0.5), False, "went from"),
    ],
)
def test_only_what_is_better_is_called_so(
    before: Figures, after: Figures, scenes: Figures, better: bool, why: str
) -> None:
    told = judged((before, after), {SCENES: (of(0.5), scenes)})
    assert told.is_better == better
    assert why in told.why


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("site") / "site.zip"
    write_made_site(file, 2, 20)
    return file


@pytest.fixture
def order(tmp_path: Path, site: Path) -> TuneOrder:
    torch.manual_seed(1)
    torch.save({"averaged": Detector(len(LABELS), RECIPE.shape).state_dict()}, tmp_path / "checkpoint.pt")
    weights = tmp_path / "base.onnx"
    weights.write_bytes(exported(tmp_path / "checkpoint.pt", RECIPE, 64, title="base", licence="Apache-2.0"))
    return TuneOrder(site, weights, tmp_path / "run", None, KINDS, RECIPE, fewest_scenes=4, measured_scenes=4)


def test_an_export_becomes_weights_and_no_manifest_where_they_are_not_better(order: TuneOrder) -> None:
    tuned = tune(order, AT)
    assert tuned.export == "made-up-2"
    assert tuned.learnt_from + tuned.held_out + sum(tuned.left_out.values()) == 20
    assert set(tuned.before) == {SITE, SCENES}
    assert not tuned.judgement.is_better, "one step from weights that know nothing"
    assert tuned.manifest is None
    assert not list(order.folder.glob("*.yaml"))
    assert json.loads(json.dumps(as_json(tuned), allow_nan=False))["better"] is False
    assert "NOT better" in _words(tuned)
    learnt = read_base(tuned.file, RECIPE.shape).state
    assert any(
        not torch.equal(values, learnt[name]) for name, values in read_base(order.weights, RECIPE.shape).state.items()
    )


def test_what_is_better_comes_with_a_manifest_that_a_node_reads(order: TuneOrder) -> None:
    base = read_base(order.weights, RECIPE.shape)
    order.folder.mkdir()
    (order.weights.parent / "checkpoint.pt").rename(order.folder / "checkpoint.pt")
    file, written = _write(order, base, of(0.4), Judgement(True, "it is"), AT)
    assert written is not None
    manifest = read_manifest(written)
    assert (manifest.id, manifest.bytes) == (file.stem, file.stat().st_size)
    assert manifest.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert manifest.labels == tuple(LABELS)
    assert _write(order, base, of(0.1), Judgement(False, "it is not"), AT) == (file, None)
    assert not written.exists()


def test_a_folder_of_another_run_is_not_gone_on_with(order: TuneOrder) -> None:
    order.folder.mkdir()
    (order.folder / "order.json").write_text("{")
    with pytest.raises(DataProblem, match="another folder"):
        tune(order, AT)
    (order.folder / "order.json").write_text(json.dumps({"export": "another"}))
    with pytest.raises(DataProblem, match="another folder"):
        tune(order, AT)


def test_a_changed_order_is_another_run(order: TuneOrder, tmp_path: Path) -> None:
    tune(order, AT)
    sets = write_sets(tmp_path / "sets")
    for other in (replace(order, data=sets), replace(order, fewest_scenes=5)):
        with pytest.raises(DataProblem, match="another folder"):
            tune(other, AT)
    with zipfile.ZipFile(order.verdicts) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(files["annotations.json"])
    absent = next(each for each in told["images"] if each["sight"] == "not_there")
    box = next(each for each in told["annotations"] if each["image_id"] == absent["id"])
    box["bbox"][2] /= 2
    moved = tmp_path / "moved.zip"
    with zipfile.ZipFile(moved, "w") as archive:
        for name, content in (files | {"annotations.json": json.dumps(told).encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(DataProblem, match="another folder"):
        tune(replace(order, verdicts=moved), AT)
    assert tune(order, AT).learnt_from


def write_sets(root: Path) -> Path:
    """A picture of each part in every set, with a box of its first class."""
    (root / "classes.txt").parent.mkdir()
    (root / "classes.txt").write_text("\n".join(LABELS))
    parts: dict[tuple[str, Part], str] = {}
    for key, part in read_split().items():
        name, _, stem = key.partition("/")
        parts.setdefault((name, part), stem)
    for (name, _), stem in parts.items():
        for folder in ("images", "labels"):
            (root / name / folder).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name / "images" / f"{stem}.jpg"), np.full((64, 64, 3), 120, np.uint8))
        (root / name / "labels" / f"{stem}.txt").write_text(f"{NUMBER[SETS[name].labelled[0]]} 0.5 0.5 0.5 0.5\n")
    return root


def test_the_sets_are_mixed_in_and_measured_on(order: TuneOrder, tmp_path: Path) -> None:
    tuned = tune(replace(order, data=write_sets(tmp_path / "sets")), AT)
    assert set(tuned.before) == {SITE, SCENES, TUNED_SETS}
    assert sum(tuned.before[TUNED_SETS].boxes.values()) > 0


def test_too_few_pictures_are_refused_in_words_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, folder = tmp_path / "few.zip", tmp_path / "few"
    write_made_site(few, 2, 3)
    assert command.main(["tune", "--verdicts", str(few), "--run", str(folder)]) == 2
    assert "export more days" in capsys.readouterr().err
    assert not folder.exists()


def test_one_epoch_is_one_stage() -> None:
    assert RECIPES["tune"].of_epochs(1).stages == (Stage(1, 320, 0.0),)
    assert RECIPES["tune"].of_epochs(4).stages == (Stage(3, 320, 0.3), Stage(1, 320, 0.0))


def test_the_weights_of_a_folder_are_those_that_lie_in_it(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="export --run"):
        weights_of(tmp_path)
    site = tmp_path / "gridward_nano_416_site.onnx"
    site.touch()
    assert weights_of(tmp_path) == weights_of(site) == site
    (tmp_path / "gridward_nano_320.onnx").touch()
    with pytest.raises(DataProblem, match=r"gridward_nano_320\.onnx, gridward_nano_416_site\.onnx"):
        weights_of(tmp_path)


@pytest.mark.parametrize("epochs", ["0", "-1", "x", "1.5"])
def test_so_many_epochs_cannot_be(epochs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["tune", "--verdicts", "v", "--run", "r", "--epochs", epochs])
    assert "whole number" in capsys.readouterr().err


def test_a_kind_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["tune", "--verdicts", "v", "--run", "r", "--kind", "intrusion=dragon"])
    assert "KIND=CLASS" in capsys.readouterr().err

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edge.adoption.command import models_app
from edge.errors import ModelUnusable
from edge.perception.detector import open_detector
from models import catalogue, imported
from models.manifest import ManifestWrong
from tests.fakes import graphs
from tests.fakes.graphs import HEIGHT, WIDTH, Kind, Range, write_graph

NAMES = {"names": "{0: 'person', 1: 'car', 2: 'dog'}"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("GRIDWARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_graph(tmp_path / "mine.onnx", graphs.yolov8(), Kind(range=Range.UNIT, metadata=NAMES)))


@pytest.fixture
def sample(tmp_path: Path) -> str:
    picture = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[: HEIGHT // 2] = 255
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    return str(tmp_path / "picture.png")


def command(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(models_app, list(arguments), catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout


def test_a_model_is_taken_in_found_in_the_catalogue_and_taken_out_again(file: str, sample: str, folder: Path) -> None:
    said = command("import", file, "--licence", "MIT", "--sample", sample, "--yes")
    for words in (
        "yolov8",
        "126 columns, one per cell",
        "0-1, rgb, letterbox",
        "person 0.90",
        "use it with `model: mine`",
    ):
        assert words in said
    manifest = imported.entries().sound["mine"]
    assert {path.name for path in folder.iterdir()} == {imported.weights(manifest).name, "mine.yaml"}
    assert open_detector("mine").detect(np.zeros((96, 64, 3), dtype=np.uint8)).labels[:1] == ("person",)
    assert "mine" in command("list")
    command("remove", "mine")
    assert "mine" not in catalogue.models()
    assert list(folder.iterdir()) == []


def test_nothing_is_written_unasked(file: str, sample: str, folder: Path) -> None:
    for options in (["--dry-run"], [], ["--json"], ["--dry-run", "--yes"]):
        said = command("import", file, "--licence", "MIT", "--sample", sample, *options)
        assert "nothing was written" in said or json.loads(said)["written"] is False
        assert not folder.exists()


def test_json_says_the_same(file: str, sample: str, folder: Path) -> None:
    said = json.loads(command("import", file, "--licence", "MIT", "--sample", sample, "--yes", "--json"))
    assert said["written"] is True
    assert said["manifest"] == str(folder / "mine.yaml")
    assert said["head"] == "yolov8"
    assert [each["label"] for each in said["found"]] == ["person", "car"]
    assert said["tried"][0]["strength"] == pytest.approx(1.525)
    assert catalogue.models()["mine"].sha256 == said["sha256"]


def test_names_are_not_taken_twice_unless_that_is_wanted(file: str, sample: str) -> None:
    given = ("import", file, "--licence", "MIT", "--sample", sample, "--yes")
    command(*given)
    with pytest.raises(ModelUnusable, match="--replace"):
        command(*given)
    command(*given, "--replace", "--title", "once more")
    assert catalogue.models()["mine"].title == "once more"
    with pytest.raises(ModelUnusable, match="a model of this project"):
        command(*given, "--id", "yolox_nano_416", "--replace")


def test_weights_under_the_agpl(tmp_path: Path, sample: str, folder: Path) -> None:
    told = {**NAMES, "license": "AGPL-3.0 License (https://ultralytics.com/license)"}
    file = str(write_graph(tmp_path / "other.onnx", graphs.yolov8(), Kind(metadata=told)))
    for licence in ([], ["--licence", "AGPL-3.0"]):
        with pytest.raises(ModelUnusable, match="AGPL"):
            command("import", file, "--sample", sample, "--yes", *licence)
    assert not folder.exists()
    done = CliRunner().invoke(models_app, ["import", file, "--sample", sample, "--yes", "--licence", "Enterprise 4711"])
    assert "warning: the file says `AGPL-3.0" in done.stderr
    assert "AGPL" in catalogue.models()["other"].licence_note


def test_verify_reads_looks_and_fails(file: str, sample: str, folder: Path) -> None:
    command("import", file, "--licence", "MIT", "--sample", sample, "--yes")
    [told] = json.loads(command("verify", "mine", "--sample", sample, "--json"))
    assert told["ok"] is True
    assert told["found"] == [["person", 0.9], ["car", 0.625]]
    imported.weights(imported.entries().sound["mine"]).write_bytes(b"another")
    assert "import the file again" in command("verify", "mine", "--sample", sample, status=1)
    (folder / "broken.yaml").write_text("id: broken\n")
    assert "broken.yaml" in command("verify", "--sample", sample, status=1)
    command("verify", "nothing", status=2)


def test_bench_gives_milliseconds(file: str, sample: str) -> None:
    command("import", file, "--licence", "MIT", "--sample", sample, "--yes")
    told = json.loads(command("bench", "mine", "--runs", "3", "--warm-up", "1", "--sample", sample, "--json"))
    [row] = told["models"]
    assert (row["id"], row["runs"], told["width"], told["height"]) == ("mine", 3, WIDTH, HEIGHT)
    assert 0 < row["inference"]["p50_ms"] <= row["inference"]["p95_ms"]
    assert "mine" in command("bench", "mine", "--runs", "1", "--sample", sample)
    imported.weights(imported.entries().sound["mine"]).unlink()
    assert "can't be had" in command("bench", "mine", "--runs", "1", "--sample", sample, status=1)


def test_remove_knows_only_imported_ones() -> None:
    with pytest.raises(ManifestWrong, match="no imported model"):
        command("remove", "yolox_nano_416")


@pytest.mark.parametrize("options", [("--head", "nonsense"), ("--size", "640"), ("--size", "axb"), ("--values", "0-2")])
def test_options_that_cannot_be(file: str, options: tuple[str, str]) -> None:
    command("import", file, *options, status=2)

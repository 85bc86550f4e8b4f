import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models import catalogue, imported
from models.manifest import FileMissing, FileWrong, Imported, Manifest, ManifestWrong, ModelProblem, read_manifest

WEIGHTS = b"weights" * 1000
AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
MINE: Manifest = replace(
    catalogue.own_models()["yolox_nano_416"],
    id="mine",
    sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    bytes=len(WEIGHTS),
    source=Imported("my model.onnx", AT),
    mirror="models/mine.onnx",
    outputs=("output",),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("GRIDWARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GRIDWARD_ASSETS", str(tmp_path / "assets"))
    monkeypatch.delenv("GRIDWARD_MIRROR", raising=False)
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "my model.onnx"
    place.write_bytes(WEIGHTS)
    return place


def test_what_is_kept_is_in_the_catalogue_and_used_where_it_lies(file: Path, folder: Path) -> None:
    imported.keep(MINE, file)
    file.unlink()
    assert catalogue.models()["mine"] == MINE
    resolved = catalogue.resolve("mine")
    assert resolved.path == folder / f"mine.{MINE.sha256[:16]}.onnx"
    assert resolved.path.read_bytes() == WEIGHTS
    assert catalogue.verified(MINE) == resolved.path
    assert not catalogue.cached_path(MINE).exists()
    assert not list(folder.glob(".part-*"))


def test_another_version_takes_its_place_and_lies_under_another_name(file: Path, folder: Path) -> None:
    imported.keep(MINE, file)
    before = catalogue.resolve("mine").path
    file.write_bytes(b"other weights")
    other = replace(MINE, version="2", sha256=hashlib.sha256(b"other weights").hexdigest(), bytes=13)
    imported.keep(other, file)
    assert catalogue.resolve("mine").path.read_bytes() == b"other weights"
    assert not before.exists()
    assert len(list(folder.iterdir())) == 2


def test_what_was_imported_by_an_earlier_version_is_found(file: Path, folder: Path) -> None:
    imported.keep(MINE, file)
    imported.weights(MINE).rename(folder / "mine.onnx")
    assert catalogue.resolve("mine").path == folder / "mine.onnx"
    imported.keep(MINE, folder / "mine.onnx")
    assert {each.suffix for each in folder.iterdir()} == {".yaml", ".onnx"}
    assert not (folder / "mine.onnx").exists()
    imported.remove("mine")
    assert list(folder.iterdir()) == []


def test_it_can_be_taken_out_again(file: Path, folder: Path) -> None:
    imported.keep(MINE, file)
    imported.remove("mine")
    assert list(folder.iterdir()) == []
    with pytest.raises(ManifestWrong, match=r"'mine' is no imported model; there are: none"):
        imported.remove("mine")
    with pytest.raises(ManifestWrong, match="no imported model"):
        imported.remove("yolox_nano_416")


def test_a_model_of_this_project_is_never_replaced(file: Path) -> None:
    imported.keep(replace(MINE, id="yolox_nano_416", mirror="models/yolox_nano_416.onnx"), file)
    assert catalogue.models()["yolox_nano_416"] == catalogue.own_models()["yolox_nano_416"]


def test_a_damaged_manifest_takes_only_itself_out(file: Path, folder: Path) -> None:
    imported.keep(MINE, file)
    (folder / "broken.yaml").write_text("id: broken\n")
    (folder / "foreign.yaml").write_text(imported.text(replace(catalogue.own_models()["yolox_nano_416"], id="foreign")))
    assert "mine" in catalogue.models()
    assert "broken" not in catalogue.models()
    with pytest.raises(ManifestWrong, match=r"broken\.yaml: .* import the model again"):
        catalogue.resolve("broken")
    with pytest.raises(ManifestWrong, match="`imported` is expected"):
        catalogue.resolve("foreign")
    imported.remove("broken")
    assert "broken" not in imported.entries().problems


def test_weights_that_changed_since_are_not_used(file: Path) -> None:
    imported.keep(MINE, file)
    imported.weights(MINE).write_bytes(WEIGHTS[::-1])
    with pytest.raises(FileWrong, match="import the file again"):
        catalogue.resolve("mine")
    with pytest.raises(FileWrong):
        catalogue.verified(MINE)
    imported.weights(MINE).unlink()
    with pytest.raises(FileMissing, match="import the file again"):
        catalogue.resolve("mine")


def test_a_mirror_may_have_the_weights_of_a_copied_manifest(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    (folder / "mine.yaml").write_text(imported.text(MINE))
    (tmp_path / "mirror" / "models").mkdir(parents=True)
    (tmp_path / "mirror" / MINE.mirror).write_bytes(WEIGHTS)
    monkeypatch.setenv("GRIDWARD_MIRROR", str(tmp_path / "mirror"))
    assert catalogue.resolve("mine").path.read_bytes() == WEIGHTS


def test_a_file_that_changes_while_it_is_taken_in_leaves_nothing(file: Path, folder: Path) -> None:
    file.write_bytes(WEIGHTS[::-1])
    with pytest.raises(FileWrong, match="changed while it was looked at"):
        imported.keep(MINE, file)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(file / "below a file"))
    with pytest.raises(ModelProblem, match="set GRIDWARD_MODELS"):
        imported.keep(MINE, file)
    assert dict(imported.entries().sound) == {}


@given(
    st.text("äöé 火灾-abc'\"#:{}[]\n\t", min_size=1).filter(str.strip),
    st.lists(st.text("人车ab :#'", min_size=1), min_size=1, max_size=5, unique=True),
    st.floats(1e-4, 100),
)
def test_a_manifest_that_was_written_reads_the_same(title: str, labels: list[str], scale: float) -> None:
    told = replace(
        MINE, title=title.strip(), labels=tuple(labels), input=replace(MINE.input, scale=scale, mean=(1.5, 0.0, 0.25))
    )
    folder = imported.directory()
    folder.mkdir(exist_ok=True)
    (folder / "mine.yaml").write_text(imported.text(told))
    assert read_manifest(folder / "mine.yaml") == told


@pytest.mark.parametrize(
    "source", [{"imported": "a.onnx"}, {"imported": 5, "at": "2026-07-01"}, {"imported": "", "at": "x"}]
)
def test_a_source_that_says_too_little_is_a_mistake(folder: Path, source: dict[str, object]) -> None:
    folder.mkdir()
    told = yaml.safe_load(imported.text(MINE)) | {"source": source}
    (folder / "mine.yaml").write_text(yaml.safe_dump(told))
    with pytest.raises(ManifestWrong, match="source"):
        read_manifest(folder / "mine.yaml")


def test_the_list_shows_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported.keep(MINE, file)
    assert catalogue.main(["list", "mine", "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert told["cached"] is True
    assert told["source"] == {"file": "my model.onnx", "at": str(AT)}

from pathlib import Path
from typing import Any

import pytest
import yaml

from models import catalogue
from models.manifest import Colour, Fit, Layout, ManifestWrong, Shipped, Source, read_footage, read_manifest

GOOD: dict[str, Any] = {
    "id": "tiny",
    "version": "1.0.0",
    "title": "A tiny network",
    "sha256": "a" * 64,
    "bytes": 100,
    "licence": "Apache-2.0",
    "licence_note": "as stated",
    "source": {"repository": "someone/something", "commit": "b" * 40, "path": "weights/tiny.onnx"},
    "mirror": "models/tiny.onnx",
    "decoder": "yolox",
    "input": {"width": 64, "height": 32, "layout": "nchw", "colour": "bgr", "fit": "letterbox", "padding": 114},
    "labels": ["person", "car"],
    "figures": {"person_ap50": 0.5, "measured_on": "two pictures"},
}


def written(folder: Path, content: Any) -> Path:
    file = folder / "tiny.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return file


def test_a_good_manifest_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path, GOOD))
    assert (manifest.id, manifest.decoder, manifest.labels) == ("tiny", "yolox", ("person", "car"))
    assert (manifest.input.width, manifest.input.height, manifest.input.padding) == (64, 32, 114)
    assert (manifest.input.layout, manifest.input.colour, manifest.input.fit) == (
        Layout.NCHW,
        Colour.BGR,
        Fit.LETTERBOX,
    )
    assert (manifest.input.scale, manifest.input.mean, manifest.input.deviation) == (1.0, (0.0,) * 3, (1.0,) * 3)
    assert isinstance(manifest.source, Source)
    assert manifest.source.address.endswith(f"/someone/something/{'b' * 40}/weights/tiny.onnx")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "zz"}, "sha256"),
        ({"sha256": None}, "sha256"),
        ({"bytes": 0}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"bytes": "many"}, "bytes"),
        ({"id": "other"}, "file's name"),
        ({"id": "../up"}, "id"),
        ({"mirror": "../../etc/passwd"}, "mirror"),
        ({"mirror": "/etc/passwd"}, "mirror"),
        ({"decoder": "A decoder!"}, "decoder"),
        ({"labels": []}, "labels"),
        ({"labels": ["car", "car"]}, "twice"),
        ({"labels": "no-such-list"}, "no-such-list"),
        ({"input": 5}, "input"),
        ({"input": {**GOOD["input"], "layout": "wild"}}, "layout"),
        ({"input": {**GOOD["input"], "width": -1}}, "width"),
        ({"input": {**GOOD["input"], "scale": 0}}, "scale"),
        ({"input": {**GOOD["input"], "mean": [1, 2]}}, "mean"),
        ({"input": {**GOOD["input"], "widht": 4}}, "widht"),
        ({"source": {"repository": "a/b/c", "commit": "b" * 40, "path": "x"}}, "repository"),
        ({"source": {"repository": "a/b", "commit": "main", "path": "x"}}, "commit"),
        ({"surprise": 1}, "surprise"),
        ({"outputs": "one"}, "outputs"),
        ({"outputs": ["a", "a"]}, "twice"),
        ({"score_exponent": 0}, "score_exponent"),
        ({"figures": {"x": [1]}}, "x"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestWrong, match=said) as caught:
        read_manifest(written(tmp_path, {**GOOD, **change}))
    assert "tiny.yaml" in str(caught.value)


@pytest.mark.parametrize("key", sorted(GOOD))
def test_nothing_may_be_missing(tmp_path: Path, key: str) -> None:
    with pytest.raises(ManifestWrong, match=key):
        read_manifest(written(tmp_path, {name: value for name, value in GOOD.items() if name != key}))


@pytest.mark.parametrize("content", ["", "- a list", "{", "\x00", "a: &a [*a]"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ManifestWrong):
        read_manifest(written(tmp_path, content))


def test_footage_is_read_strictly_too(tmp_path: Path) -> None:
    clip = {key: GOOD[key] for key in ("id", "sha256", "bytes", "licence", "licence_note", "source", "mirror")}
    clip |= {"what": "a yard", "width": 640, "height": 360, "fps": 12.5, "frames": 25}
    assert read_footage(written(tmp_path, clip)).fps == 12.5
    with pytest.raises(ManifestWrong, match="fps"):
        read_footage(written(tmp_path, {**clip, "fps": 0}))


OWN: dict[str, Any] = {key: value for key, value in GOOD.items() if key != "mirror"}


def test_what_comes_with_the_software_needs_no_mirror_and_may_have_a_card(tmp_path: Path) -> None:
    source = {"shipped": "weights/tiny.onnx", "card": "weights/README.md"}
    manifest = read_manifest(written(tmp_path, {**OWN, "source": source}))
    assert manifest.source == Shipped("weights/tiny.onnx", "weights/README.md")
    assert read_manifest(written(tmp_path, {**OWN, "source": {"shipped": "a.onnx"}})).source == Shipped("a.onnx")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": {"shipped": "../../etc/passwd"}}, "shipped"),
        ({"source": {"shipped": "/etc/passwd"}}, "shipped"),
        ({"source": {"shipped": 3}}, "shipped"),
        ({"source": {"shipped": ""}}, "shipped"),
        ({"source": {"shipped": "a.onnx", "card": "../b"}}, "card"),
        ({"source": {"shipped": "a.onnx", "commit": "b" * 40}}, "commit"),
        ({"source": {"shipped": "a.onnx"}, "mirror": "models/tiny.onnx"}, "mirror"),
    ],
)
def test_a_mistake_in_what_comes_with_the_software_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestWrong, match=said):
        read_manifest(written(tmp_path, {**OWN, **change}))


def test_every_entry_of_the_catalogue_is_sound() -> None:
    assert "yolox_nano_416" in catalogue.models()
    assert "one_by_one_person_detection" in catalogue.footage()
    assert len(catalogue.models()["yolox_nano_416"].labels) == 80
    hashes = [entry.sha256 for entry in (*catalogue.models().values(), *catalogue.footage().values())]
    assert len(set(hashes)) == len(hashes)

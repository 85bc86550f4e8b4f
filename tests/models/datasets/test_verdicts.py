import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.verdicts import labels
from cloud.verdicts.model import Verdict
from edge.contract.telemetry import to_microseconds
from models.datasets import verdict_form
from models.datasets.jpeg import NoJpeg, jpeg_size
from models.datasets.labels import NUMBER, Label
from models.datasets.pictures import DataProblem
from models.datasets.verdicts import LeftOut, PictureUnusable, VerdictSet, _learnt_cases, verdict_set
from models.training.made_site import write_made_site

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 3, 1, 4, tzinfo=UTC)
SIZE = (64, 48)
BOX = (0.25, 0.25, 0.5, 0.75)


def jpeg(shade: int = 90) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((SIZE[1], SIZE[0], 3), shade, np.uint8))[1].tobytes())


def label(number: int, content: bytes, **of: Any) -> labels.Labelled:
    given: dict[str, Any] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "captured_at": AT + timedelta(days=number),
        "incident_row_id": number,
        "case_id": number,
        "case_number": f"C{number}",
        "area_path": "1",
        "node": "node-1",
        "device": "cam-1",
        "kind": "litter",
        "severity": "low",
        "verdict": Verdict.TRUE,
        "reason": None,
        "judged_at": AT,
        "rule": None,
        "model": None,
        "simulated": False,
        "drill": False,
    }
    given |= of
    given.setdefault("track", [[to_microseconds(given["captured_at"]), *BOX]])
    return labels.Labelled(**given)


class Export:
    """A labelled export whose entries the platform's own code makes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.images: list[dict[str, Any]] = []
        self.boxes: list[dict[str, Any]] = []
        self.manifest: dict[str, Any] = {"format": labels.FORMAT, "export": "e-1"}
        self.version: str = labels.FORMAT

    def add(self, content: bytes | None = None, **of: Any) -> dict[str, Any]:
        number = len(self.images) + 1
        content = jpeg(number) if content is None else content
        judged = label(number, content, **of)
        image = labels.image(judged, number, SIZE, ZONE)
        box = labels.annotation(judged, number, SIZE, 1)
        self.files[image["file_name"]] = content
        self.images.append(image)
        self.boxes += [] if box is None else [box]
        return image

    def written(self, path: Path) -> Path:
        told = {"info": {"version": self.version}, "images": self.images, "annotations": self.boxes, "categories": []}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)
            archive.writestr("annotations.json", json.dumps(told))
            archive.writestr("manifest.json", json.dumps(self.manifest))
        return path

    def read(self, path: Path, kinds: dict[str, Label] | None = None) -> VerdictSet:
        with verdict_set(self.written(path), *([kinds] if kinds else [])) as found:
            return found


@pytest.fixture
def export() -> Export:
    return Export()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "verdicts.zip"


def test_what_was_there_is_a_box_and_what_was_not_is_absent_at_its_box(export: Export, place: Path) -> None:
    export.add()
    export.add(verdict=Verdict.FALSE_ALARM, reason="misdetection", kind="bin_overflow")
    found = {picture.case: picture for picture in export.read(place).pictures}
    np.testing.assert_allclose(found["C1"].boxes, [BOX], atol=0.01)
    assert found["C1"].classes.tolist() == [NUMBER[Label.LITTER]]
    assert not len(found["C1"].absent)
    np.testing.assert_allclose(found["C2"].absent, [BOX], atol=0.01)
    assert found["C2"].absent_classes.tolist() == [NUMBER[Label.BIN_OVERFLOW]]
    assert not len(found["C2"].boxes)


def test_who_was_allowed_to_be_there_was_there(export: Export, place: Path) -> None:
    export.add(verdict=Verdict.FALSE_ALARM, reason="authorised")
    (picture,) = export.read(place).pictures
    assert (len(picture.boxes), len(picture.absent)) == (1, 0)


def test_what_says_nothing_is_left_out_and_counted(export: Export, place: Path) -> None:
    export.add(verdict=Verdict.UNSURE)
    export.add(kind="intrusion")
    export.add(track=[])
    export.add(verdict=Verdict.FALSE_ALARM, reason="other")
    found = export.read(place)
    assert not found.pictures
    assert found.left_out == {LeftOut.UNCLEAR: 2, LeftOut.NO_CLASS: 1, LeftOut.NO_BOX: 1}
    assert found.without_class == {"intrusion": 1}
    (picture,) = export.read(place, {"intrusion": Label.PERSON}).pictures
    assert picture.classes.tolist() == [NUMBER[Label.PERSON]]


def test_incidents_of_one_picture_stand_together(export: Export, place: Path) -> None:
    content = jpeg()
    at = AT + timedelta(days=1)
    export.add(content, captured_at=at)
    export.add(content, captured_at=at, kind="bin_overflow", verdict=Verdict.FALSE_ALARM, reason="weather")
    (picture,) = export.read(place).pictures
    assert (len(picture.boxes), len(picture.absent)) == (1, 1)


def test_days_are_held_out_but_a_case_is_on_one_side(export: Export, place: Path) -> None:
    for _ in range(60):
        export.add()
    held_out = {picture.case for picture in export.read(place).pictures if picture.is_held_out}
    assert held_out == {image["case"] for image in export.images if image["split"] != "train"}
    assert 0 < len(held_out) < 30
    for image in export.images:
        image["case"] = "one"
    assert not any(picture.is_held_out for picture in export.read(place).pictures)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(["train", "val", "test"])), max_size=30)
)
def test_no_case_and_no_picture_is_on_both_sides_and_none_joined_to_one_that_is_learnt(
    entries: list[tuple[int, int, str]],
) -> None:
    images = [
        verdict_form.Image(
            number, "", 8, 8, f"{picture:064}", cast("Any", split), "node", "camera", f"C{case}", "litter", "there"
        )
        for number, (case, picture, split) in enumerate(entries, start=1)
    ]
    learnt = _learnt_cases(images)
    joined = {frozenset({f"C{case}", f"{picture:064}"}) for case, picture, _ in entries}
    together = {f"C{case}" for case, _, split in entries if split == "train"}
    for _ in range(20):
        together |= {name for pair in joined if pair & together for name in pair}
    assert learnt == {name for name in together if name.startswith("C")}


def test_cases_that_share_pictures_with_a_learnt_one_over_a_third_are_learnt(export: Export, place: Path) -> None:
    for number in range(3):
        for content in (jpeg(number), jpeg(number + 1)):
            export.add(content, captured_at=AT, case_number=f"C{number}")
    for image in export.images:
        image["split"] = "test"
    export.images[0]["split"] = "train"
    assert not any(picture.is_held_out for picture in export.read(place).pictures)


def test_an_entry_packed_in_another_way_is_refused(export: Export, place: Path) -> None:
    image = export.add()
    content = export.files.pop(image["file_name"])
    export.written(place)
    for packed in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(place, "a") as archive:
            archive.writestr(image["file_name"], content, packed)
        with verdict_set(place) as found, pytest.raises(PictureUnusable) as raised:
            found.pixels(found.pictures[0])
        assert raised.value.why is LeftOut.NO_PICTURE
        export.written(place)


def test_a_pipe_in_a_folder_is_not_waited_for(export: Export, place: Path, tmp_path: Path) -> None:
    image = export.add()
    folder = tmp_path / "folder"
    with zipfile.ZipFile(export.written(place)) as archive:
        archive.extractall(folder)
    (folder / image["file_name"]).unlink()
    os.mkfifo(folder / image["file_name"])
    with verdict_set(folder) as found, pytest.raises(PictureUnusable) as raised:
        found.pixels(found.pictures[0])
    assert raised.value.why is LeftOut.NO_PICTURE


def test_a_box_that_sticks_out_is_cut_and_one_of_hardly_any_pixels_left_out(export: Export, place: Path) -> None:
    for bbox in ([-8, 12, 24, 24], [48, 12, 400, 24], [62, 12, 30, 24], [8, 8, 2, 20]):
        export.add()
        export.boxes[-1]["bbox"] = bbox
    found = export.read(place)
    boxes = sorted(picture.boxes[0].tolist() for picture in found.pictures)
    np.testing.assert_allclose(boxes, [(0, 0.25, 0.25, 0.75), (0.75, 0.25, 1, 0.75)], atol=1e-6)
    assert found.left_out == {LeftOut.OUTSIDE: 2}


def test_a_folder_is_read_as_its_zip_is(export: Export, place: Path, tmp_path: Path) -> None:
    export.add()
    export.written(place)
    with zipfile.ZipFile(place) as archive:
        archive.extractall(tmp_path / "unpacked")
    with verdict_set(tmp_path / "unpacked") as unpacked, verdict_set(place) as packed:
        (one,), (other,) = unpacked.pictures, packed.pictures
        assert one.file_name == other.file_name
        np.testing.assert_array_equal(unpacked.pixels(one), packed.pixels(other))


def change(**of: Any) -> Callable[[Export], None]:
    return lambda export: export.images[0].update(of)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda export: export.manifest.update(format="gridward-verdicts/2"), r"gridward-verdicts/1 is known"),
        (lambda export: setattr(export, "version", "other"), r"gridward-verdicts/1 is known"),
        (lambda export: export.manifest.clear(), r"manifest\.json"),
        (change(file_name="../../etc/passwd"), r"annotations\.json"),
        (change(file_name="/etc/passwd"), r"annotations\.json"),
        (change(width=0), r"annotations\.json"),
        (change(width=10**9), r"annotations\.json"),
        (change(split="all"), r"annotations\.json"),
        (change(sight="perhaps"), r"annotations\.json"),
        (change(incident_kind="x" * 1000), r"annotations\.json"),
        (lambda export: export.boxes[0].update(bbox=[1, 2, 3]), r"annotations\.json"),
        (lambda export: export.images.append(export.images[0]), r"twice"),
    ],
)
def test_what_no_platform_writes_is_refused(
    export: Export, place: Path, spoil: Callable[[Export], None], told: str
) -> None:
    export.add()
    spoil(export)
    with pytest.raises(DataProblem, match=told):
        export.read(place)


def test_what_is_no_export_is_refused_and_says_what_would_be_one(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    os.mkfifo(tmp_path / "pipe")
    for name, told in (
        ("text.zip", "neither a zip"),
        ("nowhere", "neither a zip"),
        ("other.zip", "no manifest"),
        ("pipe", "no file"),
    ):
        with pytest.raises(DataProblem, match=told), verdict_set(tmp_path / name):
            pass


def test_an_annotations_file_that_is_broken_or_swells_is_refused(export: Export, place: Path) -> None:
    export.add()
    for content, told in (
        (b'{"info":', "not as an export"),
        (b"[" * 100_000, "not as an export"),
        (b" " * (97 << 20), "bytes"),
    ):
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", json.dumps(export.manifest))
            archive.writestr("annotations.json", content)
        with pytest.raises(DataProblem, match=told), verdict_set(place):
            pass


def test_a_link_out_of_the_folder_is_refused(export: Export, place: Path, tmp_path: Path) -> None:
    image = export.add()
    folder = tmp_path / "folder"
    with zipfile.ZipFile(export.written(place)) as archive:
        archive.extractall(folder)
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    (folder / image["file_name"]).unlink()
    (folder / image["file_name"]).symlink_to(tmp_path / "secret.jpg")
    with verdict_set(folder) as found, pytest.raises(PictureUnusable) as raised:
        found.pixels(found.pictures[0])
    assert raised.value.why is LeftOut.NO_PICTURE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, LeftOut.GONE),
        (b"another", LeftOut.DAMAGED),
    ],
)
def test_a_picture_that_is_not_what_the_export_says_is_left_out(
    export: Export, place: Path, content: bytes | None, why: LeftOut
) -> None:
    image = export.add()
    del export.files[image["file_name"]]
    if content is not None:
        export.files[image["file_name"]] = content
    with verdict_set(export.written(place)) as found, pytest.raises(PictureUnusable) as raised:
        found.pixels(found.pictures[0])
    assert raised.value.why is why


def huge(content: bytes) -> bytes:
    """The header says 60,000 × 60,000 pixels."""
    at = content.index(b"\xff\xc0")
    return content[: at + 5] + (60_000).to_bytes(2, "big") * 2 + content[at + 9 :]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no picture", LeftOut.NO_PICTURE),
        (b"\xff\xd8\xff\xe0", LeftOut.NO_PICTURE),
        (huge(jpeg()), LeftOut.TOO_LARGE),
        (cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes(), LeftOut.OTHER_SIZE),
        (jpeg() + b"\0" * (17 << 20), LeftOut.TOO_LARGE),
    ],
    ids=["text", "cut", "huge", "other-size", "too-many-bytes"],
)
def test_a_picture_is_looked_at_before_it_is_unpacked(
    export: Export, place: Path, content: bytes, why: LeftOut
) -> None:
    export.add(content)
    with verdict_set(export.written(place)) as found, pytest.raises(PictureUnusable) as raised:
        found.pixels(found.pictures[0])
    assert raised.value.why is why


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_boxes_stay_inside_the_picture_or_are_left_out(
    tmp_path_factory: pytest.TempPathFactory, box: list[float]
) -> None:
    export = Export()
    export.add()
    export.boxes[0]["bbox"] = box
    found = export.read(tmp_path_factory.mktemp("v") / "v.zip")
    for picture in found.pictures:
        assert ((picture.boxes >= 0) & (picture.boxes <= 1)).all()
        assert (picture.boxes[:, 2:] > picture.boxes[:, :2]).all()
    assert len(found.pictures) + sum(found.left_out.values()) == 1


@given(st.binary(max_size=200))
def test_any_bytes_have_a_size_or_are_no_jpeg(content: bytes) -> None:
    try:
        width, height = jpeg_size(b"\xff\xd8" + content)
    except NoJpeg:
        return
    assert 0 < width <= 65_535
    assert 0 < height <= 65_535


def test_the_form_that_is_read_is_the_form_that_is_written(export: Export) -> None:
    export.add()
    assert verdict_form.FORMAT == labels.FORMAT
    needed = {field.name for field in msgspec.structs.fields(verdict_form.Image)}
    assert needed <= export.images[0].keys()
    assert {field.name for field in msgspec.structs.fields(verdict_form.Box)} <= export.boxes[0].keys()


def test_a_made_up_site_is_written_as_the_platform_writes_it(export: Export, tmp_path: Path) -> None:
    export.add(verdict=Verdict.FALSE_ALARM, reason="misdetection")
    path = tmp_path / "site.zip"
    write_made_site(path, 3, 12)
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("annotations.json"))
    assert {frozenset(image) for image in told["images"]} == {frozenset(export.images[0])}
    assert {frozenset(box) for box in told["annotations"]} == {frozenset(export.boxes[0])}
    for image in told["images"]:
        at = datetime.fromisoformat(image["date_captured"])
        assert image["split"] == labels.split_of(image["node"], image["device"], at, ZoneInfo("UTC"))
    with verdict_set(path) as found:
        assert found.pictures
        for picture in found.pictures:
            assert found.pixels(picture).shape == (360, 640, 3)

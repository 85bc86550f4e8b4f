"""A file that somebody brings: recognised through a real graph, tried, and refused in words where it can't be."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from edge.adoption.examination import Stated, examine, id_of
from edge.adoption.preparation import Values
from edge.adoption.sample import Sample, sample_of
from edge.errors import MediaUnusable, ModelUnusable
from edge.perception.detector import OnnxDetector
from models.catalogue import ResolvedModel
from models.manifest import Colour, Fit, Layout, Manifest
from tests.fakes import graphs
from tests.fakes.graphs import CAR, HEIGHT, PERSON, WIDTH, Head, Kind, Range, write_graph

AT = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = {"names": "{0: 'person', 1: 'car', 2: 'dog'}"}
BLACK_AND_WHITE = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
BLACK_AND_WHITE[: HEIGHT // 2] = 255
SAMPLE = Sample("black and white", BLACK_AND_WHITE)
STATED = Stated(licence="Apache-2.0")


def look_into(path: Path, head: Head, kind: Kind, stated: Stated = STATED, sample: Sample = SAMPLE) -> Manifest:
    return examine(write_graph(path / "mine.onnx", head, kind), stated, sample, at=AT).manifest


HEADS: dict[str, tuple[Callable[[], Head], str, Range]] = {
    "yolox": (graphs.yolox, "yolox", Range.BYTES),
    "yolox decoded": (graphs.yolox_decoded, "yolov5", Range.BYTES),
    "yolov5": (graphs.yolov5, "yolov5", Range.UNIT),
    "yolov5 and its raw heads": (lambda: graphs.yolov5(raw_heads=True), "yolov5", Range.UNIT),
    "yolov8": (graphs.yolov8, "yolov8", Range.UNIT),
    "end to end": (graphs.end_to_end, "end_to_end", Range.UNIT),
    "end to end of a yolox": (graphs.end_to_end, "end_to_end", Range.BYTES),
    "flat": (lambda: graphs.end_to_end(flat=True), "end_to_end_flat", Range.UNIT),
    "fastestdet": (graphs.fastestdet, "fastestdet", Range.UNIT),
    "nanodet": (graphs.nanodet, "nanodet", Range.IMAGENET),
    "detr": (graphs.detr, "detr", Range.UNIT),
    "detr with more outputs": (lambda: graphs.detr(further=True), "detr", Range.IMAGENET),
    "detr postprocessed": (graphs.detr_postprocessed, "detr_postprocessed", Range.UNIT),
}


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("name", HEADS)
def test_every_head_is_recognised_and_its_preparation_is_measured(tmp_path: Path, name: str, layout: Layout) -> None:
    make, decoder, wanted = HEADS[name]
    told = look_into(tmp_path, make(), Kind(range=wanted, metadata=NAMES, layout=layout))
    assert told.decoder == decoder
    assert told.labels == graphs.LABELS
    assert (told.input.width, told.input.height, told.input.layout) == (WIDTH, HEIGHT, layout)
    expected = {Range.BYTES: (1.0, 0.0), Range.UNIT: (1 / 255, 0.0), Range.IMAGENET: (1.0, 123.675)}[wanted]
    red = told.input.mean[0 if told.input.colour is Colour.RGB else 2]
    assert (told.input.scale, red) == expected
    found = OnnxDetector(ResolvedModel(told, tmp_path / "mine.onnx")).detect(BLACK_AND_WHITE)
    assert found.labels == ("person", "car")
    assert np.allclose(found.scores, [PERSON.score, CAR.score], atol=1e-4)
    assert np.allclose(found.boxes, np.array([PERSON.box, CAR.box]) / [WIDTH, HEIGHT, WIDTH, HEIGHT], atol=1e-4)


def test_what_is_usual_stays_where_nothing_else_is_clearly_better(tmp_path: Path) -> None:
    told = look_into(tmp_path, graphs.yolox(), Kind(range=Range.ANY, metadata=NAMES))
    assert (told.input.colour, told.input.fit, told.input.padding, told.input.scale) == (
        Colour.BGR,
        Fit.LETTERBOX,
        114,
        1,
    )


def test_what_is_stated_holds(tmp_path: Path) -> None:
    stated = Stated(
        model_id="gate-1",
        title="At the gate",
        licence="MIT",
        labels="car,person,van",
        values=Values.BYTES,
        colour=Colour.BGR,
        fit=Fit.STRETCH,
    )
    told = look_into(tmp_path, graphs.yolov8(), Kind(metadata=NAMES), stated)
    assert (told.id, told.title, told.licence, told.labels) == (
        "gate-1",
        "At the gate",
        "MIT",
        ("car", "person", "van"),
    )
    assert (told.input.scale, told.input.colour, told.input.fit) == (1, Colour.BGR, Fit.STRETCH)
    assert told.mirror == "models/gate-1.onnx"


def test_eighty_classes_are_those_of_coco_and_the_file_may_say_its_size(tmp_path: Path) -> None:
    kind = Kind(open_size=True, open_batch=True, metadata={"imgsz": f"[{HEIGHT}, {WIDTH}]"})
    told = look_into(tmp_path, graphs.yolov8(labels=80), kind)
    assert len(told.labels) == 80
    assert (told.input.width, told.input.height) == (WIDTH, HEIGHT)
    stated = Stated(licence="MIT", size=(WIDTH, HEIGHT))
    assert look_into(tmp_path, graphs.yolov8(labels=80), Kind(open_size=True), stated).input.width == WIDTH


REFUSED: dict[str, tuple[Head, Kind, Stated, str]] = {
    "size": (graphs.yolov8(), Kind(open_size=True, metadata=NAMES), STATED, "--size"),
    "another size": (graphs.yolov8(), Kind(metadata=NAMES), Stated(licence="MIT", size=(640, 640)), "64×96"),
    "too small": (graphs.yolov8(), Kind(width=8, height=8, metadata=NAMES), STATED, "no input for a detector"),
    "labels": (graphs.yolov8(), Kind(), STATED, "its 3 classes.*--labels"),
    "labels of a list": (graphs.end_to_end(), Kind(), STATED, "--labels"),
    "other labels": (graphs.yolov8(), Kind(), Stated(licence="MIT", labels="person,car"), "3 classes.*2 names"),
    "no watched label": (graphs.yolov8(), Kind(), Stated(licence="MIT", labels="a,b,c"), "watched"),
    "twice": (graphs.yolov8(), Kind(), Stated(licence="MIT", labels="car,car,c"), "twice"),
    "licence": (graphs.yolov8(), Kind(metadata=NAMES), Stated(), "--licence"),
    "bytes": (graphs.yolov8(), Kind(element=TensorProto.UINT8, metadata=NAMES), STATED, "32-bit floats"),
    "nothing found": (graphs.yolov8(()), Kind(metadata=NAMES), STATED, "--sample.*--values"),
    "another task": (graphs.yolov8(), Kind(metadata={**NAMES, "task": "pose"}), STATED, "`pose`"),
    "another head": (graphs.yolov8(), Kind(metadata=NAMES), Stated(licence="MIT", head="detr"), "can't be `detr`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_known_is_refused_with_what_to_state(tmp_path: Path, name: str) -> None:
    head, kind, stated, words = REFUSED[name]
    with pytest.raises(ModelUnusable, match=words):
        look_into(tmp_path, head, kind, stated)


def test_a_head_that_counts_otherwise_can_be_stated(tmp_path: Path) -> None:
    rows = np.zeros((1, 7, 50), dtype=np.float32)
    rows[0, :4, 0], rows[0, 4, 0] = (16, 32, 16, 32), 0.9
    odd = Head({"y": (rows, None)})
    with pytest.raises(ModelUnusable, match=r"can't be recognised.*--head.*yolov8"):
        look_into(tmp_path, odd, Kind(metadata=NAMES))
    told = look_into(tmp_path, odd, Kind(metadata=NAMES), Stated(licence="MIT", head="yolov8"))
    assert told.decoder == "yolov8"


def test_segments_and_faces_are_no_detector_of_ours(tmp_path: Path) -> None:
    base = graphs.yolov8().outputs
    masks = Head({**base, "output1": (np.zeros((1, 32, 16, 16), np.float32), None)})
    with pytest.raises(ModelUnusable, match=r"can't be recognised.*`output1` \(1, 32, 16, 16\)"):
        look_into(tmp_path, masks, Kind(metadata=NAMES))


def test_scores_above_one_are_not_believed(tmp_path: Path) -> None:
    head = graphs.yolov8((graphs.Thing(PERSON.box, 0, 37.0),))
    with pytest.raises(ModelUnusable, match=r"37 sure.*sigmoid"):
        look_into(tmp_path, head, Kind(metadata=NAMES))


def test_boxes_that_are_shares_of_the_picture_are_refused(tmp_path: Path) -> None:
    head = graphs.end_to_end((graphs.Thing((0.1, 0.2, 0.4, 0.9), 0, 0.9),))
    with pytest.raises(ModelUnusable, match="shares of the picture"):
        look_into(tmp_path, head, Kind(metadata=NAMES))


def test_where_all_is_stated_a_picture_of_nothing_is_a_warning(tmp_path: Path) -> None:
    stated = Stated(licence="MIT", values=Values.UNIT, colour=Colour.RGB, fit=Fit.LETTERBOX)
    path = write_graph(tmp_path / "mine.onnx", graphs.yolov8(()), Kind(metadata=NAMES))
    examined = examine(path, stated, SAMPLE, at=AT)
    assert "finds nothing" in examined.warnings[0]
    assert examined.because["preparation"] == "stated"


@pytest.mark.parametrize("content", [None, b"", b"no graph", bytes(1000)])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"mine\.onnx"):
        examine(path, STATED, SAMPLE, at=AT)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("My Model (v2).onnx", "my_model_v2"), ("yolo11n.onnx", "yolo11n"), ("火灾-3.onnx", "3"), ("A" * 99, "a" * 64)],
)
def test_the_name_comes_from_the_files(name: str, expected: str) -> None:
    assert id_of(Path(name)) == expected


def test_a_name_of_nothing_is_to_be_stated() -> None:
    with pytest.raises(ModelUnusable, match="--id"):
        id_of(Path("火灾.onnx"))


def test_a_sample_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"text", bytes(100)):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(MediaUnusable, match=r"a\.jpg"):
            sample_of(tmp_path / "a.jpg")
    with pytest.raises(MediaUnusable, match=r"none\.jpg"):
        sample_of(tmp_path / "none.jpg")

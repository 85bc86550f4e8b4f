"""Every head from a picture to boxes in it, through real graphs; and whatever a network may say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.errors import ModelUnusable
from edge.perception.decoders.registry import DECODERS, decoder
from edge.perception.detector import OnnxDetector
from models.catalogue import ResolvedModel
from models.manifest import Fit
from tests.fakes import graphs
from tests.fakes.graphs import CAR, DOG, HEIGHT, PERSON, SCENE, WIDTH, Head, Thing, manifest, write_graph

DOUBLE = Thing((8, 14, 24, 46), 0, 0.7)


@dataclass(frozen=True)
class Case:
    decoder: str
    head: Callable[..., Head]
    outputs: tuple[str, ...] = ()
    suppresses: bool = True


CASES = {
    "yolox": Case("yolox", graphs.yolox),
    "yolox_decoded": Case("yolov5", graphs.yolox_decoded),
    "yolov5": Case("yolov5", graphs.yolov5),
    "yolov5 and its raw heads": Case("yolov5", lambda *a: graphs.yolov5(*a, raw_heads=True), ("output0",)),
    "yolov8": Case("yolov8", graphs.yolov8),
    "fastestdet": Case("fastestdet", graphs.fastestdet),
    "nanodet": Case(
        "nanodet",
        graphs.nanodet,
        tuple(f"{kind}_pred_stride_{stride}" for kind in ("cls", "dis") for stride in (8, 16, 32)),
    ),
    "end_to_end": Case("end_to_end", graphs.end_to_end, suppresses=False),
    "end_to_end_flat": Case("end_to_end_flat", lambda *a: graphs.end_to_end(*a, flat=True), suppresses=False),
    "detr": Case("detr", graphs.detr, ("logits", "pred_boxes"), suppresses=False),
    "detr and more": Case("detr", lambda *a: graphs.detr(*a, further=True), ("logits", "pred_boxes"), suppresses=False),
    "detr_postprocessed": Case(
        "detr_postprocessed", graphs.detr_postprocessed, ("labels", "boxes", "scores"), suppresses=False
    ),
}


def opened(case: Case, path: Path, things: tuple[Thing, ...] = SCENE, fit: Fit = Fit.LETTERBOX) -> OnnxDetector:
    told = manifest(case.decoder, outputs=case.outputs)
    told = replace(told, input=replace(told.input, fit=fit))
    return OnnxDetector(ResolvedModel(told, write_graph(path / "tiny.onnx", case.head(things))))


def test_every_head_has_a_case() -> None:
    assert {case.decoder for case in CASES.values()} == set(DECODERS)


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("shape", [(96, 64), (480, 640), (1080, 1920), (90, 30)])
@pytest.mark.parametrize("name", CASES)
def test_boxes_come_back_to_the_pictures_own_coordinates(
    tmp_path: Path, name: str, shape: tuple[int, int], fit: Fit
) -> None:
    found = opened(CASES[name], tmp_path, fit=fit).detect(np.full((*shape, 3), 90, dtype=np.uint8))
    assert found.labels == ("person", "car")
    assert np.allclose(found.scores, [PERSON.score, CAR.score], atol=1e-4)
    rows, columns = shape
    ratio = min(WIDTH / columns, HEIGHT / rows)
    wide, high = (WIDTH, HEIGHT) if fit is Fit.STRETCH else (columns * ratio, rows * ratio)
    expected = np.array([PERSON.box, CAR.box]) / [wide, high, wide, high]
    assert np.allclose(found.boxes, expected, atol=1e-4)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.suppresses])
def test_of_two_boxes_on_one_thing_the_surer_stays(tmp_path: Path, name: str) -> None:
    found = opened(CASES[name], tmp_path, (DOUBLE, PERSON, CAR)).detect(np.zeros((96, 64, 3), dtype=np.uint8))
    assert np.allclose(found.scores, [PERSON.score, CAR.score], atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_nothing_there_is_nothing_found(tmp_path: Path, name: str) -> None:
    for things in ((), (DOG,)):
        found = opened(CASES[name], tmp_path, things).detect(np.zeros((96, 64, 3), dtype=np.uint8))
        assert len(found) == 0
        assert found.boxes.shape == (0, 4)


def test_an_end_to_end_graph_may_give_no_rows_at_all(tmp_path: Path) -> None:
    for flat, name in ((False, "end_to_end"), (True, "end_to_end_flat")):
        path = write_graph(tmp_path / f"{name}.onnx", graphs.end_to_end((), flat=flat, rows=0))
        found = OnnxDetector(ResolvedModel(manifest(name), path)).detect(np.zeros((96, 64, 3), dtype=np.uint8))
        assert len(found) == 0


@pytest.mark.parametrize("name", CASES)
def test_a_graph_of_another_head_is_refused(tmp_path: Path, name: str) -> None:
    path = write_graph(tmp_path / "tiny.onnx", CASES[name].head())
    fitting = {CASES[name].decoder}
    if name.startswith("yolox"):  # the shape does not tell whether boxes are worked out already
        fitting = {"yolox", "yolov5"}
    for other in sorted(set(DECODERS) - fitting):
        with pytest.raises(ModelUnusable, match="correct the manifest"):
            OnnxDetector(ResolvedModel(manifest(other), path))


def test_outputs_are_asked_for_by_name(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "tiny.onnx", graphs.detr())
    with pytest.raises(ModelUnusable, match=r"no output nothing, it has pred_boxes, logits"):
        OnnxDetector(ResolvedModel(manifest("detr", outputs=("nothing", "logits")), path))
    with pytest.raises(ModelUnusable, match="1 outputs, 2 expected"):
        OnnxDetector(ResolvedModel(manifest("detr", outputs=("logits",)), path))


def test_scores_are_brought_to_one_measure(tmp_path: Path) -> None:
    faint = Thing((40, 8, 56, 24), 1, 0.3)
    path = write_graph(tmp_path / "tiny.onnx", graphs.yolov8((PERSON, CAR, faint)))
    told = replace(manifest("yolov8"), score_exponent=2.5)
    found = OnnxDetector(ResolvedModel(told, path)).detect(np.zeros((96, 64, 3), dtype=np.uint8))
    assert np.allclose(found.scores, [PERSON.score**2.5, CAR.score**2.5], atol=1e-4)  # 0.3 ** 2.5 is less than a hint


SHAPES: dict[str, list[tuple[int, ...]]] = {
    "yolox": [(1, 126, 8)],
    "yolov5": [(1, 60, 8)],
    "yolov8": [(1, 7, 60)],
    "fastestdet": [(1, 8, 6, 4)],
    "nanodet": [(1, 96, 3), (1, 24, 3), (1, 6, 3), (1, 96, 32), (1, 24, 32), (1, 6, 32)],
    "end_to_end": [(1, 60, 6)],
    "end_to_end_flat": [(60, 6)],
    "detr": [(1, 60, 3), (1, 50, 4)],
    "detr_postprocessed": [(1, 60), (1, 50, 4), (1, 70)],
}


@hypothesis_settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1.0, 3.0, 100.0, 1e20, 3e38]),
    spice=st.sampled_from([None, float("nan"), float("inf"), float("-inf")]),
    name=st.sampled_from(sorted(DECODERS)),
)
def test_whatever_a_network_says_boxes_are_few_sorted_and_near_the_picture(
    seed: int, scale: float, spice: float | None, name: str
) -> None:
    random = np.random.default_rng(seed)
    head = decoder(manifest(name), [0, 1])
    outputs = []
    for shape in SHAPES[name]:
        values = np.clip(random.standard_normal(shape) * scale, -3e38, 3e38).astype(np.float32)
        whole = random.random(shape) < 0.3
        values[whole] = random.integers(-1, 4, int(whole.sum())).astype(np.float32)
        if spice is not None:
            values[random.random(shape) < 0.1] = spice
        outputs.append(values)
    with np.errstate(all="ignore"):
        boxes, scores, classes = head.decode(outputs, least_score=0.05)
    assert boxes.shape == (len(scores), 4)
    assert len(scores) == len(classes) <= 300
    assert np.isfinite(boxes).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes >= [-WIDTH, -HEIGHT, -WIDTH, -HEIGHT]).all()
    assert (boxes <= [2 * WIDTH, 2 * HEIGHT, 2 * WIDTH, 2 * HEIGHT]).all()
    assert np.isfinite(scores).all()
    assert (scores >= 0.05).all()
    assert (np.diff(scores) <= 0).all()
    assert set(classes.tolist()) <= {0, 1}


things = st.builds(
    lambda x, y, wide, high, label, score: Thing((x, y, x + wide, y + high), label, score),
    st.integers(0, WIDTH - 10),
    st.integers(0, HEIGHT - 10),
    st.integers(8, 10),
    st.integers(8, 10),
    st.sampled_from([0, 1, 2]),
    st.integers(10, 95).map(lambda percent: percent / 100),
)


@hypothesis_settings(max_examples=40)
@given(st.lists(things, max_size=6), st.sampled_from(["yolov5", "yolov8", "end_to_end", "detr"]))
def test_all_heads_say_the_same_of_the_same_things(told: list[Thing], name: str) -> None:
    """Held against the plainest of them, which lists what there is."""
    apart = [one for row, one in enumerate(told) if all(_apart(one, other) for other in told[:row])]
    plain = [one for one in apart if one.label in {0, 1}]
    plain.sort(key=lambda one: -one.score)
    head = CASES[name].head(apart)
    by_name = [base + (lit if lit is not None else 0) for base, lit in head.outputs.values()]
    outputs = by_name[::-1] if name == "detr" else by_name
    boxes, scores, _ = decoder(manifest(name), [0, 1]).decode(outputs, least_score=0.05)
    assert np.allclose(scores, [one.score for one in plain], atol=1e-4)
    listed = sorted(map(tuple, np.round(boxes).astype(int).tolist()))
    assert listed == sorted(tuple(map(int, one.box)) for one in plain)


def _apart(one: Thing, other: Thing) -> bool:
    across = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    down = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return across <= 0 or down <= 0

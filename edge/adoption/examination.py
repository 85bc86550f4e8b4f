"""From a file that somebody brings to a manifest (模型导入): what it is, tried on a picture, nothing written.

What can't be known is never guessed in silence: it is refused with the option that states it.
"""

import hashlib
import platform
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from edge.adoption.labels import Labels, labels_of
from edge.adoption.licence import Licence, licence_of
from edge.adoption.preparation import Preparation, Values, best, candidates
from edge.adoption.recognition import Head, Picture, picture_of, recognised, size_told, works_boxes_out
from edge.adoption.sample import Sample
from edge.adoption.timing import time_looks
from edge.errors import ModelUnusable
from edge.flow import Detections
from edge.inference import Declared, Graph, Node, Tensor, declared
from edge.perception.detector import OnnxDetector
from edge.perception.preprocess import input_shape
from models.catalogue import ResolvedModel
from models.manifest import Colour, Fit, Imported, Manifest

_LARGEST_BYTES: Final = 1 << 30
_FOUND: Final = 0.25
_A_SHARE: Final = 1.001
_TIMED_RUNS: Final = 10
_CHUNK_BYTES: Final = 1 << 20
_IN_PIXELS: Final = frozenset({"yolov5", "yolov8", "end_to_end", "end_to_end_flat", "detr_postprocessed"})


@dataclass(frozen=True, slots=True)
class Stated:
    """What whoever imports states himself; None is to be found out."""

    model_id: str | None = None
    title: str | None = None
    labels: str | None = None
    licence: str | None = None
    head: str | None = None
    size: tuple[int, int] | None = None
    values: Values | None = None
    colour: Colour | None = None
    fit: Fit | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One way of preparing the picture and what was found in it with it."""

    preparation: Preparation
    found: Detections
    strength: float


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out. `because` says of head, labels and preparation how each is known."""

    manifest: Manifest
    because: dict[str, str]
    warnings: tuple[str, ...]
    sample: str
    trials: tuple[Trial, ...]
    chosen: Trial


def examine(file: Path, stated: Stated, sample: Sample, *, at: datetime) -> Examined:
    """Find out what a file of weights is, and try it on a picture.

    Raises ModelUnusable, which says what is wrong with the file, or what to state.
    """
    model_id = stated.model_id or id_of(file)
    sha256, size_bytes = _hashed(file)
    told = declared(file, file.name)
    licence = licence_of(told.metadata, stated.licence)
    if (task := told.metadata.get("task", "detect")) != "detect":
        raise ModelUnusable(f"{file.name} says that it is for `{task}`; a detector is expected")
    picture = picture_of(told.inputs, stated.size or size_told(told.metadata))
    head = _head(file, told, picture, stated.head)
    labels = labels_of(head.classes, told.metadata, stated.labels)
    bare = Manifest(
        id=model_id,
        sha256=sha256,
        bytes=size_bytes,
        licence=licence.name,
        licence_note=licence.note,
        source=Imported(file.name, at),
        mirror=f"models/{model_id}.onnx",
        version="1.0.0",
        title=stated.title or f"{file.stem}, imported",
        input=candidates(head.decoder)[0].input_of(picture),
        decoder=head.decoder,
        labels=labels.names,
        figures=MappingProxyType({}),
        outputs=head.outputs,
    )
    ways = candidates(head.decoder, values=stated.values, colour=stated.colour, fit=stated.fit)
    entries = tuple((way, replace(bare, input=way.input_of(picture))) for way in ways)
    return _tried(file, entries, sample, _Known(head, labels, licence))


def id_of(file: Path) -> str:
    """A name for the catalogue, made of the file's. Raises ModelUnusable when nothing of it can be used."""
    name = re.sub(r"[^a-z0-9._-]+", "_", file.stem.lower()).strip("._-")[:64].strip("._-")
    if not name:
        raise ModelUnusable(f"{file.name} gives no name for the catalogue; state one by --id")
    return name


@dataclass(frozen=True, slots=True)
class _Known:
    head: Head
    labels: Labels
    licence: Licence


def _tried(file: Path, entries: tuple[tuple[Preparation, Manifest], ...], sample: Sample, known: _Known) -> Examined:
    trials = _trials(file, entries, sample)
    index = best([trial.strength for trial in trials])
    warnings = list(known.licence.warnings)
    if index is None and len(entries) > 1:
        raise ModelUnusable(
            f"in {sample.name} it finds nothing, whichever way the picture is prepared; give a picture of something that it knows "
            "by --sample, or state --values, --colour and --fit"
        )
    if index is None:
        warnings.append(f"in {sample.name} it finds nothing: whether it works is not shown")
    chosen = trials[index or 0]
    usual = chosen.preparation == entries[0][0]
    how = "stated" if len(entries) == 1 else "usual for this head" if usual else "finds clearly more than what is usual"
    manifest = next(manifest for way, manifest in entries if way == chosen.preparation)
    timing = time_looks(OnnxDetector(ResolvedModel(manifest, file)), sample.image, runs=_TIMED_RUNS, warm_up=2)
    figures: dict[str, float | str] = {
        "inference_ms": timing.inference.p50_ms,
        "surest_in_sample": round(float(chosen.found.scores.max(initial=0)), 3),
        "measured_on": f"{sample.name}; one thread, {platform.machine()}",
    }
    because = {"head": known.head.because, "labels": known.labels.known_by, "preparation": how}
    manifest = replace(manifest, figures=MappingProxyType(figures))
    return Examined(manifest, because, tuple(warnings), sample.name, trials, chosen)


def _trials(file: Path, entries: tuple[tuple[Preparation, Manifest], ...], sample: Sample) -> tuple[Trial, ...]:
    """The ways that could be tried: a network may fail over numbers that it does not expect. Raises where it fails over all."""
    trials: list[Trial] = []
    problems: list[ModelUnusable] = []
    for way, manifest in entries:
        try:
            trials.append(_trial(file, manifest, way, sample))
        except ModelUnusable as problem:
            problems.append(problem)
    if not trials:
        raise problems[0]
    return tuple(trials)


def _trial(file: Path, manifest: Manifest, way: Preparation, sample: Sample) -> Trial:
    detector = OnnxDetector(ResolvedModel(manifest, file))
    boxes, scores, _ = detector.infer(detector.prepare(sample.image)[0])
    if len(scores) and scores.max() > _A_SHARE:
        raise ModelUnusable(
            f"it says to be {scores.max():.3g} sure of something, 1 is the most: the head is not {manifest.decoder}, or was exported "
            "without its sigmoid; state another by --head, or export it again"
        )
    sure = boxes[scores >= _FOUND]
    if manifest.decoder in _IN_PIXELS and len(sure) and np.abs(sure).max() <= 2:
        raise ModelUnusable(
            "its boxes are shares of the picture, pixels are expected; export it so that boxes are in pixels"
        )
    found = detector.detect(sample.image)
    return Trial(way, found, float(found.scores[found.scores >= _FOUND].sum()))


def _head(file: Path, told: Declared, picture: Picture, stated: str | None) -> Head:
    outputs, answers = _run_once(file, told, picture)
    heads = recognised(outputs, picture, stated)
    if {head.decoder for head in heads} == {"yolox", "yolov5"}:
        rows = answers[heads[0].outputs[0]][0]
        wanted = "yolov5" if works_boxes_out(rows, picture) else "yolox"
        return next(head for head in heads if head.decoder == wanted)
    if len(heads) > 1:
        names = " or ".join(head.decoder for head in heads)
        raise ModelUnusable(f"the head may be {names}; state it by --head")
    return heads[0]


def _run_once(file: Path, told: Declared, picture: Picture) -> tuple[list[Node], dict[str, Tensor]]:
    """All outputs with the lengths that only a run shows."""
    shape = input_shape(Preparation(Values.BYTES, Colour.BGR, Fit.STRETCH).input_of(picture))
    size = np.array([[picture.width, picture.height]], dtype=np.int64)
    graph = Graph(
        file,
        shape,
        [node.shape for node in told.outputs],
        model=file.name,
        further_inputs=(size,) if picture.wants_size else (),
    )
    grey = np.full(shape, 114, dtype=np.float32)
    answers = dict(zip((node.name for node in told.outputs), graph.run(grey), strict=True))
    return [replace(node, shape=answers[node.name].shape) for node in told.outputs], answers


def _hashed(file: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                if size > _LARGEST_BYTES:
                    raise ModelUnusable(f"{file} is larger than {_LARGEST_BYTES >> 30} GiB")
    except OSError as error:
        raise ModelUnusable(f"{file} can't be read: {error}") from error
    if not size:
        raise ModelUnusable(f"{file} is empty")
    return digest.hexdigest(), size

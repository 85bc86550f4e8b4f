"""Fine-tuning: from shipped weights and a site's own verdicts to weights of the site, with a manifest where they are better.

Beside the site's pictures it learns from made scenes, in which all is known, and from the sets where they are at hand: what a network is not
shown it forgets. The scales of its scores stay those of the weights that it begins with: what a site has judged is too little, and too much of
what the detector was sure of, to fit them anew.
"""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from models import imported
from models.datasets.labels import LABELS, Label
from models.datasets.pictures import DataProblem, LabelledPicture, read_sets
from models.datasets.split import Part, part_of
from models.datasets.verdicts import LeftOut, VerdictSet, verdict_set
from models.manifest import Colour, Fit, Imported, Input, Layout, Manifest
from models.training.before_after import Figures, Judgement, figures, judged
from models.training.calibration import fold
from models.training.checkpoint import CHECKPOINT
from models.training.export import exported
from models.training.judged import judged_samples
from models.training.network import Detector
from models.training.recipe import Recipe
from models.training.run import CPU, Progress, Run
from models.training.samples import Sample, sample_of
from models.training.scenery import scene_samples
from models.training.weights_file import Base, read_base

_MEASURED_SEED: Final = 1_000_003
"""Scenes that are measured on are none of those that are learnt from."""
_SET_SHARE: Final = 1.5
"""So many pictures of the sets beside each of the site's, where they are at hand."""
_MEASURED_PICTURES: Final = 200
_ORDER: Final = "order.json"
_LICENCE: Final = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class TuneOrder:
    """What to tune: the export, the weights to begin with, the run's folder, the folder of the sets if it is at hand, what kinds of incidents
    mean, how, and how many made scenes are learnt from at least and measured on.
    """

    verdicts: Path
    weights: Path
    folder: Path
    data: Path | None
    kinds: Mapping[str, Label]
    recipe: Recipe
    fewest_scenes: int = 60
    measured_scenes: int = 80
    device: torch.device = CPU


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it. `manifest` is None where the result is not better."""

    export: str
    learnt_from: int
    held_out: int
    left_out: Mapping[LeftOut, int]
    without_class: Mapping[str, int]
    before: Mapping[str, Figures]
    after: Mapping[str, Figures]
    judgement: Judgement
    file: Path
    manifest: Path | None


SITE: Final = "the site's held-out pictures"
SCENES: Final = "made scenes"
SETS: Final = "the sets' validation part"


@dataclass(frozen=True, slots=True)
class _Material:
    learnt: list[Sample]
    site: int
    measured: Mapping[str, list[Sample]]
    left_out: Counter[LeftOut]


def tune(
    order: TuneOrder,
    at: datetime,
    say: Callable[[str], None] = lambda _words: None,
    progress: Callable[[Progress], None] = lambda _told: None,
) -> Tuned:
    """Learn from the export, or go on with a run that was interrupted. Raises DataProblem."""
    base = read_base(order.weights, order.recipe.shape)
    sets = [] if order.data is None else read_sets(order.data)
    with verdict_set(order.verdicts, order.kinds) as verdicts:
        made_of = _made_of(order, base, verdicts, sets)
        _check_folder(order.folder, made_of)
        material = _material(order, verdicts, sets, say)
        left_out = Counter(verdicts.left_out) + material.left_out
        export, without = verdicts.export, dict(verdicts.without_class)
    _note_order(order.folder, made_of)
    run = Run(order.folder, order.recipe, base.state, order.device)
    say("measuring before")
    before = _measured(base.network(order.recipe.shape), base, material)
    say(f"learning from {len(material.learnt)} pictures, {material.site} of them the site's")
    run.train(material.learnt, [], progress=progress)
    say("measuring after")
    after = _measured(run.averaged, base, material)
    judgement = judged(
        (before[SITE], after[SITE]), {name: (before[name], after[name]) for name in before if name != SITE}
    )
    run.note(
        {
            "tuned": {"export": export, "better": judgement.is_better, "why": judgement.why},
            "before": {name: each.as_json() for name, each in before.items()},
            "after": {name: each.as_json() for name, each in after.items()},
        }
    )
    file, manifest = _write(order, base, after[SITE], judgement, at)
    return Tuned(
        export,
        material.site,
        len(material.measured[SITE]),
        left_out,
        without,
        before,
        after,
        judgement,
        file,
        manifest,
    )


def _made_of(
    order: TuneOrder, base: Base, verdicts: VerdictSet, sets: Sequence[LabelledPicture]
) -> dict[str, str | int | None]:
    """What decides on a run's result beside its recipe, which its checkpoint tells."""
    judged_ones = hashlib.sha256()
    for each in verdicts.pictures:
        judged_ones.update(f"{each.file_name} {each.sha256} {each.is_held_out}\n".encode())
        for numbers in (each.boxes, each.classes, each.absent, each.absent_classes):
            judged_ones.update(f"{numbers.tolist()}\n".encode())
    of_sets = hashlib.sha256()
    for picture in sets:
        of_sets.update(f"{picture.key} {picture.boxes.tolist()} {picture.classes.tolist()}\n".encode())
    return {
        "weights": base.weights_hash,
        "side_px": base.size,
        "export": verdicts.export,
        "pictures": judged_ones.hexdigest(),
        "sets": of_sets.hexdigest() if sets else None,
        "scenes": order.fewest_scenes,
    }


def _check_folder(folder: Path, made_of: Mapping[str, str | int | None]) -> None:
    """Raises DataProblem where the folder holds a run of something else."""
    note = folder / _ORDER
    if note.exists():
        try:
            known = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if known != made_of:
            raise DataProblem(
                f"{folder} holds a run from another export, other weights, another input size or other sets; name another folder with --run"
            )
    elif (folder / CHECKPOINT).exists():
        raise DataProblem(f"{folder} holds a run of another kind; name another folder with --run")


def _note_order(folder: Path, made_of: Mapping[str, str | int | None]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_ORDER}.part"
    part.write_text(json.dumps(made_of), encoding="utf-8")
    part.replace(folder / _ORDER)


def _material(
    order: TuneOrder, verdicts: VerdictSet, sets: Sequence[LabelledPicture], say: Callable[[str], None]
) -> _Material:
    say(f"reading {len(verdicts.pictures)} judged pictures")
    own, unusable = judged_samples(verdicts, [each for each in verdicts.pictures if not each.is_held_out])
    held_out, also = judged_samples(verdicts, [each for each in verdicts.pictures if each.is_held_out])
    if len(own) < order.recipe.batch:
        raise DataProblem(
            f"{len(own)} judged pictures to learn from, {order.recipe.batch} are the least: export more days or cameras, "
            "and say with --kind what other kinds of incidents show"
        )
    scenes = max(order.fewest_scenes, round(order.recipe.scene_share * len(own)))
    say(f"drawing {scenes + order.measured_scenes} scenes")
    learnt = own + scene_samples(order.recipe.seed, scenes)
    measured = {SITE: held_out, SCENES: scene_samples(_MEASURED_SEED, order.measured_scenes)}
    if sets:
        say("reading the sets")
        wanted = round(_SET_SHARE * len(own))
        learnt += _some(part_of(sets, Part.TRAINING), wanted, order.recipe.seed)
        measured[SETS] = _some(part_of(sets, Part.VALIDATION), _MEASURED_PICTURES, _MEASURED_SEED)
    return _Material(learnt, len(own), measured, unusable + also)


def _some(pictures: Sequence[LabelledPicture], count: int, seed: int) -> list[Sample]:
    chosen = np.random.default_rng(seed).permutation(len(pictures))[:count]
    return [sample_of(pictures[index], None) for index in chosen]


def _measured(network: Detector, base: Base, material: _Material) -> dict[str, Figures]:
    """The figures of the network as it would be exported, its scores on scale."""
    on_scale = copy.deepcopy(network).eval()
    fold(on_scale, base.scales)
    return {name: figures(on_scale, samples, base.size) for name, samples in material.measured.items()}


def _write(
    order: TuneOrder, base: Base, after: Figures, judgement: Judgement, at: datetime
) -> tuple[Path, Path | None]:
    """The exported network, and its manifest where it is better; an older manifest goes first."""
    name = f"gridward_nano_{base.size}_site"
    file, written = order.folder / f"{name}.onnx", order.folder / f"{name}.yaml"
    written.unlink(missing_ok=True)
    content = exported(
        order.folder / CHECKPOINT, order.recipe, base.size, title=name, licence=_LICENCE, scales=base.scales
    )
    file.write_bytes(content)
    if not judgement.is_better:
        return file, None
    manifest = _manifest(name, base.size, content, after, at)
    written.write_text(imported.text(manifest), encoding="utf-8")
    return file, written


def _manifest(name: str, size: int, content: bytes, after: Figures, at: datetime) -> Manifest:
    digest = hashlib.sha256(content).hexdigest()
    return Manifest(
        id=name,
        sha256=digest,
        bytes=len(content),
        licence=_LICENCE,
        licence_note="Our own detector, tuned on verdicts of this site: what it saw there is nobody else's",
        source=Imported(f"{name}.onnx", at),
        mirror=f"{name}.onnx",
        version=f"site-{digest[:12]}",
        title="Our own detector, tuned on this site's own verdicts",
        input=Input(size, size, Layout.NCHW, Colour.BGR, Fit.LETTERBOX, 114, 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        decoder="yolox",
        labels=tuple(label.value for label in LABELS),
        figures={f"{label.value}_ap50": round(value, 3) for label, value in after.ap50.items()}
        | {"measured_on": f"{sum(after.boxes.values())} held-out boxes of this site's own export"},
    )


def as_json(tuned: Tuned) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "export": tuned.export,
        "learnt_from": tuned.learnt_from,
        "held_out": tuned.held_out,
        "left_out": {why.value: count for why, count in sorted(tuned.left_out.items())},
        "kinds_without_class": dict(tuned.without_class),
        "before": {name: each.as_json() for name, each in tuned.before.items()},
        "after": {name: each.as_json() for name, each in tuned.after.items()},
        "better": tuned.judgement.is_better,
        "why": tuned.judgement.why,
        "file": str(tuned.file),
        "manifest": None if tuned.manifest is None else str(tuned.manifest),
    }

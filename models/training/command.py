"""`python -m models.training`: from the folder of the sets to weights. Needs PyTorch, which is not part of the service's environment."""

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from edge.errors import ModelUnusable
from models.datasets.pictures import DataProblem, LabelledPicture, counts, read_sets
from models.datasets.split import Part, compute_split, part_of, read_split
from models.training import checkpoint
from models.training.calibration import scales_of
from models.training.checkpoint import CHECKPOINT
from models.training.circumstances import began, circumstances, differences
from models.training.curves import draw, epochs_of, last_precisions
from models.training.device import Device, found
from models.training.export import averaged, exported, weights_hash
from models.training.mean import write_mean
from models.training.recipe import RECIPES, Precision, Recipe
from models.training.run import Progress, Run, note
from models.training.samples import Sample, Taught, sample_of
from models.training.scenery import scene_samples
from models.training.teacher import teach
from models.training.tune_command import add_actions, seed, threads, weights_of
from models.training.weights_file import read_base

SPLIT_FILE: Final = Path(__file__).resolve().parents[1] / "datasets" / "split.txt"
_TAUGHT: Final = "taught.npz"
_HEAD: Final = "# Written by `python -m models.training split`: the part and the key of each picture.\n"
_LICENCE: Final = "Apache-2.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all went well, 130 when it was interrupted (a run can be gone on with)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except (DataProblem, ModelUnusable) as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"{error.filename or 'a file'}: {error.strerror}; name a folder that can be written with --run or --to\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on after the last whole epoch\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.training", description="Train our own detector.")
    actions = parser.add_subparsers(required=True)

    def action(name: str, act: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about, description=about)
        made.set_defaults(act=act)
        return made

    split = action("split", _split, "write anew which pictures are held out, and say what changes")
    split.add_argument("--data", type=Path, required=True, help="the folder of the sets, with classes.txt")
    train = action("train", _train, "train, or go on with a run that was interrupted, and export the network")
    train.add_argument("--data", type=Path, required=True, help="the folder of the sets, with classes.txt")
    train.add_argument("--run", type=Path, required=True, help="the folder of the run: checkpoint, log, weights")
    train.add_argument("--recipe", choices=sorted(RECIPES), default="standard")
    train.add_argument(
        "--from",
        dest="weights",
        type=Path,
        help="begin with weights of ours, an exported file or the folder of a run, instead of random ones (`--recipe further`)",
    )
    train.add_argument("--seed", type=seed, default=1)
    train.add_argument("--threads", type=threads, default=2)
    train.add_argument(
        "--device", type=Device, choices=list(Device), default=Device.AUTO, help="a GPU where there is one"
    )
    train.add_argument("--json", action="store_true", help="answer as JSON")
    train.add_argument("--precision", choices=[each.value for each in Precision])
    export = action("export", _export, "write the averaged network of a run as ONNX")
    export.add_argument("--run", type=Path, required=True)
    export.add_argument("--size", type=int, choices=(320, 416), default=320)
    export.add_argument("--data", type=Path, help="the folder of the sets, on which scores are brought to scale")
    mean = action(
        "mean", _mean, "the mean of exported weights that were learnt one from the other, as a run of its own"
    )
    mean.add_argument("--of", type=Path, nargs="+", required=True, help="exported files, or folders of runs")
    mean.add_argument("--run", type=Path, required=True, help="a new folder; `export --run` makes files of it")
    hashed = action("hash", _hash, "the SHA-256 of the averaged weights of a run")
    hashed.add_argument("--run", type=Path, required=True)
    for each in (export, hashed, mean):
        each.add_argument("--recipe", choices=sorted(RECIPES), default="standard")
    add_actions(action)
    return parser


def _split(options: argparse.Namespace) -> int:
    pictures = read_sets(options.data)
    before, after = dict(read_split()), compute_split(pictures)
    SPLIT_FILE.write_text(_HEAD + "".join(f"{after[key].value} {key}\n" for key in sorted(after)), encoding="utf-8")
    moved = sum(before.get(key) not in {None, part} for key, part in after.items())
    new, gone = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    sys.stdout.write(f"{len(after)} pictures: {new} new, {moved} in another part than before, {gone} gone\n")
    for part in Part:
        of_part = [picture for picture in pictures if after[picture.key] is part]
        boxes = ", ".join(f"{label.value} {count}" for label, count in counts(of_part).items())
        sys.stdout.write(f"{part.value}: {len(of_part)} pictures; {boxes}\n")
    return 0


def _train(options: argparse.Namespace) -> int:
    recipe = _recipe(options)
    pictures = read_sets(options.data)
    learnt_from, validation = part_of(pictures, Part.TRAINING), part_of(pictures, Part.VALIDATION)
    device = found(options.device)
    base = None if options.weights is None else read_base(weights_of(options.weights), recipe.shape)
    run = Run(options.run, recipe, None if base is None else base.state, device)
    now = circumstances(recipe, learnt_from, device.type, None if base is None else base.weights_hash)
    if run.epoch == 0:
        run.note({"began": now})
    else:
        sys.stderr.write(f"going on after epoch {run.epoch} of {recipe.epochs}\n")
        for other in differences(began(options.run), now):
            sys.stderr.write(f"  with {other} than it began with: the result is that of neither\n")
    samples = _samples(learnt_from, recipe, options.run)
    try:
        with _bar("training") as bar:
            run.train(samples, validation, progress=lambda told: _tell(bar, told))
    finally:
        curves = draw(options.run)
    file = _write(options.run, recipe, recipe.stages[-1].size, validation)
    ended = {"weights_sha256": weights_hash(options.run / CHECKPOINT), "file": file.name}
    run.note({"ended": ended})
    if options.json:
        precisions = last_precisions(epochs_of(options.run))
        told = {"file": str(file), "curves": str(curves), "epochs": run.epoch, "ap50": precisions}
        sys.stdout.write(json.dumps(ended | told, indent=2) + "\n")
    else:
        sys.stdout.write(f"{file}\n{curves}\n")
    return 0


def _recipe(options: argparse.Namespace) -> Recipe:
    chosen = RECIPES[options.recipe]
    precision = Precision(options.precision) if options.precision else chosen.precision
    return chosen.with_choices(seed=options.seed, threads=options.threads, precision=precision)


def _samples(pictures: Sequence[LabelledPicture], recipe: Recipe, folder: Path) -> list[Sample]:
    taught = _taught(pictures, recipe.teacher, folder / _TAUGHT)
    with _bar("reading pictures", len(pictures)) as bar:
        samples = []
        for picture in pictures:
            samples.append(sample_of(picture, taught[picture.key]))
            bar.update()
    wanted = round(recipe.scene_share * len(pictures))
    with _bar("drawing scenes", wanted) as bar:
        return samples + scene_samples(recipe.seed, wanted, lambda _done: bar.update())


def _taught(pictures: Sequence[LabelledPicture], teacher: str, kept: Path) -> dict[str, Taught]:
    """What the teacher says, from the run's folder where it has been asked about all of them before."""
    with contextlib.suppress(OSError, KeyError, ValueError, EOFError, BadZipFile), np.load(kept) as held:
        return {
            picture.key: Taught(*(held[f"{part}/{picture.key}"] for part in ("boxes", "classes", "scores")))
            for picture in pictures
        }
    with _bar(f"asking {teacher}", len(pictures)) as bar:
        taught = teach(pictures, teacher, lambda _done: bar.update())
    parts = {
        f"{part}/{key}": getattr(each, part) for key, each in taught.items() for part in ("boxes", "classes", "scores")
    }
    content = io.BytesIO()
    np.savez_compressed(content, **parts)
    checkpoint.keep(kept, content.getvalue())
    return taught


def _export(options: argparse.Namespace) -> int:
    validation = [] if options.data is None else part_of(read_sets(options.data), Part.VALIDATION)
    if not validation:
        sys.stderr.write("without --data scores stay as training left them: too low for the thresholds of rules\n")
    sys.stdout.write(f"{_write(options.run, RECIPES[options.recipe], options.size, validation)}\n")
    return 0


def _mean(options: argparse.Namespace) -> int:
    recipe = RECIPES[options.recipe]
    bases = write_mean([weights_of(named) for named in options.of], options.run, recipe)
    ended = {"weights_sha256": weights_hash(options.run / CHECKPOINT)}
    note(options.run, {"mean_of": [base.weights_hash for base in bases]} | ended)
    sys.stdout.write(f"{ended['weights_sha256']}\n")
    return 0


def _hash(options: argparse.Namespace) -> int:
    sys.stdout.write(f"{weights_hash(_checkpoint(options.run))}\n")
    return 0


def _write(folder: Path, recipe: Recipe, size: int, validation: Sequence[LabelledPicture]) -> Path:
    held, file = _checkpoint(folder), folder / f"gridward_nano_{size}.onnx"
    scales = scales_of(averaged(held, recipe), validation, size) if validation else {}
    checkpoint.keep(file, exported(held, recipe, size, title="gridward_nano", licence=_LICENCE, scales=scales))
    return file


def _checkpoint(folder: Path) -> Path:
    if not (folder / CHECKPOINT).exists():
        raise DataProblem(f"{folder} holds no run; train one with `python -m models.training train --run {folder}`")
    return folder / CHECKPOINT


def _bar(about: str, total: int | None = None) -> "tqdm[Any]":
    return tqdm(total=total, desc=about, unit="", dynamic_ncols=True, mininterval=1.0)


def _tell(bar: "tqdm[Any]", told: Progress) -> None:
    bar.total = told.epochs * told.batches
    bar.set_postfix_str(f"epoch {told.epoch}/{told.epochs}, loss {told.loss:.2f}", refresh=False)
    bar.update((told.epoch - 1) * told.batches + told.batch - bar.n)

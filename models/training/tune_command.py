"""`python -m models.training tune` and `made-site`: a site's own verdicts to weights of the site, and an export to try it with."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from models.datasets.labels import LABELS, Label
from models.datasets.pictures import DataProblem
from models.datasets.verdicts import KINDS
from models.training.before_after import TOLD_FROM
from models.training.device import Device, found
from models.training.made_site import write_made_site
from models.training.recipe import RECIPES, Precision
from models.training.run import Progress
from models.training.tuning import SITE, Tuned, TuneOrder, as_json, tune

SHIPPED: Final = Path(__file__).resolve().parents[1] / "weights" / "gridward_nano_320.onnx"
MOST: Final = 50_000
_EXPORTED: Final = "gridward_nano_*.onnx"
NOT_BETTER: Final = 3
"""The exit status where the result may not be called better."""

Action = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_actions(action: Action) -> None:
    """Add `tune` and `made-site` to the command line."""
    tuned = action("tune", _tune, "learn from the verdicts of a site; exit status 3 where that made nothing better")
    tuned.add_argument("--verdicts", type=Path, required=True, help="a labelled export: the zip, or its folder")
    tuned.add_argument(
        "--run", type=Path, required=True, help="the folder of the run: checkpoint, log, weights, manifest"
    )
    tuned.add_argument(
        "--from",
        dest="weights",
        type=Path,
        default=SHIPPED,
        help="exported weights, or the folder of a run; else those shipped",
    )
    tuned.add_argument("--data", type=Path, help="the folder of the sets, against forgetting, where it is at hand")
    tuned.add_argument(
        "--kind",
        type=_kind,
        action="append",
        default=[],
        metavar="KIND=CLASS",
        help="what the incidents of a kind show, for example intrusion=person",
    )
    tuned.add_argument("--recipe", choices=sorted(RECIPES), default="tune")
    tuned.add_argument(
        "--epochs", type=_count, help="how often all pictures are looked at, where not as the recipe has it"
    )
    tuned.add_argument("--seed", type=seed, default=1)
    tuned.add_argument("--threads", type=threads, default=2)
    tuned.add_argument(
        "--device", type=Device, choices=list(Device), default=Device.AUTO, help="a GPU where there is one"
    )
    tuned.add_argument("--precision", choices=[each.value for each in Precision])
    tuned.add_argument("--json", dest="as_json", action="store_true", help="the figures as JSON")
    made = action("made-site", _made_site, "write a made-up labelled export, to see how fine-tuning goes")
    made.add_argument("--to", type=Path, required=True, help="the zip to write")
    made.add_argument("--pictures", type=_count, default=300)
    made.add_argument("--seed", type=seed, default=1)


def _kind(told: str) -> tuple[str, Label]:
    kind, _, name = told.partition("=")
    if not kind or name not in LABELS:
        raise argparse.ArgumentTypeError(f"{told[:80]!r}: KIND=CLASS is expected, CLASS one of {', '.join(LABELS)}")
    return kind, Label(name)


def _whole(told: str, least: int, most: int) -> int:
    if not (told.isascii() and told.isdigit() and len(told) <= 10 and least <= int(told) <= most):
        raise argparse.ArgumentTypeError(f"{told[:80]!r}: a whole number of {least} to {most} is expected")
    return int(told)


def _count(told: str) -> int:
    return _whole(told, 1, MOST)


def seed(told: str) -> int:
    """What all chance follows from, as it stands on the command line."""
    return _whole(told, 0, 2**31 - 1)


def threads(told: str) -> int:
    """How many threads compute, as it stands on the command line."""
    return _whole(told, 1, 256)


def _made_site(options: argparse.Namespace) -> int:
    write_made_site(options.to, options.seed, options.pictures)
    sys.stdout.write(f"{options.to}\n")
    return 0


def _tune(options: argparse.Namespace) -> int:
    chosen = RECIPES[options.recipe]
    precision = Precision(options.precision) if options.precision else chosen.precision
    recipe = chosen.with_choices(seed=options.seed, threads=options.threads, precision=precision)
    if options.epochs is not None:
        recipe = recipe.of_epochs(options.epochs)
    kinds = {**KINDS, **dict(options.kind)}
    order = TuneOrder(
        options.verdicts,
        weights_of(options.weights),
        options.run,
        options.data,
        kinds,
        recipe,
        device=found(options.device),
    )
    with tqdm(desc="tuning", unit="", dynamic_ncols=True, mininterval=1.0) as bar:
        tuned = tune(order, datetime.now(UTC), bar.set_description, lambda told: _tell(bar, told))
    sys.stdout.write(json.dumps(as_json(tuned), indent=2) + "\n" if options.as_json else _words(tuned))
    return 0 if tuned.judgement.is_better else NOT_BETTER


def weights_of(named: Path) -> Path:
    """The exported weights that `--from` names: a file, or the only ones of a run's folder. Raises DataProblem."""
    if not named.is_dir():
        return named
    found = sorted(named.glob(_EXPORTED))
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found) or f"no {_EXPORTED}"
    raise DataProblem(f"{named} holds {names}: name one file with --from, or write one with `export --run {named}`")


def _tell(bar: "tqdm[Any]", told: Progress) -> None:
    bar.total = told.epochs * told.batches
    bar.set_postfix_str(f"epoch {told.epoch}/{told.epochs}, loss {told.loss:.2f}", refresh=False)
    bar.update((told.epoch - 1) * told.batches + told.batch - bar.n)


def _words(tuned: Tuned) -> str:
    lines = [f"export {tuned.export}: {tuned.learnt_from} judged pictures learnt from, {tuned.held_out} held out"]
    lines += [f"  left out, {why.value}: {count}" for why, count in sorted(tuned.left_out.items()) if count]
    lines += [
        f"  {count} incidents of the kind {kind!r}: say what they show with --kind {kind}=CLASS"
        for kind, count in tuned.without_class.items()
    ]
    for name, before in tuned.before.items():
        after = tuned.after[name]
        lines.append(f"AP50 on {name}:  before  after  boxes")
        for label, value in before.ap50.items():
            lines.append(f"  {label.value:<16} {value:6.3f} {after.ap50[label]:6.3f} {before.boxes[label]:6d}")
        if not math.isnan(before.mean):
            lines.append(f"  {'mean':<16} {before.mean:6.3f} {after.mean:6.3f} {sum(before.boxes.values()):6d}")
    site = tuned.after[SITE]
    lines.append(
        f"false alarms told again with a score of {TOLD_FROM} or more: {tuned.before[SITE].told_again} before, "
        f"{site.told_again} after, of {site.false_alarms} held out"
    )
    lines.append(f"{'better' if tuned.judgement.is_better else 'NOT better'}: {tuned.judgement.why}")
    lines.append(f"weights: {tuned.file}")
    if tuned.manifest is None:
        lines.append("no manifest is written for weights that are not better: keep those that you have")
    else:
        lines.append(
            f"manifest: {tuned.manifest}\ncopy both into the folder of imported models ($GRIDWARD_MODELS) of a node and use "
            f"`model: {tuned.manifest.stem}`"
        )
    return "\n".join(lines) + "\n"

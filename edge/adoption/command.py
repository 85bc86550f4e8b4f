"""`gridward-edge models`: what there is, taking in one's own, whether they are in order, how fast they are."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.adoption.examination import Examined, Stated, examine
from edge.adoption.inspection import inspect
from edge.adoption.preparation import Values
from edge.adoption.sample import Sample, sample_of
from edge.adoption.timing import RUNS, WARM_UP, Timing, time_looks
from edge.adoption.wording import as_plain, as_table
from edge.errors import ModelUnusable
from edge.perception.decoders.registry import DECODERS
from edge.perception.detector import open_detector, usable
from edge.settings import AUTO
from models import catalogue, imported
from models.manifest import Colour, Fit, Manifest

models_app = typer.Typer(help="The model catalogue.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
SamplePicture = Annotated[
    Path | None, typer.Option("--sample", help="A picture to try it on; else a frame of a clip.", metavar="PICTURE")
]
Names = Annotated[list[str] | None, typer.Argument(help="Ids of models; all when none is given.", metavar="[ID]…")]


@models_app.command("list")
def list_models(*, as_json: AsJson = False) -> None:
    """All models with size and licence."""
    raise typer.Exit(catalogue.main(["list", *catalogue.models(), *(["--json"] if as_json else [])]))


@models_app.command("import")
def import_model(  # noqa: PLR0917 (a command line has no keyword arguments)
    file: Annotated[Path, typer.Argument(help="Weights in ONNX.", metavar="FILE")],
    model_id: Annotated[str | None, typer.Option("--id", help="Its name in the catalogue; else the file's.")] = None,
    title: Annotated[str | None, typer.Option(help="What it is, in words.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="A file with one name a line, names with commas between, or coco.", metavar="FILE"),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of the weights, for example Apache-2.0.")] = None,
    head: Annotated[str | None, typer.Option(help=f"One of {', '.join(sorted(DECODERS))}.")] = None,
    size: Annotated[str | None, typer.Option(help="Input size where the graph leaves it open.", metavar="WxH")] = None,
    values: Annotated[Values | None, typer.Option(help="Which numbers stand for a picture.")] = None,
    colour: Annotated[Colour | None, typer.Option(help="The order of the colours.")] = None,
    fit: Annotated[Fit | None, typer.Option(help="How a picture is brought to the input's size.")] = None,
    sample: SamplePicture = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Replace what was imported under this name.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it is and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find out what a detector is, try it on a picture, and take it into the catalogue; `models remove` takes it back."""
    stated = Stated(model_id, title, labels, licence, _known_head(head), _size(size), values, colour, fit)
    picture = sample_of(sample)
    examined = examine(file, stated, picture, at=datetime.now(UTC))
    _check_name(examined.manifest.id, replace=replace)
    if not as_json:
        typer.echo(as_table(examined))
    for warning in examined.warnings:
        typer.echo(f"warning: {warning}", err=True)
    written = _kept(examined, file, dry_run=dry_run, yes=yes, ask=not as_json)
    if as_json:
        typer.echo(json.dumps(as_plain(examined, written), ensure_ascii=False, indent=2))
    elif written is None:
        typer.echo("nothing was written" + ("" if dry_run else "; --yes takes it in"))
    else:
        typer.echo(f"taken in: {written}\nuse it with `model: {examined.manifest.id}`")


@models_app.command()
def remove(model_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Take an imported model out of the catalogue again; its files are deleted."""
    imported.remove(model_id)
    typer.echo(f"{model_id} is removed")


@models_app.command()
def verify(names: Names = None, sample: SamplePicture = None, *, as_json: AsJson = False) -> None:
    """Verify size and hash of the weights on this machine and look at a picture with each; exit status 1 when one is missing or wrong."""
    given = cache(lambda: sample_of(sample))
    if sample is not None:
        given()
    results = [inspect(manifest, given) for manifest in _manifests(names)]
    problems = [] if names else sorted(imported.entries().problems.values())
    if as_json:
        broken = [{"ok": False, "problem": problem} for problem in problems]
        typer.echo(json.dumps([asdict(result) for result in results] + broken, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join([*map(str, results), *problems]))
    raise typer.Exit(0 if all(result.ok for result in results) and not problems else 1)


@models_app.command()
def bench(
    names: Names = None,
    runs: Annotated[int, typer.Option(min=1, max=100_000, help="Looks that are timed.")] = RUNS,
    warm_up: Annotated[int, typer.Option(min=0, max=10_000, help="Looks before that.")] = WARM_UP,
    sample: SamplePicture = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Milliseconds per look on one thread, for models or for `all`; exit status 1 when one can't be timed."""
    picture = sample_of(sample)
    wanted = [] if names == ["all"] else names
    manifests = [manifest for manifest in _manifests(wanted) if wanted or usable(manifest)]
    results: dict[str, Timing | str] = {}
    for manifest in manifests:
        try:
            results[manifest.id] = time_looks(open_detector(manifest.id), picture.image, runs=runs, warm_up=warm_up)
        except ModelUnusable as problem:
            results[manifest.id] = str(problem)
    typer.echo(_timings_json(results, picture) if as_json else _timings_table(results))
    raise typer.Exit(1 if any(isinstance(result, str) for result in results.values()) else 0)


def _timings_json(results: dict[str, Timing | str], picture: Sample) -> str:
    rows: Sequence[dict[str, Any]] = [
        {"id": name, "problem": result} if isinstance(result, str) else {"id": name, **asdict(result)}
        for name, result in results.items()
    ]
    rows_column, columns = picture.image.shape[:2]
    return json.dumps({"sample": picture.name, "width": columns, "height": rows_column, "models": rows}, indent=2)


def _timings_table(results: dict[str, Timing | str]) -> str:
    lines = [f"{'model':30} {'inference p50':>14} {'p95':>8} {'look p50':>10} {'p95':>8} {'cpu':>8}   (ms, one thread)"]
    for name, result in results.items():
        if isinstance(result, str):
            lines.append(f"{name:30} {result}")
            continue
        inference, look = result.inference, result.look
        lines.append(
            f"{name:30} {inference.p50_ms:14.2f} {inference.p95_ms:8.2f} {look.p50_ms:10.2f} {look.p95_ms:8.2f} {result.cpu_ms:8.2f}"
        )
    return "\n".join(lines)


def _manifests(names: Sequence[str] | None) -> list[Manifest]:
    known = catalogue.models()
    if unknown := [name for name in names or () if name not in known]:
        problems = imported.entries().problems
        reasons = [problems.get(name, f"there is no model {name}") for name in unknown]
        typer.echo(f"{'; '.join(reasons)}; known: {', '.join(known)}", err=True)
        raise typer.Exit(2)
    return [known[name] for name in names] if names else list(known.values())


def _check_name(model_id: str, *, replace: bool) -> None:
    if model_id == AUTO or model_id in catalogue.own_models():
        raise ModelUnusable(f"{model_id} is a model of this project; choose another name by --id")
    known = imported.entries()
    if not replace and (model_id in known.sound or model_id in known.problems):
        raise ModelUnusable(f"{model_id} is there already; replace it with --replace, or choose another name by --id")


def _kept(examined: Examined, file: Path, *, dry_run: bool, yes: bool, ask: bool) -> Path | None:
    """Write, where that is wanted."""
    if dry_run:
        return None
    if not yes and not (ask and sys.stdin.isatty() and typer.confirm("Take it into the catalogue?")):
        return None
    return imported.keep(examined.manifest, file)


def _known_head(head: str | None) -> str | None:
    if head is not None and head not in DECODERS:
        raise typer.BadParameter(f"{head!r} is none of {', '.join(sorted(DECODERS))}", param_hint="--head")
    return head


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) != 2 or not all(side.isdecimal() and len(side) < 6 for side in sides):
        raise typer.BadParameter("width and height are expected, like 640x384", param_hint="--size")
    return int(sides[0]), int(sides[1])

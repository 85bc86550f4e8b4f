"""`gridward-edge bench`: what this machine carries."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edge.benches.wanted import CORES_OF_THE_BARS, SETTLING_S, TRIES, Wanted

bench_app = typer.Typer(help="What this machine carries, measured.", no_args_is_help=True)


@bench_app.callback()
def bench() -> None:
    """What this machine carries, measured."""


@bench_app.command()
def cameras(  # noqa: PLR0917 (a command line has no keyword arguments)
    film: Annotated[
        Path | None, typer.Option(help="A film in place of the catalogue's clip.", metavar="FILE", dir_okay=False)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, max=3600, help="So long each is measured; else 30 and 15.")
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, max=50, help="Numbers of cameras that are tried for each way of watching.")
    ] = TRIES,
    cores: Annotated[int, typer.Option(min=1, max=1024, help="Cores that the watching may use.")] = CORES_OF_THE_BARS,
    count: Annotated[
        int | None,
        typer.Option("--cameras", min=1, max=64, help="So many idle cameras of each kind, and first try of busy ones."),
    ] = None,
    settling: Annotated[
        float, typer.Option(min=1, max=3600, help="So many seconds the gates may take to learn.")
    ] = SETTLING_S,
    *,
    only_idle: Annotated[bool, typer.Option("--idle", help="Only cameras that see an empty scene.")] = False,
    only_busy: Annotated[bool, typer.Option("--busy", help="Only cameras with people in them.")] = False,
    scenes: Annotated[
        bool,
        typer.Option(
            "--scenes", help="A made scene for each camera, held against its truth: with --busy, needs no film."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """How much of a core an idle camera takes, and how many busy ones the machine carries, beside a plain loop; takes 25 minutes or more.

    Simulated cameras send real film over RTSP from processes of their own. Exit status 0 only when all bars are met.
    """
    from edge.benches.measurement import measured  # noqa: PLC0415 (no other command, and no node, needs simulated cameras)
    from edge.benches.report import as_plain, as_table  # noqa: PLC0415

    both = only_idle == only_busy
    wanted = Wanted(both or only_idle, both or only_busy, cores, seconds, count, tries, settling, scenes)
    report = measured(wanted, film, lambda line: typer.echo(line, err=True))
    typer.echo(json.dumps(as_plain(report), ensure_ascii=False, indent=2) if as_json else as_table(report))
    raise typer.Exit(0 if report.met else 1)

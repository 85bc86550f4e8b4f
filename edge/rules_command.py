"""`gridward-edge rules`: trying zones and rules on what the cameras have seen."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.configuration.candidate import candidates
from edge.configuration.reading import load
from edge.errors import ConfigurationError
from edge.trial.answer import answer, as_json, try_cameras
from edge.trial.picture import write_picture
from edge.trial.span import moment_of, since_of

rules_app = typer.Typer(help="Zones and rules, tried on what the cameras have seen.", no_args_is_help=True)


@rules_app.callback()
def _rules() -> None:
    """Zones and rules, tried on what the cameras have seen."""


@rules_app.command("try")
def try_command(  # noqa: PLR0917 (a command line has no keyword arguments)
    config: Annotated[Path, typer.Option("--config", "-c", help="The node's configuration.", metavar="FILE")],
    zones: Annotated[
        Path | None,
        typer.Option(
            help="Zones, lines and rules in the words of the configuration; without it those that it has.",
            metavar="FILE",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    since: Annotated[str, typer.Option(help="7d, 12h, 30m back from the newest that is remembered, or a time.")] = "7d",
    until: Annotated[str | None, typer.Option(help="A time; else the newest that is remembered.")] = None,
    camera: Annotated[str | None, typer.Option(help="One camera; else all that the file names.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw background, zones and ways into this PNG.", metavar="FILE")
    ] = None,
    *,
    background: Annotated[
        bool, typer.Option("--background", help="With --json: the masked picture of the background too.")
    ] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """What these zones and rules would have told of what really happened, beside what was told; also while the node runs."""
    configuration = load(config)
    tried = candidates(
        "" if zones is None else _text(zones),
        configuration.cameras,
        camera=camera,
        source=str(zones or config),
        unchanged=zones is None,
    )
    directory = configuration.node.data_directory
    trial = try_cameras(directory, tried, since=since_of(since), until=None if until is None else moment_of(until))
    told = answer(trial, directory, background=background)
    if picture is not None:
        write_picture(trial, directory, picture)
    sys.stdout.write((as_json(told) if as_json_ else "\n".join(_lines(told))) + "\n")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} can't be read: {error}") from error


def _lines(told: dict[str, Any]) -> list[str]:
    """For people."""
    lines = [f"{told['since']} to {told['until']}"]
    for camera in told["cameras"]:
        seen_h = camera["seen_s"] / 3600
        lines += ["", f"{camera['camera']}: seen for {seen_h:.1f} h, from {camera['begins_at']} to {camera['ends_at']}"]
        lines += [f"  warning: {each['words']}" for each in camera["warnings"]]
        lines += [
            f"  not seen {each['begins_at']} to {each['ends_at']}: {each['why']}" for each in camera["holes"][:10]
        ]
        if len(camera["holes"]) > 10 or camera["holes_left_out"]:
            lines.append(f"  and {len(camera['holes']) - 10 + camera['holes_left_out']} more holes")
        lines.append(f"  {'rule':<28}{'now':>6}{'then':>6}{'kept':>6}{'new':>6}{'gone':>6}{'now/day':>10}")
        for rule in camera["rules"]:
            per_day = "" if rule["now_per_day"] is None else f"{rule['now_per_day']:.1f}"
            lines.append(
                f"  {rule['rule']:<28}{rule['now']:>6}{rule['then']:>6}{rule['kept']:>6}{rule['new']:>6}{rule['gone']:>6}"
                f"{per_day:>10}{'' if rule['tried'] else '  (not tried)'}"
            )
            lines += [f"    counted {point}: {count}" for point, count in rule["counts"].items()]
        lines += [_incident_line(each) for each in camera["incidents"]]
        if camera["incidents_left_out"]:
            lines.append(f"  and {camera['incidents_left_out']} more incidents")
    return lines


def _incident_line(incident: dict[str, Any]) -> str:
    dwell = "" if incident["dwell_s"] is None else f"{incident['dwell_s']:.1f} s"
    what = incident.get("point") or incident["zone"] or ""
    return f"  {incident['verdict']:<5}{incident['started_at']:<26}{incident['rule']:<28}{what:<16}{dwell:>10}".rstrip()

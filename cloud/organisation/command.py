"""`gridward-cloud organisation`."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import areas, schemes
from cloud.access.codes import Alphabet, CodeForm
from cloud.access.schemes import LevelWish
from cloud.errors import Invalid, NotFound
from cloud.logs import escaped
from cloud.organisation import exchange, founding, tables
from cloud.organisation.exchange import Intake, TableKind, TableReport
from cloud.organisation.sample import SampleDistrict
from cloud.terminal import AsJson, now, read_settings, tell, transaction

MOST_SHOWN = 50

organisation_app = typer.Typer(no_args_is_help=True, help="Sites, estates, teams, who is on duty.")

AreaOption = Annotated[str | None, typer.Option("--area", help="Code of an area of any level; everything by default.")]
KindArgument = Annotated[TableKind, typer.Argument(help="What the table holds.")]


@organisation_app.command("import")
def organisation_import(
    kind: KindArgument,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, or GeoJSON of points.")],
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Take in the good rows of a file with bad ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in a table. One bad row and nothing is taken in; every bad row is named with its line and column."""
    intake = Intake(now=now(), zone=read_settings().zone, skips_bad=skip_bad)
    data = _bytes_of(file)
    with transaction() as conn:
        if file.suffix.lower() in {".geojson", ".json"}:
            report = exchange.take_in_points(conn, kind, _json_of(data, file), intake)
        else:
            report = exchange.take_in_csv(conn, kind, data, intake)
    tell(asdict(report), as_json=as_json, text="\n".join(_lines(report)))
    if not report.taken:
        raise typer.Exit(1)


def _lines(report: TableReport) -> Iterable[str]:
    for problem in report.problems[:MOST_SHOWN]:
        where = f"line {problem.line}" + (f", {escaped(problem.column)}" if problem.column else "")
        yield f"{where}: {escaped(problem.reason)}"
    if len(report.problems) > MOST_SHOWN:
        yield f"… and {len(report.problems) - MOST_SHOWN} more"
    done = ", ".join(f"{count} {outcome.value}" for outcome, count in report.outcomes.items()) or "nothing"
    yield f"{report.kind.value}: {done if report.taken else 'nothing taken in'}, {report.skipped} bad rows"


@organisation_app.command("export")
def organisation_export(
    kind: KindArgument,
    *,
    area: AreaOption = None,
    file: Annotated[Path | None, typer.Option("--file", help="Write there; to stdout by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a table as CSV that `import` reads."""
    with transaction() as conn:
        text = exchange.give_out(conn, kind, _path(conn, area), now=now(), zone=read_settings().zone)
    rows = text.count("\r\n") - 1
    if file is not None:
        file.write_text(text, encoding="utf-8", newline="")
    told = {"kind": kind.value, "rows": rows, "file": str(file) if file is not None else None}
    if file is None:
        told["csv"] = text
    tell(told, as_json=as_json, text=f"{rows} rows in {file}" if file is not None else text.removeprefix("\ufeff"))


@organisation_app.command("check")
def organisation_check(
    *,
    area: AreaOption = None,
    level: Annotated[str, typer.Option(help="The level that has teams.")] = "grid",
    hours: Annotated[int, typer.Option(min=1, max=24 * 31, help="So far ahead duty is looked at.")] = 48,
    as_json: AsJson = False,
) -> None:
    """What is not in order: teams without somebody, names of areas that are no more, times without anybody on duty."""
    with transaction() as conn:
        found = exchange.check(
            conn, _path(conn, area), level=level, now=now(), ahead=timedelta(hours=hours), zone=read_settings().zone
        )
    lines = [f"{each['code']} {escaped(each['name'])}: no {', '.join(each['missing'])}" for each in found.teams]
    lines += [
        f"{each['what']} {escaped(each['name'])} names the area {each['code']}, which is no more"
        for each in found.dangling
    ]
    lines += [
        f"{each['area']} {escaped(each['name'])}: no {each['kind']} from {each['from']:%Y-%m-%d %H:%M} to {each['until']:%Y-%m-%d %H:%M} UTC"
        for each in found.gaps
    ]
    shown = lines[:MOST_SHOWN] + ([f"… and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else [])
    tell(asdict(found), as_json=as_json, text="\n".join(shown) or "all in order")


@organisation_app.command("sample")
def organisation_sample(
    *,
    district: Annotated[str, typer.Option(help="Six digits, with which all codes begin.")] = "990101",
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same district.")] = 1,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="A password for all its people; without one nobody can sign in as them."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in a made-up district: 8 streets, 17 communities, 783 grids, 3,688 members, sites, estates, shifts of two weeks."""
    if not (district.isascii() and district.isdigit() and len(district) == 6 and district[0] != "0"):
        raise Invalid("a district has six digits, the first is no 0")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with transaction() as conn:
        made = founding.found(
            conn, SampleDistrict(district, seed=seed), now=now(), zone=read_settings().zone, password=password
        )
    rows = ", ".join(f"{count} {kind}" for kind, count in made.rows.items())
    text = f"{made.areas} areas, {made.accounts} accounts, {rows}, {made.shifts} shifts made"
    tell(asdict(made), as_json=as_json, text=text)


@organisation_app.command("scheme")
def organisation_scheme(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON: name, nested, levels.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Add a city's own levels and codes.

    Each level has `level`, `alphabet` (digits or letters), `length` (or none), and where it is new `position`, `label_zh`, `label_en`.
    """
    document = _json_of(_bytes_of(file), file)
    name, nested, levels = _scheme_of(document)
    with transaction() as conn:
        made = schemes.add(conn, name, levels, nested=nested)
    told = {"name": made.name, "nested": made.nested, "levels": list(made.levels)}
    tell(told, as_json=as_json, text=f"{made.name}: {', '.join(made.levels)}")


def _scheme_of(document: Any) -> tuple[str, bool, list[LevelWish]]:
    try:
        levels = [
            LevelWish(
                level=_typed(row["level"], str),
                form=CodeForm(Alphabet(row["alphabet"]), _typed(row.get("length"), int, type(None))),
                position=_typed(row.get("position"), int, type(None)),
                label_zh=_typed(row.get("label_zh"), str, type(None)),
                label_en=_typed(row.get("label_en"), str, type(None)),
            )
            for row in document["levels"]
        ]
        return _typed(document["name"], str), _typed(document["nested"], bool), levels
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(f"this is no scheme of codes: {type(error).__name__} {error}") from error


def _typed(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError(f"{value!r} is none of {', '.join(kind.__name__ for kind in kinds)}")
    return value


def _bytes_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(tables.LARGEST_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{file} can't be read: {error.strerror}") from error


def _json_of(data: bytes, file: Path) -> Any:
    try:
        return json.loads(tables.decode(data))
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{file} can't be read as JSON: {error}") from error


def _path(conn: Connection[Any], code: str | None) -> str:
    if code is None:
        return ""
    area = areas.find(conn, code)
    if area is None:
        raise NotFound(f"there is no area {code}")
    return area.path

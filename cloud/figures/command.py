"""`gridward-cloud figures`."""

from datetime import date, datetime
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import areas
from cloud.access.model import Area
from cloud.db.pool import open_pool
from cloud.errors import Invalid, NotFound
from cloud.figures import definitions, rolling, service, view
from cloud.figures.definitions import DEVICE_ONLINE_RATE, FIGURES, Unit
from cloud.figures.histogram import RELATIVE_ERROR
from cloud.figures.rolling import Progress
from cloud.figures.service import Asked
from cloud.figures.view import By, FigureDefinitions, FigureView, Of
from cloud.figures.window import EARLIEST, LATEST, Window, local_day
from cloud.logs import escaped
from cloud.terminal import AsJson, now, progress, read_settings, tell, transaction

RECOMPUTE_TIMEOUT_S = 3_600
"""A month is counted in one transaction: a statement over a busy day may take longer than a request may."""

figures_app = typer.Typer(no_args_is_help=True, help="Figures: what became of cases, by area and day.")

_From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first local day.")]
_To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last local day.")]
_AreaOption = Annotated[str | None, typer.Option("--area", help="Code of an area of any level; everything by default.")]


def _day(given: datetime | None) -> date | None:
    return given.date() if given is not None else None


@figures_app.command("definitions")
def figures_definitions(as_json: AsJson = False) -> None:
    """What each figure is made of, and what is left out."""
    told = FigureDefinitions(
        figures=[view.definition(each) for each in (*FIGURES, DEVICE_ONLINE_RATE)],
        left_out_of_all=definitions.LEFT_OUT_OF_ALL,
        relative_error=RELATIVE_ERROR,
    )
    lines = [f"left out of all: {told.left_out_of_all}"]
    for each in told.figures:
        lines.append(f"{each.name} ({each.term}, {each.unit}): {each.numerator}")
        lines += [f"    of: {each.denominator}"] if each.denominator else []
        lines += [f"    left out: {each.left_out}"] if each.left_out else []
    tell(told.model_dump(mode="json"), as_json=as_json, text="\n".join(lines))


@figures_app.command("show")
def figures_show(
    *,
    area: _AreaOption = None,
    from_day: _From = None,
    to_day: _To = None,
    of: Annotated[Of, typer.Option(help="Real cases, or simulated ones.")] = Of.REAL,
    by: Annotated[By | None, typer.Option(help="Told apart by.")] = None,
    as_json: AsJson = False,
) -> None:
    """Figures of an area over local days, beside as many days before; the last thirty days by default."""
    zone, at = read_settings().zone, now()
    window = Window.checked(_day(from_day), _day(to_day), today=local_day(at, zone))
    with transaction() as conn:
        found = _area(conn, area)
        asked = Asked(scope=found.path if found is not None else "", area=found, window=window, of=of)
        report = service.report(conn, asked, by=by, zone=zone, now=at)
    place = f"{escaped(report.area_name)} ({report.area})" if report.area_name is not None else "everything"
    lines = [f"{place}, {report.from_day} to {report.to_day}, {report.of} cases"]
    lines += [_line(each) for each in report.figures]
    for group in report.groups:
        lines += ["", escaped(group.key), *(_line(each) for each in group.figures)]
    if report.waiting:
        lines.append(f"{report.waiting} changes are not counted yet")
    tell(report.model_dump(mode="json"), as_json=as_json, text="\n".join(lines))


@figures_app.command("recompute")
def figures_recompute(from_day: _From = None, to_day: _To = None, as_json: AsJson = False) -> None:
    """Count days anew from cases, their history, clocks and verdicts: by default all that there are. How many rows differed.

    The service may run meanwhile. What is stopped in between is whole up to the month that was told last.
    """
    settings = read_settings()
    zone = settings.zone
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, size=2, statement_timeout_s=RECOMPUTE_TIMEOUT_S)
    try:
        whole = rolling.extent(pool, zone=zone)
        first, last = _day(from_day), _day(to_day)
        days = different = 0
        if whole is not None or (first is not None and last is not None):
            known = whole or Window(first or EARLIEST, last or LATEST)
            window = Window(first or known.from_day, last or known.to_day)
            if window.days < 1:
                raise Invalid("`--from` lies before `--to` or on it")
            days, different = rolling.recompute(pool, window, zone=zone, tell=_tell_progress)
    finally:
        pool.close()
    tell({"days": days, "different": different}, as_json=as_json, text=f"{days} days, {different} rows were different")


@figures_app.command("weights")
def figures_weights(as_json: AsJson = False) -> None:
    """What counts how much in the ranking, and what did before."""
    with transaction() as conn:
        history = service.weight_history(conn)
    lines: list[str] = []
    for each in (history.current, *history.history):
        since = f"since {each.since:%Y-%m-%d %H:%M} UTC by {escaped(each.by or '')}" if each.since else "as delivered"
        shares = ", ".join(f"{measure} {weight:.0%}" for measure, weight in each.weights.items())
        lines.append(f"{since}: {shares}; at least {each.least_cases} closed cases")
    tell(history.model_dump(mode="json"), as_json=as_json, text="\n".join(lines))


def _area(conn: Connection[Any], code: str | None) -> Area | None:
    if code is None:
        return None
    found = areas.find(conn, code)
    if found is None:
        raise NotFound(f"there is no area {code[:50]!r}")
    return found


def _tell_progress(done: Progress) -> None:
    progress(f"{done.month:%Y-%m}: {done.days} days, {done.different} rows were different")


def _line(each: FigureView) -> str:
    return f"{each.name:24} {_told(each.unit, each.value):>12} {_told(each.unit, each.before):>12}" + (
        f"   {each.part} of {each.whole}" if each.unit is Unit.SHARE else ""
    )


def _told(unit: Unit, value: float | None) -> str:
    if value is None:
        return "–"
    return {Unit.SHARE: f"{value:.1%}", Unit.SECONDS: f"{value / 60:.0f} min", Unit.CASES: f"{value:.0f}"}[unit]

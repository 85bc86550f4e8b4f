"""`gridward-cloud drill`."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Principal
from cloud.drills import service
from cloud.drills.model import ChosenSource, DrillWish
from cloud.drills.service import Drill
from cloud.errors import Invalid, NotFound
from cloud.terminal import AsJson, now, tell, transaction

drill_app = typer.Typer(no_args_is_help=True, help="Drills: what is only exercised.")

_By = Annotated[str, typer.Option("--by", help="Account of who does it: a duty chief or an administrator.")]
_ADDRESS = "command line"


@drill_app.command("start")
def drill_start(
    *,
    name: Annotated[str, typer.Argument(help="How it is called.")],
    by: _By,
    area: Annotated[str, typer.Option(help="Code of an area of any level.")],
    purpose: Annotated[str, typer.Option(help="What is exercised, and why.")],
    hours: Annotated[float, typer.Option(min=0.1, max=24, help="How long it lasts.")] = 2.0,
    source: Annotated[
        list[str] | None, typer.Option(help="NODE, NODE/DEVICE or NODE/DEVICE/RULE; can be given several times.")
    ] = None,
    reports: Annotated[bool, typer.Option("--reports", help="People report into it.")] = False,
    channels: Annotated[bool, typer.Option("--channels", help="Tell people outside of the page too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a drill now. What other sources find stays real."""
    at = now()
    wish = DrillWish(
        name=name,
        purpose=purpose,
        area_code=area,
        planned_end_at=at + timedelta(hours=hours),
        sources=tuple(_source(words) for words in source or ()),
        reports=reports,
        channels=channels,
    )
    with transaction() as conn:
        drill = service.start(conn, _person(conn, by), wish, now=at, address=_ADDRESS)
    _tell(drill, as_json=as_json)


@drill_app.command("end")
def drill_end(drill_id: int, by: _By, as_json: AsJson = False) -> None:
    """End a drill now."""
    with transaction() as conn:
        drill = service.end(conn, _person(conn, by), drill_id, now=now(), address=_ADDRESS)
    _tell(drill, as_json=as_json)


@drill_app.command("list")
def drill_list(
    by: _By,
    running: Annotated[bool, typer.Option("--running", help="Those that run now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Drills that concern somebody's area, the newest first."""
    with transaction() as conn:
        drills = service.page(conn, _person(conn, by), now=now(), running=running, count=200)
    tell(
        {"items": [asdict(drill) for drill in drills]},
        as_json=as_json,
        text="\n".join(_line(drill) for drill in drills) or "nothing",
    )


def _person(conn: Connection[Any], name: str) -> Principal:
    found = accounts.in_use(conn, name)
    if found is None:
        raise NotFound(f"there is no account {name!r} in use")
    return found


def _source(words: str) -> ChosenSource:
    parts = words.split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise Invalid(f"not NODE, NODE/DEVICE or NODE/DEVICE/RULE: {words!r}")
    return ChosenSource(*parts)


def _tell(drill: Drill, *, as_json: bool) -> None:
    tell(asdict(drill), as_json=as_json, text=_line(drill))


def _line(drill: Drill) -> str:
    until = (
        f"until {drill.planned_end_at:%Y-%m-%d %H:%M}Z" if drill.running else f"ended {drill.ended_at:%Y-%m-%d %H:%M}Z"
    )
    return f"{drill.id:>6} {drill.name}, {drill.area_code}, {until}, {drill.cases} cases"

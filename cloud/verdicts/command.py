"""`gridward-cloud verdicts`."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import accounts, areas
from cloud.access.model import Principal
from cloud.db.pool import open_pool
from cloud.errors import Forbidden, Invalid, NotFound
from cloud.evidence.files import EvidenceFiles, sync
from cloud.terminal import AsJson, now, read_settings, tell, transaction
from cloud.verdicts import export, service, settling, store
from cloud.verdicts.export import ExportOrder
from cloud.verdicts.precision import Dimension, Share
from cloud.verdicts.proposals import ANSWERING
from cloud.verdicts.store import VerdictFilter
from cloud.verdicts.view import VerdictTable, named
from edge.contract.fields import uuid7

verdicts_app = typer.Typer(no_args_is_help=True, help="What people found on the spot, as labels.")

_Days = Annotated[int, typer.Option(min=1, max=730, help="Judgements of the last so many days.")]
_Area = Annotated[str | None, typer.Option(help="Code of an area of any level; everywhere without one.")]
_Simulated = Annotated[bool, typer.Option("--simulated", help="Simulated incidents too.")]
_Drills = Annotated[bool, typer.Option("--drills", help="Exercises too.")]


def _chosen(conn: Connection[Any], area: str | None, days: int, *, simulated: bool, drills: bool) -> VerdictFilter:
    scope = ""
    if area is not None:
        found = areas.find(conn, area)
        if found is None:
            raise NotFound(f"there is no area {area!r}")
        scope = found.path
    until = now()
    return VerdictFilter(
        scope=scope, since=until - timedelta(days=days), until=until, simulated=simulated, drills=drills
    )


@verdicts_app.command("table")
def verdicts_table(  # noqa: PLR0917 (a command line has no keyword arguments)
    by: Annotated[list[Dimension] | None, typer.Option(help="Told apart by; without any device and rule.")] = None,
    days: _Days = 90,
    area: _Area = None,
    simulated: _Simulated = False,
    drills: _Drills = False,
    as_json: AsJson = False,
) -> None:
    """How often what is told is true: so many of so many, with the interval in which the true share lies."""
    settings = read_settings()
    with transaction() as conn:
        chosen = _chosen(conn, area, days, simulated=simulated, drills=drills)
        table = service.table(conn, chosen, by or [Dimension.DEVICE, Dimension.RULE], zone=settings.timezone)
        devices = store.devices_called(conn, named(table.cells))
    told = VerdictTable.of(table, devices, since=chosen.since, until=chosen.until)
    lines = [f"{table.incidents} incidents, of which {table.judged} were judged"]
    for cell in told.cells:
        place = [cell.device, cell.rule, cell.rule_version, cell.kind, cell.model, cell.hour]
        words = " ".join(str(each) for each in place if each is not None) or "all"
        share = Share.of(cell.precision.part, cell.precision.whole)
        made = "  simulated" if cell.simulated else ""
        lines.append(f"{words:48} {share.part:>5} of {share.whole:<5} {share.low:6.1%} – {share.high:6.1%}{made}")
    tell(told.model_dump(mode="json"), as_json=as_json, text="\n".join(lines))


@verdicts_app.command("recompute")
def verdicts_recompute(as_json: AsJson = False) -> None:
    """Make all verdicts anew from the history of cases; how many were different."""
    pool = open_pool(read_settings().database_url.get_secret_value(), size=2)
    try:
        with pool.connection() as conn:
            settling.ask_for_all(conn)
        different = 0
        last: int | None = 0
        while last is not None:
            with pool.connection() as conn:
                last, changed = settling.settle(conn, after=last)
                kept = store.count(conn)
            different += changed
    finally:
        pool.close()
    tell(
        {"verdicts": kept, "different": different}, as_json=as_json, text=f"{kept} verdicts, {different} were different"
    )


@verdicts_app.command("export")
def verdicts_export(  # noqa: PLR0917 (a command line has no keyword arguments)
    out: Annotated[Path, typer.Option(help="The zip; the file must not be there yet.")],
    purpose: Annotated[str, typer.Option(help="What it is needed for; it stands in the audit log.")],
    by: Annotated[str, typer.Option(help="The account of whoever does it: a maintainer or an administrator.")],
    days: _Days = 90,
    area: _Area = None,
    most: Annotated[int, typer.Option(min=1, max=export.MOST_PICTURES, help="At most so many pictures.")] = 10_000,
    simulated: _Simulated = False,
    drills: _Drills = False,
    as_json: AsJson = False,
) -> None:
    """Masked pictures with what people found: a labelled set for training. The format is described in the package `cloud.verdicts`."""
    settings = read_settings()
    if len(purpose.strip()) < 3:
        raise Invalid("say what it is needed for: it stands in the audit log")
    pool = open_pool(settings.database_url.get_secret_value(), size=2)
    try:
        with pool.connection() as conn:
            user = _exporter(conn, by)
            chosen = _chosen(conn, area, days, simulated=simulated, drills=drills)
        if not chosen.scope.startswith(user.area_path):
            if area is not None:
                raise Forbidden(f"{area} is not in the scope of {by}")
            chosen = VerdictFilter(**chosen.parameters | {"scope": user.area_path})
        at = now()
        order = ExportOrder(
            export_id=uuid7(int(at.timestamp() * 1000)),
            user=user,
            purpose=purpose.strip(),
            chosen=chosen,
            most=most,
            at=at,
            address="command line",
            zone=settings.zone,
        )
        size_bytes = _write(out, export.written(pool, EvidenceFiles(settings.evidence_store_url), order))
    finally:
        pool.close()
    told = {"export": str(order.export_id), "file": str(out), "bytes": size_bytes}
    tell(told, as_json=as_json, text=f"{out}: {size_bytes} bytes")


def _exporter(conn: Connection[Any], name: str) -> Principal:
    user = accounts.in_use(conn, name)
    if user is None:
        raise NotFound(f"there is no account {name!r} in use")
    if user.role not in ANSWERING:
        raise Forbidden(f"{name} is neither a maintainer nor an administrator")
    return user


def _write(out: Path, chunks: Iterable[bytes]) -> int:
    """Beside it first: a set that broke off has no name that somebody takes for a whole one."""
    part = out.with_name(out.name + ".part")
    if out.exists():
        raise Invalid(f"{out} is there already")
    size_bytes = 0
    try:
        with part.open("xb") as file:
            for chunk in chunks:
                size_bytes += file.write(chunk)
        part.rename(out)
        sync(out)
    except OSError as error:
        raise Invalid(f"{out} can't be made: {error.strerror}") from error
    return size_bytes

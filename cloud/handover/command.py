"""`gridward-cloud handover`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cloud.access import accounts
from cloud.errors import NotFound
from cloud.handover import records
from cloud.handover.records import RecordDetail, Which
from cloud.terminal import AsJson, now, tell, transaction

handover_app = typer.Typer(no_args_is_help=True, help="Records of changes of shift.")


@handover_app.command("show")
def handover_show(
    by: Annotated[str, typer.Option("--by", help="Account of who reads it.")],
    record_id: Annotated[int | None, typer.Argument(help="Which; the newest when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a record says, and whether it is what was hashed; exit status 1 where it is not."""
    at = now()
    with transaction() as conn:
        user = accounts.in_use(conn, by)
        if user is None:
            raise NotFound(f"there is no account {by!r} in use")
        if record_id is None:
            newest = records.page(conn, user, Which.ALL, now=at, count=1)
            if not newest:
                raise NotFound("there is no record yet")
            record_id = newest[0].id
        found = records.detail(conn, user, record_id, now=at)
    tell(asdict(found), as_json=as_json, text=_text(found))
    if not found.intact:
        raise typer.Exit(1)


def _text(found: RecordDetail) -> str:
    record = found.record
    given = f"{record.given_at:%Y-%m-%d %H:%M}Z" if record.given_at is not None else "not yet"
    taken = f"{record.taken_at:%Y-%m-%d %H:%M}Z by {record.taker}" if record.taken_at is not None else "not yet"
    lines = [
        f"record {record.id}: {record.kind}, {record.area_code}, shift of {record.giver} until {record.ends_at:%Y-%m-%d %H:%M}Z",
        f"given {given}, taken {taken}" + (", overdue" if record.overdue else ""),
        f"sha256 {record.sha256 or '-'}, {'intact' if found.intact else 'NOT what was hashed'}",
        record.words or "",
        json.dumps(found.contents, ensure_ascii=False, indent=2),
        *(f"{remark.at:%Y-%m-%d %H:%M}Z {remark.by}: {remark.note}" for remark in found.remarks),
    ]
    return "\n".join(line for line in lines if line)

"""`gridward-cloud notices`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Principal
from cloud.errors import NotFound
from cloud.logs import escaped
from cloud.notify import channels, deliveries
from cloud.terminal import AsJson, now, tell, transaction

notices_app = typer.Typer(no_args_is_help=True, help="By what people are told, and how far it came.")

_By = Annotated[str, typer.Option(help="The account of whoever does it: that person himself, or an administrator.")]


@notices_app.command("channels")
def notices_channels(
    account: Annotated[str, typer.Argument(help="Whose: the name of an account.")], as_json: AsJson = False
) -> None:
    """The channels of a person in the order in which they are tried; an address is told to nobody."""
    with transaction() as conn:
        person = _person(conn, account)
        found = channels.of_account(conn, person, person.user_id)
    lines = (
        f"{channel.id:>6} {channel.place} {channel.kind.value:8} {escaped(channel.label):24} "
        + (f"failed {channel.failed_at:%Y-%m-%d %H:%M}: {channel.failure}" if _failed(channel) else _worked(channel))
        for channel in found
    )
    tell({"items": [asdict(channel) for channel in found]}, as_json=as_json, text="\n".join(lines) or "nothing")


def _failed(channel: channels.NoticeChannel) -> bool:
    return channel.failed_at is not None and (channel.worked_at is None or channel.failed_at > channel.worked_at)


def _worked(channel: channels.NoticeChannel) -> str:
    return f"worked {channel.worked_at:%Y-%m-%d %H:%M}" if channel.worked_at is not None else "never tried"


@notices_app.command("test")
def notices_test(
    channel: Annotated[int, typer.Argument(min=1, help="Its number, as `channels` tells it.")],
    by: _By,
    as_json: AsJson = False,
) -> None:
    """Send a trial by one channel. The service sends it; `channels` and `deliveries` say how it went."""
    with transaction() as conn:
        channels.test(conn, _person(conn, by), channel, now=now())
    tell({"channel": channel, "queued": True}, as_json=as_json, text=f"a trial by channel {channel} waits to be sent")


@notices_app.command("deliveries")
def notices_deliveries(
    *,
    account: Annotated[str | None, typer.Option(help="Of this person alone.")] = None,
    wanting: Annotated[bool, typer.Option("--wanting", help="Only what waits or was given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What was sent outside of the page, the newest first, and how far it came."""
    with transaction() as conn:
        person = _person(conn, account) if account is not None else None
        account_id = person.user_id if person is not None else None
        found = deliveries.latest(conn, account_id=account_id, wanting=wanting, count=limit)
    lines = (
        f"{each.created_at:%Y-%m-%d %H:%M} {each.account:16} {each.word:20} {each.number or '':20} "
        f"{each.kind.value:8} {escaped(each.label):20} {each.state.value:8} {each.attempts}"
        + (f" {each.failure.value}" if each.failure is not None else "")
        for each in found
    )
    tell({"items": [asdict(each) for each in found]}, as_json=as_json, text="\n".join(lines) or "nothing")


def _person(conn: Connection[Any], name: str) -> Principal:
    found = accounts.in_use(conn, name)
    if found is None:
        raise NotFound(f"there is no account {name!r} in use")
    return found

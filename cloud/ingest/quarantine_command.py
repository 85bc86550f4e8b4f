"""`gridward-cloud quarantine`."""

from dataclasses import asdict
from typing import Annotated

import typer

from cloud.enrolment.vouching import vouch
from cloud.errors import NotFound
from cloud.ingest.held import Held, discard, waiting
from cloud.logs import escaped
from cloud.terminal import AsJson, confirm, now, tell, transaction

quarantine_app = typer.Typer(
    no_args_is_help=True, help="Messages that wait until their node is accepted or their device declared."
)


@quarantine_app.command("list")
def quarantine_list(as_json: AsJson = False) -> None:
    """What waits of each node: how much, since when, of which kinds, why."""
    with transaction() as conn:
        held = waiting(conn)
    tell(
        {"items": [asdict(each) for each in held]},
        as_json=as_json,
        text="\n".join(_line(each) for each in held) or "nothing waits",
    )


@quarantine_app.command("discard")
def quarantine_discard(
    nodes: Annotated[list[str], typer.Argument(metavar="NODE...", help="Nodes by name, as in the list.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let go of all that waits of these nodes, for good. Nobody else has it: the nodes were told that it is kept.

    A stranger goes from the list; one that speaks again is listed again.
    """
    if not yes:
        question = f"What waits of {escaped(', '.join(nodes))} will be gone for good. Go on?"
        confirm(question, refusal="what is discarded is gone for good: say --yes when that is meant", as_json=as_json)
    gone, left = [], {}
    for node in dict.fromkeys(nodes):
        try:
            with transaction() as conn:
                gone.append(discard(conn, node, now=now()))
        except NotFound as error:
            left[node] = str(error)
    lines = [f"discarded: {_line(each)}" for each in gone] + [f"left: {escaped(why)}" for why in left.values()]
    tell({"discarded": [asdict(each) for each in gone], "left": left}, as_json=as_json, text="\n".join(lines))
    if left:
        raise typer.Exit(1)


@quarantine_app.command("vouch")
def quarantine_vouch(
    node: Annotated[str, typer.Argument(help="A node by name, as in the list.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take in incidents of a node that are not signed with its key: somebody has made sure that they are its own."""
    if not yes:
        question = f"Incidents that the key of {escaped(node)} has not signed will count as its own. Go on?"
        confirm(question, refusal="who vouches says so: --yes", as_json=as_json)
    with transaction() as conn:
        count = vouch(conn, node, now=now())
    tell({"node": node, "vouched": count}, as_json=as_json, text=f"taken in: {count}")


def _line(held: Held) -> str:
    figures = [
        *(f"{count} {kind}" for kind, count in held.kinds.items()),
        *(f"{reason}: {count}" for reason, count in held.reasons.items()),
        *([f"{held.refused} more found no room"] if held.refused else []),
    ]
    return (
        f"{escaped(held.node):<24} {'accepted' if held.enrolled else 'stranger':<9} {held.messages:>6} messages "
        f"{held.size_bytes:>10} B  since {held.since:%Y-%m-%d %H:%M:%S}, latest {held.latest_at:%Y-%m-%d %H:%M:%S} UTC"
        f"  {'; '.join(figures)}"
    )

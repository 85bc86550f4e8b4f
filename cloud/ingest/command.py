"""`gridward-cloud deadletters`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cloud.errors import Conflict, Invalid, NotFound
from cloud.ingest.replay import replay
from cloud.logs import escaped
from cloud.refusals import store
from cloud.refusals.model import DeadLetter
from cloud.terminal import AsJson, tell, transaction

REPLAYED_AT_ONCE = 500

deadletters_app = typer.Typer(no_args_is_help=True, help="Messages of nodes that could not be taken in.")

OfReason = Annotated[str | None, typer.Option(help="Only those refused for this reason.")]
OfNode = Annotated[str | None, typer.Option(help="Only those of this node; '' for strangers.")]


@deadletters_app.command("list")
def deadletters_list(
    reason: OfReason = None,
    node: OfNode = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    before: Annotated[int | None, typer.Option(help="Go on behind this id.")] = None,
    as_json: AsJson = False,
) -> None:
    """The newest first, with the counts of everything that was refused."""
    with transaction() as conn:
        letters = store.letters(conn, reason=reason, node=node, before=before, limit=limit)
        counts = store.counts(conn)
    told = {"letters": [_summary(letter) for letter in letters], "refused": [asdict(each) for each in counts]}
    lines = [
        f"{letter.id:>8}  {letter.at:%Y-%m-%d %H:%M:%S}  {letter.node or '-':<24} {letter.reason:<18} "
        f"{letter.size_bytes:>7} B  {escaped(letter.detail)[:100]}"
        for letter in letters
    ]
    lines += [f"{each.count} refused of {each.node or 'strangers'}: {each.reason}" for each in counts]
    tell(told, as_json=as_json, text="\n".join(lines) or "nothing was refused")


@deadletters_app.command("show")
def deadletters_show(letter_id: Annotated[int, typer.Argument(min=1)], as_json: AsJson = False) -> None:
    """One letter with its bytes, those that do not print escaped."""
    with transaction() as conn:
        letter = store.letter(conn, letter_id)
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    payload = letter.payload.decode("utf-8", "backslashreplace")
    lines = [f"{name}: {escaped(str(value))}" for name, value in _summary(letter).items()]
    tell(_summary(letter) | {"payload": payload}, as_json=as_json, text="\n".join([*lines, "", escaped(payload)]))


@deadletters_app.command("replay")
def deadletters_replay(
    letter_ids: Annotated[list[int] | None, typer.Argument(min=1)] = None,
    reason: OfReason = None,
    node: OfNode = None,
    as_json: AsJson = False,
) -> None:
    """Hand letters to ingest again: those named, or up to 500 of a reason or node. What is there already is not taken twice."""
    if not letter_ids and reason is None and node is None:
        raise Invalid("name letters by their id, or say --reason or --node")
    chosen = letter_ids or _chosen(reason, node)
    handed, left = [], {}
    for letter_id in chosen:
        try:
            with transaction() as conn:
                replay(conn, letter_id)
        except (Conflict, NotFound) as error:
            left[letter_id] = str(error)
        else:
            handed.append(letter_id)
    lines = [f"{len(handed)} handed to ingest", *(f"left: {why}" for why in left.values())]
    tell({"handed": handed, "left": left}, as_json=as_json, text="\n".join(lines))
    if left and not handed:
        raise typer.Exit(1)


def _chosen(reason: str | None, node: str | None) -> list[int]:
    with transaction() as conn:
        letters = store.letters(conn, reason=reason, node=node, limit=REPLAYED_AT_ONCE)
    return sorted(letter.id for letter in letters)


def _summary(letter: DeadLetter) -> dict[str, Any]:
    told = asdict(letter)
    del told["payload"]
    return told | {"whole": letter.is_whole}

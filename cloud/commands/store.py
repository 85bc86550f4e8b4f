"""Statements on commands with their types. All take a connection; none commits."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.commands.model import RUNNING, Addressee, Command, CommandState
from cloud.db.queries import load

_queries = load("cloud.commands")


def addressee(conn: Connection[Any], node: str, device: str | None, *, scope: str) -> Addressee | None:
    """An accepted node, where the device that is asked about (or else the node) lies in scope."""
    row = _queries.addressee(conn, name=node, device=device, scope=scope)
    return None if row is None else Addressee(*row)


def is_in_scope(conn: Connection[Any], node: str, *, scope: str) -> bool:
    """Whether a node or any of its devices lies in scope."""
    return bool(_queries.is_in_scope(conn, node=node, scope=scope))


def add(
    conn: Connection[Any],
    addressee: Addressee,
    *,
    command_id: UUID,
    name: str,
    device: str | None,
    arguments: dict[str, Any],
    asked_by: tuple[int | None, str],
    asked_at: datetime,
    deadline: datetime,
) -> bool:
    """Queue a command; False where one of its name runs on the node and device already. `asked_by` is an account and its name."""
    added = _queries.add_command(
        conn,
        id=command_id,
        node_id=addressee.node_id,
        session=addressee.session,
        name=name,
        device=device,
        arguments=Jsonb(arguments),
        asked_by=asked_by[0],
        asked_by_name=asked_by[1],
        asked_at=asked_at,
        deadline=deadline,
    )
    return added is not None


def running(conn: Connection[Any], node_id: int, name: str, device: str | None) -> UUID | None:
    """The one that runs."""
    row = _queries.running_command(conn, node_id=node_id, name=name, device=device)
    return None if row is None else row.id


def find(conn: Connection[Any], command_id: UUID, *, scope: str) -> Command | None:
    """One command with its result."""
    row = _queries.command(conn, id=command_id, scope=scope)
    return None if row is None else _command(row)


def of_node(conn: Connection[Any], node: str, *, name: str | None, scope: str, count: int) -> list[Command]:
    """The newest of a node (of one name), without arguments and results."""
    return [_command(row) for row in _queries.commands_of_node(conn, node=node, name=name, scope=scope, count=count)]


def to_send(conn: Connection[Any], *, now: datetime, again_before: datetime, count: int) -> list[Command]:
    """What has to be given to the broker; the rows are locked."""
    return [_command(row) for row in _queries.commands_to_send(conn, now=now, again_before=again_before, count=count)]


def mark_sent(conn: Connection[Any], ids: Sequence[UUID], at: datetime, *, signed_by: str | None) -> None:
    """Note that these were given to the broker, signed with the key of this fingerprint."""
    _queries.mark_sent(conn, ids=list(ids), sent_at=at, signed_by=signed_by)


def lock_answered(conn: Connection[Any], command_id: UUID, node_id: int) -> Command | None:
    """The command that an answer of a node names, its row locked; without arguments and result."""
    row = _queries.lock_answered(conn, id=command_id, node_id=node_id)
    return None if row is None else _command(row)


def set_state(
    conn: Connection[Any],
    command_id: UUID,
    state: CommandState,
    *,
    at: datetime,
    reason: str | None,
    result: dict[str, Any] | None,
) -> None:
    """Write where an answer led; the result as text, so that its keys keep their order."""
    _queries.set_state(
        conn,
        id=command_id,
        state=state.value,
        at=at,
        is_last=state not in RUNNING,
        reason=reason,
        result=None if result is None else json.dumps(result, ensure_ascii=False, separators=(",", ":")),
    )


def time_out(conn: Connection[Any], before: datetime, *, node_id: int | None = None) -> list[Command]:
    """End those whose deadline lies before a time; they come back."""
    return [_command(row) for row in _queries.time_out(conn, before=before, node_id=node_id)]


def forget_results(conn: Connection[Any], before: datetime) -> int:
    """Forget what was asked and answered in commands that ended before a time; how many."""
    return int(_queries.forget_results(conn, before=before))


def prune(conn: Connection[Any], *, before: datetime, fleeting: Sequence[str], fleeting_before: datetime) -> int:
    """Delete old commands, those of fleeting names sooner; how many."""
    return int(_queries.prune_commands(conn, before=before, fleeting=list(fleeting), fleeting_before=fleeting_before))


def _command(row: Any) -> Command:
    fields = row._asdict()
    return Command(**{**fields, "state": CommandState(row.state)})

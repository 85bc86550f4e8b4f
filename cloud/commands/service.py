"""Use cases of commands. Each takes the connection of one transaction and never commits it.

The row is the queue: whoever asks writes it, and the process that has the broker sends what stands there. Nothing is sent that was
not committed, and what was committed is sent again until it is answered or too late.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection

from cloud.access import audit, camera_access
from cloud.access.model import Principal
from cloud.commands import policy, store
from cloud.commands.model import RUNNING, Command, CommandState, Told
from cloud.db import live
from cloud.errors import CommandRunning, Invalid, NodeAway, NotFound
from cloud.signing import Signer
from edge.contract import downlink
from edge.contract.downlink import CommandName
from edge.contract.envelope import encode
from edge.contract.errors import Oversized
from edge.contract.fields import uuid7
from edge.contract.topics import Channel, Topic

SENT_AT_ONCE = 100
LISTED = 50


def ask(
    conn: Connection[Any],
    name: CommandName,
    *,
    node: str,
    actor: Principal,
    now: datetime,
    device: str | None = None,
    arguments: dict[str, Any] | None = None,
    address: str | None = None,
    audited: bool = True,
    noted: Mapping[str, Any] | None = None,
) -> Command:
    """Queue a command for a node that is present, and note who asked.

    `audited` False where the caller writes a line of his own; `noted` is what else stands in it. Raises NotFound for a device, or without one a node, outside of
    the actor's scope, NodeAway, CommandRunning, Invalid for arguments that are too long.
    """
    found = store.addressee(conn, node, device, scope=actor.area_path)
    if found is None:
        raise NotFound("there is no such node in your scope")
    absent = policy.absence(found)
    if absent is not None or found.session is None:
        raise NodeAway(absent or f"the node {node} is not present")
    time_out(conn, now=now, node_id=found.node_id)
    command = Command(
        id=uuid7(int(now.timestamp() * 1000)),
        node=found.name,
        district=found.district,
        area_code=found.area_code,
        session=found.session,
        name=name.value,
        device=device,
        arguments=arguments or {},
        asked_by=actor.name,
        asked_at=now,
        deadline=now + policy.PATIENCE[name],
        state=CommandState.QUEUED,
    )
    _check_size(command)
    added = store.add(
        conn,
        found,
        command_id=command.id,
        name=name.value,
        device=device,
        arguments=command.arguments,
        asked_by=(actor.user_id, actor.name),
        asked_at=now,
        deadline=command.deadline,
    )
    if not added:
        raise CommandRunning(name.value, node, store.running(conn, found.node_id, name.value, device))
    if audited:
        detail = {"command": str(command.id), "name": name.value, "device": device, **(noted or {})}
        audit.write(conn, "command.asked", node, actor=actor, area_path=found.area_path, address=address, detail=detail)
    _tell(conn, command)
    return command


def _check_size(command: Command) -> None:
    try:
        on_the_wire(command)
    except Oversized as error:
        raise Invalid("what was asked is too long for one message") from error


def on_the_wire(command: Command, signer: Signer | None = None) -> tuple[str, bytes]:
    """Topic and payload of a command, with the signature of the cloud. Raises Oversized."""
    message = downlink.Command(
        command_id=command.id,
        node=command.node,
        session=command.session,
        issued_at=command.asked_at,
        deadline=command.deadline,
        name=command.name,
        device=command.device,
        arguments=command.arguments,
    )
    if signer is not None:
        message = msgspec.structs.replace(message, sig=signer.sign(downlink.command_statement(message)))
    return str(Topic(command.district, command.node, Channel.COMMAND)), encode(message)


def find(conn: Connection[Any], command_id: UUID, *, scope: str) -> Command:
    """One command. Raises NotFound."""
    found = store.find(conn, command_id, scope=scope)
    if found is None:
        raise NotFound("there is no such command in your scope")
    return found


def read(conn: Connection[Any], command_id: UUID, *, reader: Principal, address: str) -> Command:
    """One command for a person's eyes; where its answer shows a picture, a line in the audit log says who saw it.

    Raises NotFound, also where the picture is of a camera whose owner does not let this person look.
    """
    found = find(conn, command_id, scope=reader.area_path)
    if policy.shows_picture(found.result):
        where = store.addressee(conn, found.node, found.device, scope=reader.area_path)
        if not camera_access.sight_of(conn, reader).may(None if where is None else where.owner):
            raise NotFound("there is no such command in your scope")
        audit.write(
            conn,
            "command.viewed",
            f"camera:{found.node}/{found.device}",
            actor=reader,
            area_path=None if where is None else where.area_path,
            address=address,
            detail={"command": str(found.id), "name": found.name},
        )
    return found


def of_node(conn: Connection[Any], node: str, *, scope: str, name: str | None = None) -> list[Command]:
    """The newest commands of a node, of one name or of all, without arguments and results, as far as they lie in scope.

    Raises NotFound for a node of which nothing lies in scope.
    """
    if not store.is_in_scope(conn, node, scope=scope):
        raise NotFound("there is no such node in your scope")
    return store.of_node(conn, node, name=name, scope=scope, count=LISTED)


def send(
    conn: Connection[Any], publish: Callable[[str, bytes], bool], *, signer: Signer | None = None, now: datetime
) -> int:
    """Give to the broker what waits, or was not answered for a while; how many. What it does not take waits on.

    The audit log says with which key a command was signed when it was sent first.
    """
    sent: list[UUID] = []
    for command in store.to_send(conn, now=now, again_before=now - policy.AGAIN_AFTER, count=SENT_AT_ONCE):
        if not publish(*on_the_wire(command, signer)):
            break
        sent.append(command.id)
        if command.state is CommandState.QUEUED:
            _tell(conn, command, state=CommandState.SENT)
            if command.name not in policy.FLEETING:
                _note_sent(conn, command, signer)
    if sent:
        store.mark_sent(conn, sent, now, signed_by=None if signer is None else signer.fingerprint)
    return len(sent)


def _note_sent(conn: Connection[Any], command: Command, signer: Signer | None) -> None:
    where = store.addressee(conn, command.node, command.device, scope="")
    audit.write(
        conn,
        "command.sent",
        command.node,
        actor_name=command.asked_by,
        area_path=None if where is None else where.area_path,
        detail={
            "command": str(command.id),
            "name": command.name,
            "device": command.device,
            "signed_by": None if signer is None else signer.fingerprint,
        },
    )


def take_answers(conn: Connection[Any], told: Iterable[Told], *, now: datetime) -> int:
    """Bring commands up to what their nodes say, in the order of their ids; how many changed.

    What nobody asked, what another session says, and what comes after the last word changes nothing.
    """
    changed = 0
    for one in sorted(told, key=lambda each: each.answer.command_id):
        command = store.lock_answered(conn, one.answer.command_id, one.node_id)
        if command is None:
            continue
        state = policy.state_after(command.state, command.session, one.answer)
        if state is None:
            continue
        reason, result = one.answer.reason, None if state in RUNNING else one.answer.result
        if policy.is_too_deep(result):
            state, reason, result = CommandState.FAILED, policy.TOO_DEEP, None
        store.set_state(conn, command.id, state, at=now, reason=reason, result=result)
        _tell(conn, command, state=state)
        changed += 1
    return changed


def time_out(conn: Connection[Any], *, now: datetime, node_id: int | None = None) -> int:
    """End the commands that nobody waits for any more; how many."""
    ended = store.time_out(conn, now - policy.GRACE, node_id=node_id)
    for command in ended:
        _tell(conn, command)
    return len(ended)


def prune(conn: Connection[Any], *, now: datetime) -> int:
    """Forget what commands brought after a day, and the commands themselves later; how many rows that touched."""
    before = now - policy.RESULTS_KEPT
    deleted = store.prune(conn, before=now - policy.ROWS_KEPT, fleeting=policy.FLEETING, fleeting_before=before)
    return deleted + store.forget_results(conn, before)


def _tell(conn: Connection[Any], command: Command, *, state: CommandState | None = None) -> None:
    """Those who may read commands hear that one moved; what it brought they read themselves. Of what is renewed while somebody
    looks on nobody hears: it would say who is looked at.
    """
    if command.name in policy.FLEETING:
        return
    payload = {
        "id": str(command.id),
        "node": command.node,
        "device": command.device,
        "name": command.name,
        "state": (state or command.state).value,
    }
    live.emit(conn, "command.updated", command.area_code, payload)

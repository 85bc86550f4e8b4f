"""`gridward-cloud node claim | rotate | identity`, `gridward-cloud broker export` and `gridward-cloud command-key list | retire`."""

import threading
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cloud.enrolment import broker, service, store
from cloud.enrolment.broker import CloudUser
from cloud.enrolment.export import BrokerFiles
from cloud.errors import NotFound
from cloud.settings import CloudSettings
from cloud.terminal import AsJson, now, progress, read_settings, tell, transaction
from edge.contract.signing import fingerprint

broker_app = typer.Typer(no_args_is_help=True, help="The rights of nodes at the broker.")

command_key_app = typer.Typer(no_args_is_help=True, help="The keys that sign what nodes are asked to do.")

FOLLOW_EVERY_S = 1.0


def node_claim(
    node: Annotated[str, typer.Argument(help="The name that the node will have.")],
    area: Annotated[str, typer.Option(help="Code of the area in which it stands.")],
    hours: Annotated[int, typer.Option(min=1, max=720, help="So long the code can be used.")] = 24,
    trust_births: Annotated[
        bool, typer.Option("--trust-births", help="Accept the devices that it declares without a person's word.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a one-time claim code; the node shows it with `gridward-edge enrol`. It is told once."""
    with transaction() as conn:
        made = service.make_claim(
            conn, node, area_code=area, now=now(), lasts=timedelta(hours=hours), trusts_births=trust_births
        )
    told = {"node": node, "claim": made.code, "expires_at": made.claim.expires_at}
    tell(told, as_json=as_json, text=f"claim: {made.code}\nuntil: {made.claim.expires_at:%Y-%m-%d %H:%M} UTC")


def node_rotate(
    node: Annotated[str, typer.Argument(help="A node that was enrolled with a key of its own.")],
    at_once: Annotated[
        bool, typer.Option("--at-once", help="End the present credentials now: they may have been stolen.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have a node ask for new credentials; the old ones work until the new ones were seen to work."""
    with transaction() as conn:
        service.rotate(conn, node, now=now(), at_once=at_once)
    tell({"node": node, "at_once": at_once}, as_json=as_json, text=f"{node} asks for new credentials at its next look")


def node_identity(node: str, as_json: AsJson = False) -> None:
    """The key and the credentials of a node, without secrets."""
    with transaction() as conn:
        found = store.identity(conn, node, scope="")
        if found is None:
            raise NotFound(f"there is no node {node}")
        credentials = store.credentials(conn, found.id)
    key = None if found.public_key is None else fingerprint(bytes(found.public_key))
    told = {"node": node, "key": key, "bound_at": found.bound_at, "credentials": [asdict(each) for each in credentials]}
    lines = [f"key: {key or 'none'}"]
    lines += [f"credentials {each.generation}: until {each.expires_at:%Y-%m-%d %H:%M} UTC" for each in credentials]
    tell(told, as_json=as_json, text="\n".join(lines))


@broker_app.command("export")
def broker_export(
    folder: Annotated[Path, typer.Argument(help="Where `passwords` and `acl` are written.")],
    *,
    pid_file: Annotated[
        Path | None, typer.Option(help="Of the mosquitto that has to read them again (SIGHUP).")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on, and write again within a second of each change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the password file and the access control list of a mosquitto: each node may publish and read as itself alone.

    The cloud's own user is that of GRIDWARD_MQTT_USER, with its password.
    """
    files, cloud = BrokerFiles(folder, pid_file=pid_file), cloud_user(read_settings())
    if cloud is None:
        progress("without GRIDWARD_MQTT_USER the cloud itself has no user at this broker")
    resting = threading.Event()
    while True:
        with transaction() as conn:
            users = broker.users(conn, cloud, now=now())
        if files.write(users, own=None if cloud is None else cloud.name):
            told = {"users": len(users), "folder": str(folder)}
            tell(told, as_json=as_json, text=f"{len(users)} users in {folder}")
        if not follow:
            return
        resting.wait(FOLLOW_EVERY_S)


@command_key_app.command("list")
def command_key_list(as_json: AsJson = False) -> None:
    """The keys that sign commands, or signed them, the newest first."""
    with transaction() as conn:
        keys = store.list_command_keys(conn)
    told = [
        {"key": fingerprint(each.public_key), "first_used_at": each.first_used_at, "retired_at": each.retired_at}
        for each in keys
    ]
    lines = [
        f"{fingerprint(each.public_key)} since {each.first_used_at:%Y-%m-%d %H:%M} UTC{' (retired)' if each.retired_at else ''}"
        for each in keys
    ]
    tell({"items": told}, as_json=as_json, text="\n".join(lines))


@command_key_app.command("retire")
def command_key_retire(
    key: Annotated[str, typer.Argument(help="The beginning of its fingerprint, see `command-key list`.")],
    as_json: AsJson = False,
) -> None:
    """Have nodes believe a key no longer, from their next look. It does not come back: a cloud that still signs with it is refused."""
    with transaction() as conn:
        whole = service.retire_command_key(conn, key, now=now())
    tell({"key": whole}, as_json=as_json, text=f"{whole} is retired")


def cloud_user(settings: CloudSettings) -> CloudUser | None:
    """The cloud's user at the broker, as the settings have it."""
    password = settings.read_mqtt_password()
    return CloudUser(settings.mqtt_user, password) if settings.mqtt_user and password else None

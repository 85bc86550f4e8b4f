"""`gridward-cloud api-key` and `gridward-cloud audit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from psycopg import IsolationLevel

from cloud.access import api_keys, audit_chain
from cloud.access.api_keys import KeyScope, KeyWish
from cloud.access.chain import Verdict
from cloud.db.pool import open_session
from cloud.errors import Invalid, NotFound
from cloud.signing import Signer, audit_key_file
from cloud.terminal import AsJson, now, read_settings, tell, transaction
from edge.contract.signing import key_of, key_text

audit_app = typer.Typer(no_args_is_help=True, help="The audit log and its chain.")
api_key_app = typer.Typer(no_args_is_help=True, help="Keys with which other programs call the service.")


@api_key_app.command("add")
def api_key_add(
    *,
    name: Annotated[str, typer.Argument(help="Who uses it: a-z, 0-9, dot, dash, underscore.")],
    scope: Annotated[list[KeyScope], typer.Option(help="What it opens; can be given several times.")],
    area: Annotated[str | None, typer.Option(help="Code of the area where it acts; everywhere when not given.")] = None,
    days: Annotated[int, typer.Option(help="How long it lives.")] = 365,
    per_minute: Annotated[int, typer.Option(help="How often it may be used.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is told once."""
    wish = KeyWish(name=name, scopes=frozenset(scope), area_code=area, days=days, per_minute=per_minute)
    with transaction() as conn:
        made = api_keys.make(conn, wish, now=now())
    tell(asdict(made.key) | {"secret": made.secret}, as_json=as_json, text=f"made {name}, key: {made.secret}")


@api_key_app.command("list")
def api_key_list(as_json: AsJson = False) -> None:
    """All keys, the newest first."""
    with transaction() as conn:
        keys = api_keys.everything(conn)
    lines = (
        f"{key.name:24} {key.begins_with}  {','.join(key.scopes):10} {key.area_code or 'everywhere':16} "
        + (f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at is not None else f"until {key.expires_at:%Y-%m-%d}")
        + (f", used {key.used_at:%Y-%m-%d}" if key.used_at is not None else ", never used")
        for key in keys
    )
    tell({"items": [asdict(key) for key in keys]}, as_json=as_json, text="\n".join(lines) or "nothing")


@api_key_app.command("revoke")
def api_key_revoke(name: str, as_json: AsJson = False) -> None:
    """End the key of this name at once."""
    with transaction() as conn:
        found = next((key for key in api_keys.everything(conn) if key.name == name and key.revoked_at is None), None)
        if found is None:
            raise NotFound(f"there is no key {name!r} in use")
        api_keys.revoke(conn, found.id, now=now())
    tell({"name": name, "revoked": True}, as_json=as_json, text=f"revoked {name}")


@audit_app.command("key")
def audit_key(as_json: AsJson = False) -> None:
    """The public key that seals the log, and how far it went: what to keep elsewhere, so that nothing can be cut off unseen."""
    signer = _signer()
    told = {
        "public_key": key_text(signer.public_key),
        "fingerprint": signer.fingerprint,
        "head": [f"{position}:{hash_.hex()}" for position, hash_ in audit_chain.noted_head(_head_file())],
    }
    tell(told, as_json=as_json, text="\n".join(f"{name}: {value}" for name, value in told.items()))


@audit_app.command("verify")
def audit_verify(
    public_key: Annotated[
        list[str] | None, typer.Option(help="A key that is trusted to seal; that of this machine when none is given.")
    ] = None,
    noted: Annotated[
        list[str] | None, typer.Option(help="POSITION:HASH that was written down elsewhere, as `audit key` tells it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look over the whole chain; exit status 1 where a row was changed, taken out or cut off."""
    settings = read_settings()
    keys = [_key(text) for text in public_key or ()] or [_signer().public_key]
    heads = [_noted(text) for text in noted or ()] + audit_chain.noted_head(_head_file())
    with open_session(settings.database_url.get_secret_value(), "gridward-audit-verify") as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        with conn.transaction():
            found = audit_chain.check(conn, keys=keys, noted=heads)
    tell(_told(found), as_json=as_json, text="\n".join(_lines(found)))
    if not found.holds:
        raise typer.Exit(1)


def _signer() -> Signer:
    """The key of this machine; a command makes none."""
    file = audit_key_file(read_settings())
    if not file.is_file():
        raise Invalid(f"this machine has not sealed the log ({file} is not there): name the key with --public-key")
    return Signer.of_audit(read_settings())


def _head_file() -> Path:
    return read_settings().data_directory.resolve() / audit_chain.HEAD_FILE


def _key(text: str) -> bytes:
    try:
        return key_of(text)
    except ValueError as error:
        raise Invalid(f"{text[:60]!r}: {error}") from error


def _noted(text: str) -> tuple[int, bytes]:
    position, _, hash_ = text.partition(":")
    try:
        return int(position), bytes.fromhex(hash_)
    except ValueError as error:
        raise Invalid(f"{text[:90]!r} is not POSITION:HASH") from error


def _told(found: Verdict) -> dict[str, object]:
    position, hash_ = found.head
    return {
        "holds": found.holds,
        "rows": found.links,
        "seals": found.seals,
        "sealed": found.sealed,
        "waiting": found.waiting,
        "head": f"{position}:{hash_.hex()}",
        "flaws": found.flaws,
        "findings": [asdict(finding) for finding in found.findings],
    }


def _lines(found: Verdict) -> list[str]:
    position, hash_ = found.head
    lines = [
        f"{found.links} rows in the chain, sealed to {found.sealed} by {found.seals} seals, {found.waiting} wait for it",
        f"head: {position}:{hash_.hex()}",
    ]
    lines += [f"{finding.flaw.value} at {finding.position or '?'}: {finding.detail}" for finding in found.findings]
    return [*lines, "the chain holds" if found.holds else f"the chain does NOT hold: {found.flaws} flaws"]

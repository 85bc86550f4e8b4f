"""`gridward-cloud`: serve, migrate, and what an administrator does at a terminal. `--json` makes every answer one for programs."""

import gc
import json
import secrets
import ssl
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import psycopg
import typer

from cloud.access import accounts, areas
from cloud.access.command import api_key_app, audit_app
from cloud.access.model import Role
from cloud.backup.command import backup, restore
from cloud.correlate.command import admission_app
from cloud.db.migrate import migrate as migrate_database
from cloud.db.warming import WAY_OUT
from cloud.db.warming import warm as warm_database
from cloud.deadlines.command import deadlines_app
from cloud.drills.command import drill_app
from cloud.enrolment.command import broker_app, command_key_app, node_claim, node_identity, node_rotate
from cloud.errors import CloudError, ConfigurationError, Invalid
from cloud.evidence.command import evidence_app
from cloud.figures.command import figures_app
from cloud.fleet import service as fleet
from cloud.handover.command import handover_app
from cloud.ingest.command import deadletters_app
from cloud.ingest.quarantine_command import quarantine_app
from cloud.logs import log_to_stderr
from cloud.main import Part, running, wait_for_signal
from cloud.maintenance.command import maintenance_app
from cloud.notify.command import notices_app
from cloud.organisation.command import organisation_app
from cloud.proof import command as _proof_command  # noqa: F401 (adds its commands to evidence_app)
from cloud.rollouts.command import artifacts_app
from cloud.settings import CloudSettings
from cloud.terminal import AsJson, now, read_settings, tell, transaction
from cloud.verdicts.command import verdicts_app

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The cloud of Gridward."
)
user_app = typer.Typer(no_args_is_help=True, help="People and their roles.")
area_app = typer.Typer(no_args_is_help=True, help="Districts, streets, communities, grids.")
node_app = typer.Typer(no_args_is_help=True, help="Edge nodes.")
app.add_typer(user_app, name="user")
app.add_typer(area_app, name="area")
app.add_typer(node_app, name="node")
node_app.command("claim")(node_claim)
node_app.command("rotate")(node_rotate)
node_app.command("identity")(node_identity)
app.add_typer(api_key_app, name="api-key")
app.add_typer(audit_app, name="audit")
app.add_typer(broker_app, name="broker")
app.add_typer(command_key_app, name="command-key")
app.add_typer(deadletters_app, name="deadletters")
app.add_typer(drill_app, name="drill")
app.add_typer(handover_app, name="handover")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(evidence_app, name="evidence")
app.add_typer(maintenance_app, name="maintenance")
app.add_typer(organisation_app, name="organisation")
app.add_typer(admission_app, name="admission")
app.add_typer(deadlines_app, name="deadlines")
app.add_typer(notices_app, name="notices")
app.add_typer(artifacts_app, name="artifacts")
app.add_typer(verdicts_app, name="verdicts")
app.add_typer(figures_app, name="figures")
app.command()(backup)
app.command()(restore)


def main() -> None:
    """Run the command line; what goes wrong on purpose is one line on stderr and exit status 1."""
    try:
        app()
    except CloudError as error:
        _fail(str(error))
    except psycopg.errors.UndefinedTable:
        _fail("the database is not up to date: run `gridward-cloud migrate`")
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            _fail("the database can't be reached: see GRIDWARD_DATABASE_URL")
        _fail(f"the database refuses: {error.diag.message_primary or type(error).__name__}")


def _fail(reason: str) -> None:
    text = json.dumps({"error": reason}, ensure_ascii=False) if "--json" in sys.argv else f"error: {reason}"
    print(text, file=sys.stderr)
    sys.exit(1)


@app.command()
def serve(
    role: Annotated[Part, typer.Option(help="What this process does.")] = Part.ALL,
    tls: Annotated[
        bool, typer.Option("--tls", help="HTTPS, with a demo authority unless a certificate is set.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run until SIGINT or SIGTERM."""
    log_to_stderr(as_json=as_json)
    try:
        with running(read_settings(), role, tls=tls) as cloud:
            told = {
                "role": role.value,
                "url": cloud.address,
                "authority": str(cloud.authority) if cloud.authority else None,
                "authority_sha256": cloud.fingerprint,
            }
            tell(told, as_json=as_json, text="\n".join(f"{name}: {value}" for name, value in told.items() if value))
            sys.stdout.flush()
            # What is there now stays: to look through it for garbage again and again would hold up each answer for a fifth of a second.
            gc.collect()
            gc.freeze()
            wait_for_signal()
    except OSError as error:
        raise ConfigurationError(f"can't listen on GRIDWARD_HTTP_HOST and GRIDWARD_HTTP_PORT: {error}") from error


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring the database up to date."""
    applied = migrate_database(read_settings().database_url.get_secret_value())
    tell({"applied": applied}, as_json=as_json, text="\n".join(applied) or "nothing to do")


@app.command()
def warm(as_json: AsJson = False) -> None:
    """Read what lists and details show into the database server's memory: after a restart of it; `serve` does so by itself."""
    url = read_settings().database_url.get_secret_value()
    warmed = warm_database(url, tell=lambda text: print(text, file=sys.stderr, flush=True))
    if warmed is None:
        raise ConfigurationError(WAY_OUT)
    text = f"{warmed.read_bytes / 2**20:,.0f} MiB of {warmed.wanted_bytes / 2**20:,.0f} MiB are in memory"
    if warmed.read_bytes < warmed.wanted_bytes:
        text += (
            f"; there is room for {warmed.room_bytes / 2**20:,.0f} MiB: raise shared_buffers where the machine has more"
        )
    tell(asdict(warmed), as_json=as_json, text=text)


@app.command()
def openapi() -> None:
    """Write the OpenAPI document."""
    from cloud.api.app import openapi as document  # noqa: PLC0415 - only this command needs it without a service

    print(json.dumps(document(), indent=2, ensure_ascii=False))


@app.command()
def health(
    url: Annotated[str | None, typer.Option(help="Where the cloud answers; from the settings when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running cloud whether it is ready; exit status 1 when it is not."""
    settings = read_settings()
    authority = settings.data_directory.resolve() / "tls" / "authority.crt"
    context = ssl.create_default_context(cafile=str(authority) if authority.is_file() else None)
    try:
        answer = httpx.get(f"{url or _own_url(settings, authority)}/readyz", timeout=5, verify=context)
        state = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ConfigurationError(f"no answer: {error}") from error
    tell(state, as_json=as_json, text="ready" if state.get("ready") else f"not ready: {state.get('parts')}")
    if answer.status_code != httpx.codes.OK:
        raise typer.Exit(1)


def _own_url(settings: CloudSettings, authority: Path) -> str:
    scheme = "https" if settings.tls_cert is not None or authority.is_file() else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.http_host, settings.http_host)  # noqa: S104
    return f"{scheme}://{host}:{settings.http_port}"


@app.command()
def demo() -> None:
    """Everything on this machine: database, broker, cloud, two nodes on real footage."""
    from cloud.demo.command import main as run_demo  # noqa: PLC0415 - the demo's parts are not installed with every cloud

    raise typer.Exit(run_demo())


@user_app.command("add")
def user_add(
    *,
    name: Annotated[str, typer.Argument(help="For signing in: a-z, 0-9, dot, dash, underscore.")],
    role: Annotated[Role, typer.Option(help="What the person does.")],
    area: Annotated[
        str | None, typer.Option(help="Code of the area that the person sees; everything when not given.")
    ] = None,
    department: Annotated[
        str | None, typer.Option(help="Code of the department for which the person works; for the role department.")
    ] = None,
    display_name: Annotated[str | None, typer.Option(help="The name that others see.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
    ] = False,
    generate: Annotated[bool, typer.Option("--generate", help="Make a password and tell it once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a person."""
    password = _password(password_stdin=password_stdin, generate=generate)
    with transaction() as conn:
        user_id = accounts.add(
            conn,
            name=name,
            password=password,
            role=role,
            display_name=display_name,
            area_code=area,
            department=department,
            now=now(),
        )
    told: dict[str, Any] = {"id": user_id, "name": name, "role": role.value, "area": area}
    if generate:
        told["password"] = password
    tell(told, as_json=as_json, text=f"added {name}" + (f", password: {password}" if generate else ""))


@user_app.command("password")
def user_password(
    name: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read it from the first line of stdin.")
    ] = False,
    generate: Annotated[bool, typer.Option("--generate", help="Make one and tell it once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change a password; the person is signed out everywhere."""
    password = _password(password_stdin=password_stdin, generate=generate)
    with transaction() as conn:
        accounts.set_password(conn, name, password, now=now())
    told = {"name": name} | ({"password": password} if generate else {})
    tell(told, as_json=as_json, text=f"changed {name}" + (f", password: {password}" if generate else ""))


@user_app.command("disable")
def user_disable(name: str, as_json: AsJson = False) -> None:
    """Close an account; the person is signed out everywhere."""
    with transaction() as conn:
        accounts.disable(conn, name, now=now())
    tell({"name": name, "disabled": True}, as_json=as_json, text=f"disabled {name}")


@user_app.command("list")
def user_list(as_json: AsJson = False) -> None:
    """All accounts."""
    with transaction() as conn:
        people = accounts.everyone(conn)
    lines = (f"{person['name']:24} {person['role']:14} {person['area_code'] or 'everything'}" for person in people)
    tell({"items": people}, as_json=as_json, text="\n".join(lines))


@area_app.command("import")
def area_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A GeoJSON FeatureCollection.")],
    scheme: Annotated[
        str, typer.Option(help="How codes are built: cn15, free, or one added by `organisation scheme`.")
    ] = "cn15",
    as_json: AsJson = False,
) -> None:
    """Take in areas. One bad row and nothing is taken in; every bad row is named."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise Invalid(f"{file} can't be read as JSON: {error}") from error
    with transaction() as conn:
        report = areas.take_in(conn, document, scheme=scheme, now=now())
    lines = [f"row {problem.row} ({problem.code or 'no code'}): {problem.reason}" for problem in report.problems]
    lines.append(
        f"{len(report.added)} added, {len(report.redrawn)} redrawn, {len(report.ended)} ended, {len(report.unchanged)} unchanged, "
        f"{len(report.problems)} bad rows"
    )
    tell(asdict(report), as_json=as_json, text="\n".join(lines))
    if report.problems:
        raise typer.Exit(1)


@node_app.command("add")
def node_add(
    node: Annotated[str, typer.Argument(help="The node's name, as in its node.yaml.")],
    district: Annotated[str, typer.Option(help="Six-digit code, fixed for the node's life.")],
    area: Annotated[str, typer.Option(help="Code of the area in which it stands.")],
    replace: Annotated[bool, typer.Option("--replace", help="New secrets for a node that is enrolled.")] = False,
    as_json: AsJson = False,
) -> None:
    """Enrol a node; its secrets are told once."""
    with transaction() as conn:
        made = fleet.add_node(conn, node, district=district, area_code=area, now=now(), replace=replace)
    told = {"node": made.node, "mqtt_password": made.mqtt_password, "token": made.token}
    tell(told, as_json=as_json, text="\n".join(f"{name}: {value}" for name, value in told.items()))


def _password(*, password_stdin: bool, generate: bool) -> str:
    if password_stdin and generate:
        raise Invalid("either --password-stdin or --generate")
    if generate:
        return secrets.token_urlsafe(12)
    if password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


if __name__ == "__main__":
    main()

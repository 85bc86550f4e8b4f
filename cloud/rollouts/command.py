"""`gridward-cloud artifacts`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cloud.access import audit
from cloud.errors import Invalid
from cloud.evidence.files import EvidenceFiles
from cloud.rollouts import artifact_store, artifacts
from cloud.terminal import AsJson, now, read_settings, tell, transaction
from firmware_configs.shipped import signature_file
from firmware_configs.signature import LARGEST_SIGNATURE_BYTES, ArtifactClass

artifacts_app = typer.Typer(no_args_is_help=True, help="Signed profiles, models, programs and firmware of devices.")

LISTED = 200


@artifacts_app.command("add")
def artifacts_add(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A profile, a model, a wheel or a firmware.")
    ],
    sig: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its signature; beside it when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a signed file and keep its bytes. Only what a trusted key vouches for; a version never changes."""
    settings = read_settings()
    signature = artifacts.read_signature(_read(sig or signature_file(file)))
    files = EvidenceFiles(settings.evidence_store_url)
    keyring = artifacts.trusted_keys(settings)
    with transaction() as conn:
        found, is_new = artifacts.add(conn, files, signature, file, keyring=keyring, added_by="command line", now=now())
        if is_new:
            subject = f"artifact:{found.kind}/{found.name}/{found.version}"
            detail = {"sha256": found.sha256, "key": found.key}
            audit.write(conn, "artifact.registered", subject, actor_name="command line", detail=detail)
    told = {"artifact": found.kind, "name": found.name, "version": found.version, "sha256": found.sha256, "new": is_new}
    text = f"{found.kind} {found.name} {found.version}: " + (
        "registered" if is_new else "was known, its bytes are kept"
    )
    tell(told, as_json=as_json, text=text)


@artifacts_app.command("list")
def artifacts_list(
    kind: Annotated[ArtifactClass | None, typer.Option(help="Only this kind.")] = None, as_json: AsJson = False
) -> None:
    """The newest of what is registered."""
    with transaction() as conn:
        found = artifact_store.artifacts(conn, kind=kind, count=LISTED)
    lines = (
        f"{each.kind:8} {each.name:24} {each.version:12} {each.size_bytes:>10}  {'kept' if each.stored_at else 'no bytes yet'}"
        for each in found
    )
    tell({"items": [asdict(each) for each in found]}, as_json=as_json, text="\n".join(lines) or "nothing")


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_SIGNATURE_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{file} can't be read: {error.strerror}; a file is added with its signature") from error

"""`gridward-cloud backup` and `restore`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.backup import service
from cloud.backup.model import Manifest
from cloud.errors import Invalid
from cloud.evidence.files import EvidenceFiles
from cloud.terminal import AsJson, confirm, progress, read_settings, tell


def backup(
    place: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where it goes; must not be there yet.")],
    as_json: AsJson = False,
) -> None:
    """Take a backup: database and evidence. Everything may go on running.

    It holds password hashes and case work: keep it as you keep the database. Keep the hash that is told in another place:
    with it a restore notices also what was changed on purpose. Exit status 1 when evidence is missing from its store.
    """
    settings = read_settings()
    files = EvidenceFiles(settings.evidence_store_url)
    try:
        made = service.back_up(settings.database_url.get_secret_value(), files, place, say=progress)
    except OSError as error:
        raise Invalid(f"the backup can't be written to {place}: {error.strerror or error}") from error
    told = {"directory": str(place), "manifest_sha256": made.sha256} | _summary(made.manifest)
    text = f"{place}: {_summary_text(made.manifest)}\nmanifest sha256 {made.sha256}"
    tell(told, as_json=as_json, text=text)
    if not made.manifest.complete:
        raise typer.Exit(1)


def restore(
    place: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where the backup is.")],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the backup; nothing is changed, no database is needed.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what is in the database, for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether --replace is meant.")] = False,
    sha256: Annotated[str | None, typer.Option(help="The hash that was told when the backup was taken.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup back, also one of an older version. Stop the services first.

    A restore that fails or is killed leaves the database as it was. Everybody has to sign in anew.
    """
    if verify:
        manifest = service.verify(place, sha256=sha256, say=progress)
        told = {"directory": str(place)} | _summary(manifest)
        tell(told, as_json=as_json, text=f"{place}: in order, {_summary_text(manifest)}")
        return
    settings = read_settings()
    if replace and not yes:
        refusal = "--replace overwrites what is there: say --yes when that is meant"
        confirm("Everything that is in the database now will be gone. Go on?", refusal=refusal, as_json=as_json)
    done = service.restore(
        settings.database_url.get_secret_value(),
        EvidenceFiles(settings.evidence_store_url),
        place,
        replace=replace,
        sha256=sha256,
        say=progress,
    )
    told = {"directory": str(place), "evidence_put": done.evidence_put, "left_out": done.left_out}
    text = f"restored {place}: {_summary_text(done.manifest)}"
    if done.left_out:
        text += f"\nleft out, for they are not of this program: {', '.join(done.left_out)}"
    tell(told | _summary(done.manifest), as_json=as_json, text=text)


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "created_at": manifest.created_at.isoformat(),
        "software": manifest.software,
        "schema": manifest.schema[-1],
        "rows": manifest.rows,
        "evidence_files": manifest.evidence.files,
        "evidence_bytes": manifest.evidence.size_bytes,
        "evidence_missing": manifest.evidence.missing,
        "evidence_damaged": manifest.evidence.damaged,
        "complete": manifest.complete,
    }


def _summary_text(manifest: Manifest) -> str:
    evidence = manifest.evidence
    text = (
        f"{manifest.rows} rows of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC (schema {manifest.schema[-1]}), "
        f"{evidence.files} files of evidence with {evidence.size_bytes} bytes"
    )
    if not manifest.complete:
        text += (
            f"\nNOT COMPLETE: of the evidence {evidence.missing} files were missing from the store and "
            f"{evidence.damaged} damaged; see `gridward-cloud evidence check --read`"
        )
    return text

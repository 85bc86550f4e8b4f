"""`gridward-cloud evidence`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.db.pool import open_session
from cloud.errors import Invalid
from cloud.evidence.files import EvidenceFiles, sync
from cloud.evidence.inventory import Findings, take_stock
from cloud.evidence.pruning import prune
from cloud.evidence.retention import PrunableFile, terms_of
from cloud.evidence.store import to_prune
from cloud.evidence.unsealing import new_key_pair
from cloud.terminal import AsJson, now, read_settings, tell

evidence_app = typer.Typer(no_args_is_help=True, help="Pictures and films of incidents.")


@evidence_app.command("check")
def evidence_check(
    read: Annotated[
        bool, typer.Option("--read", help="Compare every byte with its hash, not the lengths alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the store of evidence with the database; exit status 1 when a file is missing or damaged."""
    settings = read_settings()
    # without a transaction: reading a large store takes hours, and vacuum would wait for it
    with open_session(settings.database_url.get_secret_value(), "gridward-evidence-check") as conn:
        found = take_stock(conn, EvidenceFiles(settings.evidence_store_url), read=read)
    kinds = {"missing": found.missing, "damaged": found.damaged, "orphaned": found.orphaned}
    lines = [f"{found.files} files are said to be stored"]
    lines += [line for name, findings in kinds.items() for line in _findings_text(name, findings)]
    tell(asdict(found) | {"in_order": found.in_order}, as_json=as_json, text="\n".join(lines))
    if not found.in_order:
        raise typer.Exit(1)


@evidence_app.command("prune")
def evidence_prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many files.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Delete files whose time is over, and where a node has more than its share; never those of an open case."""
    settings = read_settings()
    terms, quota_bytes = terms_of(settings), settings.evidence_node_quota_bytes
    with open_session(settings.database_url.get_secret_value(), "gridward-evidence-prune") as conn:
        due = to_prune(conn, terms, quota_bytes=quota_bytes, now=now(), count=count)
        gone = [] if dry_run else _pruned(conn, EvidenceFiles(settings.evidence_store_url), due)
    chosen = due if dry_run else gone
    size_bytes = sum(file.size_bytes for file in chosen)
    told = {"dry_run": dry_run, "files": len(chosen), "bytes": size_bytes, "items": [asdict(file) for file in chosen]}
    verb = "would go" if dry_run else "are gone"
    tell(told, as_json=as_json, text=f"{len(chosen)} files of {size_bytes} bytes {verb}")


def _pruned(conn: Connection[Any], files: EvidenceFiles, due: list[PrunableFile]) -> list[PrunableFile]:
    gone = []
    for file in due:
        with conn.transaction():
            if prune(conn, files, file, now=now(), actor_name="command line"):
                gone.append(file)
    return gone


@evidence_app.command("make-key")
def evidence_make_key(
    out: Annotated[Path, typer.Option(help="Where the private key goes; the file must not be there yet.")],
    as_json: AsJson = False,
) -> None:
    """Make a district's key pair: the private key goes into a file, the public one is told. Keep the file away from here."""
    private, public = new_key_pair()
    write_private(out, f"# public key: {public}\n{private}\n".encode())
    tell({"public_key": public, "private_key_file": str(out)}, as_json=as_json, text=public)


def write_private(path: Path, content: bytes) -> None:
    """For the eyes of its owner alone, and on the disk before anybody is told of it. Raises Invalid when the file is there already or can't be made."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        sync(path)
    except OSError as error:
        raise Invalid(f"{path} can't be made: {error.strerror}") from error


def _findings_text(name: str, findings: Findings) -> list[str]:
    if not findings.count:
        return []
    more = findings.count - len(findings.shown)
    return [
        f"{findings.count} {name}:",
        *(f"  {one}" for one in findings.shown),
        *([f"  and {more} more"] * (more > 0)),
    ]

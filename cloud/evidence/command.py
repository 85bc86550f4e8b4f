"""`gridward-cloud evidence`."""

from dataclasses import asdict
from typing import Annotated

import typer

from cloud.db.pool import open_session
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.inventory import Findings, take_stock
from cloud.terminal import AsJson, read_settings, tell

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


def _findings_text(name: str, findings: Findings) -> list[str]:
    if not findings.count:
        return []
    more = findings.count - len(findings.shown)
    return [
        f"{findings.count} {name}:",
        *(f"  {one}" for one in findings.shown),
        *([f"  and {more} more"] * (more > 0)),
    ]

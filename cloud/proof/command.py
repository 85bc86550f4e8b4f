"""`gridward-cloud evidence export | unseal | verify | fingerprints | check-chain | checkpoint | rotate-key`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from psycopg import Connection, IsolationLevel

from cloud.db.pool import open_session
from cloud.errors import Invalid, NotFound
from cloud.evidence.command import evidence_app, write_private
from cloud.evidence.files import EvidenceFiles, sync
from cloud.evidence.unsealing import DistrictPrivateKey
from cloud.proof import export as exports
from cloud.proof import film, keys, linking, originals, store, watermark
from cloud.proof.verification import Demands, Report, verify_file
from cloud.settings import CloudSettings
from cloud.signing import Signer
from cloud.terminal import AsJson, now, read_settings, tell, transaction
from edge.contract.signing import fingerprint

_NOT_PROVEN = 1
_NOT_ASKED = 2
_FINGERPRINT_LENGTH = 64


@evidence_app.command("export")
def evidence_export(
    case: Annotated[str, typer.Argument(help="The number of the case.")],
    out: Annotated[Path, typer.Option(help="The file to be made; it must not be there yet.")],
    purpose: Annotated[str, typer.Option(help="What it is needed for; it stands in the file and in the audit log.")],
    as_json: AsJson = False,
) -> None:
    """Write a case as one file that anybody can verify without this system: its history, incidents, pictures and films."""
    settings = read_settings()
    files = EvidenceFiles(settings.evidence_store_url)
    exports.stated(purpose)
    with _new_file(out) as opened:
        with transaction() as conn:
            found = store.case_to_prove(conn, number=case)
            if found is None:
                raise NotFound(f"there is no case {case}")
            signer = exports.prepare(conn, settings, found, now=now())
        errand = exports.Errand(purpose, now(), name="command line")
        with transaction() as conn:
            done = exports.export(conn, files, signer, found, errand, out=opened)
    text = (
        f"{out}: case {done.case}, {done.links} links, {done.revisions} revisions of incidents, {done.files} files, "
        f"{done.absent} not in it\nsigned by {done.signer}"
    )
    tell({"file": str(out), **asdict(done)}, as_json=as_json, text=text)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone; gone again where it did not become whole. Raises Invalid where it can't be made."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Invalid(f"{path} can't be made: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w+b") as opened:
            yield opened
        sync(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@evidence_app.command("unseal")
def evidence_unseal(
    request: Annotated[int, typer.Argument(help="The number of the request that a second person has allowed.", min=1)],
    key: Annotated[Path, typer.Option(help="The district's private key, a file of age.")],
    out: Annotated[Path, typer.Option(help="Where the original goes; the file must not be there yet.")],
    as_json: AsJson = False,
) -> None:
    """Open a sealed original for the one who asked, once, marked with his name. It is written down before anything is shown."""
    settings = read_settings()
    private_key = DistrictPrivateKey(key)
    if out.exists():
        raise Invalid(f"{out} is there already")
    files, at = EvidenceFiles(settings.evidence_store_url), now()
    with transaction() as conn:
        opened, original = originals.open_original(
            conn, files, private_key, request, now=at, maximum_bytes=settings.evidence_maximum_bytes
        )
        shown = original if opened.unmarked else _marked(original, opened.mark(at), out.parent)
    write_private(out, shown)
    told = {"file": str(out), "bytes": len(shown), "marked": not opened.unmarked, "for": opened.asked_by}
    remark = "NOT MARKED, as was asked for and allowed" if opened.unmarked else f"marked: {opened.mark(at)}"
    tell(told, as_json=as_json, text=f"{out}: {len(shown)} bytes, for {opened.asked_by}; {remark}")


def _marked(original: bytes, mark: str, scratch: Path) -> bytes:
    """Raises Invalid where it can't be marked, and then nothing is spent."""
    try:
        if watermark.is_picture(original):
            return watermark.marked(original, mark)
        return film.marked_film(original, mark, scratch=scratch)
    except (ValueError, OSError) as error:
        raise Invalid(
            f"it can't be marked, so it is not given: {error}. Where a court needs it as it is, ask for it unmarked; a second person"
            " has to allow that"
        ) from error


@evidence_app.command("verify")
def evidence_verify(
    file: Annotated[Path, typer.Argument(help="What `evidence export` wrote.")],
    *,
    trust: Annotated[
        list[str],
        typer.Option(
            help="The fingerprint of a key of the cloud that is trusted. Enough for the chain and the export; that the keys "
            "of nodes are theirs is then the cloud's word. May be given again."
        ),
    ],
    trust_node: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FINGERPRINT",
            help="A node and a key of it that is trusted; what is there of this node has to be signed by such a key. May be given again.",
        ),
    ] = None,
    every_node: Annotated[
        bool,
        typer.Option(
            "--every-node", help="What is there of any node has to be signed by a key that --trust-node names for it."
        ),
    ] = False,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Remark incidents that their node has not signed, rather than fail.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove an exported case offline. Exit status 0: proven; 1: not what it says; 2: the question can't be answered."""
    try:
        demands = Demands(
            frozenset(map(_fingerprint, trust)), _of_nodes(trust_node or ()), every_node=every_node, unsigned=unsigned
        )
        _in_one_part(demands)
    except Invalid as error:
        tell({"error": str(error)}, as_json=as_json, text=str(error))
        raise typer.Exit(_NOT_ASKED) from error
    try:
        report = verify_file(file, demands)
    except OSError as error:
        tell({"error": str(error)}, as_json=as_json, text=f"{file} can't be read: {error.strerror}")
        raise typer.Exit(_NOT_ASKED) from error
    tell(asdict(report) | {"valid": report.valid}, as_json=as_json, text=_told(report))
    if not report.valid:
        raise typer.Exit(_NOT_PROVEN)


def _fingerprint(text: str) -> str:
    told = text.strip().lower().replace(":", "")
    if len(told) != _FINGERPRINT_LENGTH or not told.isalnum():
        raise Invalid(f"no fingerprint: {text}")
    return told


def _of_nodes(told: Iterable[str]) -> dict[str, frozenset[str]]:
    nodes: dict[str, frozenset[str]] = {}
    for each in told:
        node, _, key = each.partition("=")
        if not node or not key:
            raise Invalid(f"no NAME=FINGERPRINT: {each}")
        nodes[node] = nodes.get(node, frozenset()) | {_fingerprint(key)}
    return nodes


def _in_one_part(demands: Demands) -> None:
    """Raises Invalid where a key is to be trusted as the cloud's and a node's, or as that of two nodes."""
    told = [*demands.trusted, *(key for keys in demands.nodes.values() for key in keys)]
    if twice := sorted({key for key in told if told.count(key) > 1}):
        raise Invalid(f"a key is the cloud's or one node's: {', '.join(twice)}")


def _told(report: Report) -> str:
    lines = [f"{'ok    ' if check.holds else 'FAILED'} {check.name}: {check.detail}" for check in report.checks]
    lines += [f"remark {remark}" for remark in report.remarks]
    return "\n".join([*lines, "VALID" if report.valid else "NOT VALID"])


@evidence_app.command("fingerprints")
def evidence_fingerprints(as_json: AsJson = False) -> None:
    """The keys that sign evidence: this machine's, those before it (--trust), and each node's (--trust-node). Tell them in another way than with a file."""
    settings = read_settings()
    signer = keys.signer_of(settings)
    with transaction() as conn:
        known, nodes = store.proof_keys(conn), store.node_keys(conn)
    cloud = [
        {
            "fingerprint": fingerprint(each.public_key),
            "first_used_at": each.first_used_at,
            "follows": None if each.endorsed_by is None else fingerprint(each.endorsed_by),
            "in_use": each.public_key == signer.public_key,
        }
        for each in known
    ]
    if all(not each["in_use"] for each in cloud):
        cloud.append({"fingerprint": signer.fingerprint, "first_used_at": None, "follows": None, "in_use": True})
    bound = [
        {
            "node": each.node,
            "fingerprint": fingerprint(each.public_key),
            "bound_at": each.bound_at,
            "bound_by": each.bound_by,
            "replaced_at": each.replaced_at,
        }
        for each in nodes
    ]
    lines = [f"{each['fingerprint']} cloud{' (in use)' if each['in_use'] else ''}" for each in cloud]
    lines += [f"{each['node']}={each['fingerprint']}{' (replaced)' if each['replaced_at'] else ''}" for each in bound]
    tell({"cloud": cloud, "nodes": bound}, as_json=as_json, text="\n".join(lines))


@evidence_app.command("checkpoint")
def evidence_checkpoint(as_json: AsJson = False) -> None:
    """Link what waits, and tell the end of the ledger, to be written down outside: in the shift record, on paper."""
    settings = read_settings()
    signer = keys.signer_of(settings)
    with transaction() as conn:
        while linking.link(conn, signer, now=now()) == linking.AT_ONCE:
            pass
        linking.make_checkpoint(conn, signer, now=now())
        made = store.last_checkpoint(conn)
    if made is None:
        raise NotFound("there is no case yet")
    linking.note_head(settings.data_directory.resolve() / linking.HEAD_FILE, made)
    told = {"position": made.position, "ledger": made.ledger.hex(), "made_at": made.made_at}
    tell(told, as_json=as_json, text=f"{made.position}:{made.ledger.hex()}")


@evidence_app.command("check-chain")
def evidence_check_chain(
    noted: Annotated[
        list[str] | None, typer.Option(help="A checkpoint that somebody wrote down, as it was told: POSITION:LEDGER.")
    ] = None,
    trust: Annotated[
        list[str] | None, typer.Option(help="The fingerprint of another machine's key. May be given again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look over the chains of all cases; exit status 1 when a link was changed, cut off or put in."""
    settings = read_settings()
    heads = [_noted(each) for each in noted or ()] + linking.noted_head(
        settings.data_directory.resolve() / linking.HEAD_FILE
    )
    with open_session(settings.database_url.get_secret_value(), "gridward-evidence-chain") as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            verdict = linking.check(conn, _believed(conn, settings, trust or ()), noted=heads)
    position, ledger = verdict.head
    told = {
        "holds": verdict.holds,
        "links": verdict.links,
        "checkpoints": verdict.checkpoints,
        "waiting": verdict.waiting,
        "head": f"{position}:{ledger.hex()}",
        "flaws": verdict.flaws,
        "findings": verdict.findings,
    }
    lines = [
        f"{verdict.links} links, {verdict.checkpoints} checkpoints, {verdict.waiting} facts wait",
        *verdict.findings,
    ]
    tell(
        told, as_json=as_json, text="\n".join([*lines, "the chains hold" if verdict.holds else "the chains are broken"])
    )
    if not verdict.holds:
        raise typer.Exit(_NOT_PROVEN)


def _noted(text: str) -> tuple[int, bytes]:
    position, _, ledger = text.partition(":")
    try:
        return int(position), bytes.fromhex(ledger)
    except ValueError as error:
        raise Invalid(f"{text!r} is no POSITION:LEDGER") from error


def _believed(conn: Connection[Any], settings: CloudSettings, trusted: list[str] | tuple[str, ...]) -> dict[str, bytes]:
    """Keys of the chain, backwards as well: whoever has the key in use has kept those before it in order."""
    known = store.proof_keys(conn)
    signer: Signer = keys.signer_of(settings)
    names = {fingerprint(each.public_key): each for each in known}
    believed = {name: names[name].public_key for name in trusted if name in names}
    name: str | None = signer.fingerprint
    while name is not None and name in names and name not in believed:
        believed[name] = names[name].public_key
        before = names[name].endorsed_by
        name = None if before is None else fingerprint(before)
    return believed


@evidence_app.command("rotate-key")
def evidence_rotate_key(as_json: AsJson = False) -> None:
    """Sign with another key from now on. The present one vouches for it, so that whoever trusts that one goes on verifying."""
    settings = read_settings()
    with transaction() as conn:
        successor = keys.rotate(conn, settings, now=now())
    keys.put_in_place(settings)
    told = {"fingerprint": successor.fingerprint}
    tell(told, as_json=as_json, text=f"{successor.fingerprint}: tell whoever verifies, in another way than with a file")

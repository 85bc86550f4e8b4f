"""A case as one file that proves itself (导出): its chain, the signed bytes of its incidents, its files, and a page for people."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.errors import Invalid, NotFound
from cloud.evidence.files import EvidenceFiles
from cloud.proof import keys, linking, page, store
from cloud.proof.archive import LARGEST_ARCHIVE_BYTES, MOST_MEMBERS, ArchiveWriter
from cloud.proof.chain import BEGINNING, FactKind, Link, Said, read_link
from cloud.proof.manifest import (
    CHAIN,
    FORMAT,
    LARGEST_REVISION_BYTES,
    LARGEST_REVISIONS_BYTES,
    LARGEST_TEXT_BYTES,
    MANIFEST,
    PAGE,
    REVISIONS,
    SIGNATURE,
    Absence,
    ProvenCase,
    ProvenFile,
    Signature,
    incident_bytes,
    manifest_bytes,
    signature_bytes,
    signed_manifest,
)
from cloud.proof.store import RevisionKey
from cloud.settings import CloudSettings
from cloud.signing import Signer
from edge.contract import signing

SHORTEST_PURPOSE: Final = 3
LONGEST_PURPOSE: Final = 500
_ROOM_BYTES: Final = 256 << 20
"""Left for everything but the files of evidence."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    case: str
    links: int
    head: str
    revisions: int
    files: int
    absent: int
    size_bytes: int
    signer: str


@dataclass(frozen=True, slots=True)
class Errand:
    """Who exports, and what for. Without `user`, `name` says who it was (the command line)."""

    purpose: str
    now: datetime
    user: Principal | None = None
    name: str | None = None
    address: str | None = None

    @property
    def by(self) -> str:
        """The name that stands in the export."""
        return self.user.name if self.user is not None else self.name or "command line"


def stated(purpose: str) -> str:
    """A purpose without spaces around it. Raises Invalid for one that says nothing."""
    text = purpose.strip()
    if not SHORTEST_PURPOSE <= len(text) <= LONGEST_PURPOSE or "\x00" in text:
        raise Invalid(f"a purpose has {SHORTEST_PURPOSE} to {LONGEST_PURPOSE} characters")
    return text


def prepare(conn: Connection[Any], settings: CloudSettings, case: ProvenCase, *, now: datetime) -> Signer:
    """Link whatever waits of the case, in a transaction of its own: nobody links while it runs. Raises ConfigurationError."""
    signer = keys.signer_of(settings)
    linking.link_case(conn, signer, case.id, now=now)
    store.note_key(conn, signer.public_key, now=now)
    return signer


def export(
    conn: Connection[Any], files: EvidenceFiles, signer: Signer, case: ProvenCase, errand: Errand, *, out: BinaryIO
) -> Exported:
    """Write a case into an empty file, in the caller's transaction: commit before anybody has it, for the audit log says who took it.

    Raises Invalid where the case is too large for one file, EvidenceStoreAway.
    """
    errand = replace(errand, purpose=stated(errand.purpose))
    links = list(store.links_of(conn, case.id))
    told = [read_link(link.statement) for link in links]
    revisions = _revisions(conn, told)
    named = list(_named(revisions).values())
    _settle(conn, files, named, told)
    writer = ArchiveWriter(out)
    members = [
        _add(writer, PAGE, page.render(case, told, revisions, named, page.Cover(errand.by, errand.purpose, errand.now, signer.fingerprint))),
        _add(writer, CHAIN, _chain_lines(links)),
    ]  # fmt: skip
    members += [
        _add(writer, f"{REVISIONS}{hashlib.sha256(raw).hexdigest()}.json", raw)
        for raw in dict.fromkeys(revisions.values())
    ]
    for file in named:
        if file.absence is None:
            writer.add(file.member, files.read_all(file.sha256))
            members.append({"name": file.member, "bytes": file.size_bytes, "sha256": file.sha256})
    head = links[-1].hash if links else BEGINNING
    content = manifest_bytes(
        {
            "format": FORMAT,
            "case": case.number,
            "exported_at": errand.now,
            "exported_by": errand.by,
            "purpose": errand.purpose,
            "chain": {"links": len(links), "head": head.hex()},
            "ledger": _ledger(conn),
            "members": members,
            "files": [file.fields() for file in named],
            "node_keys": _node_keys(conn, {node for node, _, _ in revisions}),
            "proof_keys": _proof_keys(conn),
        }
    )
    _add(writer, MANIFEST, content)
    _add(writer, SIGNATURE, signature_bytes(Signature(signer.fingerprint, signer.sign(signed_manifest(content)))))
    writer.close()
    absent = sum(file.absence is not None for file in named)
    size_bytes, count = out.tell(), len(named) - absent
    done = Exported(case.number, len(links), head.hex(), len(revisions), count, absent, size_bytes, signer.fingerprint)
    _log(conn, case, errand, done)
    return done


def _log(conn: Connection[Any], case: ProvenCase, errand: Errand, done: Exported) -> None:
    audit.write(
        conn,
        "evidence.exported",
        f"case:{case.number}",
        actor=errand.user,
        actor_name=None if errand.user is not None else errand.by,
        area_path=case.area_path,
        address=errand.address,
        detail={
            "case": case.id,
            "number": case.number,
            "purpose": errand.purpose,
            "links": done.links,
            "head": done.head,
            "files": done.files,
            "bytes": done.size_bytes,
        },
    )


def _add(writer: ArchiveWriter, name: str, content: bytes) -> dict[str, object]:
    if len(content) > LARGEST_TEXT_BYTES:
        raise Invalid("the case is too large for one file")
    writer.add(name, [content] if content else [])
    return {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _chain_lines(links: list[Link]) -> bytes:
    return b"".join(
        json.dumps(
            {"statement": link.statement.decode(), "key": link.key, "sig": link.sig},
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        + b"\n"
        for link in links
    )


def _revisions(conn: Connection[Any], told: list[Said]) -> dict[RevisionKey, bytes]:
    """The bytes of every revision that the chain names, in its order. Raises NotFound where one is gone, Invalid where there are too many."""
    wanted: dict[RevisionKey, None] = {}
    for said in told:
        if said.kind is FactKind.REVISION:
            wanted[said.fact["node"], UUID(said.fact["incident"]), said.fact["revision"]] = None
    if len(wanted) > MOST_MEMBERS // 2:
        raise Invalid("the case has too many incidents for one file")
    found = store.revisions(conn, list(wanted))
    revisions: dict[RevisionKey, bytes] = {}
    size_bytes = 0
    for key in wanted:
        if key not in found:
            raise NotFound(f"revision {key[2]} of incident {key[1]} is not in the database any more")
        revisions[key] = found[key]
        size_bytes += len(found[key])
    if size_bytes > LARGEST_REVISIONS_BYTES or any(len(raw) > LARGEST_REVISION_BYTES for raw in revisions.values()):
        raise Invalid("the incidents of the case are too large for one file")
    return revisions


def _named(revisions: dict[RevisionKey, bytes]) -> dict[str, ProvenFile]:
    named: dict[str, ProvenFile] = {}
    for (node, incident, _), raw in revisions.items():
        for each in json.loads(incident_bytes(raw)).get("evidence", ()):
            sha256 = each["sha256"]
            if sha256 not in named:
                named[sha256] = ProvenFile(
                    sha256, each["kind"], each["mime"], each["bytes"], each["captured_at"], node, set()
                )
            named[sha256].incidents.add(str(incident))
    return named


def _settle(conn: Connection[Any], files: EvidenceFiles, named: list[ProvenFile], told: list[Said]) -> None:
    """Say of each file whether it goes in. Each is read once beforehand: what is damaged is not shown as evidence."""
    left = {said.fact["incident"] for said in told if said.kind is FactKind.LEFT}
    deleted = {said.fact["sha256"] for said in told if said.kind is FactKind.DELETED}
    kept = store.kept_files(conn, [(file.node, file.sha256) for file in named])
    room = LARGEST_ARCHIVE_BYTES - _ROOM_BYTES
    for file in named:
        known = kept.get((file.node, file.sha256))
        if file.kind == "sealed":
            file.absence = Absence.SEALED
        elif file.incidents <= left:
            file.absence = Absence.LEFT
        elif known is None or not known.is_stored:
            is_deleted = known is not None and file.sha256 in deleted
            file.absence = Absence.DELETED if is_deleted else Absence.NEVER_SENT
            if known is not None and is_deleted:
                file.deleted_at, file.deletion_reason = known.deleted_at, known.deletion_reason
        elif not _is_whole(files, file):
            file.absence = Absence.LOST
        else:
            room -= file.size_bytes
    if room < 0:
        raise Invalid("the files of the case are too large for one file")


def _is_whole(files: EvidenceFiles, file: ProvenFile) -> bool:
    digest, size_bytes = hashlib.sha256(), 0
    try:
        for chunk in files.read_all(file.sha256):
            digest.update(chunk)
            size_bytes += len(chunk)
    except NotFound:
        return False
    return digest.hexdigest() == file.sha256 and size_bytes == file.size_bytes


def _ledger(conn: Connection[Any]) -> dict[str, object] | None:
    made = store.last_checkpoint(conn)
    if made is None:
        return None
    return {
        "position": made.position,
        "ledger": made.ledger.hex(),
        "made_at": made.made_at,
        "key": made.key,
        "sig": made.sig,
    }


def _node_keys(conn: Connection[Any], nodes: set[str]) -> list[dict[str, object]]:
    return [
        {
            "node": each.node,
            "key": signing.key_text(each.public_key),
            "bound_at": each.bound_at,
            "signs_from": each.signs_from,
            "replaced_at": each.replaced_at,
            "bound_by": each.bound_by,
        }
        for each in (store.node_keys(conn, nodes) if nodes else ())
    ]


def _proof_keys(conn: Connection[Any]) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for each in store.proof_keys(conn):
        fields: dict[str, object] = {"key": signing.key_text(each.public_key), "first_used_at": each.first_used_at}
        if each.endorsed_by is not None and each.endorsement is not None:
            fields |= {"follows": signing.fingerprint(each.endorsed_by), "endorsement": each.endorsement}
        told.append(fields)
    return told

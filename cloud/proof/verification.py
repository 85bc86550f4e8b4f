"""Whether an exported case is what it says (验证), from the file and the trusted fingerprints alone: no database, no network.

Believed is what a trusted key has signed: the cloud's, which signs each link of the chain and the manifest, or one that it was
followed by, and through the chain each node's, which signed its incidents. A key has one part: a node's signs no chain and no
manifest, the cloud's no incident, and one node's nothing of another's. Everything in the file is either signed, or known by a
hash that is, or has one possible form; so no byte of it can be changed, and nothing left out, moved or put in between.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from cloud.proof.archive import Member, NoArchive, read_archive
from cloud.proof.chain import BEGINNING, BrokenChain, FactKind, Link, Said, believed_keys, read_chain
from cloud.proof.manifest import (
    CHAIN,
    FILES,
    LARGEST_REVISION_BYTES,
    LARGEST_REVISIONS_BYTES,
    LARGEST_TEXT_BYTES,
    MANIFEST,
    PAGE,
    REVISIONS,
    SIGNATURE,
    Absence,
    NoManifest,
    incident_bytes,
    read_manifest,
    read_signature,
    signed_manifest,
)
from edge.contract import signing
from edge.contract.incident import signature_of

_TEXTS: Final = frozenset({MANIFEST, SIGNATURE, CHAIN, PAGE})
_MADE_BY_CLOUD: Final = frozenset({"node_lost"})
_SHOWN: Final = 5


class NotProven(ValueError):
    """Why a file proves nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and how it is."""

    name: str
    holds: bool
    detail: str


@dataclass(slots=True)
class Report:
    """What was found. A file is `valid` where every check holds; `remarks` are what a reader should know all the same."""

    checks: list[Check] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    case: str | None = None
    exported_at: str | None = None
    head: str | None = None
    links: int = 0
    signer: str | None = None
    node_keys: dict[str, list[str]] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether everything was looked at, and holds."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def hold(self, name: str, detail: str) -> None:
        """Note that something is as it should be."""
        self.checks.append(Check(name, True, detail))


@dataclass(frozen=True, slots=True)
class Demands:
    """What whoever verifies asks for: whose keys he believes, and how strictly.

    `trusted` are fingerprints of keys of the cloud, `nodes` those of each node by its name: of a node that is named, all that the case
    has of it has to be signed by one of its own. `every_node`: so it is with all nodes, the cloud's word for a key is not enough.
    `unsigned`: incidents that their node has not signed are remarked only.
    """

    trusted: frozenset[str]
    nodes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    every_node: bool = False
    unsigned: bool = False

    def is_strict(self, node: str) -> bool:
        """Whether the cloud's word for what a node said is not enough."""
        return self.every_node or node in self.nodes


@dataclass(slots=True)
class _Contents:
    """The archive as it was read: texts and revisions in memory, of files their hashes."""

    members: list[dict[str, object]] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)
    revisions: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    kept_bytes: int = 0

    def take(self, member: Member, chunks: Iterable[bytes]) -> None:
        """Read a member; raises NoArchive where it is too large for what it is."""
        digest = hashlib.sha256()
        held: list[bytes] = []
        is_text, is_revision = member.name in _TEXTS, member.name.startswith(REVISIONS)
        most = LARGEST_TEXT_BYTES if is_text else LARGEST_REVISION_BYTES
        if (is_text or is_revision) and member.size_bytes > most:
            raise NoArchive(f"{member.name} is too large")
        if is_revision:
            self.kept_bytes += member.size_bytes
            if self.kept_bytes > LARGEST_REVISIONS_BYTES:
                raise NoArchive("there are too many revisions")
        for chunk in chunks:
            digest.update(chunk)
            if is_text or is_revision:
                held.append(chunk)
        sha256 = digest.hexdigest()
        if is_text:
            self.texts[member.name] = b"".join(held)
        elif is_revision:
            self.revisions[sha256] = b"".join(held)
        else:
            self.files[member.name] = sha256
        self.members.append({"name": member.name, "bytes": member.size_bytes, "sha256": sha256})


def verify_file(path: Path, demands: Demands) -> Report:
    """Look at an exported file. Raises OSError where it can't be read; whatever it says, the answer is a report."""
    with path.open("rb") as file:
        return verify(file, path.stat().st_size, demands)


def verify(file: BinaryIO, size_bytes: int, demands: Demands) -> Report:
    """The same of an open file."""
    report = Report()
    steps = "archive"
    try:
        contents = _Contents()
        read_archive(file, size_bytes, contents.take)
        report.hold(steps, f"{len(contents.members)} members, in the one form that an export has")
        steps = "signature"
        manifest, listed, keys = _manifest(contents, demands, report)
        steps = "members"
        _members(contents, manifest, report)
        steps = "chain"
        chain = _chain(contents, manifest, keys, report)
        steps = "incidents"
        node_keys = _keys_by_node(manifest, listed | demands.trusted)
        named = _incidents(contents, node_keys, chain, demands, report)
        steps = "files"
        _files(contents, manifest, chain, named, report)
    except (NoArchive, NoManifest, BrokenChain, NotProven) as error:
        report.checks.append(Check(steps, False, str(error)))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        report.checks.append(Check(steps, False, f"what stands there can't be read ({type(error).__name__})"))
    return report


def _manifest(
    contents: _Contents, demands: Demands, report: Report
) -> tuple[dict[str, Any], frozenset[str], dict[str, bytes]]:
    """The manifest, once it is known that a believed key has signed it; all that it lists as keys of the cloud; those that are believed."""
    if [member["name"] for member in contents.members[-2:]] != [MANIFEST, SIGNATURE]:
        raise NotProven("there is no signed manifest at the end")
    content = contents.texts[MANIFEST]
    manifest, signature = read_manifest(content), read_signature(contents.texts[SIGNATURE])
    keys = {signing.fingerprint(key): key for key in (signing.key_of(each["key"]) for each in manifest["proof_keys"])}
    successions = [
        (each["follows"], signing.fingerprint(signing.key_of(each["key"])), each["endorsement"])
        for each in manifest["proof_keys"]
        if "follows" in each
    ]
    believed = believed_keys(demands.trusted, keys, successions)
    if signature.key not in believed:
        raise NotProven(f"signed by the key {signature.key[:16]}…, which is not trusted")
    if not signing.is_signed(signed_manifest(content), signature.sig, [believed[signature.key]]):
        raise NotProven("the signature does not fit: the manifest is changed, or signed by somebody else")
    report.case, report.exported_at, report.signer = manifest["case"], manifest["exported_at"], signature.key
    how = "trusted" if signature.key in demands.trusted else "follows a key that is trusted"
    report.hold("signature", f"case {report.case}, exported {report.exported_at}, key {signature.key[:16]}… ({how})")
    return manifest, frozenset(keys), believed


def _members(contents: _Contents, manifest: Mapping[str, Any], report: Report) -> None:
    listed = manifest["members"]
    if listed != contents.members[:-2]:
        ours = {str(member["name"]): member for member in contents.members[:-2]}
        theirs = {str(member["name"]): member for member in listed}
        wrong = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        raise NotProven(f"not what the manifest lists: {_some(wrong) or 'their order'}")
    if PAGE not in contents.texts:
        raise NotProven(f"{PAGE} is missing")
    report.hold("members", f"all {len(listed)} are there, unchanged and in their order")


def _chain(contents: _Contents, manifest: Mapping[str, Any], keys: Mapping[str, bytes], report: Report) -> list[Said]:
    links = [
        Link(told["statement"].encode(), told["key"], told["sig"])
        for told in (json.loads(line) for line in contents.texts[CHAIN].splitlines())
    ]
    chain = read_chain(manifest["case"], links, keys)
    head = links[-1].hash if links else BEGINNING
    end = manifest["chain"]
    if (end["links"], end["head"]) != (len(links), head.hex()):
        raise NotProven(f"the chain is cut: {len(links)} of {end['links']} links are there, or its end is another one")
    report.links, report.head = len(links), head.hex()
    report.hold("chain", f"{len(links)} links, each signed, up to {head.hex()[:16]}…")
    return chain


def _incidents(
    contents: _Contents,
    keys: Mapping[str, Collection[Mapping[str, Any]]],
    chain: Iterable[Said],
    demands: Demands,
    report: Report,
) -> dict[str, dict[str, Any]]:
    """Each revision that the chain names is there and signed by its node; the files that they name come back, by hash."""
    named: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str, str, int, str]] = set()
    signed: dict[str, set[str]] = {}
    unsigned: list[str] = []
    by_cloud: list[str] = []
    for said in chain:
        fact = said.fact
        if said.kind is not FactKind.REVISION or _named(fact) in seen:
            continue
        raw = contents.revisions.get(fact["sha256"])
        if raw is None:
            raise NotProven(f"revision {fact['revision']} of incident {fact['incident']} is missing")
        seen.add(_named(fact))
        body = incident_bytes(raw)
        told = json.loads(body)
        if (told["incident_id"], told["revision"]) != (fact["incident"], fact["revision"]):
            raise NotProven(f"a revision is not that of incident {fact['incident']}")
        _name_files(told, fact["incident"], named)
        if key := _signer(body, keys.get(fact["node"], ())):
            signed.setdefault(fact["node"], set()).add(key)
        elif told["kind"] in _MADE_BY_CLOUD:
            by_cloud.append(f"{told['kind']} {fact['incident']} revision {fact['revision']}")
        else:
            unsigned.append(_unsigned(fact, keys.get(fact["node"], ()), body, demands))
    if extra := contents.revisions.keys() - {sha256 for *_, sha256 in seen}:
        raise NotProven(f"revisions that the chain does not name: {_some(sorted(extra))}")
    _node_keys(signed, demands, report)
    if unsigned:
        report.remarks.append(f"{len(unsigned)} revisions are not signed by their node: {_some(unsigned)}")
    if by_cloud:
        report.remarks.append(
            f"{len(by_cloud)} revisions were made by the cloud itself, no node has signed them: {_some(by_cloud)}"
        )
    nodes = "; ".join(f"{node} {', '.join(key[:16] for key in sorted(each))}…" for node, each in sorted(signed.items()))
    proven = len(seen) - len(unsigned) - len(by_cloud)
    report.hold("incidents", f"{len(seen)} revisions, {proven} signed by their node{f': {nodes}' if nodes else ''}")
    return named


def _named(fact: Mapping[str, Any]) -> tuple[str, str, int, str]:
    """What a link says a revision to be; twice where a case was taken apart and merged again."""
    return fact["node"], fact["incident"], fact["revision"], fact["sha256"]


def _keys_by_node(manifest: Mapping[str, Any], of_cloud: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The keys of each node. Raises NotProven where one is the cloud's: it would say on its own what a node should have said."""
    keys: dict[str, list[dict[str, Any]]] = {}
    for each in manifest["node_keys"]:
        if (fingerprint := signing.fingerprint(signing.key_of(each["key"]))) in of_cloud:
            raise NotProven(f"the key {fingerprint[:16]}… of {each['node']} is one of the cloud's")
        keys.setdefault(each["node"], []).append(each)
    return keys


def _name_files(told: Mapping[str, Any], incident: str, named: dict[str, dict[str, Any]]) -> None:
    for file in told.get("evidence", ()):
        named.setdefault(file["sha256"], {"kind": file["kind"], "bytes": file["bytes"], "incidents": set()})
        named[file["sha256"]]["incidents"].add(incident)


def _signer(body: bytes, keys: Iterable[Mapping[str, Any]]) -> str | None:
    """The fingerprint of the key that signed a revision; None where none did."""
    statement, sig = signature_of(body)
    for each in keys:
        key = signing.key_of(each["key"])
        if signing.is_signed(statement, sig, [key]):
            return signing.fingerprint(key)
    return None


def _unsigned(fact: Mapping[str, Any], keys: Collection[Mapping[str, Any]], body: bytes, demands: Demands) -> str:
    """A word for a revision that no key of its node has signed; raises NotProven where one should have."""
    what = f"{fact['incident']} revision {fact['revision']}"
    received_at = datetime.fromisoformat(fact["received_at"])
    begins = [datetime.fromisoformat(each["signs_from"]) for each in keys if each.get("signs_from")]
    has_signature = signature_of(body)[1] is not None
    if not demands.unsigned and (has_signature or any(begin <= received_at for begin in begins)):
        raise NotProven(f"incident {what} is not signed by a key of {fact['node']}, which signs")
    if not demands.unsigned and demands.is_strict(fact["node"]):
        raise NotProven(
            f"incident {what} is not signed by a key of {fact['node']}: that it signed nothing is the cloud's word alone"
        )
    return what


def _node_keys(signed: Mapping[str, set[str]], demands: Demands, report: Report) -> None:
    report.node_keys = {node: sorted(keys) for node, keys in sorted(signed.items())}
    by_word = []
    for node, keys in report.node_keys.items():
        told = [f"{node} {key[:16]}…" for key in keys if key not in demands.nodes.get(node, ())]
        if told and demands.is_strict(node):
            raise NotProven(f"keys that are not trusted as those of their node: {_some(told)}")
        by_word += told
    if by_word:
        report.remarks.append(f"keys of nodes that the cloud has bound, and nobody compared: {_some(by_word)}")


def _files(
    contents: _Contents,
    manifest: Mapping[str, Any],
    chain: Iterable[Said],
    named: Mapping[str, Mapping[str, Any]],
    report: Report,
) -> None:
    """Each file that an incident names is there with its own hash, or it is said, and shown by the chain, why not."""
    deleted = {said.fact["sha256"] for said in chain if said.kind is FactKind.DELETED}
    left = {said.fact["incident"] for said in chain if said.kind is FactKind.LEFT}
    told = {each["sha256"]: each for each in manifest["files"]}
    if told.keys() != named.keys() or len(told) != len(manifest["files"]):
        raise NotProven("the files that are told of are not those that the incidents name")
    unseen = set(contents.files)
    absent: dict[Absence, int] = {}
    for sha256, each in told.items():
        if "member" in each:
            if not each["member"].startswith(FILES) or contents.files.get(each["member"]) != sha256:
                raise NotProven(f"file {sha256[:16]}… is not what the incident names")
            unseen.discard(each["member"])
            continue
        why = Absence(each["absent"])
        is_shown = {
            Absence.DELETED: sha256 in deleted,
            Absence.SEALED: named[sha256]["kind"] == "sealed",
            Absence.LEFT: named[sha256]["incidents"] <= left,
        }.get(why, True)
        if not is_shown:
            raise NotProven(f"file {sha256[:16]}… is said to be {why}, and nothing shows that")
        absent[why] = absent.get(why, 0) + 1
    if unseen:
        raise NotProven(f"files that no incident names: {_some(sorted(unseen))}")
    for why, count in sorted(absent.items()):
        report.remarks.append(f"{count} files are not in it: {why}")
    report.hold("files", f"{len(told) - sum(absent.values())} files, each as its incident names it")


def _some(names: Collection[str]) -> str:
    shown = list(names)[:_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")

"""An exported case proves itself; a byte changed, a part left out, moved, put in or signed by another proves nothing."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.proof.archive import ArchiveWriter
from cloud.proof.chain import BEGINNING, FactKind, Link, link_statement, read_link, succession_statement
from cloud.proof.manifest import (
    CHAIN,
    MANIFEST,
    PAGE,
    SIGNATURE,
    Signature,
    incident_bytes,
    manifest_bytes,
    signature_bytes,
    signed_manifest,
)
from cloud.proof.verification import Demands, Report, verify
from edge.contract import signing
from edge.contract.incident import Incident, signed_incident
from tests.cloud.proof.conftest import NODE_FINGERPRINT, NODE_KEY, Export

STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
STRANGER_FINGERPRINT = signing.fingerprint(signing.public_bytes(STRANGER))
Members = dict[str, bytes]


NODE = "station-01"
NODES = {NODE: frozenset({NODE_FINGERPRINT})}


def looked_at(
    content: bytes, *trusted: str, nodes: Mapping[str, frozenset[str]] | None = None, **demands: bool
) -> Report:
    return verify(io.BytesIO(content), len(content), Demands(frozenset(trusted), nodes or {}, **demands))


def members_of(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(members: Iterable[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    for name, content in members:
        writer.add(name, [content])
    writer.close()
    return out.getvalue()


def signed_again(members: Members, key: Ed25519PrivateKey, change: Callable[[dict[str, Any]], None]) -> bytes:
    """What somebody makes of it who has another key: everything listed and signed anew."""
    told = json.loads(members.pop(MANIFEST))
    del members[SIGNATURE]
    told["members"] = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
    ]
    change(told)
    members[MANIFEST] = manifest_bytes(told)
    fingerprint = signing.fingerprint(signing.public_bytes(key))
    sig = signing.sign(key, signed_manifest(members[MANIFEST]))
    members[SIGNATURE] = signature_bytes(Signature(fingerprint, sig))
    return written(members.items())


def test_an_export_proves_itself(exported: Export) -> None:
    report = looked_at(exported.content, exported.fingerprint, nodes=NODES, every_node=True)
    assert report.valid, report.checks
    assert [check.name for check in report.checks] == ["archive", "signature", "members", "chain", "incidents", "files"]
    assert (report.case, report.signer) == (exported.case, exported.fingerprint)
    assert report.node_keys == {"station-01": [NODE_FINGERPRINT]}
    assert sorted(report.remarks) == ["1 files are not in it: never_sent", "1 files are not in it: sealed"]


def test_the_cloud_vouches_for_a_node_unless_more_is_asked_for(exported: Export) -> None:
    report = looked_at(exported.content, exported.fingerprint)
    assert report.valid
    assert any("nobody compared" in remark for remark in report.remarks)
    assert not looked_at(exported.content, exported.fingerprint, every_node=True).valid


def test_of_a_node_that_is_named_only_its_own_keys_are_believed(exported: Export) -> None:
    assert looked_at(exported.content, exported.fingerprint, nodes=NODES).valid
    for nodes in ({NODE: frozenset({"0" * 64})}, {NODE: frozenset({exported.fingerprint})}):
        report = looked_at(exported.content, exported.fingerprint, nodes=nodes)
        assert not report.valid
        assert report.checks[-1].name == "incidents"
    elsewhere = {"station-02": frozenset({NODE_FINGERPRINT})}
    assert not looked_at(exported.content, exported.fingerprint, nodes=elsewhere, every_node=True).valid
    assert looked_at(
        exported.content, exported.fingerprint, nodes=elsewhere
    ).valid  # by the cloud's word, as it remarks


def test_nobody_is_believed_unasked(exported: Export) -> None:
    for trusted in ((), ("0" * 64,), (NODE_FINGERPRINT,)):
        assert not looked_at(exported.content, *trusted, nodes=NODES).valid


def test_any_program_for_archives_opens_it_and_the_page_runs_nothing(exported: Export) -> None:
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert archive.testzip() is None
        page = archive.read(PAGE).decode()
    assert "<script" not in page
    assert "for the court &lt;i&gt;" in page
    assert "看到了 &lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "person 1.2" in page
    assert "gate 3" in page


@settings(max_examples=300)
@given(st.data())
def test_no_byte_can_be_changed(exported: Export, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(exported.content) - 1))
    bits = data.draw(st.integers(1, 255))
    changed = bytearray(exported.content)
    changed[place] ^= bits
    assert not looked_at(bytes(changed), exported.fingerprint).valid


def test_no_byte_of_what_is_around_the_members_can_be_changed(exported: Export) -> None:
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        infos = archive.infolist()
    heads = [place for info in infos for place in range(info.header_offset, info.header_offset + 30)]
    last = infos[-1]
    tail = range(last.header_offset + 30 + len(last.filename), len(exported.content))
    for place in (*heads, *tail):
        changed = bytearray(exported.content)
        changed[place] ^= 1
        assert not looked_at(bytes(changed), exported.fingerprint).valid, place


@settings(max_examples=50)
@given(st.data())
def test_nothing_can_be_cut_off_or_added(exported: Export, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(exported.content) - 1))
    assert not looked_at(exported.content[:end], exported.fingerprint).valid
    assert not looked_at(exported.content + data.draw(st.binary(min_size=1, max_size=40)), exported.fingerprint).valid
    head = data.draw(
        st.binary(min_size=1, max_size=200).filter(lambda head: head + exported.content[end:] != exported.content)
    )
    assert not looked_at(head + exported.content[end:], exported.fingerprint).valid


@settings(max_examples=60)
@given(st.data())
def test_no_member_can_be_left_out_moved_or_put_in(exported: Export, data: st.DataObject) -> None:
    members = list(members_of(exported.content).items())
    assert written(members) == exported.content
    place = data.draw(st.integers(0, len(members) - 1))
    without = [*members[:place], *members[place + 1 :]]
    assert not looked_at(written(without), exported.fingerprint).valid
    moved = data.draw(st.permutations(members))
    if moved != members:
        assert not looked_at(written(moved), exported.fingerprint).valid
    strange = [*members[:place], ("evidence/strange.jpg", b"x"), *members[place:]]
    assert not looked_at(written(strange), exported.fingerprint).valid


@settings(max_examples=60)
@given(st.data())
def test_no_content_can_be_changed_in_a_whole_archive(exported: Export, data: st.DataObject) -> None:
    """The check sums of the format are made anew."""
    members = members_of(exported.content)
    name = data.draw(st.sampled_from(sorted(members)))
    changed = bytearray(members[name])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    members[name] = bytes(changed)
    assert not looked_at(written(members.items()), exported.fingerprint).valid


def test_who_signs_anew_with_another_key_is_not_believed(exported: Export) -> None:
    key_text = signing.key_text(signing.public_bytes(STRANGER))

    def swap(told: dict[str, Any]) -> None:
        told["proof_keys"] = [{"key": key_text}]

    def endorse_himself(told: dict[str, Any]) -> None:
        """The key that is trusted is there, and is said to have signed the stranger's."""
        forged = signing.sign(STRANGER, succession_statement(signing.public_bytes(STRANGER)))
        told["proof_keys"].append({"key": key_text, "follows": exported.fingerprint, "endorsement": forged})

    for change in (swap, endorse_himself):
        content = signed_again(members_of(exported.content), STRANGER, change)
        report = looked_at(content, exported.fingerprint)
        assert not report.valid
        assert report.checks[-1].name == "signature"


def own_archive(
    exported: Export, change: Callable[[Members, dict[str, Any]], None], key: Ed25519PrivateKey = STRANGER
) -> bytes:
    """The export with links and manifest signed anew by a key, after a change."""
    members = members_of(exported.content)
    fingerprint = signing.fingerprint(signing.public_bytes(key))
    links = [json.loads(line)["statement"] for line in members[CHAIN].splitlines()]
    facts = [read_link(link.encode()) for link in links]
    told: dict[str, Any] = {"facts": [(said.kind, dict(said.fact)) for said in facts]}
    change(members, told)
    previous, lines = BEGINNING, []
    for place, (kind, fact) in enumerate(told["facts"], start=1):
        statement = link_statement(exported.case, place, previous, kind, fact)
        link = Link(statement, fingerprint, signing.sign(key, statement))
        previous = link.hash
        lines.append(json.dumps({"statement": statement.decode(), "key": link.key, "sig": link.sig}))
    members[CHAIN] = "\n".join(lines).encode()

    def finish(manifest: dict[str, Any]) -> None:
        manifest["proof_keys"] = [{"key": signing.key_text(signing.public_bytes(key))}]
        manifest["chain"] = {"links": len(lines), "head": previous.hex()}
        manifest |= told.get("manifest", {})

    return signed_again(members, key, finish)


def own_export(
    exported: Export,
    change: Callable[[Members, dict[str, Any]], None],
    *,
    nodes: Mapping[str, frozenset[str]] | None = None,
    **demands: bool,
) -> Report:
    """What a cloud can make that wants to lie, with its own key, which is trusted."""
    return looked_at(own_archive(exported, change), STRANGER_FINGERPRINT, nodes=nodes, **demands)


def said_by(
    members: Members, told: dict[str, Any], key: Ed25519PrivateKey | None, *, node: str = NODE, **fields: object
) -> None:
    """Every revision is of this node, says something else too, and is signed by this key, or by nobody; all hashes are made anew."""
    for name in [name for name in members if name.startswith("revisions/")]:
        body = json.loads(incident_bytes(members.pop(name))) | fields
        body.pop("sig", None)
        found = msgspec.convert(body, Incident)
        raw = msgspec.json.encode(
            found if key is None else signed_incident(found, lambda statement: signing.sign(key, statement))
        )
        sha256 = hashlib.sha256(raw).hexdigest()
        for _, fact in told["facts"]:
            if f"revisions/{fact.get('sha256')}.json" == name:
                fact |= {"sha256": sha256, "node": node}
        members[f"revisions/{sha256}.json"] = raw


def as_key_of(node: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    return {"node_keys": [{"node": node, "key": signing.key_text(signing.public_bytes(key))}]}


@pytest.mark.parametrize("own_word", [False, True])
def test_a_node_that_is_trusted_writes_no_history(own_word: bool, exported: Export) -> None:
    """One box makes the whole archive, with a key that is trusted as a node's: what others said, or what it says itself."""

    def change(members: Members, told: dict[str, Any]) -> None:
        if own_word:
            said_by(members, told, NODE_KEY, kind="fire")

    content = own_archive(exported, change, NODE_KEY)
    report = looked_at(content, exported.fingerprint, nodes=NODES)
    assert not report.valid
    assert report.checks[-1].name == "signature"
    # not even where somebody takes its key for the cloud's
    assert not looked_at(content, exported.fingerprint, NODE_FINGERPRINT, nodes=NODES).valid


def test_the_clouds_key_says_nothing_for_a_node(exported: Export) -> None:
    def change(members: Members, told: dict[str, Any]) -> None:
        said_by(members, told, STRANGER, kind="fire")
        told["manifest"] = as_key_of(NODE, STRANGER)

    for nodes in ({}, {NODE: frozenset({STRANGER_FINGERPRINT})}):
        report = own_export(exported, change, nodes=nodes, every_node=bool(nodes))
        assert not report.valid
        assert "one of the cloud's" in report.checks[-1].detail


def test_a_node_says_nothing_for_another_one(exported: Export) -> None:
    def change(members: Members, told: dict[str, Any]) -> None:
        said_by(members, told, NODE_KEY, node="station-02")
        told["manifest"] = as_key_of("station-02", NODE_KEY)

    others = NODES | {"station-02": frozenset({"0" * 64})}
    for nodes in (NODES, others):
        report = own_export(exported, change, nodes=nodes, every_node=True)
        assert not report.valid
        assert "as those of their node" in report.checks[-1].detail
    assert not own_export(exported, change, nodes=others).valid


def test_a_revision_that_is_linked_for_two_nodes_is_looked_at_for_both(exported: Export) -> None:
    def change(_: Members, told: dict[str, Any]) -> None:
        kind, fact = next((kind, fact) for kind, fact in told["facts"] if kind is FactKind.REVISION)
        told["facts"].append((kind, fact | {"node": "station-02"}))

    assert not own_export(exported, change, nodes=NODES, every_node=True).valid


def test_what_no_node_signed_is_not_proven_where_every_node_has_to(exported: Export) -> None:
    """The cloud says of the node that it has no key."""

    def change(members: Members, told: dict[str, Any]) -> None:
        said_by(members, told, None, kind="fire")
        told["manifest"] = {"node_keys": []}

    told_so = own_export(exported, change)
    assert told_so.valid
    assert any("not signed by their node" in remark for remark in told_so.remarks)
    for demands in ({"every_node": True}, {"nodes": NODES}):
        report = own_export(exported, change, **demands)
        assert not report.valid
        assert "the cloud's word alone" in report.checks[-1].detail
    assert own_export(exported, change, every_node=True, unsigned=True).valid


def test_what_the_cloud_made_itself_is_always_remarked(exported: Export) -> None:
    def change(members: Members, told: dict[str, Any]) -> None:
        said_by(members, told, None, kind="node_lost")

    report = own_export(exported, change, every_node=True)
    assert report.valid, report.checks
    assert any("made by the cloud itself" in remark and "node_lost" in remark for remark in report.remarks)
    assert "0 signed by their node" in next(check.detail for check in report.checks if check.name == "incidents")


def test_what_a_cloud_signs_anew_without_lying_holds(exported: Export) -> None:
    report = own_export(exported, lambda _members, _told: None)
    assert report.valid, report.checks


def test_a_cloud_can_not_say_what_a_node_did_not(exported: Export) -> None:
    def another_word(members: Members, told: dict[str, Any]) -> None:
        for name in [name for name in members if name.startswith("revisions/")]:
            raw = members.pop(name).replace(b'"severity":"high"', b'"severity":"low"')
            sha256 = hashlib.sha256(raw).hexdigest()
            for _, fact in told["facts"]:
                if f"revisions/{fact.get('sha256')}.json" == name:
                    fact["sha256"] = sha256
            members[f"revisions/{sha256}.json"] = raw

    report = own_export(exported, another_word)
    assert not report.valid
    assert report.checks[-1].name == "incidents"


def test_a_cloud_can_not_keep_a_file_back_as_deleted(exported: Export) -> None:
    def keep_back(members: Members, told: dict[str, Any]) -> None:
        name = next(name for name in members if name.startswith("evidence/"))
        del members[name]
        files = json.loads(members[MANIFEST])["files"]
        for each in files:
            if each.get("member") == name:
                del each["member"]
                each["absent"] = "deleted"
        told["manifest"] = {"files": files}

    report = own_export(exported, keep_back)
    assert not report.valid
    assert "nothing shows that" in report.checks[-1].detail


@pytest.mark.parametrize("part", [slice(None, -1), slice(1, None), slice(None, None, -1)])
def test_a_chain_without_its_end_or_with_another_order_is_none(part: slice, exported: Export) -> None:
    members = members_of(exported.content)
    members[CHAIN] = b"\n".join(members[CHAIN].splitlines()[part]) + b"\n"
    assert not looked_at(written(members.items()), exported.fingerprint).valid


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "evidence/../../x", "C:x", "a\\b", "evidence//x", "x\x00y", "Ümlaut", "a" * 300]
)
def test_names_that_lead_out_are_no_names(name: str, exported: Export) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"x")
    assert not looked_at(out.getvalue(), exported.fingerprint).valid
    with pytest.raises(ValueError, match="no name"):
        written([(name, b"x")])


def test_a_small_file_that_grows_large_is_not_unpacked(exported: Export) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, bytes(50 << 20))
    assert len(out.getvalue()) < 1 << 20
    assert not looked_at(out.getvalue(), exported.fingerprint).valid


def test_the_same_name_twice_is_none(exported: Export) -> None:
    members = list(members_of(exported.content).items())
    with pytest.raises(ValueError, match="no name"):
        written([members[0], members[0]])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x", b"1")
    assert not looked_at(out.getvalue(), exported.fingerprint).valid


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_foreign_bytes_are_an_answer_not_an_error(content: bytes) -> None:
    assert not looked_at(content, "0" * 64).valid
    manifest = written([(PAGE, b"x"), (CHAIN, content), (MANIFEST, content), (SIGNATURE, content)])
    assert not looked_at(manifest, "0" * 64).valid


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{}", b"null", b'{"format":1}', b"9" * 10_000])
def test_a_hostile_manifest_is_an_answer_not_an_error(content: bytes) -> None:
    assert not looked_at(written([(PAGE, b"x"), (MANIFEST, content), (SIGNATURE, content)]), "0" * 64).valid

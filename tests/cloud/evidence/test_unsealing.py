"""A sealed original is opened for one case, by two people, with a line in the audit log, or not at all."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import psycopg
import pyrage
import pytest
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Role
from cloud.db.pool import open_pool
from cloud.errors import CloudError, Forbidden, Invalid, NotFound
from cloud.evidence.command import evidence_make_key
from cloud.evidence.store import mark_stored
from cloud.evidence.unsealing import DistrictPrivateKey, UnsealOrder, new_key_pair, unseal
from cloud.ingest.writer import Writer
from edge.contract.envelope import Lane
from edge.contract.fields import uuid7
from edge.contract.incident import SEALED_MIME, EvidenceKind, EvidenceReference
from tests.cloud.populated import Populated
from tests.cloud.samples import GRID, OTHER_GRID, add_person
from tests.fakes.node import AT, incident

ORIGINAL = b"a picture that shows somebody " * 4_000
PRIVATE, PUBLIC = new_key_pair()
Conn = Connection[tuple[object, ...]]


def key_file(place: Path, text: str = PRIVATE) -> Path:
    path = place / "district.key"
    path.write_text(f"# public key: {PUBLIC}\n{text}\n", encoding="ascii")
    return path


def take_in(cloud: Populated, scratch: Path, *, plain: bytes = ORIGINAL) -> UnsealOrder:
    """An incident with a sealed original, which the cloud has; the order that opens it."""
    sealed = bytes(pyrage.encrypt(ORIGINAL, [pyrage.x25519.Recipient.from_str(PUBLIC)]))
    reference = EvidenceReference(
        sha256=hashlib.sha256(sealed).hexdigest(),
        kind=EvidenceKind.SEALED,
        mime=SEALED_MIME,
        bytes=len(sealed),
        captured_at=AT,
        plain_sha256=hashlib.sha256(plain).hexdigest(),
    )
    found = incident(uuid7(99, random_bytes=bytes), device="cam-1", kind="sos", evidence=(reference,))
    pool = open_pool(cloud.url, size=2)
    try:
        Writer(pool, lambda _: False, clock=lambda: AT).settle([cloud.node.item(found, lane=Lane.INCIDENT)])
        (scratch / "sealed").write_bytes(sealed)
        cloud.files.put(reference.sha256, scratch / "sealed")
        with pool.connection() as conn:
            mark_stored(conn, cloud.node.name, reference.sha256, now=AT)
            add_person(conn, "director", Role.DUTY_CHIEF)
            row = conn.execute("select number from grid_case where kind = 'sos'").fetchone()
    finally:
        pool.close()
    assert row is not None
    return UnsealOrder(reference.sha256, row[0], "asked for by the police, file 12", "chief", "director")


def opened(cloud: Populated, order: UnsealOrder, place: Path) -> bytes:
    with psycopg.connect(cloud.url) as conn:
        return unseal(conn, cloud.files, DistrictPrivateKey(key_file(place)), order, maximum_bytes=1 << 20)


def unsealings(cloud: Populated) -> list[tuple[object, ...]]:
    with psycopg.connect(cloud.url) as conn:
        return conn.execute(
            "select actor_name, subject, detail from audit where action = 'evidence.unsealed'"
        ).fetchall()


def test_two_people_open_it_and_that_stands_in_the_log(populated: Populated, tmp_path: Path) -> None:
    order = take_in(populated, tmp_path)
    assert opened(populated, order, tmp_path) == ORIGINAL
    ((actor, subject, detail),) = unsealings(populated)
    assert (actor, subject) == ("chief", f"evidence:{order.sha256}")
    assert detail == {
        "case": order.case,
        "purpose": order.purpose,
        "approved_by": "director",
        "plain_sha256": hashlib.sha256(ORIGINAL).hexdigest(),
        "named_by_incident": True,
    }


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"approved_by": "chief"}, Forbidden),
        ({"approved_by": "nobody"}, NotFound),
        ({"by": "worker"}, NotFound),  # that account is disabled
        ({"case": "110105-20200101-0001"}, NotFound),
        ({"sha256": "0" * 64}, NotFound),
        ({"purpose": " "}, Invalid),
        ({"purpose": "x" * 501}, Invalid),
    ],
)
def test_what_is_not_allowed_opens_nothing(
    wrong: dict[str, str], error: type[CloudError], populated: Populated, tmp_path: Path
) -> None:
    order = take_in(populated, tmp_path)
    with pytest.raises(error):
        opened(populated, replace(order, **wrong), tmp_path)
    assert not unsealings(populated)


def test_a_grid_worker_approves_nothing(populated: Populated, tmp_path: Path) -> None:
    order = take_in(populated, tmp_path)
    with psycopg.connect(populated.url) as conn:
        add_person(conn, "ranger", Role.GRID_WORKER)
    with pytest.raises(Forbidden, match="ranger"):
        opened(populated, replace(order, approved_by="ranger"), tmp_path)
    with psycopg.connect(populated.url) as conn:
        accounts.disable(conn, "director", now=AT)
    with pytest.raises(NotFound):
        opened(populated, order, tmp_path)


@pytest.mark.parametrize("who", ["by", "approved_by"])
def test_both_people_answer_for_the_area_of_the_case(who: str, populated: Populated, tmp_path: Path) -> None:
    order = take_in(populated, tmp_path)
    with psycopg.connect(populated.url) as conn:
        add_person(conn, "elsewhere", Role.DUTY_CHIEF, OTHER_GRID)
        add_person(conn, "here", Role.DUTY_CHIEF, GRID)
        add_person(conn, "everywhere", Role.ADMINISTRATOR, None)
    with pytest.raises(NotFound, match="area"):
        opened(populated, replace(order, **{who: "elsewhere"}), tmp_path)
    assert not unsealings(populated)
    for name in ("here", "everywhere"):
        assert opened(populated, replace(order, **{who: name}), tmp_path) == ORIGINAL
    with psycopg.connect(populated.url) as conn:
        conn.execute("update area set valid_to = now() where code = %s and valid_to is null", [GRID])
    with pytest.raises(NotFound, match="area"):
        opened(populated, replace(order, **{who: "here"}), tmp_path)


def test_a_case_to_which_another_node_gave_the_same_hash_opens_nothing(populated: Populated, tmp_path: Path) -> None:
    order = take_in(populated, tmp_path)
    with psycopg.connect(populated.url) as conn:
        conn.execute(
            "insert into evidence (node, sha256, kind, mime, bytes)"
            " select 'station-02', sha256, 'snapshot', mime, bytes from evidence where sha256 = %s",
            [order.sha256],
        )
        row = conn.execute(
            "insert into incident_evidence (incident_id, node, sha256, captured_at)"
            " select ci.incident_id, 'station-02', %s, %s from case_incident ci where ci.case_id = 1 limit 1"
            " returning (select number from grid_case where id = 1)",
            [order.sha256, AT],
        ).fetchone()
    assert row is not None
    with pytest.raises(NotFound):
        opened(populated, replace(order, case=row[0]), tmp_path)


def test_another_original_than_the_incident_names_is_no_original(populated: Populated, tmp_path: Path) -> None:
    order = take_in(populated, tmp_path, plain=b"something else")
    with pytest.raises(Invalid, match="not what the incident names"):
        opened(populated, order, tmp_path)
    assert not unsealings(populated)


def test_a_file_that_was_damaged_in_the_store_is_said_to_be(populated: Populated, tmp_path: Path) -> None:
    order = take_in(populated, tmp_path)
    stored = populated.store / order.sha256[:2] / order.sha256[2:4] / order.sha256
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(Invalid, match="damaged in the store"):
        opened(populated, order, tmp_path)


def test_keys_are_read_or_refused_and_never_told(tmp_path: Path) -> None:
    sealed = bytes(pyrage.encrypt(b"x", [pyrage.x25519.Recipient.from_str(PUBLIC)]))
    assert DistrictPrivateKey(key_file(tmp_path)).open(sealed) == b"x"
    stranger, _ = new_key_pair()
    with pytest.raises(Invalid, match="does not open"):
        DistrictPrivateKey(key_file(tmp_path, stranger)).open(sealed)
    for text in (PUBLIC, PRIVATE[:-1], "# nothing", "x" * 20_000):
        with pytest.raises(Invalid) as refusal:
            DistrictPrivateKey(key_file(tmp_path, text))
        assert "AGE-SECRET-KEY-1Q" not in str(refusal.value)
        assert PRIVATE[:30] not in str(refusal.value)
    with pytest.raises(Invalid):
        DistrictPrivateKey(tmp_path / "nowhere")


def test_what_is_written_for_one_alone_is_on_the_disk_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synced, sync = list[str](), os.fsync

    def noted_sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        assert (tmp_path / "district.key").read_text(encoding="ascii").count("\n") == 2
        assert not capsys.readouterr().out
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted_sync)
    evidence_make_key(tmp_path / "district.key")
    assert synced == ["district.key", tmp_path.name]
    assert (tmp_path / "district.key").stat().st_mode & 0o777 == 0o600

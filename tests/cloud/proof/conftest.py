"""A case that a node with a key of its own reported and a person confirmed, with its files; and what is exported of it."""

import hashlib
import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.db.pool import open_pool
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.store import mark_stored
from cloud.fleet import service as fleet
from cloud.ingest.writer import Writer
from cloud.proof import export as exports
from cloud.proof import store
from cloud.proof.export import Errand
from cloud.settings import CloudSettings
from edge.contract import signing
from edge.contract.birth import Device
from edge.contract.envelope import Lane
from edge.contract.fields import uuid7
from edge.contract.incident import (
    SEALED_MIME,
    EvidenceKind,
    EvidenceReference,
    Incident,
    IncidentState,
    ModelReference,
    RuleReference,
    signed_incident,
)
from tests.cloud.samples import GRID, principal, take_in_areas
from tests.databases import DatabaseServer
from tests.fakes.node import AT, DISTRICT, FakeNode, birth, incident
from tests.fakes.pictures import jpeg

NODE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NODE_FINGERPRINT = signing.fingerprint(signing.public_bytes(NODE_KEY))
LATER = AT + timedelta(hours=1)
PICTURES = tuple(jpeg(size) for size in (1_000, 1_500, 2_000))
SEALED = b"age-encryption.org/v1\n" + bytes(200)
CAMERA = Device(id="cam-1", kind="camera", name="Gate <b>", points=())
MODEL = ModelReference(id="person", version="1.2", sha256="a" * 64)
RULE = RuleReference(id="gate", version="3", sha256="b" * 64)


@dataclass(frozen=True)
class Proving:
    """A cloud of its own with such a case."""

    url: str
    settings: CloudSettings
    files: EvidenceFiles
    node: FakeNode
    chief: Principal
    second: Principal

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, options="-c timezone=UTC")

    def settle(self, *found: Incident) -> None:
        pool = open_pool(self.url, size=2)
        try:
            writer = Writer(pool, lambda _: False, clock=lambda: AT)
            for one in found:
                writer.settle([self.node.item(signed(one), lane=Lane.INCIDENT)])
        finally:
            pool.close()

    def number(self, kind: str = "intrusion") -> str:
        with self.connect() as conn:
            row = conn.execute("select number from grid_case where kind = %s", [kind]).fetchone()
        assert row is not None
        return str(row[0])

    def case_id(self, kind: str = "intrusion") -> int:
        with self.connect() as conn:
            found = store.case_to_prove(conn, number=self.number(kind))
        assert found is not None
        return found.id

    def export(self, kind: str = "intrusion") -> bytes:
        out = io.BytesIO()
        with self.connect() as conn:
            found = store.case_to_prove(conn, number=self.number(kind))
            assert found is not None
            signer = exports.prepare(conn, self.settings, found, now=LATER)
        with self.connect() as conn:
            errand = Errand("for the court <i>", LATER, user=self.chief, address="192.0.2.1")
            exports.export(conn, self.files, signer, found, errand, out=out)
        return out.getvalue()


def signed(found: Incident) -> Incident:
    return signed_incident(found, lambda statement: signing.sign(NODE_KEY, statement))


def reference(content: bytes, kind: EvidenceKind = EvidenceKind.SNAPSHOT) -> EvidenceReference:
    return EvidenceReference(
        sha256=hashlib.sha256(content).hexdigest(),
        kind=kind,
        mime=SEALED_MIME if kind is EvidenceKind.SEALED else "image/jpeg",
        bytes=len(content),
        captured_at=AT,
    )


FOUND = uuid7(1, random_bytes=bytes)


def revision(number: int, **fields: Any) -> Incident:
    ended = {"state": IncidentState.ENDED, "ended_at": AT + timedelta(seconds=number)} if number > 2 else {}
    files = (*map(reference, PICTURES[:number]), reference(SEALED, EvidenceKind.SEALED))
    return incident(
        FOUND,
        revision=number,
        started_at=AT,
        updated_at=AT + timedelta(seconds=number),
        device="cam-1",
        evidence=files,
        model=MODEL,
        rule=RULE,
        **({"kind": "intrusion"} | ended | fields),
    )


def make(url: str, place: Path) -> Proving:
    settings = CloudSettings.model_validate({"database_url": url, "data_directory": place / "data"})
    files, node = EvidenceFiles((place / "store").as_uri()), FakeNode()
    pool = open_pool(url, size=2)
    try:
        with pool.connection() as conn:
            take_in_areas(conn)
            fleet.add_node(conn, node.name, district=DISTRICT, area_code=GRID, now=AT)
            conn.execute(
                "insert into node_key (node_id, public_key, bound_at, signs_from) select id, %s, %s, %s from node",
                [signing.public_bytes(NODE_KEY), AT - timedelta(days=1), AT - timedelta(days=1)],
            )
            people = [principal(conn, name, Role.DUTY_CHIEF) for name in ("chief", "second")]
        Writer(pool, lambda _: False, clock=lambda: AT).settle([node.item(birth(CAMERA))])
    finally:
        pool.close()
    made = Proving(url, settings, files, node, *people)
    made.settle(revision(1), revision(2), revision(3))
    with made.connect() as conn:
        for number, content in enumerate((*PICTURES[:2], SEALED)):  # the third never came
            source = place / f"{number}"
            source.write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            files.put(sha256, source)
            mark_stored(conn, node.name, sha256, now=AT)
        case_id = made.case_id()
        version = cases.detail(conn, made.chief, case_id, now=AT).version
        order = Order(action=CaseAction.CONFIRM, version=version, note="看到了 <script>alert(1)</script>")
        cases.act(conn, made.chief, case_id, order, now=AT, address="192.0.2.1")
    return made


@dataclass(frozen=True)
class ProvingTemplate:
    """What is copied for each test."""

    database: str
    place: Path
    chief: Principal
    second: Principal
    node: FakeNode


@pytest.fixture(scope="session")
def proving_template(
    postgres_server: DatabaseServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> ProvingTemplate:
    """Made once: passwords take their time to hash."""
    place = tmp_path_factory.mktemp("proving")
    made = make(postgres_server.create_database("proving", template=migrated_template), place)
    return ProvingTemplate("proving", place, made.chief, made.second, made.node)


@pytest.fixture
def proving(postgres_server: DatabaseServer, proving_template: ProvingTemplate, tmp_path: Path) -> Iterator[Proving]:
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=proving_template.database)
    settings = CloudSettings.model_validate({"database_url": url, "data_directory": tmp_path / "data"})
    files = EvidenceFiles((tmp_path / "store").as_uri())
    for content in (*PICTURES[:2], SEALED):
        source = tmp_path / "content"
        source.write_bytes(content)
        files.put(hashlib.sha256(content).hexdigest(), source)
    yield Proving(url, settings, files, proving_template.node, proving_template.chief, proving_template.second)
    postgres_server.drop_database(name)


@dataclass(frozen=True)
class Export:
    """An export in memory, and the fingerprint of the key that signed it."""

    content: bytes
    fingerprint: str
    case: str


@pytest.fixture(scope="session")
def exported(
    postgres_server: DatabaseServer, proving_template: ProvingTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Export:
    place = tmp_path_factory.mktemp("exported")
    url = postgres_server.create_database("exported", template=proving_template.database)
    settings = CloudSettings.model_validate({"database_url": url, "data_directory": place / "data"})
    files = EvidenceFiles((proving_template.place / "store").as_uri())
    made = Proving(url, settings, files, proving_template.node, proving_template.chief, proving_template.second)
    content = made.export()
    from cloud.proof.keys import signer_of  # noqa: PLC0415

    return Export(content, signer_of(settings).fingerprint, made.number())

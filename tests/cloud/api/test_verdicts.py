"""Precision, advice, proposals and the labelled set over the API."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from cloud.access import accounts
from cloud.cases.model import DismissalReason
from cloud.evidence.files import EvidenceFiles
from cloud.settings import CloudSettings
from edge.contract.incident import EvidenceKind, Severity
from models.datasets.labels import Label
from models.datasets.verdicts import verdict_set
from models.training.made_site import write_made_site
from tests.cloud.api.conftest import Cloud, Template, answering, made_settings
from tests.cloud.verdicts.judged import MODEL, RULE, JudgedCamera
from tests.databases import DatabaseServer
from tests.fakes.pictures import jpeg

PICTURES = [jpeg(size) for size in (1_000, 1_200, 1_400, 1_600, 1_800, 2_000)]
SEALED_LOOK = jpeg(2_200)
"""A picture that is no snapshot: what shows more than it may is of another kind."""


@pytest.fixture(scope="module")
def judged(
    postgres_server: DatabaseServer, peopled: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """A camera whose rule tells of twenty-five cases: fifteen false, up to 75 s; ten true, from 70 s on. And what does not count."""
    with made_settings(postgres_server, peopled, tmp_path_factory.mktemp("verdicts")) as settings:
        _keep_pictures(settings)
        with answering(settings, peopled) as cloud:
            chief = accounts.in_use(cloud.conn, "chief")
            assert chief is not None
            camera = JudgedCamera(cloud.conn, chief, at=datetime.now(UTC) - timedelta(days=20))
            for number in range(1, 16):
                reason = DismissalReason.LIGHT if number % 3 else DismissalReason.ANIMAL
                camera.case(5.0 * number, reason, picture=PICTURES[number] if number < 4 else None)
            for number in range(10):
                severity = Severity.HIGH if number > 7 else Severity.MEDIUM
                camera.case(70.0 + number, severity=severity, picture=PICTURES[0] if number == 0 else None)
            camera.case(400.0, DismissalReason.TEST, picture=PICTURES[4])
            camera.case(401.0, DismissalReason.OTHER, simulated=True, picture=PICTURES[5])
            camera.case(90.0, device="cam-2", picture=SEALED_LOOK, kind=EvidenceKind.BACKGROUND)
            camera.settle()
            cloud.conn.commit()
            yield cloud


def _keep_pictures(settings: CloudSettings) -> None:
    files, scratch = EvidenceFiles(settings.evidence_store_url), settings.data_directory / "scratch"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    for content in [*PICTURES[:2], *PICTURES[3:], SEALED_LOOK]:  # of one the bytes are lost
        scratch.write_bytes(content)
        files.put(hashlib.sha256(content).hexdigest(), scratch)


def get(cloud: Cloud, path: str, name: str = "chief", **query: Any) -> Any:
    with httpx.Client(base_url=cloud.url, headers={"Authorization": f"Bearer {cloud.session(name)}"}) as client:
        answer = client.get(f"/api/v1{path}", params=query)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()


def post(cloud: Cloud, path: str, body: dict[str, Any], name: str = "maintainer") -> httpx.Response:
    headers = {"Authorization": f"Bearer {cloud.session(name)}"}
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=20) as client:
        return client.post(f"/api/v1{path}", json=body)


def test_a_simulated_camera_says_so_in_its_row(judged: Cloud) -> None:
    with psycopg.connect(judged.database_url) as conn:
        conn.execute(
            "insert into device (node_id, name, kind, created_at, declared, simulated)"
            " select id, 'cam-1', 'camera', created_at, true, true from node where name = 'node-1'"
        )
    try:
        rows = {each["device"]: each["simulated"] for each in get(judged, "/verdicts", by=["device"])["cells"]}
        assert rows.pop("cam-1") is True
        assert set(rows.values()) <= {False}
    finally:
        with psycopg.connect(judged.database_url) as conn:
            conn.execute("delete from device")


ABOUT = {"node": "node-1", "device": "cam-1", "rule": RULE.id}


def test_precision_by_camera_and_rule(judged: Cloud) -> None:
    table = get(judged, "/verdicts")
    gate, other = table["cells"]
    assert (gate["device"], gate["rule"], gate["hour"]) == ("cam-1", RULE.id, None)
    assert gate["judgements"] == {"true": 10, "false_alarm": 15, "test": 1}
    assert gate["reasons"] == {"light": 10, "animal": 5, "test": 1}
    assert (gate["precision"]["part"], gate["precision"]["whole"], gate["precision"]["few"]) == (10, 25, False)
    assert 0.2 < gate["precision"]["low"] < 0.4 < gate["precision"]["high"] < 0.62
    assert other["precision"]["few"] is True
    assert (table["incidents"], table["judged"], table["cut"]) == (27, 27, False)
    with_simulated = get(judged, "/verdicts", simulated=True)
    assert sum(each["precision"]["whole"] for each in with_simulated["cells"]) == 27


def test_roll_ups_add_up(judged: Cloud) -> None:
    hours = get(judged, "/verdicts", by=["hour"], device="cam-1")["cells"]
    assert sum(each["precision"]["whole"] for each in hours) == 25
    assert {each["device"] for each in hours} == {None}
    (model,) = get(judged, "/verdicts", by=["model"])["cells"]
    assert (model["model"], model["model_sha256"], model["precision"]["whole"]) == (MODEL.id, MODEL.sha256, 26)
    (version,) = get(judged, "/verdicts", by=["rule_version"])["cells"]
    assert version["rule_sha256"] == RULE.sha256
    assert get(judged, "/verdicts", kind="sos")["cells"] == []


def test_advice(judged: Cloud) -> None:
    found = get(judged, "/verdicts/advice", **ABOUT)
    assert (found["outcome"], found["setting"], found["measure"], found["lowest"]) == (
        "advised",
        "limit_s",
        "dwell_s",
        5.0,
    )
    advised = found["advised"]
    assert advised["threshold"] == 66
    assert (advised["lost"]["part"], advised["saved"]["part"], advised["saved"]["whole"]) == (0, 13, 15)
    assert [each["reach"] for each in found["true_alarms"]][:2] == [70.0, 71.0]
    assert found["hints"][0]["code"] == "mask"


def test_nobody_elsewhere_learns_of_it(judged: Cloud) -> None:
    headers = {"Authorization": f"Bearer {judged.session('worker')}"}
    with httpx.Client(base_url=judged.url, headers=headers) as client:
        assert client.get("/api/v1/verdicts").status_code == httpx.codes.FORBIDDEN
    assert get(judged, "/verdicts", area="110105003")["cells"] == []
    with httpx.Client(base_url=judged.url, headers={"Authorization": f"Bearer {judged.session('chief')}"}) as client:
        assert client.get("/api/v1/verdicts/advice", params=ABOUT | {"rule": "nothing"}).status_code == 404


def test_a_proposal_from_its_making_to_its_answer(judged: Cloud) -> None:
    with_severe = post(judged, "/rule-proposals", {**ABOUT, "threshold": 79.5}, "chief")
    assert (with_severe.status_code, "high or critical" in with_severe.text) == (422, True)
    below = post(judged, "/rule-proposals", {**ABOUT, "threshold": 5.0}, "chief")
    assert (below.status_code, "no record" in below.text) == (422, True)
    made = post(judged, "/rule-proposals", {**ABOUT, "threshold": 72.5, "note": "headlights"}, "chief")
    assert made.status_code == httpx.codes.CREATED, made.text
    proposal = made.json()
    assert (proposal["from_value"], proposal["to_value"], proposal["proposed_by"]) == (5.0, 72.5, "Chief")
    assert proposal["simulated"] is False
    assert (proposal["figures"]["saved"], proposal["figures"]["lost"]) == (14, 3)
    assert len(proposal["figures"]["lost_cases"]) == 3
    (rule,) = yaml.safe_load(proposal["patch"])["cameras"][0]["rules"]
    assert rule["limit_s"] == 72.5
    assert post(judged, "/rule-proposals", {**ABOUT, "threshold": 71}).status_code == httpx.codes.CONFLICT
    answer = f"/rule-proposals/{proposal['id']}/answer"
    assert post(judged, answer, {"state": "accepted"}, "chief").status_code == httpx.codes.FORBIDDEN
    assert post(judged, answer, {"state": "withdrawn"}).status_code == httpx.codes.CONFLICT
    accepted = post(judged, answer, {"state": "accepted", "note": "with 1.4.0"})
    assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
    assert post(judged, answer, {"state": "declined"}).status_code == httpx.codes.CONFLICT
    (listed,) = get(judged, "/rule-proposals", state=["accepted"])["items"]
    assert (proposal["mine"], listed["mine"]) == (True, True)
    assert get(judged, "/rule-proposals", "auditor")["items"][0]["mine"] is False
    judged.conn.execute(
        "insert into device (node_id, name, kind, simulated, created_at) select id, 'cam-1', 'camera', true, now() from node"
        " where name = 'node-1' on conflict (node_id, name) do update set simulated = true"
    )
    judged.conn.commit()
    assert get(judged, "/rule-proposals", state=["accepted"])["items"][0]["simulated"] is True
    judged.conn.execute("update device set simulated = false where name = 'cam-1'")
    judged.conn.commit()
    assert (listed["answered_by"], listed["answer"]) == ("Maintainer", "with 1.4.0")
    assert get(judged, "/rule-proposals", state=["open"])["items"] == []
    actions = [row[0] for row in judged.conn.execute("select action from audit where action like 'rule.%' order by id")]
    judged.conn.rollback()
    assert actions == ["rule.proposed", "rule.accepted"]


def test_the_labelled_set(judged: Cloud) -> None:
    answer = post(judged, "/verdicts/export", {"purpose": "training of 2026", "verdicts": ["true", "false_alarm"]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        annotations = json.loads(archive.read("annotations.json"))
        manifest = json.loads(archive.read("manifest.json"))
        names = [name for name in archive.namelist() if name.startswith("images/")]
        contents = {hashlib.sha256(archive.read(name)).hexdigest() for name in names}
    wanted = {hashlib.sha256(PICTURES[number]).hexdigest() for number in (0, 1, 3)}
    assert contents == wanted, "neither the lost one, nor the test's, nor the simulated, nor what is no snapshot"
    assert [each["file_name"] for each in annotations["images"]] == names
    assert {each["split"] for each in annotations["images"]} <= {"train", "val", "test"}
    true = next(each for each in annotations["images"] if each["verdict"] == "true")
    assert (true["sight"], true["model"]["sha256"]) == ("there", MODEL.sha256)
    boxes = {each["image_id"]: each for each in annotations["annotations"]}
    assert boxes[true["id"]]["bbox"] == [4.0, 4.0, 4.0, 8.0]
    assert not boxes[true["id"]]["hard_negative"]
    assert sum(each["hard_negative"] for each in boxes.values()) == 2
    assert (manifest["pictures"], manifest["left_out"], manifest["exported_by"]) == (3, {"gone": 1}, "maintainer")
    assert (manifest["format"], manifest["purpose"]) == ("gridward-verdicts/1", "training of 2026")
    rows = judged.conn.execute("select action, detail from audit where action like '%.export%' order by id").fetchall()
    judged.conn.rollback()
    assert rows[0][0] == "verdicts.export_begun"
    assert rows[-1][0] == "verdicts.exported"
    assert rows[-1][1]["purpose"] == "training of 2026"
    left = {sha256 for action, detail in rows if action == "evidence.exported" for sha256 in detail["sha256"]}
    assert left >= wanted


def test_training_reads_the_labelled_set_as_it_is_written(judged: Cloud, tmp_path: Path) -> None:
    file, made = tmp_path / "verdicts.zip", tmp_path / "made.zip"
    file.write_bytes(post(judged, "/verdicts/export", {"purpose": "training of 2026"}).content)
    with verdict_set(file, {"loitering": Label.PERSON}) as found:
        assert sorted((len(each.boxes), len(each.absent)) for each in found.pictures) == [(0, 1), (0, 1), (1, 0)]
    write_made_site(made, 1, 4)
    with zipfile.ZipFile(file) as real, zipfile.ZipFile(made) as other:
        for name in ("manifest.json", "annotations.json"):
            written, made_up = json.loads(real.read(name)), json.loads(other.read(name))
            assert written.keys() == made_up.keys()
        for part in ("images", "annotations", "categories"):
            assert written[part][0].keys() == made_up[part][0].keys()


def test_an_export_is_bounded(judged: Cloud) -> None:
    answer = post(judged, "/verdicts/export", {"purpose": "a look", "most": 1})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["pictures"], manifest["cut"]) == (1, True)
    assert post(judged, "/verdicts/export", {"purpose": "  "}).status_code == 422
    assert post(judged, "/verdicts/export", {"purpose": "as a chief"}, "chief").status_code == httpx.codes.FORBIDDEN

"""Rollouts over HTTP: what is signed comes in, what nodes fetch goes out, and what people decide in between."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from cloud.db.pool import open_pool
from cloud.fleet import service as fleet
from cloud.jobs import sweeps
from cloud.rollouts import advance
from cloud.settings import CloudSettings
from firmware_configs.signature import ArtifactClass
from firmware_configs.signing import SigningKey, write_public
from tests.cloud.api.conftest import Cloud, Template, answering
from tests.cloud.samples import GRID, OTHER_GRID

PROFILE = b"profile: ocpp16_pile\nversion: 1.4.0\nminimum_software: 0.1.0\nnotes: ''\nsettings: {}\n"
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
KEY = SigningKey.make()


@pytest.fixture
def trusting(settings: CloudSettings, peopled: Template, tmp_path: Path) -> Iterator[Cloud]:
    """A cloud of a site that trusts a key of its own."""
    valid = KEY.public("the site's", valid_from=NOW - timedelta(days=1), valid_until=None)
    write_public(tmp_path / "keys", valid, by_fingerprint=True)
    with answering(settings.model_copy(update={"configuration_keys": tmp_path / "keys"}), peopled) as cloud:
        yield cloud


def signed(
    content: bytes = PROFILE,
    *,
    kind: ArtifactClass = ArtifactClass.PROFILE,
    name: str = "ocpp16_pile",
    version: str = "1.4.0",
    key: SigningKey = KEY,
) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(key.sign(kind, name, version, content, at=NOW).content())
    return told


def maintainer(cloud: Cloud, name: str = "admin") -> httpx.Client:
    token = cloud.session(name)
    return httpx.Client(base_url=cloud.url, timeout=20, headers={"Authorization": f"Bearer {token}"})


def artifact(sha256: str) -> str:
    return f"/api/v1/artifacts/{sha256}"


def bring(client: httpx.Client, content: bytes = PROFILE, **more: Any) -> dict[str, Any]:
    told = signed(content, **more)
    answer = client.post("/api/v1/artifacts", json=told)
    assert answer.status_code in {200, 201}, answer.text
    answer = client.put(artifact(told["sha256"]), content=content)
    assert answer.status_code in {200, 201}, answer.text
    [found] = client.get("/api/v1/artifacts", params={"name": told["name"]}).json()["items"][:1]
    return dict(found)


def test_what_a_trusted_key_signed_is_kept_and_fetched_in_pieces(trusting: Cloud) -> None:
    with maintainer(trusting) as client, trusting.node() as node:
        told = signed()
        path = artifact(told["sha256"])
        assert client.put(path, content=PROFILE).status_code == 404
        made = client.post("/api/v1/artifacts", json=told)
        assert (made.status_code, made.json()["stored_at"], made.json()["added_by"]) == (201, None, "admin")
        assert node.get(path).status_code == 404
        half = len(PROFILE) // 2
        first = {"Content-Range": f"bytes 0-{half - 1}/{len(PROFILE)}"}
        assert client.put(path, content=PROFILE[:half], headers=first).status_code == 202
        wrong = client.put(path, content=b"xx", headers={"Content-Range": f"bytes 2-3/{len(PROFILE)}"})
        assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, str(half))
        rest = {"Content-Range": f"bytes {half}-{len(PROFILE) - 1}/{len(PROFILE)}"}
        done = client.put(path, content=PROFILE[half:], headers=rest)
        assert (done.status_code, done.json()["stored"]) == (201, True)
        assert client.put(path, content=PROFILE).status_code == 200
        assert client.post("/api/v1/artifacts", json=told).status_code == 200
        whole = node.get(path)
        assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, PROFILE, "bytes")
        part = node.get(path, headers={"Range": f"bytes={half}-"})
        assert (part.status_code, part.content) == (206, PROFILE[half:])
        assert part.headers["content-range"] == f"bytes {half}-{len(PROFILE) - 1}/{len(PROFILE)}"
        beyond = node.get(path, headers={"Range": f"bytes={len(PROFILE)}-"})
        assert beyond.status_code == 416
        assert node.get(artifact("0" * 64)).status_code == 404
        assert node.head(path).headers["content-length"] == str(len(PROFILE))
    noted = trusting.conn.execute("select action from audit where subject like 'artifact:%' order by id").fetchall()
    assert [row[0] for row in noted] == ["artifact.registered", "artifact.stored"]


def test_what_nobody_vouches_for_is_refused(trusting: Cloud) -> None:
    with maintainer(trusting) as client:
        stranger = client.post("/api/v1/artifacts", json=signed(key=SigningKey.make()))
        assert stranger.status_code == 422
        assert "not among the trusted" in stranger.json()["detail"]
        changed = client.post("/api/v1/artifacts", json=signed() | {"version": "1.5.0"})
        assert (changed.status_code, "signature is not that" in changed.json()["detail"]) == (422, True)
        for broken in ({"sha256": "x"}, {"size_bytes": 0}, {"signed_at": "now"}, {"sig": "?"}, {"artifact": "virus"}):
            assert client.post("/api/v1/artifacts", json=signed() | broken).status_code == 422, broken
        large = json.loads(KEY.sign(ArtifactClass.MODEL, "big", "1.0.0", b"x" * (300 << 10), at=NOW).content())
        assert client.post("/api/v1/artifacts", json=large).status_code == 201
        assert client.get("/api/v1/artifacts", params={"kind": "profile"}).json()["items"] == []


def test_a_version_never_changes(trusting: Cloud) -> None:
    with maintainer(trusting) as client:
        bring(client)
        other = PROFILE.replace(b"''", b"other")
        answer = client.post("/api/v1/artifacts", json=signed(other))
        assert (answer.status_code, "never changes" in answer.json()["detail"]) == (409, True)


def wheel(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(
            "gridward-1.4.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.4.0\n\nx"
        )
    return made.getvalue()


def model(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return made.getvalue()


def test_the_bytes_are_what_they_were_signed_as(trusting: Cloud) -> None:
    profile, program, model_kind = ArtifactClass.PROFILE, ArtifactClass.PROGRAM, ArtifactClass.MODEL
    cases = [
        (profile, "ocpp16_pile", b"a: [", 415),
        (profile, "ykc_pile", PROFILE, 415),
        (program, "gridward", wheel("gridward"), 201),
        (program, "gridward", wheel("other"), 415),
        (program, "gridward", b"PK no archive", 415),
        (model_kind, "people-1", model("manifest.yaml", "model.onnx"), 201),
        (model_kind, "people-1", model("model.onnx"), 415),
    ]
    with maintainer(trusting) as client:
        for number, (kind, name, content, status) in enumerate(cases):
            told = signed(content, kind=kind, name=name, version="1.4.0" if kind is profile else f"1.4.{number}")
            assert client.post("/api/v1/artifacts", json=told).status_code == 201
            path = artifact(told["sha256"])
            for wrong, refusal in ((bytes(len(content)), 422), (content[:-1], 422), (content + b"x", 413)):
                assert client.put(path, content=wrong).status_code == refusal, (kind, name, refusal)
            assert client.put(path, content=content).status_code == status, (kind, name)


def plan(**more: Any) -> dict[str, Any]:
    return {"stages": [{"name": "all", "percent": 100, "soak_s": 60} | more]}


def test_a_rollout_from_draft_to_the_way_back(trusting: Cloud) -> None:
    with maintainer(trusting) as client, maintainer(trusting, "maintainer") as other:
        brought = bring(client)
        body = {"title": "Piles 1.4.0", "artifact_id": brought["id"], "plan": plan(approval=True)}
        made = client.post("/api/v1/rollouts", json=body)
        assert made.status_code == 201, made.text
        draft = made.json()
        path = f"/api/v1/rollouts/{draft['id']}"
        assert (draft["state"], draft["actions"]) == ("draft", ["start", "cancel"])
        assert draft["preview"] == {"stages": [1], "without_way_back": 1, "held_by": []}
        assert other.get(path).status_code == 404, "it is for everywhere, and the maintainer sees a district"
        refused = client.post(f"{path}/actions", json={"action": "pause"})
        assert refused.status_code == 409
        begun = client.post(f"{path}/actions", json={"action": "start"}).json()
        assert (begun["state"], begun["started_by"]) == ("running", "admin")
        advance.advance(trusting.conn, UUID(begun["id"]), now=datetime.now(UTC))
        trusting.conn.commit()
        shown = client.get(path).json()
        assert shown["progress"] == [{"name": "all", "nodes": 1, "counts": {"absent": 1}, "failures": 0}]
        [step] = client.get(f"{path}/steps", params={"state": "absent"}).json()["items"]
        assert (step["node"], step["ring"], step["running_version"]) == ("node-1", "broad", None)
        assert client.get(f"{path}/steps", params={"state": "done"}).json()["items"] == []
        paused = client.post(f"{path}/actions", json={"action": "pause", "reason": "fire drill"}).json()
        assert (paused["state"], paused["reason"]) == ("paused", "fire drill")
        assert client.post(f"{path}/actions", json={"action": "roll_back"}).json()["state"] == "rolling_back"
        events = client.get(f"{path}/events").json()["items"]
        assert [event["after"] for event in events][-1] == "draft"
        page = client.get("/api/v1/rollouts").json()
        assert ([item["id"] for item in page["items"]], page["next"]) == ([draft["id"]], None)


def sweep(cloud: Cloud, folder: Path) -> int:
    """What the process with the jobs does every few seconds, over the site's folder of keys."""
    settings = CloudSettings(database_url=SecretStr(cloud.database_url), configuration_keys=folder / "keys")
    with closing(open_pool(cloud.database_url, size=1)) as pool:
        return sweeps.advance_rollouts(sweeps.Sweeper(pool, settings), datetime.now(UTC))


def test_what_a_revoked_key_signed_goes_to_no_further_node(trusting: Cloud, tmp_path: Path) -> None:
    def trust(*, revoked: bool) -> None:
        valid = KEY.public("the site's", valid_from=NOW - timedelta(days=1), valid_until=None)
        write_public(tmp_path / "keys", replace(valid, revoked=revoked), by_fingerprint=True)

    with maintainer(trusting) as client:
        body = {"title": "x", "artifact_id": bring(client)["id"], "plan": plan()}
        path = f"/api/v1/rollouts/{client.post('/api/v1/rollouts', json=body).json()['id']}/actions"
        trust(revoked=True)
        refused = client.post(path, json={"action": "start"})
        assert (refused.status_code, "revoked" in refused.json()["detail"]) == (409, True)
        trust(revoked=False)
        assert client.post(path, json={"action": "start"}).json()["state"] == "running"
        trust(revoked=True)
        assert sweep(trusting, tmp_path) == 1
        shown = client.get(path.removesuffix("/actions")).json()
        assert (shown["state"], shown["cause"], "revoked" in shown["reason"]) == ("paused", "key_revoked", True)
        resumed = client.post(path, json={"action": "resume"})
        assert (resumed.status_code, "revoked" in resumed.json()["detail"]) == (409, True)
        assert client.post(path, json={"action": "roll_back"}).json()["state"] == "rolling_back"


def test_a_maintainer_of_a_district_reaches_no_further(trusting: Cloud) -> None:
    fleet.add_node(trusting.conn, "node-2", district="110105", area_code=OTHER_GRID, now=NOW)
    trusting.conn.commit()
    with maintainer(trusting, "maintainer") as client, maintainer(trusting) as admin:
        brought = bring(client)
        body = {"title": "x", "artifact_id": brought["id"], "plan": plan(), "area_code": GRID}
        draft = client.post("/api/v1/rollouts", json=body).json()
        assert draft["preview"]["stages"] == [1]
        assert admin.get(f"/api/v1/rollouts/{draft['id']}").status_code == 200
        elsewhere = client.post("/api/v1/rollouts", json=body | {"area_code": "999999"})
        assert elsewhere.status_code == 404
        assert client.put("/api/v1/nodes/node-2/ring", json={"ring": "canary"}).status_code == 204
        assert client.put("/api/v1/nodes/node-9/ring", json={"ring": "canary"}).status_code == 404
        shown = client.get("/api/v1/versions/nodes").json()["items"]
        assert [(each["node"], each["ring"], each["drifts"]) for each in shown] == [
            ("node-1", "broad", False),
            ("node-2", "canary", False),
        ]


def test_whoever_started_it_does_not_approve_it(trusting: Cloud) -> None:
    with maintainer(trusting) as client:
        brought = bring(client)
        body = {"title": "x", "artifact_id": brought["id"], "plan": plan()}
        path = f"/api/v1/rollouts/{client.post('/api/v1/rollouts', json=body).json()['id']}/actions"
        client.post(path, json={"action": "start"})
        trusting.conn.execute("update rollout set state = 'waiting_approval'")
        trusting.conn.commit()
        assert client.post(path, json={"action": "approve"}).status_code == 403


def test_plans_that_can_not_be_are_refused(trusting: Cloud) -> None:
    wrong: list[dict[str, Any]] = [
        {"stages": []},
        {"stages": [{"name": "half", "percent": 50}]},
        {"stages": [{"name": "all", "percent": 100, "soak_s": -1}]},
        {"stages": [{"name": "all", "percent": 100, "ring": "moon"}]},
        {"stages": [{"name": "all", "percent": 1e999}]},
        {"stages": [{"name": "all", "percent": 100}], "at_once": 0},
        {"stages": [{"name": "a\x00b", "percent": 100}]},
    ]
    with maintainer(trusting) as client:
        brought = bring(client)
        for plan_told in wrong:
            body = json.dumps({"title": "x", "artifact_id": brought["id"], "plan": plan_told})
            answer = client.post("/api/v1/rollouts", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422, (plan_told, answer.text)


def test_the_versions_that_run_are_counted(trusting: Cloud) -> None:
    with maintainer(trusting) as client:
        brought = bring(client)
        sha256 = hashlib.sha256(PROFILE).hexdigest()
        trusting.conn.execute(
            "insert into node_artifact select id, 'profile', 'ocpp16_pile', '1.4.0', %s, now() from node", [sha256]
        )
        trusting.conn.commit()
        [version] = client.get("/api/v1/versions").json()["items"]
        assert (version["version"], version["nodes"], version["drifting"], version["is_registered"]) == (
            "1.4.0",
            1,
            0,
            True,
        )
        shown = client.get("/api/v1/versions/nodes", params={"drifting": "true"}).json()
        assert shown == {"items": [], "next": None}
        [one] = client.get("/api/v1/versions/nodes", params={"artifact": "profile", "name": brought["name"]}).json()[
            "items"
        ]
        assert (one["running_version"], one["wanted_version"]) == ("1.4.0", None)


def test_the_plans_that_come_with_it_can_be_sent_back_as_they_are(trusting: Cloud) -> None:
    with maintainer(trusting) as client:
        brought = bring(client)
        plans = client.get("/api/v1/rollout-plans").json()["items"]
        for each in plans:
            body = {"title": each["title"], "artifact_id": brought["id"], "plan": each["plan"]}
            assert client.post("/api/v1/rollouts", json=body).status_code == 201
        first = client.get("/api/v1/rollouts", params={"limit": 2}).json()
        second = client.get("/api/v1/rollouts", params={"limit": 2, "after": first["next"]}).json()
        assert len({item["id"] for item in first["items"] + second["items"]}) == len(plans)

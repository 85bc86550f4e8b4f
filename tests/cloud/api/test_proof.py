"""Exports, holds and sealed originals over the API: who may, what is told, and that a file proves itself that was downloaded."""

import io
from typing import Any

import httpx

from cloud.proof.verification import Demands, verify
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import incident, report

PURPOSE = {"purpose": "for the court"}


def case_of(cloud: Cloud) -> int:
    cloud.receive(report(incident(1)))
    row = cloud.conn.execute("select id from grid_case").fetchone()
    assert row is not None
    return int(row[0])


def logged(cloud: Cloud, action: str) -> list[dict[str, Any]]:
    cloud.conn.rollback()
    rows = cloud.conn.execute("select detail from audit where action = %s order by id", [action]).fetchall()
    return [row[0] for row in rows]


def test_a_case_is_downloaded_with_a_purpose_and_proves_itself(cloud: Cloud) -> None:
    case_id = case_of(cloud)
    with cloud.client("auditor") as auditor:
        assert auditor.post(f"/api/v1/cases/{case_id}/export", json={}).status_code == 422
        assert auditor.post(f"/api/v1/cases/{case_id}/export", json={"purpose": "  "}).status_code == 422
        answer = auditor.post(f"/api/v1/cases/{case_id}/export", json=PURPOSE)
        keys = auditor.get("/api/v1/proof-keys").json()["items"]
    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "private, no-store"
    (key,) = keys
    assert key["in_use"]
    found = verify(io.BytesIO(answer.content), len(answer.content), Demands(frozenset({key["fingerprint"]})))
    assert found.valid, found.checks
    (detail,) = logged(cloud, "evidence.exported")
    assert detail["purpose"] == "for the court"
    assert detail["head"] == found.head


def test_a_hold_is_put_read_and_ended(cloud: Cloud) -> None:
    case_id = case_of(cloud)
    with cloud.client("chief") as chief:
        answer = chief.post(f"/api/v1/cases/{case_id}/holds", json={"reason": "court, file 3"})
        assert answer.status_code == httpx.codes.OK, answer.text
        (hold,) = answer.json()["items"]
        assert (hold["set_by"], hold["reason"], hold["until"]) == ("chief", "court, file 3", None)
        over = {"reason": "court", "until": "2001-01-01T00:00:00Z"}
        assert chief.post(f"/api/v1/cases/{case_id}/holds", json=over).status_code == 422
        ended = chief.post(f"/api/v1/holds/{hold['id']}/end", json={"note": "the court is done"})
        assert ended.json()["items"][0]["lifted_by"] == "chief"
        assert chief.post(f"/api/v1/holds/{hold['id']}/end", json={"note": "again"}).status_code == 409
        history = chief.get(f"/api/v1/cases/{case_id}").json()["history"]
    assert [step["action"] for step in history][-2:] == ["hold_set", "hold_lifted"]
    with cloud.client("auditor") as auditor:
        assert len(auditor.get(f"/api/v1/cases/{case_id}/holds").json()["items"]) == 1


def test_a_sealed_original_goes_out_once_to_the_one_who_asked(cloud: Cloud) -> None:
    case_id = case_of(cloud)
    with cloud.client("lead") as lead, cloud.client("chief") as chief:
        assert lead.get(f"/api/v1/cases/{case_id}/originals").json() == {"items": []}
        wish = {"sha256": "0" * 64} | PURPOSE
        assert lead.post(f"/api/v1/cases/{case_id}/originals", json=wish).status_code == 404
        request = cloud.conn.execute(
            "insert into unseal_request (case_id, sha256, purpose, asked_by, asked_at, expires_at)"
            " select %s, %s, 'for the court', id, now(), now() + interval '1 day' from account where name = 'lead' returning id",
            [case_id, "0" * 64],
        ).fetchone()
        assert request is not None
        cloud.conn.commit()
        place = f"/api/v1/unsealings/{request[0]}"
        (waiting,) = chief.get("/api/v1/unsealings", params={"case_id": case_id}).json()["items"]
        assert (waiting["state"], waiting["asked_by"]) == ("waiting", "lead")
        assert lead.post(f"{place}/handover").status_code == 409
        assert lead.post(f"{place}/decision", json={"allowed": True}).status_code == 403
        refused = chief.post(f"{place}/decision", json={"allowed": False})
        assert (refused.status_code, "`words`" in refused.json()["detail"]) == (422, True)
        assert chief.post(f"{place}/decision", json={"allowed": True}).json()["state"] == "allowed"
        assert chief.post(f"{place}/decision", json={"allowed": False, "words": "too late"}).status_code == 409
        assert chief.post(f"{place}/handover").status_code == 403
        assert lead.post(f"{place}/handover").status_code == 409  # its bytes have not come yet: nothing is spent
        assert lead.get("/api/v1/unsealings").json()["items"][0]["state"] == "allowed"
    assert len(logged(cloud, "evidence.unseal_allowed")) == 1

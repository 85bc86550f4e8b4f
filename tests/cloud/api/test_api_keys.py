import httpx

from cloud.access.policy import PER_ADDRESS
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import GRID


def test_a_key_from_making_to_revoking(cloud: Cloud) -> None:
    with cloud.client("admin") as admin, cloud.anyone() as program:
        wish = {"name": "hotline", "scopes": ["intake"], "area_code": GRID, "days": 3, "per_minute": 3}
        made = admin.post("/api/v1/api-keys", json=wish)
        assert made.status_code == httpx.codes.CREATED
        assert admin.post("/api/v1/api-keys", json=wish).status_code == httpx.codes.CONFLICT
        program.headers["Authorization"] = f"Bearer {made.json()['secret']}"
        assert program.get("/api/v1/api-key").json() == {
            "name": "hotline",
            "scopes": ["intake"],
            "area_code": GRID,
            "per_minute": 3,
        }
        # no person, no node, no broker
        for path in ("/api/v1/session", "/api/v1/cases", "/api/v1/enrolment/standing", "/api/v1/api-keys"):
            assert program.get(path).status_code == httpx.codes.UNAUTHORIZED, path
        answers = [program.get("/api/v1/api-key") for _ in range(4)]
        assert answers[-1].status_code == httpx.codes.TOO_MANY_REQUESTS
        assert answers[-1].headers["Retry-After"]
        [listed] = admin.get("/api/v1/api-keys").json()["items"]
        assert "secret" not in listed
        assert listed["used_at"] is not None
        assert admin.delete(f"/api/v1/api-keys/{listed['id']}").status_code == httpx.codes.NO_CONTENT
        assert admin.delete(f"/api/v1/api-keys/{listed['id']}").status_code == httpx.codes.NOT_FOUND
        assert program.get("/api/v1/api-key").status_code == httpx.codes.UNAUTHORIZED
    actions = [
        row[0] for row in cloud.conn.execute("select action from audit where action like 'api_key.%' order by id")
    ]
    assert actions == ["api_key.made", "api_key.revoked", "api_key.refused"]


def test_who_tries_many_keys_waits_and_nobody_else(cloud: Cloud) -> None:
    with cloud.client("admin") as admin, cloud.anyone() as program:
        secret = admin.post("/api/v1/api-keys", json={"name": "hotline", "scopes": ["intake"]}).json()["secret"]
        program.headers["Authorization"] = f"Bearer {secret[:-4]}AAAA"
        answers = [program.get("/api/v1/api-key").status_code for _ in range(PER_ADDRESS.free + 1)]
        assert answers == [httpx.codes.UNAUTHORIZED] * PER_ADDRESS.free + [httpx.codes.TOO_MANY_REQUESTS]
        program.headers["Authorization"] = f"Bearer {secret}"
        assert program.get("/api/v1/api-key").status_code == httpx.codes.OK
    cloud.token("chief")  # neither is a person at the same address shut out
    cloud.conn.rollback()
    [counted] = cloud.conn.execute("select count(*) from audit where action = 'api_key.refused'").fetchone() or [None]
    assert counted == PER_ADDRESS.free

import httpx
import pytest

from cloud.api.guards import MAXIMUM_BODY_BYTES
from tests.cloud.api.conftest import Cloud


def test_health_and_readiness_need_no_session(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        assert client.get("/healthz").text == "ok"
        ready = client.get("/readyz")
        assert ready.status_code == httpx.codes.OK
        assert ready.json() == {"ready": True, "parts": {"database": None, "migrations": None, "live": None}}


def test_metrics_are_for_this_machine_and_administrators(cloud: Cloud) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.5"}
    with cloud.anyone() as client, cloud.client("chief") as chief, cloud.client("admin") as admin:
        assert "gridward_live_clients" in client.get("/metrics").text
        assert client.get("/metrics", headers=forwarded).status_code == httpx.codes.UNAUTHORIZED
        assert chief.get("/metrics", headers=forwarded).status_code == httpx.codes.FORBIDDEN
        assert admin.get("/metrics", headers=forwarded).status_code == httpx.codes.OK


def test_the_page_is_served_with_its_caching(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        for path in ("/", "/cases/5", "/index.html"):
            page = client.get(path)
            assert "Gridward" in page.text
            assert page.headers["cache-control"] == "no-cache"
        asset = client.get("/assets/app-1a2b.js")
        assert "immutable" in asset.headers["cache-control"]
        assert client.get("/assets/none.js").status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "//etc/passwd", "/%00"]
)
def test_nothing_beside_the_page_is_served(cloud: Cloud, path: str) -> None:
    with cloud.anyone() as client:
        answer = client.get(path)
    assert "secret" not in answer.text
    assert "root:" not in answer.text
    assert answer.status_code < 500


def test_every_answer_carries_the_headers_that_keep_pages_safe(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        for path in ("/", "/api/v1/session", "/healthz", "/api/v1/nothing"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe-eval" not in headers["content-security-policy"]
            assert "server" not in headers
        assert client.get("/api/v1/session").headers["cache-control"] == "no-store"


def test_a_body_that_is_too_large_is_refused_announced_or_not(cloud: Cloud) -> None:
    big = b"x" * (MAXIMUM_BODY_BYTES + 1)
    with cloud.client("chief") as client:
        announced = client.post("/api/v1/cases/1/actions", content=big)
        assert announced.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        chunked = client.post("/api/v1/cases/1/actions", content=iter([big]))
        assert chunked.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


def test_the_wrong_method_is_a_problem_too(cloud: Cloud) -> None:
    with cloud.client("chief") as client:
        answer = client.patch("/api/v1/cases")
    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_open_api_document_names_its_shapes(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        document = client.get("/api/v1/openapi.json").json()
    assert {"CaseSummary", "CaseDetail", "CasePage", "Problem", "Figures"} <= document["components"]["schemas"].keys()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))

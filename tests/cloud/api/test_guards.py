import asyncio
import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import Response

from cloud.api import guards
from cloud.api.app import make_app
from tests.cloud.api.conftest import Cloud


def test_a_mistake_of_ours_is_a_problem_with_the_headers_that_keep_pages_safe() -> None:
    app = make_app(None)

    @app.get("/api/v1/mistake")
    def mistake() -> Response:
        raise UnicodeEncodeError("utf-8", "secret", 0, 1, "surrogates not allowed")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/api/v1/mistake")

    answer = asyncio.run(ask())
    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert answer.headers["content-type"] == "application/problem+json"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "secret" not in answer.text


def test_head_answers_as_get_without_a_body(cloud: Cloud) -> None:
    with cloud.client("chief") as client:
        for path in ("/", "/healthz", "/readyz", "/metrics", "/api/v1/cases", "/api/v1/nothing"):
            read, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (read.status_code, b""), path
            assert head.headers["content-type"] == read.headers["content-type"], path
        assert client.head("/api/v1/live").status_code == httpx.codes.METHOD_NOT_ALLOWED


def test_a_method_that_is_not_there_hears_which_are(cloud: Cloud) -> None:
    with cloud.client("chief") as client:
        for path, methods in {
            "/api/v1/session": "DELETE, GET, POST",
            f"/api/v1/evidence/{'0' * 64}": "GET, HEAD, PUT",
            "/api/v1/cases": "GET",
            "/cases/5": "GET, HEAD",
        }.items():
            answer = client.request("PATCH", path)
            assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED, path
            assert answer.headers["allow"] == methods, path


def test_a_body_that_drips_is_cut_off(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "BODY_S", 0.3)
    parts = urlsplit(cloud.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as client:
        client.sendall(
            b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["status"] == httpx.codes.REQUEST_TIMEOUT

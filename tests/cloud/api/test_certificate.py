import ssl
import stat
from datetime import timedelta
from pathlib import Path

import httpx

from cloud.api.certificate import demo_certificate
from cloud.main import Part, running
from cloud.settings import CloudSettings
from tests.cloud.samples import NOW, PASSWORD


def test_a_certificate_is_made_once_and_anew_when_it_no_longer_fits(tmp_path: Path) -> None:
    first = demo_certificate(tmp_path, ["10.1.2.3"], now=NOW)
    held = first.certificate.read_bytes()
    assert demo_certificate(tmp_path, ["10.1.2.3"], now=NOW) == first
    assert first.certificate.read_bytes() == held
    assert demo_certificate(tmp_path, ["example.test"], now=NOW).fingerprint == first.fingerprint
    assert first.certificate.read_bytes() != held
    held = first.certificate.read_bytes()
    demo_certificate(tmp_path, ["example.test"], now=NOW + timedelta(days=380))
    assert first.certificate.read_bytes() != held


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    demo_certificate(tmp_path / "tls", [], now=NOW)
    for name in ("server.key", "authority.key"):
        assert stat.S_IMODE((tmp_path / "tls" / name).stat().st_mode) == 0o600


def test_the_cloud_answers_over_https_to_who_trusts_the_authority(settings: CloudSettings) -> None:
    with running(settings, Part.API, tls=True) as cloud:
        assert cloud.address is not None
        assert cloud.address.startswith("https://")
        assert cloud.fingerprint is not None
        context = ssl.create_default_context(cafile=str(cloud.authority))
        with httpx.Client(base_url=cloud.address, verify=context) as client:
            answer = client.get("/healthz")
    assert answer.text == "ok"
    assert "strict-transport-security" in answer.headers


def test_over_https_the_cookie_is_bound_to_this_host(settings: CloudSettings) -> None:
    with running(settings, Part.API, tls=True) as cloud:
        assert cloud.address is not None
        context = ssl.create_default_context(cafile=str(cloud.authority))
        with httpx.Client(base_url=cloud.address, verify=context, timeout=20) as client:
            answer = client.post("/api/v1/session", json={"name": "chief", "password": PASSWORD})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-gridward_session=")
            for flag in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
                assert flag in cookie, flag
            assert "Domain" not in cookie
            assert client.get("/api/v1/session").json()["user"]["name"] == "chief"
            client.cookies.clear()
            token = answer.json()["token"]
            plain = client.get("/api/v1/session", headers={"Cookie": f"gridward_session={token}"})
            assert plain.status_code == httpx.codes.UNAUTHORIZED, "a cookie that a neighbour could have set"
            headers = {"Cookie": f"__Host-gridward_session={token}"}
            assert client.delete("/api/v1/session", headers=headers).status_code == httpx.codes.FORBIDDEN
            headers["X-Gridward-CSRF"] = "1"
            ended = client.delete("/api/v1/session", headers=headers)
            assert ended.status_code == httpx.codes.NO_CONTENT
            assert ended.headers["set-cookie"].startswith("__Host-gridward_session=")

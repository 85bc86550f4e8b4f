"""Nothing can be had from anywhere: what comes with the software carries the whole path to a case."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.demo.watch import OWN_CLASSES, SCENES
from tests.system.site import Site, wait_for

pytestmark = pytest.mark.system

_NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
_ITSELF = "127.0.0.1,localhost"


@pytest.fixture
def alone(passable_directory: Path) -> Iterator[Site]:
    """The demo with cache, mirror and assets hidden, and a network that answers nobody."""
    nothing = str(passable_directory / "nothing")
    places = dict.fromkeys(("GRIDWARD_CACHE", "GRIDWARD_MIRROR", "GRIDWARD_ASSETS"), nothing)
    site = Site(passable_directory / "demo", passable_directory / "demo.log")
    try:
        yield site.start(**places, **_NO_NETWORK, NO_PROXY=_ITSELF, no_proxy=_ITSELF, VIDEO="")
    finally:
        if site.process is not None and site.process.poll() is None:
            site.stop()


def seen_by_cameras(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/cases", params={"limit": 50})
    answer.raise_for_status()
    return [case for case in answer.json()["items"] if (case["device"] or {}).get("kind") == "camera"]


def of_an_own_class(client: httpx.Client) -> dict[str, Any] | None:
    """A case of what no public detector knows, in detail."""
    details = (client.get(f"/api/v1/cases/{case['id']}").raise_for_status().json() for case in seen_by_cameras(client))
    return next((case for case in details if case["incidents"][0]["kind"] in OWN_CLASSES), None)


def test_made_scenes_and_the_own_detector_carry_the_path_to_a_case_that_says_it_is_simulated(alone: Site) -> None:
    with alone.client() as client:
        case = wait_for("case of a camera", lambda: next(iter(seen_by_cameras(client)), None), timeout_s=180)
        assert case["simulated"] is True
        assert case["device"]["device"] in SCENES
        detail = client.get(f"/api/v1/cases/{case['id']}").json()
        assert detail["incidents"][0]["model"]["id"] == "gridward_nano_320"
        wait_for("picture", lambda: client.get(f"/api/v1/cases/{case['id']}").json()["picture"])
        own = wait_for("case of one of the detector's own classes", lambda: of_an_own_class(client), timeout_s=180)
        assert own["simulated"] is True
        assert own["incidents"][0]["model"]["id"] == "gridward_nano_320"
        devices = client.get("/api/v1/devices", params={"limit": 100}).json()["items"]
        cameras = {device["device"]: device["simulated"] for device in devices if device["kind"] == "camera"}
        assert cameras == dict.fromkeys(SCENES, True)
    said = alone.log.read_text(encoding="utf-8")
    assert "camera fire-lane and gate: SIMULATED 模拟, a made scene; looked at with gridward_nano_320" in said

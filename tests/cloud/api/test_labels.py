import re

import httpx
import pytest

from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import GRID, incident, report


@pytest.fixture
def device(cloud: Cloud) -> int:
    row = cloud.conn.execute(
        "insert into device (node_id, name, kind, title, spot, created_at, presence)"
        " select id, 'pile-7', 'charging_pile', '三号充电桩', 'gate', now(), 'online' from node where name = %s returning id",
        [NODE],
    ).fetchone()
    cloud.conn.execute("update node set presence = 'online' where name = %s", [NODE])
    cloud.conn.commit()
    assert row is not None
    found: int = row[0]
    return found


def made(cloud: Cloud, path: str) -> str:
    with cloud.client("maintainer") as maintainer:
        answer = maintainer.post(path)
        assert answer.status_code == httpx.codes.OK, answer.text
        label: str = answer.json()["path"]
    return label


def test_a_label_opens_what_a_passer_by_may_know_and_nothing_else(cloud: Cloud, device: int) -> None:
    path = made(cloud, f"/api/v1/devices/{device}/label")
    assert re.fullmatch(r"/c/[A-Z2-7]{26}", path)
    with cloud.anyone() as passer_by:
        answer = passer_by.get(f"/api/v1/public/{path.removeprefix('/c/')}")
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    told = answer.json()["device"]
    assert (told["name"], told["kind"], told["state"]) == ("三号充电桩", "charging_pile", "working")
    assert told["area"]["above"]
    assert not re.search(rf"\b{device}\b|{NODE}|pile-7|110105", answer.text)


def test_a_device_under_repair_says_so(cloud: Cloud, device: int) -> None:
    path = made(cloud, f"/api/v1/devices/{device}/label")
    found = report(incident(device="pile-7", category="maintenance"))
    cloud.receive(type(found)(**{name: getattr(found, name) for name in found.__slots__} | {"device_id": device}))
    with cloud.anyone() as passer_by:
        told = passer_by.get(f"/api/v1/public/{path.removeprefix('/c/')}").json()
    assert told["device"]["state"] == "being_repaired"


def test_an_area_has_a_label_too(cloud: Cloud) -> None:
    path = made(cloud, f"/api/v1/areas/{GRID}/label")
    with cloud.anyone() as passer_by:
        told = passer_by.get(f"/api/v1/public/{path.removeprefix('/c/')}").json()
    assert (told["area"]["level"], told["device"]) == ("grid", None)
    assert len(told["area"]["above"]) == 3


def test_a_renewed_or_revoked_label_opens_nothing_and_reads_like_one_that_never_was(cloud: Cloud, device: int) -> None:
    first = made(cloud, f"/api/v1/devices/{device}/label")
    second = made(cloud, f"/api/v1/devices/{device}/label")
    with cloud.anyone() as passer_by, cloud.client("maintainer") as maintainer:
        gone = passer_by.get(f"/api/v1/public/{first.removeprefix('/c/')}")
        never = passer_by.get("/api/v1/public/" + "A" * 26)
        assert gone.status_code == never.status_code == httpx.codes.NOT_FOUND
        assert gone.json()["detail"] == never.json()["detail"]
        assert passer_by.get("/api/v1/public/x").status_code == httpx.codes.NOT_FOUND
        assert maintainer.delete(f"/api/v1/devices/{device}/label").status_code == httpx.codes.NO_CONTENT
        assert passer_by.get(f"/api/v1/public/{second.removeprefix('/c/')}").status_code == httpx.codes.NOT_FOUND
        assert maintainer.delete(f"/api/v1/devices/{device}/label").status_code == httpx.codes.NOT_FOUND


def test_the_code_is_drawn_for_those_who_may_see_the_device(cloud: Cloud, device: int) -> None:
    with cloud.client("maintainer") as maintainer, cloud.client("elsewhere") as stranger:
        assert maintainer.get(f"/api/v1/devices/{device}/label.svg").status_code == httpx.codes.NOT_FOUND
        made(cloud, f"/api/v1/devices/{device}/label")
        drawn = maintainer.get(f"/api/v1/devices/{device}/label.svg")
        assert drawn.headers["content-type"].startswith("image/svg+xml")
        assert "<svg" in drawn.text
        assert "<script" not in drawn.text
        assert stranger.get(f"/api/v1/devices/{device}/label").status_code == httpx.codes.NOT_FOUND
        assert stranger.get(f"/api/v1/devices/{device}/label.svg").status_code == httpx.codes.NOT_FOUND


def test_whoever_asks_without_end_is_asked_to_wait(cloud: Cloud) -> None:
    with cloud.anyone() as passer_by:
        answers = [passer_by.get("/api/v1/public/" + "A" * 26).status_code for _ in range(60)]
    assert httpx.codes.TOO_MANY_REQUESTS in answers


def test_a_sheet_holds_the_labels_of_an_area_and_says_who_has_none(cloud: Cloud, device: int) -> None:
    with cloud.client("maintainer") as maintainer, cloud.client("elsewhere") as stranger:
        area = cloud.conn.execute("select area_code from node where name = %s", [NODE]).fetchone()
        assert area is not None
        sheet = maintainer.get(f"/api/v1/areas/{area[0]}/labels").json()
        assert [(each["device_id"], each["path"]) for each in sheet["devices"] if each["device_id"] == device] == [
            (device, None)
        ]
        path = made(cloud, f"/api/v1/devices/{device}/label")
        sheet = maintainer.get("/api/v1/areas/110105/labels").json()
        assert (sheet["cut"], sheet["area"]["path"]) == (False, None)
        assert path in [each["path"] for each in sheet["devices"]]
        assert not any(each["simulated"] for each in sheet["devices"])
        cloud.conn.execute("update device set simulated = true where id = %s", [device])
        cloud.conn.commit()
        sheet = maintainer.get("/api/v1/areas/110105/labels").json()
        assert [each["path"] for each in sheet["devices"] if each["simulated"]] == [path]
        assert stranger.get("/api/v1/areas/110105/labels").status_code == httpx.codes.NOT_FOUND

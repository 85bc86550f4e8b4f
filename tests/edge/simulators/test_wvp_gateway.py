"""The stand-in of a gateway has the shapes and habits of the real one."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from edge.simulators.wvp_gateway import WvpGateway
from edge.simulators.wvp_shapes import StandInChannel
from tests.waiting import wait_until

DEVICE, CODE = "11010500002000000001", "11010500081310000001"
PASSWORD = "Wei-Lan-7788"


def fields(names: str) -> set[str]:
    return set(names.split())


CHANNEL_FIELDS = fields(
    """id parentDeviceId parentName deviceId name manufacturer model owner civilCode block address parental parentId safetyWay
    registerWay certNum certifiable errCode endTime secrecy ipAddress port password status longitude latitude ptzType
    positionType roomType useType supplyLightType directionType resolution businessGroupId downloadSpeed svcSpaceSupportMod
    svcTimeSupportMode ptzTypeText subCount hasAudio gpsTime streamIdentification channelType dbKey dataType"""
)
COMMON_FIELDS = fields(
    """gbId gbDeviceId gbName gbManufacturer gbModel gbOwner gbCivilCode gbBlock gbAddress gbParental gbParentId gbSafetyWay
    gbRegisterWay gbCertNum gbCertifiable gbErrCode gbEndTime gbSecrecy gbIpAddress gbPort gbPassword gbStatus gbLongitude
    gbLatitude gpsAltitude gpsSpeed gpsDirection gpsTime gbBusinessGroupId gbPtzType gbPositionType gbRoomType gbUseType
    gbSupplyLightType gbDirectionType gbResolution gbDownloadSpeed gbSvcSpaceSupportMod gbSvcTimeSupportMode recordPLan
    dataType dataDeviceId createTime updateTime streamId enableBroadcast mapLevel"""
)
DEVICE_FIELDS = fields(
    """id deviceId name manufacturer model firmware transport streamMode ip port hostAddress onLine registerTimeStamp
    keepaliveTimeStamp heartBeatInterval heartBeatCount positionCapability channelCount expires createTime updateTime
    mediaServerId charset subscribeCycleForCatalog subscribeCycleForMobilePosition mobilePositionSubmissionInterval
    subscribeCycleForAlarm ssrcCheck geoCoordSys password sdpIp localIp asMessageChannel sipTransactionInfo
    broadcastPushAfterAck serverId"""
)
STREAM_FIELDS = fields(
    """app stream ip flv https_flv ws_flv wss_flv fmp4 https_fmp4 ws_fmp4 wss_fmp4 hls https_hls ws_hls wss_hls ts https_ts
    ws_ts wss_ts rtmp rtmps rtsp rtsps rtc rtcs mediaServerId mediaInfo startTime endTime duration downLoadFilePath
    transcodeStream progress key serverId"""
)
MEDIA_FIELDS = fields(
    """app stream mediaServer schema readerCount videoCodec width height fps loss audioCodec audioChannels audioSampleRate duration
    online originType originTypeStr originUrl aliveSecond bytesSpeed callId paramMap serverId"""
)
"""The properties of the classes that WVP-GB28181-pro serialises (DeviceChannel, CommonGBChannel, Device, StreamContent, MediaInfo);
the first of them inherits the second.
"""


@pytest.fixture
def gateway() -> Iterator[WvpGateway]:
    channel = StandInChannel(CODE, address="rtsp://192.0.2.9/x", name="gate", device=DEVICE)
    with WvpGateway(channel, user="admin", password=PASSWORD) as running:
        yield running


@pytest.fixture
def client(gateway: WvpGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url) as opened:
        digest = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest()
        answer = opened.get("/api/user/login", params={"username": "admin", "password": digest}).json()
        assert (answer["code"], answer["msg"]) == (0, "成功")
        opened.headers["access-token"] = answer["data"]["accessToken"]
        yield opened


def data(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200
    assert set(answer.json()) == {"code", "msg", "data"}
    return answer.json()["data"]


def test_every_answer_has_the_fields_of_the_real_one(client: httpx.Client) -> None:
    [device] = data(client, "/api/device/query/devices", page=1, count=10)["list"]
    assert set(device) == DEVICE_FIELDS
    page = data(client, f"/api/device/query/devices/{DEVICE}/channels", page=1, count=10)
    assert (page["total"], page["pageNum"], page["isLastPage"]) == (1, 1, True)
    assert set(page["list"][0]) == CHANNEL_FIELDS | COMMON_FIELDS
    assert (page["list"][0]["gbId"], page["list"][0]["gbDeviceId"]) == (0, None)
    [common] = data(client, "/api/common/channel/list", page=1, count=10, query=CODE)["list"]
    assert set(common) == COMMON_FIELDS
    started = data(client, f"/api/play/start/{DEVICE}/{CODE}")
    assert set(started) == STREAM_FIELDS
    assert set(started["mediaInfo"]) == MEDIA_FIELDS
    assert started == data(client, "/api/common/channel/play", channelId=common["gbId"])
    assert started["rtsp"] == "rtsp://192.0.2.9/x"


def test_who_has_no_token_is_shut_out_and_a_log_in_is_a_get(client: httpx.Client, gateway: WvpGateway) -> None:
    gateway.expire_tokens()
    answer = client.get("/api/common/channel/list", params={"page": 1, "count": 10})
    assert (answer.status_code, answer.json()["code"]) == (401, 401)
    wrong = client.get("/api/user/login", params={"username": "admin", "password": PASSWORD})
    assert (wrong.status_code, wrong.json()) == (200, {"code": 100, "msg": "用户名或密码错误", "data": None})
    posted = client.post("/api/user/login", data={"username": "admin", "password": "x"})
    assert (posted.status_code, posted.json()["code"]) == (400, 400)


def test_what_is_not_there_is_told_in_two_ways(client: httpx.Client, gateway: WvpGateway) -> None:
    answer = client.get(f"/api/play/start/{DEVICE}/{CODE[:-1]}9")
    assert (answer.status_code, answer.json()) == (200, {"code": 100, "msg": "通道不存在", "data": None})
    unknown = client.get(f"/api/device/query/devices/{CODE}/channels", params={"page": 1, "count": 10})
    assert (unknown.status_code, unknown.json()["code"]) == (200, 100)
    gateway.unified = False
    answer = client.get("/api/common/channel/list", params={"page": 1, "count": 10})
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


def test_older_versions_call_a_channel_otherwise(client: httpx.Client, gateway: WvpGateway) -> None:
    gateway.old_fields = True
    [row] = data(client, f"/api/device/query/devices/{DEVICE}/channels", page=1, count=10)["list"]
    assert (row["channelId"], row["deviceId"], row["status"], row["manufacture"]) == (CODE, DEVICE, 1, "Hikvision")


def test_a_field_can_be_changed_and_taken_away(client: httpx.Client, gateway: WvpGateway) -> None:
    gateway.channels[CODE].fields = {"gbStatus": None, "gbName": 7}
    [row] = data(client, "/api/common/channel/list", page=1, count=10)["list"]
    assert "gbStatus" not in row
    assert row["gbName"] == 7


def test_a_held_call_ends_with_the_gateway(client: httpx.Client, gateway: WvpGateway) -> None:
    gateway.channels[CODE].held = True
    with pytest.raises(httpx.ReadTimeout):
        client.get(f"/api/play/start/{DEVICE}/{CODE}", timeout=0.2)
    gateway.stop()


def test_who_asks_for_a_held_channel_waits_for_the_same_invitation(gateway: WvpGateway) -> None:
    """What the device sends in the end is the answer to all of them."""
    gateway.channels[CODE].held = True
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=gateway.url) as opened:
        digest = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest()
        user = opened.get("/api/user/login", params={"username": "admin", "password": digest}).json()["data"]
        opened.headers["access-token"] = user["accessToken"]
        calls = [pool.submit(opened.get, f"/api/play/start/{DEVICE}/{CODE}", timeout=60) for _ in range(2)]
        wait_until(lambda: gateway.channels[CODE].plays == 2)
        gateway.channels[CODE].held = False
        assert [call.result().json()["data"]["rtsp"] for call in calls] == ["rtsp://192.0.2.9/x"] * 2

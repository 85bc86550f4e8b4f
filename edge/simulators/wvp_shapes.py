"""The answers of WVP-GB28181-pro, field by field as its version 2.7.4 sends them: empty ones too, as null. Pure.

Read from its source (commit 768d9407 of 2026-08-06, MIT licence): the controllers of users, devices, channels and play, the classes that
they answer with, and the handler of errors. Nothing of it is copied.
"""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


def _empty(names: str) -> Row:
    """Fields that are there and hold nothing."""
    return dict.fromkeys(names.split())


_CHANNEL_EMPTY = _empty(
    "parentName model block address safetyWay registerWay certNum certifiable errCode endTime ipAddress port password "
    "positionType roomType useType supplyLightType directionType resolution businessGroupId downloadSpeed svcSpaceSupportMod "
    "svcTimeSupportMode gpsTime streamIdentification dbKey"
)
_COMMON_EMPTY = _empty(
    "gbModel gbBlock gbAddress gbParental gbSafetyWay gbRegisterWay gbCertNum gbCertifiable gbErrCode gbEndTime gbIpAddress "
    "gbPort gbPassword gpsAltitude gpsSpeed gpsDirection gpsTime gbBusinessGroupId gbPositionType gbRoomType gbUseType "
    "gbSupplyLightType gbDirectionType gbResolution gbDownloadSpeed gbSvcSpaceSupportMod gbSvcTimeSupportMode recordPLan "
    "createTime updateTime streamId enableBroadcast mapLevel"
)
_DEVICE_EMPTY = _empty(
    "model firmware registerTimeStamp keepaliveTimeStamp heartBeatInterval heartBeatCount positionCapability createTime "
    "updateTime mediaServerId geoCoordSys password sdpIp localIp sipTransactionInfo"
)
_MEDIA_EMPTY = _empty(
    "mediaServer loss audioCodec audioChannels audioSampleRate duration originType originTypeStr originUrl aliveSecond bytesSpeed callId "
    "paramMap serverId"
)
_INHERITED_EMPTY = {
    **_COMMON_EMPTY,
    **_empty(
        "gbDeviceId gbName gbManufacturer gbOwner gbCivilCode gbParentId gbSecrecy gbStatus gbLongitude gbLatitude gbPtzType"
    ),
}
"""A channel of a device is one of all channels too; in the list of its device that half of it is empty."""

_STREAM_EMPTY = _empty(
    "ip https_flv wss_flv https_fmp4 wss_fmp4 https_hls ws_hls wss_hls https_ts wss_ts rtmps rtsps rtcs startTime endTime "
    "duration downLoadFilePath transcodeStream key"
)


@dataclass(slots=True)
class StandInChannel:
    """A channel. `address` is where it plays; `fields` override what the lists say of it, None takes a field away.

    `held` holds calls to play, `refusal` answers them with a code and words.
    """

    code: str
    address: str = ""
    name: str = ""
    device: str = "34020000001110000001"
    online: bool = True
    owner: str = ""
    longitude: float = 0.0
    latitude: float = 0.0
    held: bool = False
    refusal: tuple[int, str] | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    plays: int = 0


def success(data: Any) -> Row:
    """The envelope of what went well."""
    return {"code": 0, "msg": "成功", "data": data}


def fail(code: int, words: str | None) -> Row:
    """The envelope of what did not; HTTP says 200 all the same, but for code 500."""
    return {"code": code, "msg": words, "data": None}


def not_found(path: str) -> Row:
    """What stands at an address that an older version does not have: no envelope. The present one says code 404 in its envelope."""
    return {"timestamp": "2026-01-01T00:00:00.000+08:00", "status": 404, "error": "Not Found", "path": path}


def user(name: str, token: str) -> Row:
    """What a log-in is answered with."""
    return {
        "id": 1,
        "username": name,
        "enabled": True,
        "accountNonExpired": True,
        "accountNonLocked": True,
        "credentialsNonExpired": True,
        "authorities": None,
        "role": {"id": 1, "name": "admin", "authority": "0", "createTime": None, "updateTime": None},
        "pushKey": "3e80d1762a324d5b0ff636e0bd16f1e3",
        "loginTime": None,
        "accessToken": token,
        "serverId": "000000",
    }


def page(rows: list[Row], number: int, count: int, *, last_again: bool = False) -> Row:
    """One page of a list; one behind the last is empty, or the last once more."""
    pages = -(-len(rows) // count)
    if last_again:
        number = max(1, min(number, pages))
    shown = rows[(number - 1) * count : number * count]
    return {
        "total": len(rows),
        "list": shown,
        "pageNum": number,
        "pageSize": count,
        "size": len(shown),
        "startRow": (number - 1) * count + 1 if shown else 0,
        "endRow": (number - 1) * count + len(shown),
        "pages": pages,
        "prePage": number - 1,
        "nextPage": number + 1 if number < pages else 0,
        "isFirstPage": number == 1,
        "isLastPage": number >= pages,
        "hasPreviousPage": number > 1,
        "hasNextPage": number < pages,
        "navigatePages": 8,
        "navigatepageNums": list(range(1, min(pages, 8) + 1)),
        "navigateFirstPage": min(pages, 1),
        "navigateLastPage": min(pages, 8),
    }


def device(code: str, channels: int) -> Row:
    """A device, or a platform below, in the list of devices."""
    return {
        **_DEVICE_EMPTY,
        "id": 1,
        "deviceId": code,
        "name": "平台",
        "manufacturer": "Hikvision",
        "transport": "UDP",
        "streamMode": "TCP-PASSIVE",
        "ip": "192.0.2.30",
        "port": 5060,
        "hostAddress": "192.0.2.30:5060",
        "onLine": True,
        "channelCount": channels,
        "expires": 3600,
        "charset": "GB2312",
        "subscribeCycleForCatalog": 0,
        "subscribeCycleForMobilePosition": 0,
        "mobilePositionSubmissionInterval": 5,
        "subscribeCycleForAlarm": 0,
        "ssrcCheck": False,
        "asMessageChannel": False,
        "broadcastPushAfterAck": False,
        "serverId": "000000",
    }


def channel(told: StandInChannel, number: int, *, old: bool = False) -> Row:
    """A channel in the list of its device; `old` as in older versions."""
    row = {
        **_INHERITED_EMPTY,
        **_CHANNEL_EMPTY,
        "gbId": 0,
        "dataDeviceId": 1,
        "id": number,
        "deviceId": told.code,
        "parentDeviceId": told.device,
        "name": told.name,
        "manufacturer": "Hikvision",
        "owner": told.owner,
        "civilCode": told.code[:6],
        "parental": 0,
        "parentId": told.device,
        "secrecy": 0,
        "status": "ON" if told.online else "OFF",
        "longitude": told.longitude,
        "latitude": told.latitude,
        "ptzType": 3,
        "ptzTypeText": "固定枪机",
        "subCount": 0,
        "hasAudio": False,
        "channelType": 0,
        "dataType": 1,
    }
    if old:
        row |= {"channelId": told.code, "deviceId": told.device, "status": int(told.online)}
        row |= {"manufacture": row.pop("manufacturer")}
    return _changed(row, told.fields)


def common(told: StandInChannel, number: int) -> Row:
    """A channel in the list over all devices."""
    row = {
        **_COMMON_EMPTY,
        "gbId": number,
        "gbDeviceId": told.code,
        "gbName": told.name,
        "gbManufacturer": "Hikvision",
        "gbOwner": told.owner,
        "gbCivilCode": told.code[:6],
        "gbParentId": told.device,
        "gbSecrecy": 0,
        "gbStatus": "ON" if told.online else "OFF",
        "gbLongitude": told.longitude,
        "gbLatitude": told.latitude,
        "gbPtzType": 3,
        "dataType": 1,
        "dataDeviceId": 1,
    }
    return _changed(row, told.fields)


def stream(told: StandInChannel) -> Row:
    """What an invitation comes to: addresses of one stream in many protocols."""
    name = f"{told.device}_{told.code}"
    http, rtp = "http://192.0.2.30:8080", f"192.0.2.30:8080/rtp/{name}"
    return {
        **_STREAM_EMPTY,
        "app": "rtp",
        "stream": name,
        "flv": f"http://{rtp}.live.flv",
        "ws_flv": f"ws://{rtp}.live.flv",
        "fmp4": f"http://{rtp}.live.mp4",
        "ws_fmp4": f"ws://{rtp}.live.mp4",
        "hls": f"http://{rtp}/hls.m3u8",
        "ts": f"http://{rtp}.live.ts",
        "ws_ts": f"ws://{rtp}.live.ts",
        "rtmp": f"rtmp://192.0.2.30:1935/rtp/{name}",
        "rtsp": told.address or None,
        "rtc": f"{http}/index/api/webrtc?app=rtp&stream={name}&type=play",
        "mediaServerId": "zlmediakit-local",
        "mediaInfo": {
            **_MEDIA_EMPTY,
            "app": "rtp",
            "stream": name,
            "schema": "rtsp",
            "readerCount": 0,
            "videoCodec": "H264",
            "width": 1920,
            "height": 1080,
            "fps": 25,
            "online": True,
        },
        "progress": 0.0,
        "serverId": "000000",
    }


def _changed(row: Row, fields: Row) -> Row:
    return {name: value for name, value in {**row, **fields}.items() if name not in fields or fields[name] is not None}

"""What GB/T 28181 and its gateway say of cameras: the 20-digit code (国标编码), channels (通道), and where their pictures are.

Pure. The shapes are those of WVP-GB28181-pro, of several years at once: fields are missing, empty, or of another type than
they were, and none of that is a mistake of ours. What can't be read is left out, never guessed.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from edge.settings import Department

CODE: Final = re.compile(r"[0-9]{20}", re.ASCII)
SCHEME: Final = "gb28181"

_LONGEST_WORDS: Final = 120
_LONGEST_ADDRESS: Final = 2_000
_CAMERA_TYPES: Final = frozenset({"111", "112", "113", "118", "131", "132"})
"""Types of codes that have pictures: recorders and encoders that are one channel themselves, cameras, network cameras."""

_DEPARTMENTS: Final[Mapping[str, Department]] = {
    **dict.fromkeys(("00", "01", "02", "03"), Department.PUBLIC_SECURITY),
    **dict.fromkeys(("04", "05", "06", "07"), Department.TRAFFIC),
    "08": Department.URBAN_MANAGEMENT,
}
"""By the industry (行业编码), digits 9 and 10 of a code: GB/T 28181-2016, annex D."""

_ON: Final = frozenset({"on", "online", "ok", "1", "true"})
_OFF: Final = frozenset({"off", "offline", "0", "false", "vlost", "defect"})


class Field(StrEnum):
    """What a channel is told by, under the names of both of the gateway's lists."""

    CODE = "code"
    NAME = "name"
    STATUS = "status"
    MANUFACTURER = "manufacturer"
    OWNER = "owner"
    CIVIL_CODE = "civil_code"
    LONGITUDE = "longitude"
    LATITUDE = "latitude"


_DEVICE_NAMES: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.CODE: ("channelId", "deviceId"),
    Field.NAME: ("name",),
    Field.STATUS: ("status",),
    Field.MANUFACTURER: ("manufacturer", "manufacture"),
    Field.OWNER: ("owner",),
    Field.CIVIL_CODE: ("civilCode",),
    Field.LONGITUDE: ("longitude",),
    Field.LATITUDE: ("latitude",),
}
"""In `/api/device/query/devices/{deviceId}/channels`. The channel's code was `channelId` once, and `deviceId` its device's."""

_COMMON_NAMES: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.CODE: ("gbDeviceId",),
    Field.NAME: ("gbName",),
    Field.STATUS: ("gbStatus",),
    Field.MANUFACTURER: ("gbManufacturer",),
    Field.OWNER: ("gbOwner",),
    Field.CIVIL_CODE: ("gbCivilCode",),
    Field.LONGITUDE: ("gbLongitude",),
    Field.LATITUDE: ("gbLatitude",),
}
"""In `/api/common/channel/list`."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a gateway. `device` or `number` say how it is played; `online` is None where nothing is told.

    `owner` is what the device says of whom it belongs to (设备归属), `department` what the code says.
    """

    code: str
    name: str = ""
    online: bool | None = None
    device: str | None = None
    number: int | None = None
    department: Department | None = None
    owner: str = ""
    manufacturer: str = ""
    civil_code: str = ""
    longitude: float | None = None
    latitude: float | None = None

    @property
    def is_camera(self) -> bool:
        """Whether its code is of a kind that has pictures, and not a directory, an alarm input or a sound."""
        return self.code[10:13] in _CAMERA_TYPES


def department_of(code: str) -> Department | None:
    """Whose camera it is by its code (城管, 交通, 公安); None for another industry, or for what is no code."""
    return _DEPARTMENTS.get(code[8:10]) if CODE.fullmatch(code) else None


def channel_of(item: Any, *, device: str | None = None) -> Channel | None:
    """A channel from one element of a list; None for what has no code of 20 digits.

    `device` is whose list it was; without it the element is of the list of all channels.
    """
    if not isinstance(item, dict):
        return None
    names = _COMMON_NAMES if device is None else _DEVICE_NAMES
    fields = {field: _first(item, keys) for field, keys in names.items()}
    code = _words(fields[Field.CODE])
    if not CODE.fullmatch(code):
        return None
    longitude, latitude = _degrees(fields[Field.LONGITUDE], 180), _degrees(fields[Field.LATITUDE], 90)
    placed = longitude is not None and latitude is not None and (longitude, latitude) != (0.0, 0.0)
    number = item.get("gbId")
    return Channel(
        code=code,
        name=_words(fields[Field.NAME]),
        online=online_of(fields[Field.STATUS]),
        device=device,
        number=number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None,
        department=department_of(code),
        owner=_words(fields[Field.OWNER]),
        manufacturer=_words(fields[Field.MANUFACTURER]),
        civil_code=_words(fields[Field.CIVIL_CODE]),
        longitude=longitude if placed else None,
        latitude=latitude if placed else None,
    )


def device_of(item: Any) -> str | None:
    """The code of a device from one element of the list of devices."""
    code = _words(item.get("deviceId")) if isinstance(item, dict) else ""
    return code if CODE.fullmatch(code) else None


def rows_of(data: Any) -> list[Any]:
    """The elements of one page; pages without any are told in several ways."""
    rows = data.get("list") if isinstance(data, dict) else data
    return rows if isinstance(rows, list) else []


def online_of(status: Any) -> bool | None:
    """`ON`, `OFF`, 1, true and their likes; None for what says neither."""
    word = _words(status).lower()
    return True if word in _ON else False if word in _OFF else None


def reason_in(words: Any) -> str:
    """What the gateway says in words, as far as it can be shown: one line, no signs that can't be seen, not too long."""
    return _words(words) or "without a reason"


def play_addresses(data: Any, *, gateway_host: str, stream_host: str | None = None) -> tuple[str, ...]:
    """Where the stream of an invitation can be read, the likeliest first; empty where the gateway names no RTSP address.

    Media servers behind address translation or in containers name hosts that nobody else reaches: `stream_host` is put in
    their place, else the gateway's own host is tried too. Never log an address: it may carry a key.
    """
    for key in ("rtsp", "rtsps"):
        parts = _address(data.get(key) if isinstance(data, dict) else None)
        if parts is None:
            continue
        if stream_host is not None:
            return (_at(parts, stream_host),)
        likeliest = [gateway_host] if _is_nobodys(parts.hostname) else [parts.hostname or "", gateway_host]
        return tuple(dict.fromkeys(_at(parts, host) for host in likeliest))
    return ()


def _address(text: Any) -> SplitResult | None:
    """An RTSP address taken apart; None for what can't be one."""
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_ADDRESS or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"rtsp", "rtsps"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _at(parts: SplitResult, host: str) -> str:
    """The same address at another host."""
    before, at, _ = parts.netloc.rpartition("@")
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return urlunsplit(parts._replace(netloc=f"{before}{at}{shown}{port}"))


def _is_nobodys(host: str | None) -> bool:
    """Whether an address means whoever reads it: 127.0.0.1, 0.0.0.0, localhost."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host in {None, "", "localhost"}
    return address.is_loopback or address.is_unspecified


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((item[key] for key in keys if _is_plain(item.get(key)) and item[key] != ""), None)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _words(value: Any) -> str:
    """A text or number as one printable line."""
    if not _is_plain(value):
        return ""
    text = str(value)[: 4 * _LONGEST_WORDS]
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LONGEST_WORDS]


def _degrees(value: Any, limit: float) -> float | None:
    try:
        degrees = float(value) if _is_plain(value) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return degrees if degrees is not None and isfinite(degrees) and abs(degrees) <= limit else None

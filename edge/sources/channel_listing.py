"""The channels of a gateway as people, programs and configurations want to read them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from edge.settings import Department
from edge.sources.gb28181 import SCHEME, Channel

_CHINESE: Final = {
    Department.URBAN_MANAGEMENT: "城管",
    Department.TRAFFIC: "交通",
    Department.PUBLIC_SECURITY: "公安",
}
_ONLINE: Final = {True: "online", False: "offline", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which channels are meant: cameras alone, those that are told to be online, those of one department."""

    everything: bool = False
    online: bool = False
    department: Department | None = None

    def among(self, channels: Iterable[Channel]) -> list[Channel]:
        """Those of them, by department and code. What is not told to be offline may be online."""
        found = [
            channel
            for channel in channels
            if (self.everything or channel.is_camera)
            and not (self.online and channel.online is False)
            and self.department in {None, channel.department}
        ]
        return sorted(found, key=lambda channel: (channel.department is None, channel.department or "", channel.code))


def plain(channel: Channel) -> dict[str, Any]:
    """A channel, ready for JSON."""
    return {
        "code": channel.code,
        "name": channel.name,
        "online": channel.online,
        "department": None if channel.department is None else channel.department.value,
        "owner": channel.owner,
        "device": channel.device,
        "camera": channel.is_camera,
        "manufacturer": channel.manufacturer,
        "civil_code": channel.civil_code,
        "longitude": channel.longitude,
        "latitude": channel.latitude,
    }


def line(channel: Channel) -> str:
    """A channel as one line: code, status, whose it is, name."""
    whose = "-" if channel.department is None else f"{channel.department.value} {_CHINESE[channel.department]}"
    return f"{channel.code}  {_ONLINE[channel.online]:<7}  {whose:<20}  {channel.name}".rstrip()


def entries(gateway: str, channels: Sequence[Channel]) -> str:
    """The channels as cameras of a configuration, in YAML: zones and rules are left to those who know the place."""
    cameras = [
        {
            "id": channel.code,
            **({"name": channel.name} if channel.name else {}),
            "url": f"{SCHEME}://{gateway}" + ("" if channel.device is None else f"/{channel.device}"),
        }
        for channel in channels
    ]
    return yaml.safe_dump({"cameras": cameras}, allow_unicode=True, sort_keys=False, width=120)

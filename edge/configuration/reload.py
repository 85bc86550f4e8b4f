"""What a new configuration changes in a running node (热加载): decided as a whole before anything is touched. Pure.

A camera is opened anew only where its stream, or what is done to its pictures on the way, is another one. With other zones, lines,
rules, names or another model its connection stays, and what it follows stays followed as long as the model is the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from pydantic import BaseModel

from edge.settings import CameraSettings, DeviceSettings, GatewaySettings, NodeConfiguration, SpotSettings
from edge.sources.registry import mqtt_devices
from edge.sources.video_gateway import gateway_of

WAY_OUT: Final = "restart the node for it"

_ON_THE_CONNECTION: Final = frozenset({"name", "spot", "profile", "department", "model", "zones", "lines", "rules"})
"""What a camera may change while its stream goes on."""

_NO_NEW_PROCESS: Final = frozenset({("node", "name"), ("node", "profile")})

_Part = TypeVar("_Part", CameraSettings, DeviceSettings, GatewaySettings, SpotSettings)


class Fate(StrEnum):
    """What becomes of a camera, a device that tells readings, a gateway, or a spot."""

    STARTED = "started"
    STOPPED = "stopped"
    RESTARTED = "restarted"
    CHANGED = "changed"
    """It goes on, with other rules or another name."""
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Change:
    """From one configuration to another. Where something is `refused` (keys of the file), nothing may be done at all."""

    refused: tuple[str, ...] = ()
    cameras: Mapping[str, Fate] = field(default_factory=dict)
    devices: Mapping[str, Fate] = field(default_factory=dict)
    gateways: Mapping[str, Fate] = field(default_factory=dict)
    spots: Mapping[str, Fate] = field(default_factory=dict)

    @property
    def problem(self) -> str | None:
        """Why it can't be done without a restart, for people."""
        if not self.refused:
            return None
        return f"{', '.join(self.refused)}: can't be changed while the node runs; nothing was changed: {WAY_OUT}"

    def plain(self) -> dict[str, dict[str, list[str]]]:
        """By part and fate, ready for JSON."""
        parts = {"cameras": self.cameras, "devices": self.devices, "gateways": self.gateways, "spots": self.spots}
        return {
            part: {fate.value: [name for name, each in fates.items() if each is fate] for fate in Fate}
            for part, fates in parts.items()
        }


def change(old: NodeConfiguration, new: NodeConfiguration) -> Change:
    """What has to be done so that a node with the old configuration runs as one that was started with the new one."""
    refused = tuple(_refused(old, new))
    if refused:
        return Change(refused)
    gateways = _fates(old.gateways, new.gateways, _gateway_fate)
    renewed = {name for name, fate in gateways.items() if fate is not Fate.KEPT}

    def camera_fate(before: CameraSettings, after: CameraSettings) -> Fate:
        fate = _camera_fate(before, after)
        return Fate.RESTARTED if gateway_of(after.url) in renewed else fate

    return Change(
        cameras=_fates(old.cameras, new.cameras, camera_fate),
        devices=_fates(old.devices, new.devices, _device_fate),
        gateways=gateways,
        spots=_fates(old.spots, new.spots, _spot_fate),
    )


def _fates(old: Sequence[_Part], new: Sequence[_Part], fate: Callable[[_Part, _Part], Fate]) -> dict[str, Fate]:
    before = {part.id: part for part in old}
    after = {part.id for part in new}
    stopped = {name: Fate.STOPPED for name in before if name not in after}
    return stopped | {part.id: fate(before[part.id], part) if part.id in before else Fate.STARTED for part in new}


def _camera_fate(old: CameraSettings, new: CameraSettings) -> Fate:
    if old == new:
        return Fate.KEPT
    return Fate.CHANGED if set(_differing(old, new)) <= _ON_THE_CONNECTION else Fate.RESTARTED


def _device_fate(old: DeviceSettings, new: DeviceSettings) -> Fate:
    return Fate.KEPT if type(old) is type(new) and old == new else Fate.CHANGED


def _spot_fate(old: SpotSettings, new: SpotSettings) -> Fate:
    return Fate.KEPT if old == new else Fate.CHANGED


def _gateway_fate(old: GatewaySettings, new: GatewaySettings) -> Fate:
    return Fate.KEPT if old == new else Fate.RESTARTED


def _refused(old: NodeConfiguration, new: NodeConfiguration) -> Iterator[str]:
    """What only a new process can take: who the node is, where it sends to, what it keeps its records in."""
    for part in ("node", "cloud", "outbox", "memory"):
        for key in _differing(getattr(old, part), getattr(new, part)):
            if (part, key) not in _NO_NEW_PROCESS:
                yield f"{part}.{key}"
    if old.local_mqtt != new.local_mqtt and mqtt_devices(old) and mqtt_devices(new):
        yield "local_mqtt"
    if old.ocpp is not None and new.ocpp is not None:
        yield from (f"ocpp.{key}" for key in _differing(old.ocpp, new.ocpp) if key not in _OF_PILES)
    if old.ykc is not None and new.ykc is not None:
        yield from (f"ykc.{key}" for key in _differing(old.ykc, new.ykc) if key in _WHERE_IT_LISTENS)


_OF_PILES: Final = frozenset({"piles", "heartbeat_s"})
"""Of the listener for piles what it takes over while it listens."""

_WHERE_IT_LISTENS: Final = frozenset({"host", "port"})


def _differing(old: BaseModel, new: BaseModel) -> list[str]:
    return [key for key in type(old).model_fields if getattr(old, key) != getattr(new, key)]

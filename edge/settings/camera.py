"""Cameras, and the video gateways that hand some of them out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from edge.settings.fields import HttpUrl, Identifier, Line, Polygon, Strict
from edge.settings.scene_rules import SceneRuleSettings


class Department(StrEnum):
    """Whose camera it is (归口部门): whoever else looks through it is a guest."""

    URBAN_MANAGEMENT = "urban_management"
    """城管"""
    TRAFFIC = "traffic"
    """交通"""
    PUBLIC_SECURITY = "public_security"
    """公安"""


class GatewaySettings(Strict):
    """A video gateway (视频网关) that hands out GB/T 28181 channels: WVP-GB28181-pro with ZLMediaKit.

    One logs in with `user` and `password_file`, or with `api_key_file`, or not at all where the gateway asks for nothing.
    An invitation is given up after `play_timeout_s`, whatever the gateway waits for. `stream_host` stands in for the host that
    the gateway names in the addresses of streams, where that one can't be reached from here.
    """

    id: Identifier
    url: HttpUrl
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password_file: Path | None = None
    api_key_file: Path | None = None
    ca_file: Path | None = None
    play_timeout_s: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 20.0
    stream_host: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$")] | None
    ) = None


AUTO: Final = "auto"
"""Instead of a model: the first of the catalogue's order that can be had and knows what the camera's rules watch."""


class CameraSettings(Strict):
    """One camera: an RTSP address, a file (`file:///…` or a path), `loop` playing it for ever, or a channel of a gateway.

    A channel stands as `gb28181://GATEWAY`, or `gb28181://GATEWAY/DEVICE` with the code of its device, and has its own code of 20
    digits as its `id`. `department` is needed only where that code does not say it, or says it wrongly. A live camera is decoded
    only while something moves, as far as its stream lets that be seen; with `gate: false` always. With `clips` each incident of a
    live camera has what was sent from five seconds before to four after its beginning, as a masked film, and with `node.district_key`
    sealed as it was sent. What the entry does not say, its `profile` does.
    """

    id: Identifier
    name: str = Field(default="", max_length=200)
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password_file: Path | None = None
    loop: bool = False
    spot: Identifier | None = None
    profile: Identifier | None = None
    department: Department | None = None
    analysis_hz: Annotated[float, Field(gt=0, le=30, allow_inf_nan=False)] = 5.0
    gate: bool = True
    clips: bool = False
    model: Identifier | None = AUTO
    zones: Annotated[dict[Identifier, Polygon], Field(max_length=64)] = Field(default_factory=dict)
    lines: Annotated[dict[Identifier, Line], Field(max_length=64)] = Field(default_factory=dict)
    masks: Annotated[tuple[Polygon, ...], Field(max_length=64)] = ()
    rules: Annotated[tuple[SceneRuleSettings, ...], Field(max_length=64)] = ()
    simulated: bool = False

"""Cameras on a wall. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class TileState(StrEnum):
    """What can be seen of a camera that somebody looks at."""

    WAITING = "waiting"
    """Its node has been asked; no picture has come yet."""
    SHOWN = "shown"
    NODE_AWAY = "node_away"
    CAMERA_LOST = "camera_lost"
    UNMASKABLE = "unmaskable"
    """The node can't tell what has to be masked, and sends nothing."""
    REFUSED = "refused"
    """The node shows no pictures; `reason` says why."""
    BUSY = "busy"
    """The node shows as many cameras as it may, or has no time beside its work."""
    NO_ANSWER = "no_answer"
    """The node is there and did not answer, or has sent nothing since."""
    UNTAKEN = "untaken"
    """The node sends, and its pictures are not taken."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where a wall is shown: a session, and which of its pages. Each has a wall of its own."""

    session_id: int
    page: str


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera in a person's scope, as the registry and the wall know it. `lease_until`: this person looks at it until then,
    since `lease_began_at`.

    `picture_at` is when the newest picture was taken, `received_at` when it came; `command_state` and `command_reason` are what
    became of the last request to the node.
    """

    device_id: int
    node: str
    device: str
    name: str
    spot: str | None
    area_code: str | None
    area_name: str | None
    area_path: str
    simulated: bool
    presence: str
    node_presence: str
    lease_began_at: datetime | None
    lease_until: datetime | None
    asked_at: datetime | None
    absence: str | None
    absence_at: datetime | None
    picture_at: datetime | None
    received_at: datetime | None
    command_state: str | None
    command_reason: str | None


@dataclass(frozen=True, slots=True)
class Tile:
    """A camera and what can be seen of it; `state` is None where this person does not look at it."""

    camera: Camera
    state: TileState | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A JPEG and when it was taken."""

    captured_at: datetime
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskedCamera:
    """A camera of the node that sends: somebody looks at it for `left_s` seconds more."""

    device_id: int
    left_s: float
    received_at: datetime | None

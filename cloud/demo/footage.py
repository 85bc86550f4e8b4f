"""Which footage the demo's cameras show: the catalogue's, or the visitor's own from `VIDEO`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from cloud.demo.plan import CameraFeed, CameraPlan
from cloud.embedded.process import EmbeddedProblem
from models import catalogue
from models.manifest import ModelProblem


@dataclass(frozen=True, slots=True)
class Showing:
    """What one camera shows: a file for the simulator, or an address of the visitor's own camera."""

    plan: CameraPlan
    file: Path | None = None
    address: str | None = None


def find_showings(plans: dict[str, tuple[CameraPlan, ...]], say: Callable[[str], None]) -> dict[str, list[Showing]]:
    """What each node's cameras show; a camera without footage is left out, and said so.

    `VIDEO` takes the place of the first camera's clip. Raises EmbeddedProblem when `VIDEO` names no file and no RTSP
    address.
    """
    video = os.environ.get("VIDEO", "").strip()
    showings: dict[str, list[Showing]] = {node: [] for node in plans}
    for node, cameras in plans.items():
        for plan in cameras:
            if video:
                showings[node].append(_own(plan, video))
                video = ""
                continue
            try:
                showings[node].append(Showing(plan, file=catalogue.clip(plan.clip)))
            except ModelProblem as problem:
                say(f"no footage for the camera {plan.id}, it is left out: {problem}")
    return showings


def _own(plan: CameraPlan, video: str) -> Showing:
    if urlsplit(video).scheme in {"rtsp", "rtsps"}:
        return Showing(plan, address=video)
    file = Path(video.removeprefix("file://")).expanduser().resolve()
    if not file.is_file():
        raise EmbeddedProblem(f"VIDEO={video}: neither a file nor an address that starts with rtsp://")
    return Showing(plan, file=file)


def own_camera(showing: Showing, write_secret: Callable[[str, str], Path]) -> CameraFeed:
    """The feed of the visitor's own camera; a user and password in its address go into files."""
    parts = urlsplit(showing.address or "")
    user = unquote(parts.username) if parts.username else None
    password_file = None
    if user is not None:
        password_file = write_secret(f"{showing.plan.id}.password", unquote(parts.password or ""))
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=host))
    return CameraFeed(showing.plan, url, user, password_file, simulated=False)

"""Which footage the demo's cameras show: the catalogue's, the visitor's own from `VIDEO`, or a made scene where none can be had."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from cloud.demo.plan import CameraFeed, NodePlan
from cloud.demo.watch import CameraPlan
from cloud.embedded.process import EmbeddedProblem
from models import catalogue
from models.manifest import ModelProblem, Shipped

SCENE: Final = "scene"
"""`VIDEO=scene`: made scenes, even where there is footage."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_OUTLINES_TIMEOUT_S: Final = 60.0

Outlines = Callable[[], Mapping[str, Mapping[str, Any]]]
"""The zones of each made scene, by story."""


@dataclass(frozen=True, slots=True)
class Showing:
    """What one camera shows: a file for the simulator, a made scene, or an address of the visitor's own camera."""

    plan: CameraPlan
    file: Path | None = None
    address: str | None = None
    story: str | None = None


def find_showings(
    nodes: Sequence[NodePlan], say: Callable[[str], None], outlines: Outlines | None = None
) -> dict[str, list[Showing]]:
    """What each node's cameras show. A camera without footage gives its place to one before a made scene, whose zones `outlines` tells.

    `VIDEO` takes the place of the first camera's clip; `scene` takes all. Raises EmbeddedProblem when `VIDEO` names nothing of this, or the
    scenes can't be had either.
    """
    video = os.environ.get("VIDEO", "").strip()
    cameras = [camera for node in nodes for camera in node.cameras]
    found: dict[str, Showing] = {}
    if video != SCENE:
        own = [_own(cameras[0], video)] if video else []
        found = {each.plan.id: each for each in [*own, *_clips(cameras[len(own) :], say)]}
    without = {camera.id for camera in cameras} - found.keys()
    zones = (outlines or scene_outlines)() if without else {}
    for node in nodes:
        for camera, scene in zip(node.cameras, node.scenes, strict=True):
            if camera.id in without:
                found[camera.id] = Showing(scene.camera(zones[scene.story]), story=scene.story)
    return {node.id: [found[camera.id] for camera in node.cameras] for node in nodes}


def _clips(cameras: Sequence[CameraPlan], say: Callable[[str], None]) -> list[Showing]:
    """The catalogue's clips, asked for all at once: a dead network is waited for one time."""
    showings = []
    with ThreadPoolExecutor(max(1, len(cameras)), thread_name_prefix="demo-clip") as together:
        asked = [(camera, together.submit(catalogue.clip, camera.clip)) for camera in cameras]
        for camera, clip in asked:
            try:
                showings.append(Showing(camera, file=clip.result()))
            except ModelProblem as problem:
                say(f"no footage for the camera {camera.id}, a made scene takes its place: {problem}")
    return showings


def scene_outlines() -> dict[str, Mapping[str, Any]]:
    """What the edge's simulator says of its stories. Raises EmbeddedProblem."""
    program = "import sys; from edge.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "scene", "stories", "--json"]
    try:
        told = subprocess.run(
            command, cwd=_ROOT, capture_output=True, check=True, timeout=_OUTLINES_TIMEOUT_S, text=True
        )
        return {story["story"]: story["zones"] for story in json.loads(told.stdout)}
    except subprocess.CalledProcessError as error:
        raise EmbeddedProblem(f"the made scenes can't be had: {error.stderr.strip()[-400:]}") from error
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise EmbeddedProblem(f"the made scenes can't be had: {error}") from error


def _own(plan: CameraPlan, video: str) -> Showing:
    if urlsplit(video).scheme in {"rtsp", "rtsps"}:
        return Showing(plan, address=video)
    file = Path(video.removeprefix("file://")).expanduser().resolve()
    if not file.is_file():
        raise EmbeddedProblem(f"VIDEO={video}: neither a file, nor an address that starts with rtsp://, nor `{SCENE}`")
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


def seen_with(showings: Sequence[Showing]) -> list[str]:
    """What to tell of the cameras: whether they are simulated, what they show, and which detector looks. A line for what is alike."""
    lines = []
    for shows in (_MADE, _RECORDED, _OWN):
        alike = [showing for showing in showings if _shows(showing) == shows]
        if alike:
            names = " and ".join(showing.plan.id for showing in alike)
            classes = frozenset[str]().union(*(showing.plan.own_classes for showing in alike))
            lines.append(f"camera {names}: {shows}; {_detector(classes)}")
    return lines


_MADE: Final = "SIMULATED 模拟, a made scene"
_RECORDED: Final = "SIMULATED 模拟, footage over and over"
_OWN: Final = "your own"


def _shows(showing: Showing) -> str:
    if showing.story is not None:
        return _MADE
    return _RECORDED if showing.file is not None else _OWN


def _detector(classes: frozenset[str]) -> str:
    """Which detector a node will look with: the first of the catalogue's order that knows what is watched."""
    try:
        found = catalogue.preferred(classes).manifest
    except ModelProblem as problem:
        return f"without a detector: {problem}"
    whose = "our own detector, which comes with the software" if isinstance(found.source, Shipped) else "fetched"
    return f"looked at with {found.id} {found.version} ({whose})"

"""`gridward-edge scene`: made scenes with known truth, as films and as cameras."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from edge.errors import ConfigurationError

if TYPE_CHECKING:
    from edge.simulators.scene.film import Film
    from edge.simulators.scene.scene import Scene
    from edge.simulators.scene.wanted import Wanted

scene_app = typer.Typer(help="Made scenes with known truth.", no_args_is_help=True)

_LEAST_PX: Final = 128
_MOST_PX: Final = 3840

Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same scene.")]
Seconds = Annotated[float, typer.Option(min=1, max=3600, help="How long it is.")]
Size = Annotated[str, typer.Option(help="Width and height in pixels.", metavar="WIDTHxHEIGHT")]
Rate = Annotated[float, typer.Option("--fps", min=1, max=30, help="Frames each second.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
Told = Annotated[
    str | None,
    typer.Option(
        "--story",
        metavar="NAME",
        help="A composed story (see `stories`); its length, size and rate are its own, and so is who comes by: seed and --people count for nothing.",
    ),
]
Lit = Annotated[
    Literal["day", "dusk", "night", "infrared"] | None,
    typer.Option("--light", help="What lights it; else as the seed has it. The same people do the same in any light."),
]
Rain = Annotated[float | None, typer.Option(min=0, max=1, help="From 0, none, to 1, heavy; else as the seed has it.")]
Shake = Annotated[
    float | None,
    typer.Option(min=0, max=5, help="How far the camera sways, in % of the picture's height; else as the seed has it."),
]
Covered = Annotated[
    list[str] | None,
    typer.Option(
        "--covered",
        metavar="FROM-TO",
        help="Seconds in which nothing is seen, as in 20-30; 20-30:hand is a hand before the lens. More than once for more of them.",
    ),
]
People = Annotated[float | None, typer.Option(min=0, max=60, help="How many walk by each minute, on average; else 3.")]


@scene_app.callback()
def _scene() -> None:
    """Made scenes with known truth."""


@scene_app.command("stories")
def stories_command(*, as_json: Json = False) -> None:
    """The stories that were composed by hand, with their zones and lines in shares of the picture, for a node's configuration."""
    from edge.simulators.scene.composed import STORIES, composed_scene  # noqa: PLC0415 (these commands alone need it)

    told = [_outlined(name, build.__doc__ or "", composed_scene(name)) for name, build in STORIES.items()]
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for story in told:
        where = ", ".join([*story["zones"], *story["lines"]])
        typer.echo(f"{story['story']:12} {story['duration_s']:.0f} s  {story['about']}\n{'':12} outlines: {where}")


def _outlined(name: str, about: str, scene: "Scene") -> dict[str, Any]:
    head = scene.head
    return {
        "story": name,
        "about": about,
        "size": list(head.size),
        "duration_s": head.duration_s,
        "zones": {zone: _rounded(corners) for zone, corners in head.zones.items()},
        "lines": {line: _rounded(ends) for line, ends in head.lines.items()},
    }


def _rounded(points: Iterable[tuple[float, float]]) -> list[list[float]]:
    return [[round(share, 4) for share in point] for point in points]


@scene_app.command("write")
def write_command(  # noqa: PLR0917 (a command line has no keyword arguments)
    out: Annotated[Path, typer.Option(help="Where to; made where it is missing.", metavar="DIR", file_okay=False)],
    seed: Seed = 7,
    seconds: Seconds = 60.0,
    size: Size = "1280x720",
    fps: Rate = 12.0,
    story: Told = None,
    light: Lit = None,
    rain: Rain = None,
    shake: Shake = None,
    covered: Covered = None,
    people: People = None,
    *,
    stamp: Annotated[bool, typer.Option("--stamp/--no-stamp", help="Burn SIMULATED 模拟 into each picture.")] = True,
    as_json: Json = False,
) -> None:
    """Write a film of H.264, and its truth beside it: boxes of each frame, zones, lines, and what happens."""
    from edge.simulators.scene.film import write_film  # noqa: PLC0415 (drawing is needed by these commands alone)

    wanted = _wanted(light, rain, shake, covered)
    scene = _scene_of(story, seed, seconds, size, fps, people, wanted)
    seeded = f"scene-{seed}" if people is None else f"scene-{seed}-people{people:g}"
    name = "-".join((story or seeded, *wanted.words))
    told = as_plain(write_film(scene, out, name=name, stamped=stamp, progress=_progress()))
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else _in_words(told))


@scene_app.command("serve")
def serve_command(  # noqa: PLR0917 (a command line has no keyword arguments)
    seed: Seed = 7,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=300.0, help="How long it is until it begins anew; it is kept in memory.")
    ] = 60.0,
    size: Size = "1280x720",
    fps: Rate = 12.0,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Any free one unless given.")] = 0,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    story: Told = None,
    light: Lit = None,
    rain: Rain = None,
    shake: Shake = None,
    covered: Covered = None,
    people: People = None,
) -> None:
    """Be a camera (RTSP) that shows a made scene over and over, until it is ended; says its address as a line of JSON.

    It is drawn while it is shown for the first time: the camera is there at once, and who comes later waits until it is drawn up to then. `write` with the same options tells the truth of it.
    """
    from edge.simulators.scene.camera import serve_scene  # noqa: PLC0415 (no other command needs a camera)

    wanted = _wanted(light, rain, shake, covered)
    serve_scene(_scene_of(story, seed, seconds, size, fps, people, wanted), host, port)


def _wanted(light: str | None, rain: float | None, shake: float | None, covered: list[str] | None) -> "Wanted":
    from edge.simulators.scene.wanted import Light, Wanted, spans_of  # noqa: PLC0415 (these commands alone need it)

    return Wanted(None if light is None else Light(light), rain, shake, spans_of(covered or ()))


def _scene_of(  # noqa: PLR0917 (all that a command line tells)
    story: str | None, seed: int, seconds: float, size: str, fps: float, people: float | None, wanted: "Wanted"
) -> "Scene":
    from edge.simulators.scene.composed import composed_scene  # noqa: PLC0415 (drawing is needed by these commands alone)
    from edge.simulators.scene.scene import random_scene  # noqa: PLC0415
    from edge.simulators.scene.story import Parameters  # noqa: PLC0415

    if story is not None:
        made = composed_scene(story)
    else:
        width, height = size_of(size)
        parameters = Parameters(duration_s=seconds, aspect=width / height)
        if people is not None:
            parameters = replace(parameters, walkers=people)
        made = random_scene(seed, parameters, size=(width, height), frame_period_s=1 / fps)
    wanted.check(made.head.duration_s)
    return made.in_conditions(wanted.applied)


def size_of(told: str) -> tuple[int, int]:
    """Width and height of words like 1280x720. Raises ConfigurationError."""
    width, _, height = told.lower().partition("x")
    if width.isdecimal() and height.isdecimal():
        sides = int(width), int(height)
        if all(_LEAST_PX <= side <= _MOST_PX and side % 2 == 0 for side in sides):
            return sides
    raise ConfigurationError(
        f"--size {told}: width and height are even numbers of pixels from {_LEAST_PX} to {_MOST_PX}, as in 1280x720"
    )


def as_plain(film: "Film") -> dict[str, Any]:
    """What was written, for JSON."""
    return {
        "film": str(film.film),
        "truth": str(film.truth),
        "frames": film.frames,
        "events": dict(sorted(Counter(event.kind.value for event in film.events).items())),
    }


def _in_words(told: dict[str, Any]) -> str:
    events = ", ".join(f"{count} {kind}" for kind, count in told["events"].items()) or "nothing happens"
    return f"{told['film']}: {told['frames']} frames\n{told['truth']}: {events}"


def _progress() -> Callable[[int, int], None]:
    """A line on standard error that counts up, where a person looks on."""
    if not sys.stderr.isatty():
        return lambda _done, _of: None

    def told(done: int, of: int) -> None:
        if done % 10 == 0 or done == of:
            sys.stderr.write(f"\rdrawn {done} of {of} frames" + ("\n" if done == of else ""))
            sys.stderr.flush()

    return told

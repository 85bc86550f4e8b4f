"""A camera from what a command line says, held against the same checks as one of a file and told of in the same words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from edge.configuration.coherence import Location, scene_incoherences
from edge.configuration.wording import follows_from_others, in_words
from edge.errors import ConfigurationError
from edge.perception.preference import settled
from edge.settings import CameraSettings, Direction

_ZONE = "write NAME=x,y x,y x,y with coordinates from 0 to 1"
_LINE = "write NAME=x,y x,y with coordinates from 0 to 1"
_RULE = (
    "write intrusion:ZONE or loitering:ZONE:SECONDS or line_crossing:LINE (with :in or :out behind it for what is forbidden) or "
    "crowd:ZONE:NUMBER or vehicle_dwell:ZONE:SECONDS or two_wheeler:ZONE, and :LABEL+LABEL behind it for other classes than "
    "the rule's own; or abandoned_object:ZONE:SECONDS or bin_overflow:ZONE:SECONDS or litter:ZONE:SECONDS or "
    "fallen_person:ZONE:SECONDS or camera_trouble"
)

_LASTING = {"abandoned_object": "for_s", "bin_overflow": "for_s", "litter": "for_s", "fallen_person": "limit_s"}
"""Kinds of rules that have a zone and a time and nothing else, and what their time is called."""


def camera_from_words(
    zones: Sequence[str], rules: Sequence[str], *, lines: Sequence[str] = (), model: str, analysis_hz: float = 5.0
) -> CameraSettings:
    """A camera of zones, lines and rules.

    `zones`: `NAME=x,y x,y x,y …` in normalised coordinates, `lines`: `NAME=x,y x,y`. `rules`: `intrusion:ZONE`,
    `loitering:ZONE:SECONDS` and `line_crossing:LINE` (with `:in`, `:out` or `:in+out` for forbidden directions), each with
    `:LABEL+LABEL…` where others than persons are meant; `crowd:ZONE:NUMBER`, `vehicle_dwell:ZONE:SECONDS`, `two_wheeler:ZONE`;
    `abandoned_object:ZONE:SECONDS`, `bin_overflow:ZONE:SECONDS`, `litter:ZONE:SECONDS`, `fallen_person:ZONE:SECONDS` and
    `camera_trouble`. Raises ConfigurationError with all mistakes, one per line.
    """
    tree = {
        "id": "clip",
        "url": "clip",
        "model": model,
        "analysis_hz": analysis_hz,
        **_scene(zones, lines, rules),
    }
    options: dict[Location, str] = {("model",): f"--model {model}", ("analysis_hz",): f"--analysis-hz {analysis_hz:g}"}
    options |= {("zones", words.partition("=")[0]): f"--zone {words}" for words in zones}
    options |= {("lines", words.partition("=")[0]): f"--line {words}" for words in lines}
    options |= {("rules", index): f"--rule {words}" for index, words in enumerate(rules)}
    camera: CameraSettings | None = None
    mistakes: list[tuple[Location, str]] = []
    try:
        camera = CameraSettings.model_validate(tree)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        mistakes += [
            (problem["loc"], in_words(problem, problem["loc"]))
            for problem in problems
            if not follows_from_others(problem, problems)
        ]
    mistakes += scene_incoherences(tree)
    if camera is None or mistakes:
        said = (_line(options, place, reason) for place, reason in mistakes)
        raise ConfigurationError("\n".join(dict.fromkeys(said)))
    return settled(camera)


def _line(options: Mapping[Location, str], place: Location, reason: str) -> str:
    option = options.get(place[:2]) or options.get(place[:1]) or ".".join(map(str, place))
    corner = (
        f"corner {place[2] + 1}: "
        if place[0] in {"zones", "lines"} and len(place) > 2 and isinstance(place[2], int)
        else ""
    )
    return f"{option}: {corner}{reason}"


def _scene(zones: Sequence[str], lines: Sequence[str], rules: Sequence[str]) -> dict[str, Any]:
    """Zones, lines and rules as a file would have them. Raises ConfigurationError for what can't be taken apart."""
    mistakes: list[str] = []
    outlines: dict[str, dict[str, list[list[float]]]] = {"zone": {}, "line": {}}
    for what, named, right in (("zone", zones, _ZONE), ("line", lines, _LINE)):
        for words in named:
            name, outline = _outline(words)
            if outline is None:
                mistakes.append(f"--{what} {words}: {right}")
            elif name in outlines[what]:
                mistakes.append(f"--{what} {words}: a {what} `{name}` is there already")
            else:
                outlines[what][name] = outline
    parts: list[dict[str, Any]] = []
    taken: Counter[str] = Counter()
    for index, words in enumerate(rules):
        rule = _rule(words)
        if rule is None:
            mistakes.append(f"--rule {words}: {_RULE}")
            continue
        if words in rules[:index]:
            mistakes.append(f"--rule {words}: stands there twice")
        name = "-".join(part for part in (rule["kind"], rule.get("zone"), rule.get("line")) if part)
        taken[name] += 1
        parts.append(rule if taken[name] == 1 else {"id": f"{name}-{taken[name]}", **rule})
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return {"zones": outlines["zone"], "lines": outlines["line"], "rules": parts}


def _outline(words: str) -> tuple[str, list[list[float]] | None]:
    """Name and corners; None for corners that are no pairs of numbers."""
    name, _, outline = words.partition("=")
    try:
        corners = [[float(part) for part in corner.split(",")] for corner in outline.split()]
    except ValueError:
        return name, None
    return name, corners if corners and all(len(corner) == 2 for corner in corners) else None


def _rule(words: str) -> dict[str, Any] | None:
    match words.split(":"):
        case ["intrusion", zone, *labels] if len(labels) <= 1:
            rule: dict[str, Any] = {"kind": "intrusion", "zone": zone}
        case ["loitering" | "vehicle_dwell" as kind, zone, limit_s, *labels] if len(labels) <= 1:
            rule = {"kind": kind, "zone": zone, "limit_s": limit_s}
        case ["crowd", zone, at_least, *labels] if len(labels) <= 1:
            rule = {"kind": "crowd", "zone": zone, "at_least": at_least}
        case ["two_wheeler", zone, *labels] if len(labels) <= 1:
            rule = {"kind": "two_wheeler", "zone": zone}
        case [kind, zone, seconds] if kind in _LASTING:
            return {"kind": kind, "zone": zone, _LASTING[kind]: seconds}
        case ["camera_trouble"]:
            return {"kind": "camera_trouble"}
        case ["line_crossing", line, directions, *labels] if len(labels) <= 1 and _are_directions(directions):
            rule = {"kind": "line_crossing", "line": line, "forbidden": directions.split("+")}
        case ["line_crossing", line, *labels] if len(labels) <= 1:
            rule = {"kind": "line_crossing", "line": line}
        case _:
            return None
    if labels:
        rule["classes"] = [label.strip() for label in labels[0].split("+")]
    return rule if all(rule.get("classes", "-")) else None


def _are_directions(words: str) -> bool:
    return all(word in set(Direction) for word in words.split("+"))

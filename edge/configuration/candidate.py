"""Zones, lines and rules to be tried (候选区域): the words of the configuration, for cameras that it has.

Either a whole configuration, of which the zones, lines and rules of its cameras count, or these parts alone:

    cameras:
      - id: gate-camera
        zones: {floor: [[0.1, 0.3], [1.0, 0.3], [1.0, 1.0], [0.1, 1.0]]}
        rules: [{kind: intrusion, zone: floor}]

A zone or line takes the place of the one of its name, `rules` that of all rules of the camera; what is not said stays as it is. With one camera chosen,
`zones`, `lines` and `rules` may stand at the top.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from edge.configuration.coherence import scene_incoherences
from edge.configuration.reading import (
    LARGEST_FILE_BYTES,
    MOST_MISTAKES,
    Document,
    Location,
    Mistake,
    in_order,
    invalid,
    path_of,
    read_document,
)
from edge.errors import ConfigurationError
from edge.settings import CameraSettings

PARTS: Final = ("zones", "lines", "rules")


def candidates(
    text: str,
    cameras: Sequence[CameraSettings],
    *,
    camera: str | None = None,
    source: str = "zones",
    unchanged: bool = False,
) -> tuple[CameraSettings, ...]:
    """The cameras of the text as they would be. Raises ConfigurationError that lists all mistakes with their lines.

    `camera` chooses one; `source` is what the text is called in the mistakes; `unchanged`: there is none,
    and the cameras are tried as they are.
    """
    if unchanged:
        _require_known(cameras, camera)
        return tuple(each for each in cameras if camera in {None, each.id})
    if len(text.encode()) > LARGEST_FILE_BYTES:
        raise ConfigurationError(f"{source}: larger than {LARGEST_FILE_BYTES} bytes")
    document, mistakes = read_document(text)
    found: list[CameraSettings] = []
    if document is not None:
        mistakes = set(document.mistakes[:MOST_MISTAKES])
        for place, parts, settings in _places(document, cameras, camera, mistakes):
            tried = _tried(document, place, parts, settings, mistakes)
            if tried is not None:
                found.append(tried)
        if not found and not mistakes:
            mistakes.add(
                Mistake(1, "", "no camera to be tried; give `cameras` with `id`, and `zones`, `lines` or `rules`")
            )
    if mistakes:
        raise ConfigurationError("\n".join(f"{source}:{each.line}: {_words(each)}" for each in in_order(mistakes)))
    return tuple(found)


def _require_known(cameras: Sequence[CameraSettings], chosen: str | None) -> None:
    known = [each.id for each in cameras]
    if chosen is not None and chosen not in known:
        raise ConfigurationError(f"there is no camera `{chosen}`; the configuration has {', '.join(known) or 'none'}")


def _words(mistake: Mistake) -> str:
    return f"{mistake.where}: {mistake.reason}" if mistake.where else mistake.reason


def _places(
    document: Document, cameras: Sequence[CameraSettings], chosen: str | None, mistakes: set[Mistake]
) -> Iterator[tuple[Location, Mapping[str, Any], CameraSettings]]:
    """Where in the text which camera is spoken of."""
    _require_known(cameras, chosen)
    known = {each.id: each for each in cameras}
    tree = document.value
    if not isinstance(tree, dict):
        mistakes.add(Mistake(1, "", "keys and values are wanted: `cameras`, or `zones`, `lines` and `rules`"))
        return
    if "cameras" not in tree:
        yield from _at_the_top(document, tree, known, chosen, mistakes)
        return
    if "node" not in tree:
        mistakes.update(_strange(document, (), tree, ("cameras",)))
    listed = tree["cameras"]
    seen: set[str] = set()
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        place: Location = ("cameras", index)
        name = each.get("id") if isinstance(each, dict) else None
        if not isinstance(name, str) or name not in known:
            reason = f"there is no camera `{name}`; the configuration has {', '.join(known) or 'none'}"
            mistakes.add(Mistake(document.line((*place, "id")), path_of((*place, "id")), reason))
        elif name in seen:
            mistakes.add(
                Mistake(document.line((*place, "id")), path_of((*place, "id")), f"`{name}` stands here before")
            )
        elif chosen in {None, name}:
            seen.add(name)
            if "node" not in tree:
                mistakes.update(_strange(document, place, each, ("id", *PARTS)))
            yield place, each, known[name]


def _at_the_top(
    document: Document,
    tree: dict[str, Any],
    known: Mapping[str, CameraSettings],
    chosen: str | None,
    mistakes: set[Mistake],
) -> Iterator[tuple[Location, Mapping[str, Any], CameraSettings]]:
    mistakes.update(_strange(document, (), tree, PARTS))
    if chosen is None and len(known) != 1:
        reason = (
            f"choose a camera, or give `cameras` with their ids; the configuration has {', '.join(known) or 'none'}"
        )
        mistakes.add(Mistake(1, "", reason))
        return
    yield (), tree, known[chosen] if chosen is not None else next(iter(known.values()))


def _strange(
    document: Document, place: Location, part: Mapping[str, Any], possible: Sequence[str]
) -> Iterator[Mistake]:
    for key in part:
        if key not in possible:
            here = (*place, key)
            yield Mistake(document.line(here), path_of(here), f"has no meaning here; possible: {', '.join(possible)}")


def _tried(
    document: Document, place: Location, parts: Mapping[str, Any], camera: CameraSettings, mistakes: set[Mistake]
) -> CameraSettings | None:
    """The camera with what the text says; None where that has mistakes."""
    tree = camera.model_dump(mode="json")
    for part in PARTS:
        said = parts.get(part)
        if said is None:
            continue
        merge = part != "rules" and isinstance(said, dict)
        tree[part] = tree[part] | said if merge else said
    found: set[Mistake] = set()
    tried: CameraSettings | None = None
    try:
        tried = CameraSettings.model_validate(tree)
    except ValidationError as error:
        found.update(islice(invalid(error, document, place), MOST_MISTAKES))
    found.update(
        Mistake(document.line((*place, *here)), path_of((*place, *here)), reason)
        for here, reason in islice(scene_incoherences(tree), MOST_MISTAKES)
    )
    mistakes.update(found)
    return None if found else tried

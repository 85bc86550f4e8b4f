"""What has to hold between composites, the spots that they watch and the devices that they name: looked for in the raw tree."""

from collections.abc import Iterator
from typing import Any

from edge.settings import DEVICE_SECTIONS

Location = tuple[str | int, ...]
Found = Iterator[tuple[Location, str]]

_MOST = 1_000


def composite_incoherences(tree: dict[str, Any]) -> Found:
    """Place and reason of everything that does not fit together."""
    members = [part for section in (("cameras",), *DEVICE_SECTIONS) for part in _within(tree, section)]
    devices = {str(part.get("id")) for part in members}
    spots = {str(part["spot"]) for part in members if isinstance(part.get("spot"), str)}
    spots |= {str(spot.get("id")) for _, spot in _mappings(tree.get("spots"))}
    rules = {str(rule.get("id")) for part in members for _, rule in _mappings(part.get("rules")) if "id" in rule}
    taken: set[str] = set()
    for index, composite in _mappings(tree.get("composites")):
        place: Location = ("composites", index)
        name = composite.get("id")
        if isinstance(name, str):
            if name in taken or name in rules:
                yield (*place, "id"), f"a rule `{name}` is there already; a composite needs a name of its own"
            taken.add(name)
        if not spots:
            yield (
                place,
                "there is no spot: composites join what stands at one, and no device or camera names its `spot`",
            )
        yield from _unknown(composite.get("spots"), spots or None, (*place, "spots"), "spot")
        for number, sign in _mappings(composite.get("signs")):
            yield from _unknown(sign.get("devices"), devices, (*place, "signs", number, "devices"), "device or camera")


def _unknown(names: Any, known: set[str] | None, place: Location, what: str) -> Found:
    for index, name in enumerate(names[:_MOST] if isinstance(names, list) else ()):
        if known is not None and isinstance(name, str) and name not in known:
            yield (*place, index), f"there is no {what} `{name}`; possible: {', '.join(sorted(known)) or 'none'}"


def _within(tree: dict[str, Any], section: tuple[str, ...]) -> list[dict[str, Any]]:
    found: Any = tree
    for key in section:
        found = found.get(key) if isinstance(found, dict) else None
    return [part for _, part in _mappings(found)]


def _mappings(parts: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(parts, list):
        yield from ((index, part) for index, part in enumerate(parts[:_MOST]) if isinstance(part, dict))

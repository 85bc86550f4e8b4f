"""What has to hold between spots, the cameras that show them, and the devices that stand there: looked for in the raw tree."""

from collections.abc import Iterator, Sequence
from typing import Any

from edge.settings import DEVICE_SECTIONS

Location = tuple[str | int, ...]
Found = Iterator[tuple[Location, str]]

_MOST = 1_000


def spot_incoherences(tree: dict[str, Any]) -> Found:
    """Place and reason of everything that does not fit together."""
    cameras = {
        camera["id"]: camera for _, camera in _mappings(tree.get("cameras")) if isinstance(camera.get("id"), str)
    }
    names: set[str] = set()
    for index, spot in _mappings(tree.get("spots")):
        place: Location = ("spots", index)
        name = spot.get("id")
        if isinstance(name, str):
            if name in names:
                yield (*place, "id"), f"a spot `{name}` is there already"
            names.add(name)
        yield from _covering(spot, place, cameras)
    if names:
        yield from _standing(tree, names)


def _covering(spot: dict[str, Any], place: Location, cameras: dict[str, dict[str, Any]]) -> Found:
    taken: set[str] = set()
    shown = spot.get("cameras")
    for index, told in enumerate(shown[:_MOST] if isinstance(shown, list) else ()):
        here: Location = (*place, "cameras", index)
        name = told.get("camera") if isinstance(told, dict) else told
        if not isinstance(name, str):
            continue
        at = (*here, "camera") if isinstance(told, dict) else here
        if name not in cameras:
            yield at, f"there is no camera `{name}`; possible: {', '.join(sorted(cameras)) or 'none'}"
            continue
        if name in taken:
            yield at, f"the camera `{name}` stands in this list already"
        taken.add(name)
        zones = cameras[name].get("zones", {})
        known = [str(zone) for zone in zones] if isinstance(zones, dict) else []
        wanted = told.get("zones") if isinstance(told, dict) else None
        for number, zone in enumerate(wanted if isinstance(wanted, list) else ()):
            if isinstance(zone, str) and zone not in known:
                reason = f"there is no zone `{zone}`; the camera `{name}` has {', '.join(sorted(known)) or 'none'}"
                yield (*here, "zones", number), reason


def _standing(tree: dict[str, Any], names: set[str]) -> Found:
    """Where spots are declared, each one that is named has to be one of them: a slip of the pen would cost the picture."""
    for section in (("cameras",), *DEVICE_SECTIONS):
        for place, part in _within(tree, section):
            spot = part.get("spot")
            if isinstance(spot, str) and spot not in names:
                yield (*place, "spot"), f"there is no spot `{spot}`; `spots` has {', '.join(sorted(names))}"


def _within(tree: Any, section: Sequence[str]) -> Iterator[tuple[Location, dict[str, Any]]]:
    for key in section:
        tree = tree.get(key) if isinstance(tree, dict) else None
    for index, part in _mappings(tree):
        yield (*section, index), part


def _mappings(found: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(found, list):
        yield from ((index, item) for index, item in enumerate(found[:_MOST]) if isinstance(item, dict))

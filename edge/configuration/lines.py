"""What has to hold between devices on the local broker, Modbus gateways, leased lines and what is reached over them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import ValidationError

from edge.contract.birth import MOST_DEVICES
from edge.settings import DEVICE_SECTIONS, ModbusDeviceSettings
from edge.sources.modbus import MOST_GATEWAYS

Location = tuple[str | int, ...]
Found = Iterator[tuple[Location, str]]

_MOST: Final = 1_000


def line_incoherences(tree: dict[str, Any]) -> Found:
    """Place and reason of everything that does not fit together. Parts of a wrong type are left to the validation."""
    yield from _broker(tree)
    yield from _modbus_gateways(tree)
    yield from _carried(tree)
    yield from _too_many(tree)


def _broker(tree: dict[str, Any]) -> Found:
    if any(_mappings(tree.get("terminals"))) and tree.get("local_mqtt") is None:
        yield ("terminals",), "terminals need a local broker: `local_mqtt` is missing"


def _modbus_gateways(tree: dict[str, Any]) -> Found:
    """As many gateways as there may be threads, and no two devices that are one."""
    gateways: set[tuple[str, int]] = set()
    taken: dict[tuple[tuple[str, int], int], str] = {}
    for index, item in _mappings(tree.get("modbus")):
        try:
            device = ModbusDeviceSettings.model_validate(item)
        except ValidationError:
            continue
        gateways.add(device.host_and_port)
        if len(gateways) > MOST_GATEWAYS:
            yield ("modbus", index, "gateway"), f"more than {MOST_GATEWAYS} gateways: divide them among several nodes"
            return
        place = device.host_and_port, device.unit
        if place in taken:
            yield (
                ("modbus", index, "unit"),
                f"unit {device.unit} at this gateway is the device `{taken[place]}` already: put its points together",
            )
        taken.setdefault(place, device.id)


def _carried(tree: dict[str, Any]) -> Found:
    """A line carries what there is, each thing stands behind one line, and no line carries itself in a roundabout way."""
    known = {str(item.get("id")) for path in (("cameras",), *DEVICE_SECTIONS) for item in _within(tree, path)}
    behind: dict[str, str] = {}
    for index, line in _mappings(tree.get("leased_lines")):
        carries = line.get("carries")
        for number, name in enumerate(carries[:_MOST] if isinstance(carries, list) else ()):
            here: Location = ("leased_lines", index, "carries", number)
            if not isinstance(name, str):
                continue
            if name not in known:
                yield here, f"there is no camera, device or line `{name}`"
            elif name in behind:
                yield here, f"`{name}` is carried by `{behind[name]}` already"
            else:
                behind[name] = str(line.get("id"))
                if _leads_back(name, behind):
                    yield here, f"`{name}` would be reached over itself"
                    del behind[name]


def _leads_back(name: str, behind: dict[str, str]) -> bool:
    at, steps = behind.get(name), 0
    while at is not None and steps < _MOST:
        if at == name:
            return True
        at, steps = behind.get(at), steps + 1
    return False


def _too_many(tree: dict[str, Any]) -> Found:
    """What a birth can hold, the node itself included."""
    count = 1 + sum(1 for path in (("cameras",), *DEVICE_SECTIONS) for _ in _within(tree, path))
    if count > MOST_DEVICES:
        yield (
            (),
            f"{count - 1} cameras and devices; a node has {MOST_DEVICES - 1} at most: divide them among several nodes",
        )


def _within(tree: Any, path: Sequence[str]) -> Iterator[dict[str, Any]]:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    yield from (item for _, item in _mappings(tree))


def _mappings(found: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(found, list):
        yield from ((index, item) for index, item in enumerate(found[:_MOST]) if isinstance(item, dict))

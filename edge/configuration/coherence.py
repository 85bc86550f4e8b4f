"""What has to hold between the values of a configuration: looked for in the raw tree, so that one mistake hides no other."""

from collections.abc import Callable, Iterator, Mapping
from math import dist
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from edge.configuration.classes import PLACE_KINDS, model_incoherences
from edge.configuration.composites import composite_incoherences
from edge.configuration.gateways import gateway_incoherences
from edge.configuration.lines import line_incoherences
from edge.configuration.outline import crossing_sides
from edge.configuration.spots import spot_incoherences
from edge.errors import ConfigurationError, ModelUnusable
from edge.evidence.seal import read_district_key
from edge.perception.detector import reader, usable, watched_labels
from edge.perception.preference import candidates
from edge.rules.registry import reading_rule
from edge.settings import (
    AUTO,
    DEVICE_SECTIONS,
    MOTION,
    CameraSettings,
    PointSettings,
    ScheduleWindow,
    SensorSettings,
    ThresholdSettings,
)
from edge.sources.registry import FRAME_SOURCES
from edge.sources.video_gateway import is_channel
from models import catalogue
from models.manifest import ModelProblem

Location = tuple[str | int, ...]
Found = Iterator[tuple[Location, str]]

_NEED_A_MODEL = (
    "intrusion",
    "loitering",
    "line_crossing",
    "crowd",
    "vehicle_dwell",
    "two_wheeler",
    "abandoned_object",
    *PLACE_KINDS,
)
_SUBJECTS = ("zone", "line", "point")
_MOST_ITEMS = 1_000
_LONGEST_COUNTING_ID = 64 - len(".out_count")
_SHORTEST_LINE = 0.01
_LARGEST_SECRET_BYTES = 64 << 10
_WHERE_A_LOG_IN_BELONGS = "; a log-in belongs in `user` and `password_file`"


def incoherences(tree: dict[str, Any]) -> Found:
    """Place and reason of everything that does not fit together. Parts of a wrong type are left to the validation."""
    checks: tuple[Callable[[dict[str, Any]], Found], ...] = (
        _data_directory,
        _device_ids,
        _cameras,
        gateway_incoherences,
        _sensors,
        _other_devices,
        spot_incoherences,
        composite_incoherences,
        line_incoherences,
        _files,
        _district_key,
        _outbox,
    )
    for check in checks:
        yield from check(tree)


def _items(tree: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in a list of the tree, with their places."""
    found = tree.get(key) if isinstance(tree, dict) else None
    if isinstance(found, list):
        yield from ((index, item) for index, item in enumerate(found[:_MOST_ITEMS]) if isinstance(item, dict))


def _items_at(tree: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Location, dict[str, Any]]]:
    """The mappings in a list that stands deeper in the tree, with their places."""
    *way, key = path
    part: Any = tree
    for step in way:
        part = part.get(step) if isinstance(part, dict) else None
    for index, item in _items(part, key):
        yield (*path, index), item


def _data_directory(tree: dict[str, Any]) -> Found:
    node = tree.get("node")
    name = node.get("data_directory") if isinstance(node, dict) else None
    if not isinstance(name, str) or not name:
        return
    if name.startswith("~"):
        yield ("node", "data_directory"), f"nobody's home is known as {name.partition('/')[0]}"
        return
    try:
        if Path(name).exists() and not Path(name).is_dir():
            yield ("node", "data_directory"), f"{name} is no folder"
    except (OSError, ValueError) as error:
        yield ("node", "data_directory"), f"not possible as a folder: {_why(error)}"


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _device_ids(tree: dict[str, Any]) -> Found:
    taken: dict[str, str] = {}
    node = tree.get("node")
    if isinstance(node, dict) and isinstance(node.get("id"), str):
        taken[node["id"]] = "device, the node itself,"
    sections = {
        ("cameras",): "camera",
        **{path: path[0].removesuffix("s") for path in DEVICE_SECTIONS},
        ("gateways",): "gateway",
    }
    for path, kind in sections.items():
        for place, device in _items_at(tree, path):
            name = device.get("id")
            if not isinstance(name, str):
                continue
            if name in taken:
                yield (*place, "id"), f"the id `{name}` belongs to another {taken[name]} already"
            taken.setdefault(name, kind)


def _rule_ids(device: dict[str, Any], place: Location) -> Found:
    taken: set[str] = set()
    for index, rule in _items(device, "rules"):
        subject = next((rule[key] for key in _SUBJECTS if key in rule), None)
        name = str(rule.get("id") or (rule.get("kind") if subject is None else f"{rule.get('kind')}-{subject}"))
        if name in taken:
            yield (
                (*place, "rules", index, *(("id",) if "id" in rule else ())),
                f"a rule `{name}` is there already; give each an `id` of its own",
            )
        taken.add(name)


# --- cameras ------------------------------------------------------------------------------------------------------


def _cameras(tree: dict[str, Any]) -> Found:
    for index, camera in _items(tree, "cameras"):
        place: Location = ("cameras", index)
        yield from _camera_address(camera, place)
        yield from scene_incoherences(camera, place)


def scene_incoherences(camera: dict[str, Any], place: Location = ()) -> Found:
    """What does not fit together between the zones, rules and model of one camera."""
    yield from _rule_ids(camera, place)
    yield from _polygons(camera, place)
    yield from _lines(camera, place)
    able: Mapping[str, tuple[str, ...]] = {}
    model = camera.get("model", CameraSettings.model_fields["model"].default)
    if isinstance(model, str):
        able, reason = _able(model)
        if reason:
            yield (*place, "model"), reason
    yield from _scene_rules(camera, place)
    yield from model_incoherences(camera, place, able)


def _able(name: str) -> tuple[Mapping[str, tuple[str, ...]], str | None]:
    """What is looked for with the model, or with each that may be taken where none is named; and what is wrong with it."""
    if name == AUTO:
        try:
            return candidates(), None
        except ModelProblem as problem:
            return {}, str(problem)
    labels, reason = _model_labels(name)
    return ({name: labels} if labels else {}), reason


def _model_labels(name: str) -> tuple[tuple[str, ...], str | None]:
    """The classes that are looked for with a model, and what is wrong with the model."""
    try:
        manifests = catalogue.models()
    except ModelProblem as problem:
        return (), str(problem)
    possible = ", ".join(each for each, manifest in manifests.items() if usable(manifest)) or "none"
    if name not in manifests:
        return (), f"there is no model `{name}`; possible: {possible}"
    try:
        reader(manifests[name])
    except ModelUnusable as error:
        return (), f"{error}; possible: {possible}"
    return watched_labels(manifests[name]), None


def _scene_rules(camera: dict[str, Any], place: Location) -> Found:
    has_model = camera.get("model", "") is not None
    for index, rule in _items(camera, "rules"):
        here = (*place, "rules", index)
        for key, outlines in (("zone", camera.get("zones", {})), ("line", camera.get("lines", {}))):
            name = rule.get(key)
            if isinstance(name, str) and isinstance(outlines, dict) and name not in map(str, outlines):
                known = ", ".join(sorted(map(str, outlines))) or "none"
                yield (*here, key), f"there is no {key} `{name}`; this camera has {known}"
        yield from _schedule(rule, here)
        least, still = rule.get("at_least"), rule.get("still_at_least")
        if isinstance(least, int) and isinstance(still, int) and still > least:
            yield (*here, "still_at_least"), f"more than `at_least` {least}: the crowd would be over while it is there"
        if rule.get("kind") == "line_crossing":
            yield from _count_names(rule, here)
        on_motion = rule.get("kind") == "line_crossing" and rule.get("classes") == [MOTION]
        if not has_model and not on_motion and str(rule.get("kind")) in _NEED_A_MODEL:
            yield (*here, "kind"), f"`{rule['kind']}` needs a `model`, and this camera has none"


def _schedule(rule: dict[str, Any], here: Location) -> Found:
    for index, window in _items(rule, "schedule"):
        try:
            valid = ScheduleWindow.model_validate(window)
        except ValidationError:
            continue
        if valid.start == valid.end or (valid.start, valid.end) == ("24:00", "00:00"):
            yield (*here, "schedule", index), "begins and ends at the same time of day: nothing lies between"


def _count_names(rule: dict[str, Any], here: Location) -> Found:
    name = str(rule.get("id") or f"line_crossing-{rule.get('line')}")
    if len(name) > _LONGEST_COUNTING_ID:
        reason = f"its counts are charted under names made of `{name}`: give it an `id` of at most {_LONGEST_COUNTING_ID} signs"
        yield (*here, *(("id",) if "id" in rule else ())), reason


def _camera_address(camera: dict[str, Any], place: Location) -> Found:
    url = camera.get("url")
    if not isinstance(url, str) or is_channel(url):
        return
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
        without_host = "://" in url and parts.scheme != "file" and (not parts.hostname or parts.port == 0)
    except ValueError:  # its words repeat the part that it stumbled over, which may be of a password
        yield (*place, "url"), f"no address: what stands for the host or the port can be none{_WHERE_A_LOG_IN_BELONGS}"
        return
    if has_password:
        yield (*place, "url"), "a password may not stand here: use `user` and `password_file`"
    if "://" in url and parts.scheme not in FRAME_SOURCES:
        yield (*place, "url"), f"`{parts.scheme}` is not possible; {', '.join(FRAME_SOURCES)} or a path are"
    elif without_host or ("://" in url and " " in url):
        yield (*place, "url"), "no address: host, or port, or both are missing, or a space stands in it"
    if "://" not in url or parts.scheme == "file":
        file = Path(parts.path if parts.scheme == "file" else url)
        if "@" in url and not _is_file(file):
            yield (*place, "url"), f"there is no file of this name; an address has `://`{_WHERE_A_LOG_IN_BELONGS}"
        elif not _is_file(file):
            yield (*place, "url"), f"there is no file {file}"
    elif camera.get("loop") is True:
        yield (*place, "loop"), "only a file can be played in a loop"


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def _polygons(camera: dict[str, Any], place: Location) -> Found:
    zones, masks = camera.get("zones"), camera.get("masks")
    outlines: list[tuple[Location, Any]] = []
    if isinstance(zones, dict):
        outlines += [((*place, "zones", name), outline) for name, outline in zones.items()]
    if isinstance(masks, list):
        outlines += [((*place, "masks", index), outline) for index, outline in enumerate(masks)]
    for here, outline in outlines:
        corners = _corners(outline)
        if corners is None:
            continue
        crossing = crossing_sides(corners)
        if crossing is not None:
            yield here, f"the outline crosses itself: side {crossing[0] + 1} and side {crossing[1] + 1}"


def _lines(camera: dict[str, Any], place: Location) -> Found:
    lines = camera.get("lines")
    for name, outline in (lines if isinstance(lines, dict) else {}).items():
        ends = _corners(outline, least=2)
        if ends is not None and len(ends) == 2 and dist(*ends) < _SHORTEST_LINE:
            yield (*place, "lines", name), "its two ends are one point: the line has no direction"


def _corners(outline: Any, *, least: int = 3) -> list[tuple[float, float]] | None:
    if not isinstance(outline, list) or not least <= len(outline) <= 100:
        return None
    corners = []
    for corner in outline:
        if not isinstance(corner, list) or len(corner) != 2:
            return None
        if not all(isinstance(part, int | float) and not isinstance(part, bool) for part in corner):
            return None
        corners.append((float(corner[0]), float(corner[1])))
    return corners


# --- sensors ------------------------------------------------------------------------------------------------------


def _sensors(tree: dict[str, Any]) -> Found:
    if any(_items(tree, "sensors")) and tree.get("local_mqtt") is None:
        yield ("sensors",), "sensors need a local broker: `local_mqtt` is missing"
    for index, sensor in _items(tree, "sensors"):
        place: Location = ("sensors", index)
        yield from _rule_ids(sensor, place)
        topic = sensor.get("topic")
        if isinstance(topic, str) and any(sign in topic for sign in "+#"):
            yield (*place, "topic"), "one sensor has one topic: `+` and `#` are not possible"
        yield from _points(sensor, place)
        yield from _threshold_rules(sensor, place)
        yield from _other_rules(sensor, place)


def _other_rules(sensor: dict[str, Any], place: Location) -> Found:
    """Rules of other kinds than thresholds: their points are known once the sensor itself is right."""
    for index, rule in _items(sensor, "rules"):
        if rule.get("kind") != "threshold":
            yield from _schedule(rule, (*place, "rules", index))
    try:
        device = SensorSettings.model_validate(sensor)
    except ValidationError:
        return
    for standing in device.standing_rules:
        if isinstance(standing, ThresholdSettings):
            continue
        try:
            reading_rule(standing, device)
        except ConfigurationError as error:
            yield (*place, "rules"), str(error).removeprefix(f"device {device.id}: ")


def _other_devices(tree: dict[str, Any]) -> Found:
    """Rules on devices whose points follow from what they are: those are known once the device itself is right."""
    for path, settings in DEVICE_SECTIONS.items():
        if settings is SensorSettings:
            continue
        for place, item in _items_at(tree, path):
            yield from _rule_ids(item, place)
            try:
                device = settings.model_validate(item)
            except ValidationError:
                continue
            for rule in device.standing_rules:
                try:
                    reading_rule(rule, device)
                except ConfigurationError as error:
                    yield (*place, "rules"), str(error)


def _points(sensor: dict[str, Any], place: Location) -> Found:
    taken: set[str] = set()
    for index, point in _items(sensor, "points"):
        name = point.get("name")
        if isinstance(name, str) and name in taken:
            yield (*place, "points", index, "name"), f"a point `{name}` is there already"
        if isinstance(name, str):
            taken.add(name)
            if name == "presence":
                yield (*place, "points", index, "name"), "`presence` is told by the node itself; choose another name"
        least, most = point.get("minimum"), point.get("maximum")
        if isinstance(least, int | float) and isinstance(most, int | float) and least >= most:
            yield (*place, "points", index, "minimum"), f"the minimum {least} is not below the maximum {most}"


def _threshold_rules(sensor: dict[str, Any], place: Location) -> Found:
    kinds = _point_kinds(sensor)
    known = ", ".join(sorted(name for name, kind in (kinds or {}).items() if kind == "number")) or "none"
    for index, rule in _items(sensor, "rules"):
        if rule.get("kind") != "threshold":
            continue
        here = (*place, "rules", index)
        point = rule.get("point")
        if isinstance(point, str) and kinds is not None and kinds.get(point) != "number":
            yield (*here, "point"), f"there is no numeric point `{point}`; this sensor has {known}"
        yield from _schedule(rule, here)
        if rule.get("act") is not None:
            yield (
                (*here, "act"),
                "a sensor does not allow it: there is nothing to stop; `act` is for piles with `allow_stop: true`",
            )
        above, below, clear = rule.get("above"), rule.get("below"), rule.get("clear")
        if (above is None) == (below is None):
            yield here, "one of `above` and `below` is needed, and only one"
            continue
        limit = above if above is not None else below
        if isinstance(clear, int | float) and isinstance(limit, int | float):
            beyond = clear > limit if above is not None else clear < limit
            if beyond:
                yield (*here, "clear"), f"`clear` {clear} lies beyond the limit {limit}: the alarm would never end"


def _point_kinds(sensor: dict[str, Any]) -> dict[str, str] | None:
    """The kinds of the points by name; None while a point has mistakes of its own, for it may be the one that is meant."""
    points = sensor.get("points")
    if not isinstance(points, list) or not points:
        return None
    kinds: dict[str, str] = {}
    for point in points:
        try:
            valid = PointSettings.model_validate(point)
        except ValidationError:
            return None
        kinds[valid.name] = valid.kind
    return kinds


# --- files and disk -----------------------------------------------------------------------------------------------


def _files(tree: dict[str, Any]) -> Found:
    yield from _files_of(tree.get("cloud"), ("cloud",), ("mqtt_password_file", "token_file", "ca_file"))
    yield from _files_of(tree.get("local_mqtt"), ("local_mqtt",), ("password_file",))
    for index, camera in _items(tree, "cameras"):
        yield from _files_of(camera, ("cameras", index), ("password_file",))
    for index, gateway in _items(tree, "gateways"):
        yield from _files_of(gateway, ("gateways", index), ("password_file", "api_key_file", "ca_file"))


def _district_key(tree: dict[str, Any]) -> Found:
    node = tree.get("node")
    name = node.get("district_key") if isinstance(node, dict) else None
    if isinstance(name, str) and name:
        try:
            read_district_key(Path(name))
        except ConfigurationError as error:
            yield ("node", "district_key"), str(error)


def _files_of(part: Any, place: Location, keys: tuple[str, ...]) -> Found:
    for key in keys:
        name = part.get(key) if isinstance(part, dict) else None
        if not isinstance(name, str) or not name:
            continue
        file = Path(name)
        try:
            if not file.is_file():
                yield (*place, key), f"there is no file {file}"
            elif file.stat().st_size > _LARGEST_SECRET_BYTES and key != "ca_file":
                yield (*place, key), f"the file {file} is too large for a secret"
            elif not file.read_bytes().strip():
                yield (*place, key), f"the file {file} is empty"
        except (OSError, ValueError) as error:
            yield (*place, key), f"the file {file} can't be read: {_why(error)}"


def _outbox(tree: dict[str, Any]) -> Found:
    outbox = tree.get("outbox")
    if not isinstance(outbox, dict):
        return
    quota, reserve = outbox.get("quota_mib", 512), outbox.get("incident_reserve_mib", 64)
    if isinstance(quota, int) and isinstance(reserve, int) and reserve >= quota:
        yield (
            ("outbox", "incident_reserve_mib"),
            f"the reserve {reserve} leaves nothing of the quota {quota} to readings",
        )

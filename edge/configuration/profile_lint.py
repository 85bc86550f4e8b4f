"""Whether a profile can be one (配置校验): its form, and its settings under an entry of its kind, held against the very checks of a node's file."""

import tempfile
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from edge.configuration.coherence import incoherences
from edge.configuration.profiles import NODE_KIND, PROFILE_KINDS, Location, forbidden, merge_profiles
from edge.configuration.reading import (
    MOST_MISTAKES,
    Document,
    Mistake,
    in_order,
    path_of,
    read_document,
    with_absolute_paths,
)
from edge.configuration.wording import in_words
from edge.settings import NodeConfiguration
from firmware_configs.problems import ProfileWrong
from firmware_configs.profile import Profile

_BROKER: Final[dict[str, Any]] = {"local_mqtt": {"url": "mqtt://192.0.2.1"}}
_GATEWAY: Final[dict[str, Any]] = {"gateways": [{"id": "probe", "url": "http://192.0.2.1"}]}


def _modbus(profile: Profile) -> dict[str, Any]:
    """A device that has every point which the profile's rules name: which registers they are in is for each site to say."""
    rules = profile.settings.get("rules")
    points: dict[str, dict[str, Any]] = {}
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and isinstance(name := rule.get("point"), str):
            is_state = rule.get("kind") in {"state", "event"}
            points[name] = {"name": name, "address": len(points), **({"bit": 0} if is_state else {})}
    return {
        "modbus": [
            {"id": "probe", "gateway": "192.0.2.1", "points": list(points.values()) or [{"name": "any", "address": 0}]}
        ]
    }


PROBES: Final[Mapping[str, Callable[[Profile], dict[str, Any]]]] = {
    "rtsp_camera": lambda _: {"cameras": [{"id": "probe", "url": "rtsp://192.0.2.1/stream"}]},
    "gb28181_camera": lambda _: {
        **_GATEWAY,
        "cameras": [{"id": "11010500081310000001", "url": "gb28181://probe"}],
    },
    "ocpp16_pile": lambda _: {"ocpp": {"security_profile": 0, "piles": [{"id": "probe"}]}},
    "ykc_pile": lambda _: {"ykc": {"piles": [{"id": "probe", "number": "0" * 14}]}},
    "ebike_pile": lambda _: {**_BROKER, "ebike": {"piles": [{"id": "probe", "topics": ["probe"]}]}},
    "sos_terminal": lambda _: {**_BROKER, "terminals": [{"id": "probe"}]},
    "gate_terminal": lambda _: {**_BROKER, "terminals": [{"id": "probe"}]},
    "smoke_sensor": _modbus,
    "water_sensor": _modbus,
    "power_meter": _modbus,
    NODE_KIND: lambda _: {},
}
"""The least that an entry of a kind says by itself."""


def profile_mistakes(content: bytes) -> list[Mistake]:
    """Everything that is wrong with a profile, with the lines of its file; nothing where it can be signed."""
    try:
        profile = Profile.parse(content)
    except ProfileWrong as problem:
        return [Mistake(1, "", str(problem))]
    document, unreadable = read_document(content.decode())
    if document is None:
        return list(unreadable)
    found = {_mistake(document, place, reason) for place, reason in forbidden(profile)}
    if profile.kind in PROBES and not found:
        found.update(_under_an_entry(profile, document))
    return in_order(found)


class _One:
    """A source of one profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def profile(self, _kind: str) -> Profile:
        return self._profile


def _under_an_entry(profile: Profile, document: Document) -> set[Mistake]:
    with tempfile.TemporaryDirectory() as folder:
        tree = _tree(profile, folder)
        place = _place(profile.kind)
        merge_profiles(tree, _One(profile))
        value = with_absolute_paths(tree, Path(folder))
        found: set[Mistake] = set()
        try:
            NodeConfiguration.model_validate(value)
        except ValidationError as error:
            for problem in islice(error.errors(include_url=False), MOST_MISTAKES):
                where = _within(_plain(problem["loc"], tree), place)
                found.add(_mistake(document, where, in_words(problem, problem["loc"])))
        for where, reason in islice(incoherences(value), MOST_MISTAKES):
            found.add(_mistake(document, _within(where, place), reason))
    return found


def _tree(profile: Profile, folder: str) -> dict[str, Any]:
    node: dict[str, Any] = {"id": "probe-node", "district": "110105", "data_directory": folder}
    tree = {
        "node": node,
        "cloud": {"mqtt": "mqtt://192.0.2.1", "https": "http://192.0.2.1"},
        **PROBES[profile.kind](profile),
    }
    entry: Any = tree
    for step in _place(profile.kind) or ("node",):
        entry = entry[step]
    entry["profile"] = profile.kind
    return tree


def _place(kind: str) -> Location:
    return () if kind == NODE_KIND else (*PROFILE_KINDS[kind].places[0], 0)


def _plain(location: tuple[int | str, ...], tree: Any) -> Location:
    """A location of pydantic's without the names of union members, which are no keys."""
    plain: Location = ()
    part = tree
    for index, step in enumerate(location):
        known = (isinstance(part, dict) and step in part) or (
            isinstance(part, list) and isinstance(step, int) and step < len(part)
        )
        if known:
            part = part[step]
            plain = (*plain, step)
        elif index == len(location) - 1:
            plain = (*plain, step)
    return plain


def _within(location: Location, place: Location) -> Location:
    return location[len(place) :] if location[: len(place)] == place else location


def _mistake(document: Document, place: Location, reason: str) -> Mistake:
    within = ("settings", *place)
    return Mistake(document.line(within), path_of(within), reason)

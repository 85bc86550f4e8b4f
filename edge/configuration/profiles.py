"""Profiles under the entries of `node.yaml` (配置合并): what an entry does not say, its profile says.

    cameras:
      - {id: gate-camera, url: rtsp://…, profile: rtsp_camera, analysis_hz: 8}

Mappings are merged key by key, the entry's own key wins; a list is one value: own `rules` take the place of the profile's. What a device is and
where it is reached stays with its entry: no profile can say it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from firmware_configs.profile import Profile

Location = tuple[str | int, ...]

NODE_KIND: Final = "node"


@dataclass(frozen=True, slots=True)
class ProfileKind:
    """Where entries of a kind stand in the file."""

    places: tuple[tuple[str, ...], ...]


PROFILE_KINDS: Final[Mapping[str, ProfileKind]] = {
    "rtsp_camera": ProfileKind((("cameras",),)),
    "gb28181_camera": ProfileKind((("cameras",),)),
    "ocpp16_pile": ProfileKind((("ocpp", "piles"),)),
    "ykc_pile": ProfileKind((("ykc", "piles"),)),
    "ebike_pile": ProfileKind((("ebike", "piles"),)),
    "sos_terminal": ProfileKind((("terminals",),)),
    "gate_terminal": ProfileKind((("terminals",),)),
    "smoke_sensor": ProfileKind((("modbus",), ("sensors",))),
    "water_sensor": ProfileKind((("modbus",), ("sensors",))),
    "power_meter": ProfileKind((("modbus",), ("sensors",))),
    NODE_KIND: ProfileKind(()),
}
"""Every kind that this software knows. The node's own profile stands under the file itself: `node`, `outbox` and `memory`."""

NODE_KEYS: Final[Mapping[str, frozenset[str] | None]] = {
    "node": frozenset({"wall_cameras", "trial_s"}),
    "outbox": None,
    "memory": None,
}
"""What the node's own profile may say; None: every key of the part."""

_OF_THE_ENTRY: Final = frozenset(
    {
        "id",
        "name",
        "spot",
        "profile",
        "url",
        "user",
        "host",
        "port",
        "topic",
        "topics",
        "further_topics",
        "ack_topic",
        "gateway",
        "unit",
        "number",
        "simulated",
        "charge_point",
        "loop",
        "data_directory",
    }
)
"""What only an entry can say: who a device is, where it is reached."""


class ProfileSource(Protocol):
    """Where the versions that hold come from."""

    def profile(self, kind: str) -> Profile | None:
        """The one that holds; None where there is none that can be used."""


@dataclass(slots=True)
class MergeResult:
    """Places that were filled with the profile they came from, and what is wrong where a profile is named."""

    origins: dict[Location, str] = field(default_factory=dict)
    mistakes: list[tuple[Location, str]] = field(default_factory=list)


def merge_profiles(tree: dict[str, Any], source: ProfileSource) -> MergeResult:
    """Fill the entries of the tree, in place, with what their profiles say."""
    result = MergeResult()
    for place, entry, target in _naming(tree):
        kind = entry["profile"]
        at = (*place, "profile")
        if not isinstance(kind, str):
            continue  # the validation tells
        if kind not in PROFILE_KINDS:
            result.mistakes.append((at, f"there is no kind of profile `{kind}`; there are {', '.join(PROFILE_KINDS)}"))
            continue
        if not _belongs(kind, place):
            result.mistakes.append((at, f"`{kind}` is no profile for what stands here"))
            continue
        profile = source.profile(kind)
        if profile is None:
            result.mistakes.append((at, f"no version of the profile `{kind}` is there that can be verified"))
            continue
        origin = f"{kind} {profile.version}"
        where = () if target is tree else place
        _fill(target, profile.settings, where, origin, result)
    return result


def kinds_named(tree: dict[str, Any]) -> frozenset[str]:
    """All kinds that entries of a tree name."""
    return frozenset(entry["profile"] for _, entry, _ in _naming(tree) if isinstance(entry["profile"], str))


def forbidden(profile: Profile) -> Iterator[tuple[Location, str]]:
    """What a profile of its kind may not say, with reasons."""
    if profile.kind not in PROFILE_KINDS:
        yield (), f"this software knows no kind `{profile.kind}`; it knows {', '.join(PROFILE_KINDS)}"
        return
    if profile.kind == NODE_KIND:
        for part, value in profile.settings.items():
            if part not in NODE_KEYS:
                yield (part,), f"a node's profile may say {', '.join(NODE_KEYS)}, not `{part}`"
                continue
            allowed = NODE_KEYS[part]
            yield from (
                ((part, key), f"`{key}` stands in the file of each node, not in a profile")
                for key in (value if isinstance(value, dict) else {})
                if allowed is not None and key not in allowed
            )
        return
    for key in profile.settings:
        if key in _OF_THE_ENTRY or key.endswith("_file"):
            yield (key,), f"`{key}` stands in the entry of each device, not in a profile"


def _naming(tree: dict[str, Any]) -> Iterator[tuple[Location, dict[str, Any], dict[str, Any]]]:
    """Each entry that names a profile, with its place and with what the profile fills."""
    node = tree.get("node")
    if isinstance(node, dict) and "profile" in node:
        yield ("node",), node, tree
    for path in dict.fromkeys(place for kind in PROFILE_KINDS.values() for place in kind.places):
        part: Any = tree
        for step in path:
            part = part.get(step) if isinstance(part, dict) else None
        for index, entry in enumerate(part if isinstance(part, list) else ()):
            if isinstance(entry, dict) and "profile" in entry:
                yield (*path, index), entry, entry


def _belongs(kind: str, place: Location) -> bool:
    if place == ("node",):
        return kind == NODE_KIND
    return place[:-1] in PROFILE_KINDS[kind].places


def _fill(
    target: dict[str, Any], settings: Mapping[str, Any], where: Location, origin: str, result: MergeResult
) -> None:
    for key, value in settings.items():
        place = (*where, key)
        if key not in target:
            target[key] = _copied(value)
            result.origins[place] = origin
        elif isinstance(target[key], dict) and isinstance(value, Mapping):
            _fill(target[key], value, place, origin, result)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value

"""A profile (配置档): what devices of one kind are set to where their own entry in `node.yaml` says nothing.

    profile: ocpp16_pile
    version: 1.0.0
    minimum_software: 0.1.0
    notes: what changed, for people
    settings: {…}              # keys of the device's entry

Here its form is read; whether the settings are those of the kind says the software that runs with them.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from firmware_configs.problems import ProfileWrong
from firmware_configs.semver import Version
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass

KEYS = ("profile", "version", "minimum_software", "notes", "settings")
LONGEST_NOTES = 2000
DEEPEST = 20
_KIND = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Profile:
    """One version of the settings of a kind. `minimum_software`: an older node can't take it."""

    kind: str
    version: Version
    minimum_software: Version
    notes: str
    settings: Mapping[str, Any]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the bytes of a profile. Raises ProfileWrong."""
        told = _mapping(content)
        if unknown := [key for key in told if key not in KEYS]:
            raise ProfileWrong(f"`{unknown[0]}` is no key of a profile; there are {', '.join(KEYS)}")
        kind, notes, settings = told.get("profile"), told.get("notes", ""), told.get("settings")
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise ProfileWrong("`profile` has to name the kind, such as ocpp16_pile")
        if not isinstance(notes, str) or len(notes) > LONGEST_NOTES:
            raise ProfileWrong(f"`notes` has to be a text of at most {LONGEST_NOTES} characters")
        if not isinstance(settings, dict):
            raise ProfileWrong("`settings` has to hold keys and values")
        _require_plain(settings, "settings", 0)
        return cls(kind, _version(told, "version"), _version(told, "minimum_software"), notes, settings)

    def require_place(self, file: Path) -> None:
        """Raises ProfileWrong when a file does not lie where its content belongs: `<kind>/<version>.yaml`."""
        if (file.parent.name, file.name) != (self.kind, f"{self.version}.yaml"):
            raise ProfileWrong(f"version {self.version} of {self.kind} belongs into {self.kind}/{self.version}.yaml")


class _PlainLoader(yaml.SafeLoader):
    """YAML without what can hide something: no references, no key twice, text where text stands."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ProfileWrong(f"line {self.line + 1}: references (*) have no place in a profile")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen or key.tag.endswith(":merge"):
                raise ProfileWrong(f"line {key.start_mark.line + 1}: a key stands there twice, or is no word")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _mapping(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST_BYTES[ArtifactClass.PROFILE]:
        raise ProfileWrong(f"larger than {LARGEST_BYTES[ArtifactClass.PROFILE]} bytes: this is no profile")
    try:
        told = yaml.load(content.decode("utf-8"), Loader=_PlainLoader)  # noqa: S506 (a SafeLoader, stricter)
    except UnicodeDecodeError as error:
        raise ProfileWrong("not UTF-8") from error
    except RecursionError as error:
        raise ProfileWrong("nested more deeply than any profile") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ProfileWrong(f"not YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(told, dict) or not all(isinstance(key, str) for key in told):
        raise ProfileWrong("a profile has to hold keys and values")
    return told


def _version(told: Mapping[str, Any], key: str) -> Version:
    text = told.get(key)
    if not isinstance(text, str):
        raise ProfileWrong(f"`{key}` has to be a version, such as 1.4.0")
    try:
        return Version.parse(text)
    except ValueError as error:
        raise ProfileWrong(f"`{key}`: {error}") from error


def _require_plain(value: Any, place: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ProfileWrong(f"{place}: nested more deeply than any profile")
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise ProfileWrong(f"{place}: the key {key!r} has to be a word")
            _require_plain(part, f"{place}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _require_plain(part, f"{place}[{index}]", depth + 1)
    elif not isinstance(value, str | int | float | bool | None):
        raise ProfileWrong(f"{place}: {type(value).__name__} has no place in a profile")

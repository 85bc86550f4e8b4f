"""What a node runs with, value by value, and who said it (生效配置): the file, a profile, or nobody, so that the software's own default holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from edge.configuration.profiles import Location, ProfileSource, merge_profiles
from edge.configuration.reading import Document, data_directory_of, load, path_of, read_document
from edge.masking import without_userinfo
from edge.provisioning.in_force import Profiles


class Origin(StrEnum):
    """Who said a value."""

    FILE = "file"
    PROFILE = "profile"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Effective:
    """One value. `profile` is kind and version of the one that said it."""

    where: str
    value: Any
    origin: Origin
    profile: str | None = None

    def __str__(self) -> str:
        said = f"profile {self.profile}" if self.profile else self.origin.value
        return f"{self.where}: {self.value}   # {said}"

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"where": self.where, "value": self.value, "origin": self.origin.value, "profile": self.profile}


def effective(file: Path) -> tuple[Effective, ...]:
    """All values in the order of the settings. Raises ConfigurationError for a file with mistakes."""
    configuration = load(file)
    document, _ = read_document(file.read_text(encoding="utf-8"))
    if document is None or not isinstance(document.value, dict):
        return ()
    source: ProfileSource = Profiles(data_directory_of(document.value, file.parent.absolute()))
    document.graft(merge_profiles(document.value, source))
    return tuple(_values(configuration.model_dump(mode="json"), (), document))


def _values(value: Any, place: Location, document: Document) -> Iterator[Effective]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _values(part, (*place, key), document)
    elif isinstance(value, list) and value and any(isinstance(part, dict) for part in value):
        for index, part in enumerate(value):
            yield from _values(part, (*place, index), document)
    else:
        shown = without_userinfo(value) if isinstance(value, str) else value
        if not document.has(place):
            yield Effective(path_of(place), shown, Origin.DEFAULT)
        elif (profile := document.profile_of(place)) is not None:
            yield Effective(path_of(place), shown, Origin.PROFILE, profile)
        else:
            yield Effective(path_of(place), shown, Origin.FILE)

"""Reading `node.yaml`: every mistake with file, line and reason, or the whole configuration, or nothing.

The file is read three times over: as YAML with the line of each value, as settings (types, ranges, unknown keys), and for
what holds between values (zones that rules name, ids, files, models). All three tell their mistakes, so that one check
shows them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from edge.configuration.coherence import incoherences
from edge.configuration.wording import follows_from_others, in_words
from edge.errors import ConfigurationError
from edge.settings import NodeConfiguration

LARGEST_FILE_BYTES = 1 << 20
MOST_VALUES = 100_000
"""More values than any node has: aliases that multiply each other end here."""

_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong. `line` counts from 1; `where` is the path of keys."""

    line: int
    where: str
    reason: str

    def text(self, file: Path) -> str:
        """As compilers write it, so that editors jump there."""
        where = f"{self.where}: " if self.where else ""
        return f"{file}:{self.line}: {where}{self.reason}"


def load(file: Path) -> NodeConfiguration:
    """The configuration, with paths made absolute. Raises ConfigurationError that lists all mistakes, one per line."""
    configuration, mistakes = examine(file)
    if configuration is None:
        raise ConfigurationError("\n".join(mistake.text(file) for mistake in mistakes))
    return configuration


def examine(file: Path) -> tuple[NodeConfiguration | None, list[Mistake]]:
    """The configuration if it has no mistakes, and the mistakes in the order of their lines."""
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            return None, [Mistake(1, "", f"larger than {LARGEST_FILE_BYTES} bytes: this is no configuration of a node")]
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [Mistake(1, "", f"can't be read: {error}")]
    return examine_text(text, folder=file.parent.absolute())


def examine_text(text: str, *, folder: Path) -> tuple[NodeConfiguration | None, list[Mistake]]:
    """The same for a text; relative paths in it start at `folder`."""
    try:
        document = _Document(text)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        return None, [Mistake(line, "", f"not YAML: {error.problem or error}")]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return None, [Mistake(1, "", f"not YAML: {error}")]
    if not isinstance(document.value, dict):
        return None, [Mistake(1, "", "the file has to hold keys and values; `gridward-edge config example` shows them")]
    mistakes = set(document.mistakes)
    value = with_absolute_paths(document.value, folder)
    configuration = None
    try:
        configuration = NodeConfiguration.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        for problem in problems:
            if follows_from_others(problem, problems):
                continue
            location = document.plain(problem["loc"])
            mistakes.add(Mistake(document.line(location), _path(location), in_words(problem, location)))
    for place, reason in incoherences(value):
        mistakes.add(Mistake(document.line(place), _path(place), reason))
    return (None if mistakes else configuration), sorted(mistakes)


def with_absolute_paths(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same tree with relative paths taken from the folder of the file, and `~` understood."""

    def walk(item: Any, key: object) -> Any:
        if isinstance(item, dict):
            return {name: walk(part, name) for name, part in item.items()}
        if isinstance(item, list):
            return [walk(part, None) for part in item]
        if isinstance(item, str) and item and _is_path(key, item):
            return str(folder / Path(item).expanduser())
        return item

    absolute = walk(value, None)
    assert isinstance(absolute, dict)  # noqa: S101 (a dict comes in, a dict goes out)
    return absolute


def _is_path(key: object, item: str) -> bool:
    named = isinstance(key, str) and (key.endswith("_file") or key == "data_directory")
    return named or (key == "url" and "://" not in item)


def _path(location: Location) -> str:
    words = ""
    for part in location:
        words += f"[{part}]" if isinstance(part, int) else f".{part}" if words else part
    return words


class _Document:
    """A YAML document with the line of every value. Raises yaml.YAMLError, or ValueError for one that explodes."""

    def __init__(self, text: str) -> None:
        self.mistakes: list[Mistake] = []
        self._lines: dict[Location, int] = {(): 1}
        self._loader = yaml.SafeLoader(text)
        self._values = 0
        try:
            root = self._loader.get_single_node()
            self.value = None if root is None else self._read(root, ())
        finally:
            self._loader.dispose()

    def line(self, location: Location) -> int:
        """The line of a value, or of the nearest thing around it that is there."""
        while location not in self._lines:
            location = location[:-1]
        return self._lines[location]

    def plain(self, location: Location) -> Location:
        """A location of pydantic's without the names of union members, which are no keys of the file."""
        plain: Location = ()
        for position, part in enumerate(location):
            is_last = position == len(location) - 1
            if (*plain, part) in self._lines or (is_last and not self._is_list(plain)):
                plain = (*plain, part)
        return plain

    def _is_list(self, location: Location) -> bool:
        return (*location, 0) in self._lines

    def _read(self, node: yaml.Node, location: Location) -> Any:
        self._values += 1
        if self._values > MOST_VALUES or len(location) > 50:
            raise ValueError("more values than the configuration of a node can have")
        self._lines.setdefault(location, node.start_mark.line + 1)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN_TAGS:
            self.mistakes.append(
                Mistake(node.start_mark.line + 1, _path(location), f"`{node.tag}` has no meaning here")
            )
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, location))
        if isinstance(node, yaml.SequenceNode):
            return [self._read(part, (*location, index)) for index, part in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _pairs(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.append(Mistake(line, _path(location), "a key has to be a word"))
                continue
            here = (*location, key)
            if key in seen:
                reason = f"the key `{key}` stands in line {seen[key]} already; only one of them can hold"
                self.mistakes.append(Mistake(line, _path(here), reason))
                continue
            seen[key] = line
            self._lines[here] = line
            yield key, self._read(value_node, here)

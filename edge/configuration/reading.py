"""Reading `node.yaml`: every mistake with file, line and reason, or the whole configuration, or nothing.

The file is read three times over: as YAML with the line of each value, as settings (types, ranges, unknown keys), and for
what holds between values (zones that rules name, ids, files, models). All three tell their mistakes, so that one check
shows them all. What an entry does not say its profile does (`edge.configuration.profiles`), before anything is validated.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from edge.configuration.coherence import incoherences
from edge.configuration.printing import printable, unprintable
from edge.configuration.profiles import MergeResult, ProfileSource, merge_profiles
from edge.configuration.wording import follows_from_others, in_words
from edge.errors import ConfigurationError
from edge.masking import without_secrets, without_userinfo
from edge.perception.preference import settled
from edge.provisioning.in_force import Profiles
from edge.settings import NodeConfiguration

LARGEST_FILE_BYTES = 1 << 20
MOST_VALUES = 100_000
"""More values than any node has: aliases that multiply each other end here."""

MOST_MISTAKES = 100
"""More of them help nobody, and each costs time."""

_LARGEST_NUMBER_BITS = 1024
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("map", "seq"))
_SCALAR_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp"))

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong. `line` counts from 1; `where` is the path of keys. No secret of the file stands in it."""

    line: int
    where: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", without_userinfo(self.where))
        object.__setattr__(self, "reason", without_secrets(self.reason))

    def text(self, file: Path) -> str:
        """As compilers write it, so that editors jump there."""
        where = f"{self.where}: " if self.where else ""
        return f"{file}:{self.line}: {printable(where + self.reason)}"


def load(file: Path, *, profiles: ProfileSource | None = None) -> NodeConfiguration:
    """The configuration, with paths made absolute. Raises ConfigurationError that lists all mistakes, one per line."""
    configuration, mistakes = examine(file, profiles=profiles)
    if configuration is None:
        raise ConfigurationError("\n".join(mistake.text(file) for mistake in mistakes))
    return configuration


def examine(file: Path, *, profiles: ProfileSource | None = None) -> tuple[NodeConfiguration | None, list[Mistake]]:
    """The configuration if it has no mistakes, and the mistakes in the order of their lines. Without `profiles` those hold that
    hold for the node whose data directory the file names.
    """
    try:
        text = _text(file)
    except OSError as error:
        return None, [Mistake(1, "", f"can't be read: {error.strerror or error}")]
    except NotText as error:
        return None, [Mistake(error.line, "", str(error))]
    except ValueError as error:
        return None, [Mistake(1, "", str(error))]
    return examine_text(text, folder=file.parent.absolute(), profiles=profiles)


class NotText(ValueError):
    """A file that is not UTF-8; `line` is where."""

    def __init__(self, line: int) -> None:
        super().__init__("can't be read: this is not UTF-8; save the file in this encoding")
        self.line = line


def _text(file: Path) -> str:
    """The text of a plain file. Raises OSError, and ValueError with words for what is none, or is too large."""
    content = _content(file)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotText(content[: error.start].count(b"\n") + 1) from error


def _content(file: Path) -> bytes:
    """The bytes of a plain file. Raises OSError, and ValueError with words for what is none, or is too large."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not make us wait
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise ValueError("not a file with text in it")
        content = opened.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise ValueError(f"larger than {LARGEST_FILE_BYTES} bytes: this is no configuration of a node")
    return content


def examine_text(
    text: str, *, folder: Path, profiles: ProfileSource | None = None
) -> tuple[NodeConfiguration | None, list[Mistake]]:
    """The same for a text; relative paths in it start at `folder`."""
    document, unreadable = read_document(text)
    if document is None:
        return None, list(unreadable)
    if not isinstance(document.value, dict):
        return None, [Mistake(1, "", "the file has to hold keys and values; `gridward-edge config example` shows them")]
    mistakes = set(document.mistakes[:MOST_MISTAKES])
    merge = merge_profiles(document.value, profiles or Profiles(data_directory_of(document.value, folder)))
    document.graft(merge)
    mistakes.update(Mistake(document.line(place), path_of(place), reason) for place, reason in merge.mistakes)
    value = with_absolute_paths(document.value, folder)
    configuration = None
    try:
        configuration = NodeConfiguration.model_validate(value)
    except ValidationError as error:
        mistakes.update(islice(invalid(error, document), MOST_MISTAKES))
    mistakes.update(
        Mistake(document.line(place), path_of(place), reason + document.origin(place))
        for place, reason in islice(incoherences(value), MOST_MISTAKES)
        if place not in document.flawed
    )
    if mistakes or configuration is None:
        return None, in_order(mistakes)
    return configuration.model_copy(update={"cameras": tuple(map(settled, configuration.cameras))}), []


def data_directory_of(tree: dict[str, Any], folder: Path) -> Path | None:
    """Where a node with this tree keeps what it was given, as far as the tree says it."""
    node = tree.get("node")
    named = node.get("data_directory") if isinstance(node, dict) else None
    if not isinstance(named, str) or not named or "\0" in named:
        return None
    return Path(_absolute(named, folder))


def data_directory_in(file: Path) -> Path | None:
    """The same of a file, whatever else is wrong with it."""
    try:
        document, _ = read_document(_text(file))
    except (OSError, ValueError):
        return None
    tree = None if document is None else document.value
    return data_directory_of(tree, file.parent.absolute()) if isinstance(tree, dict) else None


def read_document(text: str) -> tuple["Document | None", set[Mistake]]:
    """The values of a text with their lines, or why it is no YAML."""
    try:
        return Document(text), set()
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        return None, {Mistake(line, "", f"not YAML: {error.problem or error}")}
    except RecursionError:
        return None, {Mistake(1, "", "not YAML: nested more deeply than any configuration")}
    except (yaml.YAMLError, ValueError) as error:
        return None, {Mistake(1, "", f"not YAML: {error}")}


def invalid(error: ValidationError, document: "Document", place: Location = ()) -> Iterator[Mistake]:
    """What a validation found, with the lines; `place` is where in the document the validated part stands."""
    problems = error.errors(include_url=False)
    for problem in problems:
        location = document.plain((*place, *problem["loc"]))
        told = location in document.flawed or (problem["type"] == "string_unicode" and document.flawed)
        if not told and not follows_from_others(problem, problems):
            reason = in_words(problem, location) + document.origin(location)
            yield Mistake(document.line(location), path_of(location), reason)


def in_order(mistakes: set[Mistake]) -> list[Mistake]:
    """In the order of their lines, and not more than anybody reads."""
    ordered = sorted(mistakes)
    if len(ordered) <= MOST_MISTAKES:
        return ordered
    rest = f"there are more mistakes than the first {MOST_MISTAKES}"
    return [*ordered[:MOST_MISTAKES], Mistake(ordered[MOST_MISTAKES].line, "", rest)]


def with_absolute_paths(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same tree with relative paths taken from the folder of the file, and `~` understood."""

    def walk(item: Any, key: object) -> Any:
        if isinstance(item, dict):
            return {name: walk(part, name) for name, part in item.items()}
        if isinstance(item, list):
            return [walk(part, None) for part in item]
        if isinstance(item, str) and item and _is_path(key, item):
            return _absolute(item, folder)
        return item

    absolute = walk(value, None)
    assert isinstance(absolute, dict)  # noqa: S101 (a dict comes in, a dict goes out)
    return absolute


def _absolute(item: str, folder: Path) -> str:
    try:
        return str(folder / Path(item).expanduser())
    except RuntimeError:  # `~somebody` who is nobody here: left for the check that says so
        return item


def _is_path(key: object, item: str) -> bool:
    named = isinstance(key, str) and (key.endswith("_file") or key == "data_directory")
    return named or (key == "url" and "://" not in item)


def path_of(location: Location) -> str:
    """A place in the file in words: `cameras[0].zones.floor`."""
    words = ""
    for part in location:
        words += f"[{part}]" if isinstance(part, int) else f".{part}" if words else part
    return words


class Document:
    """A YAML document with the line of every value. Raises yaml.YAMLError, or ValueError for one that explodes."""

    def __init__(self, text: str) -> None:
        self.mistakes: list[Mistake] = []
        self.flawed: set[Location] = set()
        self._lines: dict[Location, int] = {(): 1}
        self._origins: dict[Location, str] = {}
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

    def has(self, location: Location) -> bool:
        """Whether anybody said the value at a place: the file itself, or a profile."""
        return location in self._lines

    def graft(self, merge: MergeResult) -> None:
        """Know the places that profiles have filled: they stand in the line of the key that names the profile."""
        for place, origin in merge.origins.items():
            self._origins[place] = origin
            value: Any = self.value
            for step in place:
                value = value[step]
            self._know(value, place, self.line((*place[:-1], "profile")))

    def _know(self, value: Any, place: Location, line: int) -> None:
        """Give a value and all within it a line."""
        self._lines[place] = line
        if isinstance(value, dict | list):
            for step in value if isinstance(value, dict) else range(len(value)):
                self._know(value[step], (*place, step), line)

    def origin(self, location: Location) -> str:
        """Behind a mistake: which profile brought the value, where one did."""
        profile = self.profile_of(location)
        return "" if profile is None else f" (from the profile {profile})"

    def profile_of(self, location: Location) -> str | None:
        """Kind and version of the profile that brought a value; None for one of the file's own."""
        return next(
            (self._origins[location[:end]] for end in range(len(location), 0, -1) if location[:end] in self._origins),
            None,
        )

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
                Mistake(node.start_mark.line + 1, path_of(location), f"`{node.tag}` has no meaning here")
            )
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, location))
        if isinstance(node, yaml.SequenceNode):
            return [self._read(part, (*location, index)) for index, part in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 (there is no fourth kind)
        return self._scalar(node, location)

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        if node.tag not in _SCALAR_TAGS:
            self._note(node, location, f"`{node.tag}` has no meaning here")
            return node.value
        try:
            value = self._loader.construct_object(node)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _unreadable(node) from error
        if isinstance(value, int) and value.bit_length() > _LARGEST_NUMBER_BITS:
            raise _unreadable(node)
        if isinstance(value, str) and (sign := unprintable(value)) is not None:
            self._note(node, location, f"the sign {sign} can't be seen and may not stand here")
        return value

    def _note(self, node: yaml.Node, location: Location, reason: str) -> None:
        self.flawed.add(location)
        self.mistakes.append(Mistake(node.start_mark.line + 1, path_of(location), reason))

    def _pairs(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.append(Mistake(line, path_of(location), "a key has to be a word"))
                continue
            here = (*location, key)
            if key in seen:
                reason = f"the key `{key}` stands in line {seen[key]} already; only one of them can hold"
                self.mistakes.append(Mistake(line, path_of(here), reason))
                continue
            seen[key] = line
            self._lines[here] = line
            if (sign := unprintable(key)) is not None:
                self._note(key_node, here, f"the sign {sign} can't be seen and may not stand here")
            yield key, self._read(value_node, here)


def _unreadable(node: yaml.ScalarNode) -> yaml.MarkedYAMLError:
    kind = str(node.tag).rpartition(":")[2]
    value = without_userinfo(node.value)
    shown = f"{value[:40]}…" if len(value) > 40 else value
    return yaml.MarkedYAMLError(problem=f"`{shown}` is no {kind} that can be read", problem_mark=node.start_mark)

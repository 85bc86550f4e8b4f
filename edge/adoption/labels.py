"""The names of a network's classes: stated, told by the file, or those of COCO where their number says so."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from edge.errors import ModelUnusable
from models import catalogue

_LARGEST_FILE_BYTES: Final = 1 << 20
_BY_COUNT: Final = {80: "coco", 91: "coco_91"}
_WAY_OUT: Final = "state them by --labels: a file with one name a line, names with commas between, or one of "


@dataclass(frozen=True, slots=True)
class Labels:
    """The names in the order of the network's classes, and how they are known."""

    names: tuple[str, ...]
    known_by: str


def labels_of(count: int | None, metadata: Mapping[str, str], stated: str | None) -> Labels:
    """The names for `count` classes (None: the graph does not show how many). Raises ModelUnusable when they can't be known."""
    lists = catalogue.label_lists()
    told = _told(metadata)
    if stated is not None:
        labels = Labels(_stated(stated, lists), "stated")
    elif told is not None:
        labels = Labels(told, "the file says so")
    elif count in _BY_COUNT:
        labels = Labels(lists[_BY_COUNT[count]], f"assumed: {count} classes are those of COCO")
    else:
        classes = "its classes" if count is None else f"its {count} classes"
        raise ModelUnusable(f"the file does not name {classes}; {_WAY_OUT}{', '.join(lists)}")
    if count is not None and len(labels.names) != count:
        raise ModelUnusable(
            f"the head has {count} classes, and there are {len(labels.names)} names ({labels.known_by}); {_WAY_OUT}{', '.join(lists)}"
        )
    if len(set(labels.names)) != len(labels.names):
        raise ModelUnusable(f"a name stands twice among the labels; {_WAY_OUT}{', '.join(lists)}")
    return labels


def _stated(text: str, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if text in lists:
        return lists[text]
    file = Path(text)
    if file.is_file():
        return _of_file(file)
    if "/" in text or file.suffix:
        raise ModelUnusable(f"there is no file {text}")
    return _clean(text.split(","), "--labels")


def _of_file(file: Path) -> tuple[str, ...]:
    try:
        if file.stat().st_size > _LARGEST_FILE_BYTES:
            raise ModelUnusable(f"{file}: larger than a list of labels can be")
        content = file.read_text(encoding="utf-8-sig")
        value: Any = yaml.safe_load(content) if file.suffix in {".yaml", ".yml"} else content.splitlines()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelUnusable(f"{file} can't be read: {error}") from error
    if isinstance(value, dict) and "names" in value:
        value = value["names"]
    names = _listed(value)
    if names is None:
        raise ModelUnusable(f"{file}: a list of names is expected")
    return _clean(names, str(file))


def _told(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """What exporters write under `names`: a list, or a mapping from number to name, as JSON or as Python writes it."""
    text = metadata.get("names", "")
    if not text or len(text) > _LARGEST_FILE_BYTES:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            names = _listed(read(text))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if names:
            return tuple(name.strip() for name in names)
    return None


def _listed(value: Any) -> list[str] | None:
    """A list of names, or a mapping whose keys are 0, 1, 2 …"""
    if isinstance(value, dict):
        by_number = {str(key): name for key, name in value.items()}
        value = [by_number.get(str(number)) for number in range(len(by_number))]
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return value
    return None


def _clean(names: list[str], where: str) -> tuple[str, ...]:
    stripped = [name.strip() for name in names]
    while stripped and not stripped[-1]:
        stripped.pop()
    if not stripped or not all(stripped):
        raise ModelUnusable(f"{where}: a name is empty; one name a line, in the order of the network's classes")
    return tuple(stripped)

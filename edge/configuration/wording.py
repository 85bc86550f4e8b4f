"""What a validation error means to the person who wrote the file. Pure."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from edge.masking import without_userinfo
from edge.settings import NodeConfiguration

Location = Sequence[str | int]

_IDENTIFIER = "lower-case letters, digits, `.`, `_` and `-`, 1 to 64 of them, a letter or digit first and last"


def in_words(problem: ErrorDetails, location: Location) -> str:
    """One sentence that says what is wrong and what would be right."""
    words = _WORDS.get(problem["type"], _other)
    return words(_Problem(problem["type"], problem.get("input"), problem.get("ctx", {}), problem["msg"], location))


def follows_from_others(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """Whether a list has entries enough and is told to be short because some of them are wrong."""
    if problem["type"] != "too_short" or _length(problem.get("input")) < problem.get("ctx", {}).get("min_length", 0):
        return False
    place = problem["loc"]
    return any(other["loc"][: len(place)] == place for other in problems if other is not problem)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else 0


@dataclass(frozen=True, slots=True)
class _Problem:
    """What pydantic says: the value that was given, and the limits in `context`."""

    type: str
    value: Any
    context: Mapping[str, Any]
    message: str
    location: Location

    @property
    def given(self) -> str:
        return _shown(self.value)

    @property
    def key(self) -> str:
        return str(self.location[-1]) if self.location else ""


def _other(problem: _Problem) -> str:
    return f"{problem.given}: {problem.message}"


def _own_words(problem: _Problem) -> str:
    """What the settings themselves say."""
    error = problem.context.get("error")
    return problem.message if error is None else str(error)


def _no_mapping(_problem: _Problem) -> str:
    return "keys and values are expected here"


def _no_list(_problem: _Problem) -> str:
    return "a list is expected here"


def _missing(_problem: _Problem) -> str:
    return "is missing"


def _pattern(problem: _Problem) -> str:
    if "0-9]{6}" in str(problem.context.get("pattern")):
        return f"{problem.given} is no six-digit district code"
    if problem.key in {"start", "end"}:
        return _no_time(problem)
    if problem.key in {"stream_host", "host"}:
        return f"{problem.given} is no name or address of a host"
    form = _FORMS.get(problem.key) or next((_FORMS[str(part)] for part in problem.location if part in _FORMS), None)
    if form is not None:
        return f"{problem.given} is not possible: {form}"
    return f"{problem.given} is no identifier: {_IDENTIFIER}"


_FORMS: Mapping[str, str] = {
    "number": "14 digits are needed",
    "topics": "a topic has no wildcards here",
}
"""What a text has to look like, by its key or by the list that it stands in."""


def _no_time(problem: _Problem) -> str:
    return f"{problem.given} is no time of day: write HH:MM, from 00:00 to 24:00"


def _no_text(problem: _Problem) -> str:
    if problem.key in {"start", "end"}:
        return _no_time(problem)
    if isinstance(problem.value, int | float):
        return f"{problem.given} has to be a text: put it in quotes"
    return f"{problem.given} has to be a text"


def _no_number(problem: _Problem) -> str:
    return f"{problem.given} is no number" + _unit_hint(problem.key, problem.value)


def _out_of_range(problem: _Problem) -> str:
    return f"{problem.given} is out of range: {_range(problem.context)}" + _pixel_hint(problem.location)


def _no_choice(problem: _Problem) -> str:
    return f"{problem.given} is not possible; choose {problem.context.get('expected')}"


def _no_kind(problem: _Problem) -> str:
    return (
        f"the kind {_shown(problem.context.get('tag'))} is not possible; choose {problem.context.get('expected_tags')}"
    )


def _kind_missing(_problem: _Problem) -> str:
    return "`kind` is missing"


def _scheme(problem: _Problem) -> str:
    return f"{problem.given}: the address has to begin with {problem.context.get('expected_schemes')}"


def _too_few(problem: _Problem) -> str:
    return f"too few: at least {problem.context.get('min_length')} are needed, here are {_length(problem.value)}"


def _too_many(problem: _Problem) -> str:
    return f"too many: at most {problem.context.get('max_length')} are possible, here are {_length(problem.value)}"


def _unknown(problem: _Problem) -> str:
    return _unknown_key(problem.key, problem.location)


_WORDS: Mapping[str, Callable[[_Problem], str]] = {
    "extra_forbidden": _unknown,
    "value_error": _own_words,
    "missing": _missing,
    "model_type": _no_mapping,
    "dict_type": _no_mapping,
    "tuple_type": _no_list,
    "list_type": _no_list,
    "string_pattern_mismatch": _pattern,
    "string_type": _no_text,
    "float_parsing": _no_number,
    "float_type": _no_number,
    "finite_number": _no_number,
    "int_parsing": _no_number,
    "int_type": _no_number,
    "greater_than": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than": _out_of_range,
    "less_than_equal": _out_of_range,
    "literal_error": _no_choice,
    "enum": _no_choice,
    "union_tag_invalid": _no_kind,
    "union_tag_not_found": _kind_missing,
    "url_scheme": _scheme,
    "too_short": _too_few,
    "too_long": _too_many,
}


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "this"
    text = without_userinfo(str(value))  # before it is cut: what is left of an address may end in its password
    return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"


def _unit_hint(key: str, value: Any) -> str:
    if key.endswith("_s") and isinstance(value, str) and value.strip()[:1].isdigit():
        return "; the unit stands in the key: seconds, without a letter"
    if key.endswith("_mib") and isinstance(value, str):
        return "; the unit stands in the key: MiB, without letters"
    return ""


def _range(context: Mapping[str, Any]) -> str:
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    return ", ".join(f"{words[name]} {limit}" for name, limit in context.items() if name in words)


def _pixel_hint(location: Sequence[str | int]) -> str:
    inside = any(part in {"zones", "lines", "masks"} for part in location)
    return "; coordinates are shares of width and height, not pixels" if inside else ""


def _unknown_key(key: str, location: Sequence[str | int]) -> str:
    known = known_keys(location[:-1])
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"there is no key {_shown(key)}; did you mean `{near[0]}`?"
    return f"there is no key {_shown(key)}" + (f"; possible: {', '.join(sorted(known))}" if known else "")


def known_keys(location: Sequence[str | int]) -> set[str]:
    """The keys that the settings have at a place of the file."""
    shapes: list[Any] = [NodeConfiguration]
    for part in location:
        shapes = [inner for shape in shapes for inner in _inside(shape, part)]
    return {name for shape in shapes for model in _models(shape) for name in model.model_fields}


def _inside(shape: Any, part: str | int) -> list[Any]:
    if isinstance(part, int):
        return [inner for inner in _flat(shape) for inner in get_args(inner) if inner is not Ellipsis]
    fields = [model.model_fields[part].annotation for model in _models(shape) if part in model.model_fields]
    return fields or [args[1] for inner in _flat(shape) if len(args := get_args(inner)) == 2]


def _flat(shape: Any) -> list[Any]:
    """A shape without Annotated, and unions taken apart."""
    if get_origin(shape) is Annotated:
        return _flat(get_args(shape)[0])
    if get_origin(shape) in {Union, UnionType}:
        return [flat for inner in get_args(shape) for flat in _flat(inner)]
    return [shape]


def _models(shape: Any) -> list[type[BaseModel]]:
    return [inner for inner in _flat(shape) if isinstance(inner, type) and issubclass(inner, BaseModel)]

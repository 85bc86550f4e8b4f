"""What the rules of a camera watch, held against what its model knows: a rule whose class nobody sees would never tell anything."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from edge.settings import AUTO, MOTION, CameraSettings, PlaceSettings, SceneRuleSettings
from edge.settings.vocabulary import PLACED, knows

Location = tuple[str | int, ...]
Labels = Mapping[str, tuple[str, ...]]
"""What is looked for, by model."""

_KINDS: Final = {
    str(get_args(each.model_fields["kind"].annotation)[0]): each for each in get_args(get_args(SceneRuleSettings)[0])
}
PLACE_KINDS: Final = tuple(kind for kind, each in _KINDS.items() if issubclass(each, PlaceSettings))
"""The rules on what stays at its place; each is called by the class that it watches."""

OWN_CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    kind: each.model_fields["classes"].default for kind, each in _KINDS.items() if "classes" in each.model_fields
}
"""What a kind of rule watches where it names no classes."""


def model_incoherences(camera: Mapping[str, Any], place: Location, able: Labels) -> Iterator[tuple[Location, str]]:
    """Place and reason of every class that no model which may look at the camera knows. `able` is empty where nothing is known of it."""
    wanted: set[str] = set()
    rules = camera.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) and able else ()):
        for where, name in _watched(rule, (*place, "rules", index)) if isinstance(rule, dict) else ():
            reason = _reason(rule, name, able)
            if reason is not None:
                yield where, reason
            elif _someone_knows(able, name):
                wanted.add(name)
    if wanted and not any(all(knows(labels, name) for name in wanted) for labels in able.values()):
        known = (f"{model} {', '.join(n for n in sorted(wanted) if knows(able[model], n)) or 'none'}" for model in able)
        yield (
            (*place, "rules"),
            f"no one model knows all that these rules watch ({'; '.join(known)}): give some of them to a second entry of this camera",
        )


def _watched(rule: Mapping[str, Any], here: Location) -> Iterator[tuple[Location, str]]:
    """What a rule watches, and where that stands."""
    kind, classes = str(rule.get("kind")), rule.get("classes")
    if kind in PLACE_KINDS:
        yield (*here, "kind"), kind
    elif isinstance(classes, list):
        yield from (((*here, "classes", number), name) for number, name in enumerate(classes) if isinstance(name, str))
    elif "classes" not in rule and kind in OWN_CLASSES:
        yield from (((*here, "kind"), name) for name in OWN_CLASSES[kind])


def _reason(rule: Mapping[str, Any], name: str, able: Labels) -> str | None:
    """Why a rule can't watch a class; None where it can."""
    kind = str(rule.get("kind"))
    if name == MOTION and kind == "line_crossing":
        return None
    if name in PLACED and kind not in PLACE_KINDS:
        return f"`{name}` has a place and no way, and nobody follows it{_its_rule(name)}"
    if _someone_knows(able, name):
        return None
    if kind in PLACE_KINDS:
        return f"`{kind}` needs a model that knows it, and with {_what(able)} it is not looked for: {_way_out(able)}"
    if "classes" not in rule:
        return _none_of(kind, able)
    possible = dict.fromkeys(label for labels in able.values() for label in labels if label not in PLACED)
    return f"no class `{name}` is looked for with {_what(able)}; possible: {', '.join(possible)}"


def _none_of(kind: str, able: Labels) -> str | None:
    """Why a rule that names no classes can't watch its own. A model that knows cars and no buses is good enough for it."""
    own = OWN_CLASSES[kind]
    if any(_someone_knows(able, name) for name in own):
        return None
    return f"`{kind}` watches {', '.join(own)}, and none of them is looked for with {_what(able)}: {_way_out(able)}"


def _someone_knows(able: Labels, name: str) -> bool:
    return any(knows(labels, name) for labels in able.values())


def _what(able: Labels) -> str:
    return "this model" if len(able) == 1 else f"any of {', '.join(able)}"


def _way_out(able: Labels) -> str:
    if len(able) > 1 or CameraSettings.model_fields["model"].default in able:
        return "name one that does under `model` (`gridward-edge models import` takes one in)"
    return f"write `model: {AUTO}`, or leave `model` out where no profile says it, and the node takes one that does"


def _its_rule(name: str) -> str:
    return f": a rule of the kind `{name}` watches it" if name in PLACE_KINDS else ""

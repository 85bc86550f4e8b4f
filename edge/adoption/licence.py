"""Which licence weights come under, and which this project does not take (许可证).

Weights under the AGPL have no place here: who serves them to others over a network owes them the source of all that is built around.
A file that says so of itself is refused, unless its owner states another licence that he holds for it (vendors sell such);
that goes in with a warning, and his word stands in the manifest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.errors import ModelUnusable

_AFFERO: Final = re.compile(r"agpl|affero", re.IGNORECASE)
_PLACES: Final = ("license", "licence", "License", "description", "author")
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence, on whose word, and what whoever imports should know."""

    name: str
    note: str
    warnings: tuple[str, ...] = ()


def licence_of(metadata: Mapping[str, str], stated: str | None) -> Licence:
    """Settle the licence of a file. Raises ModelUnusable when nobody says one, or when it is the AGPL."""
    told = next((metadata[key].strip() for key in _PLACES[:3] if metadata.get(key, "").strip()), None)
    affero = next((metadata[key] for key in _PLACES if _AFFERO.search(metadata.get(key, ""))), None)
    stated = stated.strip() if stated else None
    if stated and _AFFERO.search(stated):
        raise ModelUnusable("weights under the AGPL are not taken in; train or choose others, such as YOLOX or D-FINE")
    if affero is not None and not stated:
        raise ModelUnusable(
            f"the file says of itself `{_short(affero)}`: weights under the AGPL are not taken in. Choose others, such as YOLOX or "
            "D-FINE, or state by --licence the other licence that you hold for these"
        )
    if affero is not None and stated:
        return Licence(
            stated,
            f"stated at the import; the file says of itself: {_short(affero)}",
            (f"the file says `{_short(affero)}`; you state that you hold it under {stated}, and the manifest says so",),
        )
    if stated:
        note = f"stated at the import; the file says of itself: {_short(told)}" if told else "stated at the import"
        return Licence(stated, note, _doubts(metadata))
    if told:
        return Licence(_short(told), "as the file says of itself", _doubts(metadata))
    raise ModelUnusable("the file does not say its licence; state it by --licence, for example --licence Apache-2.0")


def _doubts(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """YOLOv5's exporter writes these two and no licence."""
    if {"stride", "names"} <= metadata.keys() and "license" not in metadata:
        return (
            "it looks exported by YOLOv5, whose published weights are under the AGPL: make sure that these are not",
        )
    return ()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

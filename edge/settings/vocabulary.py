"""What rules call the things that models see: the one place where words of different models meet. Pure.

A rule names classes; a model has labels of its own. Networks trained on COCO tell bicycles from motorcycles, the project's own says
`two_wheeler` for both: a rule that names either works with both kinds of models.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

FALLEN: Final = "fallen_person"
LITTER: Final = "litter"
BIN: Final = "bin"
OVERFLOWING: Final = "bin_overflow"

PLACED: Final = frozenset({LITTER, BIN, OVERFLOWING})
"""What has a place and no way: nobody follows it, for it would be followed for days. Rules of its own kind watch the place."""

FOLLOWED: Final = frozenset(
    {"person", "two_wheeler", "bicycle", "motorcycle", "car", "truck", "bus", FALLEN, "fire", "smoke"}
)
"""What is followed. No model of the catalogue knows fire or smoke: they are a place for one that is imported."""

ALSO: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "person": frozenset({FALLEN}),
        "two_wheeler": frozenset({"bicycle", "motorcycle"}),
        "bicycle": frozenset({"two_wheeler"}),
        "motorcycle": frozenset({"two_wheeler"}),
    }
)
"""What else a class of a rule is, in the words of some model: who lies on the ground is a person, and a network that does not tell the kinds
of two-wheelers apart must not make a rule blind.
"""


RIDDEN: Final = "two_wheeler"
"""A model with this label tells a two-wheeler and its rider as one thing, so whoever hides a face has to look for one in it. COCO's labels
tell of the two apart.
"""


def meant(classes: Iterable[str]) -> frozenset[str]:
    """All labels that count where a rule names these classes."""
    named = frozenset(classes)
    return named.union(*(ALSO.get(name, frozenset()) for name in named))


def knows(labels: Iterable[str], name: str) -> bool:
    """Whether a model with these labels sees what a rule means by a class."""
    return not meant((name,)).isdisjoint(labels)

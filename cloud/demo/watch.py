"""What the demo's cameras watch: plans of cameras, and those before made scenes, which need nothing from elsewhere. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

OWN_CLASSES: Final = frozenset({"bin_overflow", "litter", "fallen_person"})
"""What the project's own detector knows and no public one does."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """A camera: what it looks at, and what is watched for there. `least_s` lengthens short footage; `spot`, where it is not its own, is where
    it stands.
    """

    id: str
    name: str
    clip: str
    zones: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]
    least_s: float = 0.0
    spot: str | None = None

    @property
    def own_classes(self) -> frozenset[str]:
        """What its rules watch that is known to the own detector alone: such a rule is called what it watches."""
        return OWN_CLASSES & {str(rule["kind"]) for rule in self.rules}


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """A camera before a made scene, in the place of one whose footage can't be had. `story` is a name that the edge's simulator knows; its
    zones are the story's.
    """

    id: str
    name: str
    story: str
    rules: Sequence[Mapping[str, Any]]
    spot: str

    def camera(self, zones: Mapping[str, Any]) -> CameraPlan:
        """The camera before the scene with these zones."""
        return CameraPlan(self.id, self.name, "", zones, self.rules, spot=self.spot)


SCENES: Final[Mapping[str, ScenePlan]] = {
    "fire-lane": ScenePlan(
        id="fire-lane",
        name="驿站消防通道",
        story="fire-lane",
        spot="hall",
        rules=(
            {
                "kind": "loitering",
                "id": "vehicle-in-fire-lane",
                "zone": "fire_lane",
                "limit_s": 12.0,
                "classes": ["car", "truck"],
                "severity": "high",
                "category": "fire_safety",
            },
            {"kind": "fallen_person", "zone": "ground", "limit_s": 12.0},
        ),
    ),
    "gate": ScenePlan(
        id="gate",
        name="东门门口",
        story="gate",
        spot="lane",
        rules=(
            {"kind": "intrusion", "zone": "yard", "severity": "medium"},
            {"kind": "loitering", "zone": "yard", "limit_s": 16.5, "severity": "high"},
            {"kind": "bin_overflow", "zone": "ground", "for_s": 10.0},
            {"kind": "litter", "zone": "ground", "for_s": 20.0},
        ),
    ),
}
"""By story. What they watch for is told soon enough for who looks on; a real gate waits for minutes. None is told in the first seconds:
until a node has watched for a while, all of a picture is masked.
"""

"""What is to be looked at again (二次取证): at an opening people are often half outside of the picture, and a second one tells more. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from edge.contract.incident import IncidentState
from edge.flow import Finding, Scene

SECOND_LOOK_S = 1.5
"""So long after an opening a second picture is taken."""

LATE_LOOK_S = 4.0
"""So long at the latest while other cameras wait for their turns."""


class SecondLooks:
    """Everything open at one camera that had only one picture so far."""

    def __init__(self) -> None:
        self._opened: dict[str, tuple[datetime, Finding]] = {}

    def follow(self, finding: Finding) -> None:
        """What the rules tell, each in its order."""
        if finding.state is IncidentState.OPEN:
            self._opened[finding.key] = finding.at, finding
        elif finding.state is IncidentState.ENDED:
            self._opened.pop(finding.key, None)
        elif finding.key in self._opened:  # it may be worse by now than when it opened
            self._opened[finding.key] = self._opened[finding.key][0], finding

    def is_due(self, scene: Scene, after_s: float) -> bool:
        """Whether something opened so long ago, is still there, and was not looked at for a second time."""
        return any(self._due(scene, after_s))

    def take(self, scene: Scene) -> list[Finding]:
        """What a picture of this scene is a second one of: as it is now, and not to be looked at any more."""
        return [_later(self._opened.pop(key)[1], scene.at) for key in list(self._due(scene, SECOND_LOOK_S))]

    def clear(self) -> None:
        """Forget all of it: the rules begin anew."""
        self._opened.clear()

    def _due(self, scene: Scene, after_s: float) -> Iterator[str]:
        present = {track.track_id for track in scene.tracks}
        for key, (opened_at, finding) in self._opened.items():
            if (scene.at - opened_at).total_seconds() >= after_s and present.intersection(finding.track_ids):
                yield key


def _later(finding: Finding, at: datetime) -> Finding:
    """What was found, as an update of a later time: its stay has grown by as much."""
    dwell_s = finding.dwell_s
    if dwell_s is not None:
        dwell_s = round(dwell_s + (at - finding.at).total_seconds(), 3)
    return replace(finding, state=IncidentState.UPDATE, at=at, dwell_s=dwell_s)

"""Camera trouble (摄像机异常): something is wrong with a camera's picture for some time; an incident for the maintenance staff. Pure.

Each trouble is an incident of its own. Between two looks nothing is known, so a trouble that was seen in one look and not in the
next has not lasted. A stream that is lost is one since the last picture, and tells nothing of what else was wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from edge.contract.incident import CameraTrouble, IncidentState
from edge.flow import Finding, Reading, Scene
from edge.rules.held import Held, Teller
from edge.settings import CameraTroubleSettings

_WORDS: Final[Mapping[CameraTrouble, str]] = {
    CameraTrouble.COVERED: "the picture is covered or blank",
    CameraTrouble.DEFOCUSED: "the picture is out of focus, or the lens is dirty",
    CameraTrouble.MOVED: "the camera looks elsewhere than it used to",
    CameraTrouble.FROZEN: "the camera sends the same picture again and again",
    CameraTrouble.DARK: "the picture is black",
    CameraTrouble.STREAM_LOST: "no picture comes from the camera",
}


class CameraTroubleRule:
    """Opens with the look in which a trouble has lasted for `for_s`; over when it has not been seen for `clear_for_s`."""

    def __init__(self, settings: CameraTroubleSettings, camera: str) -> None:
        self._settings = settings
        self._teller = Teller(settings, camera)
        self._courses: dict[CameraTrouble, Held] = {}
        self._seen_at: datetime | None = None

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        if scene.troubles is None:
            self._seen_at = scene.at
            return ()
        for trouble in self._settings.troubles:
            if trouble in scene.troubles:
                lost_since = self._seen_at if trouble is CameraTrouble.STREAM_LOST else None
                since = min(lost_since or scene.at, scene.at)
                course = self._courses.setdefault(trouble, Held(since, scene.at))
                course.last_at = scene.at
        said = list(self._said(scene))
        if scene.seen:
            self._seen_at = scene.at
        return said

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open, each with its last look."""
        said = [
            self._finding(trouble, course, at, IncidentState.ENDED)
            for trouble, course in self._courses.items()
            if course.told_at is not None
        ]
        self._courses.clear()
        return said

    def readings(self, at: datetime) -> Sequence[Reading]:  # noqa: ARG002 (asked of every rule on scenes)
        """Counts nothing."""
        return ()

    def _said(self, scene: Scene) -> Iterator[Finding]:
        for trouble, course in list(self._courses.items()):
            if course.last_at == scene.at:
                counts = course.told_at is not None or course.lasted_s >= self._settings.for_s
                state = course.due(scene.at) if counts else None
                if state is not None:
                    yield self._finding(trouble, course, scene.at, state)
            elif trouble is not CameraTrouble.STREAM_LOST and not scene.seen:
                continue
            elif course.told_at is None:
                del self._courses[trouble]
            elif course.unseen_s(scene.at) >= self._settings.clear_for_s:
                del self._courses[trouble]
                yield self._finding(trouble, course, scene.at, IncidentState.ENDED)

    def _finding(self, trouble: CameraTrouble, course: Held, at: datetime, state: IncidentState) -> Finding:
        found = self._teller.finding(course, state, at, trouble.value)
        return replace(found, point=trouble.value, note=_WORDS[trouble])

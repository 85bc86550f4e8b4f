"""Whom the case of a drill (演练) is told, and how: nobody outside of it, and of a real case nothing is spared because of it. Pure."""

from collections.abc import Iterable

from cloud.drills.model import DrillBounds
from cloud.notify.model import Candidate, Decision, Happening, Manner


def taking_part(candidates: Iterable[Candidate], happening: Happening, bounds: DrillBounds) -> list[Candidate]:
    """Of those who could be told the ones who take part.

    That is who has his area inside of the drill's and is on duty there, whom the fact or the case names, who started the drill, and who works
    for a department that takes part. A level above the drill's area hears of nothing.
    """
    named = {happening.person_id, happening.holder_id, happening.checker_id, bounds.started_by}
    return [each for each in candidates if _takes_part(each, named, bounds)]


def _takes_part(candidate: Candidate, named: set[int | None], bounds: DrillBounds) -> bool:
    if candidate.account_id == bounds.started_by:
        return True
    if candidate.department_id is not None:
        return candidate.department_id in bounds.departments
    is_inside = candidate.area_path.startswith(bounds.area_path)
    return is_inside and (candidate.on_duty or candidate.account_id in named)


def of_drill(decision: Decision) -> Decision:
    """How a person is told of a drill: nothing of it waits to be told together with what is real."""
    return Decision(Manner.QUIET, decision.because) if decision.manner is Manner.GATHERED else decision

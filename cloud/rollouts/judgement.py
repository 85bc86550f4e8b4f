"""What becomes of a step: from what the node itself announced, and from time alone. Pure.

A node has done its step when its own birth names version and hash, and it was well for the soak time after that. What a node answers
to an order moves a step on or ends it badly; it never makes it a success.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from cloud.rollouts.model import FAILURES, STEPS, WORKING, Announced, Facts, Report, Step, StepReason, StepState
from edge.contract.artifacts import StepState as Word
from firmware_configs.device_firmware import is_lower
from firmware_configs.semver import Version

LOST_AFTER: Final = timedelta(minutes=5)
"""A link may break for a while; who is away for longer while it changes itself is believed to be lost by it."""

ILL_FOR: Final = timedelta(minutes=2)
"""What a node is not well with has to last so long before it counts."""

HEALTH_WITHIN: Final = timedelta(minutes=5)
"""A node tells each minute how it is; one that runs something new and does not is not well."""

RESTARTS_MOST: Final = 3
"""A node that starts so often while it is watched is not well, though it is there whenever one looks."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a step is about, and how long it may take. `by_maker`: the version is one of a device's maker, who numbers as he likes."""

    version: str
    sha256: str
    soak: timedelta
    patience: timedelta
    by_maker: bool = False


def judge(step: Step, facts: Facts, target: Target, *, now: datetime) -> Step:
    """The step as it stands after what is known now; the same where nothing follows from it."""
    if step.state in {StepState.REVERTING, StepState.STUCK}:
        return _judge_return(step, facts, target, now=now)
    if step.state is StepState.ANNOUNCED:
        return _judge_watched(step, facts, target, now=now)
    if step.state is StepState.ABSENT and step.order is None:
        return step  # nothing was ever wanted of it: what it runs is looked at when its turn comes
    if step.state in WORKING or step.state in {StepState.ABSENT, StepState.TIMED_OUT}:
        return _judge_forward(step, facts, target, now=now)
    return step


def _judge_forward(step: Step, facts: Facts, target: Target, *, now: datetime) -> Step:
    if is_announced(facts.announced, target.version, target.sha256):
        fresh = replace(step, announced_at=now, session=facts.session, restarts=0, ill_since=None)
        return moved(fresh, StepState.ANNOUNCED, now=now)
    told = _ended(step, facts) or _going_on(step, facts)
    if told is not None:
        return _before_it_begins(moved(step, *told, now=now), facts)
    if _is_a_lie(step, facts, target):
        return moved(step, StepState.FAILED, StepReason.OTHER_BYTES, now=now)
    if not facts.is_present:
        return _judge_away(step, facts, now=now)
    if step.state in WORKING and _is_late(step, target, now=now):
        word = _word(step, facts)
        says_applied = word is not None and word.state == Word.APPLIED
        reason = StepReason.SAYS_APPLIED if says_applied else StepReason.NO_ANSWER
        return moved(step, StepState.TIMED_OUT, reason, now=now)
    return _before_it_begins(step, facts)


def _before_it_begins(step: Step, facts: Facts) -> Step:
    """What is broken before a node begins to try is nothing that it could have broken: a node that was away for long is asked
    before its cameras are back.
    """
    word = _word(step, facts)
    if step.state not in {StepState.OFFERED, StepState.FETCHING} or (word is not None and word.state in _BEGUN):
        return step
    return replace(step, degraded_before=facts.degraded)


def _judge_away(step: Step, facts: Facts, *, now: datetime) -> Step:
    """A node that is not there: whoever was at it and vanished counts as lost by it, whoever had not begun is absent."""
    if _is_gone(facts, now) and step.state is StepState.OFFERED:
        return moved(step, StepState.ABSENT, now=now)
    if _is_gone(facts, now) and step.state in {StepState.FETCHING, StepState.TRYING}:
        return moved(step, StepState.FAILED, StepReason.LOST, now=now)
    return step


def _judge_watched(step: Step, facts: Facts, target: Target, *, now: datetime) -> Step:
    ended = _ended(step, facts)
    if ended is not None and ended[0] is not StepState.REFUSED:  # who refused touched nothing: what it runs is judged
        return moved(step, *ended, now=now)
    if not is_announced(facts.announced, target.version, target.sha256):
        runs = "nothing" if facts.announced is None else facts.announced.version
        return moved(step, StepState.FAILED, StepReason.OTHER_VERSION, runs, now=now)
    if facts.session != step.session:
        step = replace(step, session=facts.session, restarts=step.restarts + 1)
    if step.restarts >= RESTARTS_MOST:
        return moved(step, StepState.FAILED, StepReason.RESTARTS, now=now)
    illness, detail = _illness(step, facts, now=now)
    if illness is None:
        return _judge_well(replace(step, ill_since=None), facts, target, now=now)
    since = step.ill_since or now
    if now - since >= ILL_FOR:
        return moved(step, StepState.FAILED, illness, detail, now=now)
    return replace(step, ill_since=since)


def _judge_well(step: Step, facts: Facts, target: Target, *, now: datetime) -> Step:
    since = step.announced_at or step.changed_at
    # it has told of itself since: a node that announced and then said nothing was not seen to be well
    has_told = facts.is_present and facts.health_at is not None and facts.health_at >= since
    return moved(step, StepState.DONE, now=now) if has_told and now - since >= target.soak else step


def _illness(step: Step, facts: Facts, *, now: datetime) -> tuple[StepReason | None, str | None]:
    """What a node that announced the new is not well with. What was broken before counts for nothing."""
    if not facts.is_present:
        return (StepReason.LOST, None) if _is_gone(facts, now) else (None, None)
    worse = sorted(facts.degraded - step.degraded_before)
    if worse:
        return StepReason.DEGRADED, ", ".join(worse)[:300]
    told_at = max(filter(None, (facts.health_at, step.announced_at, facts.presence_since)), default=step.changed_at)
    return (StepReason.SILENT, None) if now - told_at > HEALTH_WITHIN else (None, None)


def _judge_return(step: Step, facts: Facts, target: Target, *, now: datetime) -> Step:
    word, previous = _word(step, facts), step.previous
    # what was sent before may be under way still: the node has to have heard of the order back
    has_heard = not step.was_sent or (word is not None and word.state == Word.APPLIED)
    if previous is not None and has_heard and is_announced(facts.announced, previous.version, previous.sha256):
        return moved(step, StepState.REVERTED, now=now)
    if step.state is StepState.STUCK:
        return step
    if word is not None and word.state in _ENDS:
        return moved(step, StepState.STUCK, word.code or word.state, word.reason, now=now)
    if facts.is_present and _is_late(step, target, now=now):
        return moved(step, StepState.STUCK, StepReason.NO_ANSWER, now=now)
    return step


_ENDS: Final[Mapping[str, StepState]] = MappingProxyType(
    {
        Word.REFUSED: StepState.REFUSED,
        Word.FAILED: StepState.FAILED,
        Word.ROLLED_BACK: StepState.ROLLED_BACK,
    }
)
_BEGUN: Final = frozenset({Word.TRYING, Word.APPLIED, *_ENDS})
_GOES_ON: Final[Mapping[str, StepState]] = MappingProxyType(
    {Word.FETCHING: StepState.FETCHING, Word.TRYING: StepState.TRYING}
)


def _word(step: Step, facts: Facts) -> Report | None:
    """What the node says of the order that counts; what it says of earlier ones is history."""
    return facts.report if facts.report is not None and facts.report.desired_id == step.order else None


def _ended(step: Step, facts: Facts) -> tuple[StepState, str | None, str | None] | None:
    word = _word(step, facts)
    state = None if word is None else _ENDS.get(word.state)
    return None if word is None or state is None else (state, word.code, word.reason)


def _going_on(step: Step, facts: Facts) -> tuple[StepState, None, None] | None:
    """How far it says that it is, where that is news; what it says after it was given up is not."""
    word = _word(step, facts)
    state = None if word is None else _GOES_ON.get(word.state)
    return (
        None if state in {None, step.state} or step.state is StepState.TIMED_OUT else (state or step.state, None, None)
    )


def _is_a_lie(step: Step, facts: Facts, target: Target) -> bool:
    """It says that it applied the version, and runs one of that name with other bytes."""
    word, announced = _word(step, facts), facts.announced
    if word is None or word.state != Word.APPLIED or announced is None:
        return False
    return announced.version == target.version and announced.sha256 != target.sha256


def _is_late(step: Step, target: Target, *, now: datetime) -> bool:
    return step.sent_at is not None and now - max(step.sent_at, step.changed_at) >= target.patience


def moved(step: Step, state: StepState, reason: str | None = None, detail: str | None = None, *, now: datetime) -> Step:
    """The step in another state. Raises ValueError for a way that the table does not have."""
    if state not in STEPS[step.state]:
        raise ValueError(f"a step does not go from {step.state} to {state}")
    failure = (reason or state.value) if state in FAILURES else step.failure
    if state is StepState.ANNOUNCED:
        failure = None  # it came late, and it came
    return replace(step, state=state, reason=reason, detail=detail, failure=failure, changed_at=now)


def is_announced(announced: Announced | None, version: str, sha256: str) -> bool:
    """Whether a birth names exactly this."""
    return announced == Announced(version, sha256)


def _is_gone(facts: Facts, now: datetime) -> bool:
    return facts.presence_since is None or now - facts.presence_since >= LOST_AFTER


def offered(step: Step, facts: Facts, target: Target, *, may_lower: bool, has_begun: bool, now: datetime) -> Step:
    """A step whose turn has come (again): wanted of the node, unless it is away, or runs this or something newer already.

    `has_begun`: nodes of its stage were asked before, so that who is skipped from now on was counted among them.
    """
    known = replace(step, previous=facts.announced, degraded_before=facts.degraded)
    reason = no_step_to_make(facts, target, may_lower=may_lower)
    if reason is None:
        return moved(known, StepState.OFFERED if facts.is_present else StepState.ABSENT, now=now)
    runs = None if reason is StepReason.ALREADY or facts.announced is None else facts.announced.version
    return moved(known, StepState.SKIPPED, StepReason.MEANWHILE if has_begun else reason, runs, now=now)


def no_step_to_make(facts: Facts, target: Target, *, may_lower: bool) -> StepReason | None:
    """Why there is nothing to be asked of a node: it runs this already, or something newer; None where there is."""
    announced = facts.announced
    if is_announced(announced, target.version, target.sha256):
        return StepReason.ALREADY
    if announced is not None and not may_lower and _is_above(announced.version, target):
        return StepReason.NEWER
    return None


def _is_above(version: str, target: Target) -> bool:
    return is_lower(target.version, version) if target.by_maker else is_newer(version, target.version)


def is_newer(version: str, than: str) -> bool:
    """Whether a version stands above another; what can't be read as one does not."""
    try:
        return Version.parse(version) > Version.parse(than)
    except ValueError:
        return False

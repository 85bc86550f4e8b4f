"""How a person is told: at once, quietly, or with others in one notice. Pure.

Architecture, promise 4: a person is not flooded, and folding never hides something worse or something new. So a storm hides only more of the
same: the same kind, no worse than what the person was told of in its window.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from cloud.notify.model import Audience, Because, Decision, Manner, News, Preference, Told, Urgency
from cloud.notify.rules import RULES
from edge.contract.incident import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one person is spared. At most `rings` in `window`, then one summary in each; the same of a case is no news for `repeat`."""

    rings: int = 4
    window: timedelta = timedelta(minutes=30)
    repeat: timedelta = timedelta(hours=2)


LIMITS = Limits()


def memory_span(limits: Limits = LIMITS) -> timedelta:
    """How far back `decide` looks."""
    return max(limits.window, limits.repeat)


def decide(
    news: News,
    told: Sequence[Told],
    preference: Preference,
    *,
    zone: tzinfo,
    gather_at: datetime | None = None,
    limits: Limits = LIMITS,
) -> Decision:
    """How a person is told of news. `told` is what he was told within `memory_span`; `gather_at` when what waits will be told."""
    if news.urgency is Urgency.QUIET:
        return Decision(Manner.QUIET, Because.QUIET_FACT)
    if _is_known(news, told, limits):
        return Decision(Manner.QUIET, Because.NO_NEWS)
    if news.severity is Severity.CRITICAL:
        return Decision(Manner.RING, Because.NEWS)
    return _waiting(news, told, preference, zone=zone, gather_at=gather_at, limits=limits) or Decision(
        Manner.RING, Because.NEWS
    )


def _waiting(
    news: News,
    told: Sequence[Told],
    preference: Preference,
    *,
    zone: tzinfo,
    gather_at: datetime | None,
    limits: Limits,
) -> Decision | None:
    """How news wait to be told with others; None where they ring by themselves."""
    is_alarm = news.urgency is Urgency.ALARM
    if not is_alarm and not news.on_duty and (over := quiet_end(news.at, preference, zone)) is not None:
        return Decision(Manner.GATHERED, Because.QUIET_HOURS, over)
    if news.urgency is Urgency.DIGEST and preference.digest_min > 0:
        window = timedelta(minutes=preference.digest_min)
        return Decision(Manner.GATHERED, Because.LOW, gather_at or news.at + window)
    if (end := _storm_end(news, told, limits)) is not None:
        return Decision(Manner.GATHERED, Because.STORM, end if gather_at is None else min(end, gather_at))
    return None


def _is_known(news: News, told: Sequence[Told], limits: Limits) -> bool:
    """Whether the same was said of the same case a while ago, and is no worse now."""
    rule = RULES.get(news.word)
    return (
        rule is not None
        and rule.folds
        and any(
            each.case_id == news.case_id
            and (each.word, each.reason) == (news.word, news.reason)
            and each.manner is not Manner.QUIET
            and each.severity.rank >= news.severity.rank
            and news.at - each.at < limits.repeat
            for each in told
        )
    )


def _storm_end(news: News, told: Sequence[Told], limits: Limits) -> datetime | None:
    """When a storm is summed up that this would only be more of; None where it has to ring.

    What people ask of each other comes at their pace and is never taken for a storm. An alarm is more of the same among alarms alone.
    """
    rule = RULES.get(news.word)
    if rule is None or not rule.may_storm:
        return None
    span = limits.repeat if rule.storms else limits.window  # deadlines come in waves, an hour apart
    recent = [
        each
        for each in told
        if news.at - each.at < span and (each.manner is Manner.RING or each.because is Because.STORM)
    ]
    alike = [each for each in recent if each.urgency is Urgency.ALARM] if news.urgency is Urgency.ALARM else recent
    if len(alike) < limits.rings:
        return None
    if not any(_is_more_of(each, news) for each in alike):
        return None
    summed = [each.at for each in recent if each.because is Because.SUMMARY]
    start = max(summed) if summed else min(each.at for each in recent if each.kind is not None)
    return max(start + limits.window, news.at)


def _is_more_of(told: Told, news: News) -> bool:
    """Whether news are no worse than what was told, and nothing new beside it.

    That a deadline has passed is the same whatever the case is about; but it never stands for something that is found.
    """
    if told.severity.rank < news.severity.rank:
        return False
    return _by_clocks(news.word) or (told.kind == news.kind and not _by_clocks(told.word))


def _by_clocks(word: str) -> bool:
    rule = RULES.get(word)
    return rule is not None and rule.storms


def warning_due(now: datetime, rung_at: datetime | None, quiet_until: datetime | None, limits: Limits) -> datetime:
    """When a person is told of what is known beforehand: once in a window at most, and after his quiet hours."""
    window_over = now if rung_at is None else rung_at + limits.window
    return max(now, window_over, quiet_until or now)


def held_until(
    worst: Severity, at: datetime, preference: Preference, zone: tzinfo, *, on_duty: bool, alarm: bool = False
) -> datetime | None:
    """Until when a notice that gathers others waits for the end of quiet hours; None where it may ring at once.

    `alarm`: one of them would have rung through them.
    """
    if on_duty or alarm or worst is Severity.CRITICAL:
        return None
    return quiet_end(at, preference, zone)


def quiet_end(at: datetime, preference: Preference, zone: tzinfo) -> datetime | None:
    """When the hours of quiet are over that hold at a time; None outside of them. They may span midnight."""
    begin, end = preference.quiet_from, preference.quiet_to
    if begin is None or end is None or begin == end:
        return None
    local = at.astimezone(zone)
    clock = local.time()
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not inside:
        return None
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    over = datetime.combine(day, time(end.hour, end.minute), zone)
    return max(over.astimezone(at.tzinfo), at)


RETRY_S = (5.0, 30.0, 120.0, 600.0, 1_800.0)
"""How long after each failure it is tried again; after the last it is given up, and the next channel has its turn."""


def retry_after_s(attempts: int, *, share: float) -> float | None:
    """How long to wait after so many attempts, None to give up. `share` of 0…1 spreads those who fail together."""
    if attempts > len(RETRY_S):
        return None
    return RETRY_S[attempts - 1] * (0.75 + 0.5 * share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact about a case, as a rehearsal takes it. `to`: in what capacities the person hears of it, where it is not that of the rehearsal."""

    at: datetime
    case_id: int
    kind: str
    severity: Severity
    word: str = "opened"
    late: bool = False
    reason: str | None = None
    to: frozenset[Audience] | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a duty chief would be told: the facts that ring, the summaries with how many cases each names, what stays in the page."""

    rings: tuple[Fact, ...]
    summaries: tuple[tuple[datetime, int], ...]
    quiet: int

    @property
    def notifications(self) -> int:
        """How often it rings."""
        return len(self.rings) + len(self.summaries)


def rehearse(
    facts: Iterable[Fact],
    *,
    zone: tzinfo,
    preference: Preference | None = None,
    limits: Limits = LIMITS,
    audience: Audience = Audience.CHIEF,
) -> Rehearsal:
    """What one person on duty would be told of facts, in the order of their times. The planner decides by the same functions."""
    rings: list[Fact] = []
    summaries: list[tuple[datetime, int]] = []
    told: list[Told] = []
    waiting: set[int] = set()
    gather_at: datetime | None = None
    quiet = 0
    wanted = preference or Preference()

    def sum_up(at: datetime) -> None:
        worst = max((each.severity for each in told if each.case_id in waiting), key=lambda each: each.rank)
        summaries.append((at, len(waiting)))
        told.append(summary(at, worst))
        waiting.clear()

    for fact in sorted(facts, key=lambda each: each.at):
        # what comes at that very moment is planned before it is summed up
        if gather_at is not None and gather_at < fact.at:
            sum_up(gather_at)
            gather_at = None
        told = [each for each in told if fact.at - each.at < memory_span(limits) or each.case_id in waiting]
        urgency = _loudest(fact, audience)
        if urgency is None:
            continue
        news = News(
            at=fact.at,
            case_id=fact.case_id,
            kind=fact.kind,
            severity=fact.severity,
            word=fact.word,
            urgency=urgency,
            on_duty=True,
            reason=fact.reason,
        )
        decision = decide(news, told, wanted, zone=zone, gather_at=gather_at, limits=limits)
        told.append(remember(news, decision))
        match decision.manner:
            case Manner.RING:
                rings.append(fact)
            case Manner.GATHERED:
                waiting.add(fact.case_id)
                gather_at = decision.gather_at if gather_at is None else min(gather_at, decision.gather_at or gather_at)
            case Manner.QUIET:
                quiet += 1
    if gather_at is not None:
        sum_up(gather_at)
    return Rehearsal(tuple(rings), tuple(summaries), quiet)


def _loudest(fact: Fact, audience: Audience) -> Urgency | None:
    found = (
        urgency_for(each, fact.word, fact.severity, late=fact.late)
        for each in (fact.to if fact.to is not None else {audience})
    )
    return max((each for each in found if each is not None), key=lambda each: each.rank, default=None)


def urgency_for(audience: Audience, word: str, severity: Severity, *, late: bool) -> Urgency | None:
    """How loud a word is for an audience; None where it is not told."""
    rule = RULES.get(word)
    if rule is None or (late and not rule.rings_if_late):
        return None
    urgency = max(
        (call.urgency for call in rule.calls if call.to is audience), key=lambda each: each.rank, default=None
    )
    is_little = rule.by_severity and urgency is Urgency.RING and severity is Severity.LOW
    return Urgency.DIGEST if is_little else urgency


def remember(news: News, decision: Decision) -> Told:
    """News as they are remembered once they are told."""
    return Told(
        at=news.at,
        case_id=news.case_id,
        kind=news.kind,
        severity=news.severity,
        word=news.word,
        manner=decision.manner,
        because=decision.because,
        reason=news.reason,
        urgency=news.urgency,
    )


SUMMARY = "summary"
"""The word of a notice that gathers others."""

WARNINGS = "warnings"
"""The word of a notice that gathers what is known beforehand of those who ought to be on duty."""

DRILL_ENDED = "drill_ended"
"""The word of a notice that a drill is over."""


def summary(at: datetime, worst: Severity) -> Told:
    """A notice that gathers others, as it is remembered."""
    return Told(
        at=at,
        case_id=None,
        kind=None,
        severity=worst,
        word=SUMMARY,
        manner=Manner.RING,
        because=Because.SUMMARY,
    )

import dataclasses
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.cases.model import CaseAction, HistoryAction
from cloud.notify.model import Audience, Because, Manner, News, Preference, Told, Urgency
from cloud.notify.policy import LIMITS, RETRY_S, Fact, decide, quiet_end, rehearse, retry_after_s
from cloud.notify.rules import NEVER_QUEUED, RULES, SILENT
from edge.contract.incident import Severity

ZONE = ZoneInfo("Asia/Shanghai")
NIGHT = datetime(2026, 3, 17, 14, 0, tzinfo=UTC)  # ten in the evening there
MINUTE = timedelta(minutes=1)


def news(
    minutes: float = 0,
    *,
    case_id: int = 1,
    kind: str = "intrusion",
    severity: Severity = Severity.MEDIUM,
    word: str = "opened",
    urgency: Urgency = Urgency.RING,
    on_duty: bool = False,
) -> News:
    return News(
        at=NIGHT + minutes * MINUTE,
        case_id=case_id,
        kind=kind,
        severity=severity,
        word=word,
        urgency=urgency,
        on_duty=on_duty,
    )


def told(minutes: float, *, case_id: int, severity: Severity = Severity.MEDIUM, kind: str = "intrusion") -> Told:
    return Told(
        at=NIGHT + minutes * MINUTE,
        case_id=case_id,
        kind=kind,
        severity=severity,
        word="opened",
        manner=Manner.RING,
        because=Because.NEWS,
    )


STORM = [told(-number, case_id=100 + number) for number in range(1, LIMITS.rings + 1)]
QUIET_NIGHT = Preference(quiet_from=time(21, 30), quiet_to=time(6, 45))


def test_each_word_of_the_history_has_a_rule_or_is_silent() -> None:
    words = set(CaseAction) | set(HistoryAction)
    assert words - set(RULES) - SILENT == set()
    assert not set(RULES) & SILENT
    assert NEVER_QUEUED <= SILENT


def test_news_ring() -> None:
    assert decide(news(), [], Preference(), zone=ZONE).manner is Manner.RING


def test_the_same_of_a_case_soon_after_is_no_news_but_worse_is() -> None:
    before = [told(-10, case_id=1)]
    assert decide(news(), before, Preference(), zone=ZONE).because is Because.NO_NEWS
    assert decide(news(severity=Severity.HIGH), before, Preference(), zone=ZONE).manner is Manner.RING
    old = [told(-LIMITS.repeat / MINUTE, case_id=1)]
    assert decide(news(), old, Preference(), zone=ZONE).manner is Manner.RING


def test_what_people_ask_is_always_news() -> None:
    asked = Told(
        at=NIGHT, case_id=1, kind="x", severity=Severity.HIGH, word="rework", manner=Manner.RING, because=Because.NEWS
    )
    assert decide(news(1, word="rework"), [asked], Preference(), zone=ZONE).manner is Manner.RING
    assert decide(news(word="rework"), STORM, Preference(), zone=ZONE).manner is Manner.RING


def test_a_storm_hides_only_more_of_the_same() -> None:
    more = decide(news(), STORM, Preference(), zone=ZONE)
    assert more.because is Because.STORM
    assert more.gather_at == STORM[-1].at + LIMITS.window
    assert decide(news(severity=Severity.HIGH), STORM, Preference(), zone=ZONE).manner is Manner.RING
    assert decide(news(kind="fire"), STORM, Preference(), zone=ZONE).manner is Manner.RING
    assert decide(news(severity=Severity.CRITICAL), STORM, Preference(), zone=ZONE).manner is Manner.RING
    assert decide(news(urgency=Urgency.ALARM), STORM, Preference(), zone=ZONE).manner is Manner.RING


def alarmed(
    minutes: float, case_id: int, *, word: str = "whistle_overdue", severity: Severity = Severity.MEDIUM
) -> Told:
    return dataclasses.replace(
        told(minutes, case_id=case_id, severity=severity), word=word, urgency=Urgency.ALARM, reason="community"
    )


def test_many_alarms_of_clocks_are_a_storm_of_their_own() -> None:
    alarm = news(word="whistle_overdue", urgency=Urgency.ALARM, severity=Severity.MEDIUM)
    few = [alarmed(-number, 100 + number) for number in range(1, LIMITS.rings)]
    assert decide(alarm, [*few, *STORM], QUIET_NIGHT, zone=ZONE).manner is Manner.RING, "a storm of less hides none"
    many = [*few, alarmed(-9, 109)]
    gathered = decide(alarm, many, QUIET_NIGHT, zone=ZONE)
    assert (gathered.because, gathered.gather_at) == (Because.STORM, NIGHT + 21 * MINUTE)
    worse = news(word="whistle_overdue", urgency=Urgency.ALARM, severity=Severity.HIGH)
    assert decide(worse, many, Preference(), zone=ZONE).manner is Manner.RING
    critical = news(word="whistle_overdue", urgency=Urgency.ALARM, severity=Severity.CRITICAL)
    assert decide(critical, many, Preference(), zone=ZONE).manner is Manner.RING


def test_a_whistle_that_a_person_blows_is_never_taken_for_a_storm() -> None:
    many = [alarmed(-number, 100 + number) for number in range(1, 9)]
    whistle = news(word="whistle", urgency=Urgency.ALARM)
    assert decide(whistle, many, Preference(), zone=ZONE).manner is Manner.RING


def test_a_morning_of_late_cases_is_told_in_few_words() -> None:
    late = [
        Fact(
            at=NIGHT + hour * 60 * MINUTE + number * MINUTE / 10,
            case_id=number,
            kind=("intrusion", "loitering", "smoke")[number % 3],
            severity=Severity.MEDIUM,
            word=word,
            reason="community",
            to=frozenset({Audience.CHIEF, Audience.NAMED}),
        )
        for hour, word in enumerate(("deadline_red", "escalated", "whistle_overdue"))
        for number in range(200)
    ]
    rehearsal = rehearse(late, zone=ZONE)
    assert rehearsal.notifications <= 2 * LIMITS.rings + 5
    assert {fact.case_id for fact in rehearsal.rings} | set(range(200)) == set(range(200))
    assert sum(count for _, count in rehearsal.summaries) >= 200 - 2 * LIMITS.rings


def test_quiet_hours_hold_what_is_not_critical_unless_one_is_on_duty() -> None:
    held = decide(news(), [], QUIET_NIGHT, zone=ZONE)
    assert held.because is Because.QUIET_HOURS
    assert held.gather_at == datetime(2026, 3, 17, 22, 45, tzinfo=UTC)
    assert decide(news(severity=Severity.CRITICAL), [], QUIET_NIGHT, zone=ZONE).manner is Manner.RING
    assert decide(news(on_duty=True), [], QUIET_NIGHT, zone=ZONE).manner is Manner.RING


@pytest.mark.parametrize(
    ("local", "quiet"),
    [((21, 29), False), ((21, 30), True), ((0, 0), True), ((6, 44), True), ((6, 45), False), ((12, 0), False)],
)
def test_quiet_hours_span_midnight(local: tuple[int, int], quiet: bool) -> None:
    at = datetime(2026, 3, 17, *local, tzinfo=ZONE).astimezone(UTC)
    end = quiet_end(at, QUIET_NIGHT, ZONE)
    assert (end is not None) is quiet
    assert end is None or end.astimezone(ZONE).time() == time(6, 45)


@given(
    st.times(),
    st.times(),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # aware by `timezones`
)
def test_quiet_hours_end_within_a_day(begin: time, end: time, at: datetime) -> None:
    over = quiet_end(at, Preference(quiet_from=begin, quiet_to=end), ZONE)
    assert over is None or at <= over <= at + timedelta(days=1)


def test_low_ones_are_gathered_in_one_window() -> None:
    first = decide(news(urgency=Urgency.DIGEST, severity=Severity.LOW), [], Preference(digest_min=20), zone=ZONE)
    assert (first.manner, first.gather_at) == (Manner.GATHERED, NIGHT + 20 * MINUTE)
    second = decide(
        news(5, case_id=2, urgency=Urgency.DIGEST, severity=Severity.LOW),
        [],
        Preference(digest_min=20),
        zone=ZONE,
        gather_at=first.gather_at,
    )
    assert second.gather_at == first.gather_at


FACTS = st.lists(
    st.builds(
        Fact,
        at=st.integers(0, 600).map(lambda minutes: NIGHT + minutes * MINUTE),
        case_id=st.integers(1, 400),
        kind=st.sampled_from(["intrusion", "loitering", "fire"]),
        severity=st.sampled_from(list(Severity)),
        word=st.sampled_from(["opened", "came_again", "severity_raised", "incident_added", "unheard_of"]),
        late=st.booleans(),
    ),
    max_size=120,
)


@given(FACTS)
def test_nothing_worse_and_no_critical_one_is_ever_held_back(facts: list[Fact]) -> None:
    rehearsal = rehearse(facts, zone=ZONE)
    rung = {(fact.case_id, fact.severity) for fact in rehearsal.rings}
    audible = [fact for fact in facts if not fact.late and fact.word in RULES]
    for fact in audible:
        if fact.severity is Severity.CRITICAL:
            assert (fact.case_id, fact.severity) in rung
    if any(fact.severity.rank > 0 for fact in audible):
        assert rehearsal.rings, "something rings where anything was worth it"
    assert all(not fact.late for fact in rehearsal.rings)


@given(FACTS)
def test_every_case_that_is_held_back_is_in_a_summary(facts: list[Fact]) -> None:
    rehearsal = rehearse(facts, zone=ZONE)
    cases = {fact.case_id for fact in facts if not fact.late and fact.word in RULES}
    named = len({fact.case_id for fact in rehearsal.rings}) + sum(count for _, count in rehearsal.summaries)
    assert named >= len(cases)


def test_a_night_of_one_kind_is_told_in_few_words() -> None:
    facts = [
        Fact(at=NIGHT + number * MINUTE / 2, case_id=number, kind="intrusion", severity=Severity.MEDIUM)
        for number in range(1_200)
    ]
    worse = Fact(at=NIGHT + 301 * MINUTE, case_id=9_999, kind="intrusion", severity=Severity.HIGH)
    other = Fact(at=NIGHT + 402 * MINUTE, case_id=9_998, kind="smoke", severity=Severity.MEDIUM)
    rehearsal = rehearse([*facts, worse, other], zone=ZONE)
    assert rehearsal.notifications <= LIMITS.rings + 22 + 2
    assert {worse, other} <= set(rehearsal.rings)


def test_it_is_tried_again_ever_later_and_then_given_up() -> None:
    waits = [retry_after_s(attempts, share=0.5) for attempts in range(1, len(RETRY_S) + 2)]
    assert waits == [*RETRY_S, None]
    assert retry_after_s(1, share=0.0) != retry_after_s(1, share=1.0)

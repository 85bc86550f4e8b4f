from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.cases.model import OPEN_STATUSES, CaseStatus, DismissalReason
from cloud.correlate import folding, policy
from cloud.correlate.folding import FALSE_REASONS, Candidate, Decision, Echo, FoldRules, Verdict, Why, decide
from cloud.correlate.policy import CaseFacts
from cloud.correlate.source import LASTING, danger_of, source_of
from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity
from tests.cloud.samples import NOW, incident

RULES = FoldRules(timedelta(minutes=10))
MINUTE = 60.0
NOBODY = (0, 0, 0, 0)


def case(
    case_id: int = 1,
    *,
    severity: Severity = Severity.MEDIUM,
    status: CaseStatus = CaseStatus.REPORTED,
    own: Sequence[int] = (0, 1, 0, 0),
    incidents: int = 1,
    sources: int = 1,
    start_s: float = 0,
    end_s: float = 0,
    settled_s: float | None = None,
    reason: DismissalReason | None = None,
    echo: Echo | None = None,
    same_link: bool = False,
    simulated: bool = False,
) -> Candidate:
    return Candidate(
        facts=CaseFacts(
            case_id=case_id,
            is_open=status in OPEN_STATUSES,
            severity=severity,
            started_at=NOW + timedelta(seconds=start_s),
            last_activity_at=NOW + timedelta(seconds=end_s),
            late=False,
            simulated=simulated,
        ),
        status=status,
        own=own,
        incidents=incidents,
        sources=sources,
        same_link=same_link,
        settled_at=None if settled_s is None else NOW + timedelta(seconds=settled_s),
        reason=reason,
        echo=echo,
    )


FLOODED = case(own=(0, 9, 0, 0), incidents=9)


def told(decision: Decision) -> tuple[Verdict, Why, int | None]:
    chosen = decision.case or decision.link
    return decision.verdict, decision.why, None if chosen is None else chosen.facts.case_id


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    start_s = draw(st.integers(-90_000, 90_000))
    own = draw(st.lists(st.integers(0, 4), min_size=4, max_size=4))
    others = draw(st.integers(0, 12))
    status = draw(st.sampled_from(CaseStatus))
    length_s = draw(st.integers(0, 9_000))
    worst = max((rank for rank, count in enumerate(own) if count), default=0)
    return case(
        draw(st.integers(1, 10_000)),
        severity=list(Severity)[max(worst, draw(st.integers(0, 3)))],
        status=status,
        own=own,
        incidents=max(1, sum(own) + others),
        sources=draw(st.integers(1, max(1, min(others + 1, sum(own) + others)))),
        start_s=start_s,
        end_s=start_s + length_s,
        settled_s=None if status in OPEN_STATUSES else start_s + length_s + draw(st.integers(0, 9_000)),
        reason=draw(st.sampled_from(DismissalReason)) if status is CaseStatus.REJECTED else None,
        echo=draw(
            st.none()
            | st.builds(
                Echo,
                st.integers(-9_000, 90_000).map(lambda seconds: NOW + timedelta(seconds=seconds)),
                st.sampled_from(Severity),
            )
        ),
        simulated=draw(st.booleans()),
    )


several = st.lists(candidates(), max_size=8, unique_by=lambda each: each.facts.case_id)


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    start_s = draw(st.integers(-20_000, 20_000))
    return incident(
        severity=draw(st.sampled_from(Severity)),
        kind=draw(st.sampled_from(["intrusion", "threshold", "abandoned_object"])),
        start_s=start_s,
        update_s=start_s + draw(st.integers(0, 600)),
        simulated=draw(st.booleans()),
    )


@given(incidents(), several.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_in_which_cases_are_found_makes_no_difference(
    item: Incident, both: tuple[list[Candidate], list[Candidate]]
) -> None:
    assert decide(item, both[0], RULES) == decide(item, both[1], RULES)


@given(incidents(), several, st.booleans())
def test_folding_never_hides_what_is_worse_or_new(item: Incident, found: list[Candidate], aloud: bool) -> None:
    decision = decide(item, found, RULES, aloud=aloud)
    if decision.verdict is not Verdict.ATTACH:
        return
    assert decision.case is not None
    chosen = decision.case
    if folding.is_flooded(chosen, RULES) and decision.why is not Why.JUDGED_FALSE:
        assert chosen.knows(item.severity)
    if item.severity.rank > chosen.facts.severity.rank:
        assert policy.absorb(chosen.facts, item, aloud=True).raised  # told aloud, in a case that everybody can read
        assert not any(folding.is_flooded(each, RULES) for each in [chosen])
    assert chosen.facts.simulated == item.simulated


@given(incidents(), several, st.booleans())
def test_what_is_settled_takes_nothing_in_silence(item: Incident, found: list[Candidate], aloud: bool) -> None:
    decision = decide(item, found, RULES, aloud=aloud)
    if decision.verdict is Verdict.ATTACH and decision.case is not None:
        counted = decision.why is Why.JUDGED_FALSE and decision.case.echo is not None
        assert decision.case.status in OPEN_STATUSES or (counted and decision.case.reason in FALSE_REASONS)
    if decision.verdict is Verdict.REOPEN and decision.case is not None:
        assert aloud
        assert item.kind in LASTING
        assert decision.case.status in {CaseStatus.RESOLVED, CaseStatus.CHECKING, CaseStatus.CLOSED}
        assert item.severity.rank <= decision.case.facts.severity.rank


@given(incidents(), several)
def test_an_echo_takes_only_what_was_judged_and_nothing_worse(item: Incident, found: list[Candidate]) -> None:
    decision = decide(item, found, RULES)
    if decision.echo is not None:
        assert item.severity.rank <= decision.echo.severity.rank
        assert decision.link is not None
    if decision.why is Why.JUDGED_FALSE and decision.case is not None:
        assert decision.case.is_of_source
        assert decision.case.echo is not None
        assert item.severity.rank <= decision.case.echo.severity.rank
        assert item.started_at <= decision.case.echo.until


def test_a_flood_takes_more_of_the_same_for_hours() -> None:
    found = [FLOODED]
    assert told(decide(incident(start_s=110 * MINUTE), found, RULES)) == (Verdict.ATTACH, Why.STORM, 1)
    assert told(decide(incident(start_s=121 * MINUTE), found, RULES)) == (Verdict.OPEN, Why.NEW, None)


def test_a_flood_that_goes_on_into_another_day_is_told_anew() -> None:
    old = case(own=(0, 9, 0, 0), incidents=9, start_s=-25 * 3600, end_s=-30 * MINUTE)
    assert decide(incident(), [old], RULES).verdict is Verdict.OPEN


def test_what_is_worse_leaves_a_flood_and_is_joined_by_what_is_as_bad() -> None:
    worse = incident(start_s=5, severity=Severity.HIGH)
    assert told(decide(worse, [FLOODED], RULES)) == (Verdict.OPEN, Why.WORSE, 1)
    own = case(2, severity=Severity.HIGH, own=(0, 0, 1, 0), start_s=5, end_s=5)
    assert told(decide(incident(start_s=9, severity=Severity.HIGH), [FLOODED, own], RULES))[2] == 2
    assert told(decide(incident(start_s=9), [FLOODED, own], RULES)) == (Verdict.ATTACH, Why.STORM, 1)


def test_a_quiet_camera_does_not_drown_at_a_spot_that_floods() -> None:
    others = replace(FLOODED, own=NOBODY)
    assert told(decide(incident(start_s=5), [others], RULES)) == (Verdict.OPEN, Why.QUIET_SOURCE, 1)
    small = case(2, own=NOBODY, start_s=0, end_s=0)
    assert decide(incident(start_s=5), [small], RULES).verdict is Verdict.ATTACH
    assert decide(incident(start_s=5), [small, others], RULES).verdict is Verdict.OPEN


def test_forty_devices_that_each_say_it_once_are_one_case() -> None:
    for number in range(1, 41):
        found = case(own=NOBODY, incidents=number, sources=number, end_s=number)
        assert decide(incident(start_s=number + 1), [found], RULES).verdict is Verdict.ATTACH


def test_behind_one_dead_line_each_device_is_the_same() -> None:
    flapping = case(own=NOBODY, incidents=90, sources=12, same_link=True)
    assert decide(incident(start_s=5), [flapping], RULES).verdict is Verdict.ATTACH
    assert decide(incident(start_s=5, severity=Severity.HIGH), [flapping], RULES).verdict is Verdict.OPEN


def judged(case_id: int = 1, count: int = 3, reason: DismissalReason = DismissalReason.WEATHER) -> Candidate:
    return case(
        case_id,
        status=CaseStatus.REJECTED,
        own=(0, count, 0, 0),
        incidents=count,
        end_s=60,
        settled_s=120,
        reason=reason,
    )


def test_what_was_judged_false_often_enough_gets_one_case_per_window() -> None:
    decision = decide(incident(start_s=300), [judged()], RULES)
    assert told(decision) == (Verdict.OPEN, Why.JUDGED_FALSE, 1)
    assert decision.echo == Echo(NOW + timedelta(seconds=300) + RULES.echo_window, Severity.MEDIUM)
    echo = case(2, start_s=300, end_s=300, echo=decision.echo)
    hours = 5.9 * 3600
    assert told(decide(incident(start_s=hours), [judged(), echo], RULES)) == (Verdict.ATTACH, Why.JUDGED_FALSE, 2)
    dismissed = replace(echo, status=CaseStatus.REJECTED, reason=DismissalReason.WEATHER, settled_at=NOW)
    assert told(decide(incident(start_s=hours), [judged(), dismissed], RULES))[2] == 2
    assert decide(incident(start_s=7 * 3600), [judged(), echo], RULES).verdict is Verdict.OPEN


def test_seldom_judged_or_judged_otherwise_is_no_repeated_false_alarm() -> None:
    assert decide(incident(start_s=300), [judged(count=2)], RULES).echo is None
    assert decide(incident(start_s=300), [judged(count=2), judged(2, count=1)], RULES).echo is not None
    for reason in set(DismissalReason) - FALSE_REASONS:
        assert decide(incident(start_s=300), [judged(reason=reason)], RULES).echo is None
    assert decide(incident(start_s=13 * 3600), [judged()], RULES).echo is None


def test_only_what_this_source_was_judged_for_is_judged() -> None:
    """A spot's case is as bad as the worst of its cameras; that says nothing of the others."""
    low = replace(judged(), own=(5, 0, 0, 0))
    assert decide(incident(start_s=300), [low], RULES).echo is None
    once = replace(judged(), own=(5, 1, 0, 0))
    assert decide(incident(start_s=300), [once], RULES).echo is None
    echo = decide(incident(start_s=300, severity=Severity.LOW), [once], RULES).echo
    assert echo is not None
    assert echo.severity is Severity.LOW


def test_what_is_worse_breaks_out_of_what_was_judged_false() -> None:
    echo = case(2, start_s=300, end_s=300, echo=Echo(NOW + timedelta(hours=6), Severity.MEDIUM))
    worse = incident(start_s=400, severity=Severity.HIGH)
    decision = decide(worse, [judged(), echo], RULES)
    assert (decision.verdict, decision.echo) == (Verdict.OPEN, None)
    assert folding.breaks_out(worse, echo, RULES)
    confirmed = replace(echo, status=CaseStatus.FILED)
    assert not folding.breaks_out(worse, confirmed, RULES)


@pytest.mark.parametrize("status", [CaseStatus.RESOLVED, CaseStatus.CHECKING, CaseStatus.CLOSED])
def test_what_was_never_gone_opens_its_case_again_and_what_happens_anew_a_case_that_is_linked(
    status: CaseStatus,
) -> None:
    settled = case(status=status, settled_s=100)
    lasting = incident(kind="abandoned_object", start_s=200)
    assert told(decide(lasting, [settled], RULES)) == (Verdict.REOPEN, Why.CAME_AGAIN, 1)
    assert told(decide(incident(start_s=200), [settled], RULES)) == (Verdict.OPEN, Why.CAME_AGAIN, 1)
    worse = incident(kind="abandoned_object", start_s=200, severity=Severity.HIGH)
    assert decide(worse, [settled], RULES).verdict is Verdict.OPEN
    assert decide(lasting, [settled], RULES, aloud=False).verdict is Verdict.OPEN


def test_a_suspended_case_is_followed_by_one_that_is_linked() -> None:
    lasting = incident(kind="abandoned_object", start_s=200)
    assert told(decide(lasting, [case(status=CaseStatus.SUSPENDED)], RULES)) == (Verdict.OPEN, Why.CAME_AGAIN, 1)


def test_what_was_closed_days_ago_is_another_matter() -> None:
    closed = case(status=CaseStatus.CLOSED, settled_s=0)
    assert told(decide(incident(start_s=25 * 3600), [closed], RULES)) == (Verdict.OPEN, Why.NEW, None)


def test_what_still_lasts_long_after_it_was_resolved_was_never_gone() -> None:
    resolved = case(status=CaseStatus.RESOLVED, settled_s=0)
    still = incident(kind="threshold", state=IncidentState.UPDATE, update_s=11 * MINUTE)
    assert folding.was_never_gone(still, resolved, RULES)
    assert not folding.was_never_gone(incident(kind="threshold", update_s=9 * MINUTE), resolved, RULES)
    ended = incident(kind="threshold", state=IncidentState.ENDED, update_s=11 * MINUTE)
    assert not folding.was_never_gone(ended, resolved, RULES)
    assert not folding.was_never_gone(incident(update_s=11 * MINUTE), resolved, RULES)


def test_dangers_are_told_apart() -> None:
    def danger(**fields: object) -> str:
        return danger_of(incident(**fields))  # type: ignore[arg-type]  # fields of an incident

    heat = danger(kind="threshold", category="fire_safety", point="temperature_c")
    assert heat == danger(kind="rate_of_change", category="fire_safety", point="temperature_c")
    others = [
        danger(kind="threshold", category="fire_safety", point="residual_ma"),
        danger(kind="state", category="fire_safety", point="smoke"),
        danger(kind="threshold", category="public_safety", point="temperature_c"),
        danger(),
        danger(kind="loitering"),
    ]
    assert len({heat, *others}) == 6


def test_only_for_what_is_not_heard_the_line_matters() -> None:
    stale = source_of("node-1", incident(kind=IncidentKind.STALE, point="current_a"), link="line-1")
    assert stale.link == "line-1"
    assert source_of("node-1", incident(), link="line-1").link is None

"""What stays at its place: one incident per place, through gaps, flips and passers-by; held against a naive reckoning."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contract.incident import IncidentState, Severity
from edge.flow import Box, Finding, Look, Scene, Spotted, Track
from edge.rules.folding import FoldingRule
from edge.rules.held import UPDATE_S
from edge.rules.places import LEAST_MISSES, LEAST_SIGHTS, MOST_PLACES, UNSEEN_S
from edge.rules.standing_matter import StandingMatterRule
from edge.settings import BinOverflowSettings, FallenPersonSettings, LitterSettings
from tests.fakes.scenes import at, seconds, standing_at

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
FLOOR = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
BAG = standing_at(0.5, 0.8, width=0.05, height=0.05)
OTHER_BAG = standing_at(0.2, 0.7, width=0.05, height=0.05)
LYING = standing_at(0.5, 0.8, width=0.2, height=0.1)
UPRIGHT = standing_at(0.5, 0.78, width=0.08, height=0.3)
BEFORE_IT = standing_at(0.5, 0.9, width=0.12, height=0.35)


def litter(**differs: Any) -> StandingMatterRule:
    given = {"kind": "litter", "zone": "floor", "for_s": 20.0, "clear_for_s": 10.0, "rest_s": 30.0, **differs}
    return StandingMatterRule(LitterSettings.model_validate(given), FLOOR, "c")


def fallen(**differs: Any) -> StandingMatterRule:
    return StandingMatterRule(
        FallenPersonSettings.model_validate({"kind": "fallen_person", "zone": "floor", **differs}), FLOOR, "c"
    )


def scene(
    second: float,
    *things: tuple[str, Box] | tuple[str, Box, float],
    tracks: Sequence[Box] = (),
    region: Box | None = None,
    looked: bool = True,
) -> Scene:
    spotted = tuple(Spotted(each[0], each[1], each[2] if len(each) > 2 else 0.8) for each in things)
    people = tuple(Track(n, "person", box, 0.9, at(0), at(second), 0.9) for n, box in enumerate(tracks))
    return Scene("c", at(second), people, look=Look(spotted, region) if looked else None)


def run(rule: StandingMatterRule, scenes: Iterable[Scene]) -> list[Finding]:
    return [finding for each in scenes for finding in rule.observe(each)]


def told(said: list[Finding]) -> list[tuple[IncidentState, float]]:
    return [(finding.state, seconds(finding.at)) for finding in said]


def test_litter_opens_once_it_has_lain_long_enough_and_ends_when_it_is_gone() -> None:
    said = run(litter(), (scene(s, *([("litter", BAG)] if s <= 30 else [])) for s in range(0, 60, 2)))
    assert told(said) == [(OPEN, 20), (ENDED, 42)]
    opened, ended = said
    assert (opened.kind, opened.category, opened.severity, opened.zone) == (
        "litter",
        "environment",
        Severity.LOW,
        "floor",
    )
    assert opened.key == ended.key
    assert (opened.started_at, ended.ended_at, ended.dwell_s, opened.confidence) == (at(0), at(30), 30.0, 0.8)
    assert (opened.path[0].left, opened.path[-1].at_us - opened.path[0].at_us) == (0.475, 20_000_000)


def test_an_overflowing_bin_is_of_the_same_category_and_a_surer_closed_bin_outdoes_it() -> None:
    settings = BinOverflowSettings(kind="bin_overflow", zone="floor", for_s=10.0)
    full = [scene(s, ("bin_overflow", BAG, 0.6), ("bin", BAG, 0.4)) for s in range(0, 12, 2)]
    said = run(StandingMatterRule(settings, FLOOR, "c"), full)
    assert [(each.kind, each.category) for each in said] == [("bin_overflow", "environment")]
    closed = [scene(s, ("bin_overflow", BAG, 0.4), ("bin", BAG, 0.6)) for s in range(0, 60, 2)]
    assert run(StandingMatterRule(settings, FLOOR, "c"), closed) == []


@pytest.mark.parametrize("thing", [("litter", BAG, 0.34), ("person", BAG), ("litter", standing_at(0.5, 0.4))])
def test_what_is_unsure_or_something_else_or_outside_counts_nothing(thing: tuple[Any, ...]) -> None:
    assert run(litter(), (scene(s, thing) for s in range(0, 60, 2))) == []


def test_what_is_seen_in_too_few_looks_is_a_mistake_of_the_detector() -> None:
    seldom = (scene(s, *([("litter", BAG)] if s % 10 == 0 else [])) for s in range(0, 200, 2))
    assert run(litter(clear_for_s=15.0), seldom) == []
    often = (scene(s, *([("litter", BAG)] if s % 4 == 0 else [])) for s in range(0, 60, 2))
    assert told(run(litter(), often))[0] == (OPEN, 20)


def test_a_mistake_of_the_detector_does_not_date_what_comes_there_later() -> None:
    mistaken = [scene(s, *([("litter", BAG)] if s in {0, 2} or s >= 30 else [])) for s in range(0, 80, 2)]
    said = run(litter(clear_for_s=60.0), mistaken)
    assert [(seconds(each.at), seconds(each.started_at)) for each in said if each.state is OPEN] == [(50, 30)]


def test_two_looks_far_apart_are_not_enough() -> None:
    assert run(litter(), [scene(0, ("litter", BAG)), scene(40, ("litter", BAG))]) == []
    assert told(run(litter(), [scene(s, ("litter", BAG)) for s in (0, 30, 60)])) == [(OPEN, 60)]


def test_who_passes_by_ends_nothing_and_a_look_elsewhere_neither() -> None:
    rule = litter()
    assert told(run(rule, (scene(s, ("litter", BAG)) for s in range(0, 22, 2)))) == [(OPEN, 20)]
    assert run(rule, (scene(s, tracks=[BEFORE_IT]) for s in range(22, 200, 2))) == []
    assert run(rule, (scene(s, region=(0.0, 0.0, 0.4, 1.0)) for s in range(200, 300, 2))) == []
    assert run(rule, (scene(s, looked=False) for s in range(300, 400, 2))) == []
    behind = [scene(s, tracks=[standing_at(0.5, 0.77, height=0.3)]) for s in range(400, 420, 2)]
    assert [state for state, _ in told(run(rule, behind))] == [ENDED]


def test_what_nobody_could_see_for_an_hour_is_over() -> None:
    rule = litter()
    run(rule, (scene(s, ("litter", BAG)) for s in range(0, 22, 2)))
    said = run(rule, (scene(s, tracks=[BEFORE_IT]) for s in range(22, 4000, 30)))
    assert [each.state for each in said] == [ENDED]
    assert UNSEEN_S <= seconds(said[0].at) - 20 < UNSEEN_S + 30


def test_each_place_is_an_incident_of_its_own_and_a_trembling_box_is_one_place() -> None:
    def trembling(s: int) -> Box:
        left, top, right, bottom = BAG
        by = 0.01 * (s % 3)
        return left + by, top - by, right + by, bottom + by

    said = run(litter(), (scene(s, ("litter", trembling(s)), ("litter", OTHER_BAG)) for s in range(24)))
    assert told(said) == [(OPEN, 20), (OPEN, 20)]
    assert len({finding.key for finding in said}) == 2


def test_the_same_place_rests_after_its_end_and_another_does_not() -> None:
    rule = litter()
    run(rule, (scene(s, ("litter", BAG)) for s in range(22)))
    assert told(run(rule, (scene(s) for s in range(22, 40)))) == [(ENDED, 32)]
    said = run(rule, (scene(s, ("litter", BAG), ("litter", OTHER_BAG)) for s in range(40, 70)))
    assert [(seconds(each.at), each.path[0].left < 0.4, seconds(each.started_at)) for each in said] == [
        (60, True, 40),
        (62, False, 40),
    ]


def test_it_is_told_again_now_and_then_and_finish_ends_it() -> None:
    rule = litter()
    said = run(rule, (scene(s, ("litter", BAG)) for s in range(60)))
    assert told(said) == [(OPEN, 20), (UPDATE, 20 + UPDATE_S)]
    assert [(each.state, each.ended_at) for each in rule.finish(at(70))] == [(ENDED, at(59))]
    assert rule.finish(at(71)) == []
    assert rule.readings(at(71)) == ()


def test_there_is_a_bound_to_what_is_kept() -> None:
    rule = litter(near=0.001)
    for s in range(8):
        boxes = [standing_at(x / 100, 0.52 + s * 0.05, width=0.004, height=0.01) for x in range(2, 98, 2)]
        rule.observe(scene(s, *(("litter", box) for box in boxes)))
    assert len(rule._places._known) == MOST_PLACES


# --- somebody who has fallen -----------------------------------------------------------------------------------------


def test_who_lies_for_longer_than_the_limit_is_urgent() -> None:
    said = run(fallen(), (scene(s / 2, ("fallen_person", LYING)) for s in range(24)))
    assert told(said) == [(OPEN, 10)]
    assert (said[0].kind, said[0].category, said[0].severity) == ("fallen_person", "public_safety", Severity.CRITICAL)
    assert said[0].started_at == at(0)


def test_who_gets_up_in_time_is_nothing() -> None:
    scenes = [scene(s / 2, ("fallen_person", LYING) if s < 12 else ("person", UPRIGHT)) for s in range(60)]
    assert run(fallen(), scenes) == []


def test_who_gets_up_afterwards_ends_it_and_a_helper_does_not() -> None:
    rule = fallen()
    run(rule, (scene(s / 2, ("fallen_person", LYING)) for s in range(24)))
    helped = [scene(s / 2, ("person", standing_at(0.5, 0.86, height=0.3)), tracks=[BEFORE_IT]) for s in range(24, 60)]
    assert run(rule, helped) == []
    said = run(rule, (scene(s / 2, ("person", UPRIGHT)) for s in range(60, 80)))
    assert told(said) == [(ENDED, 33.0)]
    assert said[0].ended_at == at(11.5)


@pytest.mark.parametrize("every", [2, 3])
def test_a_track_that_flips_between_lying_and_standing_is_one_who_lies(every: int) -> None:
    flips = [scene(s / 2, ("person" if s % every == 1 else "fallen_person", LYING)) for s in range(60)]
    assert [each.state for each in run(fallen(), flips)] == [OPEN]


def test_a_flip_to_a_standing_box_for_less_than_he_needs_to_get_up_ends_nothing() -> None:
    scenes = [scene(s / 2, ("person", UPRIGHT) if 26 <= s < 31 else ("fallen_person", LYING)) for s in range(50)]
    assert told(run(fallen(), scenes)) == [(OPEN, 10)]


def test_folding_and_schedule_stand_around_it_as_around_all_rules() -> None:
    settings = LitterSettings.model_validate({"kind": "litter", "zone": "floor", "for_s": 20.0, "fold_s": 60.0})
    rule = FoldingRule(StandingMatterRule(settings, FLOOR, "c"), settings)
    things = (("litter", BAG), ("litter", OTHER_BAG))
    said = [each for s in range(0, 24, 2) for each in rule.observe(scene(s, *things))]
    assert [(each.state, each.count) for each in said] == [(OPEN, None), (UPDATE, 2)]


# --- against a naive reckoning ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """A look at one place: what it showed, and whether somebody hid it. `late`: it comes after the next one, and is too late."""

    at_s: int
    seen: bool
    hidden: bool
    up: bool
    late: bool


MOMENTS = st.lists(
    st.builds(
        Moment,
        at_s=st.integers(1, 9),
        seen=st.sampled_from((True, True, False)),
        hidden=st.sampled_from((False, False, True)),
        up=st.booleans(),
        late=st.sampled_from((False, False, False, True)),
    ),
    max_size=60,
)


def in_time(steps: Sequence[Moment]) -> list[Moment]:
    """Steps as moments: each so many seconds after the one before."""
    passed, made = 0, []
    for step in steps:
        passed += step.at_s
        made.append(replace(step, at_s=passed))
    return made


def naive(moments: Sequence[Moment], settings: LitterSettings | FallenPersonSettings) -> list[tuple[str, int]]:
    """When it opens and ends at one place, by looking through everything again at each moment."""
    found: list[tuple[str, int]] = []
    begun: int | None = None
    open_ = False
    rests_until = -1
    for number, now in enumerate(moments):
        if begun is None:
            begun = number if now.seen else None
        if begun is None:
            continue
        known = moments[begun : number + 1]
        sights = [each.at_s for each in known if each.seen]
        after = [each for each in known if each.at_s > sights[-1]]
        misses = [each for each in after if not each.hidden]
        unseen_s = now.at_s - sights[-1]
        ups = [each.at_s for each in after if each.up]
        up = isinstance(settings, FallenPersonSettings) and bool(ups) and now.up and now.at_s - ups[0] >= settings.up_s
        missing_s = now.at_s - misses[0].at_s if misses else 0
        gone = unseen_s >= UNSEEN_S or (len(misses) >= LEAST_MISSES and missing_s >= settings.clear_for_s)
        shown = [each.seen for each in known if each.seen or not each.hidden]
        hardly = len(misses) >= LEAST_MISSES and sum(shown) / len(shown) < settings.share / 2
        if not now.seen and (gone or up or (hardly and not open_)):
            if open_:
                found.append(("ended", now.at_s))
                rests_until = now.at_s + int(settings.rest_s)
            begun, open_ = None, False
        elif now.seen and not open_:
            told = [each for each in known if each.seen or not each.hidden]
            told = [each for each in told if each.at_s >= now.at_s - settings.lasting_s]
            often = sum(each.seen for each in told) >= settings.share * len(told)
            long = sights[-1] - sights[0] >= settings.lasting_s and len(sights) >= LEAST_SIGHTS
            if often and long and now.at_s >= rests_until:
                found.append(("open", now.at_s))
                open_ = True
    return found


def shown(moment: Moment, label: str, box: Box, *, up: bool) -> Scene:
    things: list[tuple[str, Box]] = [(label, box)] if moment.seen else []
    things += [("person", UPRIGHT)] if up and moment.up and not moment.seen else []
    return scene(moment.at_s, *things, tracks=[BEFORE_IT] if moment.hidden else [])


def shuffled(scenes: Sequence[Scene], moments: Sequence[Moment]) -> list[Scene]:
    """The late ones come directly after the moment that follows them."""
    order = list(scenes)
    for index, moment in enumerate(moments[:-1]):
        if moment.late:
            order[index], order[index + 1] = order[index + 1], order[index]
    return order


def taken(scenes: Sequence[Scene], moments: Sequence[Moment]) -> list[Moment]:
    """Those that are not too late."""
    of = {at(each.at_s): each for each in moments}
    newest, kept = at(0) - timedelta(seconds=1), []
    for each in scenes:
        if each.at > newest:
            newest = each.at
            kept.append(of[each.at])
    return kept


def opened_and_ended(said: Sequence[Finding]) -> list[tuple[str, int]]:
    return [(each.state.value, int(seconds(each.at))) for each in said if each.state is not UPDATE]


@hypothesis_settings(deadline=None)
@given(MOMENTS, st.sampled_from((5, 12, 30)), st.sampled_from((0.3, 0.5, 0.8)), st.sampled_from((4, 15)))
def test_litter_is_as_a_naive_reckoning_has_it(steps: list[Moment], for_s: int, share: float, clear_s: int) -> None:
    settings = LitterSettings(kind="litter", zone="floor", for_s=for_s, share=share, clear_for_s=clear_s, rest_s=20)
    moments = in_time(steps)
    scenes = shuffled([shown(each, "litter", BAG, up=False) for each in moments], moments)
    said = run(StandingMatterRule(settings, FLOOR, "c"), scenes)
    assert opened_and_ended(said) == naive(taken(scenes, moments), settings)


@hypothesis_settings(deadline=None)
@given(MOMENTS, st.sampled_from((2, 10, 25)), st.sampled_from((0, 3, 8)))
def test_who_has_fallen_is_as_a_naive_reckoning_has_it(steps: list[Moment], limit_s: int, up_s: int) -> None:
    settings = FallenPersonSettings(kind="fallen_person", zone="floor", limit_s=limit_s, up_s=up_s, rest_s=15)
    moments = in_time(steps)
    scenes = shuffled([shown(each, "fallen_person", LYING, up=True) for each in moments], moments)
    said = run(StandingMatterRule(settings, FLOOR, "c"), scenes)
    assert opened_and_ended(said) == naive(taken(scenes, moments), settings)


@hypothesis_settings(deadline=None, max_examples=50)
@given(MOMENTS, MOMENTS)
def test_places_know_nothing_of_each_other(first: list[Moment], second: list[Moment]) -> None:
    here = {each.at_s: replace(each, hidden=False) for each in in_time(first)}
    there = {each.at_s: replace(each, hidden=False) for each in in_time(second)}
    both = sorted({*here, *there})
    nothing = Moment(0, seen=False, hidden=False, up=False, late=False)
    scenes = []
    for moment in both:
        things = [("litter", BAG)] if here.get(moment, nothing).seen else []
        things += [("litter", OTHER_BAG)] if there.get(moment, nothing).seen else []
        scenes.append(scene(moment, *things))
    rule = litter()
    said = run(rule, scenes)
    for left, of in ((0.475, here), (0.175, there)):
        alone = [replace(of.get(moment, nothing), at_s=moment) for moment in both]
        mine = [each for each in said if abs(each.path[0].left - left) < 1e-6]
        assert opened_and_ended(mine) == naive(alone, rule._settings)  # type: ignore[arg-type]


@hypothesis_settings(deadline=None, max_examples=50)
@given(MOMENTS)
def test_whatever_opens_ends_once(steps: list[Moment]) -> None:
    rule = litter(for_s=5.0)
    moments = in_time(steps)
    said = run(rule, [shown(each, "litter", BAG, up=False) for each in moments])
    said += rule.finish(at(10_000))
    by_key: dict[str, list[IncidentState]] = {}
    for each in said:
        by_key.setdefault(each.key, []).append(each.state)
    for states in by_key.values():
        assert states[0] is OPEN
        assert states[-1] is ENDED
        assert set(states[1:-1]) <= {UPDATE}

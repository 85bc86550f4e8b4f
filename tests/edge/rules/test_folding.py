"""Schedule, folding and cool-down: what of a rule's findings is told, and that nothing worse is ever hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import IncidentState, Severity
from edge.flow import Finding, Reading, Scene
from edge.rules.folding import FoldingRule
from edge.settings import IntrusionSettings, ScheduleWindow
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED


@dataclass
class Scripted:
    """A rule that finds what it is told to: from when to when, and how bad."""

    stays: Sequence[tuple[float, float, Severity]]
    open_: dict[int, Finding] = field(default_factory=dict)

    def observe(self, scene: Scene) -> Sequence[Finding]:
        said = []
        now = seconds(scene.at)
        for number, (from_s, to_s, severity) in enumerate(self.stays):
            if number in self.open_ and now >= to_s:
                said.append(self._ended(number, scene.at))
            elif number not in self.open_ and from_s <= now < to_s:
                self.open_[number] = finding = self._finding(number, OPEN, severity, scene.at)
                said.append(finding)
        return said

    def finish(self, moment: datetime) -> Sequence[Finding]:
        return [self._ended(number, moment) for number in list(self.open_)]

    def readings(self, _moment: datetime) -> Sequence[Reading]:
        return ()

    def _ended(self, number: int, moment: datetime) -> Finding:
        finding = self.open_.pop(number)
        return replace(finding, state=ENDED, at=moment, ended_at=min(moment, at(self.stays[number][1])))

    def _finding(self, number: int, state: IncidentState, severity: Severity, moment: datetime) -> Finding:
        return Finding(
            f"c/r/{number}", state, "r", "intrusion", "public_order", severity, "c", moment, moment, track_ids=(number,)
        )


def made(
    *stays: tuple[float, float, Severity],
    fold_s: float = 0,
    cooldown_s: float = 0,
    schedule: Sequence[ScheduleWindow] = (),
) -> FoldingRule:
    settings = IntrusionSettings(
        kind="intrusion", zone="z", fold_s=fold_s, cooldown_s=cooldown_s, schedule=tuple(schedule)
    )
    return FoldingRule(Scripted(stays), settings)


def run(rule: FoldingRule, until_s: int, *, step_s: float = 1.0) -> list[Finding]:
    moments = [index * step_s for index in range(int(until_s / step_s) + 1)]
    said = [finding for moment in moments for finding in rule.observe(Scene("c", at(moment), ()))]
    return [*said, *rule.finish(at(until_s + 1))]


def told(said: Sequence[Finding]) -> list[tuple[str, IncidentState, float]]:
    return [(finding.key, finding.state, seconds(finding.at)) for finding in said]


M, H, C = Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL


def test_as_it_comes_nothing_is_changed() -> None:
    stays = ((1, 5, M), (3, 9, M), (12, 14, H))
    plain = Scripted(stays)
    wanted = [finding for second in range(21) for finding in plain.observe(Scene("c", at(second), ()))]
    assert run(made(*stays), 20) == wanted


def test_what_follows_within_the_fold_is_one_incident_with_its_number() -> None:
    said = run(made((1, 5, M), (8, 12, M), (30, 32, M), fold_s=10), 60)
    assert told(said) == [
        ("c/r/0", OPEN, 1),
        ("c/r/0", UPDATE, 8),
        ("c/r/0", ENDED, 22),
        ("c/r/2", OPEN, 30),
        ("c/r/2", ENDED, 42),
    ]
    assert [finding.count for finding in said] == [None, 2, 2, None, None]
    assert said[2].ended_at == at(12)
    assert said[1].track_ids == (1,)


def test_who_comes_while_another_is_there_joins_and_it_ends_with_the_last() -> None:
    said = run(made((1, 20, M), (5, 9, M), fold_s=3), 40)
    assert told(said) == [("c/r/0", OPEN, 1), ("c/r/0", UPDATE, 5), ("c/r/0", ENDED, 23)]
    assert said[-1].ended_at == at(20)


def test_a_worse_one_raises_what_it_joins_at_once() -> None:
    said = run(made((1, 20, M), (5, 9, C), fold_s=3), 40)
    assert [finding.severity for finding in said] == [M, C, C]
    assert seconds(said[1].at) == 5


def test_after_an_end_nothing_new_opens_for_a_while_and_what_still_holds_opens_then() -> None:
    said = run(made((1, 5, M), (8, 12, M), (14, 50, M), cooldown_s=20), 60)
    assert told(said) == [("c/r/0", OPEN, 1), ("c/r/0", ENDED, 5), ("c/r/2", OPEN, 25), ("c/r/2", ENDED, 50)]
    assert said[2].started_at == at(14)


def test_a_worse_one_opens_in_spite_of_the_cool_down() -> None:
    said = run(made((1, 5, M), (8, 12, H), (15, 18, H), cooldown_s=20), 60)
    assert told(said) == [("c/r/0", OPEN, 1), ("c/r/0", ENDED, 5), ("c/r/1", OPEN, 8), ("c/r/1", ENDED, 12)]


def test_outside_of_its_schedule_nothing_opens_and_what_still_holds_opens_with_the_window() -> None:
    # the tests' time begins at 16:00 in China
    window = ScheduleWindow(start="16:01", end="16:02")
    said = run(made((10, 30, M), (40, 90, M), (110, 200, M), (130, 150, M), schedule=[window]), 240)
    assert told(said) == [("c/r/1", OPEN, 60), ("c/r/1", ENDED, 90), ("c/r/2", OPEN, 110), ("c/r/2", ENDED, 200)]
    assert said[0].started_at == at(40)


def test_a_fold_ends_without_pictures_as_well() -> None:
    rule = made((1, 5, M), fold_s=10)
    for second in range(8):
        rule.observe(Scene("c", at(second), ()))
    assert rule.passed(at(14)) == []
    assert [finding.state for finding in rule.passed(at(15))] == [ENDED]


stays = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from(Severity)).map(
        lambda each: (float(each[0]), float(each[0] + each[1]), each[2])
    ),
    max_size=10,
)


@given(stays, st.sampled_from([0.0, 5.0, 20.0]), st.sampled_from([0.0, 7.0, 40.0]), st.booleans())
def test_whatever_is_found_is_told_in_order_and_nothing_worse_is_hidden(
    found: list[tuple[float, float, Severity]], fold_s: float, cooldown_s: float, scheduled: bool
) -> None:
    schedule = [ScheduleWindow(start="16:00", end="16:01")] if scheduled else []
    rule = made(*found, fold_s=fold_s, cooldown_s=cooldown_s, schedule=schedule)
    said = run(rule, 120)
    standing: dict[str, IncidentState] = {}
    for finding in said:
        allowed = {None: {OPEN}, OPEN: {UPDATE, ENDED}, UPDATE: {UPDATE, ENDED}, ENDED: set()}
        assert finding.state in allowed[standing.get(finding.key)]
        standing[finding.key] = finding.state
        assert (finding.state is ENDED) == (finding.ended_at is not None)
        assert finding.ended_at is None or finding.started_at <= finding.ended_at <= finding.at
    assert set(standing.values()) <= {ENDED}
    assert rule.finish(at(200)) == []
    for from_s, to_s, severity in found:
        if scheduled and from_s >= 60:
            continue
        worst_before = max((s.rank for f, _, s in found if f < from_s), default=-1)
        if severity.rank > worst_before:
            assert any(finding.severity.rank >= severity.rank and seconds(finding.at) == from_s for finding in said), (
                from_s,
                to_s,
                severity,
            )


@pytest.mark.parametrize("cooldown_s", [0.0, 300.0])
def test_the_number_of_things_held_back_is_that_of_the_things_that_are_there(cooldown_s: float) -> None:
    rule = made(*((float(number), number + 2.0, M) for number in range(200)), cooldown_s=cooldown_s)
    for second in range(210):
        rule.observe(Scene("c", at(second), ()))
        assert rule.folding.kept <= 3

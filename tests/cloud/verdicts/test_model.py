"""Verdicts from the history alone."""

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.cases.model import DismissalReason
from cloud.verdicts.model import Judgement, Member, Sight, Step, Verdict, sight_of, standing_verdicts


def moment(number: int) -> datetime:
    return datetime(2026, 3, 17, tzinfo=UTC) + timedelta(seconds=number)


class History:
    """A history, and the incidents of its cases, as the service keeps them."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.members: dict[tuple[int, int], tuple[datetime, int | None]] = {}
        self._ids = count(1)

    def add(self, case: int, action: str, *, to: str | None = None, reason: str | None = None) -> None:
        number = next(self._ids)
        self.steps.append(
            Step(event_id=number, case_id=case, action=action, to_status=to, reason=reason, at=moment(number))
        )

    def join(self, case: int, incident: int, came_with: int | None = None) -> None:
        self.members.setdefault((case, incident), (moment(next(self._ids)), came_with))

    def opened(self, case: int, *incidents: int) -> None:
        for each in incidents:
            self.join(case, each)

    def merged(self, source: int, target: int) -> None:
        for case, incident in list(self.members):
            if case == source:
                self.join(target, incident, source)
        self.add(source, "merge", to="merged")

    def unmerged(self, source: int, target: int) -> None:
        gone = [key for key, (_, came_with) in self.members.items() if key[0] == target and came_with == source]
        for key in gone:
            del self.members[key]
        self.add(source, "unmerge", to="reported")

    @property
    def standing(self) -> dict[int, Judgement]:
        members = [Member(case, incident, at) for (case, incident), (at, _) in self.members.items()]
        return standing_verdicts(self.steps, members)

    @property
    def verdicts(self) -> dict[int, str]:
        return {incident: each.verdict.value for incident, each in self.standing.items()}


@pytest.fixture
def history() -> History:
    return History()


def test_a_judgement_covers_the_incidents_that_are_there(history: History) -> None:
    history.opened(1, 10, 11)
    history.add(1, "confirm", to="filed")
    history.join(1, 12)
    assert history.verdicts == {10: "true", 11: "true"}


@pytest.mark.parametrize(
    ("reason", "verdict", "sight"),
    [
        (DismissalReason.WEATHER, Verdict.FALSE_ALARM, Sight.NOT_THERE),
        (DismissalReason.AUTHORISED, Verdict.FALSE_ALARM, Sight.THERE),
        (DismissalReason.DUPLICATE, Verdict.DUPLICATE, Sight.THERE),
        (DismissalReason.TEST, Verdict.TEST, Sight.THERE),
        (DismissalReason.OTHER, Verdict.FALSE_ALARM, Sight.UNKNOWN),
    ],
)
def test_reasons(history: History, reason: DismissalReason, verdict: Verdict, sight: Sight) -> None:
    history.opened(1, 10)
    history.add(1, "dismiss", to="rejected", reason=reason.value)
    judgement = history.standing[10]
    assert (judgement.verdict, judgement.reason) == (verdict, reason.value)
    assert sight_of(judgement.verdict, judgement.reason) is sight


def test_every_reason_says_what_was_seen() -> None:
    assert {sight_of(Verdict.FALSE_ALARM, each.value) for each in DismissalReason} == set(Sight)
    assert sight_of(Verdict.UNSURE, None) is Sight.UNKNOWN
    assert sight_of(Verdict.FALSE_ALARM, "a word that comes later") is Sight.UNKNOWN


def test_what_is_taken_back_holds_no_more(history: History) -> None:
    history.opened(1, 10)
    history.add(1, "dismiss", to="rejected", reason="animal")
    history.add(1, "reopen", to="reported")
    assert history.verdicts == {}
    history.add(1, "confirm", to="filed")
    assert history.verdicts == {10: "true"}
    history.add(1, "void", to="voided")
    assert history.verdicts == {}


def test_a_handled_case_that_is_opened_again_stays_true(history: History) -> None:
    history.opened(1, 10)
    history.add(1, "confirm", to="filed")
    history.add(1, "reopen", to="filed")
    assert history.verdicts == {10: "true"}


@pytest.mark.parametrize("action", ["came_again", "reopened"])
def test_what_was_handled_stays_true_when_what_comes_again_is_not(history: History, action: str) -> None:
    history.opened(1, 10)
    history.add(1, "confirm", to="filed")
    history.add(1, action, to="filed")
    history.join(1, 11)
    history.add(1, "reopen", to="reported")
    assert history.verdicts == {10: "true"}
    history.add(1, "dismiss", to="rejected", reason="light")
    assert history.verdicts == {10: "true", 11: "false_alarm"}


def test_a_link_to_a_case_that_came_after_is_no_new_round(history: History) -> None:
    history.opened(1, 10)
    history.add(1, "confirm", to="filed")
    history.add(1, "came_again")
    history.add(1, "reopen", to="reported")
    assert history.verdicts == {}


def test_merging_and_taking_apart(history: History) -> None:
    history.opened(1, 10)
    history.opened(2, 20)
    history.add(2, "confirm", to="filed")
    history.merged(2, 1)
    assert history.verdicts == {20: "true"}
    history.add(1, "dismiss", to="rejected", reason="weather")
    assert history.verdicts == {10: "false_alarm", 20: "false_alarm"}
    history.unmerged(2, 1)
    assert history.verdicts == {10: "false_alarm", 20: "true"}


def test_what_nobody_looked_at_gets_no_verdict_by_merging(history: History) -> None:
    history.opened(1, 10)
    history.add(1, "confirm", to="filed")
    history.opened(2, 20)
    history.merged(2, 1)
    assert history.verdicts == {10: "true"}


def test_an_incident_that_goes_on_in_another_case_has_the_last_word_on_it(history: History) -> None:
    history.opened(1, 10)
    history.add(1, "dismiss", to="rejected", reason="other")
    history.opened(2, 10)
    history.add(2, "confirm", to="filed")
    assert history.verdicts == {10: "true"}
    history.add(2, "reopen", to="reported")
    assert history.verdicts == {10: "false_alarm"}


ACTIONS = st.sampled_from(["confirm", "dismiss", "inconclusive", "reopen", "void", "came_again", "join"])
MOVES = st.lists(
    st.one_of(
        st.tuples(ACTIONS, st.integers(1, 3), st.integers(1, 6)),
        st.tuples(st.sampled_from(["merge", "unmerge"]), st.integers(1, 3), st.integers(1, 3)),
    ),
    max_size=30,
)


def played(moves: list[tuple[str, int, int]]) -> History:
    history = History()
    merged: dict[int, int] = {}
    for action, case, other in moves:
        if action == "merge" and case not in merged and other not in merged and case != other:
            merged[case] = other
            history.merged(case, other)
        elif action == "unmerge" and case in merged and merged[case] not in merged:
            history.unmerged(case, merged.pop(case))
        elif action == "join" and case not in merged:
            history.join(case, other)
        elif action in {"reopen", "came_again"}:
            history.add(case, action, to="reported" if action == "reopen" else "filed")
        elif action not in {"merge", "unmerge"} and case not in merged:
            history.add(case, action, reason="animal" if action == "dismiss" else None)
    return history


@given(MOVES)
def test_every_verdict_is_a_judgement_of_the_history(moves: list[tuple[str, int, int]]) -> None:
    history = played(moves)
    found = history.standing
    judging = {each.event_id: each for each in history.steps if each.action in {"confirm", "dismiss", "inconclusive"}}
    for incident, judgement in found.items():
        assert judgement.at == judging[judgement.event_id].at
        joined_at, _ = history.members[judgement.case_id, incident]
        assert joined_at <= judgement.at, "nobody judged it before it came"


@given(MOVES)
def test_merging_and_taking_apart_leaves_all_as_it_was(moves: list[tuple[str, int, int]]) -> None:
    history = played(moves)
    history.opened(50, 500)
    history.opened(60, 600)
    history.add(50, "confirm", to="filed")
    before = history.standing
    history.merged(50, 60)
    history.add(60, "dismiss", to="rejected", reason="weather")
    assert history.verdicts[500] == history.verdicts[600] == "false_alarm"
    history.add(60, "reopen", to="reported")
    history.unmerged(50, 60)
    assert history.standing == before


@given(MOVES)
def test_taking_back_what_was_said_last_leaves_what_was_so_before(moves: list[tuple[str, int, int]]) -> None:
    history = played(moves)
    history.opened(100, 1, 900)
    before = history.standing
    history.add(100, "confirm", to="filed")
    assert {1, 900} <= history.standing.keys()
    history.add(100, "reopen", to="reported")
    assert history.standing == before


@given(MOVES)
def test_steps_that_say_nothing_change_nothing(moves: list[tuple[str, int, int]]) -> None:
    history = played(moves)
    before = history.standing
    history.steps = [
        one
        for each in history.steps
        for one in (each, dataclasses.replace(each, event_id=10_000 + each.event_id, action="comment"))
    ]
    assert history.standing == before

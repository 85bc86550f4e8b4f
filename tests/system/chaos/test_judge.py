"""The judge on made-up observations: what it has to find, one by one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.system.chaos.judge import (
    DeclaredGap,
    KeptFile,
    NamedPicture,
    Observation,
    SeenIncident,
    Verdict,
    judge,
)
from tests.system.chaos.truth import Crossing, Device, Truth

TIMED = Device("timed", ("a", "b"), timed=True, state="mode")
PLAIN = Device("plain", ("a",), timed=False)
SWITCH = Device("switch", ("level",), timed=True, alarms=True)
COUNT = 6
PICTURE = "a" * 64


def truth() -> Truth:
    given = Truth({device.name: device for device in (TIMED, PLAIN, SWITCH)})
    for number in range(1, COUNT + 1):
        given.add("timed", float(number), number * 10)
        given.add("plain", float(number), None)
        given.add_state("timed", number * 10, f"m{number // 2}")
    given.add("switch", 1_000_001.0, 5)
    given.add("switch", 2.0, 9)
    given.crossings.append(Crossing("switch", 5, 9))
    return given


def whole() -> Observation:
    """Everything as it was given."""
    values = {
        ("timed", "a"): [(number * 10, float(number)) for number in range(1, COUNT + 1)],
        ("timed", "b"): [(number * 10, float(number)) for number in range(1, COUNT + 1)],
        ("plain", "a"): [(number * 10 + 3, float(number)) for number in range(1, COUNT + 1)],
        ("switch", "level"): [(5, 1_000_001.0), (9, 2.0)],
    }
    states = {"timed": [(10, "m0"), (20, "m1"), (40, "m2"), (60, "m3")]}
    rows = sum(map(len, values.values())) + 4
    return Observation(
        values=values,
        states=states,
        latest={key: stored[-1] for key, stored in values.items()},
        gaps=[],
        charted_gaps=[],
        incidents=[SeenIncident("i", "switch", 5, 9, "ended", 2, (1, 2), 1)],
        cases=1,
        wrong_rollups=0,
        missing_by_lane={"live": 0, "incident": 0},
        quarantined=0,
        dead_letters=0,
        rows=rows,
        dropped=0,
        sightings=[SeenIncident("s", "lane", 7, 8, "ended", 2, (1, 2), 1)],
        pictures=[NamedPicture("s", PICTURE, 9, is_stored=True)],
        kept_files={PICTURE: KeptFile(PICTURE, 9)},
        revisions=4,
        node_accepted=rows,
        node_waiting=0,
        node_revisions=4,
        node_pictures_waiting=0,
        node_pictures_refused=0,
    )


def without(seen: Observation, number: int, device: str = "timed") -> Observation:
    """One message of a device is not there."""
    values = {
        key: [(at, value) for at, value in stored if key[0] != device or value != float(number)]
        for key, stored in seen.values.items()
    }
    lost = sum(map(len, seen.values.values())) - sum(map(len, values.values()))
    latest = {key: stored[-1] for key, stored in values.items()}
    return replace(seen, values=values, latest=latest, rows=seen.rows - lost)


def declared(seen: Observation, gap: DeclaredGap) -> Observation:
    return replace(seen, gaps=[gap], charted_gaps=[gap], dropped=gap.count)


def test_what_is_whole_is_good() -> None:
    assert judge(truth(), whole()) == Verdict()


def test_what_is_missing_is_lost_unless_it_was_declared() -> None:
    assert judge(truth(), without(whole(), 3)).lost == 2 + 1  # by id, and once more in the books
    assert judge(truth(), declared(without(whole(), 3), DeclaredGap("timed", 20, 40, 2, "quota"))).good


def test_a_gap_elsewhere_or_of_too_few_excuses_nothing() -> None:
    for gap in (
        DeclaredGap("timed", 40, 60, 2, "quota"),
        DeclaredGap("timed", 20, 40, 1, "quota"),
        DeclaredGap("plain", 20, 40, 2, "quota"),
    ):
        assert judge(truth(), declared(without(whole(), 3), gap)).lost


@given(st.sets(st.integers(1, COUNT - 1)), st.sampled_from(["timed", "plain"]))
def test_any_loss_is_counted(lost: set[int], device: str) -> None:
    seen = whole()
    for number in lost:
        seen = without(seen, number, device)
    found = judge(truth(), seen)
    assert found.lost >= len(lost) * len(truth().devices[device].points)
    assert found.good is not bool(lost)


def _doubled(seen: Observation) -> Observation:
    values = dict(seen.values)
    values["plain", "a"] = [*values["plain", "a"][:3], (35, 3.0), *values["plain", "a"][3:]]
    return replace(seen, values=values, rows=seen.rows + 1)


def _one_incident(**changes: object) -> Callable[[Observation], Observation]:
    def change(seen: Observation) -> Observation:
        return replace(seen, incidents=[replace(seen.incidents[0], **changes)])  # type: ignore[arg-type]

    return change


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (_doubled, "twice"),
        (lambda seen: replace(seen, incidents=[]), "lost"),
        (lambda seen: replace(seen, incidents=[*seen.incidents, replace(seen.incidents[0], incident_id="j")]), "twice"),
        (_one_incident(revisions=(2,)), "lost"),
        (_one_incident(state="open", ended_us=None), "lost"),
        (_one_incident(ended_us=8), "wrong"),
        (_one_incident(cases=2), "twice"),
        (_one_incident(started_us=6), "lost"),
        (lambda seen: replace(seen, cases=2), "twice"),
        (lambda seen: replace(seen, wrong_rollups=1), "wrong"),
        (lambda seen: replace(seen, missing_by_lane={"live": 3}), "wrong"),
        (lambda seen: replace(seen, quarantined=1), "wrong"),
        (lambda seen: replace(seen, dead_letters=1), "wrong"),
        (lambda seen: replace(seen, node_accepted=seen.node_accepted + 1), "lost"),
        (lambda seen: replace(seen, node_accepted=seen.node_accepted - 1), "twice"),
        (lambda seen: replace(seen, latest={**seen.latest, ("timed", "a"): (20, 2.0)}), "wrong"),
        (lambda seen: replace(seen, values={**seen.values, ("plain", "a"): [(1, 2.0), (2, 1.0)]}), "wrong"),
        (lambda seen: replace(seen, charted_gaps=[DeclaredGap("timed", 1, 2, 1, "quota")]), "wrong"),
        (lambda seen: replace(seen, states={"timed": [(10, "m0"), (20, "m2"), (40, "m1")]}), "wrong"),
        (lambda seen: replace(seen, states={"timed": [(10, "m0"), (20, "m1"), (60, "m3")]}), "lost"),
        (lambda seen: replace(seen, pictures=[NamedPicture("s", "b" * 64, 9, is_stored=True)]), "lost"),
        (lambda seen: replace(seen, pictures=[NamedPicture("s", PICTURE, 8, is_stored=True)]), "lost"),
        (lambda seen: replace(seen, pictures=[NamedPicture("s", PICTURE, 9, is_stored=False)]), "wrong"),
        (lambda seen: replace(seen, pictures=[], kept_files={}), "lost"),
        (lambda seen: replace(seen, kept_files={}), "lost"),
        (lambda seen: replace(seen, kept_files={PICTURE: KeptFile("b" * 64, 9)}), "lost"),
        (lambda seen: replace(seen, kept_files={**seen.kept_files, "c" * 64: KeptFile("c" * 64, 1)}), "twice"),
        (lambda seen: replace(seen, sightings=[replace(seen.sightings[0], revisions=(2,))]), "lost"),
        (lambda seen: replace(seen, sightings=[replace(seen.sightings[0], cases=2)]), "twice"),
        (lambda seen: replace(seen, node_revisions=5), "lost"),
        (lambda seen: replace(seen, node_revisions=3), "twice"),
        (lambda seen: replace(seen, node_pictures_waiting=1), "lost"),
        (lambda seen: replace(seen, node_pictures_refused=1), "wrong"),
    ],
)
def test_each_trouble_is_found(change: Callable[[Observation], Observation], kind: str) -> None:
    verdict = judge(truth(), change(whole()))
    assert getattr(verdict, kind) > 0
    assert verdict.words


def test_a_restarted_node_may_tell_a_word_again() -> None:
    states = {"timed": [(10, "m0"), (20, "m1"), (30, "m1"), (40, "m2"), (60, "m3")]}
    seen = whole()
    assert judge(truth(), replace(seen, states=states, rows=seen.rows + 1, node_accepted=seen.rows + 1)).good


def test_many_findings_are_counted_and_few_are_named() -> None:
    verdict = Verdict()
    for number in range(100):
        verdict.find_lost("reading", str(number))
    assert verdict.lost == 100
    assert len(verdict.words) == 5

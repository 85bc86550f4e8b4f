"""The rule on camera trouble: one incident per trouble, from its first look to its last."""

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import CameraTrouble, IncidentState
from edge.flow import Finding, Scene
from edge.rules.camera_trouble import CameraTroubleRule
from edge.rules.held import UPDATE_S
from edge.settings import CameraTroubleSettings
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
DARK, MOVED, LOST = CameraTrouble.DARK, CameraTrouble.MOVED, CameraTrouble.STREAM_LOST


def made(*troubles: CameraTrouble) -> CameraTroubleRule:
    return CameraTroubleRule(
        CameraTroubleSettings(kind="camera_trouble", troubles=troubles or tuple(CameraTrouble)), "c"
    )


def look(second: float, *troubles: CameraTrouble) -> Scene:
    return Scene("c", at(second), (), troubles=frozenset(troubles))


def told(said: list[Finding]) -> list[tuple[str | None, IncidentState, float]]:
    return [(finding.point, finding.state, seconds(finding.at)) for finding in said]


def run(rule: CameraTroubleRule, *scenes: Scene) -> list[Finding]:
    return [finding for scene in scenes for finding in rule.observe(scene)]


def test_a_trouble_that_lasts_opens_once_and_ends_when_it_has_been_away_for_a_while() -> None:
    said = run(made(), *(look(second, *([DARK] if 3 <= second <= 12 else [])) for second in range(40)))
    assert told(said) == [("dark", OPEN, 8), ("dark", ENDED, 22)]
    assert said[0].started_at == at(3)
    assert said[1].ended_at == at(12)
    assert said[0].category == "maintenance"
    assert said[0].note == "the picture is black"


def test_one_look_without_it_begins_anew_before_it_is_told_and_not_afterwards() -> None:
    gaps = (look(second, *([DARK] if second % 5 else [])) for second in range(60))
    assert run(made(), *gaps) == []
    gaps_later = (look(second, *([DARK] if second < 10 or second % 5 else [])) for second in range(30))
    assert [state for _, state, _ in told(run(made(), *gaps_later))] == [OPEN]


def test_each_trouble_is_an_incident_of_its_own() -> None:
    said = run(made(), *(look(second, DARK, *([MOVED] if second > 5 else [])) for second in range(20)))
    assert told(said) == [("dark", OPEN, 5), ("moved", OPEN, 11)]


def test_what_is_not_asked_for_is_not_told() -> None:
    assert run(made(MOVED), *(look(second, DARK) for second in range(20))) == []


def test_a_lost_stream_is_lost_since_the_last_picture_and_its_end_is_the_next_one() -> None:
    rule = made()
    said = run(rule, look(0), Scene("c", at(0.4), ()), *(look(second, LOST) for second in (3, 4, 5, 6, 7)))
    assert told(said) == [("stream_lost", OPEN, 6)]
    assert said[0].started_at == at(0.4)
    assert told(run(rule, *(look(second) for second in range(8, 20)))) == [("stream_lost", ENDED, 17)]


def test_while_there_is_no_picture_nothing_else_is_over() -> None:
    rule = made()
    run(rule, *(look(second, DARK) for second in range(8)))
    assert [point for point, *_ in told(run(rule, *(look(second, LOST) for second in range(8, 40))))] == ["stream_lost"]
    assert ("dark", ENDED) in [(point, state) for point, state, _ in told(run(rule, look(60)))]


def test_what_goes_on_is_told_again_now_and_then_and_ends_with_the_watch() -> None:
    rule = made()
    said = run(rule, *(look(second, DARK) for second in range(int(6 + UPDATE_S))))
    assert [state for _, state, _ in told(said)] == [OPEN, UPDATE]
    assert told(list(rule.finish(at(100)))) == [("dark", ENDED, 100)]
    assert rule.finish(at(101)) == []


@given(
    st.lists(st.tuples(st.floats(0.2, 8.0), st.sets(st.sampled_from(CameraTrouble)), st.booleans()), max_size=60),
)
def test_each_open_is_ended_once(moments: list[tuple[float, set[CameraTrouble], bool]]) -> None:
    rule, now_s = made(), 0.0
    standing: dict[str, IncidentState] = {}
    said: list[Finding] = []
    for step_s, troubles, looked in moments:
        now_s += step_s
        scene = look(now_s, *troubles) if looked else Scene("c", at(now_s), ())
        said += rule.observe(scene)
    said += rule.finish(at(now_s + 1))
    for finding in said:
        before = standing.get(finding.key)
        assert finding.state in ({OPEN} if before is None else {UPDATE, ENDED})
        assert before is not ENDED
        assert finding.ended_at is None or finding.started_at <= finding.ended_at
        if finding.state is OPEN:
            assert seconds(finding.at) - seconds(finding.started_at) >= 5.0 - 1e-6
        standing[finding.key] = finding.state
    assert set(standing.values()) <= {ENDED}

from hypothesis import given
from hypothesis import strategies as st

from cloud.ingest.pace import TOLD_EVERY_S, NodePace
from cloud.refusals.policy import Allowance

FLOODED, OTHER = "gw/1/110105/hostile-01/up/telemetry", "gw/1/110105/station-01/up/telemetry"


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.5)), max_size=300))
def test_a_sender_has_so_many_at_once_and_so_many_in_a_second(steps: list[tuple[bool, float]]) -> None:
    pace, now_s, admitted = NodePace(Allowance(20, 4.0)), 0.0, 0
    for is_flood, pause_s in steps:
        now_s += pause_s
        if is_flood:
            admitted += sum(pace.admits(FLOODED, now_s) for _ in range(50))
    assert admitted <= 20 + 4.0 * now_s
    assert pace.admits(OTHER, now_s), "another node has an allowance of its own"


def test_whoever_floods_is_named_once_in_a_while() -> None:
    pace = NodePace(Allowance(1, 0.0))
    assert pace.admits(FLOODED, 0.0)
    assert pace.to_tell(0.0) == {}
    assert not any(pace.admits(FLOODED, 1.0) for _ in range(3))
    assert not pace.admits(FLOODED.replace("telemetry", "incident"), 1.0), "channels are no way around it"
    assert pace.to_tell(1.0) == {"gw/1/110105/hostile-01": 4}
    assert not pace.admits(FLOODED, 2.0)
    assert pace.to_tell(2.0) == {}
    assert pace.to_tell(1.0 + TOLD_EVERY_S) == {"gw/1/110105/hostile-01": 1}


def test_names_are_no_bound() -> None:
    pace = NodePace(Allowance(1, 0.0, maximum_senders=10))
    for number in range(1_000):
        pace.admits(f"gw/1/110105/node-{number}/up/birth", 0.0)
        pace.admits(f"gw/1/110105/node-{number}/up/birth", 0.0)
    assert len(pace.allowance._left) == 10
    assert len(pace._left_out) == 10

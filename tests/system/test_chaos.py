"""The whole path under faults: real processes, killed, frozen and cut off from each other. See `tests/system/chaos`.

More, and longer: `python -m tests.benches.chaos`.
"""

import pytest

from cloud.embedded.broker import BrokerKind
from cloud.embedded.process import find_program
from tests.system.chaos.campaign import Outcome
from tests.system.chaos.defects import Defect
from tests.system.chaos.runs import defective_run, short_run

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        find_program("mosquitto") is None, reason="the sensors' broker has to keep what it acknowledged"
    ),
]


def told(outcome: Outcome) -> str:
    return "\n".join(outcome.verdict.words)


@pytest.mark.parametrize("broker", list(BrokerKind))
def test_what_was_accepted_is_kept_once(broker: BrokerKind) -> None:
    outcome = short_run(broker)
    assert outcome.verdict.good, told(outcome)
    assert outcome.drained_s is not None
    assert outcome.declared > 0  # the quota was full: readings were dropped, and every one of them declared
    assert outcome.incidents >= 40


def test_the_telling_schedule_is_survived() -> None:
    outcome = defective_run(None)
    assert outcome.verdict.good, told(outcome)


@pytest.mark.parametrize("defect", list(Defect))
def test_a_deliberate_defect_is_found(defect: Defect) -> None:
    verdict = defective_run(defect).verdict
    if defect is Defect.SHARED_SEQUENCE:
        assert verdict.wrong
        assert any("said to be missing" in words for words in verdict.words), verdict.words
    else:
        assert verdict.lost, verdict.words

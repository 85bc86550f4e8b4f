"""The whole path under faults: real processes, killed, frozen and cut off from each other. See `tests/system/chaos`.

More, and longer: `python -m tests.benches.chaos`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud.embedded.broker import BrokerKind
from cloud.embedded.process import find_program
from tests.system.chaos.camera import CLIP
from tests.system.chaos.campaign import Outcome
from tests.system.chaos.defects import Defect
from tests.system.chaos.runs import defective_run, short_run

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        find_program("mosquitto") is None, reason="the sensors' broker has to keep what it acknowledged"
    ),
]

AT_ONCE = 4
"""A run waits more than it works: for faults to pass, for data to drain. None of them asserts how long anything takes."""

Runs = dict[BrokerKind | Defect | None, Future[Outcome]]


@pytest.fixture(scope="module")
def runs(clip: Callable[[str], Path]) -> Iterator[Runs]:
    """All runs by what is special in them, side by side, each in a world of its own."""
    clip(CLIP)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="chaos") as pool:
        try:
            yield {
                **{broker: pool.submit(short_run, broker) for broker in BrokerKind},
                **{defect: pool.submit(defective_run, defect) for defect in (None, *Defect)},
            }
        finally:
            pool.shutdown(cancel_futures=True)


def told(outcome: Outcome) -> str:
    return "\n".join(outcome.verdict.words)


@pytest.mark.parametrize("broker", list(BrokerKind))
def test_what_was_accepted_is_kept_once(runs: Runs, broker: BrokerKind) -> None:
    outcome = runs[broker].result()
    assert outcome.verdict.good, told(outcome)
    assert outcome.drained_s is not None, told(outcome)
    assert outcome.declared > 0  # the quota was full: readings were dropped, and every one of them declared
    assert outcome.incidents >= 40
    assert outcome.pictures > 0


def test_the_telling_schedule_is_survived(runs: Runs) -> None:
    outcome = runs[None].result()
    assert outcome.verdict.good, told(outcome)
    assert outcome.pictures > 0


@pytest.mark.parametrize("defect", list(Defect))
def test_a_deliberate_defect_is_found(runs: Runs, defect: Defect) -> None:
    verdict = runs[defect].result().verdict
    match defect:
        case Defect.SHARED_SEQUENCE:
            assert verdict.wrong
            assert any("said to be missing" in words for words in verdict.words), verdict.words
        case Defect.UPLOADED_BEFORE_ANSWER:
            assert any(words.startswith("lost: picture") for words in verdict.words), verdict.words
        case _:
            assert verdict.lost, verdict.words

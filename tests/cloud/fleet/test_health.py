"""Which report counts, and what its times mean on the clock of the cloud."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cloud.fleet.model import HealthTold
from cloud.fleet.policy import newest_reports, on_our_clock
from tests.contract.samples import HEALTH
from tests.fakes.node import AT, new_id

SESSIONS = [new_id(), new_id()]


def report(session: int, seq: int) -> HealthTold:
    return HealthTold(7, msgspec.structs.replace(HEALTH, session=SESSIONS[session], seq=seq), AT)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_of_one_session_the_highest_number_counts_in_any_order(numbers: list[int]) -> None:
    [kept] = newest_reports(report(0, number) for number in numbers)
    assert kept.health.seq == max(numbers)


@given(st.integers(-10_000_000, 10_000_000), st.integers(0, 1_000_000))
def test_an_age_is_right_whatever_the_nodes_clock_says(offset_s: int, age_s: int) -> None:
    at = HEALTH.at + timedelta(seconds=offset_s)
    backlog = msgspec.structs.replace(HEALTH.backlog, oldest_at=at - timedelta(seconds=age_s))
    told = on_our_clock(msgspec.structs.replace(HEALTH, at=at, backlog=backlog), AT)
    assert told.at == AT
    assert told.backlog.oldest_at == AT - timedelta(seconds=age_s)
    assert told.dropped == HEALTH.dropped  # event times are what charts use


def test_what_claims_to_wait_since_tomorrow_waits_since_now() -> None:
    backlog = msgspec.structs.replace(HEALTH.backlog, oldest_at=HEALTH.at + timedelta(days=1))
    assert on_our_clock(msgspec.structs.replace(HEALTH, backlog=backlog), AT).backlog.oldest_at == AT

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.access import policy
from cloud.access.policy import FORGET_AFTER, PER_ACCOUNT, PER_ACCOUNT_AND_ADDRESS, PER_ADDRESS
from tests.cloud.samples import NOW


def test_free_attempts_cost_nothing_then_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    assert [PER_ACCOUNT_AND_ADDRESS.wait_s(failures) for failures in range(9)] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert PER_ACCOUNT_AND_ADDRESS.wait_s(10_000) == PER_ACCOUNT.wait_s(10_000) == 900
    assert PER_ACCOUNT.wait_s(99) == 0
    assert PER_ADDRESS.wait_s(29) == 0


@given(st.integers(0, 40), st.floats(-1e6, 1e6))
def test_the_wait_is_never_negative_nor_longer_than_it_began(failures: int, since_s: float) -> None:
    left_s = policy.wait_left_s(PER_ACCOUNT_AND_ADDRESS, failures, NOW, NOW + timedelta(seconds=since_s))
    assert 0 <= left_s <= PER_ACCOUNT_AND_ADDRESS.wait_s(failures)
    if since_s >= PER_ACCOUNT_AND_ADDRESS.wait_s(failures):
        assert left_s == 0


class Door:
    """Counts attempts as the database does."""

    def __init__(self) -> None:
        self.standing: dict[str, tuple[int, datetime]] = {}

    def knock(self, name: str, network: str, now: datetime, *, is_familiar: bool = False) -> int:
        """Seconds to wait; with none the attempt counts as failed."""
        judged = policy.judge(policy.subjects(name, network, is_familiar=is_familiar), self.standing, now)
        if judged.wait_s == 0:
            self.standing |= {subject: (failures, now) for subject, failures in judged.failures.items()}
        return judged.wait_s


ATTACKS = st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1_000)), max_size=300)


@given(ATTACKS)
def test_nobody_elsewhere_makes_the_owner_wait_where_he_is_known(attack: list[tuple[int, float]]) -> None:
    door, now = Door(), NOW
    for number, pause_s in attack:
        now += timedelta(seconds=pause_s)
        door.knock("chief", f"198.51.100.{number}", now)
    assert door.knock("chief", "10.0.0.1", now, is_familiar=True) == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 12)), max_size=300))
def test_a_few_addresses_keep_nobody_out_who_comes_from_a_new_one(attack: list[tuple[int, float]]) -> None:
    door, now = Door(), NOW
    for number, pause_s in attack:
        now += timedelta(seconds=pause_s)
        door.knock("chief", f"198.51.100.{number}", now)
    assert now - NOW <= timedelta(hours=1)
    assert door.knock("chief", "10.0.0.1", now) == 0


@given(st.integers(1, 40), st.floats(0.5, 300))
def test_guesses_at_one_account_are_few_however_many_addresses_guess(networks: int, every_s: float) -> None:
    door, tried = Door(), 0
    for step in range(200):
        now = NOW + timedelta(seconds=step * every_s)
        if now - NOW > timedelta(hours=6):
            break
        tried += any(door.knock("chief", f"198.51.100.{number}", now) == 0 for number in range(networks))
    hours = min(200 * every_s, 6 * 3_600) / 3_600
    assert tried <= 100 + 15 + 5 * hours


def test_waits_only_grow_with_failures() -> None:
    for allowance in (PER_ACCOUNT_AND_ADDRESS, PER_ADDRESS, PER_ACCOUNT):
        waits = [allowance.wait_s(failures) for failures in range(200)]
        assert waits == sorted(waits)
        assert waits[-1] == 900


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("unknown", "unknown"),
        ("x" * 500, "x" * 100),
    ],
)
def test_who_has_a_whole_network_counts_as_one_address(address: str, network: str) -> None:
    assert policy.network_of(address) == network


def test_an_hour_of_rest_wipes_failures() -> None:
    assert policy.remaining_failures(7, NOW, NOW + FORGET_AFTER - timedelta(seconds=1)) == 7
    assert policy.remaining_failures(7, NOW, NOW + FORGET_AFTER) == 0

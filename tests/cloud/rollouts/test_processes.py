"""Several processes at the same rollouts, with connections of their own."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from cloud.db.pool import Pool, open_pool
from cloud.rollouts import advance, order_store, orders, store
from cloud.rollouts.model import RolloutState, Stage, StepState
from tests.cloud.rollouts.simulated import Fleet, make_fleet

STAGE = Stage(name="all", percent=100, soak=timedelta(minutes=1))


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    pool = open_pool(migrated_url, size=4)
    yield pool
    pool.close()


@pytest.fixture
def fleet(migrated_url: str) -> Iterator[Fleet]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC", autocommit=True) as conn:
        yield make_fleet(conn)


def test_two_sweeps_and_two_senders_take_what_no_other_has(fleet: Fleet, pool: Pool) -> None:
    node = fleet.add("station-1")
    rollout_id = fleet.start("1.1.0", STAGE)
    with pool.connection() as first, pool.connection() as second:
        assert advance.advance(first, rollout_id, now=fleet.now)
        assert not advance.advance(second, rollout_id, now=fleet.now)
    with pool.connection() as first, pool.connection() as second:
        assert orders.send(first, fleet._publish, now=fleet.now) == 1
        assert orders.send(second, fleet._publish, now=fleet.now) == 0
    assert len(node.inbox) == 1


def test_an_order_that_is_being_sent_is_known_to_have_been_sent_when_all_is_turned_back(
    fleet: Fleet, pool: Pool
) -> None:
    fleet.add("station-1")
    rollout_id = fleet.start("1.1.0", STAGE)
    fleet.sweep()
    with pool.connection() as sender, pool.connection() as person:
        assert orders.send(sender, fleet._publish, now=fleet.now) == 1
        person.execute("set local lock_timeout = '50ms'")
        store.lock(person, rollout_id, scope="")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            order_store.lock_orders(person, rollout_id)
        person.rollback()
    [(step, _)] = store.steps(fleet.conn, rollout_id)
    assert step.was_sent


def test_a_process_that_ends_between_publishing_and_its_commit_sends_again(fleet: Fleet, pool: Pool) -> None:
    node = fleet.add("station-1")
    rollout_id = fleet.start("1.1.0", STAGE)
    fleet.sweep()
    with pool.connection() as conn:
        assert orders.send(conn, fleet._publish, now=fleet.now) == 1
        conn.rollback()
    assert fleet.send() == 1
    assert len({each.desired_id for each in node.inbox}) == 1
    fleet.settle(rollout_id, RolloutState.DONE)
    assert fleet.states(rollout_id) == {"station-1": StepState.DONE}


def test_a_rollout_that_can_not_be_read_keeps_no_other_from_going_on(fleet: Fleet, pool: Pool) -> None:
    fleet.add("station-1")
    rollout_id = fleet.start("1.1.0", STAGE)
    broken = replace(fleet.draft("1.2.0", STAGE), state=RolloutState.RUNNING)
    store.save(fleet.conn, broken)
    fleet.conn.execute("update rollout set plan = '{}' where id = %s", [broken.id])
    with pytest.raises(ExceptionGroup) as raised:
        advance.advance_all(pool, now=fleet.now)
    assert [note for error in raised.value.exceptions for note in error.__notes__] == [f"rollout {broken.id}"]
    assert fleet.states(rollout_id) == {"station-1": StepState.OFFERED}

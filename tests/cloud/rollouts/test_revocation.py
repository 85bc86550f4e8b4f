"""A key is revoked while rollouts of what it signed are under way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from cloud.enrolment import service as enrolment
from cloud.rollouts import store
from cloud.rollouts.dispatch import order_duty
from cloud.rollouts.model import ACTIONS, BY_ITSELF, RolloutAction, RolloutCause, RolloutState, Stage, StepState
from cloud.settings import CloudSettings
from cloud.signing import Signer
from firmware_configs.keyring import Keyring
from tests.cloud.rollouts.simulated import MINUTE, Fleet
from tests.firmware_configs.keys import made_key

KEY = "0" * 64
NAMED = {KEY: "the site's"}
SLOW = Stage(name="all", percent=100, soak=60 * MINUTE)


def signer_in(folder: Path) -> Signer:
    return Signer.of(CloudSettings(database_url=SecretStr("postgresql://nowhere/none"), data_directory=folder))


def audited(fleet: Fleet) -> list[Any]:
    return fleet.conn.execute("select actor_name, action, detail from audit where actor_name = 'revocation'").fetchall()


def test_a_rollout_of_what_a_revoked_key_signed_stops_at_once_and_says_why(fleet: Fleet) -> None:
    for number in range(4):
        fleet.add(f"station-{number}")
    rollout_id = fleet.start("1.1.0", SLOW, plan={"at_once": 2})
    fleet.sweep()
    fleet.revoked = NAMED
    assert fleet.send() == 0, "what was written down before goes to nobody"
    fleet.live_through(10 * MINUTE)
    rollout = fleet.rollout(rollout_id)
    assert (rollout.state, rollout.cause) == (RolloutState.PAUSED, RolloutCause.KEY_REVOKED)
    assert rollout.reason is not None
    assert all(part in rollout.reason for part in ("simulated_pile 1.1.0", "the site's", "revoked"))
    assert not any(node.was_told for node in fleet.nodes.values())
    [(_, action, detail)] = audited(fleet)
    assert (action, detail["key"], detail["reason"]) == ("rollout.pause", KEY, rollout.reason)
    [event] = [row for row in store.events(fleet.conn, rollout_id) if row.after == RolloutState.PAUSED]
    assert (event.before, event.reason, event.actor_name) == (RolloutState.RUNNING, rollout.reason, "revocation")
    fleet.act(rollout_id, RolloutAction.RESUME)
    fleet.live_through(2 * MINUTE)
    assert fleet.rollout(rollout_id).state is RolloutState.PAUSED, "whoever resumes it all the same gains nothing"
    assert not any(node.was_told for node in fleet.nodes.values())


@pytest.mark.parametrize("state", [state for state in RolloutState if RolloutState.PAUSED in BY_ITSELF.get(state, ())])
def test_wherever_people_can_pause_it_a_revoked_key_does(fleet: Fleet, state: RolloutState) -> None:
    assert (state, RolloutAction.PAUSE) in ACTIONS
    fleet.add("station")
    waiting = state is RolloutState.WAITING_APPROVAL
    rollout_id = fleet.start("1.1.0", replace(SLOW, soak=5 * MINUTE, approval=True) if waiting else SLOW)
    fleet.settle(rollout_id, state)
    fleet.revoked = NAMED
    fleet.sweep()
    assert fleet.rollout(rollout_id).state is RolloutState.PAUSED
    assert len(audited(fleet)) == 1


def test_what_another_key_signed_goes_on_and_turning_back_too(fleet: Fleet) -> None:
    node = fleet.add("station")
    other = fleet.start("1.1.0", replace(SLOW, soak=MINUTE))
    fleet.revoked = {"1" * 64: "another"}
    fleet.settle(other, RolloutState.DONE)
    fleet.revoked = NAMED
    fleet.act(other, RolloutAction.ROLL_BACK)
    fleet.settle(other, RolloutState.ROLLED_BACK)
    assert node.running is not None
    assert (node.running.version, audited(fleet)) == ("1.0.0", [])


def test_who_comes_back_after_the_end_is_not_told_what_a_revoked_key_signed(fleet: Fleet) -> None:
    fleet.add("here")
    away = fleet.add("away")
    fleet.go(away)
    rollout_id = fleet.start("1.1.0", replace(SLOW, soak=MINUTE))
    fleet.settle(rollout_id, RolloutState.DONE)
    fleet.revoked = NAMED
    fleet.come(away)
    fleet.live_through(5 * MINUTE)
    assert (fleet.states(rollout_id)["away"], away.was_told) == (StepState.ABSENT, [])
    fleet.revoked = {}
    fleet.live_through(10 * MINUTE)
    assert fleet.states(rollout_id)["away"] is StepState.DONE


def test_a_keyring_names_the_revoked_keys() -> None:
    _key, ring = made_key()
    [trusted] = ring.keys.values()
    assert ring.revoked == {}
    assert Keyring.of([trusted, replace(trusted, revoked=True)]).revoked == {trusted.fingerprint: "key-0"}


def test_orders_wait_while_the_key_that_signs_them_is_retired(fleet: Fleet, tmp_path: Path) -> None:
    signer = signer_in(tmp_path)
    enrolment.use_command_key(fleet.conn, b"a" * 32, now=fleet.now)
    enrolment.use_command_key(fleet.conn, signer.public_key, now=fleet.now)
    node = fleet.add("station")
    rollout_id = fleet.start("1.1.0", SLOW)
    fleet.sweep()
    duty = order_duty(signer, lambda: Keyring({}))
    enrolment.retire_command_key(fleet.conn, signer.fingerprint, now=fleet.now)
    with capture_logs() as logs:
        assert [duty.send(fleet.conn, fleet._publish, fleet.now) for _ in range(3)] == [0, 0, 0]
    assert [each["log_level"] for each in logs] == ["error"], "it is said once"
    fleet.wait(120 * MINUTE)
    fleet.sweep()
    assert fleet.states(rollout_id) == {"station": StepState.OFFERED}, "nobody is blamed for what he was not told"
    fresh = signer_in(tmp_path / "next")
    enrolment.use_command_key(fleet.conn, fresh.public_key, now=fleet.now)
    assert order_duty(fresh, lambda: Keyring({})).send(fleet.conn, fleet._publish, fleet.now) == 1
    assert node.was_told

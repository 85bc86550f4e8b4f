"""A key that is trusted no more (密钥吊销): what it signed goes to no further node, and its rollouts stop where they are.

A key is revoked by its file in one of the folders of trusted keys; whatever looks for rollouts or orders reads these first.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.rollouts import policy, store
from cloud.rollouts.model import BY_ITSELF, Rollout, RolloutCause, RolloutState
from cloud.rollouts.store import Event

NONE_REVOKED: Final[Mapping[str, str]] = MappingProxyType({})
"""No key is: the names of revoked keys by fingerprint are empty."""

ACTOR: Final = "revocation"


def stop(conn: Connection[Any], rollout: Rollout, revoked: Mapping[str, str], *, now: datetime) -> Rollout:
    """Pause a rollout of what a revoked key signed, and write down why, for its page and in the audit log; the same where there is
    nothing to stop. Turning back goes on: it takes the artifact from nodes.
    """
    key = rollout.artifact.key
    if key not in revoked or RolloutState.PAUSED not in BY_ITSELF.get(rollout.state, frozenset()):
        return rollout
    policy.require_by_itself(rollout.state, RolloutState.PAUSED)
    reason = f"{rollout.artifact.name} {rollout.artifact.version} is signed with the key {revoked[key]!r} ({key[:16]}…), which is revoked"
    paused = replace(
        rollout,
        state=RolloutState.PAUSED,
        reason=reason[: policy.LONGEST_REASON],
        cause=RolloutCause.KEY_REVOKED,
    )
    store.save(conn, paused)
    told = Event(RolloutState.PAUSED.value, before=rollout.state.value, reason=paused.reason)
    store.add_events(conn, rollout.id, [told], now=now, actor_name=ACTOR)
    artifact = rollout.artifact
    audit.write(
        conn,
        "rollout.pause",
        f"rollout:{rollout.id}",
        actor_name=ACTOR,
        area_path=rollout.area_path,
        detail={
            "title": rollout.title,
            "artifact": f"{artifact.kind}/{artifact.name}/{artifact.version}",
            "state": paused.state.value,
            "reason": paused.reason,
            "key": key,
        },
    )
    return paused

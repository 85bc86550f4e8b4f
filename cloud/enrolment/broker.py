"""Who may do what at the broker (接入鉴权): written for a mosquitto, answered for a broker that asks (EMQX)."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import Connection

from cloud.enrolment import policy, service, store
from cloud.errors import Invalid
from cloud.fleet import store as fleet
from cloud.fleet.grants import (
    CLOUD_GRANTS,
    Access,
    BrokerUser,
    Grant,
    district_of,
    node_grants,
    password_fits,
    reaches_root,
    user,
)


class Answer(StrEnum):
    """The words of EMQX 5: `ignore` leaves it to whatever else the broker has been told to ask."""

    ALLOW = "allow"
    DENY = "deny"
    IGNORE = "ignore"


class Action(StrEnum):
    """What a client wants with a topic."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


@dataclass(frozen=True, slots=True)
class CloudUser:
    """The cloud's own user at the broker."""

    name: str
    password: str


def users(conn: Connection[Any], cloud: CloudUser | None, *, now: datetime) -> list[BrokerUser]:
    """All that the broker has to know now: every node with each of its credentials that work, and the cloud itself.

    Raises Invalid for a name of the cloud that the files can't hold, or that a node could have.
    """
    found = [
        BrokerUser(_name(each), each.password_hash, node_grants(each.district, each.node))
        for each in fleet.broker_secrets(conn, now)
    ]
    if cloud is None:
        return found
    if any(each.name == cloud.name for each in found):
        raise Invalid(f"the cloud's user at the broker has the name of a node: {cloud.name}")
    try:
        return [user(cloud.name, cloud.password, CLOUD_GRANTS), *found]
    except ValueError as error:
        raise Invalid(str(error)) from error


def authenticate(conn: Connection[Any], name: str, password: str, cloud: CloudUser | None, *, now: datetime) -> Answer:
    """Whether a client is who it says; only somebody who never had secrets of ours is left to the broker."""
    if cloud is not None and name == cloud.name:
        fits = hmac.compare_digest(password.encode("utf-8", "surrogatepass"), cloud.password.encode())
        return Answer.ALLOW if fits else Answer.DENY
    parts = policy.node_of_user(name)
    secrets = [] if parts is None else _of_generation(conn, *parts, now=now)
    if not secrets or parts is None:
        return Answer.IGNORE if _is_left_to_the_broker(conn, parts) else Answer.DENY
    if not any(password_fits(password, each.password_hash) for each in secrets):
        return Answer.DENY
    if parts[1] is not None:
        service.note_use(conn, secrets[0].node_id, parts[1], now=now)
    return Answer.ALLOW


def authorise(
    conn: Connection[Any], name: str, action: Action, topic: str, cloud: CloudUser | None, *, now: datetime
) -> Answer:
    """Whether a client may publish on a topic, or subscribe to a filter: nothing that its grants do not name.

    A client may be connected still whose credentials have ended, and a broker may allow what nobody forbids. So nothing is left to it
    that lies under the contract's root, and nothing of a node that has or had secrets of ours. One exception: whom the broker itself
    has let in under the name of a node that nobody has accepted yet may speak as that node, and wait in quarantine.
    """
    wanted = Access.WRITE if action is Action.PUBLISH else Access.READ
    if cloud is not None and name == cloud.name:
        return _of_grants(CLOUD_GRANTS, wanted, topic, granted=Answer.ALLOW)
    parts = policy.node_of_user(name)
    secrets = [] if parts is None else _of_generation(conn, *parts, now=now)
    if secrets:
        grants = node_grants(secrets[0].district, secrets[0].node)
        return _of_grants(grants, wanted, topic, granted=Answer.ALLOW)
    if not _is_left_to_the_broker(conn, parts):
        return Answer.DENY
    node = None if parts is None else store.identity(conn, parts[0], scope="")
    if node is not None:
        return _of_grants(node_grants(node.district, node.name), wanted, topic, granted=Answer.IGNORE)
    if parts is not None and parts[1] is None and (district := district_of(topic)) is not None:
        return _of_grants(node_grants(district, parts[0]), wanted, topic, granted=Answer.IGNORE)
    return Answer.DENY if reaches_root(topic) else Answer.IGNORE


def _of_grants(grants: Sequence[Grant], wanted: Access, topic: str, *, granted: Answer) -> Answer:
    return granted if any(grant.allows(wanted, topic) for grant in grants) else Answer.DENY


def _is_left_to_the_broker(conn: Connection[Any], parts: tuple[str, int | None] | None) -> bool:
    """Whether a name without secrets of ours that work never had any: a stranger, or a node that was accepted as it is."""
    node = None if parts is None else store.identity(conn, parts[0], scope="")
    if parts is None or node is None:
        return True
    return parts[1] is None and node.public_key is None and not node.has_secrets


def _of_generation(
    conn: Connection[Any], node: str, generation: int | None, *, now: datetime
) -> Sequence[fleet.BrokerSecret]:
    return [each for each in fleet.broker_secrets(conn, now, node=node) if each.generation == generation]


def _name(secret: fleet.BrokerSecret) -> str:
    return secret.node if secret.generation is None else policy.mqtt_user(secret.node, secret.generation)

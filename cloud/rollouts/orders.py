"""Orders on their way: what is wanted of a node is told to it while it is present, until its birth says that it has it."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from cloud.rollouts import order_store
from cloud.rollouts.order_store import Order
from cloud.rollouts.policy import AGAIN_AFTER
from edge.contract.downlink import DesiredProfile, order_statement
from edge.contract.envelope import encode
from edge.contract.topics import Channel, Topic

SENT_AT_ONCE = 100


def send(
    conn: Connection[Any],
    publish: Callable[[str, bytes], bool],
    *,
    now: datetime,
    sign: Callable[[bytes], str] | None = None,
    revoked: Collection[str] = (),
) -> int:
    """Give to the broker what is due; how many. What it does not take stays due. `sign` is the cloud's own key; what one of the
    `revoked` keys signed (by fingerprint) waits.
    """
    sent = []
    due = order_store.due_orders(conn, now=now, again_before=now - AGAIN_AFTER, count=SENT_AT_ONCE, revoked=revoked)
    for wanted in due:
        order = order_store.give_anew(conn, wanted, now=now) if wanted.is_anew else wanted
        if order is None:
            continue
        if not publish(*on_the_wire(order, sign=sign)):
            break
        sent.append(order)
    if sent:
        order_store.mark_sent(conn, sent, now=now)
    return len(sent)


def on_the_wire(order: Order, *, sign: Callable[[bytes], str] | None = None) -> tuple[str, bytes]:
    """Topic and payload of an order."""
    desired = DesiredProfile(
        node=order.node,
        profile=order.name,
        version=order.version,
        sha256=order.sha256,
        sig=order.sig,
        artifact=order.artifact,
        size_bytes=order.size_bytes,
        key=order.key,
        signed_at=order.signed_at,
        desired_id=order.desired_id,
        issued_at=order.issued_at,
        roll_back=order.roll_back,
        device=order.device,
        deadline=order.deadline,
    )
    if sign is not None:
        desired = msgspec.structs.replace(desired, order_sig=sign(order_statement(desired)))
    return str(Topic(order.district, order.node, Channel.DESIRED)), encode(desired)

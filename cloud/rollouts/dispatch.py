"""What the thread of orders sends, that is: what nodes shall run, and how often it looks."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter
from psycopg import Connection

from cloud.dispatch import Duty, Publish
from cloud.enrolment.store import is_retired
from cloud.rollouts import orders
from cloud.signing import Signer
from firmware_configs.keyring import Keyring

LOOK_EVERY_S = 1.0

_SENT = Counter("gridward_orders_sent_total", "What nodes shall run, given to the broker; those sent again included")
_FAILURES = Counter("gridward_orders_dispatch_failures_total", "Looks for orders that failed")

_log = structlog.get_logger(__name__)


def order_duty(signer: Signer | None, trusted: Callable[[], Keyring]) -> Duty:
    """Send what is wanted of nodes. Without `signer` orders go unsigned. What was signed with a key that is revoked among the `trusted`
    ones waits.

    Once the key of `signer` is retired all orders wait: nodes would refuse them, and that would count as failures of what they bring.
    """
    was_retired = False

    def send(conn: Connection[Any], publish: Publish, now: datetime) -> int:
        nonlocal was_retired
        if signer is None:
            return orders.send(conn, publish, now=now, revoked=trusted().revoked)
        if is_retired(conn, signer.public_key):
            if not was_retired:
                _log.error(
                    "orders wait: the key that signs them is retired; put another file in its place",
                    key=signer.fingerprint,
                )
            was_retired = True
            return 0
        was_retired = False
        return orders.send(conn, publish, now=now, sign=signer.sign, revoked=trusted().revoked)

    return Duty("order", send, LOOK_EVERY_S, _SENT, _FAILURES)

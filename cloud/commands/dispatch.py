"""What the thread of commands sends, and how often it looks."""

from datetime import datetime
from typing import Any

from prometheus_client import Counter
from psycopg import Connection

from cloud.commands import service
from cloud.dispatch import Duty, Publish
from cloud.signing import Signer

LOOK_EVERY_S = 0.25

_SENT = Counter("gridward_commands_sent_total", "Commands given to the broker, those sent again included")
_FAILURES = Counter("gridward_commands_dispatch_failures_total", "Looks for commands that failed")


def command_duty(signer: Signer | None = None) -> Duty:
    """Send what the table of commands holds. Without `signer` they go unsigned: a node that was enrolled with a key refuses them."""

    def send(conn: Connection[Any], publish: Publish, now: datetime) -> int:
        return service.send(conn, publish, signer=signer, now=now)

    return Duty("command", send, LOOK_EVERY_S, _SENT, _FAILURES)

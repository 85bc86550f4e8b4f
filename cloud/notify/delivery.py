"""Bringing notices to people outside of the page: what is queued is claimed, sent, and marked; what fails is tried again, then the next channel.

A claim is committed before anything is sent and ends by itself: a process that dies in between loses nothing, and what it had sent without saying
so is sent once more. Gateways know such a repetition by its key, browsers by its topic.
"""

import random
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter

from cloud.cases.model import CaseStatus
from cloud.db.pool import Pool
from cloud.errors import ChannelAway, ChannelRefused, Invalid
from cloud.notify import chat, gateway, web_push
from cloud.notify.gateway import Gateway
from cloud.notify.model import ChannelKind, DeliveryState, Failure, Urgency
from cloud.notify.policy import retry_after_s
from cloud.notify.post import WHOLE_S, Addresses, Post
from cloud.notify.store import queries
from cloud.notify.texts import TEST, Text, Wording, short, text
from cloud.notify.vault import Vault
from cloud.notify.web_push import Browser
from edge.contract.incident import Severity

AT_ONCE = 4
"""Messages on their way by one kind of channel."""
CLAIM = timedelta(seconds=120)
"""Longer than any channel takes."""

_DELIVERIES = Counter("gridward_notice_deliveries", "Attempts to bring a notice to somebody", ["kind", "outcome"])

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Courier:
    """What sending needs. `public_url` is where people sign in to see the case."""

    pool: Pool
    vault: Vault
    post: Post
    addresses: Addresses
    contact: str
    public_url: str = ""
    share: Callable[[], float] = random.random
    batch_s: float = WHOLE_S
    """How long a look waits for what it has sent off."""
    under_way: dict[ChannelKind, set[Future[None]]] = field(default_factory=dict)
    """What earlier looks did not wait for: at most `AT_ONCE` of each kind, touched by that kind's round alone."""

    def look(self, kind: ChannelKind, workers: ThreadPoolExecutor, now: datetime) -> int:
        """Send what is due by one kind of channel, at most `AT_ONCE` at a time; how many were tried.

        One that hangs takes one place, and is not waited for as long as there is another.
        """
        before = self.under_way.get(kind, set())
        if len(before) >= AT_ONCE:
            wait(before, return_when=FIRST_COMPLETED)
        hanging = {each for each in before if not each.done()}
        self.under_way[kind] = hanging
        for each in before - hanging:
            each.result()
        with self.pool.connection() as conn:
            rows = list(
                queries.claim_deliveries(
                    conn, now=now, claimed_until=now + CLAIM, kind=kind.value, count=AT_ONCE - len(hanging)
                )
            )
        sent_off = {workers.submit(self._deliver, row, now) for row in rows}
        done, late = wait(sent_off, self.batch_s)
        self.under_way[kind] = hanging | late
        for each in done:
            each.result()
        return len(rows)

    def _deliver(self, row: Any, now: datetime) -> None:
        if row.disabled_at is not None or row.seen_at is not None:
            self._end(row, DeliveryState.MUTED, None, now)
            return
        try:
            self._send(row, now)
        except ChannelAway as error:
            self._try_again(row, error.failure, now)
        except ChannelRefused as error:
            self._give_up(row, error.failure, now)
        except Invalid:
            self._give_up(row, Failure.UNREADABLE, now)
        except Exception:  # noqa: BLE001  # a worker's top: foreign libraries; counted, logged without what they say, tried again
            _DELIVERIES.labels(row.kind, "fault").inc()
            _log.warning("notice_channel_fault", kind=row.kind, channel=row.channel_id)
            self._try_again(row, Failure.FAULT, now)
        else:
            self._end(row, DeliveryState.SENT, None, now)

    def _send(self, row: Any, now: datetime) -> None:
        wording = wording_of(row)
        said = self._with_link(text(wording), row.case_id)
        address = self.vault.open(row.target)
        match ChannelKind(row.kind):
            case ChannelKind.WEB_PUSH:
                web_push.send(
                    self.post,
                    Browser.from_bytes(address),
                    short(wording) | ({"case": row.case_id} if row.case_id is not None else {}),
                    key=self.vault.push_key,
                    contact=self.contact,
                    topic=f"case-{row.case_id}" if row.case_id is not None else "cases",
                    urgency=Urgency(row.urgency),
                    now=now,
                )
            case ChannelKind.CHAT:
                chat.send(address.decode(), said, self.addresses)
            case ChannelKind.GATEWAY:
                gateway.send(self.post, Gateway.from_bytes(address), said, delivery_id=row.id)

    def _with_link(self, said: Text, case_id: int | None) -> Text:
        if not self.public_url:
            return said
        where = f"/cases/{case_id}" if case_id is not None else "/"
        return Text(said.title, f"{said.body}\n{self.public_url.rstrip('/')}{where}")

    def _end(self, row: Any, state: DeliveryState, failure: str | None, now: datetime) -> None:
        _DELIVERIES.labels(row.kind, state.value).inc()
        with self.pool.connection() as conn:
            queries.end_delivery(conn, delivery_id=row.id, state=state.value, failure=failure, now=now)
            if state is DeliveryState.SENT:
                queries.channel_worked(conn, channel_id=row.channel_id, now=now)

    def _try_again(self, row: Any, failure: str, now: datetime) -> None:
        wait_s = retry_after_s(row.attempts, share=self.share())
        if wait_s is None:
            self._give_up(row, failure, now)
            return
        _DELIVERIES.labels(row.kind, "failed").inc()
        with self.pool.connection() as conn:
            queries.channel_failed(conn, channel_id=row.channel_id, failure=failure, now=now)
            queries.try_delivery_again(
                conn, delivery_id=row.id, failure=failure, due_at=now + timedelta(seconds=wait_s)
            )

    def _give_up(self, row: Any, failure: str, now: datetime) -> None:
        """The record stays; the person's next channel has its turn. A browser that is gone is not asked again."""
        _DELIVERIES.labels(row.kind, DeliveryState.GIVEN_UP.value).inc()
        with self.pool.connection() as conn:
            queries.end_delivery(conn, delivery_id=row.id, state=DeliveryState.GIVEN_UP.value, failure=failure, now=now)
            queries.channel_failed(conn, channel_id=row.channel_id, failure=failure, now=now)
            if failure == Failure.GONE and row.kind == ChannelKind.WEB_PUSH.value:
                queries.channel_gone(conn, channel_id=row.channel_id, now=now)
            if row.word != TEST:
                queries.queue_next(conn, notice_id=row.notice_id, now=now)


def wording_of(row: Any) -> Wording:
    """What a text may be made of, of a row of `claim_deliveries`."""
    return Wording(
        word=row.word,
        number=row.number,
        category=row.category,
        severity=Severity(row.severity) if row.severity is not None else None,
        area_name=row.area_name,
        status=CaseStatus(row.status) if row.status is not None else None,
        count=row.cases,
        drill=row.drill,
        simulated=row.simulated,
        language=row.language,
    )

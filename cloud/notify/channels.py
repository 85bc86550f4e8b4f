"""By what people are reached outside of the page. A person subscribes his browser; other addresses are an administrator's to give.

Addresses are encrypted, never shown again and never logged.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.errors import Conflict, Invalid, NotFound, TooOften
from cloud.notify import chat
from cloud.notify.gateway import Gateway
from cloud.notify.model import Because, ChannelKind, Failure, Manner, Urgency
from cloud.notify.store import queries
from cloud.notify.texts import TEST
from cloud.notify.vault import Vault
from cloud.notify.web_push import Browser

MOST = 20
BETWEEN_TESTS = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeChannel:
    """A channel as it is shown: without its address. `place` 0 comes first."""

    id: int
    account_id: int
    kind: ChannelKind
    label: str
    place: int
    created_at: datetime
    worked_at: datetime | None
    failed_at: datetime | None
    failure: Failure | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the queries."""
        return cls(
            id=row.id,
            account_id=row.account_id,
            kind=ChannelKind(row.kind),
            label=row.label,
            place=row.place,
            created_at=row.created_at,
            worked_at=row.worked_at,
            failed_at=row.failed_at,
            failure=Failure(row.failure) if row.failure is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """A channel that somebody is to have. `target` is kept encrypted; `identity` is by what the same one is found again."""

    kind: ChannelKind
    label: str
    place: int
    target: bytes = field(repr=False)
    identity: bytes = field(repr=False)

    @classmethod
    def chat(cls, url: str, *, label: str, place: int) -> Self:
        """An address of a robot or of mail. Raises Invalid."""
        chat.check(url)
        return cls(ChannelKind.CHAT, label, place, url.encode(), url.encode())

    @classmethod
    def gateway(cls, gateway: Gateway, *, label: str, place: int) -> Self:
        """A number at a gateway."""
        return cls(ChannelKind.GATEWAY, label, place, gateway.to_bytes(), gateway.to_bytes())


def of_account(conn: Connection[Any], user: Principal, account_id: int) -> list[NoticeChannel]:
    """The channels of a person: one's own, or of anybody in an administrator's scope. Raises NotFound."""
    _check_reach(conn, user, account_id)
    return [NoticeChannel.of(row) for row in queries.channels_of(conn, account_id=account_id)]


def subscribe(
    conn: Connection[Any], vault: Vault, user: Principal, browser: Browser, *, label: str, now: datetime
) -> NoticeChannel:
    """Have notices come to one's own browser. One that another person used before tells that one nothing any more. Raises Conflict."""
    identity = browser.endpoint.encode()
    queries.forget_browser(conn, fingerprint=vault.fingerprint(identity), now=now)
    wish = Wish(ChannelKind.WEB_PUSH, label, 0, browser.to_bytes(), identity)
    return add(conn, vault, user, user.user_id, wish, now=now)


def add(
    conn: Connection[Any], vault: Vault, user: Principal, account_id: int, wish: Wish, *, now: datetime
) -> NoticeChannel:
    """Give a person a channel. Raises Invalid, NotFound, Conflict."""
    if not wish.label.strip():
        raise Invalid("a channel needs a label")
    _check_reach(conn, user, account_id)
    row = queries.lock_account(conn, account_id=account_id)
    if row is None or row.disabled_at is not None:
        raise NotFound("there is no such person")
    if queries.count_channels(conn, account_id=account_id) >= MOST:
        raise Conflict(f"a person has at most {MOST} channels")
    channel_id = queries.insert_channel(
        conn,
        account_id=account_id,
        kind=wish.kind.value,
        label=wish.label,
        place=wish.place,
        target=vault.seal(wish.target),
        fingerprint=vault.fingerprint(wish.identity),
        now=now,
        created_by=user.user_id,
    )
    audit.write(
        conn,
        "notice_channel.added",
        f"notice_channel:{channel_id}",
        actor=user,
        detail={"account": account_id, "kind": wish.kind},
    )
    return NoticeChannel.of(queries.channel_by_id(conn, channel_id=channel_id))


def remove(conn: Connection[Any], user: Principal, channel_id: int, *, now: datetime) -> None:
    """Switch a channel off; its address is forgotten. Raises NotFound."""
    channel = _find(conn, user, channel_id)
    queries.forget_channel(conn, channel_id=channel_id, now=now)
    audit.write(
        conn,
        "notice_channel.removed",
        f"notice_channel:{channel_id}",
        actor=user,
        detail={"account": channel.account_id, "kind": channel.kind},
    )


def test(conn: Connection[Any], user: Principal, channel_id: int, *, now: datetime) -> None:
    """Send a trial by one channel; how it went is told with the channel. Raises NotFound, TooOften."""
    channel = _find(conn, user, channel_id)
    queries.lock_account(conn, account_id=channel.account_id)
    if queries.tested_since(conn, channel_id=channel_id, word=TEST, since=now - BETWEEN_TESTS):
        raise TooOften("it was tried a moment ago")
    notice_id = queries.insert_notice(
        conn,
        account_id=channel.account_id,
        case_id=None,
        case_event_id=None,
        word=TEST,
        audience=None,
        urgency=Urgency.RING.value,
        manner=Manner.RING.value,
        because=Because.NEWS.value,
        gather_at=None,
        cases=0,
        number=None,
        kind=None,
        category=None,
        severity=None,
        status=None,
        area_code=None,
        area_name=None,
        drill=False,
        simulated=False,
        now=now,
    )
    queries.queue_on(conn, notice_id=notice_id, channel_id=channel_id, now=now)


def _find(conn: Connection[Any], user: Principal, channel_id: int) -> NoticeChannel:
    row = queries.channel_by_id(conn, channel_id=channel_id)
    if row is None:
        raise NotFound("there is no such channel")
    channel = NoticeChannel.of(row)
    _check_reach(conn, user, channel.account_id, "there is no such channel")
    return channel


def _check_reach(
    conn: Connection[Any], user: Principal, account_id: int, refusal: str = "there is no such person"
) -> None:
    """Raise NotFound unless this is the person himself, or somebody whom an administrator looks after."""
    if account_id == user.user_id:
        return
    row = queries.account_place(conn, account_id=account_id)
    if row is None or user.role is not Role.ADMINISTRATOR or not user.sees(row.area_path):
        raise NotFound(refusal)

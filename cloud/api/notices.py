"""Telling people: one's own notices and wishes, channels, who was told of a case, who would be."""

from datetime import datetime, time
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Parts, User, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.problems import RESPONSES
from cloud.notify import channels, inbox
from cloud.notify.channels import NoticeChannel, Wish
from cloud.notify.gateway import Gateway
from cloud.notify.inbox import NoticeThread, ToldPerson, WouldBeTold
from cloud.notify.model import Preference
from cloud.notify.roster import on_duty
from cloud.notify.rules import RULES
from cloud.notify.web_push import Browser, encode

router = APIRouter(prefix="/api/v1", tags=["notices"], responses=RESPONSES)

Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
Overseer = Annotated[Principal, Depends(require(Role.DUTY_CHIEF, Role.DISPATCHER, Role.AUDITOR, Role.ADMINISTRATOR))]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
CaseId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
ChannelId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Address = Annotated[SecretStr, Field(min_length=1, max_length=1_000)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,200}={0,2}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


class NoticePage(BaseModel):
    """My threads, the newest first; `unseen` is how many of all have something new, `next` the cursor of the page after."""

    items: list[NoticeThread]
    unseen: int
    next: str | None


class SeenRequest(BaseModel):
    """Up to which notice I have seen: of one case, of all, or (`alone`) that one and no other."""

    model_config = ConfigDict(extra="forbid")

    upto: Id
    case_id: Id | None = None
    alone: bool = False


class NoticePreference(BaseModel):
    """What I want: hours of quiet in local time (critical ones ring through, and all while I am on duty), minutes for which little things are gathered."""

    model_config = ConfigDict(extra="forbid")

    quiet_from: time | None = None
    quiet_to: time | None = None
    digest_min: Annotated[int, Field(ge=0, le=240)] = 30
    language: Literal["zh", "en"] = "zh"

    @model_validator(mode="after")
    def _local(self) -> Self:
        if any(each is not None and each.tzinfo is not None for each in (self.quiet_from, self.quiet_to)):
            raise ValueError("hours of quiet are local times, without a zone")
        return self


class PushKey(BaseModel):
    """With what a browser subscribes (`applicationServerKey`), in base64url."""

    public_key: str


class BrowserRequest(BaseModel):
    """A subscription as a browser gives it."""

    model_config = ConfigDict(extra="forbid")

    label: Label
    endpoint: Address
    p256dh: Key
    auth: Key


class ChannelRequest(BaseModel):
    """A channel for a person: `url` of a robot or of mail (`dingtalk wecombot feishu lark mailto mailtos`), or `https://…` of a gateway with `to`.

    Addresses are never shown again. `place` 1 comes before 2; browsers have 0.
    """

    model_config = ConfigDict(extra="forbid")

    account_id: Id
    kind: Literal["chat", "gateway"]
    label: Label
    place: Annotated[int, Field(ge=0, le=9)] = 1
    url: Address
    to: Annotated[SecretStr, Field(max_length=200)] = SecretStr("")
    token: Annotated[SecretStr, Field(max_length=500)] = SecretStr("")

    def wish(self) -> Wish:
        """What is asked for. Raises Invalid."""
        url = self.url.get_secret_value()
        if self.kind == "chat":
            return Wish.chat(url, label=self.label, place=self.place)
        gateway = Gateway.of(url, self.to.get_secret_value(), self.token.get_secret_value())
        return Wish.gateway(gateway, label=self.label, place=self.place)


class ChannelList(BaseModel):
    """Channels in the order in which they are tried."""

    items: list[NoticeChannel]


class ToldList(BaseModel):
    """Who was told of a case, the newest first."""

    items: list[ToldPerson]


class Rehearsed(BaseModel):
    """Who would be told, and the words that could be asked for."""

    word: str
    at: datetime
    people: list[WouldBeTold]
    words: list[str]


@router.get("/notices", summary="What I was told")
def list_notices(user: User, conn: Conn, limit: Limit = 50, after: After = None) -> NoticePage:
    """One thread for each case, and one for each notice that gathers several."""
    before = decode_id(after)
    found = inbox.threads(conn, user, before=LARGEST_ID if before is None else before, count=limit + 1)
    items = found[:limit]
    return NoticePage(
        items=items,
        unseen=inbox.unseen(conn, user),
        next=encode_cursor(items[-1].id) if len(found) > limit else None,
    )


@router.post("/notices/seen", summary="I have seen it")
def see_notices(seen: SeenRequest, user: User, conn: Conn, parts: Parts) -> NoticePage:
    """What came after `upto` stays new. What is seen before it was sent is sent no more."""
    inbox.see(conn, user, upto=seen.upto, case_id=seen.case_id, alone=seen.alone, now=parts.clock())
    return list_notices(user, conn)


@router.get("/notice-preference", summary="How I want to be told")
def read_notice_preference(user: User, conn: Conn) -> NoticePreference:
    """What holds for me now."""
    wanted = inbox.preference(conn, user)
    return NoticePreference(
        quiet_from=wanted.quiet_from,
        quiet_to=wanted.quiet_to,
        digest_min=wanted.digest_min,
        language="en" if wanted.language == "en" else "zh",
    )


@router.put("/notice-preference", summary="Change how I am told")
def put_notice_preference(wanted: NoticePreference, user: User, conn: Conn, parts: Parts) -> NoticePreference:
    """Holds for what is told from now on."""
    kept = Preference(
        quiet_from=wanted.quiet_from,
        quiet_to=wanted.quiet_to,
        digest_min=wanted.digest_min,
        language=wanted.language,
    )
    inbox.prefer(conn, user, kept, now=parts.clock())
    return wanted


@router.get("/notice-channels", summary="By what I am, or somebody is, told")
def list_notice_channels(
    user: User,
    conn: Conn,
    account: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="For administrators: whose")] = None,
) -> ChannelList:
    """Without their addresses."""
    return ChannelList(items=channels.of_account(conn, user, user.user_id if account is None else account))


@router.post("/notice-channels", summary="Give somebody a channel", status_code=201)
def add_notice_channel(wanted: ChannelRequest, user: Administrator, conn: Conn, parts: Parts) -> NoticeChannel:
    """The address is encrypted and never shown again; try it with `/test`."""
    return channels.add(conn, parts.vault, user, wanted.account_id, wanted.wish(), now=parts.clock())


@router.delete("/notice-channels/{channel_id}", summary="Switch a channel off", status_code=204)
def remove_notice_channel(channel_id: ChannelId, user: User, conn: Conn, parts: Parts) -> None:
    """One's own, or of somebody whom an administrator looks after. Its address is forgotten."""
    channels.remove(conn, user, channel_id, now=parts.clock())


@router.post("/notice-channels/{channel_id}/test", summary="Try a channel", status_code=202)
def test_notice_channel(channel_id: ChannelId, user: User, conn: Conn, parts: Parts) -> None:
    """A trial is sent; `worked_at` or `failure` of the channel says how it went."""
    channels.test(conn, user, channel_id, now=parts.clock())


@router.get("/web-push", summary="With what a browser subscribes")
def read_push_key(_user: User, parts: Parts) -> PushKey:
    """The public key by which push services know this cloud (RFC 8292)."""
    return PushKey(public_key=encode(parts.vault.push_public_key))


@router.post("/web-push", summary="Have notices come to this browser", status_code=201)
def subscribe_browser(wanted: BrowserRequest, user: User, conn: Conn, parts: Parts) -> NoticeChannel:
    """A browser that somebody else used before tells that person nothing any more."""
    browser = Browser.of(wanted.endpoint.get_secret_value(), wanted.p256dh, wanted.auth)
    return channels.subscribe(conn, parts.vault, user, browser, label=wanted.label, now=parts.clock())


@router.get("/cases/{case_id}/notices", summary="Who was told of a case")
def list_case_notices(case_id: CaseId, user: Overseer, conn: Conn) -> ToldList:
    """Of what, how and why so, on which channels, and how far it came; the newest two hundred."""
    return ToldList(items=inbox.told_of(conn, user, case_id))


@router.get("/cases/{case_id}/would-be-told", summary="Who would be told of a case")
def rehearse_case_notices(
    case_id: CaseId, user: Administrator, conn: Conn, parts: Parts, word: Annotated[Word, Query()] = "opened"
) -> Rehearsed:
    """If this happened to the case now. Nobody is told."""
    now = parts.clock()
    people = inbox.would_be_told(conn, user, case_id, word, roster=on_duty, zone=parts.settings.zone, now=now)
    return Rehearsed(word=word, at=now, people=people, words=sorted(RULES))

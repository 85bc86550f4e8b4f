"""From a case to the phone: real database, real sinks; failures, crashes, and the next channel."""

import dataclasses
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from cloud.errors import TooOften
from cloud.notify import channels, inbox
from cloud.notify.channels import Wish
from cloud.notify.delivery import CLAIM, Courier
from cloud.notify.gateway import Gateway
from cloud.notify.model import ChannelKind
from cloud.notify.policy import RETRY_S
from cloud.notify.post import Addresses, Post
from cloud.notify.vault import Vault
from cloud.notify.web_push import Browser
from edge.contract.incident import Severity
from tests.cloud.notify.conftest import District
from tests.cloud.notify.sinks import LOOPBACK, HttpsSink, MailSink, Phone, https_sink, mail_sink
from tests.cloud.samples import incident
from tests.waiting import wait_until

POISON = "张三 13800138000"
POISONED = {
    "grid_case": ("title", "description", "address", "spot", "device", "kind", "category", "correlation_key"),
    "case_event": ("note",),
    "account": ("display_name",),
    "incident": ("spot", "device", "category", "note", "unit", "zone", "direction"),
    "device": ("name", "title"),
}


@dataclass
class Town:
    """A district whose nearest chief has a phone, then a number at a gateway, then mail."""

    district: District
    sink: HttpsSink
    mail: MailSink
    phone: Phone
    vault: Vault
    workers: ThreadPoolExecutor

    def courier(self, post: Post | None = None) -> Courier:
        return Courier(
            pool=self.district.pool,
            vault=self.vault,
            post=post or self.sink.post(),
            addresses=Addresses(LOOPBACK),
            contact="mailto:operator@example.org",
            public_url="https://gridward.example.org",
            share=lambda: 0.5,
        )

    def deliver(self, after_s: float = 0.0) -> int:
        self.district.now += timedelta(seconds=after_s)
        courier = self.courier()
        return sum(courier.look(kind, self.workers, self.district.now) for kind in ChannelKind)

    def states(self) -> list[tuple[str, str, str | None]]:
        return [
            (row.kind, row.state, row.failure)
            for row in self.district.rows(
                "select c.kind, d.state, d.failure from notice_delivery d join notice_channel c on c.id = d.channel_id"
                " order by d.id"
            )
        ]


@pytest.fixture
def town(district: District, tmp_path: Path) -> Iterator[Town]:
    vault, phone = Vault(bytes(32)), Phone()
    with https_sink(tmp_path) as sink, mail_sink() as mail, ThreadPoolExecutor(2) as workers:
        near = district.principal("near")
        browser = Browser(sink.url, phone.public_key, phone.secret)
        channels.subscribe(district.conn, vault, near, browser, label="Phone", now=district.now)
        gateway = Wish.gateway(Gateway(sink.url + "/sms", "13800138000", "secret"), label="SMS", place=1)
        channels.add(district.conn, vault, near, near.user_id, gateway, now=district.now)
        url = f"mailto://127.0.0.1:{mail.port}?smtp=127.0.0.1&from=g@example.org&to=chief@example.org&mode=insecure"
        channels.add(district.conn, vault, near, near.user_id, Wish.chat(url, label="Mail", place=2), now=district.now)
        district.conn.commit()
        yield Town(district, sink, mail, phone, vault, workers)


def test_a_case_reaches_the_phone_of_the_chief(town: Town) -> None:
    town.district.receive(incident(severity=Severity.HIGH, category="fire_safety"))
    town.district.told()
    assert town.deliver() == 1
    told = town.phone.read(town.sink.received[0].body)
    (case,) = town.district.rows("select id, number from grid_case")
    assert told["number"] == case.number
    assert (told["severity"], told["case"], told["title"]) == ("high", case.id, "重要 · 新案件")
    assert town.states() == [("web_push", "sent", None)]
    assert town.deliver(60) == 0


def test_a_critical_one_goes_out_by_everything_at_once(town: Town) -> None:
    town.district.receive(incident(severity=Severity.CRITICAL))
    town.district.told()
    assert town.deliver() == 3
    assert {state for _, state, _ in town.states()} == {"sent"}
    sms = next(json.loads(each.body) for each in town.sink.received if each.path == "/hook/sms")
    assert sms["title"] == "紧急 · 新案件"
    assert sms["text"].endswith("https://gridward.example.org/cases/1")
    assert len(town.mail.messages) == 1


def test_what_fails_is_tried_again_ever_later_then_the_next_channel_has_its_turn(town: Town) -> None:
    town.sink.statuses = [503] * (len(RETRY_S) + 1) + [200]
    town.district.receive(incident())
    town.district.told()
    assert town.deliver() == 1
    for wait_s in RETRY_S:
        assert town.deliver(wait_s - 1) == 0
        assert town.deliver(1) >= 1
    assert town.states() == [("web_push", "given_up", "busy"), ("gateway", "sent", None)]
    assert not town.mail.messages


def test_a_browser_that_is_gone_is_not_asked_again(town: Town) -> None:
    town.sink.statuses = [410, 200]
    town.district.receive(incident(1), incident(2, device="cam-2"))
    town.district.told()
    town.district.rows("update notice_delivery set due_at = due_at + interval '1 second' where id > 1 returning id")
    town.deliver()
    town.deliver(2)
    assert [state[:2] for state in town.states()][:1] == [("web_push", "given_up")]
    (browser,) = town.district.rows("select * from notice_channel where kind = 'web_push'")
    assert browser.disabled_at is not None
    assert bytes(browser.target) == b""


def test_after_a_crash_it_is_sent_once_more_and_never_lost(town: Town) -> None:
    class Crash(BaseException):
        pass

    class Crashing(Post):
        def send(self, url: str, body: bytes, headers: Any) -> None:
            town.sink.post().send(url, body, headers)
            raise Crash

    town.district.receive(incident())
    town.district.told()
    with pytest.raises(Crash):
        town.courier(Crashing(Addresses(LOOPBACK))).look(ChannelKind.WEB_PUSH, town.workers, town.district.now)
    assert len(town.sink.received) == 1
    assert town.deliver() == 0, "it is claimed"
    assert town.deliver(CLAIM.total_seconds() + 1) == 1
    assert len(town.sink.received) == 2
    assert {each.headers["topic"] for each in town.sink.received} == {"case-1"}
    assert town.states() == [("web_push", "sent", None)]


def test_one_that_hangs_holds_up_no_other(town: Town) -> None:
    hangs, over = threading.Event(), threading.Event()

    class Hanging(Post):
        def send(self, url: str, body: bytes, headers: Any) -> None:
            if not hangs.is_set():
                hangs.set()
                over.wait()
            town.sink.post().send(url, body, headers)

    courier = dataclasses.replace(town.courier(Hanging(Addresses(LOOPBACK))), batch_s=0.0)
    try:
        town.district.receive(incident(1))
        town.district.told()
        assert courier.look(ChannelKind.WEB_PUSH, town.workers, town.district.now) == 1
        assert hangs.wait(30)
        town.district.receive(incident(2, device="cam-2"))
        town.district.told()
        assert courier.look(ChannelKind.WEB_PUSH, town.workers, town.district.now) == 1
        wait_until(lambda: [each.headers["topic"] for each in town.sink.received] == ["case-2"])
    finally:
        over.set()
    wait_until(lambda: {state for _, state, _ in town.states()} == {"sent"})


def test_two_couriers_never_send_the_same(town: Town) -> None:
    for number in range(1, 5):
        town.district.receive(incident(number, device=f"cam-{number}"))
    town.district.told()
    couriers = [town.courier(), town.courier()]
    with ThreadPoolExecutor(2) as both:
        done = both.map(lambda courier: courier.look(ChannelKind.WEB_PUSH, town.workers, town.district.now), couriers)
        assert sum(done) == 4
    assert len({each.headers["topic"] for each in town.sink.received}) == len(town.sink.received) == 4


def test_what_was_seen_in_the_page_rings_no_more(town: Town) -> None:
    town.district.receive(incident())
    town.district.told()
    inbox.see(town.district.conn, town.district.principal("near"), upto=10**9, case_id=None, now=town.district.now)
    town.district.conn.commit()
    town.deliver()
    assert town.states() == [("web_push", "muted", None)]
    assert not town.sink.received


def test_an_address_of_our_own_network_is_never_asked(town: Town) -> None:
    town.district.receive(incident())
    town.district.told()
    post = Post(Addresses(), trust=town.sink.trust)
    town.courier(post).look(ChannelKind.WEB_PUSH, town.workers, town.district.now)
    assert not town.sink.received
    assert town.states()[0] == ("web_push", "given_up", "forbidden_address")


def test_nothing_written_by_hand_reaches_any_channel(town: Town) -> None:
    """Poison stands in every text column of the case, of its history and of the people in it."""
    town.district.receive(incident(severity=Severity.CRITICAL, note="x", spot="gate"))
    for table, columns in POISONED.items():
        for column in columns:
            statement = sql.SQL("update {} set {} = {}").format(
                sql.Identifier(table), sql.Identifier(column), sql.Literal(POISON)
            )
            town.district.run(statement)
    town.district.told()
    town.deliver()
    assert len(town.sink.received) == 2
    sent = [
        json.dumps(town.phone.read(each.body)) if each.path == "/hook" else each.body.decode()
        for each in town.sink.received
    ]
    sent = [json.dumps(json.loads(each), ensure_ascii=False) for each in sent]
    for message in (*sent, *town.mail.messages):
        assert "张三" not in message
        assert "13800138000" not in message.replace('"to": "13800138000"', "")


def test_a_trial_says_how_it_went(town: Town) -> None:
    near = town.district.principal("near")
    sms = next(each for each in channels.of_account(town.district.conn, near, near.user_id) if each.kind == "gateway")
    channels.test(town.district.conn, near, sms.id, now=town.district.now)
    with pytest.raises(TooOften):
        channels.test(town.district.conn, near, sms.id, now=town.district.now)
    town.district.conn.commit()
    town.sink.statuses = [403]
    assert town.deliver() == 1
    (shown,) = [each for each in channels.of_account(town.district.conn, near, near.user_id) if each.id == sms.id]
    assert shown.failure == "refused"
    assert town.states() == [("gateway", "given_up", "refused")], "a trial of one is no reason to ask the next"


def test_what_is_old_goes_and_what_gathered_it_after_it(town: Town) -> None:
    town.district.receive(incident(1, severity=Severity.LOW), incident(2, device="cam-2"))
    town.district.told()
    town.deliver()
    summary_at = timedelta(minutes=31)
    assert ("near", "summary") in town.district.told(summary_at)
    begun = town.district.now - summary_at
    assert inbox.prune(town.district.conn, before=begun) == 0
    assert inbox.prune(town.district.conn, before=begun + timedelta(seconds=1)) == 4
    assert inbox.prune(town.district.conn, before=town.district.now + timedelta(days=1)) == 2
    town.district.conn.commit()
    assert town.states() == []


def test_it_can_be_asked_who_was_told_and_how_far_it_came(town: Town) -> None:
    town.district.receive(incident())
    town.district.told()
    town.deliver()
    found = inbox.told_of(town.district.conn, town.district.principal("chief"), 1)
    by_name = {each.display_name: each for each in found}
    assert [(each.kind, each.state, each.label) for each in by_name["Near"].deliveries] == [
        ("web_push", "sent", "Phone")
    ]
    assert not by_name["Worker"].deliveries

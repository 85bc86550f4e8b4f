import random
import socket
from collections import Counter as Counted
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from edge.contract.birth import Birth, PresenceState
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope, Lane
from edge.contract.fields import uuid7
from edge.contract.incident import IncidentState
from edge.contract.telemetry import GapReason
from edge.mqtt import Endpoint
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from edge.uplink import publisher as publisher_module
from edge.uplink.publisher import Identity, Publisher
from edge.uplink.window import WINDOW, SendWindow
from tests.brokers import ReadyBroker
from tests.edge.records import START, SteppedClock, incident, reading, replayed
from tests.edge.waiting import wait_until
from tests.fakes.answering_cloud import AnsweringCloud, readings_of

pytestmark = pytest.mark.system
NODE, DISTRICT = "station-01", "110105"


class Rig:
    """One outbox, one publisher, one cloud at one broker."""

    def __init__(self, broker: ReadyBroker, directory: Path, stack: ExitStack) -> None:
        self.broker = broker
        self.directory = directory
        self.stack = stack
        self.clock = SteppedClock(START + timedelta(hours=1))
        self.password = broker.add_node(DISTRICT, NODE)
        self.cloud = AnsweringCloud(broker.port, user=broker.cloud_user, password=broker.cloud_password)
        stack.callback(self.cloud.close)
        self.publishers: list[Publisher] = []
        self.outbox = Outbox(
            directory,
            OutboxSettings(),
            clock=self.clock,
            on_commit=self.nudge,
            window_s=0.001,
        )
        stack.callback(self.outbox.close)

    def nudge(self) -> None:
        for each in self.publishers:
            each.nudge()

    def publish(self, *, probe_after_s: float = 0.3) -> Publisher:
        made = Publisher(
            Identity(DISTRICT, NODE, uuid7(1)),
            Endpoint("127.0.0.1", self.broker.port, user=NODE, password=self.password),
            self.outbox,
            lambda: Birth(software="test"),
            historical_after_s=60.0,
            clock=self.clock,
            window=SendWindow(probe_after_s=probe_after_s, overtaken_s=probe_after_s / 2),
        )
        self.publishers.append(made)
        made.start()
        self.stack.callback(made.stop)
        return made

    def count(self, counter: Counter) -> int:
        return self.outbox.figures().counters[counter]

    def settled(self) -> bool:
        figures = self.outbox.figures()
        return not figures.messages_waiting and figures.readings_waiting == 0


@pytest.fixture
def rig(broker: ReadyBroker, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(broker, tmp_path, stack)


def test_what_the_cloud_acknowledges_leaves_the_outbox(rig: Rig) -> None:
    rig.outbox.readings([reading(number) for number in range(100)])
    rig.outbox.incident(incident())
    rig.publish()
    wait_until(rig.settled, "everything acknowledged")
    assert len(set(readings_of(rig.cloud.sent))) == 100
    assert rig.count(Counter.READINGS_DELIVERED) == 100
    assert rig.count(Counter.INCIDENTS_DELIVERED) == 1
    assert [status.state for status in rig.cloud.statuses] == [PresenceState.ONLINE]
    rig.outbox.readings([reading(200)])
    wait_until(rig.settled, "a later reading acknowledged")


def test_the_broker_taking_it_is_not_enough(rig: Rig) -> None:
    rig.cloud.answer = lambda _envelope: None
    rig.outbox.incident(incident())
    rig.publish()
    wait_until(lambda: len(rig.cloud.sent) >= 3, "resends")
    assert len({envelope.id for envelope in rig.cloud.sent}) == 1
    assert len({(envelope.lane, envelope.seq) for envelope in rig.cloud.sent}) == 1
    assert not rig.settled()
    rig.cloud.acknowledge([rig.cloud.sent[0].id])
    wait_until(rig.settled, "the late acknowledgement applied")


def test_late_doubled_missing_and_disordered_answers(rig: Rig) -> None:
    chance = random.Random(7)  # noqa: S311 (a seed that repeats)
    held: list[Envelope[Any]] = []
    times: Counted[UUID] = Counted()

    def answer(envelope: Envelope[Any]) -> Outcome | None:
        times[envelope.id] += 1
        # The last message left is a probe's, and a long run of bad luck would double its waiting up to minutes.
        dice = chance.random() if times[envelope.id] < 3 else 1.0
        if dice < 0.2:
            return None
        if dice < 0.4:
            held.append(envelope)
            if len(held) >= 3:
                chance.shuffle(held)
                rig.cloud.acknowledge([each.id for each in held])
                rig.cloud.acknowledge([each.id for each in held], Outcome.DUPLICATE)
                held.clear()
            return None
        rig.cloud.acknowledge([uuid4(), envelope.id])
        return Outcome.ACCEPTED

    rig.cloud.answer = answer
    rig.publish(probe_after_s=0.1)
    for number in range(60):
        rig.outbox.incident(incident(number + 1))
        rig.outbox.readings([reading(number)])
    wait_until(rig.settled, "everything acknowledged", timeout_s=40)
    assert len(set(readings_of(rig.cloud.sent))) == 60
    assert rig.count(Counter.READINGS_DELIVERED) == 60
    assert rig.count(Counter.INCIDENTS_DELIVERED) == 60


def test_a_broker_that_dies_costs_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "BIRTH_PATIENCE_S", 0.5)
    rig.publish()
    for number in range(30):
        rig.outbox.incident(incident(number + 1))
        if number == 10:
            rig.broker.kill()
        if number == 20:
            rig.broker.start()
    wait_until(rig.settled, "everything acknowledged after the broker came back", timeout_s=40)
    assert {envelope.body.incident_id.int for envelope in rig.cloud.sent} == set(range(1, 31))


def test_what_an_earlier_session_sent_is_delivered_and_its_number_still_travels(rig: Rig) -> None:
    earlier = uuid7(0)
    rig.cloud.answer = lambda _envelope: None
    rig.outbox.incident(incident(1))
    made = rig.publish(probe_after_s=0.1)
    wait_until(lambda: rig.cloud.sent, "the first sending")
    first = rig.cloud.sent[0]
    rig.cloud.acknowledge([first.id], session=earlier)
    wait_until(lambda: rig.count(Counter.INCIDENTS_DELIVERED) == 1, "it is delivered")
    assert made.figures.in_flight == 1
    wait_until(lambda: len(rig.cloud.sent) > 1, "another sending")
    assert {(each.id, each.session, each.seq) for each in rig.cloud.sent} == {(first.id, first.session, first.seq)}
    rig.cloud.acknowledge([first.id], Outcome.DUPLICATE, session=first.session)
    wait_until(lambda: made.figures.in_flight == 0, "the end of it")
    assert rig.count(Counter.INCIDENTS_DELIVERED) == 1


def test_at_most_a_window_is_in_flight(rig: Rig) -> None:
    rig.cloud.answer = lambda _envelope: None
    for number in range(WINDOW + 50):
        rig.outbox.incident(incident(number + 1))
    made = rig.publish(probe_after_s=3600.0)
    wait_until(lambda: len(rig.cloud.sent) == WINDOW, "the window filled")
    assert made.figures.in_flight == WINDOW
    rig.cloud.acknowledge([envelope.id for envelope in rig.cloud.sent[:10]])
    wait_until(lambda: len(rig.cloud.sent) == WINDOW + 10, "the next ten")


def test_rejected_goes_to_the_dead_letters_and_blocks_nothing(rig: Rig) -> None:
    rig.cloud.answer = lambda envelope: (
        Outcome.REJECTED if readings_of([envelope]) and rig.cloud.sent[0] is envelope else Outcome.ACCEPTED
    )
    rig.publish()
    rig.outbox.readings([reading(1)])
    wait_until(rig.outbox.dead_letters, "the dead letter")
    rig.outbox.readings([reading(2)])
    wait_until(rig.settled, "the rest")
    gaps = [envelope.body for envelope in rig.cloud.sent if hasattr(envelope.body, "gap_id")]
    assert [(gap.device, gap.count, gap.reason) for gap in gaps] == [("pile-1", 1, GapReason.REJECTED)]


def test_data_waits_for_the_birth_but_not_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "BIRTH_PATIENCE_S", 1.0)
    rig.cloud.answers_births = False
    rig.outbox.incident(incident())
    rig.publish()
    wait_until(lambda: rig.cloud.births, "the birth")
    assert rig.cloud.sent == []
    wait_until(rig.settled, "the incident, though no one answers the birth")


def test_a_change_is_announced_by_another_birth(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "BIRTH_SPACING_S", 0.1)
    made = rig.publish()
    wait_until(lambda: len(rig.cloud.births) == 1, "the first birth")
    made.announce()
    wait_until(lambda: len(rig.cloud.births) == 2, "the second birth")
    assert rig.cloud.births[0].seq < rig.cloud.births[1].seq


def test_live_incidents_overtake_a_backlog(rig: Rig) -> None:
    for number in range(20):
        rig.outbox.incident(incident(1, number + 1, IncidentState.UPDATE))
    rig.outbox.readings([reading(number) for number in range(10_000)])
    rig.outbox.readings([replayed(20_000)])
    rig.clock.step(3600)
    rig.outbox.incident(incident(2))
    rig.outbox.readings([reading(30_000)])
    rig.publish(probe_after_s=30.0)
    wait_until(rig.settled, "everything")
    first = rig.cloud.sent[0]
    assert (first.body.incident_id.int, first.lane, first.historical) == (2, Lane.INCIDENT, False)
    backlog = [envelope for envelope in rig.cloud.sent if envelope.historical]
    assert {envelope.lane for envelope in backlog} == {Lane.HISTORY}
    revisions = [envelope.body.revision for envelope in backlog if hasattr(envelope.body, "revision")]
    assert revisions == sorted(revisions, reverse=True)
    live = [envelope for envelope in rig.cloud.sent if not envelope.historical]
    assert len(readings_of(live)) == 1
    assert len(readings_of(backlog)) == 10_001
    numbers = [envelope.seq for envelope in backlog]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_nonsense_from_above_is_counted_and_harmless(rig: Rig) -> None:
    made = rig.publish()
    wait_until(lambda: rig.cloud.births, "the birth")
    for payload in (b"", b"\xff", b"[" * 100_000, b'{"v":2}', b'{"v":1,"node":"another","sent_at":"x","results":[]}'):
        rig.cloud.send_down(payload)
    rig.cloud.send_down(b"{}", "down/command")
    rig.cloud.send_down(b"{}", "down/desired")
    wait_until(lambda: made.figures.unreadable == 7, "all of it counted")
    rig.outbox.incident(incident())
    wait_until(rig.settled, "an incident after all that")


def test_a_broken_line_shows_as_offline_and_a_good_bye_too(rig: Rig) -> None:
    made = rig.publish()
    wait_until(lambda: rig.cloud.statuses, "the first status")
    client = made._link._client
    assert client is not None
    line = client.socket()
    assert isinstance(line, socket.socket)
    line.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: len(rig.cloud.statuses) >= 3, "will and new status")
    made.stop()
    wait_until(lambda: rig.cloud.statuses[-1].state is PresenceState.OFFLINE, "the good-bye")
    assert [status.state.value for status in rig.cloud.statuses].count("offline") == 2
    assert len({status.session for status in rig.cloud.statuses}) == 1


def test_a_wrong_password_is_tried_again_and_said(rig: Rig, tmp_path: Path) -> None:
    made = Publisher(
        Identity(DISTRICT, NODE, uuid7(1)),
        Endpoint("127.0.0.1", rig.broker.port, user=NODE, password="wrong"),
        Outbox(tmp_path / "other", OutboxSettings()),
        lambda: Birth(software="test"),
        historical_after_s=60.0,
    )
    made.start()
    wait_until(lambda: made._link.attempts >= 2, "two attempts")
    assert not made.figures.connected
    made.stop()

"""Hostile messages through a real broker: what is good is settled all the same."""

import itertools
import random
from collections import Counter
from datetime import timedelta

import pytest

from cloud.db.pool import Pool
from cloud.fleet import service as fleet
from cloud.ingest import metrics
from cloud.refusals import store as refusals
from cloud.refusals.policy import LETTERS_AT_ONCE
from edge.contract.downlink import Outcome
from edge.contract.topics import Channel
from tests.brokers import ReadyBroker
from tests.cloud.ingest.test_service import count, running
from tests.cloud.samples import GRID
from tests.fakes.hostile import DEVICE, hostile_messages
from tests.fakes.link import Link, eventually
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column

pytestmark = pytest.mark.system

ROUNDS = 3


def refused(pool: Pool) -> Counter[tuple[str | None, str]]:
    with pool.connection() as conn:
        return Counter({(each.node, each.reason): each.count for each in refusals.counts(conn)})


def test_a_storm_of_hostile_messages_stops_nothing(pool: Pool, broker: ReadyBroker, node: FakeNode) -> None:
    with pool.connection() as conn:
        fleet.add_node(conn, "hostile-01", district=DISTRICT, area_code=GRID, now=AT)
    attacker, stranger = FakeNode("hostile-01"), FakeNode("stranger-01")
    good_link, bad_link, strange_link = (Link(broker, each) for each in (node, attacker, stranger))
    unforeseen = metrics.ERRORS._value.get()
    wanted: Counter[tuple[str | None, str]] = Counter()
    with running(pool, broker) as service:
        born = [node.envelope(birth()), attacker.envelope(birth(DEVICE))]
        good_link.send(born[0])
        bad_link.send(born[1])
        good_link.wait_told(born[0])
        bad_link.wait_told(born[1])
        good = [node.envelope(batch(column([1.0], begin=AT - timedelta(minutes=n)))) for n in range(100)]
        waiting = iter(good)
        strange = [stranger.envelope(birth(DEVICE)), stranger.envelope(batch(column([1.0])))]
        cases = [case for _ in range(ROUNDS) for case in hostile_messages(attacker)]
        random.Random(3).shuffle(cases)  # noqa: S311
        for number, case in enumerate(cases):
            bad_link.publish(case.channel, case.payload)
            if case.reason is not None:
                wanted["hostile-01", case.reason] += 1
            if number % 4 == 0:
                good_link.send(*itertools.islice(waiting, 1))
            if number % 50 == 0:
                strange_link.publish(Channel.INCIDENT, b"{")
                wanted[None, "malformed"] += 1
        strange_link.send(*strange)
        good_link.send(*waiting)
        assert good_link.wait_told(*good) == [[Outcome.ACCEPTED]] * len(good)
        assert strange_link.wait_told(*strange) == [[Outcome.QUARANTINED]] * 2
        eventually(lambda: refused(pool), lambda found: found.total() >= wanted.total())
        assert refused(pool) == wanted
        last = node.envelope(batch(column([2.0], begin=AT - timedelta(days=1))))
        good_link.send(last)
        good_link.wait_told(last)
        assert service.problem() is None
    assert metrics.ERRORS._value.get() == unforeseen
    assert count(pool, "dead_letter") <= 2 * (LETTERS_AT_ONCE + 60)
    assert count(pool, "reading") >= len(good) + 1
    for link in (good_link, bad_link, strange_link):
        link.close()

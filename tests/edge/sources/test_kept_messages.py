import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.mqtt import Delivery
from edge.sources.kept_messages import KeptMessages
from tests.edge.records import START

ticks = itertools.count()


def delivery(number: int, content: str = "x", *, again: bool = False, topic: str = "t", qos: int = 1) -> Delivery:
    at = START + timedelta(microseconds=next(ticks))
    return Delivery(topic, content.encode(), qos, number, connection=1, received_at=at, again=again)


def keep(kept: KeptMessages, *heard: Delivery) -> list[bytes]:
    """Note and settle; what has to be kept with them comes back."""
    for each in heard:
        assert kept.note(each) is None
    marks = kept.unsaved()
    kept.settle()
    return list(marks)


def test_a_message_that_comes_again_has_its_first_time() -> None:
    kept, first = KeptMessages(), delivery(7)
    marks = keep(kept, first)
    assert kept.note(delivery(7, again=True)) == first.received_at
    after_a_crash = KeptMessages(marks)
    assert after_a_crash.note(delivery(7, again=True)) == first.received_at
    assert after_a_crash.note(delivery(7, again=True)) == first.received_at
    assert after_a_crash.unsaved() == ()


@pytest.mark.parametrize(
    "other",
    [
        delivery(7),  # not flagged: the number was free again, and the words are the same
        delivery(8, again=True),
        delivery(7, "y", again=True),
        delivery(7, again=True, topic="u"),
        delivery(7, again=True, qos=0),
    ],
)
def test_anything_else_is_new(other: Delivery) -> None:
    kept = KeptMessages(keep(KeptMessages(), delivery(7)))
    assert kept.note(other) is None


def test_a_number_that_is_given_away_again_stands_for_the_newest() -> None:
    kept = KeptMessages()
    marks = keep(kept, delivery(7, "old"))
    newest = delivery(7, "new")
    marks += keep(kept, newest)
    for known in (kept, KeptMessages(marks)):
        assert known.note(delivery(7, "new", again=True)) == newest.received_at
        assert known.note(delivery(7, "old", again=True)) is None


def test_what_could_not_be_kept_is_new_when_it_comes_again() -> None:
    kept = KeptMessages()
    keep(kept, delivery(1))
    kept.note(delivery(2))
    kept.forget_unsaved()
    assert kept.note(delivery(2, again=True)) is None
    assert kept.note(delivery(1, again=True)) is not None


def test_a_broker_that_has_forgotten_the_node_begins_its_numbers_anew() -> None:
    kept = KeptMessages()
    assert not kept.begin_session(START)
    marks = keep(kept, delivery(1), delivery(2))
    assert kept.begin_session(START)
    marks += keep(kept, delivery(2, "later"))
    for known in (kept, KeptMessages(marks)):
        assert known.note(delivery(1, again=True)) is None
        assert known.note(delivery(2, "later", again=True)) is not None


def test_marks_that_can_not_be_read_tell_nothing() -> None:
    [mark] = keep(KeptMessages(), delivery(1))
    kept = KeptMessages([b"", b"60b7d8d77cc8068927e1ef62@1795306736656783", b"\xff" * 18, mark[:-1], mark])
    assert len(kept) == 1
    assert kept.note(delivery(65_535, again=True)) is None


def test_memory_is_bounded() -> None:
    kept = KeptMessages(most=10)
    for number in range(1, 100):
        kept.note(delivery(number))
        if number % 3 == 0:
            kept.settle()
        assert len(kept) <= 20
    assert len(kept.unsaved()) <= 10
    assert len(KeptMessages(keep(KeptMessages(), *map(delivery, range(1, 50))), most=10)) == 10


NUMBERS = 40
"""How many numbers the broker has; a real one has 65,535, and marks for 10,000 of them."""
MOST = 20
WINDOW = 12
"""Messages that the broker has sent without hearing of them, at most."""


class Redelivery(RuleBasedStateMachine):
    """A broker, a link that breaks and loses in both directions, and a node that is killed: each message is kept once.

    Messages are told apart by what nobody on the way can see; most of them say the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.published: list[str] = []
        self.queued: list[int] = []  # published, and without a number yet
        self.unanswered: dict[int, int] = {}  # by the broker's number, in the order in which they were sent
        self.sent: set[int] = set()  # of these, what was written to some connection, and may have been lost there
        self.to_send: list[int] = []  # numbers to be sent on the present connection
        self.numbers = itertools.cycle(range(1, NUMBERS + 1))
        self.kept: dict[int, int] = {}
        self.times: dict[int, datetime] = {}
        self.new: dict[int, datetime] = {}
        self.deaf = False  # the broker hears nothing more on the present connection
        self.marks: list[bytes] = []
        self.known = KeptMessages(most=MOST)

    @rule(content=st.sampled_from("aab"), count=st.integers(1, 8))
    def publish(self, content: str, count: int) -> None:
        for _ in range(count):
            self.queued.append(len(self.published))
            self.published.append(content)
        self._fill_window()

    def _fill_window(self) -> None:
        while self.queued and len(self.unanswered) < WINDOW:
            number = next(each for each in self.numbers if each not in self.unanswered)
            self.unanswered[number] = self.queued.pop(0)
            self.to_send.append(number)

    def _take(self, count: int) -> list[int]:
        """So many messages reach the node, which notes them; their numbers come back."""
        taken, self.to_send = self.to_send[:count], self.to_send[count:]
        self.new = {}
        for number in taken:
            index = self.unanswered[number]
            message = delivery(number, self.published[index], again=number in self.sent)
            self.sent.add(number)
            kept_at = self.known.note(message)
            if kept_at is None:
                self.new[index] = message.received_at
            else:
                assert self.times.get(index) == kept_at
        return taken

    def _keep(self) -> None:
        for index, at in self.new.items():
            self.kept[index] = self.kept.get(index, 0) + 1
            self.times[index] = at
        self.marks += self.known.unsaved()
        self.known.settle()

    @rule(count=st.integers(1, WINDOW), heard=st.integers(0, WINDOW))
    def keep_and_answer(self, count: int, heard: int) -> None:
        """The node keeps what came and answers; the broker hears the first `heard` answers, and then no others before it
        has a new connection.
        """
        taken = self._take(count)
        self._keep()
        if self.deaf:
            return
        for number in taken[:heard]:
            del self.unanswered[number]
            self.sent.discard(number)
        self.deaf = heard < len(taken)
        self._fill_window()

    @rule(count=st.integers(1, WINDOW))
    def fail_to_keep(self, count: int) -> None:
        self._take(count)
        self.known.forget_unsaved()
        self.break_link(0)

    @rule(lost=st.integers(0, WINDOW))
    def break_link(self, lost: int) -> None:
        """`lost` more were written to the link that broke; all that is unanswered comes again, in order."""
        self.sent.update(self.to_send[:lost])
        self.to_send = list(self.unanswered)
        self.deaf = False

    @rule(count=st.integers(0, WINDOW), committed=st.booleans())
    def kill(self, count: int, *, committed: bool) -> None:
        self._take(count)
        if committed:
            self._keep()
        self.known = KeptMessages(self.marks, most=MOST)
        self.break_link(0)

    @precondition(lambda self: not self.unanswered and not self.queued)
    @rule()
    def forget_the_node(self) -> None:
        """The broker loses its sessions."""
        self.numbers = itertools.cycle(range(1, NUMBERS + 1))
        if self.known.begin_session(START):
            self.marks += self.known.unsaved()
            self.known.settle()

    @invariant()
    def nothing_is_kept_twice(self) -> None:
        assert all(count == 1 for count in self.kept.values())

    @invariant()
    def what_was_answered_was_kept(self) -> None:
        under_way = {*self.unanswered.values(), *self.queued}
        assert all(index in self.kept for index in range(len(self.published)) if index not in under_way)

    def teardown(self) -> None:
        self.break_link(0)
        while self.to_send:
            self.keep_and_answer(WINDOW, WINDOW)
        assert self.kept == dict.fromkeys(range(len(self.published)), 1)


Redelivery.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestRedelivery = Redelivery.TestCase

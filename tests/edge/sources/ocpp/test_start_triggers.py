"""What a station tells of itself in answer to a question is no start, in whatever order questions, words and connections come."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16 import call
from ocpp.v16.enums import MessageTrigger

from edge.sources.ocpp.start_triggers import PATIENCE_S, StartTriggers, asks_for_start
from tests.edge.sources.ocpp.test_pile import NOW, pile, say

STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "refuse", "tell", "call again"]), st.floats(0.0, PATIENCE_S)), max_size=30
)


@given(STEPS)
def test_each_question_accounts_for_one_word_of_its_connection_and_time(steps: list[tuple[str, float]]) -> None:
    triggers, now_s, open_s = StartTriggers(), 0.0, list[tuple[str, float]]()
    for number, (step, after_s) in enumerate(steps):
        now_s += after_s
        open_s = [(name, sent_s) for name, sent_s in open_s if now_s < sent_s + PATIENCE_S]
        match step:
            case "ask":
                triggers.sent(str(number), now_s)
                open_s.append((str(number), now_s))
            case "refuse" if open_s:
                triggers.refused(open_s.pop()[0])
            case "tell":
                assert triggers.is_awaited(now_s) == bool(open_s)
                triggers.answered()
                open_s = open_s[1:]
            case "call again":
                triggers, open_s = StartTriggers(), []
        assert triggers.is_awaited(now_s) == bool(open_s)


def test_only_the_question_what_it_is_counts() -> None:
    assert asks_for_start(call.TriggerMessage(requested_message=MessageTrigger.boot_notification))
    assert not asks_for_start(call.TriggerMessage(requested_message=MessageTrigger.meter_values))
    assert not asks_for_start(call.Reset(type="Soft"))


def test_a_refusal_after_the_word_takes_nothing_from_another_question() -> None:
    triggers = StartTriggers()
    triggers.sent("1", 0.0)
    triggers.answered()
    triggers.sent("2", 1.0)
    triggers.refused("1")
    assert triggers.is_awaited(2.0)


def test_of_itself_it_has_started() -> None:
    one = pile()
    say(one, "BootNotification", {"firmwareVersion": "V1"})
    later = NOW + timedelta(minutes=1)
    assert one.firmware(is_connected=True, address=None).started_at == NOW
    say(one, "BootNotification", {"firmwareVersion": "V2"}, at=later)
    assert one.firmware(is_connected=True, address=None).started_at == later

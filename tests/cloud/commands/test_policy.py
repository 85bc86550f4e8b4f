"""Which word of a node counts, in any order."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloud.commands.model import RUNNING, Addressee, CommandState
from cloud.commands.policy import DEEPEST_RESULT, PATIENCE, absence, is_too_deep, shows_picture, state_after
from edge.contract.answer import Answer, AnswerOutcome, Refusal
from edge.contract.downlink import CommandName
from edge.uplink.downlink import LONGEST
from tests.fakes.node import AT, new_id

SESSION, OTHER = new_id(), new_id()

ANSWERS = st.builds(
    Answer,
    command_id=st.just(new_id()),
    node=st.just("station-01"),
    session=st.sampled_from([SESSION, OTHER]),
    at=st.just(AT),
    outcome=st.sampled_from(list(AnswerOutcome)),
    reason=st.sampled_from([None, Refusal.OTHER_SESSION.value, Refusal.BUSY.value]),
)


@given(st.sampled_from(list(CommandState)), ANSWERS)
def test_a_last_word_stays_and_another_session_only_says_that_it_is_another(
    state: CommandState, answer: Answer
) -> None:
    reached = state_after(state, SESSION, answer)
    if state not in RUNNING:
        assert reached is None
    elif answer.session == OTHER:
        says_so = answer.outcome is AnswerOutcome.REFUSED and answer.reason == Refusal.OTHER_SESSION
        assert reached == (CommandState.REFUSED if says_so else None)
    elif answer.outcome is AnswerOutcome.TAKEN:
        assert reached == (None if state is CommandState.DELIVERED else CommandState.DELIVERED)
    else:
        assert reached == CommandState(answer.outcome.value)


def test_every_command_has_its_time_and_no_node_forgets_it_before() -> None:
    assert set(PATIENCE) == set(CommandName)
    assert max(PATIENCE.values()) < LONGEST


def test_how_deeply_an_answer_may_be_nested() -> None:
    deep: Any = 1
    for _ in range(DEEPEST_RESULT):
        deep = [deep]
    assert not is_too_deep(None)
    assert not is_too_deep(deep)
    assert is_too_deep({"x": deep})


def test_an_answer_shows_a_picture_wherever_it_stands() -> None:
    assert not shows_picture(None)
    assert not shows_picture({"lines": [{"text": "jpeg_base64"}], "background": {"jpeg_base64": None}})
    assert shows_picture({"cameras": [{}, {"background": {"jpeg_base64": "/9j/"}}]})


def addressee(presence: str, session: UUID | None = SESSION) -> Addressee:
    return Addressee(1, "station-01", "110105", "110105001", "110105/110105001/", None, presence, AT, session, AT)


def test_only_who_is_present_can_be_asked() -> None:
    assert absence(addressee("online")) is None
    assert absence(addressee("online", None)) is not None
    assert "since 2026-03-01T08:00:00+00:00" in str(absence(addressee("lost")))
    assert absence(addressee("unknown")) is not None

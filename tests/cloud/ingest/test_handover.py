"""Who is settled next: urgent before routine, and nobody for ever before the other."""

import threading
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cloud.ingest.handover import URGENT_IN_A_ROW, Batch, Handover
from cloud.ingest.intake import Precedence
from tests.waiting import wait_until

URGENT, ROUTINE = Precedence

steps = st.lists(st.one_of(st.sampled_from(Precedence), st.just("take")), max_size=80)


@given(steps)
def test_what_is_urgent_overtakes_and_everything_has_its_turn(steps: Sequence[Precedence | str]) -> None:
    handover = Handover()
    lying: dict[Precedence, Batch] = {}
    given_: list[Batch] = []
    taken: list[Batch] = []
    overtaken = in_a_row = 0
    for step in steps:
        if isinstance(step, Precedence):
            if step not in lying:
                lying[step] = Batch(step)
                assert handover.give(lying[step])
                given_.append(lying[step])
            assert not handover.wanted(step), "its place is taken"
            continue
        batch = handover.take(0.0)
        assert (batch is None) == (not lying)
        if batch is None:
            continue
        assert lying.pop(batch.precedence) is batch
        taken.append(batch)
        if batch.precedence is URGENT:
            in_a_row += 1
            overtaken = overtaken + 1 if ROUTINE in lying else 0
        else:
            assert URGENT not in lying or in_a_row >= URGENT_IN_A_ROW, "routine went first without a reason"
            overtaken = in_a_row = 0
        assert overtaken <= URGENT_IN_A_ROW
    for precedence in Precedence:
        came = [id(batch) for batch in taken if batch.precedence is precedence]
        went = [id(batch) for batch in given_ if batch.precedence is precedence]
        assert came == went[: len(came)]


def test_an_urgent_batch_is_given_at_once_and_a_routine_one_when_nothing_else_is_there() -> None:
    handover = Handover()
    assert handover.wanted(URGENT)
    assert not handover.wanted(ROUTINE), "the writer is busy: it may grow"
    writer = threading.Thread(target=handover.take, args=[60.0])
    writer.start()
    wait_until(lambda: handover.wanted(ROUTINE))
    handover.close()
    writer.join(10)
    assert not writer.is_alive()


def test_a_routine_batch_that_could_grow_has_its_turn_after_so_many_alarms() -> None:
    handover = Handover()
    for _ in range(URGENT_IN_A_ROW):
        assert not handover.wanted(ROUTINE)
        handover.give(Batch(URGENT))
        handover.take(0.0)
    assert handover.wanted(ROUTINE)
    handover.give(Batch(URGENT))
    handover.give(Batch(ROUTINE))
    assert [batch.precedence for batch in (handover.take(0.0), handover.take(0.0)) if batch] == [ROUTINE, URGENT]


def test_a_closed_one_lets_everyone_go() -> None:
    handover = Handover()
    assert handover.give(Batch(URGENT))
    waiting = threading.Thread(target=handover.give, args=[Batch(URGENT)])
    waiting.start()
    handover.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert (handover.give(Batch(ROUTINE)), handover.take(0.0)) == (False, None)

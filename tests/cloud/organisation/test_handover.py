from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from cloud.access.model import Principal
from cloud.errors import Conflict, Invalid, NotFound
from cloud.organisation import duty, handover
from tests.cloud.organisation.test_duty import PATH, hours, plan
from tests.cloud.samples import NOW

Who = Callable[[str], Principal]


def on_duty(conn: Connection[Any], at_h: float) -> list[str]:
    return [each.display_name for each in duty.on_duty(conn, PATH, at=hours(at_h))]


def test_who_takes_over_is_on_duty_in_that_moment_up_to_the_end(conn: Connection[Any], who: Who) -> None:
    shift = plan(conn, who("wang"), -4, 4)
    own = plan(conn, who("li"), 1, 3)
    told = handover.hand_over(conn, who("wang"), shift.id, to=who("li").user_id, note="东门道闸坏了", now=NOW)
    assert on_duty(conn, 0) == ["Wang"], "nothing changes before it is taken"
    taken = handover.take(conn, who("li"), told.id, now=NOW + timedelta(minutes=10))
    assert taken.next_shift_id not in {None, own.id}
    for at_h in (0.2, 0.9, 1, 2, 3, 3.9):
        assert on_duty(conn, at_h) == ["Li"], at_h
    assert on_duty(conn, 0.1) == ["Wang"]
    assert on_duty(conn, 4) == []
    with pytest.raises(Conflict):
        handover.take(conn, who("li"), told.id, now=NOW)
    assert [each.note for each in handover.page(conn, who("lead"))] == ["东门道闸坏了"]
    assert handover.page(conn, who("far")) == []


def test_after_the_end_words_are_handed_over_and_no_duty(conn: Connection[Any], who: Who) -> None:
    shift = plan(conn, who("wang"), -4, 0)
    told = handover.hand_over(conn, who("wang"), shift.id, to=who("li").user_id, note="all quiet", now=hours(1))
    taken = handover.take(conn, who("li"), told.id, now=hours(1))
    assert (taken.taken_at, taken.next_shift_id) == (hours(1), None)
    assert on_duty(conn, 1) == []
    with pytest.raises(Conflict):
        handover.hand_over(conn, who("wang"), shift.id, to=who("li").user_id, note="late", now=hours(3))


def test_what_is_not_handed_over(conn: Connection[Any], who: Who) -> None:
    shift, coming = plan(conn, who("wang"), -4, 4), plan(conn, who("wang"), 8, 9)
    li = who("li").user_id
    for error, actor, shift_id, to in (
        (NotFound, "li", shift.id, who("zhao").user_id),
        (Conflict, "wang", coming.id, li),
        (Invalid, "wang", shift.id, who("wang").user_id),
        (Invalid, "wang", shift.id, who("far").user_id),
        (Invalid, "wang", shift.id, who("lead").user_id),
    ):
        with pytest.raises(error):
            handover.hand_over(conn, who(actor), shift_id, to=to, note="x", now=NOW)
    told = handover.hand_over(conn, who("wang"), shift.id, to=li, note="x", now=NOW)
    with pytest.raises(Conflict, match="already"):
        handover.hand_over(conn, who("wang"), shift.id, to=who("zhao").user_id, note="y", now=NOW)
    with pytest.raises(NotFound):
        handover.take(conn, who("zhao"), told.id, now=NOW)

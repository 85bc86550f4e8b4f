import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access import accounts, independence
from cloud.access.model import Principal
from cloud.errors import CloudError, Conflict, Forbidden, Invalid, NotFound, TransitionRefused
from cloud.organisation import duty, swaps
from cloud.organisation.model import OPEN_SWAPS, SWAP_STEPS, SwapAction, SwapStatus
from cloud.organisation.swaps import Swap
from tests.cloud.organisation.test_duty import plan
from tests.cloud.samples import GRID, NOW, OTHER_GRID

Who = Callable[[str], Principal]
HOUR = timedelta(hours=1)


@pytest.fixture
def swap(conn: Connection[Any], who: Who) -> Swap:
    """Wang has asked Li to take his morning for Li's evening."""
    mine, his = plan(conn, who("wang"), 10, 14), plan(conn, who("li"), 20, 24)
    return swaps.ask(
        conn, who("wang"), mine.id, asked_of=who("li").user_id, return_shift_id=his.id, note="医院", now=NOW
    )


def holders(conn: Connection[Any], swap: Swap) -> list[str]:
    assert swap.return_shift is not None
    return [duty.shift(conn, each.id).display_name for each in (swap.shift, swap.return_shift)]


def act(conn: Connection[Any], person: Principal, swap: Swap, action: SwapAction, *, later: timedelta = HOUR) -> Swap:
    decides = person.name in {"lead", "admin"}
    return swaps.act(conn, person, swap.id, action, decides=decides, now=NOW + later)


def test_both_shifts_change_hands_on_approval_and_not_before(conn: Connection[Any], who: Who, swap: Swap) -> None:
    assert act(conn, who("li"), swap, SwapAction.ACCEPT).status is SwapStatus.ACCEPTED
    assert holders(conn, swap) == ["Wang", "Li"]
    approved = act(conn, who("lead"), swap, SwapAction.APPROVE)
    assert (approved.status, approved.decided_by) == (SwapStatus.APPROVED, who("lead").user_id)
    assert holders(conn, swap) == ["Li", "Wang"]
    with pytest.raises(TransitionRefused):
        act(conn, who("admin"), swap, SwapAction.APPROVE)
    assert holders(conn, swap) == ["Li", "Wang"]


def test_nobody_approves_what_was_asked_with_a_password_that_he_issued(
    conn: Connection[Any], who: Who, swap: Swap
) -> None:
    act(conn, who("li"), swap, SwapAction.ACCEPT)
    independence.issued(conn, who("li").user_id, by=who("lead").user_id, at=NOW - HOUR)
    with pytest.raises(Forbidden, match="second person"):
        act(conn, who("lead"), swap, SwapAction.APPROVE)
    assert act(conn, who("admin"), swap, SwapAction.APPROVE).status is SwapStatus.APPROVED


def test_each_step_is_for_its_party(conn: Connection[Any], who: Who, swap: Swap) -> None:
    with pytest.raises(NotFound):
        act(conn, who("zhao"), swap, SwapAction.ACCEPT)
    with pytest.raises(Forbidden):
        act(conn, who("wang"), swap, SwapAction.ACCEPT)
    with pytest.raises(Forbidden):
        act(conn, who("lead"), swap, SwapAction.ACCEPT)
    with pytest.raises(TransitionRefused):
        act(conn, who("lead"), swap, SwapAction.APPROVE)
    with pytest.raises(Forbidden):
        act(conn, who("li"), swap, SwapAction.APPROVE)
    assert [each.id for each in swaps.page(conn, who("lead"), decides=True)] == [swap.id]
    assert swaps.page(conn, who("zhao"), decides=False) == []


def test_one_shift_is_asked_about_once(conn: Connection[Any], who: Who, swap: Swap) -> None:
    assert swap.return_shift is not None
    with pytest.raises(Conflict, match="already"):
        swaps.ask(conn, who("wang"), swap.shift.id, asked_of=who("zhao").user_id, now=NOW)
    with pytest.raises(Conflict, match="already"):
        swaps.ask(conn, who("li"), swap.return_shift.id, asked_of=who("zhao").user_id, now=NOW)
    act(conn, who("wang"), swap, SwapAction.WITHDRAW)
    swaps.ask(conn, who("li"), swap.return_shift.id, asked_of=who("zhao").user_id, now=NOW)


def test_what_can_not_be_asked(conn: Connection[Any], who: Who) -> None:
    wang, far = who("wang"), who("far")
    mine, running = plan(conn, wang, 10, 14), plan(conn, wang, -1, 2)
    of_far = plan(conn, far, 10, 14, area=OTHER_GRID)
    for error, shift, other, given_back in (
        (NotFound, of_far.id, who("li").user_id, None),
        (NotFound, 10**9, who("li").user_id, None),
        (NotFound, mine.id, who("li").user_id, of_far.id),
        (Conflict, running.id, who("li").user_id, None),
        (Invalid, mine.id, wang.user_id, None),
        (Invalid, mine.id, far.user_id, None),
        (Invalid, mine.id, far.user_id, of_far.id),
        (Invalid, mine.id, who("lead").user_id, None),
        (Invalid, mine.id, 10**9, None),
    ):
        with pytest.raises(error):
            swaps.ask(conn, wang, shift, asked_of=other, return_shift_id=given_back, now=NOW)


def test_who_is_on_duty_there_already_takes_no_second_shift(conn: Connection[Any], who: Who) -> None:
    mine = plan(conn, who("wang"), 10, 14)
    plan(conn, who("li"), 13, 16)
    with pytest.raises(Conflict, match="already"):
        swaps.ask(conn, who("wang"), mine.id, asked_of=who("li").user_id, now=NOW)


def test_what_has_changed_since_is_not_half_done(conn: Connection[Any], who: Who, swap: Swap) -> None:
    act(conn, who("li"), swap, SwapAction.ACCEPT)
    plan(conn, who("wang"), 23, 25)
    with pytest.raises(Conflict):
        act(conn, who("lead"), swap, SwapAction.APPROVE)
    assert holders(conn, swap) == ["Wang", "Li"]
    accounts.disable(conn, "li", now=NOW)
    with pytest.raises(Invalid):
        act(conn, who("lead"), swap, SwapAction.APPROVE)
    with pytest.raises(Conflict):
        act(conn, who("lead"), swap, SwapAction.APPROVE, later=10 * HOUR)
    assert holders(conn, swap) == ["Wang", "Li"]


def test_a_swap_lapses_when_its_shift_begins_or_is_no_more(conn: Connection[Any], who: Who, swap: Swap) -> None:
    assert swaps.lapse(conn, now=NOW + 9 * HOUR) == 0
    assert swaps.lapse(conn, now=NOW + 10 * HOUR) == 1
    assert swaps.lapse(conn, now=NOW + 10 * HOUR) == 0
    assert swaps.find(conn, swap.id).status is SwapStatus.LAPSED
    mine = plan(conn, who("wang"), 30, 34)
    again = swaps.ask(conn, who("wang"), mine.id, asked_of=who("li").user_id, now=NOW)
    duty.cancel_shift(conn, mine.id, now=NOW)
    assert swaps.find(conn, again.id).status is SwapStatus.LAPSED
    with pytest.raises(TransitionRefused):
        act(conn, who("li"), again, SwapAction.ACCEPT)


def test_two_who_decide_at_once_one_does_it(conn: Connection[Any], who: Who, swap: Swap, peopled_url: str) -> None:
    act(conn, who("li"), swap, SwapAction.ACCEPT)
    conn.commit()
    outcomes: list[str] = []

    def decide(name: str, action: SwapAction) -> None:
        with psycopg.connect(peopled_url, options="-c timezone=UTC") as own:
            person = accounts.in_use(own, name)
            assert person is not None
            try:
                outcomes.append(act(own, person, swap, action).status.value)
            except TransitionRefused:
                own.rollback()
                outcomes.append("late")

    try:
        threads = [
            threading.Thread(target=decide, args=each)
            for each in (("lead", SwapAction.APPROVE), ("admin", SwapAction.APPROVE), ("wang", SwapAction.WITHDRAW))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) in (["approved", "late", "late"], ["late", "late", "withdrawn"])
        expected = ["Li", "Wang"] if "approved" in outcomes else ["Wang", "Li"]
        assert holders(conn, swap) == expected
    finally:
        conn.rollback()
        conn.execute("delete from duty_swap")
        conn.execute("delete from duty_shift")
        conn.commit()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(["wang", "li", "zhao"]), st.integers(0, 3), st.integers(0, 4)),
        st.tuples(
            st.sampled_from([*SwapAction]),
            st.sampled_from(["wang", "li", "zhao", "lead"]),
            st.integers(0, 3),
            st.just(0),
        ),
        st.tuples(st.just("cancel"), st.just("lead"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("wait"), st.just("lead"), st.integers(0, 3), st.just(0)),
    ),
    max_size=14,
)


class Rota:
    """Four shifts of three people, what people did with them, and who should have them."""

    def __init__(self, conn: Connection[Any], who: Who) -> None:
        self.conn = conn
        self.people = {name: who(name) for name in ("wang", "li", "zhao", "lead")}
        planned = (("wang", 2), ("li", 6), ("zhao", 10), ("wang", 8))
        self.shifts = [plan(conn, self.people[name], begin, begin + 4) for name, begin in planned]
        self.made: list[Swap] = []
        self.now = NOW

    def owners(self) -> dict[int, int]:
        return {shift.id: duty.shift(self.conn, shift.id).account_id for shift in self.shifts}

    def ask(self, name: str, number: int, other: int) -> None:
        given_back = self.shifts[other].id if other < len(self.shifts) else None
        asked_of = self.people["zhao"].user_id if given_back is None else self.owners()[given_back]
        shift_id, actor = self.shifts[number].id, self.people[name]
        self.made.append(
            swaps.ask(self.conn, actor, shift_id, asked_of=asked_of, return_shift_id=given_back, now=self.now)
        )

    def act(self, name: str, number: int, action: SwapAction) -> dict[int, int]:
        """Which shifts changed hands."""
        if number >= len(self.made):
            return {}
        before = swaps.find(self.conn, self.made[number].id)
        after = swaps.act(self.conn, self.people[name], before.id, action, decides=name == "lead", now=self.now)
        assert before.status in SWAP_STEPS[action].before
        if after.status is not SwapStatus.APPROVED:
            return {}
        takers = {before.shift.id: before.asked_of}
        return takers if before.return_shift is None else takers | {before.return_shift.id: before.asked_by}

    def do(self, what: str, name: str, number: int, other: int) -> dict[int, int]:
        if what == "ask":
            self.ask(name, number, other)
        elif what == "cancel":
            duty.cancel_shift(self.conn, self.shifts[number].id, now=self.now, actor=self.people["lead"])
        elif what == "wait":
            self.now += HOUR
            swaps.lapse(self.conn, now=self.now)
        else:
            return self.act(name, number, SwapAction(what))
        return {}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_people_do_nobody_is_half_swapped(conn: Connection[Any], who: Who, sequence: list[Any]) -> None:
    conn.rollback()
    rota = Rota(conn, who)
    owners = rota.owners()
    for step in sequence:
        try:
            with conn.transaction():
                owners |= rota.do(*step)
        except CloudError:
            pass
        assert rota.owners() == owners
        check_rota(conn, [each.user_id for each in rota.people.values()])
    for each in rota.made:
        found = swaps.find(conn, each.id)
        both = [shift for shift in (found.shift, found.return_shift) if shift is not None]
        assert found.status not in OPEN_SWAPS or all(s.from_at > rota.now and s.cancelled_at is None for s in both)
    conn.rollback()


def check_rota(conn: Connection[Any], people: list[int]) -> None:
    """Nobody is on duty at the grid twice at a time."""
    twice = conn.execute(
        "select count(*) from duty_shift a join duty_shift b on a.account_id = b.account_id and a.id < b.id"
        " and a.area_code = b.area_code and a.kind = b.kind and a.from_at < b.until_at and b.from_at < a.until_at"
        " where a.cancelled_at is null and b.cancelled_at is null and a.area_code = %s and a.account_id = any(%s)",
        [GRID, people],
    ).fetchone()
    assert twice == (0,)

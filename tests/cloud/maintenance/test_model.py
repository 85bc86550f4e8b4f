from itertools import product

import pytest

from cloud.access.model import Role
from cloud.errors import Forbidden, Invalid, TransitionRefused
from cloud.maintenance.model import RUNNING, TRANSITIONS, OrderAction, OrderStatus, possible, transition


def test_the_table_says_each_thing_once() -> None:
    places = [(row.action, row.from_status) for row in TRANSITIONS]
    assert len(places) == len(set(places))
    assert {row.from_status for row in TRANSITIONS} == RUNNING


@pytest.mark.parametrize(("action", "status", "role"), list(product(OrderAction, OrderStatus, Role)))
def test_what_is_offered_is_what_is_taken(action: OrderAction, status: OrderStatus, role: Role) -> None:
    if action in possible(status, role):
        assert transition(action, status, role, note="why").from_status is status
    else:
        with pytest.raises((TransitionRefused, Forbidden)):
            transition(action, status, role, note="why")


def test_whoever_undoes_something_says_why() -> None:
    with pytest.raises(Invalid, match="needs a note"):
        transition(OrderAction.REJECT, OrderStatus.FIXED, Role.MAINTAINER, note=None)


def test_every_running_order_can_be_ended_by_people() -> None:
    ends = set(OrderStatus) - RUNNING
    for status in RUNNING:
        reached, frontier = {status}, [status]
        while frontier:
            here = frontier.pop()
            following = {row.to_status for row in TRANSITIONS if row.from_status is here} - reached
            reached |= following
            frontier += [each for each in following if each in RUNNING]
        assert reached & ends

"""Any sequence of faults, people and time leaves orders as the table says, with a history that tells how they came there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.correlate import service as correlate
from cloud.errors import Forbidden, Invalid, StaleVersion, TransitionRefused
from cloud.maintenance import faults, orders, policy
from cloud.maintenance.model import RUNNING, TRANSITIONS, OrderAction, OrderHistory, OrderStatus
from cloud.maintenance.orders import OrderFilter, OrderRequest
from cloud.maintenance.view import OrderSummary
from edge.contract.incident import IncidentState, Severity
from tests.cloud.samples import NOW, incident, principal, report, take_in_areas

MOVES = {(row.action.value, row.from_status, row.to_status) for row in TRANSITIONS} | {
    (OrderHistory.CAME_BACK.value, OrderStatus.FIXED, OrderStatus.ASSIGNED),
    (OrderHistory.RECOVERED.value, OrderStatus.OPENED, OrderStatus.RECOVERED),
}
DEVICES = st.sampled_from(["cam-1", "cam-2"])


class OrderLife(RuleBasedStateMachine):
    conn: ClassVar[Connection[Any]]
    people: ClassVar[dict[Role, Principal]]

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.revisions: dict[int, int] = {}
        self.over: set[int] = set()
        self.conn.execute("savepoint life")

    def teardown(self) -> None:
        self.conn.execute("rollback to savepoint life")

    def _all(self) -> list[OrderSummary]:
        return orders.page(self.conn, OrderFilter(area_path=""), before=None, count=200)

    @rule(device=DEVICES, number=st.integers(1, 6), severity=st.sampled_from(Severity), ends=st.booleans())
    def fault(self, *, device: str, number: int, severity: Severity, ends: bool) -> None:
        number += 10 * (device == "cam-2")
        if number in self.over:
            return
        revision = self.revisions[number] = self.revisions.get(number, 0) + 1
        at_s = (self.now - NOW).total_seconds()
        told = incident(
            number,
            revision=revision,
            state=IncidentState.ENDED if ends else IncidentState.UPDATE,
            start_s=at_s,
            update_s=at_s,
            severity=severity,
            category="maintenance",
            device=device,
        )
        if ends:
            self.over.add(number)
        correlate.receive(self.conn, report(told, received_at=self.now))

    @rule(
        place=st.integers(0, 3),
        action=st.sampled_from(OrderAction),
        role=st.sampled_from(Role),
        stale=st.integers(0, 4).map(lambda each: each == 0),
        note=st.sampled_from([None, "because"]),
    )
    @precondition(lambda self: self._all())
    def act(self, *, place: int, action: OrderAction, role: Role, stale: bool, note: str | None) -> None:
        present = self._all()
        order = present[place % len(present)]
        request = OrderRequest(action=action, version=order.version - stale, note=note)
        allowed = any(
            row.action is action
            and row.from_status is order.status
            and role in row.roles
            and (note or not row.note_required)
            for row in TRANSITIONS
        )
        try:
            done = orders.act(self.conn, self.people[role], order.id, request, now=self.now, address="test")
        except (Forbidden, Invalid, TransitionRefused):
            assert not allowed
        except StaleVersion:
            assert stale
        else:
            assert allowed
            assert not stale
            assert done.version == order.version + 1

    @rule(hours=st.sampled_from([0.1, 1, 5]))
    def time_passes(self, *, hours: float) -> None:
        self.now += timedelta(hours=hours)
        faults.sweep(self.conn, now=self.now)
        assert faults.sweep(self.conn, now=self.now) == 0

    @invariant()
    def one_order_runs_per_device(self) -> None:
        running = [order.device.device for order in self._all() if order.status in RUNNING]
        assert len(running) == len(set(running))

    @invariant()
    def every_fault_has_its_order_and_the_history_says_how_each_came_where_it_is(self) -> None:
        assert sum(order.fault_count for order in self._all()) == len(self.revisions)
        for order in self._all():
            detail = orders.detail(self.conn, self.people[Role.ADMINISTRATOR], order.id)
            status = OrderStatus.OPENED
            for step in detail.history:
                if step.to_status is None or step.action == OrderHistory.OPENED:
                    continue
                assert step.from_status is status
                assert (step.action, status, step.to_status) in MOVES
                status = step.to_status
            assert order.status is status
            assert (order.ended_at is None) == (order.status in RUNNING)
            if order.status in RUNNING:
                holds = any(each.state is not IncidentState.ENDED for each in detail.faults)
                assert holds == (order.well_since is None)
            if order.status is OrderStatus.RECOVERED:
                assert order.assigned_name is None
                assert order.well_since is not None
                assert order.ended_at is not None
                assert order.ended_at - order.well_since >= policy.RECOVERED_AFTER


@contextmanager
def _district(url: str) -> Iterator[None]:
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        OrderLife.conn = conn
        OrderLife.people = {role: principal(conn, role.value.replace("_", "-"), role) for role in Role}
        yield
        conn.rollback()


@pytest.mark.timeout(240)
def test_the_life_of_orders(migrated_url: str) -> None:
    with _district(migrated_url):
        run_state_machine_as_test(
            OrderLife,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )

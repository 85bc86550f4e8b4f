"""The life of a command in the database: in any order of what happens it ends once, and says how."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.commands import service
from cloud.commands.model import RUNNING, Command, CommandState, Told
from cloud.commands.policy import AGAIN_AFTER, DEEPEST_RESULT, GRACE, PATIENCE, TOO_DEEP
from cloud.errors import CommandRunning, Invalid, NodeAway, NotFound
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from edge.contract.answer import Answer, AnswerOutcome
from edge.contract.birth import Device, NodeStatus, PresenceState
from edge.contract.downlink import Command as OnTheWire
from edge.contract.downlink import CommandName
from edge.contract.envelope import decode
from tests.cloud.samples import GRID, OTHER_GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, birth, new_id

NODE = "station-01"
LOG = CommandName.LOG_TAIL


@dataclass
class Desk:
    """A node that is present, and what is published to it."""

    conn: Connection[Any]
    user: Principal
    session: UUID
    node_id: int
    now: datetime = AT
    sent: list[tuple[datetime, OnTheWire]] = field(default_factory=list)

    def ask(self, name: CommandName = LOG, **more: Any) -> Command:
        given: dict[str, Any] = {"node": NODE, "actor": self.user, "now": self.now} | more
        return service.ask(self.conn, name, **given)

    def send(self) -> int:
        return service.send(self.conn, self._publish, now=self.now)

    def _publish(self, topic: str, payload: bytes) -> bool:
        assert topic == f"gw/1/{DISTRICT}/{NODE}/down/command"
        self.sent.append((self.now, decode(payload, OnTheWire)))
        return True

    def answer(self, command_id: UUID, outcome: AnswerOutcome, **more: Any) -> int:
        given: dict[str, Any] = {"node": NODE, "session": self.session, "at": self.now} | more
        answer = Answer(command_id=command_id, outcome=outcome, **given)
        return service.take_answers(self.conn, [Told(self.node_id, answer)], now=self.now)

    def become(self, state: PresenceState, session: UUID) -> None:
        status = NodeStatus(node=NODE, session=session, state=state, at=self.now)
        fleet.apply_status(self.conn, self.node_id, status, now=self.now)

    def find(self, command: Command) -> Command:
        return service.find(self.conn, command.id, scope="")

    def told(self) -> list[str]:
        rows = self.conn.execute("select payload ->> 'state' from event where kind = 'command.updated' order by id")
        return [row[0] for row in rows]


def keeper(conn: Connection[Any]) -> Principal:
    """A person who never signs in: no password is hashed."""
    row = conn.execute(
        "insert into account (name, display_name, role, area_code, password_hash, created_at, password_changed_at)"
        " values ('keeper', 'Keeper', 'maintainer', '110105', '', %(at)s, %(at)s) returning id",
        {"at": AT},
    ).fetchone()
    assert row is not None
    return Principal(row[0], "keeper", "Keeper", Role.MAINTAINER, "110105", "110105/")


@pytest.fixture
def desk(migrated_url: str) -> Iterator[Desk]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=AT)
        [row] = nodes.nodes_by_name(conn, [NODE])
        made = Desk(conn, keeper(conn), new_id(), row.id)
        made.become(PresenceState.ONLINE, made.session)
        conn.commit()
        yield made


def test_a_command_is_asked_sent_taken_and_done(desk: Desk) -> None:
    asked = desk.ask(arguments={"lines": 5}, address="192.0.2.1")
    assert (asked.state, asked.deadline) == (CommandState.QUEUED, AT + PATIENCE[LOG])
    assert desk.send() == 1
    [(_, sent)] = desk.sent
    assert (sent.command_id, sent.session, sent.name, sent.deadline) == (
        asked.id,
        desk.session,
        "log_tail",
        asked.deadline,
    )
    assert sent.arguments == {"lines": 5}
    desk.answer(asked.id, AnswerOutcome.TAKEN)
    assert desk.find(asked).state is CommandState.DELIVERED
    result = {"z": 1, "lines": ["徘徊", None, {"b": 0.1, "a": 2}]}
    desk.answer(asked.id, AnswerOutcome.DONE, result=result)
    done = desk.find(asked)
    assert (done.state, done.ended_at, done.asked_by) == (CommandState.DONE, AT, "keeper")
    assert list(done.result or {}) == ["z", "lines"]
    assert done.result == result
    assert desk.told() == ["queued", "sent", "delivered", "done"]
    noted = desk.conn.execute("select actor_name, subject, detail from audit where action = 'command.asked'")
    assert [(row[0], row[1], row[2]["name"]) for row in noted] == [("keeper", NODE, "log_tail")]


def test_what_was_lost_on_its_way_is_sent_again_until_it_is_answered_or_too_late(desk: Desk) -> None:
    asked = desk.ask()
    times = []
    for _ in range(60):
        desk.send()
        desk.now += timedelta(seconds=0.5)
    times = [(at - AT) / AGAIN_AFTER for at, _ in desk.sent]
    assert times == sorted(times)
    assert 3 <= len(times) <= PATIENCE[LOG] / AGAIN_AFTER
    assert {each.command_id for _, each in desk.sent} == {asked.id}
    assert service.time_out(desk.conn, now=desk.now) == 1
    assert (desk.find(asked).state, desk.find(asked).ended_at) == (CommandState.TIMED_OUT, asked.deadline)
    assert service.time_out(desk.conn, now=desk.now) == 0
    assert desk.answer(asked.id, AnswerOutcome.DONE, result={"late": True}) == 0
    assert desk.find(asked).result is None


def test_what_the_broker_does_not_take_waits(desk: Desk) -> None:
    asked = desk.ask()
    assert service.send(desk.conn, lambda _topic, _payload: False, now=AT) == 0
    assert desk.find(asked).state is CommandState.QUEUED
    assert desk.send() == 1


def test_one_of_a_name_runs_on_a_node_and_device_at_a_time(desk: Desk) -> None:
    first = desk.ask()
    with pytest.raises(CommandRunning) as refused:
        desk.ask()
    assert refused.value.command_id == first.id
    cameras = [desk.ask(CommandName.SNAPSHOT, device=device) for device in ("cam-1", "cam-2")]
    assert len({each.id for each in cameras}) == 2
    with pytest.raises(CommandRunning):
        desk.ask(CommandName.SNAPSHOT, device="cam-1")
    desk.answer(first.id, AnswerOutcome.FAILED, reason="no")
    second = desk.ask()
    desk.now += PATIENCE[LOG] + GRACE + timedelta(seconds=1)
    third = desk.ask()  # nobody had swept yet
    assert [desk.find(each).state.value for each in (first, second, third)] == ["failed", "timed_out", "queued"]


def test_a_node_that_is_away_is_not_asked(desk: Desk) -> None:
    desk.become(PresenceState.OFFLINE, desk.session)
    with pytest.raises(NodeAway, match="since 2026-03-01T08:00:00"):
        desk.ask()
    with pytest.raises(NotFound):
        desk.ask(node="another")
    with pytest.raises(NotFound):
        desk.ask(actor=replace(desk.user, area_path="110105/110105003/"))
    assert desk.told() == []


def test_what_is_too_long_for_the_wire_is_not_asked(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.ask(arguments={"x": "y" * 300_000})


def test_answers_to_the_commands_of_others_and_to_none_change_nothing(desk: Desk) -> None:
    asked = desk.ask()
    stranger = Answer(command_id=asked.id, node=NODE, session=desk.session, at=AT, outcome=AnswerOutcome.DONE)
    assert service.take_answers(desk.conn, [Told(desk.node_id + 1, stranger)], now=AT) == 0
    assert desk.answer(new_id(), AnswerOutcome.DONE) == 0
    assert desk.find(asked).state is CommandState.QUEUED


def test_results_are_kept_a_day_and_rows_a_season_but_for_the_fleeting(desk: Desk) -> None:
    log, picture = desk.ask(arguments={"lines": 5}), desk.ask(CommandName.SNAPSHOT, device="cam-1")
    running = desk.ask(CommandName.RULES_TRY)
    for each in (log, picture):
        desk.answer(each.id, AnswerOutcome.DONE, result={"x": 1})
    assert service.prune(desk.conn, now=AT + timedelta(hours=23)) == 0
    assert service.prune(desk.conn, now=AT + timedelta(hours=25)) == 2
    assert (desk.find(log).result, desk.find(log).arguments) == (None, {})
    with pytest.raises(NotFound):
        desk.find(picture)
    assert service.prune(desk.conn, now=AT + timedelta(days=91)) == 1
    assert [each.id for each in service.of_node(desk.conn, NODE, scope="")] == [running.id]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.just(0), st.just("")),
        st.tuples(st.just("sweep"), st.just(0), st.just("")),
        st.tuples(st.just("pass"), st.integers(1, 15), st.just("")),
        st.tuples(st.just("restart"), st.just(0), st.just("")),
        st.tuples(st.sampled_from(list(AnswerOutcome)), st.integers(0, 1), st.sampled_from(["", "other_session"])),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_in_any_order_a_command_ends_once_and_nothing_is_sent_after_that(
    desk: Desk, steps: list[tuple[Any, int, str]]
) -> None:
    with desk.conn.transaction(force_rollback=True):
        desk.now, desk.sent = AT, []
        first = desk.session
        asked = desk.ask()
        sessions, final = [first, new_id()], None
        for step, which, reason in steps:
            match step:
                case "send":
                    count = desk.send()
                    assert count == 0 or (final is None and desk.now < asked.deadline)
                case "sweep":
                    ended = service.time_out(desk.conn, now=desk.now)
                    assert ended == int(final is None and desk.now > asked.deadline + GRACE)
                case "pass":
                    desk.now += timedelta(seconds=which)
                case "restart":
                    desk.become(PresenceState.ONLINE, sessions[1])
                case AnswerOutcome():
                    said = {"x": 1} if step is AnswerOutcome.DONE else None
                    desk.answer(asked.id, step, session=sessions[which], reason=reason or None, result=said)
            now = desk.find(asked)
            if final is not None:
                assert now == final
            elif now.state not in RUNNING:
                final = now
            assert (now.result is not None) <= (now.state is CommandState.DONE)
            assert (now.ended_at is not None) == (now.state not in RUNNING)
        told = desk.told()
        assert len(told) == len(set(told))
        assert told[-1] == desk.find(asked).state.value


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for level in range(1, levels):
        found = {"x": [found] if level % 2 else found}
    return found


def test_whatever_an_answer_holds_can_be_kept_and_read(desk: Desk) -> None:
    deep = nested(DEEPEST_RESULT // 2)
    asked = desk.ask()
    desk.answer(
        asked.id, AnswerOutcome.DONE, result={"n": 10**40, "y": 1e308, "words": "\ufffd\u202e\x1b💥", "deep": deep}
    )
    kept = desk.find(asked).result
    assert kept is not None
    assert (kept["n"], kept["y"], kept["words"], kept["deep"]) == (10**40, 1e308, "\ufffd\u202e\x1b💥", deep)


def test_an_answer_that_is_nested_too_deeply_counts_as_none(desk: Desk) -> None:
    for levels in (50, 5_000):
        asked = desk.ask()
        desk.answer(asked.id, AnswerOutcome.DONE, result=nested(levels))
        found = desk.find(asked)
        assert (found.state, found.reason, found.result) == (CommandState.FAILED, TOO_DEEP, None)


def test_what_is_asked_about_a_camera_belongs_to_the_area_of_the_camera(desk: Desk) -> None:
    camera = birth(Device(id="cam-1", kind="camera"))
    node = FakeNode(NODE)
    fleet.apply_birth(desk.conn, desk.node_id, node.envelope(camera), now=AT)
    desk.become(PresenceState.ONLINE, node.session)
    fleet.place_device(desk.conn, NODE, "cam-1", grid_code=OTHER_GRID, longitude=None, latitude=None)
    there, here = (replace(desk.user, area_path=f"110105/{code[:9]}/") for code in (OTHER_GRID, GRID))
    with pytest.raises(NotFound):
        desk.ask(CommandName.RULES_TRY, device="cam-1", actor=here)
    asked = desk.ask(CommandName.RULES_TRY, device="cam-1", actor=there)
    with pytest.raises(NotFound):
        desk.ask(actor=there)
    log = desk.ask(actor=here)
    assert service.find(desk.conn, asked.id, scope=there.area_path).id == asked.id
    with pytest.raises(NotFound):
        service.find(desk.conn, asked.id, scope=here.area_path)
    listed = [service.of_node(desk.conn, NODE, scope=who.area_path) for who in (there, here)]
    assert [[each.id for each in found] for found in listed] == [[asked.id], [log.id]]
    desk.send()
    desk.now += timedelta(minutes=5)
    service.time_out(desk.conn, now=desk.now)
    told = desk.conn.execute(
        "select distinct payload ->> 'name', area_path from event where kind = 'command.updated'"
    ).fetchall()
    assert {(name, path.split("/")[-2]) for name, path in told} == {("rules_try", OTHER_GRID), ("log_tail", GRID)}
    with pytest.raises(NotFound):
        service.of_node(desk.conn, NODE, scope="110105/110105002/")


def test_nobody_hears_who_is_looked_at(desk: Desk) -> None:
    asked = desk.ask(CommandName.SNAPSHOT, device="cam-1")
    desk.send()
    desk.answer(asked.id, AnswerOutcome.DONE)
    assert desk.find(asked).state is CommandState.DONE
    assert desk.told() == []


def test_what_was_published_and_not_noted_is_published_again(desk: Desk) -> None:
    asked = desk.ask()
    with desk.conn.transaction(force_rollback=True):
        assert desk.send() == 1
    assert desk.find(asked).state is CommandState.QUEUED
    assert desk.send() == 1
    assert [each.command_id for _, each in desk.sent] == [asked.id, asked.id]


def test_two_processes_never_take_the_same_one(desk: Desk, migrated_url: str) -> None:
    cameras = [desk.ask(CommandName.SNAPSHOT, device=f"cam-{number}") for number in range(4)]
    desk.conn.commit()
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as other:
        assert desk.send() == len(cameras)
        assert service.send(other, lambda _topic, _payload: True, now=AT) == 0

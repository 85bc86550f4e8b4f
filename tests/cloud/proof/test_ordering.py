"""Sealed originals lie at their nodes: fetched for two people, once, and kept for held cases; with nodes away, old, slow and forgetful."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloud.commands import service as commands
from cloud.commands.model import Told
from cloud.db.pool import Pool, open_pool
from cloud.errors import Conflict, NotFound
from cloud.evidence import store as evidence
from cloud.evidence.pruning import prune
from cloud.evidence.retention import PrunableFile, PruneReason
from cloud.evidence.store import mark_stored
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from cloud.proof import holds, linking, ordering, originals, store
from cloud.proof.chain import FactKind, read_link
from cloud.proof.keys import signer_of
from cloud.proof.ordering import (
    AGAIN_AFTER,
    CONFIRMED_WITHIN,
    DENIED_AGAIN_AFTER,
    LONGEST_WAIT,
    REMIND_AFTER,
    STAYS_AFTER,
    UNKEPT_AGAIN_AFTER,
    UNKEPT_LONGEST_WAIT,
    UNKEPT_REPEATS,
)
from cloud.proof.originals import FETCHED_WITHIN, LASTS, RequestState
from edge.contract.answer import Answer, AnswerOutcome
from edge.contract.birth import NodeStatus, PresenceState
from edge.contract.downlink import Command
from edge.contract.envelope import decode
from edge.contract.originals import KeepSealedArguments, OriginalState, UploadSealedArguments
from tests.cloud.proof.conftest import SEALED, Proving
from tests.fakes.node import AT, new_id

SHA256 = hashlib.sha256(SEALED).hexdigest()
ADDRESS = "192.0.2.1"


@dataclass
class Site:
    """A cloud whose one node keeps its original, and answers what it is asked."""

    proving: Proving
    pool: Pool
    session: UUID = field(default_factory=new_id)
    now: datetime = AT
    is_online: bool = False
    answers: OriginalState | None = OriginalState.ORDERED
    heard: list[Command] = field(default_factory=list)
    reason: str | None = None

    def be(self, state: PresenceState) -> None:
        self.is_online = state is PresenceState.ONLINE
        with self.pool.connection() as conn:
            [node] = nodes.nodes_by_name(conn, [self.proving.node.name])
            status = NodeStatus(node=self.proving.node.name, session=self.session, state=state, at=self.now)
            fleet.apply_status(conn, node.id, status, now=self.now)

    def turn(self) -> list[Command]:
        """The sweep runs, the node hears and answers, the sweep runs."""
        ordering.sweep(self.pool, now=self.now)
        heard: list[Command] = []
        with self.pool.connection() as conn:
            [node] = nodes.nodes_by_name(conn, [self.proving.node.name])

            def publish(_topic: str, payload: bytes) -> bool:
                heard.append(decode(payload, Command))
                return True

            commands.send(conn, publish, now=self.now)
            for command in heard:
                self.answer(conn, node.id, command)
        ordering.sweep(self.pool, now=self.now)
        self.heard += heard
        return heard

    def answer(self, conn: Any, node_id: int, command: Command) -> None:
        if self.answers is None:
            return
        said = self.answers
        if command.name == "keep_sealed" and said is OriginalState.ORDERED:
            until = command.arguments.get("until")
            is_over = until is not None and datetime.fromisoformat(until) <= self.now
            said = OriginalState.RELEASED if is_over else OriginalState.KEPT
        result: dict[str, Any] = {"files": dict.fromkeys(command.arguments["files"], said.value)}
        if self.reason is not None:
            result["reasons"] = dict.fromkeys(command.arguments["files"], self.reason)
        answer = Answer(
            command_id=command.command_id,
            node=self.proving.node.name,
            session=command.session,
            at=self.now,
            outcome=AnswerOutcome.DONE,
            result=result,
        )
        commands.take_answers(conn, [Told(node_id, answer)], now=self.now)

    def upload(self) -> None:
        """What the node was told to send has come."""
        source = self.proving.settings.data_directory / "sealed"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(SEALED)
        self.proving.files.put(SHA256, source)
        with self.pool.connection() as conn:
            mark_stored(conn, self.proving.node.name, SHA256, now=self.now)

    def is_stored(self) -> bool:
        with self.pool.connection() as conn:
            row = conn.execute("select stored_at is not null from evidence where sha256 = %s", [SHA256]).fetchone()
        assert row is not None
        assert bool(row[0]) == (self.proving.files.size(SHA256) is not None)
        return bool(row[0])

    def ask(self) -> int:
        with self.pool.connection() as conn:
            asked = originals.ask(
                conn,
                self.proving.chief,
                self.proving.case_id(),
                SHA256,
                purpose="police",
                now=self.now,
                address=ADDRESS,
            )
        return asked.id

    def allow(self, request: int) -> None:
        with self.pool.connection() as conn:
            originals.decide(conn, self.proving.second, request, allowed=True, now=self.now, address=ADDRESS)

    def state(self, request: int) -> RequestState:
        with self.pool.connection() as conn:
            return originals.find(conn, self.proving.chief, request).state(self.now)

    def open(self, request: int) -> bytes:
        with self.pool.connection() as conn:
            _, _, chunks = originals.hand_over(
                conn, self.proving.files, self.proving.chief, request, now=self.now, address=ADDRESS
            )
            return b"".join(chunks)

    def drop(self) -> int:
        """The node says whether it has the file still, where it is asked."""
        self.turn()
        return self.drop_unasked()

    def drop_unasked(self) -> int:
        return ordering.drop_fetched(self.pool, self.proving.files, now=self.now)

    def hold(self, until: datetime | None = None) -> int:
        with self.pool.connection() as conn:
            put = holds.put(
                conn,
                self.proving.chief,
                self.proving.case_id(),
                reason="court",
                until=until,
                now=self.now,
                address=ADDRESS,
            )
        return put[-1].id

    def lift(self, hold: int) -> None:
        with self.pool.connection() as conn:
            holds.lift(conn, self.proving.chief, hold, note="over", now=self.now, address=ADDRESS)

    def told(self, like: str = "unseal%") -> list[tuple[str, str]]:
        with self.pool.connection() as conn:
            rows = conn.execute("select action, note from case_event where action like %s order by id", [like])
            return [(row[0], row[1]) for row in rows]


@pytest.fixture
def site(proving: Proving) -> Iterator[Site]:
    pool = open_pool(proving.url, size=3)
    with pool.connection() as conn:
        conn.execute("update evidence set stored_at = null where sha256 = %s", [SHA256])
    proving.files.remove(SHA256)
    made = Site(proving, pool)
    made.be(PresenceState.ONLINE)
    yield made
    pool.close()


def test_it_is_fetched_when_a_second_person_allows_it_opened_once_and_goes_again(site: Site) -> None:
    request = site.ask()
    assert site.turn() == []  # nobody has allowed it
    site.allow(request)
    assert site.state(request) is RequestState.ALLOWED
    [command] = site.turn()
    assert command.name == "upload_sealed"
    assert command.arguments == {"files": [SHA256], "until": (AT + FETCHED_WITHIN).isoformat()}
    assert site.state(request) is RequestState.FETCHING
    with pytest.raises(Conflict):
        site.open(request)
    site.now += timedelta(hours=2)
    site.upload()
    assert site.turn() == []
    assert site.state(request) is RequestState.READY
    site.now += LASTS - timedelta(seconds=1)  # the permission runs from when the file was here
    assert site.drop() == 0
    assert site.open(request) == SEALED
    assert site.state(request) is RequestState.HANDED
    assert site.drop() == 0  # a slow line
    site.now += STAYS_AFTER + timedelta(seconds=1)
    assert site.drop() == 1
    assert not site.is_stored()
    site.now += REMIND_AFTER * 2
    assert site.turn() == []  # and nobody fetches it again
    assert [word for word, _ in site.told()] == ["unseal_asked", "unseal_allowed", "unseal_ready", "unsealed"]
    with site.pool.connection() as conn:
        asked, confirmed = conn.execute(
            "select actor_name, detail from audit where action = 'command.asked' order by at, id"
        ).fetchall()
        [gone] = conn.execute("select detail ->> 'reason' from audit where action = 'evidence.pruned'").fetchall()
        while linking.link(conn, signer_of(site.proving.settings), now=site.now):
            pass
        chain = [read_link(each.statement) for each in store.links_of(conn, site.proving.case_id())]
    (dropped,) = (said for said in chain if said.kind in {FactKind.COPY_DROPPED, FactKind.DELETED})
    assert (dropped.kind, dropped.fact["sha256"]) == (FactKind.COPY_DROPPED, SHA256)  # its node has the original
    assert (asked[0], asked[1]["name"], gone[0]) == ("second", "upload_sealed", "fetched")
    assert confirmed[1]["name"] == "keep_sealed"  # whether the node has it still


def fetched(site: Site) -> int:
    """A request whose file has come."""
    request = site.ask()
    site.allow(request)
    site.turn()
    site.upload()
    site.turn()
    assert site.state(request) is RequestState.READY
    return request


@pytest.mark.parametrize("answer", [OriginalState.GONE, None])
def test_the_last_copy_stays(site: Site, answer: OriginalState | None) -> None:
    site.open(fetched(site))
    site.now += STAYS_AFTER * 2
    site.answers = answer
    assert site.drop() == 0
    site.now += timedelta(hours=2)
    site.be(PresenceState.OFFLINE)
    assert site.drop() == 0
    assert site.is_stored()
    site.now += DENIED_AGAIN_AFTER
    with site.pool.connection() as conn:
        commands.time_out(conn, now=site.now)
    site.be(PresenceState.ONLINE)
    site.answers = OriginalState.ORDERED  # a disk that was put back
    site.turn()
    site.now += LONGEST_WAIT
    assert site.drop() == 1


def test_a_node_that_said_long_ago_that_it_has_the_file_is_asked_again_before_the_copy_goes(site: Site) -> None:
    site.open(fetched(site))
    site.now += STAYS_AFTER * 2
    site.turn()
    site.now += CONFIRMED_WITHIN + timedelta(seconds=1)
    assert site.drop_unasked() == 0
    site.answers = OriginalState.GONE
    assert site.drop() == 0


def test_the_copy_stays_where_another_has_been_allowed_to_see_it_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.open(fetched(site))
    site.now += STAYS_AFTER * 2
    again = site.ask()
    site.turn()
    lock_file = evidence.lock_file

    def allowed_before_the_lock(conn: Any, sha256: str) -> None:
        monkeypatch.setattr(evidence, "lock_file", lock_file)
        site.allow(again)
        lock_file(conn, sha256)

    monkeypatch.setattr(evidence, "lock_file", allowed_before_the_lock)
    assert site.drop_unasked() == 0
    assert site.state(again) is RequestState.READY
    assert site.open(again) == SEALED


def test_what_is_gone_before_it_was_opened_is_fetched_again(site: Site) -> None:
    request = fetched(site)
    with site.pool.connection() as conn:
        conn.execute("update evidence set stored_at = null where sha256 = %s", [SHA256])
    site.proving.files.remove(SHA256)
    site.now += timedelta(hours=1)
    ordering.sweep(site.pool, now=site.now)
    assert site.state(request) is not RequestState.READY
    site.turn()
    assert site.state(request) is RequestState.FETCHING
    site.upload()
    site.turn()
    assert site.open(request) == SEALED


def test_of_a_case_that_was_parted_nobody_says_that_its_file_is_gone(site: Site) -> None:
    request = site.ask()
    site.allow(request)
    site.turn()
    with site.pool.connection() as conn:
        conn.execute("delete from case_incident where case_id = %s", [site.proving.case_id()])
    site.now += timedelta(hours=1)
    site.turn()
    assert site.state(request) is not RequestState.GONE
    assert [word for word, _ in site.told()] == ["unseal_asked", "unseal_allowed"]
    site.now += FETCHED_WITHIN
    assert site.state(request) is RequestState.EXPIRED


def test_retention_leaves_what_somebody_was_allowed_to_see(site: Site) -> None:
    request = fetched(site)
    due = PrunableFile(site.proving.node.name, SHA256, "sealed", "low", len(SEALED), PruneReason.AGE)
    with site.pool.connection() as conn:
        conn.execute("update grid_case set status = 'closed', worker_id = null, checker_id = null")
        assert not prune(conn, site.proving.files, due, now=site.now, actor_name="retention")
    site.open(request)
    with site.pool.connection() as conn:
        assert prune(conn, site.proving.files, due, now=site.now, actor_name="retention")


def test_a_copy_that_came_by_order_is_known_as_one_whatever_is_asked_later(site: Site) -> None:
    request = site.ask()
    site.allow(request)
    site.turn()
    site.now += REMIND_AFTER * 2
    ordering.sweep(site.pool, now=site.now)  # reminded, and not answered
    site.upload()
    site.be(PresenceState.OFFLINE)
    site.turn()
    site.open(request)
    site.be(PresenceState.ONLINE)
    site.now += STAYS_AFTER * 2
    site.turn()
    assert site.drop() == 1


def test_the_node_keeps_what_a_hold_needs_though_there_is_a_copy(site: Site) -> None:
    site.open(fetched(site))
    site.hold()
    assert [(each.name, each.arguments) for each in site.turn()] == [("keep_sealed", {"files": [SHA256]})]


def test_what_was_opened_once_may_be_asked_for_again(site: Site) -> None:
    for _ in range(2):
        request = site.ask()
        site.allow(request)
        assert [each.name for each in site.turn()] == ["upload_sealed"]
        site.upload()
        site.turn()
        assert site.open(request) == SEALED
        site.now += timedelta(hours=1)
        assert site.drop() == 1


def test_the_arguments_are_what_a_node_reads(site: Site) -> None:
    site.allow(site.ask())
    site.hold()
    heard = {command.name: command.arguments for command in site.turn()}
    assert msgspec.convert(heard.pop("upload_sealed"), UploadSealedArguments).files == (SHA256,)
    assert msgspec.convert(heard.pop("keep_sealed"), KeepSealedArguments).files == (SHA256,)
    assert heard == {}


def test_the_order_waits_for_a_node_that_is_away_and_ends(site: Site) -> None:
    site.be(PresenceState.OFFLINE)
    request = site.ask()
    site.allow(request)
    assert site.turn() == []
    assert site.state(request) is RequestState.ALLOWED
    site.now += FETCHED_WITHIN - timedelta(hours=1)
    site.be(PresenceState.ONLINE)
    assert len(site.turn()) == 1
    site.now += timedelta(hours=1)
    assert site.state(request) is RequestState.EXPIRED
    assert site.turn() == []


def test_a_node_that_does_not_answer_is_asked_again_more_and_more_seldom(site: Site) -> None:
    site.answers = None
    site.allow(site.ask())
    asked: list[datetime] = []
    while site.now < AT + timedelta(hours=3):
        with site.pool.connection() as conn:
            commands.time_out(conn, now=site.now)
        ordering.sweep(site.pool, now=site.now)
        with site.pool.connection() as conn:
            row = conn.execute("select max(asked_at), count(*) from command").fetchone()
        assert row is not None
        asked += [row[0]] if row[0] not in asked else []
        site.now += timedelta(seconds=20)
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert min(waits) >= AGAIN_AFTER
    assert len(asked) < 12
    site.answers = OriginalState.ORDERED
    with site.pool.connection() as conn:
        commands.time_out(conn, now=site.now)
    ordering.sweep(site.pool, now=site.now)
    site.now += timedelta(hours=1, seconds=20)
    assert len(site.turn()) == 1


def test_what_the_node_has_no_more_is_said(site: Site) -> None:
    site.answers = OriginalState.GONE
    request = site.ask()
    site.allow(request)
    site.turn()
    assert site.state(request) is RequestState.GONE
    with pytest.raises(Conflict):
        site.open(request)
    assert [word for word, _ in site.told()] == ["unseal_asked", "unseal_allowed", "unseal_gone"]
    again = site.ask()  # it may turn up: a disk that was put back
    site.now += timedelta(minutes=1)
    site.answers = OriginalState.ORDERED
    site.allow(again)
    assert len(site.turn()) == 1
    assert site.state(again) is RequestState.FETCHING


def test_what_a_node_was_told_and_does_not_send_it_is_told_again(site: Site) -> None:
    request = site.ask()
    site.allow(request)
    assert len(site.turn()) == 1
    site.now += REMIND_AFTER - timedelta(minutes=1)
    assert site.turn() == []
    site.now += timedelta(minutes=2)
    site.answers = OriginalState.GONE  # its store was damaged
    assert len(site.turn()) == 1
    assert site.state(request) is RequestState.GONE


def test_what_an_older_node_has_sent_unasked_is_ready_at_once_and_stays(site: Site) -> None:
    site.upload()
    request = site.ask()
    site.allow(request)
    assert site.state(request) is RequestState.READY
    assert site.turn() == []
    assert site.open(request) == SEALED
    site.now += timedelta(days=30)
    assert site.drop() == 0
    assert site.is_stored()


def test_an_older_node_that_knows_no_such_orders_may_send_it_all_the_same(site: Site) -> None:
    request = site.ask()
    site.allow(request)
    ordering.sweep(site.pool, now=site.now)
    with site.pool.connection() as conn:
        conn.execute("update command set state = 'refused', reason = 'unsupported', ended_at = asked_at")
    ordering.sweep(site.pool, now=site.now)
    assert site.turn() == []
    site.upload()
    site.turn()
    assert site.state(request) is RequestState.READY


def test_a_held_case_has_its_originals_kept_until_the_last_hold_is_over(site: Site) -> None:
    site.answers = OriginalState.KEPT
    first = site.hold(AT + timedelta(days=30))
    [keep] = site.turn()
    assert keep.arguments == {"files": [SHA256], "until": (AT + timedelta(days=30)).isoformat()}
    second = site.hold()
    [keep] = site.turn()
    assert keep.arguments == {"files": [SHA256]}  # without an end
    assert site.turn() == []
    site.now += timedelta(hours=1)
    site.lift(second)
    [keep] = site.turn()
    assert keep.arguments["until"] == (AT + timedelta(days=30)).isoformat()
    site.lift(first)
    site.answers = OriginalState.RELEASED
    [release] = site.turn()
    assert release.arguments["until"] == site.now.isoformat()
    assert site.turn() == []
    assert site.told("hold_unkept") == []


@pytest.mark.parametrize("answer", [OriginalState.GONE, OriginalState.NO_ROOM])
def test_what_can_not_be_kept_is_said_once(site: Site, answer: OriginalState) -> None:
    site.answers = answer
    site.hold()
    site.turn()
    site.turn()
    assert site.told("hold_unkept") == [("hold_unkept", f"{site.proving.node.name}: {answer} 1")]


def test_the_copy_of_a_held_case_stays(site: Site) -> None:
    request = site.ask()
    site.allow(request)
    site.turn()
    site.upload()
    site.turn()
    site.open(request)
    hold = site.hold()
    site.now += timedelta(days=2)
    assert site.drop() == 0
    site.lift(hold)
    assert site.drop() == 1


def test_nobody_asks_for_what_is_not_of_the_case(site: Site) -> None:
    with site.pool.connection() as conn, pytest.raises(NotFound):
        originals.ask(
            conn, site.proving.chief, site.proving.case_id(), "0" * 64, purpose="police", now=AT, address=ADDRESS
        )


class Course:
    """What happens in one example, step by step. The examples share one database: what the last one left open is closed first."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.requests: list[int] = []
        self.allowed: set[int] = set()
        self.opened: set[int] = set()
        self.held: list[int] = []
        with site.pool.connection() as conn:
            conn.execute("update unseal_request set expires_at = %s where handed_at is null", [site.now])
            conn.execute("update legal_hold set lifted_at = %s, lifted_by = set_by where lifted_at is null", [site.now])

    def ask(self) -> None:
        if not self.requests or self.requests[-1] in self.allowed:
            self.requests.append(self.site.ask())

    def allow(self) -> None:
        if self.requests and self.site.state(self.requests[-1]) is RequestState.WAITING:
            self.site.allow(self.requests[-1])
            self.allowed.add(self.requests[-1])

    def turn(self) -> None:
        self.site.answers = OriginalState.ORDERED
        self.site.turn()

    def lose(self) -> None:
        self.site.answers = OriginalState.GONE
        self.site.turn()

    def upload(self) -> None:
        if any(self.site.state(request) is RequestState.FETCHING for request in self.requests):
            self.site.upload()

    def open(self) -> None:
        for request in self.requests[-1:]:
            before = self.site.state(request)
            try:
                assert self.site.open(request) == SEALED
            except (Conflict, NotFound):
                assert before is not RequestState.READY
            else:
                assert before is RequestState.READY
                assert request in self.allowed - self.opened
                self.opened.add(request)

    def drop(self) -> None:
        self.site.drop()

    def away(self) -> None:
        self.site.be(PresenceState.OFFLINE)

    def back(self) -> None:
        self.site.be(PresenceState.ONLINE)

    def hour(self) -> None:
        self.site.now += timedelta(hours=1)

    def day(self) -> None:
        self.site.now += timedelta(days=1)

    def hold(self) -> None:
        self.held.append(self.site.hold())

    def lift(self) -> None:
        if self.held:
            self.site.lift(self.held.pop())


STEPS = ("ask", "allow", "turn", "lose", "upload", "open", "drop", "away", "back", "hour", "day", "hold", "lift")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=16))
@example(["ask", "allow", "turn", "upload", "turn", "open", "hour", "drop", "ask", "allow", "turn", "lose"])
@example(["hold", "away", "ask", "allow", "day", "back", "turn", "upload", "turn", "lift", "day", "day", "drop"])
def test_in_any_order_it_is_handed_out_only_to_whom_it_was_allowed_and_the_chain_holds(
    site: Site, taken: list[str]
) -> None:
    course = Course(site)
    for step in taken:
        getattr(course, step)()
    site.be(PresenceState.ONLINE)
    site.now += FETCHED_WITHIN + LASTS
    for _ in range(2):
        site.turn()
    site.drop()
    if not course.held:
        assert not site.is_stored()
    signer = signer_of(site.proving.settings)
    head = site.proving.settings.data_directory / "head.json"
    linking.link_all(site.pool, signer, head, now=site.now)
    with site.pool.connection() as conn:
        verdict = linking.check(conn, {signer.fingerprint: signer.public_key}, noted=linking.noted_head(head))
    assert verdict.findings == []


def test_whoever_asked_is_told_why_the_file_did_not_come(site: Site) -> None:
    site.be(PresenceState.OFFLINE)
    request = site.ask()
    site.allow(request)
    site.turn()
    site.now += FETCHED_WITHIN
    site.turn()
    assert site.state(request) is RequestState.UNSERVED
    with site.pool.connection() as conn:
        found = originals.find(conn, site.proving.chief, request)
    assert (found.unserved_at, found.unserved_reason) == (site.now, "node_away")
    assert site.told()[-1] == ("unseal_unserved", f"#{request}: police — node_away")
    site.turn()
    assert [word for word, _ in site.told()].count("unseal_unserved") == 1


@pytest.mark.parametrize(("answer", "reason"), [(OriginalState.ORDERED, "not_sent"), (None, "not_answered")])
def test_a_node_that_was_there_and_sent_nothing_is_another_reason(
    site: Site, answer: OriginalState | None, reason: str
) -> None:
    site.answers = answer
    request = site.ask()
    site.allow(request)
    site.turn()
    site.now += FETCHED_WITHIN
    site.turn()
    assert site.told()[-1] == ("unseal_unserved", f"#{request}: police — {reason}")


def test_what_the_service_does_not_take_is_over_at_once_and_may_be_asked_for_again(site: Site) -> None:
    site.answers, site.reason = OriginalState.NOT_TAKEN, "415 not this kind"
    request = site.ask()
    site.allow(request)
    site.turn()
    assert site.state(request) is RequestState.UNSERVED
    assert site.told()[-1] == ("unseal_unserved", f"#{request}: police — not_taken: 415 not this kind")
    site.now += REMIND_AFTER * 2
    assert site.turn() == []  # nobody waits for it
    site.answers = OriginalState.ORDERED
    again = site.ask()
    site.allow(again)
    assert len(site.turn()) == 1
    assert site.state(again) is RequestState.FETCHING


def unkept(site: Site) -> list[int]:
    with site.pool.connection() as conn:
        return [hold.unkept for hold in holds.of_case(conn, site.proving.chief, site.proving.case_id())]


def test_what_a_node_had_no_room_for_is_asked_for_again_until_there_is_room(site: Site) -> None:
    site.answers = OriginalState.NO_ROOM
    site.hold()
    site.turn()
    assert unkept(site) == [1]
    site.now += UNKEPT_AGAIN_AFTER - timedelta(seconds=1)
    assert site.turn() == []
    site.now += timedelta(seconds=1)
    assert [each.name for each in site.turn()] == ["keep_sealed"]
    assert unkept(site) == [1]
    site.now += UNKEPT_AGAIN_AFTER
    assert site.turn() == []  # twice as long this time
    assert len(site.told("hold_unkept")) == 1
    site.answers = OriginalState.KEPT
    site.now += UNKEPT_AGAIN_AFTER
    assert len(site.turn()) == 1
    assert unkept(site) == [0]
    site.now += timedelta(days=30)
    assert site.turn() == []


def test_what_can_not_be_kept_is_not_asked_for_without_end(site: Site) -> None:
    site.answers = OriginalState.NO_ROOM
    site.hold()
    site.turn()
    with site.pool.connection() as conn:
        conn.execute("update sealed_order set repeats = %s", [UNKEPT_REPEATS - 1])
    site.now += UNKEPT_LONGEST_WAIT
    assert len(site.turn()) == 1
    site.now += UNKEPT_LONGEST_WAIT * 2
    assert site.turn() == []
    assert unkept(site) == [1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=6))
@example([(6, False), (6, False), (6, True), (1, True)])
def test_no_node_holds_up_the_others(site: Site, at: list[tuple[int, bool]]) -> None:
    """Nodes with any number of orders, some of which never answer: each hears of its first within the rounds that all nodes take."""
    with site.pool.connection() as conn, conn.transaction(force_rollback=True):
        chief = site.proving.chief.user_id
        for place, (orders, _) in enumerate(at):
            _node_with_orders(conn, f"n{place}", orders, chief)
        rounds: list[set[str]] = []
        for turn in range(len(at)):
            rounds.append(_round(conn, at, now=site.now + timedelta(seconds=turn)))
            assert all(name.startswith("n") for name in rounds[-1])
        waits = -(-len(at) // NODES_OF_TWO)
        assert set().union(*rounds[:waits]) == {f"n{place}" for place in range(len(at))}


NODES_OF_TWO = 2


def _node_with_orders(conn: Any, name: str, orders: int, account: int) -> None:
    conn.execute(
        "insert into node (name, district, area_code, created_at, presence, presence_since, presence_session, session)"
        " values (%s, '330106', '330106', %s, 'online', %s, %s, %s)",
        [name, AT, AT, new_id(), new_id()],
    )
    for number in range(orders):
        sha256 = hashlib.sha256(f"{name} {number}".encode()).hexdigest()
        conn.execute(
            "insert into evidence (node, sha256, kind, mime, bytes) values (%s, %s, 'sealed', 'x/y', 1)", [name, sha256]
        )
        conn.execute(
            "insert into sealed_order (node, sha256, wish, until, ordered_by, ordered_at, next_at)"
            " values (%s, %s, 'upload', %s, %s, %s, %s)",
            [name, sha256, AT + timedelta(days=1 + number), account, AT, AT],
        )


def _round(conn: Any, at: list[tuple[int, bool]], *, now: datetime) -> set[str]:
    """Two nodes' turn at most; those that answer do so at once. The names of those that heard something."""
    before = {row[0] for row in conn.execute("select id from command")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "NODES_AT_ONCE", NODES_OF_TWO)
        ordering.bring(conn, now=now)
    heard = conn.execute("select c.id, n.name from command c join node n on n.id = c.node_id").fetchall()
    for place, (_, answers) in enumerate(at):
        if answers:
            conn.execute(
                "update command set state = 'done', ended_at = %s where ended_at is null and node_id ="
                " (select id from node where name = %s)",
                [now, f"n{place}"],
            )
    return {name for command, name in heard if command not in before}

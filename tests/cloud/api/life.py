"""Everything that people may do to cases, over the API, against what the table says: a rule-based state machine.

Cases of two communities, people of every role inside and outside of the first one, two departments and a team; reports of people and of a
hotline, residents who rate, chains of merged cases, drills, passwords that somebody else has issued. After every step the database is looked
at: whatever was tried, each case went only where the table lets it go.
"""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import psycopg
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg.rows import namedtuple_row

from cloud.access import api_keys, audit_chain, departments, independence, sessions
from cloud.access.api_keys import KeyScope, KeyWish
from cloud.access.departments import DepartmentKind
from cloud.access.model import Principal, Role
from cloud.api.app import make_app
from cloud.api.dependencies import Services
from cloud.api.pace import AddressPace
from cloud.cases import service as cases
from cloud.cases.model import (
    OPEN_STATUSES,
    OWN_MOVES,
    STAGE_OF,
    TRANSITIONS,
    CaseAction,
    CaseStatus,
    HistoryAction,
    Need,
    Transition,
)
from cloud.correlate import service as correlate
from cloud.db.pool import Pool, open_pool
from cloud.drills import service as drills
from cloud.drills.model import ChosenSource, DrillWish
from cloud.errors import CloudError, Conflict
from cloud.evidence.service import EvidenceService
from cloud.intake.service import ORIGINS_OF
from cloud.notify.stream import LiveHub
from cloud.notify.vault import Vault
from cloud.proof import linking
from cloud.settings import CloudSettings
from cloud.signing import Signer
from edge.contract.incident import Severity
from tests.cloud.api.things import add_people
from tests.cloud.samples import GRID, NOW, OTHER_GRID, incident, report

HERE, THERE = "110105001", "110105003"
SEVERITIES = list(Severity)
YEARS = timedelta(days=200 * 365)
"""A night's run lives through decades."""
ROW = {(row.action, row.from_status): row for row in TRANSITIONS}
ROLES_OF = {
    action: {role for row in TRANSITIONS if row.action is action for role in row.roles} for action in CaseAction
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a session."""

    id: int
    name: str
    role: Role
    scope: str
    department: int | None
    token: str


@dataclass(slots=True)
class Town:
    """The cloud under test, its people, and its clock."""

    client: httpx.Client
    pool: Pool
    people: dict[str, Person]
    departments: dict[str, int]
    hotline: str
    signer: Signer = field(default_factory=lambda: Signer(Ed25519PrivateKey.generate()))
    now: datetime = NOW
    made: int = 0
    statuses: list[int] = field(default_factory=list)

    def get(self, who: Person, path: str) -> httpx.Response:
        return self.client.get(path, headers={"Authorization": f"Bearer {who.token}"})

    def post(self, who: Person, path: str, body: Mapping[str, Any]) -> httpx.Response:
        answer = self.client.post(path, json=body, headers={"Authorization": f"Bearer {who.token}"})
        self.statuses.append(answer.status_code)
        return answer


@contextmanager
def town_of(settings: CloudSettings) -> Iterator[Town]:
    """A town over a database that has areas."""
    url = settings.database_url.get_secret_value()
    pool = open_pool(url, size=6)
    town: list[Town] = []
    services = Services(
        settings=settings,
        pool=pool,
        evidence=EvidenceService.of(settings),
        hub=LiveHub(url, queue_size=10, maximum_clients=2),
        vault=Vault.of(settings),
        clock=lambda: town[0].now,
        public_pace=AddressPace(burst=1_000_000),
    )
    try:
        with pool.connection() as conn:
            people, known = _settle(conn)
            wish = KeyWish(name="hotline", scopes=frozenset({KeyScope.INTAKE}), area_code=HERE, per_minute=6_000)
            hotline = api_keys.make(conn, wish, now=NOW).secret
            conn.execute("update api_key set expires_at = %s", [NOW + YEARS])
        with _answering(services) as client:
            town.append(Town(client, pool, people, known, hotline))
            yield town[0]
    finally:
        pool.close()


@contextmanager
def _answering(services: Services) -> Iterator[httpx.Client]:
    """The application on a port, with the clock of the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(make_app(services), lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def _settle(conn: psycopg.Connection[Any]) -> tuple[dict[str, Person], dict[str, int]]:
    for code, kind, area in (("water", DepartmentKind.DEPARTMENT, THERE), ("volunteers", DepartmentKind.TEAM, None)):
        departments.add(conn, code=code, name=code.title(), kind=kind, area_code=area, now=NOW)
    conn.execute("update node set area_code = %s", [GRID])
    add_people(conn, "inside", HERE)
    add_people(conn, "second", HERE, department="volunteers")
    add_people(conn, "outside", THERE, department="water")
    people = {}
    rows = conn.execute(
        "select p.id, p.name, p.role, a.path, p.department_id from account p"
        " join area a on a.code = p.area_code and a.valid_to is null"
        " where split_part(p.name, '-', 1) in ('inside', 'second', 'outside')"
    ).fetchall()
    for account_id, name, role, path, department in rows:
        token, _ = sessions.start(conn, account_id, now=NOW, lasts_s=YEARS.total_seconds(), address="test", agent="")
        people[name] = Person(account_id, name, Role(role), path, department, token)
    return people, {each.code: each.id for each in departments.usable(conn)}


@dataclass(slots=True)
class Seen:
    """What the last look at a case showed."""

    version: int
    severity: int
    area_path: str
    events: int


PERSON = st.integers(0, 3 * len(Role) - 1)
CASE = st.integers(0, 9)
PICK = st.integers(0, 11)
WRONG = st.sampled_from(("nothing", "nothing", "stale", "missing", "stray", "elsewhere"))


class CaseLife(RuleBasedStateMachine):
    """One run: some cases, and whatever people try."""

    def __init__(self, town: Town) -> None:
        super().__init__()
        self.town = town
        self.ids: list[int] = []
        self.seen: dict[int, Seen] = {}
        self.told: dict[int, set[int]] = {}
        self.cameras: list[str] = []
        self.links: list[tuple[str, int]] = []
        self.drill: int | None = None
        self.reported = 0

    # --- what happens

    @initialize()
    def two_reports(self) -> None:
        self.something_is_found(GRID, 1)
        self.something_is_found(GRID, 2)
        self._try_each_mistake_once()

    def _try_each_mistake_once(self) -> None:
        """What chance may leave out."""
        names = sorted(self.town.people)
        for name, wrong in (
            ("inside-duty_chief", "missing"),
            ("inside-duty_chief", "stale"),
            ("inside-auditor", "nothing"),
            ("outside-grid_worker", "nothing"),
        ):
            self._try(names.index(name), 0, CaseAction.DISMISS, 0, wrong)

    @precondition(lambda self: len(self.cameras) < 5)
    @rule(grid=st.sampled_from((GRID, GRID, OTHER_GRID)), severity=st.integers(0, 3))
    def something_is_found(self, grid: str, severity: int) -> None:
        self.town.made += 1
        camera = f"cam-{self.town.made}"
        self._receive(camera, self.town.made, grid, 1, severity)
        self.cameras.append(f"{camera} {self.town.made} {grid} {self.town.now.timestamp()}")

    @rule(which=CASE, severity=st.integers(0, 3))
    def it_is_found_again(self, which: int, severity: int) -> None:
        camera, number, grid, _ = self.cameras[which % len(self.cameras)].split()
        self.town.made += 1
        self._receive(camera, int(number), grid, self.town.made, severity)

    def _receive(self, camera: str, number: int, grid: str, revision: int, severity: int) -> None:
        at_s = (self.town.now - NOW).total_seconds()
        found = incident(number, revision=revision, start_s=at_s, severity=SEVERITIES[severity], device=camera)
        with self.town.pool.connection() as conn:
            correlate.receive(conn, report(found, grid_code=grid, received_at=self.town.now))
            rows = conn.execute("select id from grid_case where device = %s order by id", [camera]).fetchall()
        self.ids += [row[0] for row in rows if row[0] not in self.ids]

    @rule(days=st.sampled_from((0, 1, 4, 20)))
    def time_passes(self, days: int) -> None:
        self.town.now += timedelta(days=days, minutes=7)
        with self.town.pool.connection() as conn:
            due = conn.execute("select id from grid_case where suspended_until <= %s", [self.town.now]).fetchall()
            assert cases.resume_due(conn, now=self.town.now, count=1_000) == len(due)

    @precondition(lambda self: self.drill is None)
    @rule(reports=st.booleans())
    def a_drill_begins(self, reports: bool) -> None:
        """With the camera that will find something next, and the oldest."""
        chosen = {f"cam-{self.town.made + 1}", self.cameras[0].split()[0]}
        wish = DrillWish(
            name="exercise",
            purpose="to see who comes",
            area_code=HERE,
            planned_end_at=self.town.now + timedelta(hours=20),
            sources=tuple(ChosenSource("node-1", device) for device in sorted(chosen)),
            reports=reports,
            departments=(self.town.departments["sanitation"], self.town.departments["volunteers"]),
        )
        with self.town.pool.connection() as conn:
            for device in chosen:
                conn.execute(
                    "insert into device (node_id, name, kind, created_at) select id, %s, 'camera', %s from node on conflict do nothing",
                    [device, self.town.now],
                )
            try:
                self.drill = drills.start(conn, self._chief(), wish, now=self.town.now, address="test").id
            except Conflict as error:
                if "within seven days" not in str(error):  # the oldest camera has had its hours of the week
                    raise

    @precondition(lambda self: self.drill is not None)
    @rule()
    def the_drill_ends(self) -> None:
        with self.town.pool.connection() as conn:
            drills.end_due(conn, now=self.town.now)
            if self.drill is not None:
                with suppress(CloudError):  # it was over
                    drills.end(conn, self._chief(), self.drill, now=self.town.now, address="test")
        self.drill = None

    @rule(issuer=PERSON, owner=PERSON)
    def a_password_is_issued(self, issuer: int, owner: int) -> None:
        by, to = self._person(issuer), self._person(owner)
        if by.id != to.id:
            with self.town.pool.connection() as conn:
                independence.issued(conn, to.id, by=by.id, at=self.town.now)

    # --- what people do

    @precondition(lambda self: self.reported < 6)  # no count of cases: who won a race must not change what may come
    @rule(who=PERSON, grid=st.sampled_from((GRID, GRID, OTHER_GRID)), pick=PICK)
    def somebody_reports(self, who: int, grid: str, pick: int) -> None:
        person = self._person(who)
        origins = sorted(ORIGINS_OF.get(person.role, ()))
        origin = origins[pick % len(origins)].value if origins else "patrol"
        body = {"origin": origin, "category": "E0602", "title": "A tap drips", "area": grid}
        self.town.made += 1
        answer = self.town.client.post(
            "/api/v1/reports",
            json=body,
            headers={"Authorization": f"Bearer {person.token}", "Idempotency-Key": f"report-{self.town.made}"},
        )
        inside = ("there" if THERE in person.scope else "here") == ("here" if grid == GRID else "there")
        expected = 403 if not origins else 201 if inside else 404
        assert answer.status_code == expected, (person.name, body, answer.text)
        if answer.status_code == httpx.codes.CREATED:
            self._reported(int(answer.json()["case_id"]), answer.json()["link"])

    @precondition(lambda self: self.reported < 6)  # no count of cases: who won a race must not change what may come
    @rule()
    def the_hotline_hands_in(self) -> None:
        self.town.made += 1
        headers = {"Authorization": f"Bearer {self.town.hotline}", "Idempotency-Key": f"call-{self.town.made}"}
        body = {"service_code": "E0601", "address_id": GRID, "source": "request"}
        answers = [self.town.client.post("/api/v1/intake/reports", json=body, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200], [answer.text for answer in answers]
        with self.town.pool.connection() as conn:
            row = conn.execute("select id from grid_case where number = %s", [answers[0].json()["number"]]).fetchone()
        assert row is not None
        self._reported(row[0], answers[0].json()["link"])

    @precondition(lambda self: self.links)
    @rule(which=CASE, rating=st.integers(1, 5))
    def who_asked_for_it_rates(self, which: int, rating: int) -> None:
        """He can as long as the case, or what took it in, is closed and he has not; whatever the desk rated."""
        link, case_id = self.links[which % len(self.links)]
        with self.town.pool.connection() as conn:
            target = self._taken_in(conn, case_id)
            row = conn.execute(
                "select c.status, c.ended_at, r.rated_at from grid_case c, intake_report r where c.id = %s and r.link = %s",
                [target, link.rpartition("/")[2]],
            ).fetchone()
        assert row is not None
        status, ended_at, rated_at = row
        ratable = status == CaseStatus.CLOSED and not (rated_at is not None and rated_at >= ended_at)
        path = f"/api/v1/public/requests/{link.rpartition('/')[2]}"
        assert self.town.client.get(path).json()["ratable"] is ratable
        answer = self.town.client.post(f"{path}/rating", json={"rating": rating})
        assert answer.status_code == (200 if ratable else 409), answer.text
        if ratable:
            assert answer.json()["rating"] == rating

    @rule(first=CASE, apart=st.permutations(range(3)))
    def a_chain_is_merged_and_taken_apart(self, first: int, apart: Sequence[int]) -> None:
        """One into the next into the next; then apart again in any order: from the end alone."""
        chief, chain = self.town.people["inside-duty_chief"], list[dict[str, Any]]()
        for turn in range(len(self.ids)):
            shown = self._show(chief, self.ids[(first + turn) % len(self.ids)])
            if (
                shown is not None
                and shown["status"] in OPEN_STATUSES
                and (not chain or shown["drill"] == chain[0]["drill"])
            ):
                chain.append(shown)
        chain = chain[:4]
        links = [(source["id"], target["id"]) for source, target in pairwise(chain)]
        for source, target in links:
            assert self._chief_does(source, "merge", target=target).status_code == httpx.codes.OK
        merged = dict(links)
        for number in apart:
            if number < len(links):
                source, target = links[number]
                answer = self._chief_does(source, "unmerge")
                assert answer.status_code == (409 if target in merged else 200), answer.text
                if target not in merged:
                    del merged[source]

    @rule(first=CASE, second=CASE, severity=st.integers(0, 3))
    def two_merge_into_each_other_while_more_is_found(self, first: int, second: int, severity: int) -> None:
        one, other = self.ids[first % len(self.ids)], self.ids[second % len(self.ids)]
        chief, admin = self.town.people["inside-duty_chief"], self.town.people["second-administrator"]
        shown = [self._show(chief, case_id) for case_id in (one, other)]
        if one == other or any(each is None or "merge" not in each["actions"] for each in shown):
            return
        both = [each for each in shown if each is not None]
        if not all(each["status"] in OPEN_STATUSES for each in both) or both[0]["drill"] != both[1]["drill"]:
            return
        orders = [
            (chief, one, {"action": "merge", "version": both[0]["version"], "target": other}),
            (admin, other, {"action": "merge", "version": both[1]["version"], "target": one}),
        ]
        with ThreadPoolExecutor(3) as hands:
            found = hands.submit(self.it_is_found_again, first, severity)
            answers = list(
                hands.map(lambda each: self.town.post(each[0], f"/api/v1/cases/{each[1]}/actions", each[2]), orders)
            )
            found.result()
        codes = sorted(answer.status_code for answer in answers)
        # what was found meanwhile may have made both orders stale; never do both pass, and none fails
        assert codes in ([200, 409], [200, 422], [409, 409]), [answer.text for answer in answers]

    @rule(who=PERSON, which=CASE, picks=st.lists(PICK, min_size=1, max_size=4), detail=PICK)
    def somebody_does_what_is_offered(self, who: int, which: int, picks: Sequence[int], detail: int) -> None:
        """Whoever can do something, step after step: the next person who is offered anything."""
        for turn, pick in enumerate(picks):
            self._go_on(who + turn, which, pick, detail)

    def _go_on(self, who: int, which: int, pick: int, detail: int) -> None:
        case_id = self.ids[which % len(self.ids)]
        for turn in range(len(self.town.people)):
            person = self._person(who + turn)
            shown = self._show(person, case_id)
            offered = [action for action in (shown or {}).get("actions", []) if action != "comment"]
            if shown is not None and offered:
                action = CaseAction(offered[pick % len(offered)])
                self._act(person, shown, action, detail, "nothing")
                return

    @rule(
        which=CASE,
        tries=st.lists(st.tuples(PERSON, st.sampled_from(CaseAction), PICK, WRONG), min_size=1, max_size=4),
    )
    def people_try_something(self, which: int, tries: Sequence[tuple[int, CaseAction, int, str]]) -> None:
        for who, action, detail, wrong in tries:
            self._try(who, which, action, detail, wrong)

    def _try(self, who: int, which: int, action: CaseAction, detail: int, wrong: str) -> None:
        person, case_id = self._person(who), self.ids[which % len(self.ids)]
        shown = self._show(person, case_id)
        if shown is None:
            body = {"action": action.value, "version": 1}
            answer = self.town.post(person, f"/api/v1/cases/{case_id}/actions", body)
            assert answer.status_code == (404 if person.role in ROLES_OF[action] else 403), answer.text
            return
        self._act(person, shown, action, detail, wrong)

    @rule(which=CASE, first=PICK, second=PICK, detail=PICK)
    def two_act_at_once(self, which: int, first: int, second: int, detail: int) -> None:
        case_id = self.ids[which % len(self.ids)]
        orders = []
        for name, pick in (("inside-duty_chief", first), ("second-administrator", second)):
            person = self.town.people[name]
            shown = self._show(person, case_id)
            if shown is None or not shown["actions"]:
                return
            action = CaseAction(shown["actions"][pick % len(shown["actions"])])
            given = self._given(person, shown, ROW[action, CaseStatus(shown["status"])], detail)
            if given is None:
                return
            orders.append((person, {"action": action.value, "version": shown["version"], **given}))
        with ThreadPoolExecutor(2) as hands:
            path = f"/api/v1/cases/{case_id}/actions"
            answers = list(hands.map(lambda order: self.town.post(order[0], path, order[1]), orders))
        codes = sorted(answer.status_code for answer in answers)
        if codes == [409, 409] and "unmerge" in {order["action"] for _, order in orders}:
            return  # what took it in is merged itself
        assert codes == [200, 409], [answer.text for answer in answers]
        won = 0 if answers[0].status_code == httpx.codes.OK else 1
        self._note(orders[won][1], case_id)

    def _act(self, person: Person, shown: dict[str, Any], action: CaseAction, detail: int, wrong: str) -> None:
        status = CaseStatus(shown["status"])
        row = ROW.get((action, status))
        given = self._given(person, shown, row, detail) if row is not None else {}
        body: dict[str, Any] = {"action": action.value, "version": shown["version"], **(given or {})}
        expected = {200}
        if action.value not in shown["actions"]:
            expected = {403, 409}
        elif given is None:
            expected = {422}  # there is nothing to name
        if wrong == "stale":
            body["version"] = shown["version"] + (1 if shown["version"] == 1 else -1)
            expected = {403, 409} if action.value not in shown["actions"] else {409}
        elif wrong != "nothing" and expected == {200}:
            assert row is not None
            expected = self._spoil(body, row, wrong) or expected
        if action is CaseAction.UNMERGE and expected == {200} and self._is_merged(shown["merged_into"]):
            expected = {409}  # that has to be taken apart first
        alone = self._in_one_hand(shown["id"], person) if action in _BY_ANOTHER else False
        answer = self.town.post(person, f"/api/v1/cases/{shown['id']}/actions", body)
        assert not (alone and answer.status_code == httpx.codes.OK), "one person did it and checked it"
        assert answer.status_code in expected, (person.name, body, status, shown["actions"], answer.text)
        if answer.status_code != httpx.codes.OK:
            again = self._show(person, shown["id"])
            assert again == shown, "what is refused changes nothing"
            return
        assert row is not None
        after = answer.json()
        self._note(body, shown["id"])
        assert after["version"] > shown["version"]
        landed = row.to_status
        if action is CaseAction.RATE and body["rating"] <= 2 and after["history"][-1]["action"] == "reopened":
            landed = CaseStatus.FILED
        assert landed is None or after["status"] == landed, (body, after["status"])
        own = [step for step in after["history"] if step["actor"] and step["actor"]["name"] == person.name]
        steps = [step["action"] for step in own if step["action"] in _ACTIONS]  # what follows from it stands behind it
        assert steps[-1] == action

    def _spoil(self, body: dict[str, Any], row: Transition, wrong: str) -> set[int] | None:
        """Make an order wrong; what is answered then, None where it could not be spoilt."""
        if wrong == "missing" and row.needs:
            body.pop(min(row.needs).value)
            return {422}
        if wrong == "stray":
            stray = "rating" if Need.RATING not in row.needs else "department"
            body[stray] = 1
            return {422}
        if wrong == "elsewhere" and Need.DEPARTMENT in row.needs:
            body["department"] = self.town.departments["water"]
            return {422, 200}  # at home there it is right
        if wrong == "elsewhere" and row.action in {CaseAction.VERIFY, CaseAction.CHECK}:
            body["person"] = self.town.people["outside-grid_worker"].id
            return {422, 403, 200}  # at home there it is right; a worker sends nobody
        return None

    def _given(
        self, person: Person, shown: dict[str, Any], row: Transition | None, detail: int
    ) -> dict[str, Any] | None:
        """What an action needs, rightly; None where there is nothing that could be named."""
        given: dict[str, Any] = {}
        if row is None:
            return given
        inside = self._path(shown["id"]).find(HERE) >= 0
        for need in row.needs:
            if need is Need.REASON:
                given["reason"] = "weather"
            elif need is Need.NOTE:
                given["note"] = "seen"
            elif need is Need.UNTIL:
                given["until"] = (self.town.now + timedelta(days=1 + detail)).isoformat()
            elif need is Need.RATING:
                given["rating"] = 1 + detail % 5
            elif need is Need.DEPARTMENT:
                of_case = shown["department"]["id"] if shown["department"] else None
                usable = [self.town.departments["sanitation"], self.town.departments["volunteers"]]
                given["department"] = next(each for each in usable[detail % 2 :] + usable if each != of_case)
            else:
                target = self._target(person, shown, detail)
                if target is None:
                    return None
                given["target"] = target
        if row.action is CaseAction.VERIFY and person.role in {Role.INTAKE_CLERK, Role.DISPATCHER}:
            where = "inside" if inside else "outside"
            given["person"] = self.town.people[f"{where}-grid_worker"].id
        return given

    def _target(self, person: Person, shown: dict[str, Any], detail: int) -> int | None:
        others = [case_id for case_id in self.ids if case_id != shown["id"]]
        for turn in range(len(others)):
            other = self._show(person, others[(detail + turn) % len(others)])
            if other is not None and other["status"] in OPEN_STATUSES and other["drill"] == shown["drill"]:
                return int(other["id"])
        return None

    def _note(self, body: Mapping[str, Any], case_id: int) -> None:
        told = self.told.setdefault(case_id, set())
        if body["action"] == CaseAction.PUBLISH:
            told.add(self.town.departments["volunteers"])
        if "department" in body:
            told.add(body["department"])

    def _reported(self, case_id: int, link: str | None) -> None:
        self.reported += 1
        self.ids.append(case_id)
        if link is not None:
            self.links.append((link, case_id))

    def _chief(self) -> Principal:
        person = self.town.people["inside-duty_chief"]
        return Principal(person.id, person.name, person.name, person.role, HERE, person.scope, None)

    def _chief_does(self, case_id: int, action: str, **given: Any) -> httpx.Response:
        chief = self.town.people["inside-duty_chief"]
        shown = self._show(chief, case_id)
        assert shown is not None
        body = {"action": action, "version": shown["version"], **given}
        return self.town.post(chief, f"/api/v1/cases/{case_id}/actions", body)

    def _is_merged(self, case_id: int | None) -> bool:
        with self.town.pool.connection() as conn:
            row = conn.execute("select status from grid_case where id = %s", [case_id]).fetchone()
        return row is not None and row[0] == CaseStatus.MERGED

    def _taken_in(self, conn: psycopg.Connection[Any], case_id: int) -> int:
        row = conn.execute("select merged_into from grid_case where id = %s", [case_id]).fetchone()
        return case_id if row is None or row[0] is None else self._taken_in(conn, row[0])

    def _in_one_hand(self, case_id: int, person: Person) -> bool:
        """Whether who resolved a case and this person may be one."""
        with self.town.pool.connection() as conn:
            row = conn.execute("select resolved_by, resolved_at from grid_case where id = %s", [case_id]).fetchone()
            if row is None or row[0] is None:
                return False
            return not independence.is_independent(conn, row[0], person.id, self.town.now, acted_at=row[1])

    def _person(self, number: int) -> Person:
        names = sorted(self.town.people)
        return self.town.people[names[number % len(names)]]

    def _show(self, person: Person, case_id: int) -> dict[str, Any] | None:
        """The case as a person sees it, None where he must not; both are checked."""
        answer = self.town.get(person, f"/api/v1/cases/{case_id}")
        sees = self._path(case_id).startswith(person.scope)
        if person.role is Role.DEPARTMENT:
            sees = sees and person.department in self.told.get(case_id, set())
        assert answer.status_code == (200 if sees else 404), (person.name, answer.text)
        if not sees:
            return None
        shown: dict[str, Any] = answer.json()
        return shown

    def _path(self, case_id: int) -> str:
        if case_id in self.seen:
            return self.seen[case_id].area_path
        with self.town.pool.connection() as conn:
            return str(conn.execute("select area_path from grid_case where id = %s", [case_id]).fetchone()[0])  # type: ignore[index]

    # --- what has to hold

    def teardown(self) -> None:
        """Whatever was tried, the audit log holds together and what happened to each case is one chain; all of both is chained."""
        self.the_drill_ends()  # the next run's cameras may have the names that were chosen for it
        with self.town.pool.connection() as conn:
            while audit_chain.chain(conn):
                pass
            verdict = audit_chain.check(conn, keys=())
        assert verdict.holds, verdict.findings
        assert verdict.waiting == 0
        with self.town.pool.connection() as conn:
            while linking.link(conn, self.town.signer, now=self.town.now):
                pass
            linking.make_checkpoint(conn, self.town.signer, now=self.town.now)
            linked = linking.check(conn, {self.town.signer.fingerprint: self.town.signer.public_key})
        assert linked.holds, linked

    @invariant()
    def every_case_stands_where_the_table_lets_it(self) -> None:
        if not self.ids:
            return
        with self.town.pool.connection() as conn:
            cursor = conn.cursor(row_factory=namedtuple_row)
            rows: list[Any] = cursor.execute("select * from grid_case where id = any(%s)", [self.ids]).fetchall()
            history: list[Any] = cursor.execute(
                "select * from case_event where case_id = any(%s) order by id", [self.ids]
            ).fetchall()
            clocks: list[Any] = cursor.execute(
                "select case_id, stage from case_clock where state = 'running' and case_id = any(%s)", [self.ids]
            ).fetchall()
            audited: list[Any] = cursor.execute(
                "select subject, count(*) as steps from audit where subject = any(%s) and action like 'case.%%' group by 1",
                [[f"case:{case_id}" for case_id in self.ids]],
            ).fetchall()
            astray = cursor.execute(
                "select i.id from incident i join grid_case c on c.id = i.case_id"
                " where c.status = 'merged' and c.id = any(%s)",
                [self.ids],
            ).fetchall()
            mixed = cursor.execute(
                "select i.id from incident i join grid_case c on c.id = i.case_id"
                " where c.id = any(%s) and c.drill <> (i.drill_id is not null)",
                [self.ids],
            ).fetchall()
        assert not astray, "an incident stays with a case that was merged"
        assert not mixed, "what is real and what is exercised are in one case"
        clock_of = {clock.case_id: clock.stage for clock in clocks}
        steps_of = {row.subject: row.steps for row in audited}
        for row in rows:
            events = [event for event in history if event.case_id == row.id]
            stage = STAGE_OF[CaseStatus(row.status)]
            assert clock_of.get(row.id) == (stage.value if stage is not None else None), (row.id, row.status)
            self._check_history(row, events)
            by_people = [event for event in events if event.action in _TAKEN]
            assert steps_of.get(f"case:{row.id}", 0) == len(by_people)
            self._check_growth(row, sum(event.action in _NEWS for event in events))

    def _check_history(self, row: Any, events: Sequence[Any]) -> None:
        status = None
        for event in events:
            if event.to_status is None:
                continue
            assert event.action == HistoryAction.OPENED or event.from_status == status, (event.action, status)
            if event.action in _ACTIONS:
                found = ROW[CaseAction(event.action), CaseStatus(event.from_status)]
                assert found.to_status is None or event.to_status == found.to_status
            elif event.action in _MOVES:
                assert _MOVES[event.action] == (event.from_status, event.to_status)
            elif event.action == HistoryAction.CAME_AGAIN:
                assert (event.from_status, event.to_status) in _CAME_AGAIN
            else:
                assert event.from_status in {None, event.to_status}, event.action
            status = event.to_status
        assert status == row.status

    def _check_growth(self, row: Any, events: int) -> None:
        severity = SEVERITIES.index(Severity(row.severity))
        before = self.seen.get(row.id)
        if before is not None:
            assert severity >= before.severity, "severity never falls"
            assert row.area_path == before.area_path
            assert row.version >= before.version
            moved = events > before.events
            assert not moved or row.version > before.version, "what people have to know makes a new version"
        self.seen[row.id] = Seen(row.version, severity, row.area_path, events)


_BY_ANOTHER = {CaseAction.CHECK, CaseAction.CLOSE, CaseAction.REWORK}
_SETTLED = (CaseStatus.RESOLVED, CaseStatus.CHECKING, CaseStatus.CLOSED)
_ACTIONS = {action.value for action in CaseAction}
_MOVES = {action.value: (here.value, there.value) for action, (here, there) in OWN_MOVES.items()}
_CAME_AGAIN = {(status.value, CaseStatus.FILED.value) for status in _SETTLED}
_NEWS = _ACTIONS | _MOVES.keys() | {"merged_in", "unmerged_from", "severity_raised", "incident_added"}
_TAKEN = _ACTIONS | _MOVES.keys() | {HistoryAction.REQUEST_RATED.value}

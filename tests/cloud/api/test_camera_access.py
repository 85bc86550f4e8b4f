"""Whose cameras one may look through, in both directions, and that evidence is another matter."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from cloud.access import departments
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.things import NOW, SHA256, Things, add_people
from tests.cloud.samples import GRID

WALL, LEASES, RULES = "/api/v1/wall", "/api/v1/wall/leases", "/api/v1/camera-access"


class Town:
    """A camera of the urban management department, and people inside of its grid."""

    def __init__(self, cloud: Cloud, client: httpx.Client) -> None:
        self.cloud, self.client = cloud, client
        self.things = Things(cloud)
        with psycopg.connect(cloud.database_url) as conn:
            add_people(conn, "in", GRID)
            for code in ("urban_management", "water"):
                departments.add(conn, code=code, name=code, now=NOW)
                add_people(conn, code.replace("_", "-"), GRID, department=code)
        self.camera = int(self.things.by_parameter["device_id"])

    def ask(self, who: str, method: str, path: str, **options: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.cloud.session(who)}"}
        return self.client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]

    def looks(self, who: str) -> bool:
        """Whether somebody finds the camera on the wall; then he may look at it, otherwise he may not."""
        found = [item["id"] for item in self.ask(who, "get", WALL).json()["items"]] == [self.camera]
        begun = self.ask(who, "post", LEASES, json={"cameras": [self.camera], "purpose": "rounds"})
        assert begun.status_code == (httpx.codes.OK if found else httpx.codes.NOT_FOUND), begun.text
        return found

    def belongs_to(self, owner: str | None) -> None:
        with psycopg.connect(self.cloud.database_url) as conn:
            conn.execute("update device set department = %s", [owner])

    def rule(self, *, owner: str = "urban_management", allowed: bool, **who: object) -> None:
        answer = self.ask("admin", "put", RULES, json={"owner": owner, "allowed": allowed, **who})
        assert answer.status_code == httpx.codes.NO_CONTENT, answer.text


@pytest.fixture
def town(cloud: Cloud) -> Iterator[Town]:
    with cloud.anyone() as client:
        yield Town(cloud, client)


def test_by_default_a_department_looks_at_its_own_cameras_and_at_no_others(town: Town) -> None:
    owners = "urban-management-department", "water-department"
    assert [town.looks(who) for who in owners] == [True, False]
    devices = [len(town.ask(who, "get", "/api/v1/devices").json()["items"]) for who in owners]
    assert devices == [1, 0]
    town.belongs_to("traffic")
    assert [town.looks(who) for who in owners] == [False, False]
    town.belongs_to(None)
    assert [town.looks(who) for who in owners] == [False, False]
    assert [town.looks(f"in-{role}") for role in ("grid_worker", "auditor")] == [True, False]


def test_what_public_security_sees_is_for_who_is_in_charge(town: Town) -> None:
    town.belongs_to("public_security")
    roles = ("duty_chief", "administrator", "grid_worker", "grid_lead", "dispatcher", "intake_clerk", "maintainer")
    assert [town.looks(f"in-{role}") for role in roles] == [True, True, False, False, False, False, False]
    device = f"/api/v1/devices/{town.camera}"
    assert town.ask("in-grid_worker", "get", device).status_code == httpx.codes.OK  # that it stands there is no secret
    tried = town.ask("in-maintainer", "post", f"{device}/rules-try", json={"since": "1d"})
    assert tried.status_code == httpx.codes.FORBIDDEN, tried.text


def test_a_rule_opens_and_closes_and_the_closest_counts(town: Town) -> None:
    assert town.looks("in-grid_worker")
    town.rule(allowed=False, role="grid_worker")
    assert not town.looks("in-grid_worker")
    [account] = town.cloud.conn.execute("select id from account where name = 'in-grid_worker'").fetchone() or [0]
    town.rule(allowed=True, account_id=account)
    assert town.looks("in-grid_worker")
    [water] = town.cloud.conn.execute("select id from department where code = 'water'").fetchone() or [0]
    town.rule(allowed=True, department_id=water)
    assert town.looks("water-department")
    told = town.ask("admin", "get", RULES).json()
    assert told["owners"] == ["urban_management"]
    assert {(rule["role"], rule["department"], rule["account"], rule["allowed"]) for rule in told["rules"]} == {
        ("grid_worker", None, None, False),
        (None, "water", None, True),
        (None, None, "in-grid_worker", True),
    }
    for rule in told["rules"]:
        assert town.ask("admin", "delete", f"{RULES}/{rule['id']}").status_code == httpx.codes.NO_CONTENT
    assert town.looks("in-grid_worker")
    assert not town.looks("water-department")
    town.cloud.conn.rollback()
    lines = town.cloud.conn.execute("select action from audit where action like 'camera_access.%' order by id")
    assert [line[0] for line in lines] == ["camera_access.set"] * 3 + ["camera_access.dropped"] * 3


def test_who_looks_already_sees_nothing_more_once_he_may_not(town: Town) -> None:
    assert town.looks("in-grid_lead")
    with psycopg.connect(town.cloud.database_url) as conn:
        conn.execute(
            "insert into wall_camera (device_id, captured_at, received_at, picture) values (%s, now(), now(), 'x')"
            " on conflict (device_id) do update set captured_at = now(), received_at = now(), picture = 'x'",
            [town.camera],
        )
    picture = f"{WALL}/{town.camera}/picture"
    assert town.ask("in-grid_lead", "get", picture).status_code == httpx.codes.OK
    town.rule(allowed=False, role="grid_lead")
    assert town.ask("in-grid_lead", "get", picture).status_code == httpx.codes.NOT_FOUND


def test_evidence_of_a_case_stays_with_those_who_work_on_it(town: Town) -> None:
    town.belongs_to("public_security")
    path = f"/api/v1/evidence/{SHA256}"
    assert not town.looks("in-grid_worker")
    assert town.ask("in-grid_worker", "get", path).status_code == httpx.codes.OK
    assert town.ask("water-department", "get", path).status_code == httpx.codes.NOT_FOUND
    with psycopg.connect(town.cloud.database_url) as conn:
        town.things.tell_department(conn, "water")
    assert not town.looks("water-department")
    assert town.ask("water-department", "get", path).status_code == httpx.codes.OK
    assert town.ask("urban-management-department", "get", path).status_code == httpx.codes.NOT_FOUND


def test_rules_are_for_the_administrators_of_the_whole_district(town: Town) -> None:
    rule = {"owner": "traffic", "allowed": True, "role": "auditor"}
    assert town.ask("in-administrator", "put", RULES, json=rule).status_code == httpx.codes.FORBIDDEN
    for nonsense in (
        {},
        {"department_id": 1, "role": "auditor"},
        {"department_id": 999},
        {"account_id": 999},
        {"owner": "Traffic", "role": "auditor"},
    ):
        answer = town.ask("admin", "put", RULES, json={"owner": "traffic", "allowed": True} | nonsense)
        assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
    assert town.ask("admin", "delete", f"{RULES}/99").status_code == httpx.codes.NOT_FOUND

"""A node is asked for its log over the API: by whom, when, and what one sees of the answer."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from cloud.access.model import Role
from cloud.commands import service
from cloud.commands.model import Told
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from edge.contract.answer import Answer, AnswerOutcome
from edge.contract.birth import NodeStatus, PresenceState
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import add_person
from tests.fakes.node import new_id

LOG = f"/api/v1/nodes/{NODE}/log-tail"
ACCEPTED, OK, NOT_FOUND, CONFLICT = (
    httpx.codes.ACCEPTED,
    httpx.codes.OK,
    httpx.codes.NOT_FOUND,
    httpx.codes.CONFLICT,
)


class Station:
    """The node of the cloud, which comes, answers and goes as the test says."""

    def __init__(self, cloud: Cloud) -> None:
        self.conn = cloud.conn
        self.session = new_id()
        [self.row] = nodes.nodes_by_name(self.conn, [NODE])

    def become(self, state: PresenceState) -> None:
        now = datetime.now(UTC)
        fleet.apply_status(
            self.conn, self.row.id, NodeStatus(node=NODE, session=self.session, state=state, at=now), now=now
        )
        self.conn.commit()

    def answer(self, command_id: str, outcome: AnswerOutcome, **more: Any) -> None:
        now = datetime.now(UTC)
        answer = Answer(command_id=UUID(command_id), node=NODE, session=self.session, at=now, outcome=outcome, **more)
        assert service.take_answers(self.conn, [Told(self.row.id, answer)], now=now) == 1
        self.conn.commit()


@pytest.fixture
def station(cloud: Cloud) -> Station:
    made = Station(cloud)
    made.become(PresenceState.ONLINE)
    return made


def test_the_log_is_asked_for_and_read_when_it_is_there(cloud: Cloud, station: Station) -> None:
    with cloud.client("maintainer") as client:
        asked = client.post(LOG, json={"lines": 50, "level": "warning", "since": "2026-03-01T12:00:00+08:00"})
        assert asked.status_code == ACCEPTED, asked.text
        command = asked.json()
        assert (command["state"], command["name"], command["asked_by"]) == ("queued", "log_tail", "maintainer")
        address = f"/api/v1/commands/{command['id']}"
        assert client.get(address).json()["result"] is None
        again = client.post(LOG, json={})
        assert (again.status_code, again.json()["type"]) == (CONFLICT, "urn:gridward:problem:CommandRunning")
        result = {"lines": [{"at": None, "level": None, "text": "徘徊\u0007"}], "cut": False}
        station.answer(command["id"], AnswerOutcome.DONE, result=result)
        done = client.get(address).json()
        assert (done["state"], done["result"], done["reason"]) == ("done", result, None)
        [listed] = client.get(f"/api/v1/nodes/{NODE}/commands").json()["items"]
        assert (listed["id"], listed["result"]) == (command["id"], None)
        others = client.get(f"/api/v1/nodes/{NODE}/commands", params={"name": "rules_try"})
        assert others.json() == {"items": []}
    arguments = cloud.conn.execute("select arguments from command").fetchone()
    assert arguments == ({"lines": 50, "level": "warning", "since": "2026-03-01T12:00:00+08:00"},)


def test_an_answer_that_is_nested_too_deeply_is_read_as_a_failure(cloud: Cloud, station: Station) -> None:
    deep: dict[str, Any] = {}
    for _ in range(1_500):
        deep = {"x": deep}
    with cloud.client("maintainer") as client:
        command = client.post(LOG, json={}).json()
        station.answer(command["id"], AnswerOutcome.DONE, result=deep)
        read = client.get(f"/api/v1/commands/{command['id']}")
        assert read.status_code == OK, read.text
        assert (read.json()["state"], read.json()["result"]) == ("failed", None)
        assert "levels deep" in read.json()["reason"]


def test_a_node_that_is_away_is_not_asked(cloud: Cloud, station: Station) -> None:
    station.become(PresenceState.OFFLINE)
    with cloud.client("admin") as client:
        refused = client.post(LOG, json={})
        assert (refused.status_code, refused.json()["type"]) == (CONFLICT, "urn:gridward:problem:NodeAway")
        assert "not been present since" in refused.json()["detail"]
        assert client.post(LOG.replace(NODE, "another"), json={}).status_code == NOT_FOUND


@pytest.mark.usefixtures("station")
def test_who_has_another_area_neither_asks_nor_reads(cloud: Cloud) -> None:
    add_person(cloud.conn, "far-off", Role.MAINTAINER, "110105003")
    cloud.conn.commit()
    with cloud.client("admin") as client:
        command = client.post(LOG, json={}).json()
    with cloud.client("far-off") as client:
        assert client.post(LOG, json={}).status_code == NOT_FOUND
        assert client.get(f"/api/v1/commands/{command['id']}").status_code == NOT_FOUND
        assert client.get(f"/api/v1/nodes/{NODE}/commands").status_code == NOT_FOUND


@pytest.mark.usefixtures("station")
def test_what_can_not_be_meant_is_refused(cloud: Cloud) -> None:
    bodies: list[dict[str, Any]] = [
        {"lines": 0},
        {"lines": 1_001},
        {"level": "loud"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00Z"},
        {"path": "/etc/passwd"},
    ]
    with cloud.client("admin") as client:
        for body in bodies:
            assert client.post(LOG, json=body).status_code == httpx.codes.UNPROCESSABLE_ENTITY, body

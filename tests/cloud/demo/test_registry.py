from datetime import UTC, datetime

import psycopg
import pytest

from cloud.demo import plan, registry
from cloud.fleet import service as fleet

pytestmark = pytest.mark.system

PASSWORDS = {person.name: f"a long password of {person.name}" for person in plan.PEOPLE}


def test_everything_is_entered_once_however_often(postgres_url: str) -> None:
    first, spots = registry.prepare(postgres_url, PASSWORDS)
    second, again = registry.prepare(postgres_url, PASSWORDS)
    assert spots == again
    assert set(first) == {node.id for node in plan.NODES}
    assert len({spot.grid_code for spot in spots.values()}) == len(plan.NODES)
    now = datetime.now(UTC)
    with psycopg.connect(postgres_url) as connection:
        for node in plan.NODES:
            assert fleet.node_of_token(connection, second[node.id].token, now=now) == (node.id, None)
            assert fleet.node_of_token(connection, first[node.id].token, now=now) is None
        people = connection.execute("SELECT name, role FROM account ORDER BY name").fetchall()
    assert people == sorted((person.name, person.role.value) for person in plan.PEOPLE)


def test_devices_wait_for_their_birth(postgres_url: str) -> None:
    _, spots = registry.prepare(postgres_url, PASSWORDS)
    waiting = {("station-1", "hall"), ("gate-1", "smoke-1")}
    assert registry.place_devices(postgres_url, waiting, spots) == waiting

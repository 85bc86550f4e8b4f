"""Labels that several people make at once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.maintenance import labels
from cloud.maintenance.labels import Label
from tests.cloud.maintenance.test_faults import add_node
from tests.cloud.samples import GRID, NOW, principal, take_in_areas
from tests.waiting import wait_until

Press = Callable[[Connection[Any], Principal, int], Label]


def of_device(conn: Connection[Any], user: Principal, device_id: int) -> Label:
    return labels.renew_for_device(conn, user, device_id, now=NOW, address="10.0.0.1")


def of_area(conn: Connection[Any], user: Principal, _device_id: int) -> Label:
    return labels.renew_for_area(conn, user, GRID, now=NOW, address="10.0.0.1")


@pytest.fixture
def conn(migrated_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection


@pytest.mark.parametrize("press", [of_device, of_area])
def test_of_two_who_make_a_label_at_once_the_later_one_has_it(
    conn: Connection[Any], migrated_url: str, press: Press
) -> None:
    user = principal(conn, "keeper", Role.MAINTAINER)
    device_id = add_node(conn, ("cam-1", None))["cam-1"]
    conn.commit()
    made: list[Label] = []

    def press_too() -> None:
        with psycopg.connect(migrated_url) as other:
            made.append(press(other, user, device_id))

    first = press(conn, user, device_id)
    second = threading.Thread(target=press_too)
    second.start()
    with psycopg.connect(migrated_url, autocommit=True) as watcher:
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        wait_until(lambda: made or watcher.execute(waiting).fetchone() is not None)
    conn.commit()
    second.join()
    assert len(made) == 1, "neither of them is refused"
    standing = conn.execute("select token from public_label where revoked_at is null").fetchall()
    assert standing == [(made[0].token,)]
    assert first.token != made[0].token

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.errors import Conflict, Invalid, NotFound
from cloud.fleet import secrets, service, store
from cloud.fleet.grants import password_fits
from cloud.fleet.model import NodeCredentials, NodeSeen, Presence
from edge.contract.birth import PresenceState
from tests.cloud.samples import GRID, OTHER_GRID, STREET, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, birth, sensor


@pytest.fixture
def conn(migrated_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection


def enrol(conn: Connection[Any], name: str = "station-01", **more: Any) -> NodeCredentials:
    given: dict[str, Any] = {"name": name, "district": DISTRICT, "area_code": GRID, "now": AT}
    return service.add_node(conn, **given | more)


def node_id(conn: Connection[Any], name: str = "station-01") -> int:
    (row,) = store.nodes_by_name(conn, [name])
    return row.id


def test_secrets_are_shown_once_and_kept_as_hashes(conn: Connection[Any]) -> None:
    made = enrol(conn)
    assert made.token not in repr(made)
    assert made.mqtt_password not in repr(made)
    assert service.node_of_token(conn, made.token, now=AT) == ("station-01", None)
    kept = str(conn.execute("select * from node").fetchall())
    assert made.token not in kept
    assert made.mqtt_password not in kept
    (kept_of,) = store.broker_secrets(conn, AT)
    assert (kept_of.node, kept_of.district, kept_of.generation) == ("station-01", DISTRICT, None)
    hashed = kept_of.password_hash
    assert password_fits(made.mqtt_password, hashed)
    assert not password_fits(made.token, hashed)


@pytest.mark.parametrize("token", ["", "x", "gwn_" + "a" * 43, "\x00", "密码", "a" * 5_000])
def test_no_other_token_opens(conn: Connection[Any], token: str) -> None:
    enrol(conn)
    assert service.node_of_token(conn, token, now=AT) is None


def test_new_secrets_make_the_old_ones_worthless(conn: Connection[Any]) -> None:
    old = enrol(conn)
    with pytest.raises(Conflict), conn.transaction():
        enrol(conn)
    new = enrol(conn, replace=True)
    assert service.node_of_token(conn, old.token, now=AT) is None
    assert service.node_of_token(conn, new.token, now=AT) == ("station-01", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Station 1"},
        {"name": "../x"},
        {"district": "1101"},
        {"area_code": "999999"},
        {"district": "110101"},
    ],
)
def test_names_and_places_that_cannot_be_are_refused(conn: Connection[Any], wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        enrol(conn, **wrong)


def test_a_node_that_does_not_wait_cannot_be_accepted(conn: Connection[Any]) -> None:
    with pytest.raises(NotFound):
        service.accept_node(conn, "station-09", area_code=GRID, now=AT)


def test_a_device_is_placed_by_people_and_no_birth_moves_it(conn: Connection[Any]) -> None:
    enrol(conn)
    node = FakeNode()
    service.apply_birth(conn, node_id(conn), node.envelope(birth()), now=AT)
    service.place_device(conn, "station-01", "sensor-01", grid_code=OTHER_GRID, longitude=116.4, latitude=39.9)
    service.apply_birth(conn, node_id(conn), node.envelope(birth(sensor(), name="again")), now=AT)
    assert conn.execute("select grid_code, longitude, latitude from device").fetchall() == [(OTHER_GRID, 116.4, 39.9)]
    with pytest.raises(Invalid):
        service.place_device(conn, "station-01", "sensor-01", grid_code="999", longitude=None, latitude=None)
    with pytest.raises(NotFound):
        service.place_device(conn, "station-01", "nothing", grid_code=None, longitude=None, latitude=None)


def test_devices_are_counted_within_an_area(conn: Connection[Any]) -> None:
    enrol(conn)
    node = FakeNode()
    devices = service.apply_birth(conn, node_id(conn), node.envelope(birth(sensor(), sensor("sensor-02"))), now=AT)
    assert devices is not None
    service.see(conn, [NodeSeen(node_id(conn))], [devices["sensor-01"]], at=AT)
    assert service.count_devices(conn, "") == (1, 2, 0)
    assert service.count_devices(conn, f"{DISTRICT}/{STREET}/") == (1, 2, 0)
    assert service.count_devices(conn, f"{DISTRICT}/110105003/") == (0, 0, 0)


def test_a_node_that_fell_silent_is_unknown_until_it_speaks(conn: Connection[Any]) -> None:
    enrol(conn)
    found = node_id(conn)
    service.see(conn, [NodeSeen(found, 1.5)], [], at=AT)
    assert service.sweep_presence(conn, now=AT + timedelta(minutes=14)) == 0
    assert service.sweep_presence(conn, now=AT + timedelta(minutes=16)) == 1
    assert service.sweep_presence(conn, now=AT + timedelta(minutes=16)) == 0
    assert store.lock_node(conn, found).standing.presence is Presence.UNKNOWN
    service.see(conn, [NodeSeen(found)], [], at=AT + timedelta(minutes=17))
    assert store.lock_node(conn, found).standing.presence is Presence.ONLINE
    told = conn.execute("select payload ->> 'presence' from event where kind = 'node.presence' order by id").fetchall()
    assert told == [("online",), ("unknown",), ("online",)]
    assert conn.execute("select skew_s from node").fetchone() == (1.5,)


def test_a_lost_node_is_not_found_again_by_what_was_still_under_way(conn: Connection[Any]) -> None:
    enrol(conn)
    found, node = node_id(conn), FakeNode()
    online = node.status(PresenceState.ONLINE)
    offline = node.status(PresenceState.OFFLINE)
    assert service.apply_status(conn, found, online.status, now=AT) is Presence.ONLINE  # type: ignore[union-attr]
    assert service.apply_status(conn, found, offline.status, now=AT) is Presence.LOST  # type: ignore[union-attr]
    service.see(conn, [NodeSeen(found)], [], at=AT)
    assert store.lock_node(conn, found).standing.presence is Presence.LOST


def test_hashes_depend_on_their_salt_alone() -> None:
    assert secrets.hash_mqtt_password("x", salt=b"a" * 12) == secrets.hash_mqtt_password("x", salt=b"a" * 12)
    assert secrets.hash_mqtt_password("x") != secrets.hash_mqtt_password("x")


def test_the_clouds_own_clock_set_back_neither_keeps_a_silent_node_online_nor_hides_one_that_speaks(
    conn: Connection[Any],
) -> None:
    enrol(conn)
    found = node_id(conn)
    service.see(conn, [NodeSeen(found)], [], at=AT + timedelta(days=1))
    assert service.sweep_presence(conn, now=AT) == 1
    service.see(conn, [NodeSeen(found)], [], at=AT)
    assert conn.execute("select presence, last_seen_at from node").fetchone() == ("online", AT)
    assert service.sweep_presence(conn, now=AT + timedelta(minutes=1)) == 0

"""The wall in the database: who looks at what, what of it nodes may send, and what becomes of it, in any order of what happens."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access import sessions
from cloud.access.model import Principal, Role, SignedIn
from cloud.errors import CloudError, Conflict, Invalid, NotFound, TooLarge, TooOften, UnsupportedMedia
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from cloud.fleet.model import NodeSeen
from cloud.wall import policy, service, store
from cloud.wall.model import Tile, TileState, Window
from edge.contract.birth import Device, NodeStatus, PresenceState
from edge.contract.wall import LARGEST_PICTURE_BYTES, Absence
from tests.cloud.samples import GRID, OTHER_GRID, principal, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, birth
from tests.fakes.pictures import END, HEAD, frame, jpeg, scan
from tests.waiting import wait_until

CAMERAS = ("cam-1", "cam-2", "cam-3")
PURPOSE = "evening rounds"
PICTURE = jpeg(5_000)


@dataclass
class Place:
    """Two nodes in two grids, their cameras by name, and people, each with a session."""

    url: str
    conn: Connection[Any]
    chief: Principal
    worker: Principal
    ids: dict[str, int]
    sessions: dict[str, SignedIn]
    now: datetime = AT

    def look(
        self, user: Principal | SignedIn, *cameras: str, purpose: str = PURPOSE, page: str = ""
    ) -> dict[str, Tile]:
        tiles = service.watch(
            self.conn,
            user if isinstance(user, SignedIn) else self.sessions[user.name],
            [self.ids[name] for name in cameras],
            page=page,
            purpose=purpose,
            address="test",
            now=self.now,
        )
        return {tile.camera.device: tile for tile in tiles}

    def leave(self, user: Principal, *, page: str = "") -> None:
        service.leave(self.conn, self.sessions[user.name], page=page)

    def watched(self, user: Principal) -> list[str]:
        tiles = service.cameras(self.conn, user, now=self.now, watched=True)
        return [tile.camera.device for tile in tiles]

    def send(self, camera: str, content: bytes = PICTURE, *, node: str = "station-01", at_s: float = 0.0) -> float:
        captured_at = self.now + timedelta(seconds=at_s)
        return service.keep(self.conn, node, camera, content, captured_at=captured_at, now=self.now)

    def state(self, user: Principal, camera: str) -> TileState | None:
        tiles = service.cameras(self.conn, user, now=self.now, count=50)
        [state] = [tile.state for tile in tiles if tile.camera.device == camera]
        return state

    def commands(self) -> list[str]:
        rows = self.conn.execute("select device from command where name = 'snapshot' order by asked_at").fetchall()
        return [device for (device,) in rows]

    def audited(self) -> list[tuple[str, str]]:
        rows = self.conn.execute(
            "select actor_name, subject from audit where action = 'camera.watched' order by id"
        ).fetchall()
        return [(name, subject) for name, subject in rows]

    def answer(self, state: str, reason: str | None = None) -> None:
        """What the node says to all that it was asked."""
        self.conn.execute(
            "update command set state = %s, reason = %s, ended_at = %s where ended_at is null",
            [state, reason, self.now],
        )


@pytest.fixture(scope="module")
def template(postgres_server: Any, migrated_template: str) -> Iterator[Place]:
    """Made once; each test goes back to it."""
    url = postgres_server.create_database("wall", template=migrated_template)
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        ids: dict[str, int] = {}
        for name, grid, cameras in (("station-01", GRID, CAMERAS), ("station-02", OTHER_GRID, ("cam-far",))):
            fleet.add_node(conn, name, district=DISTRICT, area_code=grid, now=AT)
            node = FakeNode(name)
            [row] = nodes.nodes_by_name(conn, [name])
            devices = [Device(id=camera, kind="camera", simulated=camera == "cam-3") for camera in cameras]
            found = fleet.apply_birth(conn, row.id, node.envelope(birth(*devices)), now=AT)
            assert found is not None
            ids |= {camera: found[camera] for camera in cameras}
            status = NodeStatus(node=name, session=node.session, state=PresenceState.ONLINE, at=AT)
            fleet.apply_status(conn, row.id, status, now=AT)
        chief = principal(conn, "chief", Role.DUTY_CHIEF)
        worker = principal(conn, "worker", Role.GRID_WORKER, GRID)
        begun = {user.name: signed_in(conn, user) for user in (chief, worker)}
        conn.commit()
        yield Place(url, conn, chief, worker, ids, begun)


def signed_in(conn: Connection[Any], user: Principal) -> SignedIn:
    token, _ = sessions.start(conn, user.user_id, now=AT, lasts_s=86_400, address="test", agent="")
    found = sessions.find(conn, token, now=AT)
    assert found is not None
    return found


@pytest.fixture
def place(template: Place) -> Iterator[Place]:
    yield replace(template)
    template.conn.rollback()


def test_whoever_looks_has_the_node_asked_and_sees_what_it_sends(place: Place) -> None:
    assert place.state(place.chief, "cam-1") is None
    assert place.look(place.chief, "cam-1")["cam-1"].state is TileState.WAITING
    assert place.commands() == ["cam-1"]
    assert place.send("cam-1") == policy.LEASE.total_seconds()
    assert place.state(place.chief, "cam-1") is TileState.SHOWN
    assert service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now).content == PICTURE
    place.now += timedelta(seconds=2)
    newer = jpeg(6_000)
    place.send("cam-1", newer)
    place.look(place.chief, "cam-1")
    assert service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now).content == newer
    assert place.commands() == ["cam-1"]


def test_one_record_per_person_camera_and_lease(place: Place) -> None:
    for _ in range(5):
        place.look(place.chief, "cam-1", "cam-2")
        place.now += timedelta(seconds=10)
    place.look(place.worker, "cam-1")
    place.now += policy.LEASE
    place.look(place.chief, "cam-1")
    place.look(place.chief, "cam-1", purpose="a fire next door")
    assert place.audited() == [
        ("chief", "camera:station-01/cam-1"),
        ("chief", "camera:station-01/cam-2"),
        ("worker", "camera:station-01/cam-1"),
        ("chief", "camera:station-01/cam-1"),
        ("chief", "camera:station-01/cam-1"),
    ]


def test_nobody_looks_outside_of_his_area(place: Place) -> None:
    with pytest.raises(NotFound):
        place.look(place.worker, "cam-far")
    assert set(place.look(place.worker, "cam-1", "cam-far")) == {"cam-1"}
    assert place.commands() == ["cam-1"]
    assert [tile.camera.device for tile in service.cameras(place.conn, place.worker, now=place.now)] == list(CAMERAS)
    place.look(place.chief, "cam-far")
    place.send("cam-far", node="station-02")
    with pytest.raises(NotFound):
        service.picture(place.conn, place.worker, place.ids["cam-far"], now=place.now)


def test_without_a_lease_of_ones_own_there_is_no_picture(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.send("cam-1")
    with pytest.raises(NotFound):
        service.picture(place.conn, place.worker, place.ids["cam-1"], now=place.now)
    place.leave(place.chief)
    with pytest.raises(NotFound):
        service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now)


def test_a_camera_that_is_gone_leaves_the_others_on_the_wall(place: Place) -> None:
    place.look(place.chief, "cam-1", "cam-2")
    place.send("cam-2")
    place.conn.execute("update device set declared = false where name = 'cam-1'")
    for _ in range(6):
        place.now += timedelta(seconds=10)
        assert set(place.look(place.chief, "cam-1", "cam-2")) == {"cam-2"}
    with pytest.raises(NotFound):
        place.look(place.chief, "cam-1")


def test_each_window_has_a_wall_of_its_own(place: Place) -> None:
    other = signed_in(place.conn, place.chief)
    for _ in range(4):
        assert set(place.look(place.chief, "cam-1", page="one")) == {"cam-1"}
        assert set(place.look(place.chief, "cam-1", "cam-2", page="two")) == {"cam-1", "cam-2"}
        assert set(place.look(other, "cam-3", page="one")) == {"cam-3"}
        assert place.watched(place.chief) == list(CAMERAS)
        place.now += timedelta(seconds=10)
    assert [subject.rpartition("/")[2] for _, subject in place.audited()] == list(CAMERAS)
    place.leave(place.chief, page="two")
    assert place.watched(place.chief) == ["cam-1", "cam-3"]


def test_a_session_of_ones_own_is_a_record_of_ones_own(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.look(signed_in(place.conn, place.chief), "cam-1")
    assert place.audited() == [("chief", "camera:station-01/cam-1")] * 2


def test_who_begins_to_look_holds_up_no_message_of_the_camera(place: Place) -> None:
    [row] = nodes.nodes_by_name(place.conn, ["station-01"])
    place.look(place.chief, "cam-1")
    with psycopg.connect(place.url) as ingest:
        ingest.execute("set lock_timeout = '5s'")
        nodes.see_nodes(ingest, [NodeSeen(row.id, None)], at=place.now)
        nodes.see_devices(ingest, [place.ids["cam-1"]], place.now)
        ingest.rollback()


def test_whoever_ends_leases_takes_turns_with_those_who_begin_to_look(place: Place) -> None:
    place.look(place.chief, "cam-1", "cam-2")
    ends: list[Callable[[Connection[Any]], object]] = [
        lambda conn: service.leave(conn, place.sessions["worker"]),
        lambda conn: service.forget(conn, now=place.now),
    ]
    for end in ends:
        with psycopg.connect(place.url, options="-c lock_timeout=50") as other:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                end(other)
            other.rollback()


def test_whoever_waits_for_his_turn_holds_no_lease_meanwhile(place: Place) -> None:
    chief = place.sessions["chief"]
    window = Window(chief.session_id, "")
    one, two = place.ids["cam-1"], place.ids["cam-2"]
    for device_id in (one, two):
        store.take_lease(place.conn, device_id, window, place.chief.user_id, purpose=PURPOSE, now=AT)
    place.conn.commit()
    try:
        with psycopg.connect(place.url) as other, ThreadPoolExecutor(1) as thread:
            store.lock_leases(place.conn)
            waiting = thread.submit(service.watch, other, chief, [one], purpose=PURPOSE, address="test", now=place.now)
            wait_until(lambda: is_waiting(place.conn, other.info.backend_pid))
            store.take_lease(place.conn, two, window, place.chief.user_id, purpose=PURPOSE, now=AT)
            place.conn.rollback()
            assert [tile.camera.device for tile in waiting.result()] == ["cam-1"]
            other.rollback()
    finally:
        place.conn.rollback()
        place.conn.execute("delete from wall_lease")
        place.conn.commit()


def is_waiting(conn: Connection[Any], pid: int) -> bool:
    return conn.execute("select from pg_locks where pid = %s and not granted", [pid]).fetchone() is not None


def test_a_node_sends_what_is_its_own_and_looked_at(place: Place) -> None:
    with pytest.raises(service.NotWatched):
        place.send("cam-1")
    place.look(place.chief, "cam-1")
    for node, camera in (("station-02", "cam-1"), ("station-01", "cam-far"), ("station-01", "sensor-01")):
        with pytest.raises(NotFound):
            place.send(camera, node=node)
    place.now += policy.LEASE
    with pytest.raises(service.NotWatched):
        place.send("cam-1")
    with pytest.raises(service.NotWatched):
        service.tell_absence(place.conn, "station-01", "cam-1", Absence.LOST, now=place.now)


@pytest.mark.parametrize(
    ("content", "at_s", "error"),
    [
        (jpeg(LARGEST_PICTURE_BYTES + 1), 0.0, TooLarge),
        (b"", 0.0, UnsupportedMedia),
        (b"\xff\xd8\xff\xe0<script>alert(1)</script>", 0.0, UnsupportedMedia),
        (PICTURE + b"<html>", 0.0, UnsupportedMedia),
        (HEAD + frame(height=200, width=641) + scan() + END, 0.0, UnsupportedMedia),
        (HEAD + frame(height=1281, width=640) + scan() + END, 0.0, UnsupportedMedia),
        (PICTURE, -600.0, Invalid),
        (PICTURE, 600.0, Invalid),
    ],
)
def test_what_is_no_picture_of_now_is_refused(
    place: Place, content: bytes, at_s: float, error: type[CloudError]
) -> None:
    place.look(place.chief, "cam-1")
    with pytest.raises(error):
        place.send("cam-1", content, at_s=at_s)
    assert place.state(place.chief, "cam-1") is TileState.WAITING


def test_pictures_that_come_too_often_are_refused_and_older_ones_change_nothing(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.send("cam-1")
    place.now += timedelta(seconds=0.9)
    with pytest.raises(TooOften):
        place.send("cam-1")
    place.now += timedelta(seconds=0.2)
    place.send("cam-1", jpeg(7_000), at_s=-30)
    assert service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now).content == PICTURE


def test_a_picture_that_lies_a_little_in_the_future_is_one_of_now(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.send("cam-1", at_s=5)
    assert service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now).captured_at == place.now


def test_one_person_and_all_together_look_at_so_many(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "CAMERAS_OF_PERSON", 2)
    with pytest.raises(Invalid):
        place.look(place.chief, *CAMERAS)
    monkeypatch.setattr(policy, "CAMERAS_OF_ALL", 2)
    place.look(place.chief, "cam-1", "cam-2")
    place.look(place.worker, "cam-1")
    with pytest.raises(Conflict):
        place.look(place.worker, "cam-1", "cam-3")


def test_the_windows_of_a_person_share_what_he_may_look_at(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "CAMERAS_OF_PERSON", 2)
    monkeypatch.setattr(policy, "WINDOWS_OF_PERSON", 2)
    place.look(place.chief, "cam-1", page="one")
    place.look(place.chief, "cam-1", "cam-2", page="two")
    with pytest.raises(Conflict, match="in all windows"), place.conn.transaction():
        place.look(place.chief, "cam-3", page="three")
    with pytest.raises(Conflict, match="2 walls"), place.conn.transaction():
        place.look(place.chief, "cam-2", page="three")
    place.look(place.chief, "cam-3", page="two")


def test_a_node_that_sends_nothing_is_asked_again_now_and_then(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.answer("timed_out")
    assert place.state(place.chief, "cam-1") is TileState.NO_ANSWER
    place.now += timedelta(seconds=5)
    place.look(place.chief, "cam-1")
    assert place.commands() == ["cam-1"]
    place.now += policy.ASK_AGAIN
    place.look(place.chief, "cam-1")
    assert place.commands() == ["cam-1", "cam-1"]


def test_whoever_comes_back_has_it_asked_at_once(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.answer("done")
    place.now += timedelta(seconds=4)
    place.send("cam-1")
    place.leave(place.chief)
    place.look(place.chief, "cam-1")
    assert place.commands() == ["cam-1", "cam-1"]


@pytest.mark.parametrize(
    ("state", "reason", "shown"),
    [
        ("refused", "busy: 4 cameras are shown already", TileState.BUSY),
        ("refused", "busy", TileState.BUSY),
        ("refused", "this node shows no pictures: node.wall_cameras is 0", TileState.REFUSED),
        ("refused", "unsupported", TileState.REFUSED),
        ("refused", "other_session", TileState.WAITING),
        ("failed", "a mistake of the node's", TileState.NO_ANSWER),
        ("done", None, TileState.WAITING),
    ],
)
def test_what_the_node_answers_is_seen(place: Place, state: str, reason: str | None, shown: TileState) -> None:
    place.look(place.chief, "cam-1")
    place.answer(state, reason)
    assert place.state(place.chief, "cam-1") is shown


@pytest.mark.parametrize(
    ("absence", "shown"),
    [
        (Absence.LOST, TileState.CAMERA_LOST),
        (Absence.REFUSED, TileState.UNMASKABLE),
        (Absence.OVERLOADED, TileState.BUSY),
        (Absence.UNTAKEN, TileState.UNTAKEN),
        (Absence.WAITING, TileState.WAITING),
    ],
)
def test_what_the_node_says_of_a_missing_picture_is_seen_until_one_comes(
    place: Place, absence: Absence, shown: TileState
) -> None:
    place.look(place.chief, "cam-1")
    left_s = service.tell_absence(place.conn, "station-01", "cam-1", absence, now=place.now)
    assert left_s == policy.LEASE.total_seconds()
    assert place.state(place.chief, "cam-1") is shown
    place.now += timedelta(seconds=2)
    place.send("cam-1")
    assert place.state(place.chief, "cam-1") is TileState.SHOWN


def test_a_node_that_sends_neither_a_picture_nor_a_word_is_told_as_one_that_does_not_answer(place: Place) -> None:
    states = []
    for _ in range(5):
        place.look(place.chief, "cam-1", "cam-2")
        place.answer("done")
        service.tell_absence(place.conn, "station-01", "cam-2", Absence.WAITING, now=place.now)
        assert place.state(place.chief, "cam-2") is TileState.WAITING
        states.append(place.state(place.chief, "cam-1"))
        place.now += timedelta(seconds=10)
    assert states == [TileState.WAITING] * 4 + [TileState.NO_ANSWER]
    place.send("cam-1")
    assert place.state(place.chief, "cam-1") is TileState.SHOWN


def test_a_node_or_camera_that_is_away_is_told_as_that(place: Place) -> None:
    place.conn.execute("update device set presence = 'lost' where name = 'cam-1'")
    assert place.look(place.chief, "cam-1")["cam-1"].state is TileState.CAMERA_LOST
    place.conn.execute("update node set presence = 'lost' where name = 'station-01'")
    seen = place.look(place.chief, "cam-1", "cam-2")
    assert {tile.state for tile in seen.values()} == {TileState.NODE_AWAY}
    assert place.commands() == ["cam-1"]


def test_pictures_and_leases_are_gone_in_minutes(place: Place) -> None:
    place.look(place.chief, "cam-1")
    place.send("cam-1")
    place.now += policy.PICTURE_LIVES + timedelta(seconds=1)
    place.look(place.chief, "cam-1")
    with pytest.raises(NotFound):
        service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now)
    place.leave(place.chief)
    place.now += policy.PICTURE_LIVES + timedelta(seconds=1)
    service.forget(place.conn, now=place.now)
    counts = place.conn.execute(
        "select (select count(*) from wall_camera), (select count(*) from wall_lease)"
    ).fetchone()
    assert counts == (0, 0)


def test_a_clock_that_is_set_back_makes_no_lease_and_no_picture_last(place: Place) -> None:
    place.now += timedelta(hours=3)
    place.look(place.chief, "cam-1")
    place.send("cam-1")
    place.now -= timedelta(hours=3)
    assert place.state(place.chief, "cam-1") is None
    with pytest.raises(service.NotWatched):
        place.send("cam-1")
    place.look(place.chief, "cam-1")
    place.send("cam-1", jpeg(6_000))
    assert service.picture(place.conn, place.chief, place.ids["cam-1"], now=place.now).content == jpeg(6_000)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.sampled_from(["chief", "worker"]), st.frozensets(st.sampled_from(CAMERAS))),
        st.tuples(st.just("send"), st.sampled_from(CAMERAS), st.floats(-5, 5)),
        st.tuples(st.just("wait"), st.floats(0.1, 40.0)),
        st.tuples(st.just("forget")),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_a_picture_is_taken_and_seen_only_while_somebody_looks(template: Place, steps: Any) -> None:
    place = replace(template)
    people = {"chief": place.chief, "worker": place.worker}
    until: dict[tuple[str, str], datetime] = {}
    received: dict[str, datetime] = {}
    try:
        for step in steps:
            match step:
                case ("look", str(who), cameras):
                    place.look(people[who], *sorted(cameras))
                    until = {key: end for key, end in until.items() if key[0] != who}
                    until |= {(who, camera): place.now + policy.LEASE for camera in cameras}
                case ("send", str(camera), at_s):
                    watched = any(end > place.now for (_, each), end in until.items() if each == camera)
                    early = camera in received and place.now - received[camera] < policy.LEAST_BETWEEN
                    try:
                        left_s = place.send(camera, at_s=float(at_s))
                    except (service.NotWatched, TooOften):
                        assert not watched or early
                    else:
                        assert watched
                        assert 0 < left_s <= policy.LEASE.total_seconds()
                        shown = place.conn.execute(
                            "select received_at from wall_camera where device_id = %s", [place.ids[camera]]
                        ).fetchone()
                        assert shown is not None
                        received[camera] = shown[0]
                case ("wait", seconds):
                    place.now += timedelta(seconds=float(seconds))
                case _:
                    service.forget(place.conn, now=place.now)
            for who, user in people.items():
                for tile in service.cameras(place.conn, user, now=place.now):
                    name = tile.camera.device
                    looks = until.get((who, name), AT) > place.now
                    assert (tile.state is not None) == looks
                    fresh = name in received and place.now - received[name] <= policy.FRESH
                    assert (tile.state is TileState.SHOWN) == (looks and fresh)
    finally:
        place.conn.rollback()

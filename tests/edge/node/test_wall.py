"""The node's end of the wall: leases that the cloud begins, pictures that watches make, what is sent and said of what is missing."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from edge.contract.wall import Absence
from edge.errors import CommandRefused
from edge.flow import WallPicture
from edge.node.commands import Request
from edge.node.wall import QUIET_S, Wall
from edge.uplink.wall import WallAnswer
from tests.fakes.scenes import at


@dataclass
class FakeCloud:
    """Answers as it is told to."""

    answer: WallAnswer = field(default_factory=lambda: WallAnswer(taken=True, left_s=30.0))
    sent: list[tuple[str, datetime]] = field(default_factory=list)
    told: list[tuple[str, Absence]] = field(default_factory=list)
    closed: bool = False

    def picture(self, picture: WallPicture) -> WallAnswer:
        self.sent.append((picture.camera, picture.captured_at))
        return self.answer

    def absence(self, camera: str, reason: Absence) -> WallAnswer:
        self.told.append((camera, reason))
        return self.answer

    def close(self) -> None:
        self.closed = True


class Standing:
    """A wall with a clock and a cloud made by hand; `turn` is called as its thread would."""

    def __init__(self, places: int = 2) -> None:
        self.now_s = 100.0
        self.cameras = frozenset({"cam-1", "cam-2", "cam-3"})
        self.lost: set[str] = set()
        self.cloud = FakeCloud()
        self.wall = Wall(
            places,
            self.cloud,
            cameras=lambda: self.cameras,
            is_lost=self.lost.__contains__,
            clock=lambda: self.now_s,
        )

    def ask(self, camera: str | None, **arguments: Any) -> dict[str, Any]:
        given = {"lease_s": 30.0} | arguments
        return self.wall.lease(Request("snapshot", camera, given, at(60), lambda: 15.0))

    def show(self, camera: str = "cam-1", seconds: float = 0.0) -> None:
        self.wall.show(camera, WallPicture(camera, at(seconds), b"\xff\xd8"))


def test_a_picture_is_made_while_a_lease_stands_and_its_answer_says_for_how_long() -> None:
    found = Standing()
    assert not found.wall.wants("cam-1")
    assert found.ask("cam-1") == {"lease_s": 30.0, "period_s": 2.0}
    assert found.wall.wants("cam-1")
    found.show()
    assert not found.wall.wants("cam-1")
    found.wall.turn()
    assert found.cloud.sent == [("cam-1", at(0))]
    found.now_s += 29.0
    assert found.wall.wants("cam-1")
    found.cloud.answer = WallAnswer(taken=False, left_s=0.0, reason="409 Conflict")
    found.show(seconds=29)
    found.wall.turn()
    assert not found.wall.wants("cam-1")
    assert found.wall.shown == ()
    figures = found.wall.figures
    assert (figures.leases, figures.made, figures.sent, figures.unsent) == (1, 2, 1, 1)


def test_where_the_cloud_is_not_reached_the_lease_runs_out_by_itself() -> None:
    found = Standing()
    found.ask("cam-1")
    found.cloud.answer = WallAnswer(taken=False, left_s=None, reason="ConnectError")
    found.show()
    found.wall.turn()
    assert list(found.wall.shown) == ["cam-1"]
    found.now_s += 30.0
    assert not found.wall.shown
    found.wall.turn()
    assert len(found.cloud.sent) == 1


def test_of_two_pictures_of_a_camera_that_wait_the_newer_one_is_sent() -> None:
    found = Standing()
    found.ask("cam-1")
    found.show(seconds=0)
    found.show(seconds=2)
    found.wall.turn()
    assert found.cloud.sent == [("cam-1", at(2))]
    assert found.wall.figures.unsent == 1


def test_more_cameras_than_there_are_places_are_turned_away() -> None:
    found = Standing(places=1)
    found.ask("cam-1")
    found.ask("cam-1")
    with pytest.raises(CommandRefused, match=r"^busy: 1 cameras"):
        found.ask("cam-2")
    assert (found.wall.figures.leases, found.wall.figures.turned_away) == (1, 1)


@pytest.mark.parametrize(
    ("camera", "arguments"),
    [
        (None, {}),
        ("cam-9", {}),
        ("cam-1", {"lease_s": 61}),
        ("cam-1", {"lease_s": "long"}),
        ("cam-1", {"period_s": 0.1}),
        ("cam-1", {"path": "/etc/passwd"}),
    ],
)
def test_what_can_not_be_is_refused(camera: str | None, arguments: dict[str, Any]) -> None:
    found = Standing()
    with pytest.raises(CommandRefused):
        found.ask(camera, **arguments)
    assert found.wall.shown == ()


def test_a_node_that_shows_none_says_so() -> None:
    with pytest.raises(CommandRefused, match="wall_cameras"):
        Standing(places=0).ask("cam-1")


def test_a_camera_that_is_no_longer_configured_is_not_shown() -> None:
    found = Standing(places=1)
    found.ask("cam-1")
    found.cameras = frozenset({"cam-2"})
    found.ask("cam-2")
    assert found.wall.shown == ("cam-2",)


def test_after_a_while_without_a_picture_it_is_said_why() -> None:
    found = Standing(places=3)
    for camera in ("cam-1", "cam-2", "cam-3"):
        found.ask(camera)
    found.lost.add("cam-1")
    found.wall.show("cam-2", None)
    found.wall.turn()
    assert found.cloud.told == []
    found.now_s += QUIET_S
    found.wall.turn()
    found.wall.turn()
    assert sorted(found.cloud.told) == [
        ("cam-1", Absence.LOST),
        ("cam-2", Absence.REFUSED),
        ("cam-3", Absence.WAITING),
    ]
    assert found.cloud.sent == []
    assert found.wall.figures.refused == 1


def test_that_the_cloud_takes_no_picture_is_said_and_the_lease_stands() -> None:
    found = Standing()
    found.ask("cam-1")
    found.cloud.answer = WallAnswer(taken=False, left_s=None, reason="413 Content Too Large")
    for second in range(0, 8, 2):
        found.show(seconds=second)
        found.wall.turn()
        found.now_s += 2.0
    assert found.wall.shown == ("cam-1",)
    assert found.cloud.told == [("cam-1", Absence.UNTAKEN)]
    found.cloud.answer = WallAnswer(taken=True, left_s=30.0)
    for second in range(8, 20, 2):
        found.show(seconds=second)
        found.wall.turn()
        found.now_s += 2.0
    assert len(found.cloud.told) == 1


def test_where_the_machine_has_no_time_for_a_whole_period_it_counts_and_is_said() -> None:
    found = Standing()
    found.ask("cam-1")
    for _ in range(12):
        found.now_s += 0.5
        assert found.wall.wants("cam-1")
        found.wall.pass_over("cam-1")
    assert found.wall.figures.skipped == 3
    found.wall.turn()
    assert found.cloud.told == [("cam-1", Absence.OVERLOADED)]


def test_the_thread_sends_and_ends() -> None:
    found = Standing()
    found.wall.start()
    found.ask("cam-1")
    found.show()
    found.wall.stop()
    assert found.cloud.closed

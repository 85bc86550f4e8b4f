"""A camera's watch that makes pictures for a wall: masked by a look at that very frame, and never at the cost of its work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.errors import ModelUnusable
from edge.flow import Frame, PrivateParts, WallPicture
from edge.node.turns import Turns
from tests.edge.node.test_watch import MODEL, Watching
from tests.fakes.footage import write_clip
from tests.fakes.scenes import detections, standing_at
from tests.waiting import wait_until

PERSON = standing_at(0.5, 0.9)


@dataclass
class FakeWall:
    """Wants every picture, once it is told to."""

    wanted: threading.Event = field(default_factory=threading.Event)
    shown: list[WallPicture | None] = field(default_factory=list)
    passed_over: int = 0

    def wants(self, _camera: str) -> bool:
        return self.wanted.is_set()

    def show(self, _camera: str, picture: WallPicture | None) -> None:
        self.shown.append(picture)

    def pass_over(self, _camera: str) -> None:
        self.passed_over += 1


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    running: list[Watching] = []
    clip = write_clip(tmp_path / "a.mp4", frames=20)

    def make(look: Callable[[], None], wall: FakeWall, **settings: Any) -> Watching:
        found = Watching(clip, look, **settings)
        found.watch._wall = wall
        running.append(found)
        return found

    yield make
    for found in running:
        found.stop()


def test_it_has_the_masks_of_a_look_at_that_very_frame(
    watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = FakeWall()
    found = watching(lambda: None, wall, found=detections((PERSON, 0.9)))
    masks: list[tuple[Frame, PrivateParts]] = []
    small = found.watch._snapshots.small

    def noted(frame: Frame, parts: PrivateParts) -> WallPicture | None:
        masks.append((frame, parts))
        return small(frame, parts)

    monkeypatch.setattr(found.watch._snapshots, "small", noted)
    found.start()
    wait_until(lambda: found.watch.pipeline.counters.inferences > 0, what="looks")
    assert wall.shown == []
    wall.wanted.set()
    wait_until(lambda: len(wall.shown) > 3, what="pictures for the wall")
    found.stop()
    assert all(parts.at == frame.captured_at for frame, parts in masks)
    with_model = [parts for _, parts in masks if parts.people]
    assert with_model
    assert all(any(np.allclose(PERSON, other, atol=0.01) for other in parts.people) for parts in with_model)


def test_where_the_model_fails_there_is_none_and_then_all_is_hidden(watching: Callable[..., Watching]) -> None:
    wall, fail = FakeWall(), threading.Event()

    def look() -> None:
        if fail.is_set():
            raise ModelUnusable("the graph failed")

    found = watching(look, wall)
    found.start()
    wait_until(lambda: found.watch.pipeline.counters.inferences > 0, what="a look")
    fail.set()
    wall.wanted.set()
    wait_until(lambda: found.shelf.failures == {MODEL: 1}, what="the withdrawal")
    wait_until(lambda: any(picture is not None for picture in wall.shown), what="a picture without a model")
    found.stop()
    for picture in wall.shown:
        if picture is None:
            continue
        image = cv2.imdecode(np.frombuffer(picture.content, dtype=np.uint8), cv2.IMREAD_COLOR)
        assert image is not None  # nobody knows yet who stands there: a few large squares are all that there is
        assert (np.abs(np.diff(image.astype(int), axis=1)) > 24).mean() < 0.1


def test_where_the_machine_has_no_time_the_work_goes_on_without(
    watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Turns, "spare", lambda _turns, _camera: nullcontext(enter_result=False))
    wall = FakeWall()
    wall.wanted.set()
    found = watching(lambda: None, wall)
    found.start()
    wait_until(lambda: wall.passed_over > 2, what="pictures that were passed over")
    assert wall.shown == []
    assert found.watch.faults == 0

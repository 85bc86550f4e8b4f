from pathlib import Path
from typing import cast

import pytest

from edge.errors import ConfigurationError, ModelUnusable
from edge.node.shelf import ModelShelf
from edge.node.standing import LONGEST_DETAIL, Standing
from edge.node.status import read_status, write_status
from edge.perception.detector import OnnxDetector
from edge.provisioning.credentials import read_secret
from edge.settings import AUTO
from models import catalogue
from tests.edge.records import START, SteppedClock
from tests.edge.waiting import wait_until
from tests.fakes.own_model import OWN, take_in


class Changes:
    """Counts the changes of a standing."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_a_degradation_keeps_its_beginning_and_only_changes_are_told() -> None:
    clock, changes = SteppedClock(), Changes()
    standing = Standing(clock=clock, on_change=changes)
    standing.degrade("cam-1", "picture_lost", "no route")
    clock.step(5)
    standing.degrade("cam-1", "picture_lost", "no route")
    standing.degrade("cam-1", "picture_lost", "x" * 900)
    standing.degrade("pile-1", "silent", "nothing came")
    assert changes.count == 3
    first, second = standing.degradations()
    assert (first.subject, first.since, len(first.detail)) == ("cam-1", START, LONGEST_DETAIL)
    assert second.subject == "pile-1"
    standing.recover("cam-1", "picture_lost")
    standing.recover("cam-1", "picture_lost")
    assert changes.count == 4
    assert [each.subject for each in standing.degradations()] == ["pile-1"]


class FakeDetector:
    def __init__(self, model_id: str) -> None:
        self.manifest = catalogue.models()[model_id]


def test_a_degradation_goes_to_the_cloud_without_secrets() -> None:
    standing = Standing(clock=SteppedClock(), on_change=Changes())
    for detail in (
        "mqtt://node:Geheim1@broker",
        "x" * (LONGEST_DETAIL - 30) + " rtsp://admin:Geheim1" + "y" * 30 + "@host",
    ):
        standing.degrade("configuration", "not_taken", f"can't be taken in: {detail}")
        (told,) = standing.degradations()
        assert "Geheim1" not in told.detail
        assert len(told.detail) <= LONGEST_DETAIL


def test_a_model_that_cannot_be_opened_is_shown_and_another_one_is_not_held_up() -> None:
    broken, fine = "lightperson_192", "yolox_nano_416"

    def open_model(model_id: str) -> OnnxDetector:
        if model_id == broken:
            raise ModelUnusable("fetch it again")
        return cast("OnnxDetector", FakeDetector(model_id))

    standing = Standing(clock=SteppedClock(), on_change=Changes())
    shelf = ModelShelf([fine, broken, fine], standing, open_model=open_model)
    shelf.start()
    wait_until(lambda: shelf.detector(fine) is not None and standing.degradations(), "both tried")
    shelf.stop()
    assert shelf.detector(broken) is None
    assert shelf.reference(broken) is None
    assert shelf.detector(None) is None
    reference = shelf.reference(fine)
    assert reference is not None
    assert reference.sha256 == catalogue.models()[fine].sha256
    assert {version.id: version.problem for version in shelf.versions()} == {broken: "fetch it again", fine: None}
    [degradation] = standing.degradations()
    assert (degradation.subject, degradation.reason, degradation.detail) == (broken, "model_unusable", "fetch it again")


def test_one_that_is_taken_for_auto_stays_until_the_process_ends_and_why_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    take_in(tmp_path)
    there = {OWN}

    def open_model(model_id: str) -> OnnxDetector:
        if model_id not in there:
            raise ModelUnusable("no mirror has it")
        return cast("OnnxDetector", FakeDetector(model_id))

    standing = Standing(clock=SteppedClock(), on_change=Changes())
    shelf = ModelShelf([AUTO, OWN], standing, open_model=open_model)
    assert shelf.choices()[AUTO] == {"model": None, "version": None, "because": "not opened yet"}
    shelf.start()
    wait_until(lambda: shelf.detector(AUTO), "a model")
    there.add("yolox_nano_416")
    shelf.renew(AUTO)
    wait_until(lambda: shelf.detector(AUTO) and shelf.detector(OWN), "the same again")
    shelf.stop()
    choice = shelf.choices()[AUTO]
    assert (choice["model"], "no mirror has it" in str(choice["because"])) == (OWN, True)
    reference = shelf.reference(AUTO)
    assert reference is not None
    assert reference.id == OWN
    assert [(version.id, version.problem) for version in shelf.versions()] == [(OWN, None)]
    assert standing.degradations() == ()


def test_where_no_model_of_the_order_is_there_the_best_one_is_told_with_its_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))

    def open_model(model_id: str) -> OnnxDetector:
        raise ModelUnusable(f"{model_id}: no")

    standing = Standing(clock=SteppedClock(), on_change=Changes())
    shelf = ModelShelf([AUTO], standing, open_model=open_model)
    shelf.start()
    wait_until(standing.degradations, "the degradation")
    shelf.stop()
    assert standing.degradations()[0].subject == AUTO
    [version] = shelf.versions()
    assert version.id == "yolox_nano_416"
    assert "yolox_nano_416: no" in (version.problem or "")


def test_a_fault_while_opening_is_a_degradation_too() -> None:
    def open_model(_model_id: str) -> OnnxDetector:
        raise RuntimeError("out of memory")

    standing = Standing(clock=SteppedClock(), on_change=Changes())
    shelf = ModelShelf(["yolox_nano_416"], standing, open_model=open_model)
    shelf.start()
    wait_until(standing.degradations, "the degradation")
    shelf.stop()
    assert "RuntimeError" in standing.degradations()[0].detail


def test_what_was_renewed_while_it_was_being_opened_is_opened_anew() -> None:
    opened: list[FakeDetector] = []

    def open_model(model_id: str) -> OnnxDetector:
        opened.append(FakeDetector(model_id))
        if len(opened) == 1:
            shelf.renew(model_id)  # the catalogue changes after this version was read
        return cast("OnnxDetector", opened[-1])

    shelf = ModelShelf(["yolox_nano_416"], Standing(clock=SteppedClock(), on_change=Changes()), open_model=open_model)
    shelf.start()
    wait_until(lambda: shelf.detector("yolox_nano_416"), "the version of now")
    shelf.stop()
    assert len(opened) == 2
    assert shelf.detector("yolox_nano_416") is cast("OnnxDetector", opened[-1])


def test_the_status_of_a_process_that_is_gone_does_not_run(tmp_path: Path) -> None:
    assert read_status(tmp_path)["running"] is False
    write_status(tmp_path, {"pid": 1, "written_at": START})
    assert read_status(tmp_path, now=START)["running"] is True
    clock = SteppedClock()
    clock.step(60)
    assert read_status(tmp_path, now=clock.now)["running"] is False
    write_status(tmp_path, {"pid": 2**22 + 1, "written_at": START})
    assert read_status(tmp_path, now=START)["running"] is False
    (tmp_path / "status.json").write_text("[]")
    assert read_status(tmp_path)["running"] is False


def test_secrets_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert read_secret(None) is None
    file.write_text(" s3cret \n")
    assert read_secret(file) == "s3cret"
    for content in (b"", b"\n", b"two\nlines", b"\xff", b"x" * 5_000):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="secret"):
            read_secret(file)
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_secret(tmp_path / "none")


def test_what_stands_behind_a_line_that_is_down_says_so() -> None:
    standing = Standing(clock=SteppedClock(), on_change=lambda: None)
    standing.know_lines({"cam-1": "line-2", "line-2": "line-1", "pile-1": "line-1"})
    standing.degrade("cam-1", "stream_lost", "no route")
    standing.degrade("sensor-1", "silent", "nothing came for 30 s")
    assert [each.detail for each in standing.degradations()] == ["no route", "nothing came for 30 s"]
    standing.degrade("line-1", "silent", "its far end does not answer")
    standing.degrade("pile-1", "silent", "x" * 600)
    details = {each.subject: each.detail for each in standing.degradations()}
    assert details["cam-1"] == "no route; behind the leased line line-1, which is degraded"
    assert details["line-1"] == "its far end does not answer"
    assert details["sensor-1"] == "nothing came for 30 s"
    assert details["pile-1"].endswith("behind the leased line line-1, which is degraded")
    assert len(details["pile-1"]) <= LONGEST_DETAIL
    standing.recover("line-1", "silent")
    assert {each.subject: each.detail for each in standing.degradations()}["cam-1"] == "no route"

"""The quarantine of cameras: its files, an operator's orders, and a node whose decoder really aborts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from edge.configuration.reading import load
from edge.errors import ConfigurationError
from edge.node.ledger import COOL_DOWN, TRY, Held, Ledger
from edge.node.ledger_file import LEDGER, SPARE, keep_ledger, read_ledger
from edge.node.orders import ORDERS, Order, ordered, standings
from edge.node.quarantine import MARKS, REPORT, Quarantine, Turn
from edge.node.status import read_status
from edge.settings import CameraSettings
from edge.supervisor import LONGEST_WAIT_S
from tests.edge.records import SteppedClock
from tests.fakes.footage import write_clip
from tests.waiting import wait_until

THREAD = 0x7F76BC4C16C0


def cameras(**urls: str) -> list[CameraSettings]:
    return [CameraSettings.model_validate({"id": name, "url": url}) for name, url in urls.items()]


def pretend_crash(directory: Path, camera: str) -> None:
    """What a process leaves behind that aborted while it decoded a camera."""
    slot = camera.encode().ljust(64, b"\0") + b"source".ljust(8, b"\0") + THREAD.to_bytes(8, "little") + b"\x03"
    (directory / MARKS).write_bytes(slot.ljust(88, b"\0"))
    (directory / REPORT).write_bytes(b"Fatal Python error: Aborted\n\nCurrent thread 0x%016x (most recent" % THREAD)


def leave_crash(directory: Path, camera: str) -> None:
    """The same in the files that are there, as native code leaves it: nothing is made anew."""
    scratch = directory / "scratch"
    scratch.mkdir(exist_ok=True)
    pretend_crash(scratch, camera)
    for name in (MARKS, REPORT):
        with (directory / name).open("r+b") as place:
            place.write((scratch / name).read_bytes())


def never(_camera: str) -> bool:
    return False


def always(_camera: str) -> bool:
    return True


def test_three_starts_after_a_crash_and_the_camera_stays_closed(tmp_path: Path) -> None:
    clock, both = SteppedClock(), cameras(a="rtsp://192.0.2.1/", b="rtsp://192.0.2.2/")
    for count in range(1, 4):
        pretend_crash(tmp_path, "a")
        quarantine = Quarantine(tmp_path, both, clock=clock)
        assert quarantine.ledger.crashes == count
        assert quarantine.holds("a") is (count == 3)
        assert not quarantine.holds("b")
    assert "3 times (Aborted)" in quarantine.detail("a")
    assert "gridward-edge camera release a" in quarantine.detail("a")
    again = Quarantine(tmp_path, both, clock=clock)  # nothing crashed: what is known is kept, and no crash is counted
    assert again.holds("a")
    assert again.ledger.crashes == 3
    moved = Quarantine(tmp_path, cameras(a="rtsp://192.0.2.9/", b="rtsp://192.0.2.2/"), clock=clock)
    assert not moved.holds("a")


def test_after_a_day_it_is_tried_once_and_free_when_it_shows_pictures(tmp_path: Path) -> None:
    clock, one = SteppedClock(), cameras(a="rtsp://192.0.2.1/")
    for _ in range(3):
        pretend_crash(tmp_path, "a")
        quarantine = Quarantine(tmp_path, one, clock=clock)
    assert quarantine.turn(never) == Turn()
    clock.step(COOL_DOWN.total_seconds())
    assert quarantine.turn(never) == Turn(opened=("a",))
    clock.step(TRY.total_seconds())
    assert quarantine.turn(never) == Turn()
    assert read_ledger(tmp_path).records["a"].tried_since is not None
    assert quarantine.turn(always) == Turn()
    assert read_ledger(tmp_path).records == {}


def fill_disk(directory: Path) -> None:
    """No room for another ledger: what is written to it goes to the kernel's own full disk."""
    (directory / f"{LEDGER}~").unlink(missing_ok=True)
    (directory / f"{LEDGER}~").symlink_to("/dev/full")


def test_on_a_full_disk_the_third_crash_closes_the_camera_as_well(tmp_path: Path) -> None:
    clock, both = SteppedClock(), cameras(a="rtsp://192.0.2.1/", b="rtsp://192.0.2.2/")
    Quarantine(tmp_path, both, clock=clock)  # a start while there was room
    places = [tmp_path / name for name in (MARKS, REPORT, SPARE)]
    before = [(place.stat().st_ino, place.stat().st_blocks) for place in places]
    for count in range(1, 4):
        leave_crash(tmp_path, "a")
        fill_disk(tmp_path)
        quarantine = Quarantine(tmp_path, both, clock=clock)
        report = quarantine.open_report()
        assert report is not None
        with report:
            assert not report.read().strip(b"\0")
        assert quarantine.ledger.crashes == count
        assert quarantine.holds("a") is (count == 3)
        assert [(place.stat().st_ino, place.stat().st_blocks) for place in places] == before, (
            "no new block is asked for"
        )
    assert not (tmp_path / LEDGER).exists()
    assert read_ledger(tmp_path).holds("a")
    fill_disk(tmp_path)
    assert Quarantine(tmp_path, both, clock=clock).ledger == quarantine.ledger  # no crash: none is counted

    (tmp_path / f"{LEDGER}~").unlink()  # there is room again
    (tmp_path / ORDERS / "b").write_text("quarantine")
    quarantine.turn(never)
    assert read_ledger(tmp_path).holds("a")
    assert read_ledger(tmp_path).holds("b")
    assert not (tmp_path / SPARE).read_bytes().strip(b"\0")


def test_a_spare_ledger_counts_for_the_one_that_it_was_written_beside(tmp_path: Path) -> None:
    Quarantine(tmp_path, cameras(a="rtsp://192.0.2.1/"), clock=SteppedClock())
    keep_ledger(tmp_path, Ledger(crashes=1))
    fill_disk(tmp_path)
    keep_ledger(tmp_path, Ledger(crashes=2))
    spare = (tmp_path / SPARE).read_bytes()
    assert read_ledger(tmp_path).crashes == 2
    keep_ledger(tmp_path, Ledger(crashes=3))
    (tmp_path / SPARE).write_bytes(spare)  # as if the process had ended before it was emptied
    assert read_ledger(tmp_path).crashes == 3
    (tmp_path / SPARE).write_bytes(spare[:-1] + b"x")
    assert read_ledger(tmp_path).crashes == 3


@pytest.mark.parametrize("content", [b"", b"{", b'{"records": 3}', b"[" * 100_000, b"\xff", b'{"records":{"a":{}}}'])
def test_a_ledger_that_can_not_be_read_begins_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LEDGER).write_bytes(content)
    quarantine = Quarantine(tmp_path, cameras(a="rtsp://192.0.2.1/"), clock=SteppedClock())
    assert not quarantine.holds("a")


def test_orders_that_mean_nothing_are_left_aside(tmp_path: Path) -> None:
    orders = tmp_path / ORDERS
    orders.mkdir()
    (orders / "a").write_bytes(b"\xff" * 10_000)
    (orders / "gone").write_text("quarantine")
    (orders / "folder").mkdir()
    os.mkfifo(orders / "pipe")
    (orders / "a~").write_text("quarantine")
    quarantine = Quarantine(tmp_path, cameras(a="rtsp://192.0.2.1/"), clock=SteppedClock())
    assert quarantine.turn(never) == Turn()
    assert sorted(file.name for file in orders.iterdir()) == ["a~", "folder"]
    assert not quarantine.holds("a")


def write_configuration(folder: Path, **urls: str) -> Path:
    file = folder / "node.yaml"
    tree = {
        "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
        "cloud": {"mqtt": "mqtt://127.0.0.1:1", "https": "http://127.0.0.1:1"},
        "cameras": [{"id": name, "url": url, "loop": True, "model": None} for name, url in urls.items()],
    }
    file.write_text(yaml.safe_dump(tree))
    return file


def test_an_operator_closes_and_opens_and_each_takes_the_other_back(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=2)
    configuration = load(write_configuration(tmp_path, a=str(clip), b=str(clip)))
    directory = configuration.node.data_directory
    done = ordered(configuration, "a", Order.QUARANTINE)
    assert done.left
    assert "gridward-edge camera release a" in str(done)
    [first, second] = standings(configuration)
    assert (first.order, first.held, second.order) == (Order.QUARANTINE, None, None)
    quarantine = Quarantine(directory, configuration.cameras, clock=SteppedClock())
    assert quarantine.holds("a")
    assert standings(configuration)[0].held is Held.OPERATOR
    assert not ordered(configuration, "a", Order.QUARANTINE).left
    assert not ordered(configuration, "b", Order.RELEASE).left
    ordered(configuration, "a", Order.RELEASE)
    ordered(configuration, "a", Order.QUARANTINE)
    ordered(configuration, "a", Order.RELEASE)
    assert quarantine.turn(never) == Turn(opened=("a",))
    ordered(configuration, "a", Order.QUARANTINE)
    assert quarantine.turn(never) == Turn(closed=("a",))
    with pytest.raises(ConfigurationError, match="there is no camera `c`; the configuration has a, b"):
        ordered(configuration, "c", Order.RELEASE)


def test_a_release_before_the_third_crash_forgets_the_first_two(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=2)
    configuration = load(write_configuration(tmp_path, a=str(clip)))
    directory = configuration.node.data_directory
    directory.mkdir()
    for _ in range(2):
        pretend_crash(directory, "a")
        quarantine = Quarantine(directory, configuration.cameras, clock=SteppedClock())
    assert "2 times" in str(standings(configuration)[0])
    assert ordered(configuration, "a", Order.RELEASE).left
    quarantine.turn(never)
    assert str(standings(configuration)[0]) == "a: open"


class DyingNode:
    """The supervisor with a node whose native code ends the process."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.log = file.parent / "node.log"
        self.directory = load(file).node.data_directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        node = [sys.executable, "-m", "tests.fakes.aborting_node", "run-node", "--supervised", "-c", str(self.file)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "edge.supervisor", *node], stderr=log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0
            self.process = None

    def told(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def status(self) -> dict[str, Any]:
        return read_status(self.directory)

    def camera(self, name: str) -> dict[str, int]:
        figures: dict[str, int] = self.status().get("cameras", {}).get(name, {})
        return figures


@pytest.fixture
def node(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DyingNode]:
    clip = str(write_clip(tmp_path / "a.mp4", frames=20))
    running = DyingNode(write_configuration(tmp_path, **dict.fromkeys(request.param, clip)))
    running.start()
    yield running
    running.stop()


def edge(*arguments: str | Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def wait_for_quarantine(node: DyingNode, poison: str, number: int) -> None:
    """Three times the node ends by this signal, then the camera is closed and the other one goes on."""
    wait_until(lambda: node.camera(poison).get("quarantined") == 1, timeout_s=120, what="the quarantine")
    wait_until(lambda: node.camera("fine").get("analysed", 0) > 20, timeout_s=60, what="pictures of the other one")
    ends = node.told("the node ended and is started anew")
    assert len(ends) == 3
    assert all(end["wait_s"] <= LONGEST_WAIT_S < 3.0 for end in ends)
    assert {end["status"] for end in ends} == {-number}
    assert [each["suspects"] for each in node.told("native code ended the process")] == [[poison]] * 3
    [degraded] = [each for each in node.status()["degraded"] if each["subject"] == poison]
    assert degraded["reason"] == "quarantined"
    assert f"gridward-edge camera release {poison}" in degraded["detail"]
    assert node.status()["crashes"] == {"total": 3, "without_suspect": 0}
    assert node.camera(poison)["connections"] == 0


@pytest.mark.system
@pytest.mark.parametrize("node", [("fault-1", "fine")], indirect=True)
def test_the_third_crash_of_a_decoder_quarantines_its_camera_and_the_others_go_on(node: DyingNode) -> None:
    wait_for_quarantine(node, "fault-1", signal.SIGSEGV)


@pytest.mark.system
@pytest.mark.parametrize("node", [("abort-1", "fine")], indirect=True)
def test_a_quarantine_outlives_the_node_and_ends_by_an_operator_s_order(node: DyingNode) -> None:
    poison = "abort-1"
    wait_for_quarantine(node, poison, signal.SIGABRT)
    node.stop()
    node.start()  # the quarantine outlives the node
    wait_until(lambda: node.status().get("running"), timeout_s=60, what="the node")
    wait_until(lambda: node.camera("fine").get("analysed", 0) > 5, timeout_s=60, what="pictures of the other one")
    assert node.camera(poison)["quarantined"] == 1
    [standing, other] = edge("camera", "list", "--config", node.file)
    assert (standing["camera"], standing["held"], other["held"]) == (poison, "crashes", None)
    assert edge("camera", "release", poison, "--config", node.file)["left"] is True
    wait_until(
        lambda: node.told("the node ended and is started anew")[3:], timeout_s=60, what="it is opened and crashes"
    )
    wait_until(lambda: node.camera(poison).get("crashes", 0) >= 1, timeout_s=60, what="the next life")
    assert edge("camera", "quarantine", poison, "--config", node.file)["left"] is True
    wait_until(
        lambda: node.camera(poison).get("quarantined") == 1, timeout_s=120, what="closed by an operator, or again"
    )


@pytest.mark.system
@pytest.mark.parametrize("node", [("fine", "good")], indirect=True)
def test_killed_processes_quarantine_nobody(node: DyingNode) -> None:
    assert node.process is not None
    for life in range(4):
        wait_until(
            lambda life=life: len(node.told("node started")) > life,  # type: ignore[misc]
            timeout_s=60,
            what="a life",
        )
        [child] = psutil.Process(node.process.pid).children()
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: node.camera("fine").get("analysed", 0) > 3, timeout_s=60, what="pictures")
    assert node.status()["crashes"] == {"total": 0, "without_suspect": 0}
    assert [node.camera(name)["quarantined"] for name in ("fine", "good")] == [0, 0]


def test_the_times_in_the_ledger_can_be_read_by_people(tmp_path: Path) -> None:
    clock = SteppedClock()
    for _ in range(3):
        pretend_crash(tmp_path, "a")
        Quarantine(tmp_path, cameras(a="rtsp://192.0.2.1/"), clock=clock)
    record = json.loads((tmp_path / LEDGER).read_text())["records"]["a"]
    assert datetime.fromisoformat(record["retry_at"]) - datetime.fromisoformat(record["held_since"]) == timedelta(
        days=1
    )

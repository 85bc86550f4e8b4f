"""A node remembers what its cameras saw, off the threads that analyse, and answers from it."""

import threading
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.contract.incident import CameraTrouble, IncidentState
from edge.errors import CommandOverdue, CommandRefused
from edge.flow import Frame, Scene
from edge.node import recollecting as recollecting_module
from edge.node.commands import Request
from edge.node.recollecting import Background, CameraMemory, Recollection, watched_by
from edge.node.rules_trial import rules_try_of
from edge.perception.pipeline import STILL_MASKED_S
from edge.recollection.block import Block, Watched
from edge.recollection.recorder import MANY, to_ms
from edge.recollection.store import FOLDER, MemoryReader, backgrounds
from edge.rules_command import rules_app
from edge.settings import CameraSettings, MemorySettings, NodeConfiguration
from edge.trial.answer import as_json, try_cameras
from edge.video import ArrayPicture
from tests.edge.node.test_watch import Watching
from tests.fakes.footage import picture, write_clip
from tests.fakes.remembered import lived, said
from tests.fakes.scenes import at, detections, standing_at, walk
from tests.waiting import wait_until

SEES = Watched(model="m", motion=False, objects=False, troubles=False)


def memory(pictures: list[Background] | None = None) -> CameraMemory:
    kept = [] if pictures is None else pictures
    return CameraMemory("c", process=1, on_much=lambda: None, on_background=kept.append)


def visit(began_s: float, *, track_id: int = 1) -> list[Scene]:
    return list(walk(track_id, [(began_s + 0.2 * step, standing_at(0.5, 0.8)) for step in range(20)]))


def numbers(blocks: Sequence[Block]) -> list[tuple[int, bool]]:
    return [(each.number, each.ended) for each in blocks]


def test_a_watch_is_a_row_of_blocks_and_another_watch_another() -> None:
    kept = memory()
    kept.watches(SEES)
    assert kept.take() == []
    for scene in visit(0):
        kept.scene(scene)
    assert numbers(kept.take()) == [(0, False)]
    for scene in visit(20, track_id=2):
        kept.scene(scene)
    kept.ended()
    kept.scene(Scene("c", at(50), ()), begins=False)
    for scene in visit(60):
        kept.scene(scene)
    kept.ended()
    first, second = kept.take()
    assert numbers([first, second]) == [(1, True), (0, True)]
    assert first.run != second.run
    assert kept.take() == []


def test_what_is_looked_for_is_that_of_each_block() -> None:
    kept = memory()
    kept.watches(SEES)
    for scene in visit(0):
        kept.scene(scene)
    other = Watched(model="m", motion=True, objects=True, troubles=True)
    kept.watches(other)
    for scene in visit(20):
        kept.scene(scene)
    assert [block.watched for block in kept.take()] == [SEES, other]
    assert len({block.run for block in kept.take()}) <= 1


def test_much_is_cut_at_once_and_what_nobody_takes_is_bounded() -> None:
    woken: list[bool] = []
    kept = CameraMemory("c", process=1, on_much=lambda: woken.append(True), on_background=lambda _picture: None)
    empty, troubled = frozenset[CameraTrouble](), frozenset({CameraTrouble.DARK})
    for step in range(MANY + 10):
        kept.scene(Scene("c", at(0.2 * step), (), troubles=troubled if step % 2 else empty))
    assert woken == [True]
    assert len(kept.take()) == 2


@pytest.mark.parametrize(
    ("settings", "sees", "watched"),
    [
        ({"rules": []}, True, Watched("yolox_nano_416", motion=False, objects=False, troubles=False)),
        ({"rules": [{"kind": "camera_trouble"}]}, False, Watched(None, motion=False, objects=False, troubles=True)),
        (
            {
                "zones": {"a": [[0, 0], [1, 0], [1, 1]]},
                "lines": {"l": [[0, 0.5], [1, 0.5]]},
                "rules": [
                    {"kind": "abandoned_object", "zone": "a"},
                    {"kind": "line_crossing", "line": "l", "classes": ["motion"]},
                ],
            },
            True,
            Watched("yolox_nano_416", motion=True, objects=True, troubles=False),
        ),
    ],
)
def test_what_rules_make_a_node_look_for(settings: dict[str, Any], sees: bool, watched: Watched) -> None:
    camera = CameraSettings.model_validate({"id": "c", "url": "rtsp://c", **settings})
    assert watched_by(camera, model="yolox_nano_416" if sees else None) == watched


def wants(
    kept: CameraMemory, second: float, *, shape: tuple[int, int] = (432, 768), gap: bool = False, **differs: Any
) -> bool:
    """Whether a picture is wanted after half a minute in which the camera was seen as before, unless there was a gap."""
    troubles = frozenset({CameraTrouble.MOVED}) if kept._moved else frozenset()
    for earlier_s in () if gap else (30, 25, 20, 15, 10, 5):
        before = Scene("c", at(second - earlier_s), (), moving=True, troubles=troubles)
        assert not kept.wants_background(before, kept._view or shape, followed=False, sees=True)
    scene = replace(Scene("c", at(second), (), moving=False), **{k: v for k, v in differs.items() if k != "followed"})
    return kept.wants_background(scene, shape, followed=bool(differs.get("followed")), sees=True)


def test_a_background_is_kept_where_nobody_is_and_not_often() -> None:
    pictures: list[Background] = []
    kept = memory(pictures)
    hour = 3_600.0
    assert not wants(kept, 0, gap=True)
    assert not wants(kept, 30, moving=True)
    assert not wants(kept, 30, followed=True)
    assert not wants(kept, 30, tracks=visit(30)[0].tracks)
    assert not wants(kept, 30, troubles=frozenset({CameraTrouble.COVERED}))
    assert wants(kept, 30, troubles=frozenset())
    kept.background(b"first", at(30))
    assert not wants(kept, 5 * hour)
    assert wants(kept, 6.1 * hour)
    kept.background(None, at(6.1 * hour))
    assert not wants(kept, 6.2 * hour, shape=(1080, 1920)), "another view, and not settled"
    assert not wants(kept, 6.3 * hour, shape=(1080, 1920)), "one an hour at most"
    assert wants(kept, 7.2 * hour, shape=(1080, 1920))
    kept.background(b"second", at(7.2 * hour))
    assert not wants(kept, 8.5 * hour, shape=(1080, 1920), troubles=frozenset({CameraTrouble.MOVED}))
    assert not wants(kept, 8.6 * hour, shape=(1080, 1920), troubles=frozenset())
    assert wants(kept, 8.7 * hour, shape=(1080, 1920), troubles=frozenset())
    assert [each.at for each in pictures] == [at(30), at(7.2 * hour)]


def test_after_a_gap_or_with_another_watch_the_background_has_to_settle_again() -> None:
    pictures: list[Background] = []
    kept = memory(pictures)
    assert not wants(kept, 30, gap=True)
    assert wants(kept, 60)
    assert not wants(kept, 71, gap=True), "nobody knows who came within these eleven seconds"
    assert wants(kept, 101)
    kept.ended()
    assert not wants(kept, 102, gap=True), "the camera was opened again"
    assert wants(kept, 132)
    kept.background(b"first", at(132))
    hour = 3_600.0
    assert not wants(kept, 2 * hour)
    assert not wants(kept, 2 * hour + 100, gap=True)
    assert not wants(kept, 3 * hour), "a gap alone is no other view"
    assert wants(kept, 7 * hour)


def test_no_background_is_kept_while_it_would_be_nothing_but_squares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recollecting_module, "SETTLED_UNSEEING", timedelta(0))
    pictures: list[Background] = []
    watch = Watching(tmp_path / "none.mp4", lambda: None, model=None).watch
    watch._memory = memory(pictures)
    for number in range(61):
        frame = Frame("cam-1", number, at(5.0 * number), 5.0 * number, ArrayPicture(picture(0)))
        watch._keep_background(frame, watch.pipeline.analyse(frame))
    assert [each.at for each in pictures] == [at(STILL_MASKED_S)]


def recollection(directory: Path, **settings: Any) -> Recollection:
    return Recollection(
        directory,
        MemorySettings.model_validate(settings),
        clock=lambda: at(0),
        correction=lambda: timedelta(seconds=7),
    )


def test_it_is_written_with_the_corrected_time_and_on_the_way_out(tmp_path: Path) -> None:
    whole = recollection(tmp_path)
    kept = whole.camera("c")
    assert kept is not None
    assert whole.camera("c") is kept
    whole.start()
    for scene in visit(0):
        kept.scene(scene)
    kept.background(b"masked", at(2))
    wait_until(lambda: bool(backgrounds(tmp_path)), what="the picture")
    kept.ended()
    whole.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name == "recollection"] == []
    [picture] = backgrounds(tmp_path, "c")
    assert (picture.at_ms, picture.file.read_bytes()) == (to_ms(at(2)) + 7_000, b"masked")
    [*blocks] = MemoryReader(tmp_path).blocks("c")
    assert blocks[-1].ended
    assert {block.correction_ms for block in blocks} == {7_000}
    figures = whole.figures
    assert figures.quota_bytes >= figures.used_bytes >= figures.written_bytes > 0
    assert (figures.blocks_lost, figures.faults) == (0, 0)


def test_each_incident_keeps_the_hash_of_the_background_before_it() -> None:
    pictures: list[Background] = []
    kept = memory(pictures)
    kept.background(b"empty", at(-10))
    for scene in visit(0):
        kept.scene(scene)
    for finding in said(configuration(Path("data")).cameras[0], visit(0)):
        kept.told(finding)
    [block] = kept.take()
    assert [told.ended for told in block.told] == [False, True]
    assert {told.background for told in block.told} == {pictures[0].sha256} == {sha256(b"empty").hexdigest()}


def test_where_nothing_is_to_be_remembered_nothing_is(tmp_path: Path) -> None:
    whole = recollection(tmp_path, quota_mib=0)
    assert whole.camera("c") is None
    whole.start()
    whole.stop()
    assert not (tmp_path / FOLDER).exists()


def test_a_disk_that_takes_nothing_is_no_trouble_for_the_cameras(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    whole = recollection(tmp_path)
    kept = whole.camera("c")
    assert kept is not None
    for scene in visit(0):
        kept.scene(scene)
    whole.write()
    assert whole.lost == 1


def test_a_camera_remembers_what_its_rules_saw_and_told(tmp_path: Path) -> None:
    whole = Recollection(tmp_path, MemorySettings(), clock=lambda: at(0))
    zones = {"a": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    watching = Watching(
        write_clip(tmp_path / "a.mp4", frames=20),
        lambda: None,
        clock=lambda: datetime.now(UTC),
        found=detections((standing_at(0.5, 0.9), 0.9)),
        zones=zones,
        rules=[{"kind": "intrusion", "zone": "a"}],
    )
    watching.watch._memory = whole.camera("cam-1")
    watching.start()
    try:
        wait_until(lambda: bool(watching.keeper.kept), what="an incident")
    finally:
        watching.stop()
    whole.write()
    camera = watching.watch.camera
    [trial] = try_cameras(tmp_path, [camera], since=timedelta(days=7)).cameras
    told = [each for each in watching.keeper.kept if each.state is IncidentState.ENDED]
    assert len(told) == len(trial.then) >= 1
    assert len(trial.now) == len(trial.then)
    for now, then, incident in zip(trial.now, trial.then, told, strict=True):
        assert abs((now.started_at - incident.started_at).total_seconds()) <= 0.5
        assert now.dwell_s == pytest.approx(incident.dwell_s, abs=0.5)
        assert then.dwell_s == incident.dwell_s


def configuration(directory: Path) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "n", "district": "110105", "data_directory": str(directory)},
            "cloud": {"mqtt": "mqtt://localhost", "https": "http://localhost"},
            "cameras": [
                {
                    "id": "c",
                    "url": "rtsp://c",
                    "zones": {"a": [[0, 0], [1, 0], [1, 1], [0, 1]]},
                    "rules": [{"kind": "intrusion", "zone": "a"}],
                }
            ],
        }
    )


def request(arguments: dict[str, Any], *, left_s: float = 10.0, device: str | None = "c") -> Request:
    return Request("rules_try", device, arguments, at(0), lambda: left_s)


def test_from_afar_the_answer_is_that_of_the_command_line(tmp_path: Path) -> None:
    present = configuration(tmp_path / "data")
    lived(tmp_path / "data", present.cameras[0], [*visit(0), *visit(20, track_id=2)])
    handler = rules_try_of(lambda: present, recollection(tmp_path / "data"))
    zones = "zones: {a: [[0, 0], [0.4, 0], [0.4, 1], [0, 1]]}\n"
    (tmp_path / "zones.yaml").write_text(zones)
    (tmp_path / "node.yaml").write_text(
        "node: {id: n, district: '110105', data_directory: data}\n"
        "cloud: {mqtt: 'mqtt://localhost', https: 'http://localhost'}\n"
        "cameras:\n"
        "  - {id: c, url: 'rtsp://c', zones: {a: [[0, 0], [1, 0], [1, 1], [0, 1]]}, rules: [{kind: intrusion, zone: a}]}\n"
    )
    common = ["try", "--config", str(tmp_path / "node.yaml"), "--json", "--camera", "c", "--since", "1h"]
    whole = recollection(tmp_path / "data")
    kept = whole.camera("c")
    assert kept is not None
    kept.background(b"masked", at(-30))
    whole.write()
    both: list[tuple[dict[str, Any], list[str]]] = [
        ({}, []),
        ({"zones": zones, "background": True}, ["--zones", str(tmp_path / "zones.yaml"), "--background"]),
    ]
    for arguments, options in both:
        printed = CliRunner().invoke(rules_app, [*common, *options], catch_exceptions=False).stdout
        assert as_json(handler(request({**arguments, "since": "1h"}))) + "\n" == printed
    [told] = handler(request({"background": True}))["cameras"]
    assert told["background"]["jpeg_base64"] == b64encode(b"masked").decode()
    words = CliRunner().invoke(rules_app, [each for each in [*common, *options] if each != "--json"]).stdout
    assert "gone" in words
    assert "intrusion-a" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"zones": 5}, "not understood"),
        ({"zones": "zones: {a: [[0, 0], [2, 0], [1, 1]]}"}, "out of range"),
        ({"zones": "rules: [{kind: intrusion, zone: b}]"}, "there is no zone `b`"),
        ({"zones": "nonsense: 1"}, "has no meaning here"),
        ({"zones": "- ["}, "not YAML"),
        ({"since": "tomorrow"}, "is no time"),
        ({"colour": 1}, "not understood"),
    ],
)
def test_what_can_not_be_tried_is_refused_with_its_reason(
    tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    present = configuration(tmp_path)
    lived(tmp_path, present.cameras[0], visit(0))
    handler = rules_try_of(lambda: present, recollection(tmp_path))
    with pytest.raises(CommandRefused, match=words):
        handler(request(arguments))


def test_it_ends_with_its_deadline_and_knows_only_its_cameras(tmp_path: Path) -> None:
    present = configuration(tmp_path)
    lived(tmp_path, present.cameras[0], visit(0))
    handler = rules_try_of(lambda: present, recollection(tmp_path))
    with pytest.raises(CommandOverdue):
        handler(request({}, left_s=0.0))
    with pytest.raises(CommandRefused, match="there is no camera `other`"):
        handler(request({}, device="other"))

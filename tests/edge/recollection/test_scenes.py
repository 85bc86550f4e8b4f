"""What was seen comes back out of the memory: the rules find in it what they found live."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import CameraTrouble, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Box, Look, Scene, Spotted, StillObject, Track
from edge.recollection.block import Block, Watched, deflated, inflated
from edge.recollection.courses import LARGEST_ERROR
from edge.recollection.recorder import QUIET_MS, SceneRecorder, to_ms
from edge.recollection.scenes import Break, SceneReader
from tests.fakes.scenes import at, standing_at, walk

WATCHED = Watched(model="m", motion=False, objects=True, troubles=True)


def remembered(scenes: Iterable[Scene], *, cut_every: int = 1_000, ended: bool = True) -> list[Block]:
    """The blocks of one watch, as they come back from the disk."""
    recorder: SceneRecorder | None = None
    blocks = []
    for index, scene in enumerate(scenes):
        recorder = recorder or SceneRecorder("c", WATCHED, process=1, run=to_ms(scene.at))
        recorder.scene(scene)
        if index % cut_every == cut_every - 1:
            blocks.append(recorder.cut())
    if recorder is not None:
        blocks.append(recorder.cut(ended=ended))
    return [inflated(deflated(block)) for block in blocks if block is not None]


def recalled(blocks: Sequence[Block]) -> list[Scene | Break]:
    reader = SceneReader("c")
    return [moment for block in blocks for moment in reader.take(block)]


def scenes_of(blocks: Sequence[Block]) -> list[Scene]:
    return [moment for moment in recalled(blocks) if isinstance(moment, Scene)]


class _World:
    """Things that come, stand, are missed for a moment, and go."""

    def __init__(self) -> None:
        self.paths: dict[int, tuple[TrackPoint, ...]] = {}
        self.tracks: dict[int, Track] = {}

    def look(self, time_s: float, seen: dict[int, Box], gone: set[int]) -> Scene:
        for number, box in seen.items():
            left, top, right, bottom = box
            point = TrackPoint(to_microseconds(at(time_s)), left, top, right, bottom)
            self.paths[number] = (*self.paths.get(number, ()), point)
            first_at = self.tracks[number].first_seen_at if number in self.tracks else at(time_s)
            self.tracks[number] = Track(number, "person", box, 0.9, first_at, at(time_s), 0.9, self.paths[number])
        ended = tuple(self.tracks.pop(number) for number in sorted(gone) if number in self.tracks)
        for number in gone:
            self.paths.pop(number, None)
        return Scene("c", at(time_s), tuple(self.tracks[number] for number in seen), ended)


EDGE = st.integers(0, 1_000).map(lambda thousandths: thousandths / 1_000)
LOOKS = st.lists(
    st.tuples(
        st.integers(50, 3_000), st.dictionaries(st.integers(1, 4), st.tuples(EDGE, EDGE, EDGE, EDGE), max_size=3)
    ),
    max_size=40,
)


@given(LOOKS, st.integers(1, 50))
def test_in_each_look_everything_is_where_it_was_however_it_was_cut(
    looks: list[tuple[int, dict[int, Box]]], cut_every: int
) -> None:
    world, time_ms, live = _World(), 0, []
    for later_ms, seen in looks:
        time_ms += later_ms
        gone = {number for number in world.tracks if number not in seen and number % 2}
        live.append(world.look(time_ms / 1_000, seen, gone))
    found = {scene.at: scene for scene in scenes_of(remembered(live, cut_every=cut_every, ended=False))}
    for scene in live:
        if not scene.tracks and not scene.ended:
            continue
        again = found[scene.at]
        assert [track.track_id for track in again.ended] == [track.track_id for track in scene.ended]
        for ended, was in zip(again.ended, scene.ended, strict=True):
            assert (ended.label, ended.last_seen_at) == (was.label, was.last_seen_at)
        assert {track.track_id for track in again.tracks} == {track.track_id for track in scene.tracks}
        for track in again.tracks:
            was = next(each for each in scene.tracks if each.track_id == track.track_id)
            assert track.box == pytest.approx(was.box, abs=LARGEST_ERROR)
            assert (track.first_seen_at, track.last_seen_at) == (was.first_seen_at, was.last_seen_at)
            assert track.path[-1].at_us == was.path[-1].at_us


def test_who_counts_late_has_the_way_before() -> None:
    places = [(0.2 * step, standing_at(0.1 + 0.02 * step, 0.8)) for step in range(10)]
    [*scenes] = scenes_of(remembered(walk(7, places, confirmed_after=6)))
    first = next(scene for scene in scenes if scene.tracks)
    assert first.at == at(1.0)
    [track] = first.tracks
    assert track.path[0].at_us == to_microseconds(at(0))
    assert [point.left for point in track.path] == pytest.approx(
        [0.05 + 0.02 * step for step in range(6)], abs=2 * LARGEST_ERROR
    )
    assert first.tracks[0].first_seen_at == at(0)


def test_an_empty_hour_is_a_look_every_five_seconds() -> None:
    scenes = [Scene("c", at(0.2 * look), (), moving=False) for look in range(5 * 3600)]
    kept = scenes_of(remembered(scenes))
    assert len(kept) <= 3600 * 1_000 / QUIET_MS + 40
    assert kept[0].at == scenes[0].at
    assert kept[-1].at == scenes[-1].at
    gaps = [later.at - earlier.at for earlier, later in pairwise(kept)]
    assert max(gaps) <= timedelta(milliseconds=QUIET_MS)
    assert sum(len(deflated(block)) for block in remembered(scenes, cut_every=300)) < 20_000


def test_trouble_and_things_left_behind_come_back_with_the_look_in_which_they_changed() -> None:
    dark, lost = frozenset({CameraTrouble.DARK}), frozenset({CameraTrouble.STREAM_LOST})
    thing = StillObject(3, (0.4, 0.4, 0.5, 0.5), at(4))
    live = [
        Scene("c", at(0), (), troubles=frozenset(), objects=()),
        Scene("c", at(1), (), troubles=frozenset()),
        Scene("c", at(2), (), troubles=dark),
        Scene("c", at(3), (), troubles=frozenset()),
        Scene("c", at(5), (), troubles=frozenset(), objects=(thing,)),
        Scene("c", at(5.2), (), troubles=frozenset()),
        Scene("c", at(6), (), troubles=frozenset(), objects=(replace(thing, box=(0.401, 0.4, 0.501, 0.5)),)),
        Scene("c", at(7), (), troubles=frozenset(), objects=()),
        Scene("c", at(8), (), moving=False, troubles=lost),
    ]
    kept = {scene.at: scene for scene in scenes_of(remembered(live, cut_every=3))}
    assert [kept[at(second)].troubles for second in (0, 2, 3, 8)] == [frozenset(), dark, frozenset(), lost]
    [found] = kept[at(5)].objects or ()
    assert (found.number, found.since) == (3, at(4))
    assert found.box == pytest.approx(thing.box, abs=0.006)
    assert kept[at(7)].objects == ()
    assert kept[at(3)].objects is None
    assert not kept[at(8)].seen


def test_looks_at_places_come_back_with_what_they_saw_and_where_they_looked() -> None:
    litter = Spotted("litter", (0.4, 0.4, 0.5, 0.5), 0.625)
    live = [
        Scene("c", at(0), (), look=Look((litter,))),
        *(Scene("c", at(second), ()) for second in range(1, 4)),
        Scene("c", at(4), (), look=Look((), (0.0, 0.0, 0.5, 1.0))),
    ]
    kept = {scene.at: scene.look for scene in scenes_of(remembered(live, cut_every=2))}
    first, last = kept[at(0)], kept[at(4)]
    assert first is not None
    assert last is not None
    assert [(each.label, each.score) for each in first.spotted] == [("litter", 0.625)]
    assert first.spotted[0].box == pytest.approx(litter.box, abs=0.002)
    assert (first.region, last.spotted) == (None, ())
    assert last.region == pytest.approx((0.0, 0.0, 0.5, 1.0), abs=0.002)
    assert [kept.get(at(second)) for second in range(1, 4)] == [None] * 3


def test_a_block_from_before_there_were_looks_is_read() -> None:
    [block] = remembered([Scene("c", at(0), ())])
    plain = msgspec.msgpack.decode(zlib.decompress(deflated(block)))
    assert plain[-1] == []
    before = [*plain[:-1]]
    before[5] = before[5][:4]
    old = inflated(zlib.compress(msgspec.msgpack.encode(before)))
    assert (old.looks, old.watched.places) == ((), False)


def test_a_watch_that_broke_off_ends_what_it_followed() -> None:
    def two_watches() -> Iterator[Block]:
        for run in (0, 100):
            places = [(run + 0.2 * step, standing_at(0.5, 0.8)) for step in range(10)]
            yield from remembered(list(walk(1, places))[:-1], ended=False)

    moments = recalled(list(two_watches()))
    [stop] = [moment for moment in moments if isinstance(moment, Break)]
    assert (stop.at, stop.orderly) == (at(1.8), False)
    ended = [track for moment in moments if isinstance(moment, Scene) for track in moment.ended]
    assert [(track.track_id, track.last_seen_at) for track in ended] == [(1, at(1.8))]


def test_a_block_that_is_missing_is_a_break_and_a_clock_that_was_put_right_too() -> None:
    places = [(0.2 * step, standing_at(0.5, 0.8)) for step in range(30)]
    first, second, third, *_ = remembered(list(walk(1, places)), cut_every=10, ended=False)
    assert not any(isinstance(each, Break) for each in recalled([first, second, third]))
    assert any(isinstance(each, Break) for each in recalled([first, third]))
    later = Block(
        **{name: getattr(second, name) for name in Block.__struct_fields__ if name != "correction_ms"},
        correction_ms=9_000,
    )
    assert any(isinstance(each, Break) for each in recalled([first, later]))


@given(st.binary(max_size=200))
def test_what_is_no_block_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="block"):
        inflated(content)


def test_what_it_is_called_may_change() -> None:
    places = [(0.2 * step, standing_at(0.1 + 0.01 * step, 0.8)) for step in range(20)]
    live = [
        replace(scene, tracks=tuple(replace(track, label="car" if index < 9 else "bus") for track in scene.tracks))
        for index, scene in enumerate(list(walk(1, places))[:-1])
    ]
    kept = {scene.at: scene for scene in scenes_of(remembered(live))}
    for scene in live:
        assert [track.label for track in kept[scene.at].tracks] == [track.label for track in scene.tracks]


def test_where_something_is_only_expected_its_way_does_not_grow() -> None:
    sights = list(walk(1, [(0.4 * step, standing_at(0.1 + 0.04 * step, 0.8)) for step in range(10)]))[:-1]
    live: list[Scene] = []
    for scene in sights:
        [track] = scene.tracks
        later = scene.at + timedelta(seconds=0.2)
        expected = replace(track, box=standing_at(0.2, 0.9), last_seen_at=later)
        live += [scene, replace(scene, at=later, tracks=(expected,))]
    kept = scenes_of(remembered(live, cut_every=7, ended=False))
    assert [scene.at for scene in kept if scene.tracks] == [scene.at for scene in live]
    for scene, was in zip(kept, live, strict=False):
        [track], [before] = scene.tracks, was.tracks
        assert track.box == pytest.approx(before.box, abs=LARGEST_ERROR)
        assert [point.at_us for point in track.path] == [point.at_us for point in before.path]

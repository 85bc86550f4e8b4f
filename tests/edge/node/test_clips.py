"""Films are made beside everything else: the worse first, originals before masked ones, and never more than may wait."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import EvidenceKind, IncidentState, Severity
from edge.evidence.seal import DistrictKey
from edge.flow import Box, Detections, EvidenceFile, Image, Packet, PrivateParts, StreamFormat
from edge.incidents import IncidentBook
from edge.node import clips as clips_module
from edge.node.clips import MOST_WAITING, ClipOrder, ClipOwner, ClipWorker, Stage
from edge.settings import CameraSettings
from edge.video import UNMARKED, Video, VideoWriter
from tests.edge.evidence.test_clip import GROUP, PER_S, Sent, send
from tests.edge.records import SteppedClock
from tests.edge.test_incidents import SEEN, FakeKeeper, after
from tests.fakes.scenes import at
from tests.waiting import wait_until

DISTRICT = pyrage.x25519.Identity.generate()
KEY = DistrictKey((str(DISTRICT.to_public()),))
CAMERA = CameraSettings(id="cam-1", url="rtsp://127.0.0.1/", clips=True)
EVERYTHING = PrivateParts(at(0), moving=((0.0, 0.0, 1.0, 1.0),))
ENDED = IncidentState.ENDED


class Nobody:
    """A detector that finds nobody."""

    labels = ("person",)

    def detect(self, _image: Image, _things: Sequence[Box] = ()) -> Detections:
        return Detections(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32), ())


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return send("h264", 3 * GROUP, tmp_path_factory.mktemp("sent"))


def owned(severity: Severity) -> tuple[ClipOwner, ...]:
    return (ClipOwner(SEEN.key, SEEN.started_at, severity),)


def order(sent: tuple[StreamFormat | None, list[Packet]], **changes: object) -> ClipOrder:
    stream_format, packets = sent
    asked = ClipOrder(
        camera=CAMERA,
        owners=owned(Severity.MEDIUM),
        opened_at=at(3),
        stream_format=stream_format,
        packets=packets,
        until=at(1_000),
        known=EVERYTHING,
        detector=None,
        mark=UNMARKED,
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


def made(keeper: FakeKeeper) -> list[EvidenceFile]:
    return [keeper.staged[file.number] for file in keeper.files]


def test_an_incident_gets_its_original_and_a_film_that_people_can_look_at(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book, KEY)
    book.report(SEEN)
    worker.order(order(sent))
    while worker.turn():
        pass
    sealed, film = made(keeper)
    assert (sealed.kind, film.kind, film.reference.mime) == (EvidenceKind.SEALED, EvidenceKind.CLIP, "video/webm")
    assert hashlib.sha256(film.content).hexdigest() == film.reference.sha256
    with av.open(io.BytesIO(film.content), "r") as container:
        frames = list(container.decode(video=0))
        assert container.duration == pytest.approx(len(frames) / PER_S * 1e6, rel=0.1)
    assert len(frames) == 3 * GROUP
    assert [incident.revision for incident in keeper.kept] == [1, 2, 3]
    assert [len(incident.evidence) for incident in keeper.kept] == [0, 1, 2]
    assert worker.figures.made == 2


def test_where_everything_is_private_nothing_of_the_picture_is_left(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book)
    book.report(SEEN)
    worker.order(order(sent))
    assert worker.turn()
    assert not worker.turn()
    [film] = made(keeper)
    with av.open(io.BytesIO(film.content), "r") as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="bgr24").astype(int)  # what was sent is noise from pixel to pixel
            assert np.abs(np.diff(image[:, :40], axis=1)).mean() < 3


def test_an_incident_that_has_ended_meanwhile_stays_ended(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book, KEY)
    book.report(SEEN)
    worker.order(order(sent))
    book.report(after(SEEN, 5, ENDED))
    again = after(SEEN, 6, IncidentState.OPEN, started_at=SEEN.started_at + timedelta(seconds=6))
    book.report(again)  # the same key, another incident
    while worker.turn():
        pass
    first = keeper.kept[0].incident_id
    told = [incident for incident in keeper.kept if incident.incident_id == first]
    assert [incident.state.value for incident in told] == ["open", "ended", "ended", "ended"]
    assert [len(incident.evidence) for incident in told] == [0, 0, 1, 2]
    assert {incident.ended_at for incident in told[1:]} == {told[1].ended_at}
    assert [incident.evidence for incident in keeper.kept if incident.incident_id != first] == [()]


def test_with_a_detector_every_picture_is_looked_at_and_what_is_known_is_masked(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book)
    book.report(SEEN)
    worker.order(order(sent, detector=Nobody()))
    assert worker.turn()
    assert [file.kind for file in made(keeper)] == [EvidenceKind.CLIP]


def test_without_a_detector_who_comes_in_is_masked_though_nothing_is_known_of_him(tmp_path: Path) -> None:
    """He came in pictures that the camera's eyes have not analysed: what moves in the film itself tells of him."""
    clip, stripes = tmp_path / "a.mp4", np.arange(40)[None, :, None] // 4 % 2 * 200
    with VideoWriter(clip, rate=Fraction(PER_S), width=192, height=128, crf=10) as writer:
        for number in range(40):
            image = np.full((128, 192, 3), 100, dtype=np.uint8)
            if number >= 15:
                image[30:110, 80:120] = stripes
            writer.write(image)
    with Video(clip) as video:
        packets = [Packet(each, at(each.pts_s or 0.0), each.pts_s or 0.0) for each in video.packets()]
        stream_format = video.format
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    book.report(SEEN)
    worker = ClipWorker(book)
    worker.order(order((stream_format, packets), known=PrivateParts(at(0))))
    assert worker.turn()
    [film] = made(keeper)
    with av.open(io.BytesIO(film.content), "r") as container:
        shown = [frame.to_ndarray(format="bgr24").astype(int)[40:100, 82:118] for frame in container.decode(video=0)]
    assert len(shown) == 40
    assert max(float(np.abs(np.diff(image, axis=1)).mean()) for image in shown) < 10


def test_what_can_not_be_decoded_is_refused_and_counted_and_the_next_is_made(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book)
    book.report(SEEN)
    worker.order(order(sent, packets=[], owners=owned(Severity.CRITICAL)))
    worker.order(order((replace(sent[0], codec="nothing of the kind"), sent[1]), owners=owned(Severity.HIGH)))
    worker.order(order(sent))
    while worker.turn():
        pass
    assert (worker.refused("cam-1"), worker.figures.refused, worker.figures.made) == (2, 2, 1)


def test_a_film_that_takes_too_long_is_given_up(sent: Sent) -> None:
    ticks = iter(range(0, 10_000, 11))
    book = IncidentBook(FakeKeeper(), {}, clock=SteppedClock())
    worker = ClipWorker(book, cpu_clock=lambda: float(next(ticks)))
    worker.order(order(sent))
    assert worker.turn()
    assert worker.figures.refused == 1


severities = st.lists(st.tuples(st.sampled_from(list(Severity)), st.integers(0, 100)), max_size=3 * MOST_WAITING)


@settings(max_examples=40, deadline=None)
@given(severities)
def test_the_worse_come_first_the_older_before_the_younger_and_what_comes_last_is_left(
    asked: list[tuple[Severity, int]],
) -> None:
    worker = ClipWorker(IncidentBook(FakeKeeper(), {}, clock=SteppedClock()), KEY)
    for severity, second in asked:
        worker.order(order((None, []), owners=owned(severity), opened_at=at(second)))
    waiting = [(task.stage, -task.order.severity.rank, task.order.opened_at) for task in worker._waiting]
    assert waiting == sorted(waiting)
    assert len(waiting) == min(len(asked) * 2, MOST_WAITING)
    assert worker.figures.skipped == len(asked) * 2 - len(waiting)
    wanted = sorted((stage, -severity.rank, at(second)) for severity, second in asked for stage in Stage)
    assert waiting == wanted[: len(waiting)]


def test_the_packets_that_wait_are_bounded_and_counted_once(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips_module, "MOST_BYTES", 2 * order(sent).size_bytes)
    worker = ClipWorker(IncidentBook(FakeKeeper(), {}, clock=SteppedClock()), KEY)
    for second in range(3):
        worker.order(order(sent, opened_at=at(second)))
    assert [(task.stage, task.order.opened_at) for task in worker._waiting] == [
        (stage, at(second)) for stage in Stage for second in range(2)
    ]


def test_the_thread_seals_what_waits_before_it_stops(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    book.report(SEEN)
    worker = ClipWorker(book, KEY)
    worker.order(order(sent))
    worker.start()
    wait_until(lambda: worker.figures.made == 2, what="both films")
    worker.order(order(sent))
    worker.stop()
    wait_until(lambda: not worker._thread.is_alive(), what="the end of the thread")
    assert [file.kind for file in made(keeper)].count(EvidenceKind.SEALED) == 2


def test_a_film_over_the_disk_that_takes_nothing_waits_behind_its_incident(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book)
    keeper.full = True
    book.report(SEEN)
    worker.order(order(sent))
    assert worker.turn()
    assert keeper.kept == []
    keeper.full = False
    book.tick()
    assert [len(incident.evidence) for incident in keeper.kept] == [0, 1]


def test_a_film_of_several_incidents_is_made_once_and_their_views_name_it(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book, KEY)
    owners = tuple(ClipOwner(f"pile-{number}", SEEN.started_at, Severity.HIGH) for number in range(3))
    for owner in owners:
        book.report(replace(SEEN, key=owner.key, device=owner.key))
    worker.order(order(sent, owners=owners, linked=True))
    while worker.turn():
        pass
    assert worker.figures.made == 2
    newest = {incident.device: incident for incident in keeper.kept}
    for owner in owners:
        incident = newest[owner.key]
        [view] = incident.views
        assert (view.camera, view.captured_at, view.counts) == ("cam-1", None, None)
        assert view.evidence == tuple(file.sha256 for file in incident.evidence)
        assert len(view.evidence) == 2


def test_of_a_moment_that_is_over_the_film_gives_its_picture_with_its_masks(sent: Sent) -> None:
    keeper = FakeKeeper()
    book = IncidentBook(keeper, {}, clock=SteppedClock())
    worker = ClipWorker(book)
    book.report(SEEN)
    began_at = sent[1][0].captured_at
    worker.order(order(sent, linked=True, still_at=began_at + timedelta(seconds=0.5)))
    while worker.turn():
        pass
    film, still = made(keeper)
    assert (film.kind, still.kind) == (EvidenceKind.CLIP, EvidenceKind.SNAPSHOT)
    assert abs((still.reference.captured_at - began_at).total_seconds() - 0.5) <= 0.1 + 1e-6
    [view] = keeper.kept[-1].views
    assert view.evidence == (film.reference.sha256, still.reference.sha256)
    image = cv2.imdecode(np.frombuffer(still.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert np.abs(np.diff(image[:, :40].astype(int), axis=1)).mean() < 3  # everything is private in this test

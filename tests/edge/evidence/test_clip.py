"""A clip is what the camera sent, picture for picture and byte for byte, and nobody but the district sees it."""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
import pyrage
import pytest
from av.bitstream import BitStreamFilterContext
from av.video.stream import VideoStream

from edge.contract.incident import EvidenceKind
from edge.errors import MediaUnusable
from edge.evidence import clip as clip_module
from edge.evidence.clip import POST_ROLL, PRE_ROLL, ClipMaker
from edge.evidence.seal import DistrictKey
from edge.flow import Encoded, Packet, StreamFormat
from edge.settings import CameraSettings
from edge.simulators.camera_process import CameraProcess
from edge.sources.camera import CameraSource
from edge.sources.mailbox import Mailbox
from edge.sources.packets import LONGEST_S, PacketRing
from edge.video.copying import copied
from tests.fakes.footage import write_clip
from tests.fakes.scenes import at
from tests.waiting import wait_until

DISTRICT = pyrage.x25519.Identity.generate()
KEY = DistrictKey((str(DISTRICT.to_public()),))
PER_S, GROUP = 10, 20
WIDTH, HEIGHT = 96, 64
Sent = tuple[StreamFormat, list[Packet]]


def send(codec: str, count: int, folder: Path, *, width: int = WIDTH, height: int = HEIGHT) -> Sent:
    """What a live camera sends: pictures that change, in groups of `GROUP`, the parameter sets in the stream."""
    path = folder / f"{codec}.mkv"
    options = {"h264": ("libx264", {"g": str(GROUP), "bf": "0", "preset": "ultrafast"})}
    options["hevc"] = ("libx265", {"preset": "ultrafast", "x265-params": f"keyint={GROUP}:bframes=0:log-level=none"})
    encoder, settings = options[codec]
    draw = np.random.default_rng(4)
    with av.open(str(path), "w") as container:
        stream = cast("VideoStream", container.add_stream(encoder, rate=Fraction(PER_S), options=settings))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(count):
            image = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    packets: list[Packet] = []
    with av.open(str(path), "r") as container:
        stream_in = container.streams.video[0]
        in_the_stream = BitStreamFilterContext(f"{codec}_mp4toannexb", stream_in)
        for demuxed in container.demux(stream_in):
            for packet in in_the_stream.filter(demuxed):
                if packet.size:
                    encoded = Encoded(bytes(packet), packet.pts, packet.dts, 100, packet.is_keyframe, None)
                    packets.append(Packet(encoded, at(len(packets) / PER_S), len(packets) / PER_S))
        return StreamFormat(codec, None, width, height, stream_in.time_base or Fraction(1)), packets


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return send("h264", 6 * GROUP, tmp_path_factory.mktemp("sent"))


def pictures(film: bytes) -> list[bytes]:
    with av.open(io.BytesIO(film), "r") as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def decoded(packets: Sequence[Packet], codec: str = "h264") -> list[bytes]:
    raw = b"".join(packet.encoded.data for packet in packets)
    with av.open(io.BytesIO(raw), "r", format=codec) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_every_picture_comes_out_as_it_was_sent(codec: str, tmp_path: Path) -> None:
    stream_format, packets = send(codec, 2 * GROUP, tmp_path)
    film = copied(stream_format, packets)
    assert pictures(film) == decoded(packets, codec)
    with av.open(io.BytesIO(film), "r") as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size]
        assert len(sizes) == len(packets)
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(PER_S, rel=0.1)


def test_a_film_that_was_cut_off_plays_up_to_its_last_whole_group(sent: Sent) -> None:
    stream_format, packets = sent
    film = copied(stream_format, packets)
    shown: list[bytes] = []
    with av.open(io.BytesIO(film[: len(film) * 2 // 3]), "r") as container, contextlib.suppress(av.error.FFmpegError):
        shown.extend(frame.to_ndarray().tobytes() for frame in container.decode(video=0))
    assert len(shown) >= 3 * GROUP
    assert shown == decoded(packets)[: len(shown)]


def test_times_that_stand_still_or_jump_back_make_no_film_impossible(sent: Sent) -> None:
    stream_format, packets = sent
    odd = [
        replace(packet, encoded=replace(packet.encoded, pts=None if n % 3 else 5_000 - n, dts=None if n % 2 else 7))
        for n, packet in enumerate(packets)
    ]
    assert len(pictures(copied(stream_format, odd))) == len(packets)


def test_a_first_packet_without_a_time_leaves_no_gap_behind_it(sent: Sent) -> None:
    stream_format, packets = sent
    late = [
        replace(packet, encoded=replace(packet.encoded, pts=10**9 + 100 * n, dts=10**9 + 100 * n))
        for n, packet in enumerate(packets)
    ]
    late[0] = replace(late[0], encoded=replace(late[0].encoded, pts=None, dts=None))
    with av.open(io.BytesIO(copied(stream_format, late)), "r") as film:
        times = [frame.time for frame in film.decode(video=0)]
    assert times[0] == 0
    assert times[-1] == pytest.approx(float(100 * (len(packets) - 2) * stream_format.time_base), rel=0.01)


def test_what_can_not_be_copied_is_said_to_be(sent: Sent) -> None:
    stream_format, packets = sent
    for wrong_format, wrong in (
        (replace(stream_format, codec="rawvideo"), packets),
        (stream_format, []),
        (stream_format, packets[1:]),
        (stream_format, [replace(packets[0], encoded=replace(packets[0].encoded, data=b"nothing of the kind"))]),
    ):
        with pytest.raises(MediaUnusable):
            copied(wrong_format, wrong)


def test_a_picture_that_nobody_films_is_not_copied(tmp_path: Path) -> None:
    stream_format, packets = send("h264", 2, tmp_path, width=1088, height=64)
    with pytest.raises(MediaUnusable, match="1088×64"):
        copied(stream_format, packets)


def test_a_clip_goes_from_the_key_frame_before_to_the_end_of_its_time(sent: Sent) -> None:
    stream_format, packets = sent
    ring = PacketRing()
    ring.begin(stream_format)
    for packet in packets:
        ring.add(packet)
    opened_at = at(7.5)
    clip = ClipMaker("c", KEY).take(*ring.clip(opened_at - PRE_ROLL), until=opened_at + POST_ROLL)
    assert clip is not None
    assert (clip.kind, clip.reference.captured_at) == (EvidenceKind.SEALED, at(2))
    film = bytes(pyrage.decrypt(clip.content, [DISTRICT]))
    assert pictures(film) == decoded(packets)[20:116]


def test_both_rolls_lie_in_the_ring() -> None:
    assert timedelta(seconds=LONGEST_S) > (PRE_ROLL + POST_ROLL)


def test_where_there_is_no_room_for_all_the_end_is_left_out(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    stream_format, packets = sent
    monkeypatch.setattr(clip_module, "LARGEST_BYTES", sum(len(packet.encoded.data) for packet in packets[:30]))
    clip = ClipMaker("c", KEY).take(stream_format, packets, until=at(1_000))
    assert clip is not None
    assert len(pictures(bytes(pyrage.decrypt(clip.content, [DISTRICT])))) == 30


def test_where_nothing_can_be_copied_there_is_no_clip_and_that_is_counted(sent: Sent) -> None:
    stream_format, packets = sent
    maker = ClipMaker("c", KEY)
    assert maker.take(None, [], until=at(0)) is None
    assert maker.take(stream_format, packets[1:5], until=at(1_000)) is None
    assert maker.refused == 2
    assert maker.take(replace(stream_format, codec="rawvideo"), packets, until=at(1_000)) is None
    assert maker.refused == 3


@pytest.mark.system
def test_of_a_live_camera_the_clip_can_be_played(tmp_path: Path, rtsp_camera: Callable[..., CameraProcess]) -> None:
    footage = write_clip(tmp_path / "live.mp4", frames=40, rate=10)
    settings = CameraSettings(id="c", url=rtsp_camera(footage, encode=True).url, model=None)
    source = CameraSource(settings, Mailbox(), lambda _health, _reason: None)
    source.start()
    try:
        wait_until(lambda: source.ring.seconds >= 1, what="a second in the ring")
        stream_format, packets = source.ring.clip(datetime.now(UTC) - timedelta(seconds=60))
    finally:
        source.stop()
    clip = ClipMaker("c", KEY).take(stream_format, packets, until=datetime.now(UTC) + timedelta(seconds=60))
    assert clip is not None
    with av.open(io.BytesIO(bytes(pyrage.decrypt(clip.content, [DISTRICT]))), "r") as film:
        frames = list(film.decode(video=0))
    assert len(frames) == len(packets)
    assert (frames[0].width, frames[0].height) == (160, 96)
    begin, end = packets[1].encoded.pts, packets[-1].encoded.pts  # the first packet of an RTSP stream may lack its time
    assert begin is not None
    assert end is not None
    assert stream_format is not None
    assert frames[-1].time == pytest.approx(float((end - begin) * stream_format.time_base), abs=0.3)

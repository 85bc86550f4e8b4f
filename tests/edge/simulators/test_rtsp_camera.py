import contextlib
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error
import psutil
import pytest

from edge.errors import MediaUnusable
from edge.simulators.camera_process import CameraProcess
from edge.simulators.codec import Codec
from edge.simulators.footage import load
from edge.simulators.playback import Behaviour, Playhead
from tests.fakes.footage import write_clip
from tests.waiting import wait_until

pytestmark = pytest.mark.system

Clip = Callable[[str], Path]
StartCamera = Callable[..., CameraProcess]

OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "500000", "probesize": "500000"}


@contextmanager
def opened(url: str) -> Iterator[Any]:
    with av.open(url, options=OPTIONS, timeout=(10.0, 3.0)) as container:
        yield container


def frames(url: str, count: int) -> list[Any]:
    with opened(url) as container:
        decoded = container.decode(video=0)
        return [next(decoded) for _ in range(count)]


def drain(decoded: Iterator[Any]) -> int:
    """Read on to the end, at most 500 frames; how many there were."""
    return sum(1 for _ in itertools.islice(decoded, 500))


def talk(camera: CameraProcess, *requests: str) -> str:
    """Send raw requests; everything that came back until the camera closed or fell silent."""
    with socket.create_connection(("127.0.0.1", camera.port), timeout=2.0) as connection:
        for request in requests:
            connection.sendall(request.replace("\n", "\r\n").encode())
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
                if answer.count(b"RTSP/1.0") == len(requests):
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return answer.decode("latin-1")


@pytest.fixture(scope="module")
def people(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CameraProcess]:
    """A camera that nobody gives orders to, for all who only ask it something."""
    log = tmp_path_factory.mktemp("people") / "camera.log"
    with CameraProcess(clip("people_preview"), log=log) as camera:
        yield camera
        camera.kill()


def test_it_plays_in_real_time_and_as_filmed(clip: Clip, rtsp_camera: StartCamera) -> None:
    video = clip("car_detection")
    camera = rtsp_camera(video)
    begun = time.monotonic()
    seen = frames(camera.url, 40)
    assert time.monotonic() - begun >= 39 / 12.5 - 1.0  # not faster; how much slower is the machine's affair
    with av.open(str(video)) as container:
        decoded = container.decode(video=0)
        filmed = [next(decoded) for _ in range(40)]
    assert [bytes(frame.planes[0]) for frame in seen] == [bytes(frame.planes[0]) for frame in filmed]
    times = [frame.time for frame in seen[1:]]
    assert times == pytest.approx([index / 12.5 for index in range(1, 40)], abs=0.002)


def test_its_playhead_moves_as_time_does(clip: Clip) -> None:
    behaviour = Behaviour()
    playhead = Playhead(load(clip("people_preview")), behaviour)
    assert [playhead.advance(now) for now in (100.0, 100.04, 103.2)] == pytest.approx([0.0, 0.04, 3.2])
    behaviour.rate = 0.5
    assert playhead.advance(105.2) == pytest.approx(4.2)
    behaviour.frozen = True
    assert playhead.advance(999.0) == pytest.approx(4.2)


def test_it_starts_again_with_growing_time(people: CameraProcess) -> None:
    times = [frame.time for frame in frames(people.url, 60)[1:]]
    assert times == pytest.approx([index / 12.5 for index in range(1, 60)], abs=0.002)


def test_the_frame_log_says_when_each_frame_was_sent(clip: Clip, rtsp_camera: StartCamera, tmp_path: Path) -> None:
    camera = rtsp_camera(clip("people_preview"), frame_log=tmp_path / "frames")
    frames(camera.url, 30)
    wait_until(lambda: (tmp_path / "frames").read_text().count("\n") >= 30)
    entries = [json.loads(line) for line in (tmp_path / "frames").read_text().splitlines()[:30]]
    assert [(entry["loop"], entry["frame"]) for entry in entries] == [(index // 23, index % 23) for index in range(30)]


@pytest.mark.parametrize("basic", [True, False])
def test_only_those_with_the_password_see_it(clip: Clip, rtsp_camera: StartCamera, tmp_path: Path, basic: bool) -> None:
    (tmp_path / "password").write_text("p@ss word\n")
    camera = rtsp_camera(clip("people_preview"), user="viewer", password_file=tmp_path / "password", basic=basic)
    assert frames(camera.url.replace("rtsp://", "rtsp://viewer:p%40ss%20word@"), 2)
    with pytest.raises(av.error.HTTPUnauthorizedError):
        frames(camera.url, 1)
    with pytest.raises(av.error.HTTPUnauthorizedError):
        frames(camera.url.replace("rtsp://", "rtsp://viewer:wrong@"), 1)


def test_several_watch_at_once(people: CameraProcess) -> None:
    with opened(people.url) as first, opened(people.url) as second:
        for container in (first, second, first):
            assert next(container.decode(video=0)) is not None


def test_those_who_share_a_moment_begin_at_a_key_frame(clip: Clip, rtsp_camera: StartCamera) -> None:
    camera = rtsp_camera(clip("people_preview"), shared=True, encode=True)
    with opened(camera.url) as container:
        packet = next(packet for packet in container.demux(video=0) if packet.size)
        assert packet.is_keyframe


def test_a_frozen_camera_keeps_the_connection_and_goes_on(clip: Clip, rtsp_camera: StartCamera) -> None:
    camera = rtsp_camera(clip("people_preview"))
    with opened(camera.url) as container:
        decoded = container.decode(video=0)
        next(decoded)
        camera.freeze()
        with pytest.raises(av.error.FFmpegError):
            drain(decoded)
    camera.thaw()
    assert frames(camera.url, 3)


def test_another_film_is_shown_in_the_stream_that_there_is(rtsp_camera: StartCamera, tmp_path: Path) -> None:
    """As when somebody changes the size or the codec in the settings of a camera."""
    small, large = write_clip(tmp_path / "small.mp4"), write_clip(tmp_path / "large.mp4", width=320, height=192)
    camera = rtsp_camera(small, encode=True, also=[(large, None), (small, Codec.H265)])
    with opened(camera.url) as container:
        decoded = container.decode(video=0)
        assert next(decoded).width == 160
        camera.show(1)
        frames_seen = list(itertools.islice(itertools.dropwhile(lambda frame: frame.width == 160, decoded), 3))
        assert [frame.width for frame in frames_seen] == [320] * 3
        times = [frame.time for frame in frames_seen]
        assert times == sorted(times)
    camera.show(2)
    with opened(camera.url) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
        assert next(container.decode(video=0)).width == 160


def test_a_cut_ends_the_stream_and_a_new_one_is_welcome(clip: Clip, rtsp_camera: StartCamera) -> None:
    camera = rtsp_camera(clip("people_preview"))
    with opened(camera.url) as container:
        decoded = container.decode(video=0)
        next(decoded)
        camera.cut_off()
        with contextlib.suppress(av.error.FFmpegError):
            assert drain(decoded) < 500
    assert frames(camera.url, 2)


def test_a_killed_camera_comes_back_at_its_address(clip: Clip, rtsp_camera: StartCamera) -> None:
    camera = rtsp_camera(clip("people_preview"))
    url, pid = camera.url, camera.pid
    camera.kill()
    assert not psutil.pid_exists(pid)
    assert camera.pid == 0
    camera.start()
    assert camera.url == url
    assert frames(url, 2)


def test_garbage_is_survived_by_both_sides(clip: Clip, rtsp_camera: StartCamera) -> None:
    camera = rtsp_camera(clip("people_preview"), encode=True)
    camera.send_garbage(10)
    with opened(camera.url) as container:
        good = 0
        for packet in container.demux(video=0):
            try:
                good += len(packet.decode())
            except av.error.InvalidDataError:
                continue
            if good >= 20:
                break
    assert good >= 20


def test_half_speed_takes_twice_as_long(clip: Clip, rtsp_camera: StartCamera) -> None:
    camera = rtsp_camera(clip("people_preview"))
    camera.slow(0.5)
    begun = time.monotonic()
    frames(camera.url, 20)
    assert time.monotonic() - begun >= 19 / 12.5 * 2 - 0.5


def test_requests_are_answered_as_the_standard_says(people: CameraProcess) -> None:
    camera, url = people, people.url
    assert "Public: OPTIONS" in talk(camera, f"OPTIONS {url} RTSP/1.0\nCSeq: 7\n\n")
    assert "RTSP/1.0 404" in talk(camera, f"DESCRIBE {url}x RTSP/1.0\nCSeq: 1\n\n")
    assert "RTSP/1.0 501" in talk(camera, f"RECORD {url} RTSP/1.0\nCSeq: 1\n\n")
    assert "RTSP/1.0 454" in talk(camera, f"PLAY {url} RTSP/1.0\nCSeq: 1\nSession: none\n\n")
    udp = "Transport: RTP/AVP;unicast;client_port=5000-5001"
    assert "RTSP/1.0 461" in talk(camera, f"SETUP {url}/trackID=0 RTSP/1.0\nCSeq: 1\n{udp}\n\n")
    described = talk(camera, f"DESCRIBE {url} RTSP/1.0\nCSeq: 9\nAccept: application/sdp\n\n")
    assert "CSeq: 9" in described
    assert "sprop-parameter-sets=" in described


@pytest.mark.parametrize(
    "rubbish",
    [
        "GET / HTTP/1.1\n\n",
        "\x00\x01\x02\n\n",
        "OPTIONS\n\n",
        f"OPTIONS x RTSP/1.0\nA: {'b' * 40_000}\n\n",
        "OPTIONS x RTSP/1.0\nContent-Length: -1\n\n",
        "OPTIONS x RTSP/1.0\nContent-Length: 99999999\n\n",
        "OPTIONS x RTSP/1.0\nContent-Length: \u0663\n\n",
    ],
)
def test_rubbish_closes_that_connection_alone(people: CameraProcess, rubbish: str) -> None:
    assert "200 OK" not in talk(people, rubbish)
    assert frames(people.url, 1)


def test_keep_alive_is_answered_while_it_plays(people: CameraProcess) -> None:
    camera = people
    with socket.create_connection(("127.0.0.1", camera.port), timeout=5.0) as connection:
        stream = connection.makefile("rwb")

        def ask(text: str) -> list[bytes]:
            stream.write(text.replace("\n", "\r\n").encode())
            stream.flush()
            while (first := stream.read(1)) == b"$":
                head = stream.read(3)
                stream.read(int.from_bytes(head[1:], "big"))
            lines = [first + stream.readline()]
            while (line := stream.readline()) != b"\r\n":
                lines.append(line)
            return lines

        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=4-5"
        answer = ask(f"SETUP {camera.url}/trackID=0 RTSP/1.0\nCSeq: 1\n{transport}\n\n")
        assert any(b"interleaved=4-5" in line for line in answer)
        session = next(line for line in answer if line.startswith(b"Session")).decode().split()[1].split(";")[0]
        assert b"200" in ask(f"PLAY {camera.url} RTSP/1.0\nCSeq: 2\nSession: {session}\n\n")[0]
        assert b"200" in ask(f"GET_PARAMETER {camera.url} RTSP/1.0\nCSeq: 3\nSession: {session}\n\n")[0]
        assert b"200" in ask(f"TEARDOWN {camera.url} RTSP/1.0\nCSeq: 4\nSession: {session}\n\n")[0]
        stream.close()


def test_what_is_no_video_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(MediaUnusable):
        CameraProcess(tmp_path / "clip.mp4", log=tmp_path / "log").start()
    assert "clip.mp4" in (tmp_path / "log").read_text()

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from edge.errors import MediaUnusable, SourceLost
from edge.flow import Frame
from edge.perception.pipeline import CameraPipeline
from edge.settings import CameraSettings
from edge.video import ArrayPicture, Video, is_live, with_credentials
from tests.fakes.footage import number_of, picture, write_clip
from tests.fakes.scenes import at


def test_every_frame_of_a_file_comes_once_in_order(tmp_path: Path) -> None:
    with Video(write_clip(tmp_path / "a.mp4", frames=20, rate=10)) as video:
        decoded = list(video.frames())
        assert video.duration_s == pytest.approx(2.0)
        assert video.frame_period_s == pytest.approx(0.1)
    assert [number_of(each.picture.image) for each in decoded] == list(range(20))
    times = np.array([each.pts_s for each in decoded], dtype=np.float64)
    assert np.allclose(np.diff(times), 0.1)


@pytest.mark.parametrize(("width", "height"), [(160, 96), (150, 90), (98, 54)])
def test_brightness_is_that_of_the_colours(tmp_path: Path, width: int, height: int) -> None:
    with Video(write_clip(tmp_path / "a.mp4", frames=3, width=width, height=height)) as video:
        first = next(iter(video.frames())).picture
        assert first.image.shape == (height, width, 3)
        assert first.luma.shape == (height, width)
        full_range = (first.luma.astype(np.float64) - 16) * 255 / 219
        assert np.allclose(full_range, ArrayPicture(first.image).luma, atol=4)


def test_pictures_can_not_be_painted_on_by_those_who_share_them(tmp_path: Path) -> None:
    with Video(write_clip(tmp_path / "a.mp4", frames=2)) as video:
        first = next(iter(video.frames())).picture
        with pytest.raises(ValueError, match="read-only"):
            first.image[:] = 0


def test_colours_are_made_once(tmp_path: Path) -> None:
    with Video(write_clip(tmp_path / "a.mp4", frames=2)) as video:
        first = next(iter(video.frames())).picture
        assert first.image is first.image


@pytest.mark.parametrize("content", [b"", b"no video at all", bytes(range(256)) * 40])
def test_what_is_no_video_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaUnusable):
        Video(path)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaUnusable, match="No such file"):
        Video(tmp_path / "none.mp4")


def test_a_file_that_breaks_off_gives_what_is_there(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4", frames=60)
    content = bytearray(whole.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = b"\xff" * 200
    damaged = tmp_path / "b.mp4"
    damaged.write_bytes(content)
    with Video(damaged) as video:
        assert sum(1 for _ in video.frames()) > 0


def test_a_library_that_loses_count_of_the_streams_ends_the_film(tmp_path: Path) -> None:
    """As PyAV does where streams turn up that a damaged file's head does not name (`tests.benches.damage --seed 7`)."""

    def losing_count(turn: int) -> Any:
        raise IndexError(turn)

    with Video(write_clip(tmp_path / "a.mp4", frames=2)) as video:
        assert video._next(map(losing_count, [1])) is None


def test_a_stream_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    with path.open("wb") as joined:
        for width, height in ((160, 96), (320, 192)):
            part = tmp_path / f"{width}.h264"
            container = av.open(str(part), mode="w", format="h264")
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for index in range(5):
                frame = VideoFrame.from_ndarray(picture(index, width=width, height=height), format="bgr24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            container.close()
            joined.write(part.read_bytes())
    camera = CameraPipeline(CameraSettings(id="c", url=str(path)), None)
    with Video(path) as video:
        for index, decoded in enumerate(video.frames()):
            camera.analyse(Frame("c", index, at(index / 10), index / 10, decoded.picture))
            shape = decoded.picture.luma.shape
    assert camera.counters.frames == 10
    assert shape == (192, 320)


def test_a_camera_that_is_not_there_is_lost_and_not_unusable() -> None:
    with pytest.raises(SourceLost) as caught:
        Video("rtsp://someone:secret@127.0.0.1:9/live")
    assert "secret" not in str(caught.value)


def test_which_addresses_are_cameras() -> None:
    assert is_live("rtsp://camera/live")
    assert not is_live("file:///clips/a.mp4")
    assert not is_live("clips/a.mp4")


def test_credentials_are_quoted_and_replace_those_in_the_address() -> None:
    assert with_credentials("rtsp://camera:554/live", "me", "p@ss/:") == "rtsp://me:p%40ss%2F%3A@camera:554/live"
    assert with_credentials("rtsp://old:one@camera/live", "me", None) == "rtsp://me@camera/live"
    assert with_credentials("rtsp://camera/live", None, None) == "rtsp://camera/live"


def test_an_array_is_a_picture() -> None:
    image = picture(10)
    assert np.allclose(ArrayPicture(image).luma, image[..., 0], atol=1)

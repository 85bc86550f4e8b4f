import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import MediaUnusable
from edge.simulators.codec import Codec, kind_of, split
from edge.simulators.footage import Footage, load
from tests.fakes.footage import write_clip
from tests.fakes.hostile_footage import write_film

Clip = Callable[[str], Path]


def check(footage: Footage) -> None:
    """What holds for any footage."""
    samples = footage.samples
    assert samples[0].key
    assert samples[0].decode_s == 0.0
    assert min(sample.present_s for sample in samples) == 0.0
    assert sorted(sample.frame for sample in samples) == list(range(len(samples)))
    decode = [sample.decode_s for sample in samples]
    assert decode == sorted(decode)
    assert all(sample.nals for sample in samples)
    assert footage.duration_s == pytest.approx(len(samples) / footage.frame_rate)
    for sample in samples:
        assert sample.present_s == pytest.approx(sample.frame / footage.frame_rate, abs=1e-3)


def test_h264_goes_through_untouched(clip: Clip) -> None:
    footage = load(clip("car_detection"))
    check(footage)
    assert (footage.width, footage.height, footage.frame_rate, len(footage.samples)) == (768, 432, 12.5, 377)
    assert [kind_of(nal, footage.codec) for nal in footage.parameter_sets] == [7, 8]


def test_h265_is_encoded_from_anything_and_goes_through_untouched(tmp_path: Path) -> None:
    footage = load(write_clip(tmp_path / "clip.mp4"), codec=Codec.H265)
    check(footage)
    assert (footage.codec, footage.width, footage.height, len(footage.samples)) == (Codec.H265, 160, 96, 20)
    assert [kind_of(nal, footage.codec) for nal in footage.parameter_sets] == [32, 33, 34]
    film = write_film(tmp_path / "film.mp4", codec="libx265")
    untouched = load(film)
    assert (untouched.codec, len(untouched.samples)) == (Codec.H265, 10)
    assert load(film, codec=Codec.H264).codec is Codec.H264


def test_frames_that_wait_for_later_ones_keep_their_places(clip: Clip) -> None:
    footage = load(clip("one_by_one_person_detection"))
    check(footage)
    assert any(sample.frame != index for index, sample in enumerate(footage.samples))


def test_a_gif_becomes_h264_with_regular_key_frames(clip: Clip) -> None:
    footage = load(clip("people_preview"), least_s=5.0)
    check(footage)
    assert footage.duration_s == pytest.approx(5.0, abs=0.1)
    keys = [sample.present_s for sample in footage.samples if sample.key]
    assert all(later - earlier <= 2.1 for earlier, later in itertools.pairwise(keys))
    assert [sample.frame for sample in footage.samples] == list(range(len(footage.samples)))


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\x00" * 5_000])
def test_what_is_no_video_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with pytest.raises(MediaUnusable, match=r"clip\.mp4"):
        load(file)
    with pytest.raises(MediaUnusable, match="no file"):
        load(tmp_path / "missing.mp4")


@pytest.mark.parametrize(
    ("data", "length_size", "found"),
    [
        (b"\x00\x00\x00\x02ab\x00\x00\x00\x01c", 4, [b"ab", b"c"]),
        (b"\x02ab\x09c", 1, [b"ab"]),
        (b"\x00\x00\x01ab\x00\x00\x00\x01c", 0, [b"ab", b"c"]),
        (b"", 4, []),
        (b"rubbish", 0, []),
    ],
)
def test_units_are_split_by_lengths_and_by_start_codes(data: bytes, length_size: int, found: list[bytes]) -> None:
    assert list(split(data, length_size)) == found

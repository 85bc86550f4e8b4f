"""Clips that are broken or mean harm: decoded in a process of their own, for one that ends it has to be found."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.decoding_child import DecodingChild
from tests.fakes.hostile_footage import ENDINGS, bomb, gif_bomb, joined, write_film, write_sound, write_streams

LARGEST_GROWTH_MIB = 150
"""What all hostile clips together may cost on top of a harmless one; a single picture of 8192 × 8192 pixels costs 300."""

Made = Callable[[Path], Path]


@pytest.fixture(scope="module")
def child() -> Iterator[DecodingChild]:
    running = DecodingChild()
    yield running
    running.close()


class Films:
    """The same film in each kind of container."""

    def __init__(self, folder: Path) -> None:
        self._contents = {ending: write_film(folder / f"a.{ending}").read_bytes() for ending in ENDINGS}

    def __getitem__(self, ending: str) -> bytes:
        return self._contents[ending]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    return Films(tmp_path_factory.mktemp("films"))


def written(name: str, content: bytes) -> Made:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def two_codecs(folder: Path, second: str) -> Path:
    first = write_film(folder / "1.ts")
    return joined(folder / "both.ts", [first, write_film(folder / "2.ts", codec=second, width=320, height=192)])


def streams_half_way(folder: Path) -> Path:
    """A film in which twenty more streams turn up that its head does not name."""
    return joined(folder / "both.ts", [write_film(folder / "1.ts"), write_streams(folder / "2.ts", films=20)])


def bomb_within(folder: Path) -> Path:
    """A film like any other, whose sixth picture claims 8192 × 8192 pixels."""
    harmless = write_film(folder / "a.h264", frames=5)
    harmful = folder / "b.h264"
    harmful.write_bytes(bomb(8192, 8192))
    return joined(folder / "both.h264", [harmless, harmful])


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
DESCRIPTION = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 40000 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)

REFUSED: dict[str, tuple[Made, str]] = {
    "nothing": (written("a.mp4", b""), "not a video"),
    "no video": (written("a.mp4", b"<html>" * 1000), "not a video"),
    "zeros": (written("a.mp4", bytes(100_000)), "not a video"),
    "head alone": (written("a.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), "not a video"),
    "play-list": (written("a.m3u8", PLAYLIST), "not a video"),
    "list of files": (written("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"), "not a video"),
    "description of a stream": (written("a.mp4", DESCRIPTION), "not a video"),
    "sound alone": (lambda folder: write_sound(folder / "a.mp4"), "no video stream"),
    "sound and a cover": (lambda folder: write_sound(folder / "a.mp4", cover=True), "no video stream"),
    "8192 on both sides": (written("a.h264", bomb(8192, 8192)), "larger than 8192"),
    "a strip": (written("a.h264", bomb(65536, 32)), "larger than 8192"),
    "a small strip": (written("a.h264", bomb(4096, 16)), "too narrow"),
    "65535 on both sides": (written("a.gif", gif_bomb()), "reading stopped"),
    "half-way 8192 on both sides": (bomb_within, ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_meant_is_refused_in_words(tmp_path: Path, child: DecodingChild, name: str) -> None:
    make, words = REFUSED[name]
    found = child.decode(make(tmp_path))
    assert found["reason"] is not None
    assert words in found["reason"]
    assert str(tmp_path) not in found["reason"]
    assert found["pictures"] <= (5 if "half-way" in name else 0)


PLAYED: dict[str, tuple[Made, int]] = {
    "65536 on both sides": (written("a.h264", bomb(65536, 65536)), 0),
    "another codec half-way": (lambda folder: two_codecs(folder, "mpeg2video"), 10),
    "another size half-way": (lambda folder: two_codecs(folder, "libx264"), 20),
    "a thousand pictures a second": (lambda folder: write_film(folder / "a.mkv", rate=Fraction(1000)), 10),
    "a picture a day": (lambda folder: write_film(folder / "a.mp4", rate=Fraction(1, 86_400)), 10),
    "more streams half-way": (streams_half_way, 0),
    "thirty films": (lambda folder: write_streams(folder / "a.mkv", films=30), 1),
    "times that leap": (lambda folder: write_film(folder / "a.mkv", times=[0, 1, 2, *range(900_000, 900_007)]), 10),
    "times that go back": (lambda folder: joined(folder / "b.ts", [write_film(folder / "a.ts")] * 2), 20),
}


@pytest.mark.parametrize("name", PLAYED)
def test_what_can_be_decoded_of_a_strange_clip_is(tmp_path: Path, child: DecodingChild, name: str) -> None:
    make, least = PLAYED[name]
    assert child.decode(make(tmp_path))["pictures"] >= least


def test_a_change_of_size_is_counted(tmp_path: Path, child: DecodingChild) -> None:
    assert child.decode(two_codecs(tmp_path, "libx264"))["changes"] == 1


def test_all_of_it_costs_no_more_memory_than_a_film(tmp_path_factory: pytest.TempPathFactory, films: Films) -> None:
    folder = tmp_path_factory.mktemp("memory")
    fresh = DecodingChild()
    try:
        before_mib = fresh.decode(written("fine.mp4", films["mp4"])(folder))["most_mib"]
        for number, (make, _) in enumerate((*REFUSED.values(), *PLAYED.values())):
            place = folder / str(number)
            place.mkdir()
            after_mib = fresh.decode(make(place))["most_mib"]
        assert after_mib - before_mib < LARGEST_GROWTH_MIB
    finally:
        fresh.close()


def check(child: DecodingChild, folder: Path, ending: str, content: bytes) -> dict[str, Any]:
    path = folder / f"damaged.{ending}"
    path.write_bytes(content)
    found = child.decode(path)
    assert found["pictures"] <= 60
    return found


FUZZ = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)  # the same damage each time: a fault of a decoder is found by `tests/benches/damage.py`, not by chance in a build


@FUZZ
@given(ending=st.sampled_from(ENDINGS), share=st.floats(0, 1))
def test_a_clip_may_break_off_at_any_byte(
    tmp_path: Path, child: DecodingChild, films: Films, ending: str, share: float
) -> None:
    content = films[ending]
    check(child, tmp_path, ending, content[: int(share * len(content))])


@FUZZ
@given(
    ending=st.sampled_from(ENDINGS),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=40),
)
def test_a_clip_may_be_damaged_anywhere(
    tmp_path: Path, child: DecodingChild, films: Films, ending: str, damage: list[tuple[float, int]]
) -> None:
    content = bytearray(films[ending])
    for place, byte in damage:
        content[int(place * len(content))] = byte
    check(child, tmp_path, ending, bytes(content))


@FUZZ
@given(
    ending=st.sampled_from(ENDINGS),
    moves=st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=6),
)
def test_parts_of_a_clip_may_be_missing_doubled_and_in_another_order(
    tmp_path: Path,
    child: DecodingChild,
    films: Films,
    ending: str,
    moves: list[tuple[float, float, float]],
) -> None:
    content = films[ending]
    for first, second, target in moves:
        begin, end = sorted((int(first * len(content)), int(second * len(content))))
        place = int(target * len(content))
        content = (content[:place] + content[begin:end] + content[place:])[: 4 * len(films[ending])]
    check(child, tmp_path, ending, content)

from pathlib import Path

import pytest

from edge.benches.films import AS_A_CAMERA, CLIP, MADE, SCENES, Kind, beginnings, film_of, idle_film, stretch, stretches
from edge.errors import MediaUnusable
from edge.video import Video
from models import catalogue
from tests.fakes.footage import write_clip

SMALL = Kind(96, 64, 5, AS_A_CAMERA)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRIDWARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "own.mp4", frames=130)


def test_without_the_clip_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRIDWARD_ASSETS", str(tmp_path))
    monkeypatch.delenv("GRIDWARD_MIRROR", raising=False)
    for name in ("ALL_PROXY", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MediaUnusable, match=r"catalogue fetch (.|\n)*--idle --film FILE(.|\n)*--busy --film FILE"):
        film_of(None)


def test_a_film_of_ones_own_is_known_as_such_and_the_clip_by_its_content(own: Path, tmp_path: Path) -> None:
    assert film_of(own).own
    with pytest.raises(MediaUnusable, match=r"none\.mp4 can't be read"):
        film_of(tmp_path / "none.mp4")


def test_the_clip_is_the_clip_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDWARD_CACHE")
    file = catalogue.cached_path(catalogue.footage()[CLIP])
    if not file.exists():
        pytest.skip("the clip is not on this machine")
    (tmp_path / "copy.mp4").symlink_to(file)
    assert not film_of(tmp_path / "copy.mp4").own


def test_an_idle_film_has_its_size_and_rate_and_is_made_once(own: Path) -> None:
    said: list[str] = []
    path = idle_film(film_of(own), SMALL, said.append)
    with Video(path) as video:
        assert (video.format.width, video.format.height, video.frame_period_s) == (96, 64, 0.2)
        assert sum(1 for _ in video.frames()) == 100
    assert idle_film(film_of(own), SMALL, said.append) == path
    assert len(said) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_stretches_of_a_film_of_ones_own_divide_it(own: Path) -> None:
    film = film_of(own)
    assert beginnings(film, 4.0) == (0.0, 4.333, 8.667)
    with Video(stretch(film, 1, 4.0)) as video:
        assert sum(1 for _ in video.frames()) == 40
    with pytest.raises(MediaUnusable, match="lasts 13 s and 14 s are needed"):
        beginnings(film, 14.0)


def test_a_film_that_could_not_be_made_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "text.mp4"
    file.write_text("no film")
    with pytest.raises(MediaUnusable):
        idle_film(film_of(file), SMALL)
    assert list((cache / "benches").iterdir()) == []


def test_a_cache_that_can_not_be_written_says_so(own: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(MediaUnusable, match="set GRIDWARD_CACHE"):
        idle_film(film_of(own), SMALL)


def test_each_camera_can_have_a_scene_of_its_own_without_any_film(cache: Path) -> None:
    said: list[str] = []
    first, second = (stretch(MADE, number, 1.0, said.append) for number in range(2))
    assert stretches(MADE, 1.0) == SCENES > 2
    assert first.parent == cache / "benches"
    assert first.read_bytes() != second.read_bytes()
    with Video(first) as video:
        assert sum(1 for _ in video.frames()) == 10
    assert stretch(MADE, 1, 1.0, said.append) == second
    assert said == ["drawing scene 1, 1 s", "drawing scene 2, 1 s"]

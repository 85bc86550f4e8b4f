"""Views of several cameras, told bit by bit."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.view import MOST_FILES, MOST_VIEWS, CameraView, SightCount, joined

AT = datetime(2026, 3, 1, tzinfo=UTC)
HASHES = st.integers(0, 30).map(lambda number: f"{number:064x}")
VIEWS = st.builds(
    CameraView,
    camera=st.sampled_from([f"cam-{number}" for number in range(10)]),
    captured_at=st.none() | st.just(AT),
    counts=st.none() | st.just((SightCount(label="person", count=1),)),
    evidence=st.lists(HASHES, max_size=4, unique=True).map(tuple),
    absence=st.none() | st.just("camera_lost"),
)


@given(st.lists(VIEWS, max_size=30))
def test_a_camera_has_one_view_and_no_file_or_count_is_taken_back(told: list[CameraView]) -> None:
    views: tuple[CameraView, ...] = ()
    for view in told:
        before = {each.camera: each for each in views}
        views = joined(views, view)
        assert len({each.camera for each in views}) == len(views) <= MOST_VIEWS
        for each in views:
            assert len(each.evidence) <= MOST_FILES
            assert not (each.evidence and each.absence)
            if each.camera in before:
                earlier = before[each.camera]
                assert each.evidence[: len(earlier.evidence)] == earlier.evidence
                assert earlier.counts is None or each.counts == earlier.counts


def test_what_comes_after_the_word_that_there_is_none_takes_its_place() -> None:
    lost = CameraView(camera="cam-1", absence="camera_lost")
    film = CameraView(camera="cam-1", evidence=("ab" * 32,))
    assert joined((lost,), film) == (film,)
    assert joined((film,), lost) == (film,)

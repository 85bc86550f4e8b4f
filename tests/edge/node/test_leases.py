"""Leases on the pictures of cameras, whatever is asked, renewed, ended and made, in any order."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.contract.wall import LONGEST_LEASE_S, SHORTEST_PERIOD_S
from edge.node.leases import LeaseBook

PLACES = 2
CAMERAS = st.sampled_from("abcd")
SECONDS = st.floats(0.0, 200.0, allow_nan=False)


class Leases(RuleBasedStateMachine):
    """A book beside what may be at most: until when each camera was ever promised to be shown, and when it was."""

    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook(PLACES)
        self.now_s = 0.0
        self.until_s: dict[str, float] = {}
        self.made_s: dict[str, float] = {}

    @rule(seconds=st.floats(0.0, 90.0))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(camera=CAMERAS, lease_s=SECONDS, period_s=st.floats(-5.0, 200.0))
    def somebody_asks(self, camera: str, lease_s: float, period_s: float) -> None:
        standing = self.book.standing(self.now_s)
        granted = self.book.grant(camera, lease_s=lease_s, period_s=period_s, now_s=self.now_s)
        assert granted == (camera in standing or len(standing) < PLACES)
        if granted:
            self.until_s[camera] = max(self.until_s.get(camera, 0.0), self.now_s + min(lease_s, LONGEST_LEASE_S))

    @rule(camera=CAMERAS, left_s=SECONDS)
    def the_cloud_says_how_long(self, camera: str, left_s: float) -> None:
        stood = camera in self.book.standing(self.now_s)
        self.book.renew(camera, left_s, self.now_s)
        assert stood or camera not in self.book.standing(self.now_s)
        if stood:
            self.until_s[camera] = self.now_s + min(left_s, LONGEST_LEASE_S)

    @rule(camera=CAMERAS)
    def nobody_looks(self, camera: str) -> None:
        self.book.end(camera)
        self.until_s.pop(camera, None)
        assert not self.book.is_due(camera, self.now_s)

    @rule(camera=CAMERAS)
    def a_frame_comes(self, camera: str) -> None:
        if not self.book.is_due(camera, self.now_s):
            return
        assert self.now_s < self.until_s[camera]
        assert self.now_s - self.made_s.get(camera, -1e9) >= SHORTEST_PERIOD_S - 1e-6
        self.book.made(camera, self.now_s)
        self.made_s[camera] = self.now_s
        assert not self.book.is_due(camera, self.now_s)

    @rule(cameras=st.frozensets(CAMERAS))
    def the_configuration_changes(self, cameras: frozenset[str]) -> None:
        self.book.keep_only(cameras)
        assert set(self.book.standing(self.now_s)) <= cameras
        for known in (self.until_s, self.made_s):
            for camera in known.keys() - cameras:
                del known[camera]

    @invariant()
    def never_more_than_there_are_places_and_none_for_ever(self) -> None:
        standing = self.book.standing(self.now_s)
        assert len(standing) <= PLACES
        for camera in standing:
            assert self.now_s < self.until_s[camera] <= self.now_s + LONGEST_LEASE_S
        assert self.book.standing(self.now_s + LONGEST_LEASE_S + 1e-3) == ()


Leases.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLeases = Leases.TestCase


@given(times=st.lists(st.floats(0.01, 3.0), min_size=1, max_size=60))
def test_what_is_passed_over_counts_once_for_each_period(times: list[float]) -> None:
    book = LeaseBook(1)
    book.grant("a", lease_s=60.0, period_s=2.0, now_s=0.0)
    now_s, counted = 0.0, 0
    for step_s in times:
        now_s += step_s
        counted += book.passed_over("a", now_s)
    assert counted <= now_s / 2.0
    assert counted >= (now_s - 2.0) / 5.0 - 1


def test_a_second_viewer_with_a_shorter_lease_takes_nothing_from_the_first() -> None:
    book = LeaseBook(1)
    book.grant("a", lease_s=60.0, period_s=2.0, now_s=0.0)
    book.grant("a", lease_s=1.0, period_s=2.0, now_s=1.0)
    assert book.standing(50.0) == ("a",)

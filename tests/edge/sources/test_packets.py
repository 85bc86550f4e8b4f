"""The ring of encoded packets."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from edge.flow import Encoded, Packet, StreamFormat
from edge.sources.packets import PacketRing
from tests.fakes.scenes import at

FORMAT = StreamFormat("h264", None, 768, 432, Fraction(1, 90_000))


def packet(number: int, *, key: bool, size_bytes: int = 100, rate: float = 10.0) -> Packet:
    encoded = Encoded(bytes(size_bytes), number, number, 1, key, number / rate)
    return Packet(encoded, at(number / rate), number / rate)


def filled(keys: list[bool], **limits: float) -> PacketRing:
    ring = PacketRing(**limits)  # type: ignore[arg-type]
    ring.begin(FORMAT)
    for number, key in enumerate(keys):
        ring.add(packet(number, key=key))
    return ring


def test_what_comes_before_the_first_key_frame_is_not_kept() -> None:
    ring = filled([False, False, True, False])
    assert [each.encoded.pts for each in ring.since(at(0))] == [2, 3]


def test_it_begins_with_the_key_frame_before_the_moment() -> None:
    ring = filled([number % 10 == 0 for number in range(40)])
    assert [each.encoded.pts for each in ring.since(at(1.95))] == list(range(10, 40))
    assert ring.since(at(2.0))[0].encoded.pts == 20
    assert ring.since(at(-5))[0].encoded.pts == 0
    assert ring.clip(at(99)) == (FORMAT, ring.since(at(3)))


def test_a_new_connection_begins_with_nothing() -> None:
    ring = filled([True] * 5)
    ring.begin(FORMAT)
    assert ring.since(at(0)) == []
    assert ring.size_bytes == ring.seconds == 0


def test_a_group_that_is_larger_than_all_the_room_is_let_go() -> None:
    ring = filled([True] + [False] * 50, largest_bytes=10_000)
    assert ring.since(at(0)) == []
    ring.add(packet(60, key=True))
    assert len(ring.since(at(0))) == 1


@given(
    keys=st.lists(st.booleans(), max_size=200),
    longest_s=st.floats(0.1, 8.0),
    largest_bytes=st.integers(700, 60_000),
)
def test_it_is_bounded_and_holds_whole_groups_without_a_gap(
    keys: list[bool], longest_s: float, largest_bytes: int
) -> None:
    ring = PacketRing(longest_s=longest_s, largest_bytes=largest_bytes)
    ring.begin(FORMAT)
    for number, key in enumerate(keys):
        ring.add(packet(number, key=key))
        kept = ring.since(at(-1))
        assert ring.size_bytes == sum(len(each.encoded.data) + 500 for each in kept) <= largest_bytes
        if not kept:
            continue
        assert kept[0].encoded.key
        assert [each.encoded.pts for each in kept] == list(range(number + 1 - len(kept), number + 1))
        later = [each for each in kept[1:] if each.encoded.key]
        if later:  # without its oldest group it would hold less than it should
            assert (kept[-1].captured_at - later[0].captured_at).total_seconds() < longest_s

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.fleet import grants
from cloud.fleet.grants import (
    Access,
    Grant,
    covers,
    hash_password,
    node_grants,
    password_fits,
    reaches_root,
    read_users,
    user,
)

LEVELS = st.sampled_from(["a", "b", "", "+"])
FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, *(["#"] if rest else [])]),
    st.lists(LEVELS, min_size=1, max_size=4),
    st.booleans(),
)
TOPICS = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5).map("/".join)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 3.1.1 §4.7, written down naively."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    while wanted and wanted[0] != "#":
        if not levels or wanted[0] not in {"+", levels[0]}:
            return False
        wanted, levels = wanted[1:], levels[1:]
    return bool(wanted) or not levels


@given(FILTERS, FILTERS, TOPICS)
def test_a_covered_filter_matches_nothing_outside(granted: str, asked: str, topic: str) -> None:
    if covers(granted, asked) and matches(asked, topic):
        assert matches(granted, topic)


@given(FILTERS, TOPICS)
def test_a_topic_is_covered_when_it_is_matched(granted: str, topic: str) -> None:
    assert covers(granted, topic) == matches(granted, topic)


ROOTED = st.lists(st.sampled_from(["gw", "1", "a", "", "+"]), min_size=1, max_size=4).map("/".join)


@given(ROOTED, st.booleans(), st.sampled_from(["", "$share/group/", "$queue/", "$exclusive/", "$delayed/5/"]), TOPICS)
def test_whatever_could_match_below_the_root_reaches_it(asked: str, rest: bool, carrier: str, topic: str) -> None:
    wanted = f"{asked}/#" if rest else asked
    reaches = reaches_root(carrier + wanted)
    if matches(wanted, f"gw/{topic}") or matches(wanted, "gw"):
        assert reaches
    assert reaches == (asked.split("/", maxsplit=1)[0] in {"gw", "+"})


@pytest.mark.parametrize(
    ("asked", "reaches"), [("#", True), ("$SYS/#", False), ("$share/gw/x", False), ("x/gw/1", False)]
)
def test_what_reaches_the_root(asked: str, reaches: bool) -> None:
    assert reaches_root(asked) is reaches


@pytest.mark.parametrize("asked", ["#", "gw/#", "gw/1/+/+/up/telemetry", "gw/1/110105/other/down/ack", "$SYS/#"])
def test_a_node_may_not_listen_to_others(asked: str) -> None:
    node = user("gate-1", "secret", node_grants("110105", "gate-1"))
    assert not node.may(Access.READ, asked)


def test_a_node_has_each_of_its_topics_in_one_direction() -> None:
    node = user("gate-1", "secret", node_grants("110105", "gate-1"))
    own = "gw/1/110105/gate-1"
    assert node.may(Access.WRITE, f"{own}/up/telemetry")
    assert node.may(Access.WRITE, f"{own}/up/answer")
    assert node.may(Access.WRITE, f"{own}/status")
    assert node.may(Access.READ, f"{own}/down/#")
    assert not node.may(Access.WRITE, f"{own}/down/ack")
    assert not node.may(Access.WRITE, f"{own}/down/command")
    assert not node.may(Access.WRITE, "gw/1/110105/gate-2/up/answer")
    assert not node.may(Access.READ, f"{own}/up/telemetry")


@given(st.text(max_size=40))
def test_the_password_fits_and_another_does_not(password: str) -> None:
    hashed = hash_password(password, iterations=2)
    assert password_fits(password, hashed)
    assert not password_fits(password + "x", hashed)


@pytest.mark.parametrize("damaged", ["", "plain", "$7$x$AA$AA", "$6$1$AAAA$AAAA", "$7$1$&$AA"])
def test_a_damaged_hash_lets_nobody_in(damaged: str) -> None:
    assert not password_fits("", damaged)


def test_both_files_read_back() -> None:
    users = [
        user("cloud", "one", grants.CLOUD_GRANTS),
        user("node", "two", (Grant(Access.READ, "a b/#"),)),
        user("bare", "three", ()),
    ]
    read = read_users(grants.password_file(users), grants.grant_file(users))
    assert list(read.values()) == users


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\nuser root", "gw/#", "x" * 101])
def test_names_that_would_break_the_files_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        user(name, "secret", ())


def test_a_filter_that_would_break_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="filter"):
        user("node", "secret", (Grant(Access.READ, "a\ntopic readwrite #"),))

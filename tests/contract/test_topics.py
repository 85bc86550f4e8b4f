"""Topics are built and read in one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.errors import UnknownTopic
from edge.contract.topics import Channel, Topic, for_all_nodes, parse

NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True)


@given(st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii), NAMES, st.sampled_from(list(Channel)))
def test_what_is_built_is_read_back(district: str, node: str, channel: Channel) -> None:
    topic = Topic(district, node, channel)
    assert parse(str(topic)) == topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "gw/1/110105/a",
        "gw/2/110105/a/up/birth",
        "gw/1/11010/a/up/birth",
        "gw/1/110105/+/up/birth",
        "gw/1/110105/a/up/#",
        "gw/1/110105/a/up/birth/",
        "gw/1/110105/a/up/birth\n",
        "gw/1/110105/A/up/birth",
        "gw/1/110105/-a/up/birth",
        "gw/1/110105/a/up/secrets",
        "x" * 70_000,
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(UnknownTopic):
        parse(topic)


def test_the_cloud_subscribes_to_one_channel_of_every_node() -> None:
    assert for_all_nodes(Channel.INCIDENT) == "gw/1/+/+/up/incident"

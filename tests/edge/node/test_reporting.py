from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.health import KNOCKS_TOLD, NODE_POINTS, Level, readings_of
from edge.node.figures import knocks_of
from edge.node.reporting import EVERY_S, SPACING_S, WHILE_BUSY_S, ReportPace, news_of
from tests.contract.samples import HEALTH


def test_a_first_report_goes_at_once_and_then_now_and_then() -> None:
    pace = ReportPace()
    assert pace.is_due(0.0, "calm", busy=False)
    pace.told(0.0, "calm")
    assert not pace.is_due(EVERY_S - 1, "calm", busy=False)
    assert pace.is_due(EVERY_S, "calm", busy=False)
    assert pace.is_due(WHILE_BUSY_S, "calm", busy=True)


def test_news_go_at_once_but_not_one_by_one() -> None:
    pace = ReportPace()
    pace.told(0.0, "calm")
    assert not pace.is_due(SPACING_S - 1, "full", busy=False)
    assert pace.is_due(SPACING_S, "full", busy=False)


def test_what_could_not_be_sent_stays_due() -> None:
    pace = ReportPace()
    pace.told(0.0, "calm")
    assert all(pace.is_due(at_s, "full", busy=True) for at_s in (10.0, 12.0, 3_000.0))


@given(st.lists(st.tuples(st.floats(0.1, 10.0), st.integers(0, 5)), max_size=200))
def test_however_the_news_come_the_rate_is_bounded(steps: list[tuple[float, int]]) -> None:
    pace, now_s, sent_s = ReportPace(), 0.0, list[float]()
    for step_s, news in steps:
        now_s += step_s
        if pace.is_due(now_s, news, busy=True):
            pace.told(now_s, news)
            sent_s.append(now_s)
    assert all(later - earlier >= SPACING_S for earlier, later in pairwise(sent_s))


def test_growing_counts_are_no_news_and_a_changed_level_is() -> None:
    backlog = msgspec.structs.replace(HEALTH.backlog, readings=9, used_bytes=1, share=0.6)
    assert news_of(msgspec.structs.replace(HEALTH, backlog=backlog, dropped_total=99)) == news_of(HEALTH)
    worse = msgspec.structs.replace(HEALTH.backlog, level=Level.CRITICAL)
    assert news_of(msgspec.structs.replace(HEALTH, backlog=worse)) != news_of(HEALTH)
    assert news_of(msgspec.structs.replace(HEALTH, rejected_incidents=2)) != news_of(HEALTH)


def test_every_declared_point_of_the_node_has_a_value() -> None:
    values = readings_of(HEALTH)
    assert values.keys() == {point.name for point in NODE_POINTS}
    assert values["outbox_percent"] == 62.5
    stepped_back = datetime(1970, 1, 2, tzinfo=UTC)
    backlog = msgspec.structs.replace(HEALTH.backlog, oldest_at=HEALTH.at.replace(minute=1))
    assert readings_of(msgspec.structs.replace(HEALTH, backlog=backlog))["oldest_waiting_s"] == 120.0
    assert readings_of(msgspec.structs.replace(HEALTH, at=stepped_back))["oldest_waiting_s"] == 0.0


def test_who_calls_and_is_not_configured_is_told_the_most_frequent_first_and_not_all() -> None:
    tallies: dict[str, dict[str, Any]] = {
        "ocpp": {"knocked": {f"CP-{number:03}": number for number in range(100)}, "refused": {}},
        "ykc": {"knocked": {"32010600213533": 500}},
        "mqtt": {"refused": {}},
    }
    told = knocks_of(tallies)
    assert len(told) == KNOCKS_TOLD
    assert (told[0].protocol, told[0].name, told[0].count) == ("ykc", "32010600213533", 500)
    assert told[1].name == "CP-099"
    assert all(each.count > 0 for each in told)

"""A whole node and two YKC piles by another hand (`tests/fakes/ykc_client.py`): both get too hot, one obeys, the other ignores the order."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge.contract.incident import Incident, IncidentKind, Severity
from edge.node.assembly import Node
from edge.settings import NodeConfiguration
from edge.sources.ykc.source import YkcSource
from tests.edge.waiting import wait_until
from tests.fakes.ykc_client import STOP, YkcPile

pytestmark = pytest.mark.system

OBEDIENT, DEAF = "55031412782305", "55031412782306"


def pile(name: str, number: str, confirm_s: float) -> dict[str, Any]:
    hot = {"kind": "threshold", "point": "temperature_c", "above": 80, "clear": 70, "severity": "critical"}
    rule = {**hot, "act": "stop_charge", "confirm_s": confirm_s}
    return {"id": name, "number": number, "guns": 2, "allow_stop": True, "rules": [rule]}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    configuration = NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": str(tmp_path / "data")},
            "cloud": {"mqtt": "mqtt://127.0.0.1:1", "https": "http://127.0.0.1:1"},
            "ykc": {
                "host": "127.0.0.1",
                "port": 0,
                "piles": [pile("obedient", OBEDIENT, 60), pile("deaf", DEAF, 1)],
            },
        }
    )
    made = Node(configuration, on_fatal=pytest.fail)
    made.start()
    yield made
    made.stop()


def going_on(node: Node, device: str) -> dict[str, Incident]:
    return {each.kind: each for each in node.book.ongoing() if each.device == device}


def test_a_stop_is_confirmed_by_the_meter_or_is_an_incident_of_its_own(node: Node) -> None:
    source = node.reading_sources["ykc"]
    assert isinstance(source, YkcSource)
    wait_until(lambda: source.port, "the port")
    assert source.port is not None
    address = "127.0.0.1", source.port
    with ExitStack() as stack:
        obedient = stack.enter_context(YkcPile(address, OBEDIENT)).begin()
        deaf = stack.enter_context(YkcPile(address, DEAF, stops=False)).begin()
        for each in (obedient, deaf):
            each.guns_now[2].charge(each.transaction(2, node.clock()), cable_c=95)
            each.real_time(2)
        for each, number in ((obedient, OBEDIENT), (deaf, DEAF)):
            order = each.expect(STOP)
            assert order.body == bytes.fromhex(number) + b"\x02"
        wait_until(
            lambda: any("meter says zero" in (each.note or "") for each in going_on(node, "obedient").values()),
            "that the meter of the obedient one confirms it",
        )
        wait_until(lambda: IncidentKind.STOP_UNCONFIRMED in going_on(node, "deaf"), "that the deaf one goes on")
        worse = going_on(node, "deaf")[IncidentKind.STOP_UNCONFIRMED]
        assert worse.severity is Severity.CRITICAL
        assert IncidentKind.STOP_UNCONFIRMED not in going_on(node, "obedient")
        assert set(going_on(node, "deaf")) == {"threshold", IncidentKind.STOP_UNCONFIRMED}
        deaf.guns_now[2].idle()
        deaf.real_time(2)
        wait_until(lambda: IncidentKind.STOP_UNCONFIRMED not in going_on(node, "deaf"), "that it has ended at last")

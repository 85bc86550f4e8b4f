"""Piles that log in to a whole node: what they say becomes incidents, charges are stopped, and a reload touches only what changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.contract.incident import Incident, IncidentKind, Severity
from edge.flow import DeviceAction
from edge.node.assembly import Node
from edge.settings import NodeConfiguration
from edge.sources.registry import device_control
from edge.sources.ykc import answers, messages
from edge.sources.ykc.source import YkcSource
from tests.edge.sources.ykc.running import OTHER, Pile
from tests.edge.sources.ykc.saying import NUMBER, data
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system

NINTH = "9" * 14
HOT: dict[str, Any] = {
    "kind": "threshold",
    "id": "hot",
    "point": "temperature_c",
    "above": 80,
    "clear": 70,
    "severity": "critical",
    "act": "stop_charge",
    "confirm_s": 60,
}


def pile(name: str, number: str, **changed: Any) -> dict[str, Any]:
    return {"id": name, "number": number, "guns": 1, "allow_stop": True, "rules": [HOT], **changed}


def configuration(folder: Path, *piles: dict[str, Any], **changed: Any) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": str(folder)},
            "cloud": {"mqtt": "mqtt://127.0.0.1:1", "https": "http://127.0.0.1:1"},
            "ykc": {"host": "127.0.0.1", "port": 0, "piles": list(piles), **changed},
        }
    )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    hasty = pile("ykc-9", NINTH, rules=[HOT | {"confirm_s": 1}])
    made = Node(configuration(tmp_path / "data", pile("ykc-1", NUMBER), hasty), on_fatal=pytest.fail)
    made.start()
    yield made
    made.stop()


def port_of(node: Node) -> int:
    source = node.reading_sources["ykc"]
    assert isinstance(source, YkcSource)
    wait_until(lambda: source.port is not None, "the port")
    assert source.port is not None
    return source.port


def going_on(node: Node) -> list[Incident]:
    return list(node.book.ongoing())


def test_a_hot_charge_is_stopped_and_the_meter_confirms_it(node: Node) -> None:
    with Pile(port_of(node)) as made:
        made.log_in().say(data(charging=True))
        made.say(data(charging=True, cable_temperature_raw=135))
        assert made.hear(answers.StopOrder) == answers.StopOrder(NUMBER, 1)
        made.say(messages.StopAnswer(NUMBER, 1, 1, 0))
        assert made.hear(answers.DataRequest) == answers.DataRequest(NUMBER, 1)
        made.say(data(cable_temperature_raw=130))
        wait_until(
            lambda: any("meter says zero" in (each.note or "") for each in going_on(node)), "that it is confirmed"
        )
        (incident,) = going_on(node)
        assert (incident.device, incident.point, incident.severity) == ("ykc-1", "temperature_c.1", Severity.CRITICAL)
        made.say(data(cable_temperature_raw=80))
        wait_until(lambda: going_on(node) == [], "that it has cooled down")


def test_the_next_customer_at_a_gun_that_measures_nothing_while_idle_charges(node: Node) -> None:
    with Pile(port_of(node)) as made:
        made.log_in().say(data(charging=True, cable_temperature_raw=135))
        made.hear(answers.StopOrder)
        made.say(messages.StopAnswer(NUMBER, 1, 1, 0), data())
        wait_until(
            lambda: any("meter says zero" in (each.note or "") for each in going_on(node)), "that it is confirmed"
        )
        made.say(data(charging=True, cable_temperature_raw=75, transaction="1" * 32))
        wait_until(lambda: going_on(node) == [], "that it has cooled down")
        made.say(data(charging=True, cable_temperature_raw=76, transaction="1" * 32), messages.Heartbeat(NUMBER, 1, 0))
        made.hear(answers.HeartbeatAnswer)
        assert node.protection.orders == 1
        assert going_on(node) == []


def test_a_pile_that_ignores_the_order_is_worse_and_that_is_told_once(node: Node) -> None:
    with Pile(port_of(node), NINTH) as made:
        made.log_in().say(data(charging=True, cable_temperature_raw=135))
        made.hear(answers.StopOrder)
        wait_until(
            lambda: IncidentKind.STOP_UNCONFIRMED in [each.kind for each in going_on(node)],
            "that nothing came of it",
            timeout_s=60,
        )
        made.say(data(charging=True, cable_temperature_raw=136))
        assert sorted(str(each.kind) for each in going_on(node)) == ["stop_unconfirmed", "threshold"]
        made.say(data(cable_temperature_raw=100))
        wait_until(lambda: going_on(node) == [], "that the current is zero and the gun cool")


def test_a_reload_touches_only_what_changed(node: Node, tmp_path: Path) -> None:
    port, first = port_of(node), pile("ykc-1", NUMBER)
    with Pile(port) as one:
        one.log_in()
        wait_until(lambda: "ykc-1" in source_of(node).callers.by_device, "the login")
        node.adopt(configuration(tmp_path / "data", first, pile("ykc-2", OTHER)))
        with Pile(port, OTHER) as two:
            two.log_in()
            one.say(messages.Heartbeat(NUMBER, 1, 0))
            one.hear(answers.HeartbeatAnswer)
            assert [each.id for each in node.birth().devices] == ["station-01", "ykc-1", "ykc-2"]
            node.adopt(configuration(tmp_path / "data", pile("ykc-2", OTHER)))
            assert one.is_hung_up_on()
            two.say(messages.Heartbeat(OTHER, 1, 0))
            two.hear(answers.HeartbeatAnswer)
            assert device_control(node.reading_sources, "ykc-1") is None
            control = device_control(node.reading_sources, "ykc-2")
            assert control is not None
            assert DeviceAction.STOP_CHARGE in control.actions("ykc-2")
            node.adopt(configuration(tmp_path / "data"))
            assert two.is_hung_up_on()
    assert node.reading_sources == {}


def source_of(node: Node) -> YkcSource:
    source = node.reading_sources["ykc"]
    assert isinstance(source, YkcSource)
    return source

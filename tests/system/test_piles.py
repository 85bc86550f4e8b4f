"""Real stations of OCPP 1.6J on a whole node: each incident right, once, and nothing of history rings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from ocpp.v16 import call

from cloud.embedded.broker import EmbeddedBroker
from cloud.main import Part
from cloud.main import running as running_cloud
from cloud.settings import CloudSettings
from edge.contract.envelope import Envelope
from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity
from edge.contract.telemetry import TelemetryBatch
from edge.node.assembly import Node
from edge.rules.history import History
from edge.settings import NodeConfiguration
from edge.sources.ocpp.source import OcppSource
from tests.brokers import ReadyBroker
from tests.fakes.answering_cloud import AnsweringCloud
from tests.fakes.ocpp_client import Station, stamp, stations
from tests.system.test_commands import DISTRICT, NODE, enrolled
from tests.waiting import wait_until

pytestmark = pytest.mark.system
PATIENT_S = 40.0

HOT = {"kind": "threshold", "id": "hot", "point": "temperature_c", "above": 80, "clear": 70, "severity": "critical"}
STOPPING = {**HOT, "act": "stop_charge", "confirm_s": 2}


class Running:
    """A node with one pile, a cloud that takes all it sends, and stations that call."""

    def __init__(self, directory: Path, broker: EmbeddedBroker, stack: ExitStack, settle_s: float, **pile: Any) -> None:
        self.cloud = AnsweringCloud(broker.port)
        stack.callback(self.cloud.close)
        self.node = Node(
            NodeConfiguration.model_validate(
                {
                    "node": {"id": "station-01", "district": "110105", "data_directory": directory / "data"},
                    "cloud": {"mqtt": broker.url, "https": "http://127.0.0.1:1"},
                    "ocpp": {
                        "host": "127.0.0.1",
                        "port": 0,
                        "security_profile": 0,
                        "piles": [{"id": "pile-1", "spot": "shed", **pile}],
                    },
                }
            ),
            on_fatal=pytest.fail,
        )
        self.node.desk._history = History(self.node.clock, settle_s=settle_s)
        self.node.start()
        stack.callback(self.node.stop)
        source = self.node.reading_sources["ocpp"]
        assert isinstance(source, OcppSource)
        wait_until(lambda: source.port is not None, what="the listener")
        self._call = stack.enter_context(stations())
        self._url = f"ws://127.0.0.1:{source.port}/ocpp"

    def station(self) -> Station:
        """The pile calls, and says what it is."""
        station: Station = self._call(self._url, "pile-1")
        station.boot()
        station.status("Available", at=datetime.now(UTC))
        return station

    def told(self) -> list[Envelope[Incident]]:
        """The messages with incidents, the newest revision of each last."""
        return [envelope for envelope in list(self.cloud.sent) if isinstance(envelope.body, Incident)]

    def incidents(self, *kinds: str) -> dict[str, Incident]:
        """The newest revision of each, by id."""
        found: dict[str, Incident] = {}
        for envelope in self.told():
            known = found.get(str(envelope.body.incident_id))
            if envelope.body.kind in kinds and (known is None or known.revision < envelope.body.revision):
                found[str(envelope.body.incident_id)] = envelope.body
        return found

    def await_(self, condition: Callable[[], object], what: str) -> None:
        """Rules, protection and what they remember are looked at all the while, as the housekeeping does more seldom."""

        def look() -> object:
            self.node.desk.tick()
            self.node.book.tick()
            self.node.protection.tick()
            return condition()

        wait_until(look, timeout_s=PATIENT_S, what=what)


@pytest.fixture
def running(tmp_path: Path, open_broker: EmbeddedBroker) -> Iterator[Callable[..., Running]]:
    with ExitStack() as stack:
        yield lambda settle_s=0.5, **pile: Running(tmp_path, open_broker, stack, settle_s, **pile)


def test_a_vendors_error_code_is_one_incident_with_its_code(running: Callable[..., Running]) -> None:
    site = running(vendor_codes={"0x17": "over_temperature"}, rules=[{"kind": "device_fault"}])
    station = site.station()
    for _ in range(3):
        station.status("Faulted", "GunOverheatX", vendor_error_code="0x17", at=datetime.now(UTC))
    site.await_(lambda: site.incidents("device_fault"), "the incident")
    [incident] = site.incidents("device_fault").values()
    assert (incident.device, incident.spot, incident.fault, incident.raw_code, incident.severity) == (
        "pile-1",
        "shed",
        "over_temperature",
        "GunOverheatX/0x17",
        Severity.CRITICAL,
    )
    assert incident.point is not None
    assert incident.point.endswith(".1")
    station.status("Faulted", "OtherError", vendor_error_code="E-unknown", at=datetime.now(UTC))
    site.await_(lambda: len(site.incidents("device_fault")) == 2, "the other one")
    station.status("Available", at=datetime.now(UTC))
    ended = {IncidentState.ENDED}
    site.await_(lambda: {each.state for each in site.incidents("device_fault").values()} == ended, "their end")
    assert {each.raw_code for each in site.incidents("device_fault").values()} == {
        "GunOverheatX/0x17",
        "OtherError/E-unknown",
    }
    assert not any(envelope.historical for envelope in site.told())


def test_without_rules_of_its_own_a_pile_has_those_of_its_kind(running: Callable[..., Running]) -> None:
    site = running()
    station = site.station()
    event = call.SecurityEventNotification(
        type="TamperDetectionActivated", timestamp=stamp(datetime.now(UTC)), tech_info="lid"
    )
    station.say(event)
    station.say(event)
    station.status("Faulted", "HighTemperature", at=datetime.now(UTC))
    site.await_(lambda: len(site.incidents("event", "device_fault")) == 2, "both")
    opened, hot = site.incidents("event"), site.incidents("device_fault")
    assert [(each.point, each.category, each.severity) for each in opened.values()] == [
        ("security_event", "public_order", Severity.HIGH)
    ]
    assert [(each.fault, each.severity) for each in hot.values()] == [("over_temperature", Severity.CRITICAL)]


def test_an_hour_that_is_played_back_rings_nothing_and_is_told_whole(running: Callable[..., Running]) -> None:
    site = running(settle_s=3.0, rules=[HOT, {"kind": "device_fault"}])
    station, now = site.station(), datetime.now(UTC)

    def at(minute: int) -> datetime:
        return now - timedelta(minutes=60 - minute)

    began = at(0)
    number = station.start(at=began)
    for minute in range(1, 55):
        heat_c = 95.0 if 20 <= minute < 30 else 40.0
        for _ in range(2):  # each of them twice
            station.meter({"Temperature": heat_c}, at=at(minute), transaction=number)
    assert station.start(at=began) == number
    station.stop(number, at=at(55), reason="EmergencyStop")
    station.stop(number, at=at(55), reason="EmergencyStop")
    station.meter({"Temperature": 35.0})
    site.await_(lambda: len(site.incidents("threshold", "device_fault")) == 2, "what had happened")
    heat = next(iter(site.incidents("threshold").values()))
    assert heat.state is IncidentState.ENDED
    assert abs((heat.started_at - at(20)).total_seconds()) < 1
    assert all(envelope.historical for envelope in site.told()), [envelope.body for envelope in site.told()]
    assert {envelope.body.state for envelope in site.told() if envelope.body.kind == "threshold"} == {
        IncidentState.ENDED
    }
    batches = [envelope for envelope in site.cloud.sent if isinstance(envelope.body, TelemetryBatch)]
    site.await_(lambda: any(envelope.historical for envelope in site.cloud.sent), "the history for the charts")
    assert batches


def test_a_pile_that_agrees_to_stop_and_goes_on_is_its_own_worse_incident_once(running: Callable[..., Running]) -> None:
    site = running(allow_stop=True, rules=[STOPPING])
    station = site.station()
    number = station.start()

    def still_flows() -> bool:
        station.meter({"Temperature": 92.0, "Current.Import": 16.0}, transaction=number)
        return bool(site.incidents("stop_unconfirmed"))

    site.await_(still_flows, "the worse incident")
    assert ("stop", number) in station.orders
    [worse] = site.incidents(IncidentKind.STOP_UNCONFIRMED).values()
    assert (worse.severity, worse.device, worse.state) == (Severity.CRITICAL, "pile-1", IncidentState.OPEN)
    for _ in range(5):
        still_flows()
    assert len(site.incidents("stop_unconfirmed")) == len(site.incidents("threshold")) == 1

    def nothing_flows() -> bool:
        station.meter({"Temperature": 60.0, "Current.Import": 0.0})
        return all(
            each.state is IncidentState.ENDED for each in site.incidents("stop_unconfirmed", "threshold").values()
        )

    site.await_(nothing_flows, "the end of both")


def test_a_pile_that_stops_is_seen_to_have_stopped(running: Callable[..., Running]) -> None:
    site = running(allow_stop=True, rules=[STOPPING])
    station = site.station()
    number = station.start()

    def asked() -> bool:
        station.meter({"Temperature": 92.0, "Current.Import": 16.0}, transaction=number)
        return ("stop", number) in station.orders

    site.await_(asked, "the order")
    station.stop(number, reason="Remote")

    def confirmed() -> bool:
        station.meter({"Temperature": 65.0, "Current.Import": 0.0})
        told = site.incidents("threshold").values()
        return any(each.note is not None and each.state is IncidentState.ENDED for each in told)

    site.await_(confirmed, "that it is told")
    assert site.incidents("stop_unconfirmed") == {}
    assert station.orders.count(("stop", number)) == 1


def test_a_charge_is_stopped_by_a_person_at_the_api(
    migrated_url: str, mosquitto_broker: ReadyBroker, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        token = enrolled(migrated_url)
        settings = CloudSettings.model_validate(
            {
                "database_url": migrated_url,
                "http_port": 0,
                "data_directory": tmp_path / "cloud",
                "mqtt_url": mosquitto_broker.url,
                "mqtt_user": mosquitto_broker.cloud_user,
                "mqtt_password": mosquitto_broker.cloud_password,
            }
        )
        cloud = stack.enter_context(running_cloud(settings, Part.ALL))
        headers = {"Authorization": f"Bearer {token}"}
        client = stack.enter_context(httpx.Client(base_url=cloud.address or "", headers=headers, timeout=20))
        password = tmp_path / "password"
        password.write_text(mosquitto_broker.add_node(DISTRICT, NODE), encoding="utf-8")
        node = Node(
            NodeConfiguration.model_validate(
                {
                    "node": {"id": NODE, "district": DISTRICT, "data_directory": tmp_path / "data"},
                    "cloud": {
                        "mqtt": mosquitto_broker.url,
                        "https": "http://127.0.0.1:1",
                        "mqtt_user": NODE,
                        "mqtt_password_file": password,
                    },
                    "ocpp": {"host": "127.0.0.1", "port": 0, "security_profile": 0, "piles": [{"id": "pile-1"}]},
                }
            ),
            on_fatal=pytest.fail,
        )
        node.start()
        stack.callback(node.stop)
        source = node.reading_sources["ocpp"]
        assert isinstance(source, OcppSource)
        wait_until(lambda: source.port is not None, what="the listener")
        call_in = stack.enter_context(stations())
        station: Station = call_in(f"ws://127.0.0.1:{source.port}/ocpp", "pile-1")
        station.boot("2.4.1")
        number = station.start()

        def pile() -> dict[str, Any] | None:
            items: list[dict[str, Any]] = client.get("/api/v1/devices").json()["items"]
            return next((each for each in items if each["device"] == "pile-1" and each["presence"] == "online"), None)

        def latest(point: str) -> Any:
            found = pile()
            return None if found is None else {each["name"]: each["latest"] for each in found["points"]}[point]

        wait_until(lambda: pile() and latest("firmware"), timeout_s=PATIENT_S, what="the pile in the registry")
        assert latest("firmware")["value"] == "2.4.1"
        device = pile()
        assert device is not None

        def ask(body: dict[str, Any]) -> dict[str, Any]:
            asked = client.post(f"/api/v1/devices/{device['id']}/actions", json=body)
            assert asked.status_code == httpx.codes.ACCEPTED, asked.text
            address = f"/api/v1/commands/{asked.json()['id']}"
            wait_until(lambda: client.get(address).json()["ended_at"], timeout_s=PATIENT_S, what="an answer")
            found: dict[str, Any] = client.get(address).json()
            return found

        done = ask({"action": "stop_charge"})
        assert (done["state"], done["result"]) == ("done", {"action": "stop_charge", "answer": {"status": "Accepted"}})
        assert ("stop", number) in station.orders
        station.stop(number, reason="Remote")
        refused = ask({"action": "stop_charge"})
        assert (refused["state"], refused["reason"]) == ("refused", "no charge is known: there is nothing to stop")

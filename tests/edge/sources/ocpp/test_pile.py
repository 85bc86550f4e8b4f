from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.v16.enums import Action

from edge.contract.safety import SafetyFault
from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings.ocpp import OcppPileSettings, Quantity
from edge.sources.ocpp.frames import Call, ErrorCode
from edge.sources.ocpp.messages import Heard
from edge.sources.ocpp.pile import Pile
from edge.sources.ocpp.transactions import TransactionBook
from tests.edge.sources.ocpp.test_frames import ANY_JSON
from tests.fakes.ocpp_client import stamp

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def pile(*, book: TransactionBook | None = None, **settings: Any) -> Pile:
    return Pile(OcppPileSettings(id="pile-1", **settings), book or TransactionBook(), heartbeat_s=60)


def say(to: Pile, action: str, payload: dict[str, Any], *, at: datetime = NOW, kept: bool = True) -> Heard:
    heard = to.hear(Call("1", action, payload), at)
    if kept:
        to.settle(heard)
    return heard


def told(heard: Heard) -> dict[str, float | str]:
    return {reading.point: reading.value for reading in heard.readings}


def status(state: str, code: str = "NoError", **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "status": state, "errorCode": code, **more}


def start(at: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "card", "meterStart": 0, "timestamp": stamp(at), **more}


def stop(number: int, at: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {"transactionId": number, "meterStop": 900, "timestamp": stamp(at), **more}


def meter(
    value: float, at: datetime = NOW, *, connector: int = 1, name: str = "Temperature", **more: Any
) -> dict[str, Any]:
    sample = {"value": str(value), "measurand": name}
    return {"connectorId": connector, "meterValue": [{"timestamp": stamp(at), "sampledValue": [sample]}], **more}


def test_how_a_connector_was_says_nothing_of_how_it_is() -> None:
    """Whatever was told of it this way need not be asked for."""
    told_late = status("Charging", timestamp=stamp(NOW - timedelta(minutes=30)))
    assert say(pile(), "StatusNotification", told_late).status_of is None
    assert say(pile(), "StatusNotification", status("Charging", timestamp=stamp(NOW))).status_of == 1
    assert say(pile(), "StatusNotification", status("Charging")).status_of == 1


def test_what_a_pile_told_of_its_firmware_is_known() -> None:
    heard = pile(connectors=2)

    def idle() -> bool:
        return heard.firmware(is_connected=True, address=None, told_of={1, 2}).is_idle

    assert heard.firmware(is_connected=False, address=None).booted_at is None
    said = {"chargePointVendor": "TELD", "chargePointModel": "DC-120", "firmwareVersion": "V1.9"}
    say(heard, "BootNotification", {**said, "firmwareVersion": "V2"}, kept=False)
    assert heard.firmware(is_connected=True, address=None).version == "", "what was not kept was not heard"
    say(heard, "BootNotification", said)
    say(heard, "FirmwareStatusNotification", {"status": "DownloadFailed"}, at=NOW + timedelta(seconds=1))
    view = heard.firmware(is_connected=True, address="10.0.0.1")
    assert (view.vendor, view.model, view.version, view.booted_at) == ("TELD", "DC-120", "V1.9", NOW)
    assert (view.status, view.status_at) == ("download_failed", NOW + timedelta(seconds=1))
    say(heard, "StatusNotification", status("Available"))
    assert not idle(), "of the second connector nothing is known"
    say(heard, "StatusNotification", {**status("Unavailable"), "connectorId": 2})
    assert idle()
    again = heard.firmware(is_connected=True, address=None, told_of={0, 1})
    assert not again.is_idle, "over this connection nothing was told of the second"
    for state in ("Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved", "Occupied"):
        say(heard, "StatusNotification", status(state))
        assert not idle(), state
    say(heard, "StatusNotification", status("Available"))
    say(heard, "StartTransaction", start())
    assert not idle(), "a charge is known"


def test_a_start_is_answered_with_the_true_time() -> None:
    heard = pile().hear(Call("1", "BootNotification", {"firmwareVersion": "2.1"}), NOW, timedelta(hours=1))
    assert heard.answer == {"status": "Accepted", "currentTime": "2026-03-01T13:00:00.000Z", "interval": 60}
    assert told(heard) == {"firmware": "2.1"}
    assert heard.booted


def test_a_vendors_error_is_a_fault_with_its_code() -> None:
    heard = say(
        pile(vendor_codes={"E7": SafetyFault.SMOKE}),
        "StatusNotification",
        status("Faulted", "Weird", vendorErrorCode="E7"),
    )
    assert told(heard) == {"faults.1": "smoke", "raw_code.1": "Weird/E7", "status.1": "faulted"}
    assert heard.readings[0].raw_code == "Weird/E7"
    assert heard.error is None


def test_a_state_is_told_when_it_changes_and_so_is_another_code_of_the_same_fault() -> None:
    one = pile()
    assert len(say(one, "StatusNotification", status("Faulted", "E1")).readings) == 3
    assert say(one, "StatusNotification", status("Faulted", "E1")).readings == []
    assert told(say(one, "StatusNotification", status("Faulted", "E2"))) == {"faults.1": "other", "raw_code.1": "E2"}


def test_a_state_that_could_not_be_kept_is_told_again() -> None:
    one = pile()
    say(one, "StatusNotification", status("Faulted", "GroundFailure"), kept=False)
    assert told(say(one, "StatusNotification", status("Faulted", "GroundFailure")))["faults.1"] == "insulation"


def test_a_fault_of_a_connector_that_nobody_configured_is_told_of_the_pile() -> None:
    heard = say(pile(connectors=1), "StatusNotification", status("Faulted", "HighTemperature") | {"connectorId": 4})
    assert told(heard) == {"faults": "over_temperature", "raw_code": "4:HighTemperature"}
    assert heard.refused == ("undeclared_connector",)


def test_a_live_state_after_history_is_told_again() -> None:
    one = pile()
    say(one, "StatusNotification", status("Available", timestamp=stamp(NOW)))
    late = NOW + timedelta(hours=1)
    replayed = say(one, "StatusNotification", status("Charging", timestamp=stamp(NOW + timedelta(minutes=5))), at=late)
    assert ReadingFlag.REPLAYED in replayed.readings[0].flag
    assert (
        told(say(one, "StatusNotification", status("Available", timestamp=stamp(late)), at=late))["status.1"]
        == "available"
    )


def test_a_charge_from_its_beginning_to_its_end() -> None:
    one = pile()
    begun = say(one, "StartTransaction", start(meterStart=100))
    number = begun.answer["transactionId"]
    assert begun.answer["idTagInfo"] == {"status": "Accepted"}
    assert told(begun) == {"charging.1": str(number), "energy_wh.1": 100.0}
    assert one.transaction_on(None) == one.transaction_on(1) == number
    later = NOW + timedelta(minutes=30)
    ended = say(one, "StopTransaction", stop(number, later, reason="EmergencyStop"), at=later)
    assert told(ended) == {"charging.1": "none", "energy_wh.1": 900.0, "stop_reason.1": "emergency_stop"}
    event = ended.readings[-1]
    assert (event.is_event, event.raw_code, event.observed_at) == (True, "EmergencyStop", later)
    assert one.transaction_on(None) is None


def test_a_beginning_and_an_end_that_come_again_are_told_once() -> None:
    one = pile()
    first = say(one, "StartTransaction", start())
    second = say(one, "StartTransaction", start())
    assert first.answer == second.answer
    assert (second.readings, second.again, second.marks) == ((), (), ())
    number = first.answer["transactionId"]
    say(one, "StopTransaction", stop(number))
    assert say(one, "StopTransaction", stop(number)).readings == ()


def test_what_was_kept_before_a_crash_is_shown_to_rules_again_at_its_own_time() -> None:
    before = pile()
    begun = say(before, "StartTransaction", start())
    ended = say(before, "StopTransaction", stop(begun.answer["transactionId"]))
    restarted = pile(book=TransactionBook([*begun.marks, *ended.marks]))
    again = say(restarted, "StartTransaction", start(), at=NOW + timedelta(seconds=30))
    assert again.answer == begun.answer
    assert again.readings == ()
    assert [(reading.point, reading.observed_at) for reading in again.again] == [
        ("charging.1", NOW),
        ("energy_wh.1", NOW),
    ]
    end_again = say(restarted, "StopTransaction", stop(begun.answer["transactionId"]), at=NOW + timedelta(seconds=30))
    assert end_again.readings == ()
    assert [reading.value for reading in end_again.again if reading.point == "stop_reason.1"] == ["local"]


def test_a_charge_that_outlasts_the_node_is_known_to_rules_again() -> None:
    begun = say(pile(), "StartTransaction", start())
    restarted = pile(book=TransactionBook(begun.marks))
    later = NOW + timedelta(hours=3)
    (reading,) = restarted.charging(later)
    assert (reading.point, reading.value, reading.observed_at, reading.received_at) == (
        "charging.1",
        str(begun.answer["transactionId"]),
        NOW,
        later,
    )


def test_an_hour_that_is_played_back_is_flagged_and_at_its_own_time() -> None:
    one, came = pile(), NOW + timedelta(hours=1)
    readings: list[Reading] = []
    number = say(one, "StartTransaction", start(), at=came).answer["transactionId"]
    for minute in range(58):
        at = NOW + timedelta(minutes=minute)
        readings += say(one, "MeterValues", meter(60 + minute, at, transactionId=number), at=came).readings
    readings += say(one, "StopTransaction", stop(number, NOW + timedelta(minutes=58)), at=came).readings
    assert all(ReadingFlag.REPLAYED in reading.flag for reading in readings)
    assert [reading.observed_at for reading in readings[:2]] == [NOW, NOW + timedelta(minutes=1)]


def test_the_end_of_an_old_charge_does_not_end_a_newer_one() -> None:
    one = pile()
    old = say(one, "StartTransaction", start()).answer["transactionId"]
    later = NOW + timedelta(hours=1)
    new = say(one, "StartTransaction", start(later, idTag="other"), at=later).answer["transactionId"]
    ended = say(one, "StopTransaction", stop(old, NOW + timedelta(minutes=1)), at=later)
    assert "charging.1" not in told(ended)
    assert one.transaction_on(1) == new


def test_a_charge_that_nobody_wrote_down_is_seen_in_the_meter_values() -> None:
    one = pile()
    assert told(say(one, "MeterValues", meter(40, transactionId=4_711))) == {
        "temperature_c.1": 40.0,
        "charging.1": "4711",
    }
    ended = say(one, "StopTransaction", stop(4_711))
    assert told(ended)["charging.1"] == "none"
    assert told(say(one, "MeterValues", meter(39, transactionId=4_711))) == {"temperature_c.1": 39.0}


def test_a_free_connector_charges_nobody() -> None:
    one = pile()
    say(one, "StartTransaction", start())
    assert told(say(one, "StatusNotification", status("Available")))["charging.1"] == "none"


def test_a_charge_whose_end_never_came_is_over_once_its_connector_is_free_also_after_a_restart() -> None:
    begun = say(pile(), "StartTransaction", start())
    restarted = pile(book=TransactionBook(begun.marks))
    freed = say(restarted, "StatusNotification", status("Available"))
    assert told(freed)["charging.1"] == "none"
    assert restarted.transaction_on(None) is None
    assert pile(book=TransactionBook([*begun.marks, *freed.marks])).charging(NOW) == []
    late = say(restarted, "StopTransaction", stop(begun.answer["transactionId"], reason="PowerLoss"))
    assert told(late)["stop_reason.1"] == "power_lost"
    assert say(restarted, "StatusNotification", status("Available")).readings == []


def test_that_a_connector_was_free_before_ends_no_charge_of_now() -> None:
    one, later = pile(), NOW + timedelta(hours=2)
    number = say(one, "StartTransaction", start(NOW + timedelta(hours=1)), at=later).answer["transactionId"]
    say(one, "StatusNotification", status("Available", timestamp=stamp(NOW)), at=later)
    assert one.transaction_on(1) == number
    say(one, "StatusNotification", status("Available", timestamp=stamp(NOW + timedelta(minutes=90))), at=later)
    assert one.transaction_on(1) is None


def test_what_a_pile_says_of_itself() -> None:
    assert told(say(pile(connectors=1), "MeterValues", meter(50, connector=0))) == {"temperature_c.1": 50.0}
    assert told(say(pile(connectors=2), "MeterValues", meter(50, connector=0))) == {"temperature_c.0": 50.0}


@pytest.mark.parametrize(("value", "expected"), [(-61, "out_of_range"), (4_000, "out_of_range")])
def test_what_can_not_be_is_refused_and_counted(value: float, expected: str) -> None:
    heard = say(pile(), "MeterValues", meter(value))
    assert (list(heard.readings), heard.refused, heard.error) == ([], (expected,), None)


def test_cards_are_checked_where_a_list_says_so() -> None:
    one = pile(id_tags=("card",))
    assert say(one, "Authorize", {"idTag": "card"}).answer == {"idTagInfo": {"status": "Accepted"}}
    assert say(one, "Authorize", {"idTag": "other"}).answer == {"idTagInfo": {"status": "Invalid"}}


def test_security_events_are_told_once_each() -> None:
    one, event = pile(), {"type": "TamperDetectionActivated", "timestamp": stamp(NOW), "techInfo": "lid"}
    heard = say(one, "SecurityEventNotification", event)
    assert [(r.point, r.value, r.raw_code, r.is_event) for r in heard.readings] == [
        ("security_event", "tamper_detection_activated", "TamperDetectionActivated/lid", True)
    ]
    assert say(one, "SecurityEventNotification", event).readings == ()


def test_what_says_no_time_is_known_by_its_id() -> None:
    one = pile()
    silent = {"connectorId": 1, "idTag": "card", "meterStart": 0, "timestamp": "1970-01-01T00:00:00Z"}
    numbers = []
    for message_id in ("a", "a", "b"):
        heard = one.hear(Call(message_id, "StartTransaction", silent), NOW)
        one.settle(heard)
        numbers.append(heard.answer["transactionId"])
    assert numbers[0] == numbers[1] != numbers[2]
    events = [one.hear(Call(name, "SecurityEventNotification", {"type": "X"}), NOW) for name in ("c", "d")]
    assert [len(heard.readings) for heard in events] == [1, 1]


def test_the_states_of_an_update() -> None:
    one = pile()
    assert told(say(one, "FirmwareStatusNotification", {"status": "InstallationFailed"})) == {
        "firmware_status": "installation_failed"
    }
    assert told(say(one, "SignedFirmwareStatusNotification", {"status": "InvalidSignature", "requestId": 1})) == {
        "firmware_status": "invalid_signature"
    }


def test_what_nobody_here_answers() -> None:
    one = pile()
    known, unknown = say(one, "ReserveNow", {}), say(one, "MakeCoffee", {})
    assert known.error is not None
    assert unknown.error is not None
    assert (known.error[0], unknown.error[0]) == (ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED)


ACTIONS = [action.value for action in Action]
KEYS = [
    "connectorId", "status", "errorCode", "vendorErrorCode", "timestamp", "meterValue", "transactionId", "idTag",
    "meterStart", "meterStop", "reason", "transactionData", "type", "techInfo", "firmwareVersion", "info",
]  # fmt: skip
HOSTILE = ANY_JSON | st.sampled_from(
    [stamp(NOW), "9999-12-31T23:59:59Z", 1 << 70, -1, 1.5e300, "1" * 300, "\ud800", "\x00"]
)


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.dictionaries(st.sampled_from(KEYS), HOSTILE)), max_size=8))
def test_whatever_a_station_says_is_readings_of_declared_points(said: list[tuple[str, dict[str, Any]]]) -> None:
    one = pile(connectors=2, quantities=tuple(Quantity))
    points = {point.name: point for point in one.settings.declared}
    for action, payload in said:
        heard = say(one, action, payload)
        for reading in (*heard.readings, *heard.again):
            point = points[reading.point]
            assert isinstance(reading.value, float) == (point.kind == "number")
            assert reading.is_event == (point.kind == "event")
            assert reading.observed_at <= NOW

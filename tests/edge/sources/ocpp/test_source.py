"""The listener against the library's own `ChargePoint`."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ocpp.exceptions import InternalError
from ocpp.v16 import call
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cloud.api.certificate import demo_certificate
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, ConfigurationError, DeviceBusy, DeviceUnreachable
from edge.flow import DeviceAction, Health
from edge.settings import NodeConfiguration, OcppSettings
from edge.sources.ocpp.orders import wanted_settings
from edge.sources.ocpp.source import OcppSource, Timing
from edge.sources.ocpp.station import MOST_ORDERS, GaveWay
from tests.edge.sources.ocpp.running import FAST, QUIET, Keeper, address, piles, settings, source
from tests.edge.waiting import wait_until
from tests.fakes.ocpp_client import Station, stamp, stations

Connect = Callable[..., Station]


@pytest.fixture
def connect() -> Iterator[Connect]:
    with stations() as found:
        yield found


def test_what_a_station_says_is_kept_before_it_is_answered(connect: Connect) -> None:
    keeper = Keeper()
    with source(keeper) as made:
        station = connect(address(made), "pile-1")
        assert station.boot().interval == 60
        station.status("Preparing")
        number = station.start()
        station.meter({"Temperature": 41.5, "Current.Import": 16.0}, transaction=number)
        station.stop(number, reason="EmergencyStop")
        assert keeper.values("temperature_c.1") == [41.5]
        assert keeper.values("charging.1") == [str(number), "none"]
        assert keeper.values("stop_reason.1") == ["emergency_stop"]
        wait_until(lambda: keeper.health() is Health.OK, "presence")
        assert made.tally()["messages"] == 5


def test_a_vendors_error_that_the_schema_forbids_is_a_fault(connect: Connect) -> None:
    keeper = Keeper()
    with source(keeper) as made:
        connect(address(made), "pile-1").status("Faulted", "GunOverheat_0x17", vendor_error_code="0x17")
        assert keeper.values("faults.1") == ["other"]
        assert keeper.values("raw_code.1") == ["GunOverheat_0x17/0x17"]


def test_while_nothing_can_be_kept_a_station_is_not_told_that_it_was(connect: Connect) -> None:
    keeper = Keeper()
    with source(keeper) as made:
        station = connect(address(made), "pile-1")
        began = datetime.now(UTC)
        keeper.refusing = True
        with pytest.raises(InternalError):
            station.start(at=began)
        with pytest.raises(InternalError):
            station.status("Faulted", "HighTemperature")
        keeper.refusing = False
        number = station.start(at=began)
        assert keeper.values("charging.1") == [str(number)]
        assert keeper.values("faults.1") == ["over_temperature"], "a state that no station tells again was owed"
        assert station.start(at=began) == number
        assert keeper.values("charging.1") == [str(number)]


def test_one_stations_mistake_costs_the_others_nothing(connect: Connect) -> None:
    keeper = Keeper()
    keeper.failing_on = "pile-2"
    with source(keeper, settings(*piles("pile-1", "pile-2"))) as made:
        good, bad = connect(address(made), "pile-1"), connect(address(made), "pile-2")
        keeper.gate.clear()
        with ThreadPoolExecutor(2) as both:
            waiting = [both.submit(bad.status, "Available"), both.submit(good.status, "Available")]
            keeper.gate.set()
            with pytest.raises(InternalError):
                waiting[0].result(30)
            waiting[1].result(30)
        assert keeper.values("status.1") == ["available"]
        assert made.tally()["faults"] > 0


def test_a_charge_outlasts_the_node(connect: Connect) -> None:
    keeper, began = Keeper(), datetime.now(UTC) - timedelta(minutes=30)
    with source(keeper) as made:
        number = connect(address(made), "pile-1").start(at=began)
    after = Keeper()
    with source(after, receipts=keeper.marks) as made:
        station = connect(address(made), "pile-1")
        assert station.start(at=began) == number
        wait_until(lambda: after.again, "what rules have to see again")
        assert {(reading.point, reading.value) for reading in after.again} >= {("charging.1", str(number))}
        assert {reading.observed_at for reading in after.again} == {
            began.replace(microsecond=began.microsecond // 1000 * 1000)
        }
        assert after.values("charging.1") == []
        station.stop(number)
        assert after.values("charging.1") == ["none"]


def test_an_hour_of_history_is_history(connect: Connect) -> None:
    keeper, now = Keeper(), datetime.now(UTC)
    with source(keeper) as made:
        station = connect(address(made), "pile-1")
        number = station.start(at=now - timedelta(minutes=60))
        for minute in range(59, 2, -1):
            station.meter({"Temperature": 95.0}, at=now - timedelta(minutes=minute), transaction=number)
        station.stop(number, at=now - timedelta(minutes=2))
        station.status("Available", at=datetime.now(UTC))
    history = [reading for reading in keeper.kept if ReadingFlag.REPLAYED in reading.flag]
    assert len([reading for reading in history if reading.point == "temperature_c.1"]) == 57
    assert [reading.point for reading in keeper.kept if ReadingFlag.REPLAYED not in reading.flag] == [
        "faults.1",
        "raw_code.1",
        "status.1",
    ]


def act(made: OcppSource, action: DeviceAction, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return made.act("pile-1", action, arguments or {}, wait_s=10, **more)


def test_what_a_pile_can_be_asked(connect: Connect) -> None:
    with source(Keeper(), settings(*piles("pile-1", connectors=2))) as made:
        station = connect(address(made), "pile-1")
        number = station.start(connector=2)
        assert act(made, DeviceAction.STOP_CHARGE, connector=2) == {"status": "Accepted"}
        act(made, DeviceAction.RESET, {"kind": "hard"})
        act(made, DeviceAction.CHANGE_CONFIGURATION, {"key": "Key", "value": "7"})
        assert act(made, DeviceAction.READ_CONFIGURATION, {"keys": ["Key", "Other"]}) == {
            "configurationKey": [{"key": "Key", "readonly": False, "value": "7"}],
            "unknownKey": ["Other"],
        }
        act(made, DeviceAction.TRIGGER_MESSAGE, {"message": "meter_values"}, connector=1)
        act(made, DeviceAction.UPDATE_FIRMWARE, {"location": "https://example.org/a.bin"})
        assert station.orders == [
            ("stop", number),
            ("reset", "Hard"),
            ("change", ("Key", "7")),
            ("trigger", ("MeterValues", 1)),
            ("update", "https://example.org/a.bin"),
        ]


def test_what_a_pile_refuses_is_told_in_its_words(connect: Connect) -> None:
    with source(Keeper()) as made:
        with pytest.raises(DeviceUnreachable, match="not connected"):
            act(made, DeviceAction.RESET)
        station = connect(address(made), "pile-1")
        wait_until(lambda: made.tally()["connected"] == 1, "the station")
        with pytest.raises(CommandRefused, match="nothing to stop"):
            act(made, DeviceAction.STOP_CHARGE)
        station.start()
        station.stop_answer = "Rejected"
        with pytest.raises(CommandRefused, match="Rejected"):
            act(made, DeviceAction.STOP_CHARGE)
        with pytest.raises(CommandRefused, match="no 3"):
            act(made, DeviceAction.STOP_CHARGE, connector=3)
        with pytest.raises(CommandRefused, match="location"):
            act(made, DeviceAction.UPDATE_FIRMWARE, {"location": "file:///etc/passwd"})
        with pytest.raises(CommandRefused):
            act(made, DeviceAction.SET_CLOCK)
        assert made.control("pile-1") is made
        assert made.control("other") is None


def test_a_station_that_answers_nothing_holds_nobody_up(connect: Connect) -> None:
    with source(Keeper(), settings(*piles("pile-1", "pile-2"))) as made:
        silent, other = connect(address(made), "pile-1"), connect(address(made), "pile-2")
        silent._loop.call_soon_threadsafe(silent._listening.cancel)  # type: ignore[union-attr]
        with pytest.raises(DeviceUnreachable, match="did not answer"):
            made.act("pile-1", DeviceAction.RESET, {}, wait_s=0.2)
        assert made.act("pile-2", DeviceAction.RESET, {}, wait_s=10) == {"status": "Accepted"}
        assert other.orders == [("reset", "Soft")]


def patient(give_way_s: float) -> Timing:
    return replace(QUIET, patience=replace(QUIET.patience, give_way_s=give_way_s), answer_s=3_600.0)


def ask(made: OcppSource, action: DeviceAction, wait_s: float) -> dict[str, Any]:
    return made.act("pile-1", action, {}, wait_s=wait_s)


def test_a_stop_does_not_wait_behind_a_question_that_is_not_answered(connect: Connect) -> None:
    with source(Keeper(), timing=patient(0.0)) as made, ThreadPoolExecutor(2) as threads:
        station = connect(address(made), "pile-1")
        station.start()
        station.run(station.mute())
        question = threads.submit(ask, made, DeviceAction.RESET, 3_600.0)
        late, action = station.asked()
        assert action == "Reset"
        stop = threads.submit(ask, made, DeviceAction.STOP_CHARGE, 60.0)
        number, action = station.asked()
        assert action == "RemoteStopTransaction"
        with pytest.raises(GaveWay, match="ask again"):
            question.result(60)
        station.answer(late, status="Accepted")
        station.answer(number, status="Accepted")
        assert stop.result(60) == {"status": "Accepted"}
        assert made.tally()["flaws"] == {"unasked_answer": 1}


def test_a_stop_has_a_place_of_its_own_before_all_that_wait(connect: Connect) -> None:
    with source(Keeper(), timing=patient(3_600.0)) as made, ThreadPoolExecutor(MOST_ORDERS + 1) as threads:
        station = connect(address(made), "pile-1")
        station.start()
        station.run(station.mute())
        questions = [threads.submit(ask, made, DeviceAction.RESET, 3_600.0) for _ in range(MOST_ORDERS)]
        turns = made._listener.stations["pile-1"]._turns
        wait_until(lambda: turns.count(urgent=False) == MOST_ORDERS, "as many questions as may wait")
        with pytest.raises(DeviceBusy):
            ask(made, DeviceAction.RESET, 60.0)
        stop = threads.submit(ask, made, DeviceAction.STOP_CHARGE, 60.0)
        wait_until(lambda: turns.is_pressing, "the stop")
        order = []
        for _ in range(MOST_ORDERS + 1):
            number, action = station.asked()
            order.append(action)
            station.answer(number, status="Accepted")
        assert order == ["Reset", "RemoteStopTransaction", *["Reset"] * (MOST_ORDERS - 1)]
        assert [asked.result(60) for asked in (stop, *questions)] == [{"status": "Accepted"}] * (MOST_ORDERS + 1)


def test_what_never_had_its_turn_was_not_sent_and_says_so(connect: Connect) -> None:
    with source(Keeper(), timing=patient(3_600.0)) as made, ThreadPoolExecutor(1) as threads:
        station = connect(address(made), "pile-1")
        station.start()
        station.run(station.mute())
        question = threads.submit(ask, made, DeviceAction.RESET, 3_600.0)
        number, _ = station.asked()
        with pytest.raises(DeviceBusy):
            ask(made, DeviceAction.STOP_CHARGE, 0.05)
        station.answer(number, status="Accepted")
        assert question.result(60) == {"status": "Accepted"}


def test_a_setting_that_gave_way_to_a_stop_is_set_after_it(connect: Connect) -> None:
    with source(Keeper(), timing=patient(0.0)) as made, ThreadPoolExecutor(1) as threads:
        station = connect(address(made), "pile-1")
        station.start()
        wait_until(lambda: made._listener.stations.get("pile-1") is not None, "the station")
        station.run(station.mute())
        asyncio.run_coroutine_threadsafe(made._configure(made._listener.stations["pile-1"]), made._reception.loop)
        _, action = station.asked()
        assert action == "ChangeConfiguration"
        stop = threads.submit(ask, made, DeviceAction.STOP_CHARGE, 60.0)
        number, action = station.asked()
        assert action == "RemoteStopTransaction"
        station.answer(number, status="Accepted")
        assert stop.result(60) == {"status": "Accepted"}
        for _ in wanted_settings(made._piles["pile-1"]):
            number, action = station.asked()
            assert action == "ChangeConfiguration"
            station.answer(number, status="Accepted")


def test_a_charge_that_can_not_be_shown_to_rules_at_once_is_shown_later(connect: Connect) -> None:
    keeper, began = Keeper(), datetime.now(UTC) - timedelta(minutes=30)
    with source(keeper) as made:
        number = connect(address(made), "pile-1").start(at=began)
    after = Keeper()
    after.refusing = True
    with source(after, receipts=keeper.marks) as made:
        connect(address(made), "pile-1")
        wait_until(lambda: after.refused > 1, "it was tried, and once more")
        after.refusing = False
        wait_until(lambda: after.again, "what rules have to see again")
        assert {(reading.point, reading.value) for reading in after.again} == {("charging.1", str(number))}
        made.stop()
        assert len(after.again) == 1, "once"


def test_after_a_start_a_station_is_set_and_after_a_stop_its_meter_asked(connect: Connect) -> None:
    with source(Keeper(), settings(*piles("pile-1", configure={"StopTxnSampledData": ""})), timing=FAST) as made:
        station = connect(address(made), "pile-1")
        station.change_answer = "NotSupported"
        station.boot()
        wait_until(lambda: len(station.configuration) == 3, "the settings")
        assert station.configuration["MeterValueSampleInterval"] == "15"
        wait_until(lambda: len(made.tally()["settings_refused"]) == 3, "the refusals")
        station.start()
        act(made, DeviceAction.STOP_CHARGE)
        wait_until(lambda: station.orders.count(("trigger", ("MeterValues", None))) == 2, "the meter")


def test_the_meter_is_asked_too_where_a_stop_is_refused(connect: Connect) -> None:
    with source(Keeper(), timing=FAST) as made:
        station = connect(address(made), "pile-1")
        wait_until(lambda: made.tally()["connected"] == 1, "the station")
        with pytest.raises(CommandRefused, match="nothing to stop"):
            act(made, DeviceAction.STOP_CHARGE, connector=1)
        wait_until(lambda: station.orders.count(("trigger", ("MeterValues", 1))) == 2, "the meter")
        station.start()
        station.stop_answer = "Rejected"
        with pytest.raises(CommandRefused, match="Rejected"):
            act(made, DeviceAction.STOP_CHARGE, connector=1)
        wait_until(lambda: station.orders.count(("trigger", ("MeterValues", 1))) == 4, "the meter again")


def test_a_station_that_is_just_back_is_asked_what_it_is(connect: Connect) -> None:
    with source(Keeper(), timing=FAST) as made:
        station = connect(address(made), "pile-1")
        wanted = [("BootNotification", None), ("StatusNotification", 0), ("StatusNotification", 1)]
        wait_until(lambda: [what for kind, what in station.orders if kind == "trigger"] == wanted, "the questions")


def test_what_a_station_says_of_itself_because_it_was_asked_is_no_start(connect: Connect) -> None:
    def told() -> tuple[str, bool]:
        view = made.firmware_of()["pile-1"]
        return view.version, view.started_at is not None

    with source(Keeper(), timing=FAST) as made:
        first = connect(address(made), "pile-1")
        wait_until(lambda: ("trigger", ("BootNotification", None)) in first.orders, "the question")
        first.boot("V1")
        wait_until(lambda: told() == ("V1", False), "what it is")
        wait_until(lambda: len(first.configuration) > 0, "it is set all the same")
        first.boot("V2")  # of its own accord: whoever was asked once owes one answer
        wait_until(lambda: told() == ("V2", True), "a start")
        before = made.firmware_of()["pile-1"].started_at
        first.run(first.close())
        again = connect(address(made), "pile-1")
        wait_until(lambda: ("trigger", ("BootNotification", None)) in again.orders, "the question")
        again.boot("V3")
        wait_until(lambda: told() == ("V3", True), "what it is now")
        assert made.firmware_of()["pile-1"].started_at == before


def test_a_station_that_a_person_asks_what_it_is_has_not_started(connect: Connect) -> None:
    with source(Keeper()) as made:
        station = connect(address(made), "pile-1")
        wait_until(lambda: made.tally()["connected"] == 1, "the station")
        act(made, DeviceAction.TRIGGER_MESSAGE, {"message": "boot_notification"})
        station.boot("V1")
        assert made.firmware_of()["pile-1"].version == "V1"
        assert made.firmware_of()["pile-1"].started_at is None
        station.boot("V1")
        assert made.firmware_of()["pile-1"].started_at is not None


def test_a_station_that_will_not_tell_of_itself_starts_when_it_does(connect: Connect) -> None:
    with source(Keeper(), timing=FAST) as made:
        station = connect(address(made), "pile-1")
        station.trigger_answer = "Rejected"
        wait_until(lambda: ("trigger", ("StatusNotification", 1)) in station.orders, "the questions")
        station.boot("V1")
        wait_until(lambda: made.firmware_of()["pile-1"].started_at is not None, "a start")


def test_a_station_is_idle_only_by_what_it_says_over_this_connection(connect: Connect) -> None:
    """A charge may have begun while it was away."""
    with source(Keeper(), timing=FAST) as made:
        first = connect(address(made), "pile-1")
        first.status("Available")
        wait_until(lambda: made.firmware_of()["pile-1"].is_idle, "it is free")
        first.run(first.close())
        wait_until(lambda: not made.firmware_of()["pile-1"].is_connected, "it is gone")
        again = connect(address(made), "pile-1")
        wait_until(lambda: ("trigger", ("StatusNotification", 1)) in again.orders, "the question")
        assert made.firmware_of()["pile-1"].is_connected
        assert not made.firmware_of()["pile-1"].is_idle
        again.status("Available")
        wait_until(lambda: made.firmware_of()["pile-1"].is_idle, "it is free again")


def test_a_station_that_has_just_called_may_still_have_something_to_tell(connect: Connect) -> None:
    with source(Keeper(), timing=QUIET) as made:
        station = connect(address(made), "pile-1")
        station.status("Available")
        assert not made.firmware_of()["pile-1"].is_idle


def test_presence_follows_the_connection(connect: Connect) -> None:
    keeper = Keeper()
    with source(keeper) as made:
        station = connect(address(made), "pile-1")
        wait_until(lambda: keeper.health() is Health.OK, "it is there")
        station.run(station.close())
        wait_until(lambda: keeper.health() is Health.LOST, "it is gone")
        connect(address(made), "pile-1")
        wait_until(lambda: keeper.health() is Health.OK, "it is back")


def test_a_station_that_calls_again_replaces_itself(connect: Connect) -> None:
    keeper = Keeper()
    with source(keeper) as made:
        first = connect(address(made), "pile-1")
        first.boot()
        second = connect(address(made), "pile-1")
        second.boot()
        wait_until(lambda: made.tally()["replaced"] == 1, "the replacement")
        first.run(first.connection.wait_closed())
        with pytest.raises(ConnectionClosed):
            first.boot()
        second.status("Available")
        assert made.tally()["connected"] == 1


def test_a_beginning_that_is_said_again_over_a_new_connection_is_one_charge(connect: Connect) -> None:
    keeper, began = Keeper(), datetime.now(UTC)
    with source(keeper) as made:
        first = connect(address(made), "pile-1")
        keeper.gate.clear()
        payload = call.StartTransaction(connector_id=1, id_tag="card-1", meter_start=0, timestamp=stamp(began))
        waiting = asyncio.run_coroutine_threadsafe(first.point.call(payload), first._loop)
        wait_until(lambda: made.tally()["messages"] == 1, "the first")
        second = connect(address(made), "pile-1")
        with ThreadPoolExecutor(1) as other:
            again = other.submit(second.start, at=began)
            wait_until(lambda: made.tally()["messages"] == 2, "the second")
            keeper.gate.set()
            number = again.result(30)
        waiting.cancel()
        assert keeper.values("charging.1") == [str(number)]


def test_names_and_passwords(connect: Connect) -> None:
    configured = settings(*piles("pile-1", charge_point="CP-1", password_file=Path("x")), security_profile=1)
    with source(Keeper(), configured) as made:
        for identity, password, status in (("CP-1", "wrong", 401), ("CP-1", None, 401), ("CP-2", "secret", 404)):
            with pytest.raises(InvalidStatus) as refused:
                connect(address(made), identity, password=password)
            assert refused.value.response.status_code == status
        assert connect(address(made), "CP-1", password="secret").boot().status == "Accepted"
        assert made.tally()["denied"] == {"wrong_password": 1, "no_password": 1, "unknown": 1}


def test_over_tls(connect: Connect, tmp_path: Path) -> None:
    files = demo_certificate(tmp_path, ["127.0.0.1"], now=datetime.now(UTC))
    configured = settings(
        *piles("pile-1", password_file=Path("x")),
        security_profile=2,
        certificate_file=files.certificate,
        key_file=files.key,
    )
    trusting = ssl.create_default_context(cafile=str(files.authority))
    with source(Keeper(), configured) as made:
        station = connect(address(made, scheme="wss"), "pile-1", password="secret", tls=trusting)
        assert station.boot().status == "Accepted"


def test_a_certificate_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    configured = settings(
        *piles("pile-1", password_file=Path("x")),
        security_profile=2,
        certificate_file=tmp_path / "none.pem",
        key_file=tmp_path / "none.key",
    )
    with pytest.raises(ConfigurationError, match="can't be used"), source(Keeper(), configured):
        pass


def test_a_port_that_is_taken_is_waited_for(connect: Connect) -> None:
    keeper = Keeper()
    with source(Keeper()) as first:
        taken = settings(port=first.port or 0)
        second = OcppSource(
            taken, keeper.keep, keeper.on_status, secret=lambda _: None, clock=lambda: datetime.now(UTC), timing=FAST
        )
        second.start()
        try:
            wait_until(lambda: keeper.health() is Health.LOST, "the port's word")
            assert "nothing listens" in str(keeper.statuses[-1][2])
            first.stop()
            wait_until(lambda: second.port is not None, "the port")
            connect(address(second), "pile-1")
            wait_until(lambda: keeper.health() is Health.OK, "the pile")
        finally:
            second.stop()


def test_on_a_reload_who_stays_does_not_notice(connect: Connect) -> None:
    keeper = Keeper()
    with source(keeper, settings(*piles("pile-1", "pile-2"))) as made:
        stays, goes = connect(address(made), "pile-1"), connect(address(made), "pile-2")
        stays.status("Faulted", "E1")
        goes.status("Available")
        made.adopt(node_with(settings(*piles("pile-1", "pile-3", vendor_codes={"E2": "smoke"}, meter_period_s=7))))
        wait_until(lambda: stays.configuration.get("MeterValueSampleInterval") == "7", "its new period")
        goes.run(goes.connection.wait_closed())
        with pytest.raises(InvalidStatus):
            connect(address(made), "pile-2")
        connect(address(made), "pile-3").status("Available")
        stays.status("Faulted", "E2")
        assert keeper.values("faults.1") == ["other", "smoke"]
        assert made.control("pile-2") is None
        assert made.tally()["replaced"] == 0


def node_with(ocpp: OcppSettings) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "ocpp": ocpp.model_dump(),
        }
    )

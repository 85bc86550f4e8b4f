"""What a new configuration changes, as it is decided before anything is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.configuration.reload import Change, Fate, change
from edge.settings import NodeConfiguration

ZONE = [[0, 0], [1, 0], [1, 1]]
SMALLER = [[0, 0], [0.5, 0], [0.5, 1]]


def camera(name: str, /, **changed: Any) -> dict[str, Any]:
    rules = [{"kind": "intrusion", "zone": "floor"}]
    return {"id": name, "url": f"rtsp://192.0.2.1/{name}", "zones": {"floor": ZONE}, "rules": rules, **changed}


def sensor(name: str, /, **changed: Any) -> dict[str, Any]:
    return {"id": name, "topic": f"piles/{name}", "points": [{"name": "t"}], **changed}


def configuration(**changed: Any) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "local_mqtt": {"url": "mqtt://127.0.0.1"},
            **changed,
        }
    )


CAMERAS = st.lists(
    st.builds(
        camera,
        st.sampled_from(["a", "b", "c"]),
        analysis_hz=st.sampled_from([2, 5]),
        name=st.sampled_from(["", "gate"]),
        zones=st.sampled_from([{"floor": ZONE}, {"floor": SMALLER}]),
    ),
    max_size=3,
    unique_by=lambda each: str(each["id"]),
)
SENSORS = st.lists(
    st.builds(
        sensor,
        st.sampled_from(["p", "q"]),
        topic=st.sampled_from(["x", "y"]),
        spot=st.sampled_from([None, "shed"]),
    ),
    max_size=2,
    unique_by=lambda each: str(each["id"]),
)
TERMINALS = st.lists(
    st.fixed_dictionaries({"id": st.just("post"), "kind": st.sampled_from(["sos", "kiosk"])}), max_size=1
)
REGISTERS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["m", "n"]),
            "gateway": st.sampled_from(["127.0.0.1:1", "127.0.0.1:2"]),
            "points": st.just([{"name": "t", "address": 0}]),
        }
    ),
    max_size=2,
    unique_by=(lambda each: str(each["id"]), lambda each: str(each["gateway"])),
)
LINES = st.lists(
    st.fixed_dictionaries(
        {"id": st.just("line"), "target": st.just("127.0.0.1"), "port": st.just(1), "lost_after": st.integers(2, 3)}
    ),
    max_size=1,
)
SPOTS = st.lists(
    st.fixed_dictionaries({"id": st.just("shed"), "cameras": st.sampled_from([[], ["a"], ["a", "b"]])}), max_size=1
)
CONFIGURATIONS = st.builds(
    configuration,
    cameras=CAMERAS,
    spots=SPOTS,
    sensors=SENSORS,
    terminals=TERMINALS,
    modbus=REGISTERS,
    leased_lines=LINES,
)


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_what_is_done_to_one_configuration_makes_the_other(old: NodeConfiguration, new: NodeConfiguration) -> None:
    found = change(old, new)
    for before, after, fates in (
        ({each.id: each for each in old.cameras}, {each.id: each for each in new.cameras}, found.cameras),
        ({each.id: each for each in old.devices}, {each.id: each for each in new.devices}, found.devices),
        ({each.id: each for each in old.spots}, {each.id: each for each in new.spots}, found.spots),
    ):
        assert set(fates) == set(before) | set(after)
        for name, fate in fates.items():
            assert (fate is Fate.STARTED) == (name not in before)
            assert (fate is Fate.STOPPED) == (name not in after)
            assert (fate is Fate.KEPT) == (name in before and before[name] == after.get(name))


@given(CONFIGURATIONS)
def test_the_same_configuration_changes_nothing(same: NodeConfiguration) -> None:
    found = change(same, same)
    assert found.problem is None
    assert {*found.cameras.values(), *found.devices.values(), *found.gateways.values()} <= {Fate.KEPT}


@pytest.mark.parametrize(
    ("changed", "fate"),
    [
        ({}, Fate.KEPT),
        ({"rules": []}, Fate.CHANGED),
        ({"zones": {"floor": SMALLER}}, Fate.CHANGED),
        ({"name": "gate"}, Fate.CHANGED),
        ({"model": None}, Fate.CHANGED),
        ({"url": "rtsp://192.0.2.2/"}, Fate.RESTARTED),
        ({"user": "viewer"}, Fate.RESTARTED),
        ({"gate": False}, Fate.RESTARTED),
        ({"masks": [ZONE]}, Fate.RESTARTED),
        ({"simulated": True}, Fate.RESTARTED),
    ],
)
def test_a_camera_is_opened_anew_only_for_another_stream(changed: dict[str, Any], fate: Fate) -> None:
    old, new = configuration(cameras=[camera("a")]), configuration(cameras=[camera("a", **changed)])
    assert change(old, new).cameras == {"a": fate}


def test_cameras_of_a_gateway_that_changes_are_opened_anew() -> None:
    code = "11010500081310000001"
    cameras = [camera(code, url="gb28181://eyes"), camera("b")]
    old = configuration(cameras=cameras, gateways=[{"id": "eyes", "url": "http://192.0.2.1"}])
    new = configuration(cameras=cameras, gateways=[{"id": "eyes", "url": "http://192.0.2.2"}])
    found = change(old, new)
    assert found.gateways == {"eyes": Fate.RESTARTED}
    assert found.cameras == {code: Fate.RESTARTED, "b": Fate.KEPT}


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"node": {"id": "station-02", "district": "110105", "data_directory": "data"}}, "node.id"),
        ({"node": {"id": "station-01", "district": "110105", "data_directory": "b"}}, "node.data_directory"),
        ({"cloud": {"mqtt": "mqtt://192.0.2.1", "https": "http://127.0.0.1"}}, "cloud.mqtt"),
        ({"outbox": {"quota_mib": 8}}, "outbox.quota_mib"),
        ({"local_mqtt": {"url": "mqtt://192.0.2.1"}}, "local_mqtt"),
    ],
)
def test_what_only_a_new_process_can_take_is_refused_by_name(changed: dict[str, Any], key: str) -> None:
    old = configuration(sensors=[sensor("p")])
    new = configuration(**{"sensors": [sensor("p"), sensor("q")], **changed})
    found = change(old, new)
    assert found == Change((key,))
    assert key in str(found.problem)
    assert "restart the node" in str(found.problem)


def test_piles_may_change_while_their_listener_stays() -> None:
    def listening(**changed: Any) -> NodeConfiguration:
        pile = {"id": "ykc-1", "number": "55031412782305"}
        return configuration(ykc={"port": 8767, "piles": [pile], **changed})

    assert change(listening(), listening(port=8768)).refused == ("ykc.port",)
    assert change(listening(), listening(accept_starts=False)).refused == ()
    assert change(listening(), listening(piles=[])).devices == {"ykc-1": Fate.STOPPED}


def test_piles_of_ocpp_may_change_while_their_listener_stays() -> None:
    def listening(**more: Any) -> NodeConfiguration:
        piles = [{"id": name} for name in more.pop("piles", ("pile-1",))]
        return configuration(ocpp={"security_profile": 0, "piles": piles, **more})

    found = change(listening(), listening(piles=("pile-1", "pile-2"), heartbeat_s=30))
    assert (found.refused, found.devices["pile-2"]) == ((), Fate.STARTED)
    for key, value in (("port", 9_001), ("host", "127.0.0.1"), ("path", "/piles")):
        assert change(listening(), listening(**{key: value})).refused == (f"ocpp.{key}",)


def test_a_node_may_get_another_name() -> None:
    named = {"id": "station-01", "district": "110105", "data_directory": "data", "name": "Shaolin Road"}
    assert change(configuration(), configuration(node=named)).problem is None

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.settings.ocpp import OcppPileSettings, OcppSettings, Quantity
from edge.sources.ocpp.admission import Admission, Denial, Denied, digest, speaks

OPEN = Admission("/ocpp", {"CP-1": "pile-1"}, None)
CLOSED = Admission(
    "/ocpp", {"CP-1": "pile-1", "CP-2": "pile-2"}, {"pile-1": digest(b"p\xc3\xa4ss"), "pile-2": digest(b"x")}
)


def basic(name: str, password: bytes) -> str:
    return "Basic " + base64.b64encode(name.encode() + b":" + password).decode()


def why(found: str | Denied) -> Denial:
    assert isinstance(found, Denied)
    return found.why


def test_without_passwords_the_name_lets_in() -> None:
    assert OPEN.decide("/ocpp/CP-1", None) == "pile-1"
    assert OPEN.decide("/ocpp/CP%2D1?x=1", "Basic nonsense") == "pile-1"


def test_with_passwords_name_and_password_do() -> None:
    assert CLOSED.decide("/ocpp/CP-1", basic("CP-1", b"p\xc3\xa4ss")) == "pile-1"


@pytest.mark.parametrize(
    ("target", "header", "expected"),
    [
        ("/ocpp/CP-9", basic("CP-9", b"x"), Denial.UNKNOWN),
        ("/ocpp/CP-1", None, Denial.NO_PASSWORD),
        ("/ocpp/CP-1", "Bearer x", Denial.NO_PASSWORD),
        ("/ocpp/CP-1", "Basic ???", Denial.NO_PASSWORD),
        ("/ocpp/CP-1", "Basic " + "A" * 2_000, Denial.NO_PASSWORD),
        ("/ocpp/CP-1", basic("CP-1", b"x"), Denial.WRONG_PASSWORD),
        ("/ocpp/CP-1", basic("CP-2", b"x"), Denial.WRONG_PASSWORD),
        ("/ocpp/CP-1", basic("CP-2", b"p\xc3\xa4ss"), Denial.WRONG_PASSWORD),
        ("/CP-1", basic("CP-1", b"p\xc3\xa4ss"), Denial.WRONG_PATH),
        ("/ocpp/", None, Denial.WRONG_PATH),
        ("/ocpp/a%00b", None, Denial.WRONG_PATH),
        ("/ocpp/" + "x" * 49, None, Denial.WRONG_PATH),
    ],
)
def test_who_is_not_let_in_and_why(target: str, header: str | None, expected: Denial) -> None:
    assert why(CLOSED.decide(target, header)) is expected


@given(st.text(max_size=80), st.none() | st.text(max_size=80))
def test_nobody_comes_in_by_nonsense(target: str, header: str | None) -> None:
    assert isinstance(CLOSED.decide(target, header), Denied)


def test_the_version_that_is_spoken() -> None:
    assert speaks(["ocpp1.5", "ocpp1.6"])
    assert not speaks(["ocpp2.0.1"])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"security_profile": 3}, "security profile 3"),
        ({"security_profile": 2}, "certificate_file"),
        ({"security_profile": 1, "piles": [{"id": "pile-1"}]}, "password_file"),
        ({"security_profile": 0, "certificate_file": "x", "key_file": "y"}, "security profile 2"),
        (
            {"security_profile": 0, "piles": [{"id": "a", "charge_point": "X"}, {"id": "b", "charge_point": "X"}]},
            "calls itself X",
        ),
        ({"security_profile": 0, "piles": [{"id": "a", "charge_point": "../x"}]}, "charge_point"),
    ],
)
def test_what_can_not_be_configured_is_said_in_words(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OcppSettings.model_validate(keys)


def test_the_points_of_a_pile() -> None:
    one = OcppPileSettings(id="pile-1")
    two = OcppPileSettings(id="pile-1", connectors=2)
    assert "temperature_c.0" not in {point.name for point in one.declared}
    names = [point.name for point in two.declared]
    assert {"faults", "faults.1", "faults.2", "temperature_c.0", "temperature_c.2", "stop_reason.2"} <= set(names)
    assert len(names) == len(set(names)) <= 200
    largest = OcppPileSettings.model_validate({"id": "p", "connectors": 16, "quantities": [*two.quantities]})
    assert len(largest.declared) <= 200
    with pytest.raises(ValidationError, match="name fewer"):
        OcppPileSettings(id="p", connectors=16, quantities=tuple(Quantity))

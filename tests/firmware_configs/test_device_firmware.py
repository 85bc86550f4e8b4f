"""Firmware of devices: for whom it is signed, and which version stands below which."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_configs.device_firmware import announced_version, family_of, is_lower
from firmware_configs.problems import SignatureWrong
from firmware_configs.signature import ArtifactClass, Signature
from firmware_configs.signing import SigningKey


@pytest.mark.parametrize(
    ("vendor", "model", "family"),
    [
        ("TELD", "DC-120", "teld.dc-120"),
        (" Star  Charge", "AC7", None),
        ("特来电", "直流120", None),
        ("v1.2", "x", None),
    ],
)
def test_a_make_and_model_have_one_name_that_can_be_signed(vendor: str, model: str, family: str | None) -> None:
    found = family_of(vendor, model)
    assert found is not None
    assert found == family_of(vendor.upper(), model.lower())
    if family is not None:
        assert found == family
    signed = SigningKey.make().sign(ArtifactClass.FIRMWARE, found, "V1.0_b7", b"x", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert Signature.parse(signed.content()) == signed


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_two_models_of_a_maker_share_no_name(vendor: str, one: str, other: str) -> None:
    names = family_of(vendor, one), family_of(vendor, other)
    if None not in names and " ".join(one.split()).lower() != " ".join(other.split()).lower():
        assert names[0] != names[1]


def test_who_does_not_say_what_it_is_has_no_name() -> None:
    assert family_of("", "DC-120") is None
    assert family_of("TELD", "  ") is None


@pytest.mark.parametrize(
    ("version", "than", "lower"),
    [
        ("V1.9", "V1.10", True),
        ("V1.10", "V1.9", False),
        ("1.0", "1.0.1", True),
        ("1.0.1", "1.0", False),
        ("A1.0", "B2.0", False),
        ("B2.0", "A1.0", False),
        ("1.0", "1.0", False),
        ("01.5", "1.6", True),
    ],
)
def test_versions_are_ordered_by_their_numbers(version: str, than: str, *, lower: bool) -> None:
    assert is_lower(version, than) is lower


@given(st.from_regex(r"[A-Z0-9._]{1,12}", fullmatch=True), st.from_regex(r"[A-Z0-9._]{1,12}", fullmatch=True))
def test_no_two_versions_are_below_each_other(one: str, other: str) -> None:
    assert not (is_lower(one, other) and is_lower(other, one))
    assert not is_lower(one, one)


def test_what_a_device_announces_is_a_version_or_none() -> None:
    assert announced_version(" V1.0  build 7 ") == "V1.0_build_7"
    assert announced_version("固件") is None
    assert announced_version("") is None


def test_a_version_of_a_maker_is_none_of_ours() -> None:
    key, at = SigningKey.make(), datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(SignatureWrong):
        key.sign(ArtifactClass.PROFILE, "ocpp16_pile", "V1.0_b7", b"x", at=at)
    with pytest.raises(SignatureWrong):
        key.sign(ArtifactClass.FIRMWARE, "teld.dc", "with blanks", b"x", at=at)

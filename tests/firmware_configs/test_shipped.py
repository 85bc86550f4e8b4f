"""What stands in `firmware_configs/profiles` is signed, as it was signed, and can be taken in by this software."""

from pathlib import Path
from typing import Any

import pytest

from edge.configuration.profile_lint import PROBES, profile_mistakes
from edge.configuration.profiles import PROFILE_KINDS, merge_profiles
from edge.node.declaration import software_version
from edge.settings import DEVICE_SECTIONS, NodeConfiguration
from firmware_configs import shipped
from firmware_configs.keyring import SHIPPED, Keyring
from firmware_configs.problems import ArtifactProblem
from firmware_configs.profile import Profile
from firmware_configs.semver import Version
from firmware_configs.shipped import FOLDER, signature_file

FILES = sorted(FOLDER.glob("*/*"))
PROFILES = [file for file in FILES if file.suffix == ".yaml"]
RING = Keyring.of_folders(SHIPPED)


def name(file: Path) -> str:
    return f"{file.parent.name}-{file.name}"


@pytest.mark.parametrize("file", PROFILES, ids=name)
def test_each_profile_is_as_it_was_signed_and_has_no_mistakes(file: Path) -> None:
    signed = shipped.read_file(file, RING)
    signed.profile.require_place(file)
    assert signed.profile.minimum_software <= Version.parse(software_version())
    assert signed.profile.notes
    assert [mistake.text(file) for mistake in profile_mistakes(signed.content)] == []


@pytest.mark.parametrize("file", PROFILES, ids=name)
def test_a_changed_profile_is_no_longer_what_was_signed(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / file.parent.name / file.name
    copy.parent.mkdir()
    signature_file(copy).write_bytes(signature_file(file).read_bytes())
    for changed in (file.read_bytes() + b"\n", file.read_bytes().replace(b"0", b"1", 1), file.read_bytes()[:-1]):
        copy.write_bytes(changed)
        with pytest.raises(ArtifactProblem):
            shipped.read_file(copy, RING)


class One:
    """A source of one profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def profile(self, _kind: str) -> Profile:
        return self._profile


@pytest.mark.parametrize("file", PROFILES, ids=name)
def test_a_profile_takes_away_nothing_that_a_kind_watches_by_itself(file: Path) -> None:
    profile = Profile.parse(file.read_bytes())
    tree = {
        "node": {"id": "n", "district": "110105", "data_directory": "/nowhere"},
        "cloud": {"mqtt": "mqtt://192.0.2.1", "https": "http://192.0.2.1"},
        **PROBES[profile.kind](profile),
    }
    for path in PROFILE_KINDS[profile.kind].places[:1]:
        entries: Any = tree
        for step in path:
            entries = entries[step]
        entries[0]["profile"] = profile.kind
    merge_profiles(tree, One(profile))
    for device in NodeConfiguration.model_validate(tree).devices:
        watched = {(rule.kind, getattr(rule, "point", None)) for rule in device.rules}
        assert {(rule.kind, getattr(rule, "point", None)) for rule in device.default_rules} <= watched


def test_every_kind_that_the_software_knows_has_a_profile_and_a_probe() -> None:
    assert set(shipped.kinds()) == set(PROFILE_KINDS) == set(PROBES)


def test_nothing_else_lies_there() -> None:
    assert {file for file in FILES if file.suffix == ".sig"} == {signature_file(file) for file in PROFILES}
    assert {file.suffix for file in FILES} == {".yaml", ".sig"}
    assert RING.problems == {}


def test_profiles_stand_where_the_software_has_its_devices() -> None:
    places = {place for kind in PROFILE_KINDS.values() for place in kind.places}
    assert places <= {("cameras",), *DEVICE_SECTIONS}


def test_no_private_key_is_kept_in_the_repository() -> None:
    for file in Path(shipped.__file__).parent.rglob("*"):
        if file.is_file():
            assert b"PRIVATE KEY" not in file.read_bytes() or file.suffix in {".py", ".pyc"}, file

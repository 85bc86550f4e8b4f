"""`gridward-edge configs`, as a maintainer calls it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edge.configs_command import configs_app
from edge.errors import ConfigurationError
from firmware_configs.shipped import signature_file
from tests.firmware_configs.keys import profile_bytes


class Desk:
    """A folder with a key and profiles in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.key, self.public = folder / "site.key", folder / "keys"

    def profile(self, version: str = "1.0.0", kind: str = "node", /, **settings: Any) -> Path:
        file = self.folder / kind / f"{version}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(profile_bytes(kind, version, **settings))
        return file

    def says(self, *words: object, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            configs_app([str(word) for word in words])
        assert ended.value.code == status
        return self._capsys.readouterr().out

    def with_key(self) -> "Desk":
        self.says("keygen", "site-2026", "--out", self.key, "--public", self.public)
        return self


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_a_key_is_made_a_profile_signed_and_whoever_trusts_the_key_verifies_it(desk: Desk) -> None:
    desk.with_key()
    assert (desk.key.stat().st_mode & 0o777, b"PRIVATE" in desk.key.read_bytes()) == (0o600, True)
    assert b"PRIVATE" not in (desk.public / "site-2026.pub").read_bytes()
    file = desk.profile(memory={"keep_days": 3})
    assert "profile node 1.0.0" in desk.says("sign", file, "--key", desk.key)
    told = json.loads(desk.says("verify", file, "--keys", desk.public, "--json"))
    assert (told[0]["ok"], told[0]["signed_by"], told[0]["version"]) == (True, "site-2026", "1.0.0")
    assert "not among the trusted" in desk.says("verify", file, status=1)


def test_what_was_signed_stays_as_it_is(desk: Desk) -> None:
    desk.with_key()
    file = desk.profile(memory={"keep_days": 3})
    desk.says("sign", file, "--key", desk.key)
    desk.profile(memory={"keep_days": 4})
    with pytest.raises(ConfigurationError, match="were signed"):
        configs_app(["sign", str(file), "--key", str(desk.key)], standalone_mode=False)
    assert "signed" in desk.says("verify", file, "--keys", desk.public, status=1)


def test_a_profile_with_mistakes_is_not_signed(desk: Desk) -> None:
    desk.with_key()
    file = desk.profile(cloud={"mqtt": "mqtt://elsewhere"})
    with pytest.raises(ConfigurationError, match="not `cloud`"):
        configs_app(["sign", str(file), "--key", str(desk.key)], standalone_mode=False)
    assert not signature_file(file).exists()


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        (
            "ocpp16_pile",
            {"rules": [{"kind": "threshold", "point": "temperature_c", "above": 60, "clear": 70}]},
            "settings.rules",
        ),
        ("ocpp16_pile", {"rules": [{"kind": "threshold", "point": "warmth", "above": 60}]}, "settings.rules"),
        ("ocpp16_pile", {"meter_period_s": 0}, "settings.meter_period_s"),
        ("ocpp16_pile", {"colour": "red"}, "settings.colour"),
        ("ocpp16_pile", {"password_file": "/etc/shadow"}, "settings.password_file"),
        ("sos_terminal", {"kind": "toaster"}, "settings.kind"),
        ("rtsp_camera", {"model": "no_such_model"}, "settings.model"),
        ("rtsp_camera", {"rules": [{"kind": "intrusion", "zone": "floor"}]}, "settings.rules[0].zone"),
        ("smoke_sensor", {"rules": [{"kind": "state", "point": "smoke", "states": []}]}, "settings.rules[0].states"),
        ("toaster", {}, "settings"),
    ],
)
def test_mistakes_are_told_with_their_place(desk: Desk, kind: str, settings: dict[str, Any], reason: str) -> None:
    file = desk.profile("1.0.0", kind, **settings)
    said = desk.says("lint", file, "--json", status=2)
    assert any(each["where"].startswith(reason) for each in json.loads(said)["mistakes"]), said


def test_a_site_that_has_decided_so_lets_its_piles_be_stopped_by_a_profile_of_its_own(desk: Desk) -> None:
    rules = [{"kind": "threshold", "id": "hot", "point": "temperature_c", "above": 85, "act": "stop_charge"}]
    file = desk.profile("1.1.0", "ocpp16_pile", allow_stop=True, rules=rules)
    desk.says("lint", file)
    file = desk.profile("1.1.0", "ocpp16_pile", rules=rules)
    assert "allow_stop" in desk.says("lint", file, status=2)


def test_a_mistake_is_told_with_its_line(desk: Desk) -> None:
    file = desk.profile()
    file.write_text("profile: node\nversion: 1.0.0\nminimum_software: 0.1.0\nsettings:\n  memory:\n    keep_days: -1\n")
    assert f"{file}:6: settings.memory.keep_days" in desk.says("lint", file, status=2)
    file.write_text("profile: node\nversion: 2.0.0\nminimum_software: 0.1.0\nsettings: {}\n")
    assert "belongs into node/2.0.0.yaml" in desk.says("lint", file, status=2)


def test_what_differs_is_told_in_words(desk: Desk) -> None:
    old, new = desk.profile(memory={"keep_days": 3}), desk.profile("1.1.0", memory={"keep_days": 4})
    assert desk.says("diff", old, new) == "version: 1.0.0 → 1.1.0\nmemory.keep_days: 3 → 4\n"
    assert desk.says("diff", old, old) == "nothing differs\n"
    assert json.loads(desk.says("diff", old, new, "--json"))[1]["move"] == "changed"


def test_models_and_programs_are_signed_as_what_they_are(desk: Desk) -> None:
    desk.with_key()
    model, program = desk.folder / "mine.zip", desk.folder / "gridward-0.2.0-py3-none-any.whl"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("manifest.yaml", "id: fire_v2\nversion: 2.0.0\n")
    program.write_bytes(b"wheel")
    said = desk.says("sign", model, program, "--key", desk.key)
    assert "model fire_v2 2.0.0" in said
    assert "program gridward 0.2.0" in said
    assert json.loads(desk.says("verify", model, program, "--keys", desk.public, "--json"))[1]["artifact"] == "program"
    for wrong in (desk.folder / "notes.txt", desk.folder / "other-1.0.0.whl", desk.folder / "broken.zip"):
        wrong.write_bytes(b"x")
        with pytest.raises(ConfigurationError):
            configs_app(["sign", str(wrong), "--key", str(desk.key)], standalone_mode=False)


def test_a_firmware_is_signed_for_its_make_and_model(desk: Desk) -> None:
    file = desk.with_key().folder / "update.img"
    file.write_bytes(b"firmware")
    with pytest.raises(ConfigurationError, match="--vendor"):
        configs_app(["sign", str(file), "--key", str(desk.key), "--version", "V1.10"], standalone_mode=False)
    told = desk.says("sign", file, "--key", desk.key, "--vendor", "TELD", "--model", "DC-120", "--version", "V1.10")
    assert "firmware teld.dc-120 V1.10" in told
    verified = json.loads(desk.says("verify", file, "--keys", desk.public, "--json"))
    assert (verified[0]["ok"], verified[0]["artifact"], verified[0]["name"]) == (True, "firmware", "teld.dc-120")


def test_the_shipped_profiles_are_listed(desk: Desk) -> None:
    told = json.loads(desk.says("list", "--json"))
    assert all(each["ok"] for each in told)
    assert "ocpp16_pile" in desk.says("list")

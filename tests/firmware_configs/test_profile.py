from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_configs import shipped
from firmware_configs.difference import differences
from firmware_configs.problems import ArtifactProblem, ContentWrong, KeyUnknown, ProfileWrong, SignatureWrong
from firmware_configs.profile import Profile
from firmware_configs.semver import Version
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass
from tests.firmware_configs.keys import made_key, profile_bytes, put, signed

HEAD = b"profile: power_meter\nversion: 1.0.0\nminimum_software: 0.1.0\n"


def test_a_profile_is_read() -> None:
    profile = Profile.parse(HEAD + "notes: 第一版\nsettings: {period_s: 5, rules: [{id: hot, above: 60.5}]}\n".encode())
    assert (profile.kind, str(profile.version), profile.notes) == ("power_meter", "1.0.0", "第一版")
    assert profile.settings == {"period_s": 5, "rules": [{"id": "hot", "above": 60.5}]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "keys and values"),
        (b"\xff", "UTF-8"),
        (b"a: [", "not YAML"),
        (b"- a", "keys and values"),
        (b"profile: Power Meter\n", "name the kind"),
        (HEAD, "`settings`"),
        (HEAD + b"settings: []\n", "`settings`"),
        (HEAD + b"settings: {}\nextra: 1\n", "`extra` is no key"),
        (HEAD.replace(b"1.0.0", b"1.0") + b"settings: {}\n", "`version`"),
        (HEAD.replace(b"0.1.0", b"new") + b"settings: {}\n", "`minimum_software`"),
        (HEAD + b"settings: {a: &x 1, b: *x}\n", "references"),
        (HEAD + b"settings: {a: 1, a: 2}\n", "twice"),
        (HEAD + b"settings: {[1]: 2}\n", "no word"),
        (HEAD + b"settings: {1: 2}\n", "has to be a word"),
        (HEAD + b"settings: {a: 2026-01-01}\n", "date has no place"),
        (HEAD + b"settings: {a: !!python/object:os.system x}\n", "not YAML"),
        (HEAD + b"settings: {<<: {a: 1}}\n", "no word"),
        (HEAD + b"settings: " + b"[" * 2000 + b"]" * 2000, "nested more deeply|not YAML|keys and values|`settings`"),
        (HEAD + b"settings: {a: " + b"[" * 30 + b"]" * 30 + b"}", "nested more deeply"),
        (HEAD + b"notes: " + b"x" * 3000 + b"\nsettings: {}\n", "`notes`"),
        (b" " * (LARGEST_BYTES[ArtifactClass.PROFILE] + 1), "larger than"),
    ],
)
def test_mistakes_are_told_in_words(content: bytes, reason: str) -> None:
    with pytest.raises(ProfileWrong, match=reason):
        Profile.parse(content)


@given(st.binary(max_size=300).map(lambda tail: HEAD + b"settings: {}\n" + tail) | st.binary(max_size=300))
def test_whatever_stands_in_a_profile_is_read_or_refused(content: bytes) -> None:
    try:
        Profile.parse(content)
    except ProfileWrong:
        return


def test_a_file_lies_where_its_content_belongs() -> None:
    profile = Profile.parse(profile_bytes())
    profile.require_place(Path("power_meter/1.0.0.yaml"))
    for wrong in ("water_sensor/1.0.0.yaml", "power_meter/1.0.1.yaml"):
        with pytest.raises(ProfileWrong, match="belongs into"):
            profile.require_place(Path(wrong))


def test_differences_are_told_by_what_they_are_about() -> None:
    old = Profile.parse(
        profile_bytes(rules=[{"id": "hot", "above": 60, "for_s": 30}, {"id": "smoke"}], allow_stop=False, gone=None)
    )
    new = Profile.parse(
        profile_bytes(
            "power_meter", "1.1.0", rules=[{"id": "hot", "above": 65, "for_s": 30}, {"id": "leak"}], allow_stop=True
        )
    )
    assert [str(each) for each in differences(old, new)] == [
        "version: 1.0.0 → 1.1.0",
        "rules[hot].above: 60 → 65",
        "rules[smoke]: gone, was {id: smoke}",
        "rules[leak]: new, {id: leak}",
        "allow_stop: no → yes",
        "gone: gone, was nothing",
    ]
    assert differences(old, old) == ()


SETTINGS = st.dictionaries(
    st.sampled_from(["a", "b", "rules"]),
    st.integers() | st.booleans() | st.lists(st.fixed_dictionaries({"id": st.sampled_from("xyz"), "v": st.integers()})),
)


def plainly(settings: dict[str, object]) -> list[tuple[str, str]]:
    """As it is written, with every list in one order: the order of parts that have names says nothing."""
    ordered = {key: sorted(value, key=repr) if isinstance(value, list) else value for key, value in settings.items()}
    return sorted((key, repr(value)) for key, value in ordered.items())


@given(SETTINGS, SETTINGS)
def test_a_difference_is_told_exactly_where_there_is_one(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = Profile.parse(profile_bytes(**before)), Profile.parse(profile_bytes(**after))
    if not differences(old, new):
        assert plainly(before) == plainly(after)
    assert not differences(old, Profile.parse(profile_bytes(**before)))


def test_a_profile_and_its_signature_are_read_together(tmp_path: Path) -> None:
    key, ring = made_key()
    put(tmp_path, key, "power_meter", "1.0.0", period_s=5)
    put(tmp_path, key, "power_meter", "1.10.0", period_s=6)
    (tmp_path / "power_meter" / "notes.yaml").write_text("x")
    assert shipped.kinds(tmp_path) == ("power_meter",)
    assert [str(each) for each in shipped.versions("power_meter", tmp_path)] == ["1.0.0", "1.10.0"]
    newest = shipped.newest("power_meter", ring, tmp_path)
    assert newest is not None
    assert newest.profile.settings == {"period_s": 6}
    assert shipped.newest("water_sensor", ring, tmp_path) is None


def test_the_newest_that_can_be_verified_counts(tmp_path: Path) -> None:
    key, ring = made_key()
    put(tmp_path, key, "power_meter", "1.0.0")
    put(tmp_path, key, "power_meter", "1.1.0").write_bytes(b"changed")
    newest = shipped.newest("power_meter", ring, tmp_path)
    assert newest is not None
    assert newest.profile.version == Version(1, 0, 0)


def test_what_is_signed_as_something_else_is_refused(tmp_path: Path) -> None:
    key, ring = made_key()
    content = profile_bytes("power_meter", "1.0.0")
    for signature, reason in (
        (signed(key, content, "water_sensor"), "signed as water_sensor"),
        (signed(key, content, version="2.0.0"), "signed as power_meter 2.0.0"),
        (
            key.sign(ArtifactClass.MODEL, "power_meter", "1.0.0", content, at=signed(key, content).signed_at),
            "as a model",
        ),
    ):
        with pytest.raises(ProfileWrong, match=reason):
            shipped.verified(content, signature, ring)
    file = put(tmp_path, key, "power_meter", "1.0.0")
    with pytest.raises(KeyUnknown):
        shipped.read_file(file, made_key()[1])
    shipped.signature_file(file).unlink()
    with pytest.raises(SignatureWrong, match="not signed"):
        shipped.read_file(file, ring)
    with pytest.raises(ContentWrong, match="can't be read"):
        shipped.read_file(tmp_path / "none.yaml", ring)
    assert issubclass(ProfileWrong, ArtifactProblem)

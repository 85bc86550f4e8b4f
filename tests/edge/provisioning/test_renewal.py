"""Renewal: whatever the cloud says or loses, what the node holds is whole, and what it uses is what it holds."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.enrolment import Credentials, Standing
from edge.errors import ConfigurationError, EnrolmentRefused, UplinkLost
from edge.provisioning.enrolment import is_due, keep_configuration_keys, keep_credentials, read_credentials
from edge.provisioning.key import NodeKey, identity_folder, make_key
from edge.provisioning.renewal import Renewal
from edge.provisioning.store import Store
from firmware_configs.problems import ArtifactProblem
from firmware_configs.signature import ArtifactClass
from firmware_configs.signing import SigningKey

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIFE = timedelta(days=90)
OVERLAP = timedelta(days=1)
SIGNING_KEY = SigningKey.make()
CONFIGURATION_KEY = SIGNING_KEY.public("site", valid_from=AT - timedelta(days=365), valid_until=None)


def credentials(generation: int = 1, issued_at: datetime = AT, **fields: object) -> Credentials:
    made = Credentials(
        node="station-01",
        district="110105",
        generation=generation,
        mqtt_user=f"station-01~{generation}",
        mqtt_password=f"password-{generation:020}",
        token=f"gwn_{generation:040}",
        issued_at=issued_at,
        expires_at=issued_at + LIFE,
    )
    return msgspec.structs.replace(made, **fields)


class FakeCloud:
    """Gives credentials and remembers until when each token works; answers get lost, and it is away."""

    def __init__(self) -> None:
        self.now = AT
        self.ends: dict[str, datetime] = {credentials().token: AT + LIFE}
        self.newest = 1
        self.wanted = False
        self.configuration_keys: tuple[str, ...] = ()
        self.is_away = False
        self.loses_answers = False
        self.refuses = False

    def renew(self, key: NodeKey, node: str) -> Credentials:
        assert key.public
        self._reach()
        if self.refuses:
            raise EnrolmentRefused("the cloud refuses: this key is not bound to this node")
        self.newest += 1
        self.wanted = False
        made = credentials(self.newest, self.now, node=node)
        self.ends[made.token] = made.expires_at
        if self.loses_answers:
            raise UplinkLost("the answer was lost")
        return made

    def standing(self, token: str) -> Standing | None:
        self._reach()
        if self.now >= self.ends.get(token, AT):
            return None
        generation = int(token.removeprefix("gwn_"))
        for other, end in self.ends.items():
            if int(other.removeprefix("gwn_")) < generation:
                self.ends[other] = min(end, self.now + OVERLAP)
        return Standing(
            node="station-01",
            generation=generation,
            expires_at=self.ends[token],
            renewal_wanted=self.wanted,
            configuration_keys=self.configuration_keys,
        )

    def _reach(self) -> None:
        if self.is_away:
            raise UplinkLost("the cloud can't be reached")


class Site:
    """A node's folder, its renewal, and what it was told to use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cloud = FakeCloud()
        self.used: list[Credentials] = []
        self.troubles: list[str | None] = []
        self.is_let_in = True
        key = make_key(directory)
        keep_credentials(directory, credentials())
        self.renewal = Renewal(
            directory,
            self.cloud,
            key,
            credentials(),
            clock=lambda: self.cloud.now,
            use=self._use,
            trouble=self.troubles.append,
        )

    def _use(self, given: Credentials) -> bool:
        self.used.append(given)
        return self.is_let_in


def test_what_the_broker_does_not_know_yet_is_tried_again_soon(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.is_let_in = False
    assert not site.renewal.look()
    site.is_let_in = True
    assert site.renewal.look()


def test_credentials_are_renewed_in_their_last_third_and_kept_before_they_are_used(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.renewal.look()
    assert [each.generation for each in site.used] == [1]
    site.cloud.now = AT + timedelta(days=61)
    site.renewal.look()
    assert [each.generation for each in site.used] == [1, 2]
    assert read_credentials(tmp_path) == site.used[-1]
    assert (identity_folder(tmp_path) / "enrolment.json").stat().st_mode & 0o777 == 0o600


def test_a_person_who_wants_new_ones_or_has_ended_the_old_gets_them_at_the_next_look(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.cloud.wanted = True
    site.renewal.look()
    assert site.used[-1].generation == 2
    site.cloud.ends = dict.fromkeys(site.cloud.ends, AT)
    site.renewal.look()
    assert site.used[-1].generation == 3


def test_a_key_that_is_not_bound_any_more_is_told_as_trouble_and_nothing_is_thrown_away(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.cloud.refuses = True
    site.cloud.now = AT + timedelta(days=61)
    with pytest.raises(EnrolmentRefused):
        site.renewal.look()
    assert site.troubles[-1] is not None
    assert "not bound" in site.troubles[-1]
    assert read_credentials(tmp_path) == credentials()
    site.cloud.refuses = False
    site.renewal.look()
    assert site.troubles[-1] is None


def test_credentials_of_another_node_are_not_taken(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.renewal.given = msgspec.structs.replace(credentials(), district="110106")
    site.cloud.wanted = True
    with pytest.raises(EnrolmentRefused, match="110105"):
        site.renewal.look()


def test_a_file_that_holds_something_else_stops_the_node(tmp_path: Path) -> None:
    Site(tmp_path)
    (identity_folder(tmp_path) / "enrolment.json").write_bytes(b'{"node": 1}')
    with pytest.raises(ConfigurationError, match="enrol the node anew"):
        read_credentials(tmp_path)


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("pass"), st.integers(1, 48 * 20)),
            st.tuples(st.just("away"), st.integers(1, 20)),
            st.tuples(st.just("lost"), st.integers(1, 4)),
            st.tuples(st.just("wanted"), st.just(0)),
        ),
        max_size=12,
    )
)
def test_while_the_cloud_is_not_away_for_a_month_the_node_is_never_shut_out(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    site = Site(tmp_path_factory.mktemp("node"))
    cloud = site.cloud

    def look(times: int = 1, apart: timedelta = timedelta(0)) -> None:
        for _ in range(times):
            cloud.now += apart
            with contextlib.suppress(UplinkLost):
                site.renewal.look()
            kept = read_credentials(site.directory)
            assert kept == site.renewal.given
            assert all(cloud.now < cloud.ends[each.token] for each in (kept, *site.used[-1:]))

    for step, value in steps:
        cloud.is_away, cloud.loses_answers = step == "away", step == "lost"
        if step == "pass":
            look(value // 12, timedelta(hours=12))
        elif step == "away":
            look(value, timedelta(days=1))
        elif step == "lost":
            look(value)
        else:
            cloud.wanted = True
        cloud.is_away = cloud.loses_answers = False
        look()


def key_file(**fields: Any) -> str:
    return replace(CONFIGURATION_KEY, **fields).content().decode()


def trusts(directory: Path) -> bool:
    signature = SIGNING_KEY.sign(ArtifactClass.PROFILE, "ocpp16_pile", "1.0.1", b"x", at=AT)
    try:
        Store(directory).keyring().verify(signature)
    except ArtifactProblem:
        return False
    return True


def test_a_revoked_configuration_key_reaches_a_node_that_has_it_and_no_old_answer_gives_it_back(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for told, is_trusted in ((key_file(), True), (key_file(revoked=True), False), (key_file(), False)):
        site.cloud.configuration_keys = (told,)
        site.renewal.look()
        assert trusts(tmp_path) is is_trusted


def test_another_end_of_a_configuration_key_reaches_a_node_and_a_damaged_file_is_mended(tmp_path: Path) -> None:
    keep_configuration_keys(tmp_path, (key_file(valid_until=AT - timedelta(days=1)),))
    assert not trusts(tmp_path)
    keep_configuration_keys(tmp_path, (key_file(),))
    assert trusts(tmp_path)
    [file] = (tmp_path / "keys").iterdir()
    file.write_bytes(b"{")
    assert not trusts(tmp_path)
    keep_configuration_keys(tmp_path, (key_file(),))
    assert trusts(tmp_path)


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_in_whatever_order_the_files_of_a_key_come_revoked_is_revoked(
    tmp_path_factory: pytest.TempPathFactory, revoked: list[bool]
) -> None:
    directory = tmp_path_factory.mktemp("node")
    keep_configuration_keys(directory, tuple(key_file(revoked=each) for each in revoked))
    assert trusts(directory) is not any(revoked)


def test_when_they_are_due() -> None:
    given_ones = credentials()
    assert not is_due(given_ones, AT + timedelta(days=59))
    assert is_due(given_ones, AT + timedelta(days=60))
    assert is_due(credentials(expires_at=AT - LIFE), AT)


def block_keys(directory: Path) -> None:
    """The folder of the keys can't be made, whoever the node runs as: a file has its name."""
    (directory / "keys").write_bytes(b"")


def test_keys_that_can_not_be_written_cost_no_credentials_are_told_and_written_later(tmp_path: Path) -> None:
    site = Site(tmp_path)
    block_keys(tmp_path)
    site.cloud.wanted, site.cloud.configuration_keys = True, (key_file(revoked=True),)
    site.renewal.look()
    assert not site.renewal.look()
    assert read_credentials(tmp_path) == site.renewal.given == site.used[-1]
    assert site.used[-1].generation == 2
    assert site.troubles[-1] is not None
    assert "keys" in site.troubles[-1]
    assert site.renewal.unkept
    (tmp_path / "keys").unlink()
    assert site.renewal.look()
    assert site.troubles.pop() is None
    assert [file.read_text() for file in (tmp_path / "keys").iterdir()] == [key_file(revoked=True)]


def test_one_key_that_can_not_be_written_keeps_no_other_from_being_revoked(tmp_path: Path) -> None:
    other = SigningKey.make().public("other", valid_from=AT, valid_until=None)
    (tmp_path / "keys" / f"{other.fingerprint}.pub").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="1 of the public keys"):
        keep_configuration_keys(tmp_path, (other.content().decode(), key_file()))
    written = tmp_path / "keys" / f"{CONFIGURATION_KEY.fingerprint}.pub"
    assert written.read_bytes() == CONFIGURATION_KEY.content()


class PowerCut(BaseException):
    """The node ends here, and nothing of it is left but its files."""


@pytest.mark.parametrize("cut_before", range(1, 6))
def test_an_end_before_any_write_leaves_credentials_that_work_and_the_next_start_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_before: int
) -> None:
    site = Site(tmp_path)
    site.cloud.wanted, site.cloud.configuration_keys = True, (key_file(),)
    left = cut_before

    def cut(real: Any) -> Any:
        def write(self: Path, *args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise PowerCut
            return real(self, *args, **kwargs)

        return write

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "write_bytes"):
            patched.setattr(Path, name, cut(getattr(Path, name)))
        with contextlib.suppress(PowerCut):
            site.renewal.look()
            site.renewal.look()
    kept = read_credentials(tmp_path)
    assert kept is not None
    assert site.cloud.now < site.cloud.ends[kept.token]
    again = Renewal(
        tmp_path,
        site.cloud,
        make_key(tmp_path),
        kept,
        clock=lambda: site.cloud.now,
        use=lambda _given: True,
        trouble=site.troubles.append,
    )
    again.look()
    again.look()
    assert trusts(tmp_path)
    assert read_credentials(tmp_path) == again.given

"""What is sent by chat, mail and gateway; what is not taken as an address; what is kept of addresses."""

import json
import logging
import ssl
from dataclasses import replace
from email import message_from_string, policy
from pathlib import Path

import pytest

from cloud.errors import ChannelAway, ChannelRefused, Invalid
from cloud.notify import chat, gateway, mail
from cloud.notify.channels import Wish
from cloud.notify.gateway import Gateway
from cloud.notify.mail import Mailbox, Security
from cloud.notify.post import Addresses
from cloud.notify.texts import Text
from cloud.notify.vault import Vault
from cloud.settings import CloudSettings
from tests.cloud.notify.sinks import LOOPBACK, https_sink, mail_sink, tls_of

TEXT = Text("重要 · 新案件", "消防 · 望京街道 · 110105-20260317-0042")


def test_mail_arrives() -> None:
    with mail_sink() as sink:
        url = f"mailto://127.0.0.1:{sink.port}?smtp=127.0.0.1&from=gridward@example.org&to=chief@example.org&mode=insecure"
        chat.check(url)
        chat.send(url, TEXT, Addresses(LOOPBACK))
        (raw,) = sink.messages
    message = message_from_string(raw, policy=policy.default)
    assert message["subject"] == TEXT.title
    assert "chief@example.org" in message["to"]
    assert TEXT.body in message.get_content()


def test_mail_to_a_server_inside_is_refused_unless_it_was_named() -> None:
    with mail_sink() as sink:
        with pytest.raises(ChannelRefused, match="forbidden_address"):
            chat.send(f"mailto://127.0.0.1:{sink.port}?from=a@example.org&to=b@example.org", TEXT, Addresses())
        assert not sink.messages


def test_mail_goes_to_the_address_that_was_looked_at_and_not_to_the_name_again() -> None:
    """A name that answers otherwise the second time (DNS rebinding) gains nothing; this one has no answer but the first."""
    asked: list[str] = []

    def once(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with mail_sink() as sink:
        url = f"mailto://rebinding.invalid:{sink.port}?smtp=rebinding.invalid&from=a@example.org&to=b@example.org&mode=insecure"
        chat.send(url, TEXT, Addresses(LOOPBACK, resolve=once))
        assert len(sink.messages) == 1
    assert asked == ["rebinding.invalid"]


@pytest.mark.parametrize("security", [Security.SSL, Security.STARTTLS])
def test_the_certificate_of_a_mail_server_is_for_the_name_that_was_given(tmp_path: Path, security: Security) -> None:
    server_side, trust = tls_of(tmp_path)
    box = Mailbox(host="127.0.0.1", port=0, security=security, sender=("", "a@example.org"), to=[("", "b@example.org")])
    with mail_sink(server_side, at_once=security is Security.SSL) as sink:
        mail.send(replace(box, port=sink.port), TEXT, address="127.0.0.1", trust=trust)
        for name, trusted in (("mail.example.org", trust), ("127.0.0.1", ssl.create_default_context())):
            with pytest.raises(ChannelAway):
                mail.send(replace(box, host=name, port=sink.port), TEXT, address="127.0.0.1", trust=trusted)
        assert len(sink.messages) == 1


def test_mail_that_nobody_takes_is_tried_again() -> None:
    with mail_sink() as sink:
        port = sink.port
    with pytest.raises(ChannelAway):
        chat.send(f"mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org", TEXT, Addresses(LOOPBACK))


@pytest.mark.parametrize(
    "url",
    [
        "dingtalk://tok12345token",
        "dingtalk://SEC123@tok12345token",
        "wecombot://abcdefgh-1234-1234-1234-abcdefabcdef",
        "feishu://tokentokentoken",
        "mailtos://user:word@example.org?to=chief@example.org",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    chat.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/x",
        "jsons://example.org",
        "syslog://",
        "dbus://",
        "windows://",
        "exec:///bin/true",
        "file:///etc/passwd",
        "http://169.254.169.254/",
        "DINGTALK",
        "",
        "dingtalk://",
        "dingtalk://tok12345token?verify=no",
        "mailto://u:p@example.org?pgp=yes&pgppub=/etc/passwd",
        "mailto://u:p@example.org?%70gppub=/etc/passwd",
        "mailto://u:p@example.org?+x-header=1",
        "mailto://u:p@example.org\r\nRCPT TO:<x@y>",
        "mailto://u:p@example.org?to=a@b.org%0d%0aBcc:x@y.org",
        "mailto://[::1",
        "feishu://token token",
        "dingtalk://" + "x" * 2_000,
        "dingtalk://tok12345token?" + "&".join(f"a{n}=1" for n in range(100)),
    ],
)
def test_what_an_address_of_the_library_could_do_else_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        chat.check(url)
    assert "passwd" not in str(refused.value), "what is refused is not repeated"


def test_a_gateway_is_told_once_under_one_key(tmp_path: Path) -> None:
    with https_sink(tmp_path) as sink:
        for _ in range(2):
            gateway.send(sink.post(), Gateway(sink.url, "13800138000", "secret"), TEXT, delivery_id=7)
        first, second = sink.received
    assert json.loads(first.body) == {
        "id": "gridward-notice-7",
        "to": "13800138000",
        "title": TEXT.title,
        "text": TEXT.body,
    }
    assert first.headers["authorization"] == "Bearer secret"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "gridward-notice-7"


@pytest.mark.parametrize(
    ("url", "to", "token"),
    [
        ("http://example.org", "1", ""),
        ("https://u:p@example.org", "1", ""),
        ("https://example.org:0/", "1", ""),
        ("https://example.org:x/", "1", ""),
        ("https://exa\r\nmple.org", "1", ""),
        ("https://example.org", "1\r\n2", ""),
        ("https://example.org", "1", "a\r\nHost: x"),
    ],
)
def test_what_is_no_gateway_is_refused(url: str, to: str, token: str) -> None:
    with pytest.raises(Invalid):
        Gateway.of(url, to, token)


def test_addresses_are_unreadable_without_the_key() -> None:
    vault = Vault(bytes(32))
    sealed = vault.seal(b"dingtalk://secret")
    assert b"secret" not in sealed
    assert vault.open(sealed) == b"dingtalk://secret"
    with pytest.raises(Invalid):
        Vault(bytes(31) + b"x").open(sealed)
    assert vault.fingerprint(b"a") != Vault(bytes(31) + b"x").fingerprint(b"a")


def test_the_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    settings = CloudSettings.model_validate({"database_url": "postgresql://x@h/d", "data_directory": tmp_path})
    first, second = Vault.of(settings), Vault.of(settings)
    assert first.push_public_key == second.push_public_key
    assert (tmp_path / "keys" / "notice.key").stat().st_mode & 0o777 == 0o600


def test_addresses_stand_in_no_log_and_no_representation(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wish = Wish.chat("mailto://user:hidden@127.0.0.1:1?from=c@b.org&to=a@b.org", label="Mail", place=1)
    with pytest.raises(ChannelAway):
        chat.send(wish.target.decode(), TEXT, Addresses(LOOPBACK))
    assert "hidden" not in caplog.text
    assert "hidden" not in repr(wish)

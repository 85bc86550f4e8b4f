from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud.errors import ChannelAway, ChannelRefused, Invalid
from cloud.notify import web_push
from cloud.notify.model import Urgency
from cloud.notify.vault import Vault
from cloud.notify.web_push import LARGEST_MESSAGE, Browser, decode, encode, encrypt
from tests.cloud.notify.sinks import HttpsSink, Phone, check_vapid, https_sink

NOW = datetime(2026, 3, 17, 4, 30, tzinfo=UTC)
VAULT = Vault(bytes(32))


def test_the_example_of_the_rfc() -> None:
    """RFC 8291, appendix A."""
    own = ec.derive_private_key(int.from_bytes(decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1())
    browser = Browser(
        "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        decode("BTBZMqHH6r4Tts7J_aSIgg"),
    )
    body = encrypt(
        b"When I grow up, I want to be a watermelon", browser, own=own, salt=decode("DGv6ra1nlYgDCS1FRnbzlw")
    )
    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95b"
        "Qpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.fixture
def sink(tmp_path: Path) -> Any:
    with https_sink(tmp_path) as sink:
        yield sink


def send(sink: HttpsSink, phone: Phone) -> None:
    web_push.send(
        sink.post(),
        Browser(sink.url, phone.public_key, phone.secret),
        {"number": "110105-20260317-0042", "severity": "high"},
        key=VAULT.push_key,
        contact="mailto:operator@example.org",
        topic="case-42",
        urgency=Urgency.ALARM,
        now=NOW,
    )


def test_only_the_browser_reads_it_and_its_service_knows_who_sends(sink: HttpsSink) -> None:
    phone = Phone()
    send(sink, phone)
    (taken,) = sink.received
    assert phone.read(taken.body) == {"number": "110105-20260317-0042", "severity": "high"}
    assert b"0042" not in taken.body
    claims = check_vapid(
        taken.headers["authorization"], f"https://127.0.0.1:{sink.port}", VAULT.push_public_key, now=NOW
    )
    assert claims["sub"] == "mailto:operator@example.org"
    assert (taken.headers["content-encoding"], taken.headers["topic"]) == ("aes128gcm", "case-42")
    assert (taken.headers["urgency"], taken.headers["ttl"]) == ("high", "43200")


def test_no_two_messages_are_encrypted_alike(sink: HttpsSink) -> None:
    phone = Phone()
    send(sink, phone)
    send(sink, phone)
    first, second = sink.received
    assert first.body[:16] != second.body[:16]
    assert first.body[21:86] != second.body[21:86]


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (404, ChannelRefused, "gone"),
        (410, ChannelRefused, "gone"),
        (429, ChannelAway, "busy"),
        (503, ChannelAway, "busy"),
        (400, ChannelRefused, "refused"),
        (301, ChannelRefused, "refused"),
    ],
)
def test_what_a_service_answers(sink: HttpsSink, status: int, error: type[Exception], failure: str) -> None:
    sink.statuses = [status]
    with pytest.raises(error, match=failure):
        send(sink, Phone())
    assert len(sink.received) == 1, "a redirection is not followed"


@pytest.mark.parametrize(
    ("endpoint", "p256dh", "auth"),
    [
        ("http://push.example.org/x", encode(Phone().public_key), encode(bytes(16))),
        ("https://u:p@push.example.org/x", encode(Phone().public_key), encode(bytes(16))),
        ("https://push.example.org:8443/x", encode(Phone().public_key), encode(bytes(16))),
        ("https:///x", encode(Phone().public_key), encode(bytes(16))),
        ("https://push.example.org/x", encode(bytes(65)), encode(bytes(16))),
        ("https://push.example.org/x", encode(Phone().public_key), encode(bytes(15))),
        ("https://push.example.org:x/", encode(Phone().public_key), encode(bytes(16))),
    ],
    ids=["in the clear", "with a password", "another port", "no host", "no point", "short secret", "no port"],
)
def test_what_no_browser_gives_is_refused(endpoint: str, p256dh: str, auth: str) -> None:
    with pytest.raises(Invalid):
        Browser.of(endpoint, p256dh, auth)


def test_a_message_has_a_limit() -> None:
    phone = Phone()
    with pytest.raises(Invalid):
        encrypt(
            b"x" * (LARGEST_MESSAGE + 1),
            Browser("https://x", phone.public_key, phone.secret),
            own=VAULT.push_key,
            salt=bytes(16),
        )

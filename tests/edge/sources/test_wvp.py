"""The HTTP interface of a gateway, against the stand-in over real connections."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from cloud.api.certificate import demo_certificate
from edge.errors import ChannelRefused, ConfigurationError, GatewayLost, SourceLost
from edge.provisioning.credentials import read_secret
from edge.settings import GatewaySettings
from edge.simulators.wvp_gateway import WvpGateway
from edge.simulators.wvp_shapes import StandInChannel
from edge.sources.gb28181 import Channel
from edge.sources.wvp import LOGIN_REST_S, WALK_REST_S, NoStreamInTime, Wvp

Result = TypeVar("Result")

DEVICE = "11010500002000000001"
GATE, ROAD, YARD = "11010500081310000001", "11010500041310000002", "11010500001320000003"
PASSWORD = "Wei-Lan-7788"


def channel(code: str, **more: Any) -> StandInChannel:
    return StandInChannel(
        code, address=f"rtsp://127.0.0.1:9/rtp/{code}", name=f"camera {code[-1]}", device=DEVICE, **more
    )


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Iterator[WvpGateway]:
    options = getattr(request, "param", {})
    with WvpGateway(channel(GATE), channel(ROAD), channel(YARD, online=False), **options) as running:
        yield running


def settings(gateway: WvpGateway, **more: Any) -> GatewaySettings:
    return GatewaySettings.model_validate({"id": "sharp-eyes", "url": gateway.url, **more})


def ask(
    settings: GatewaySettings, call: Callable[[Wvp], Awaitable[Result]], *, clock: Callable[[], float] | None = None
) -> Result:
    """One conversation with a gateway."""

    async def talk() -> Result:
        wvp = Wvp(settings, read_secret, monotonic_s=clock or Clock())
        try:
            return await call(wvp)
        finally:
            await wvp.close()

    return asyncio.run(talk())


async def listed(wvp: Wvp) -> list[Channel]:
    return [channel async for channel in wvp.channels()]


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize("old_fields", [True, False])
def test_all_versions_list_the_same_channels(unified: bool, old_fields: bool) -> None:
    stand_in = WvpGateway(channel(GATE), channel(YARD, online=False), unified=unified, old_fields=old_fields)
    with stand_in as gateway:
        found = ask(settings(gateway), listed)
        assert [(each.code, each.name, each.online) for each in found] == [
            (GATE, "camera 1", True),
            (YARD, "camera 3", False),
        ]
        one = ask(settings(gateway), lambda wvp: wvp.channel(YARD, None))
        assert one is not None
        assert (one.code, one.online) == (YARD, False)
        assert ask(settings(gateway), lambda wvp: wvp.channel(GATE, DEVICE)) == Channel(
            GATE,
            "camera 1",
            online=True,
            device=DEVICE,
            department=found[0].department,
            manufacturer="Hikvision",
            civil_code="110105",
        )


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
@pytest.mark.parametrize("last_page_again", [True, False])
def test_pages_are_read_to_the_last_and_no_further(count: int, last_page_again: bool) -> None:
    channels = [channel(f"11010500081310{number:06d}") for number in range(count)]
    with WvpGateway(*channels, last_page_again=last_page_again) as gateway:
        found = ask(settings(gateway), listed)
        assert [each.code for each in found] == [each.code for each in channels]
        assert gateway.asked("/api/common/channel/list") <= count // 100 + 1


def test_elements_without_a_code_are_left_out_and_others_kept() -> None:
    odd = [channel(GATE, fields={"gbStatus": None, "gbName": None}), channel(ROAD, fields={"gbDeviceId": None})]
    with WvpGateway(*odd, channel(YARD, fields={"gbLongitude": "x", "gbStatus": [1]})) as gateway:
        found = ask(settings(gateway), listed)
        assert [(each.code, each.name, each.online) for each in found] == [(GATE, "", None), (YARD, "camera 3", None)]


@pytest.mark.parametrize("unified", [True, False])
def test_an_invitation_tells_where_the_stream_is(unified: bool) -> None:
    with WvpGateway(channel(GATE), unified=unified) as gateway:

        async def invite(wvp: Wvp) -> tuple[str, ...]:
            found = await wvp.channel(GATE, None)
            assert found is not None
            return await wvp.play(found)

        assert ask(settings(gateway), invite) == (f"rtsp://127.0.0.1:9/rtp/{GATE}",)
        assert ask(settings(gateway, stream_host="media.example"), invite) == (f"rtsp://media.example:9/rtp/{GATE}",)
        assert gateway.channels[GATE].plays == 2


def test_a_walk_through_all_devices_is_not_made_again_for_every_try() -> None:
    clock = Clock()
    with WvpGateway(channel(GATE), unified=False) as gateway:

        async def look(wvp: Wvp) -> None:
            assert await wvp.channel(ROAD, None) is None
            walked = gateway.asked("/api/device/query/devices")
            assert await wvp.channel(ROAD, None) is None
            assert gateway.asked("/api/device/query/devices") == walked
            gateway.channels[ROAD] = channel(ROAD)
            clock.now_s += WALK_REST_S
            assert await wvp.channel(ROAD, None) is not None

        ask(settings(gateway), look, clock=clock)


# --- log-in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gateway", [{"user": "gridward", "password": PASSWORD}], indirect=True)
def test_one_logs_in_once_and_again_when_the_token_is_worn_out(gateway: WvpGateway, password_file: Path) -> None:
    async def talk(wvp: Wvp) -> None:
        await asyncio.gather(*(wvp.channel(GATE, None) for _ in range(8)))
        assert wvp.logins == 1
        gateway.expire_tokens()
        await asyncio.gather(*(wvp.channel(GATE, None) for _ in range(8)))
        assert wvp.logins == 2
        assert len(await listed(wvp)) == 3
        assert wvp.logins == 2

    ask(settings(gateway, user="gridward", password_file=password_file), talk)


@pytest.mark.parametrize("gateway", [{"user": "gridward", "password": "another"}], indirect=True)
def test_a_refused_log_in_is_not_tried_again_at_once(gateway: WvpGateway, password_file: Path) -> None:
    clock = Clock()

    async def talk(wvp: Wvp) -> None:
        for _ in range(5):
            with pytest.raises(GatewayLost, match=r"refuses the log-in of `gridward`: 用户名或密码错误"):
                await wvp.channel(GATE, None)
        assert wvp.logins == 1
        clock.now_s += LOGIN_REST_S
        with pytest.raises(GatewayLost):
            await wvp.channel(GATE, None)
        assert wvp.logins == 2

    ask(settings(gateway, user="gridward", password_file=password_file), talk, clock=clock)


@pytest.mark.parametrize("gateway", [{"api_key": "key-of-a-node"}], indirect=True)
def test_a_key_lets_in_without_a_log_in(gateway: WvpGateway, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("key-of-a-node")
    file.chmod(0o600)
    assert len(ask(settings(gateway, api_key_file=file), listed)) == 3
    assert gateway.asked("/api/user/login") == 0
    file.write_text("another")
    with pytest.raises(GatewayLost, match="does not let this node in"):
        ask(settings(gateway, api_key_file=file), listed)
    with pytest.raises(GatewayLost, match="does not let this node in"):
        ask(settings(gateway), listed)
    file.unlink()
    with pytest.raises(GatewayLost, match="can't be read"):
        ask(settings(gateway, api_key_file=file), listed)


@pytest.mark.parametrize("gateway", [{"user": "gridward", "password": PASSWORD}], indirect=True)
def test_secrets_stand_in_no_log_and_no_error(
    gateway: WvpGateway, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    gateway.channels[GATE].address = "rtsp://127.0.0.1:9/rtp/x?secret=035c73f7"
    errors: list[str] = []

    async def talk(wvp: Wvp) -> None:
        found = await wvp.channel(GATE, None)
        assert found is not None
        await wvp.play(found)
        gateway.channels[GATE].refusal = (-2, "收流超时")
        with pytest.raises(ChannelRefused) as refused:
            await wvp.play(found)
        gateway.stop()
        with pytest.raises(GatewayLost) as lost:
            await wvp.play(found)
        errors.extend(map(repr, (refused.value, lost.value, lost.value.__cause__)))

    with capture_logs() as logs:
        ask(settings(gateway, user="gridward", password_file=password_file), talk)
    told = "\n".join([*errors, caplog.text, *map(str, logs)])
    for secret in (PASSWORD, gateway._digest, "035c73f7", *gateway._tokens):
        assert secret not in told


# --- gateways in trouble ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [-100, -2, -1, 100, 403, 486, 500])
def test_whatever_the_code_a_refusal_is_told_in_the_gateways_words(gateway: WvpGateway, code: int) -> None:
    gateway.channels[GATE].refusal = (code, "收流超时")
    with pytest.raises(ChannelRefused, match=f"收流超时 .code {code}."):
        ask(settings(gateway), lambda wvp: wvp.play(Channel(GATE, device=DEVICE)))


def test_a_channel_that_vanished_is_not_known_any_more(gateway: WvpGateway) -> None:
    del gateway.channels[GATE]
    assert ask(settings(gateway), lambda wvp: wvp.channel(GATE, None)) is None
    with pytest.raises(ChannelRefused, match="通道不存在"):
        ask(settings(gateway), lambda wvp: wvp.play(Channel(GATE, device=DEVICE)))


def test_a_call_to_play_that_is_held_is_given_up(gateway: WvpGateway) -> None:
    gateway.channels[GATE].held = True
    with pytest.raises(NoStreamInTime, match=r"no stream of this channel within 0\.2 s"):
        ask(settings(gateway, play_timeout_s=0.2), lambda wvp: wvp.play(Channel(GATE, device=DEVICE)))


@pytest.mark.parametrize("address", ["", "http://192.0.2.30/x.flv", "rtsp://"])
def test_an_answer_without_an_rtsp_address_is_a_refusal(gateway: WvpGateway, address: str) -> None:
    gateway.channels[GATE].address = address
    with pytest.raises(ChannelRefused, match="no RTSP address"):
        ask(settings(gateway), lambda wvp: wvp.play(Channel(GATE, device=DEVICE)))


def test_a_channel_that_nothing_says_how_to_play_is_refused(gateway: WvpGateway) -> None:
    with pytest.raises(ChannelRefused, match="name its device"):
        ask(settings(gateway), lambda wvp: wvp.play(Channel(GATE)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b"null",
        b'{"msg":"x"}',
        b'{"code":{},"data":1}',
        b'{"code":0',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"code":0,"data":"' + b"x" * (5 << 20) + b'"}',
        b"\x1f\x8b\x08\x00" + bytes(40),
    ],
)
def test_what_is_no_answer_is_a_lost_gateway(gateway: WvpGateway, body: bytes) -> None:
    gateway.broken = body
    with pytest.raises(GatewayLost):
        ask(settings(gateway), listed)


@pytest.mark.parametrize("data", [b"null", b"7", b"[]", b'{"list":null}', b'{"list":[1,null,{}]}', b'{"total":9}'])
def test_lists_of_nothing_are_empty(gateway: WvpGateway, data: bytes) -> None:
    gateway.broken = b'{"code":0,"msg":"ok","data":' + data + b"}"
    assert ask(settings(gateway), listed) == []


def test_a_list_that_never_ends_is_left(gateway: WvpGateway) -> None:
    rows = ",".join(f'{{"gbDeviceId":"{number:020d}"}}' for number in range(500))
    gateway.broken = f'{{"code":"0","data":[{rows}]}}'.encode()
    assert len(ask(settings(gateway), listed)) == 100


def test_nobody_there_and_a_name_that_nobody_has_are_lost_gateways() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://gateway.invalid:18080"):
        broken = GatewaySettings.model_validate({"id": "g", "url": url})
        with pytest.raises(GatewayLost, match="does not answer"):
            ask(broken, listed)


def test_one_that_accepts_and_drips_for_ever_is_left_after_the_whole_time() -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            client, _ = server.accept()
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not over.wait(0.01):
                    try:
                        client.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        slow = GatewaySettings.model_validate(
            {"id": "g", "url": f"http://127.0.0.1:{server.getsockname()[1]}", "play_timeout_s": 0.3}
        )
        try:
            with pytest.raises(SourceLost, match=r"within 0\.3 s"):
                ask(slow, lambda wvp: wvp.play(Channel(GATE, device=DEVICE)))
        finally:
            over.set()
            thread.join()


def test_an_encrypted_gateway_has_to_be_who_it_says(tmp_path: Path) -> None:
    made = demo_certificate(tmp_path, ["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with WvpGateway(channel(GATE), tls=context) as gateway:
        assert [each.code for each in ask(settings(gateway, ca_file=made.authority), listed)] == [GATE]
        with pytest.raises(GatewayLost, match="does not answer"):
            ask(settings(gateway), listed)


def test_an_authority_that_can_not_be_read_is_told(gateway: WvpGateway, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    strict = settings(gateway, ca_file=file).model_copy(update={"url": "https://127.0.0.1:1"})
    with pytest.raises(GatewayLost, match="authority"):
        ask(strict, listed)


def test_a_secret_that_is_none_is_told_without_it(gateway: WvpGateway) -> None:
    def secret(_file: Path | None) -> str | None:
        raise ConfigurationError("the secret can't be read")

    async def talk() -> None:
        wvp = Wvp(settings(gateway, user="u", password_file=Path("/nowhere")), secret)
        try:
            with pytest.raises(GatewayLost, match="can't be read"):
                await wvp.channel(GATE, None)
        finally:
            await wvp.close()

    asyncio.run(talk())

"""Gateways and the channels behind them in a configuration."""

from pathlib import Path

import pytest

from edge.configuration.reading import examine_text
from edge.settings import Department

BEFORE = """
node: {id: n, district: "110105", data_directory: d}
cloud: {mqtt: "mqtt://cloud:1883", https: "https://cloud"}
"""
CODE = "11010500081310000001"
DEVICE = "11010500002000000001"


def mistakes(text: str, folder: Path) -> list[tuple[str, str]]:
    _, found = examine_text(BEFORE + text, folder=folder)
    return [(each.where, each.reason) for each in found]


def test_gateways_and_channels_are_read(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    text = f"""
gateways:
  - {{id: sharp-eyes, url: "http://192.0.2.20:18080/wvp", user: u, password_file: password, stream_host: "2001:db8::1"}}
cameras:
  - {{id: "{CODE}", url: "gb28181://sharp-eyes", model: null, department: traffic}}
  - {{id: "{CODE[:-1]}2", url: "gb28181://sharp-eyes/{DEVICE}", model: null}}
"""
    configuration, found = examine_text(BEFORE + text, folder=tmp_path)
    assert found == []
    assert configuration is not None
    (gateway,) = configuration.gateways
    assert (gateway.password_file, gateway.play_timeout_s) == (tmp_path / "password", 20.0)
    assert [camera.department for camera in configuration.cameras] == [Department.TRAFFIC, None]


@pytest.mark.parametrize(
    ("gateway", "where", "reason"),
    [
        ('url: "http://u:p@h"', "gateways[0].url", "a log-in may not stand here"),
        ('url: "ftp://h"', "gateways[0].url", "has to begin with"),
        ("url: 7", "gateways[0].url", "7"),
        ('url: "http://h", user: u', "gateways[0].user", "belong together"),
        ('url: "http://h", password_file: password', "gateways[0].password_file", "belong together"),
        ('url: "http://h", api_key_file: nowhere', "gateways[0].api_key_file", "there is no file"),
        ('url: "http://h", ca_file: nowhere', "gateways[0].ca_file", "there is no file"),
        (
            'url: "http://h", user: u, password_file: password, api_key_file: password',
            "gateways[0].api_key_file",
            "choose one",
        ),
        ('url: "http://h", stream_host: "a b"', "gateways[0].stream_host", "no name or address of a host"),
        ('url: "http://h", stream_host: "rtsp://h"', "gateways[0].stream_host", "no name or address of a host"),
        ('url: "http://h", play_timeout_s: 0', "gateways[0].play_timeout_s", "out of range"),
        ('url: "http://h", play_timeout_s: 20s', "gateways[0].play_timeout_s", "the unit stands in the key"),
        ('url: "http://h", pasword_file: x', "gateways[0].pasword_file", "did you mean `password_file`"),
    ],
)
def test_a_gateway_that_can_not_be_is_refused(gateway: str, where: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    found = mistakes(f"gateways:\n  - {{id: g, {gateway}}}\n", tmp_path)
    assert [place for place, _ in found] == [where]
    assert reason in found[0][1]


@pytest.mark.parametrize(
    ("camera", "where", "reason"),
    [
        (f'id: "{CODE}", url: "gb28181://elsewhere"', "cameras[0].url", "no gateway `elsewhere`; configured: g"),
        (f'id: "{CODE}", url: "gb28181://"', "cameras[0].url", "no gateway ``"),
        (f'id: "{CODE}", url: "gb28181://g/123"', "cameras[0].url", "no code of a device"),
        (f'id: "{CODE}", url: "gb28181://g:80"', "cameras[0].url", "write gb28181://GATEWAY"),
        (f'id: "{CODE}", url: "gb28181://u:p@g"', "cameras[0].url", "write gb28181://GATEWAY"),
        (f'id: "{CODE}", url: "gb28181://g?x=1"', "cameras[0].url", "write gb28181://GATEWAY"),
        (f'id: "{CODE}", url: "gb28181://[g"', "cameras[0].url", "Invalid IPv6 URL"),
        ('id: gate, url: "gb28181://g"', "cameras[0].id", "20 digits, in quotes"),
        (f'id: {CODE}, url: "gb28181://g"', "cameras[0].id", "put it in quotes"),
        (f'id: "{CODE}", url: "gb28181://g", user: u', "cameras[0].user", "the log-in stands with the gateway"),
        (f'id: "{CODE}", url: "gb28181://g", loop: true', "cameras[0].loop", "only a file"),
        (f'id: "{CODE}", url: "gb28181://g", department: police', "cameras[0].department", "urban_management"),
    ],
)
def test_a_channel_that_can_not_be_is_refused(camera: str, where: str, reason: str, tmp_path: Path) -> None:
    found = mistakes(
        f'gateways: [{{id: g, url: "http://192.0.2.20"}}]\ncameras:\n  - {{{camera}, model: null}}\n', tmp_path
    )
    assert [place for place, _ in found] == [where]
    assert reason in found[0][1]


def test_ids_of_gateways_belong_to_nobody_else(tmp_path: Path) -> None:
    text = 'gateways: [{id: n, url: "http://h"}, {id: g, url: "http://h"}, {id: g, url: "http://h"}]\n'
    assert [place for place, _ in mistakes(text, tmp_path)] == ["gateways[0].id", "gateways[2].id"]

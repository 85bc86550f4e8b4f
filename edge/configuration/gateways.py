"""What has to hold between video gateways, the cameras behind them and the files of their log-ins."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from edge.sources.gb28181 import CODE
from edge.sources.video_gateway import gateway_and_device, is_channel

Location = tuple[str | int, ...]
Found = Iterator[tuple[Location, str]]

_MOST_ITEMS = 1_000


def gateway_incoherences(tree: dict[str, Any]) -> Found:
    """Place and reason of everything that does not fit together. Parts of a wrong type are left to the validation."""
    known: list[str] = []
    for index, gateway in _items(tree, "gateways"):
        yield from _gateway(gateway, ("gateways", index))
        known.append(str(gateway.get("id")))
    for index, camera in _items(tree, "cameras"):
        url = camera.get("url")
        if isinstance(url, str) and is_channel(url):
            yield from _channel(camera, url, known, ("cameras", index))


def _items(tree: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    found = tree.get(key)
    if isinstance(found, list):
        yield from ((index, item) for index, item in enumerate(found[:_MOST_ITEMS]) if isinstance(item, dict))


def _gateway(gateway: dict[str, Any], place: Location) -> Found:
    url = gateway.get("url")
    try:
        with_login = isinstance(url, str) and "@" in urlsplit(url).netloc
    except ValueError:  # the validation says that it is no address
        with_login = False
    if with_login:
        yield (*place, "url"), "a log-in may not stand here: use `user` and `password_file`, or `api_key_file`"
    has_user, has_password = gateway.get("user") is not None, gateway.get("password_file") is not None
    if has_user != has_password:
        yield (*place, "user" if has_user else "password_file"), "`user` and `password_file` belong together"
    elif has_user and gateway.get("api_key_file") is not None:
        yield (*place, "api_key_file"), "choose one: `user` and `password_file`, or `api_key_file`"


def _channel(camera: dict[str, Any], url: str, known: list[str], place: Location) -> Found:
    try:
        gateway, device = gateway_and_device(url)
    except ValueError as error:
        yield (*place, "url"), f"no channel of a gateway: {error}"
        return
    if gateway not in known:
        yield (*place, "url"), f"there is no gateway `{gateway}`; configured: {', '.join(known) or 'none'}"
    if device is not None and not CODE.fullmatch(device):
        yield (*place, "url"), f"`{device[:60]}` is no code of a device: 20 digits"
    name = camera.get("id")
    if isinstance(name, str) and not CODE.fullmatch(name):
        yield (*place, "id"), "a channel of a gateway has its own code as its id: 20 digits, in quotes"
    for key in ("user", "password_file"):
        if camera.get(key) is not None:
            yield (*place, key), "not possible here: the log-in stands with the gateway"
    if camera.get("loop") is True:
        yield (*place, "loop"), "only a file can be played in a loop"

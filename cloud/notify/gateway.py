"""A gateway that takes a message by HTTPS, for text messages (短信) and what a site has of its own.

`POST` with `{"id", "to", "title", "text"}`; `Idempotency-Key` is the same when a message is sent once more.
"""

import json
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from cloud.errors import Invalid
from cloud.notify.post import Post
from cloud.notify.texts import Text


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where to send, to whom (a number, as the gateway wants it), and what it knows us by."""

    url: str
    to: str
    token: str = ""

    @classmethod
    def of(cls, url: str, to: str, token: str) -> Self:
        """The gateway, checked. Raises Invalid."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Invalid("the address can't be read") from None
        if parts.scheme != "https" or not parts.hostname or parts.username is not None or port == 0:
            raise Invalid("a gateway has an address of the form https://host/…")
        if not all(each.isascii() and each.isprintable() for each in (url, token)) or not to.isprintable():
            raise Invalid("the address has characters that no address has")
        return cls(url, to, token)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """As it was kept. Raises Invalid."""
        try:
            kept: dict[str, str] = json.loads(content)
            return cls(kept["url"], kept["to"], kept["token"])
        except (ValueError, KeyError, TypeError):
            raise Invalid("the gateway can't be read") from None

    def to_bytes(self) -> bytes:
        """As it is kept, before it is encrypted."""
        return json.dumps({"url": self.url, "to": self.to, "token": self.token}).encode()


def send(post: Post, gateway: Gateway, text: Text, *, delivery_id: int) -> None:
    """Send a notice. Raises ChannelAway, ChannelRefused."""
    name = f"gridward-notice-{delivery_id}"
    body = json.dumps({"id": name, "to": gateway.to, "title": text.title, "text": text.body}, ensure_ascii=False)
    headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": name}
    if gateway.token:
        headers["Authorization"] = f"Bearer {gateway.token}"
    post.send(gateway.url, body.encode(), headers)

"""Mail, to the one address of the server that was looked at; its certificate has to be for the name that was given.

The library that reads the addresses of mail would ask for the name of the server again when it connects, and whoever answers for the name
could send it into our own network the second time (DNS rebinding).
"""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from enum import StrEnum
from typing import Any

from cloud.errors import ChannelAway
from cloud.notify.model import Failure
from cloud.notify.texts import Text

TIMEOUT_S = 15.0


class Security(StrEnum):
    """How the way to the server is kept from being read: not at all, from the first byte, or from the first command on."""

    INSECURE = "insecure"
    SSL = "ssl"
    STARTTLS = "starttls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Where mail is handed in, from whom and to whom it is. `to` are pairs of a name, which may be empty, and an address."""

    host: str
    port: int
    security: Security
    sender: tuple[str, str]
    to: Sequence[tuple[str, str]]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class _Pinned:
    """Connects to an address, whatever the name leads to by now. The name is what the certificate is held against."""

    def __init__(self, address: str, name: str, port: int, **more: Any) -> None:
        self._address = address
        super().__init__(name, port, timeout=TIMEOUT_S, **more)  # type: ignore[call-arg]  # beside a class of smtplib

    def _get_socket(self, _host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(self._address, port, timeout)  # type: ignore[misc]  # as above
        return connected


class _Plain(_Pinned, smtplib.SMTP):
    pass


class _Secured(_Pinned, smtplib.SMTP_SSL):
    pass


def send(box: Mailbox, text: Text, *, address: str, trust: ssl.SSLContext | None = None) -> None:
    """Hand in a notice at `address`, one message for each who is to have it. Raises ChannelAway."""
    trust = trust or ssl.create_default_context()
    try:
        with _connected(box, address, trust) as server:
            if box.user and box.password:
                server.login(box.user, box.password)
            for to in box.to:
                server.send_message(_message(box, to, text), from_addr=box.sender[1], to_addrs=[to[1]])
    except TimeoutError:
        raise ChannelAway(Failure.TIMED_OUT) from None
    except (OSError, smtplib.SMTPException, ValueError):
        raise ChannelAway(Failure.UNREACHABLE) from None


def _connected(box: Mailbox, address: str, trust: ssl.SSLContext) -> smtplib.SMTP:
    if box.security is Security.SSL:
        return _Secured(address, box.host, box.port, context=trust)
    server = _Plain(address, box.host, box.port)
    if box.security is Security.STARTTLS:
        server.starttls(context=trust)
    return server


def _message(box: Mailbox, to: tuple[str, str], text: Text) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = text.title
    message["From"] = formataddr(box.sender)
    message["To"] = formataddr(to)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=box.sender[1].rpartition("@")[2] or None)
    message.set_content(text.body, cte="base64")  # whatever stands between takes seven bits
    return message

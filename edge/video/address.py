"""Addresses of cameras and files."""

from urllib.parse import quote, urlsplit, urlunsplit


def is_live(address: str) -> bool:
    """Whether the address is a camera rather than a file."""
    return urlsplit(address).scheme in {"rtsp", "rtsps"}


def with_credentials(address: str, user: str | None, password: str | None) -> str:
    """The camera's address with user and password in it, as the RTSP client wants them. Never log the result."""
    if user is None:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    secret = "" if password is None else ":" + quote(password, safe="")
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}{secret}@{host}"))

"""Texts without their secrets (脱敏): what logs, messages and degradations of both sides show of addresses, passwords and keys. Pure.

Rather too much is hidden than too little. Every step takes time that grows with the length of the text, and no faster: what is
masked may have been sent by anybody.
"""

import re
from datetime import date
from typing import Any, Final

HIDDEN: Final = "***"

_WORDS: Final = (
    r"(?:password|passwd|passphrase|(?<![^\W_])(?:pass|psw|pw)|pwd|credentials?|secret|token"
    r"|(?:secret|private|api|access)[_-]?key)\d*"
)
_HEADERS: Final = r"(?:authorization|cookie)"
_IS: Final = r"\\*[\"']?\s*[=:]>?\s*"
_QUOTED: Final = (
    r"(?P<escape>\\+)(?P<quote>[\"']).*?(?:(?<!\\)(?P=escape)(?P=quote)|\Z)"  # a text within a text of JSON
    r"|\"(?:[^\"\\]|\\++.)*+\"?|'(?:[^'\\]|\\++.)*+'?"  # a quote after any backslashes ends nothing: it may be escaped twice
)
_SECRET_KEY: Final = re.compile(rf"(?i)(?:{_WORDS}|{_HEADERS})\Z")
_NAMED: Final = re.compile(rf"(?is)({_WORDS}{_IS})(?:{_QUOTED}|(?:(?:bearer|basic)\s+)?[^\s&]+)")
_HEADER: Final = re.compile(rf"(?is)({_HEADERS}{_IS})(?:{_QUOTED}|[^\r\n]+)")
_BEARER: Final = re.compile(r"\b((?i:bearer)\s+|Basic\s+(?=[a-z+/]*[A-Z0-9=]))[\w.~+/=-]{6,}")
_AGE_KEY: Final = re.compile(r"(?i)\b(AGE-SECRET-KEY-)[0-9A-Z-]+")
_SPACE: Final = re.compile(r"(\s+)")
_PORT: Final = re.compile(r"\d{1,5}(?:[/?#].*)?\Z", re.DOTALL)
_OPENING: Final = "\"'`([{<"


def without_secrets(text: str) -> str:
    """The text without the log-ins of addresses, without values that are named as secrets, and without private keys."""
    text = _AGE_KEY.sub(rf"\g<1>{HIDDEN}", _without_log_ins(text))
    for named in (_HEADER, _NAMED, _BEARER):
        text = named.sub(rf"\g<1>{HIDDEN}", text)
    return text


def without_userinfo(text: str) -> str:
    """The same for a text that is one value, and may be an address: up to its last `@` only the scheme is left."""
    log_in, at, rest = text.rpartition("@")
    if at:
        scheme, separator, _ = log_in.partition("://")
        text = (f"{scheme}://" if separator else "") + f"{HIDDEN}@{rest}"
    return without_secrets(text)


def hidden(value: Any) -> Any:
    """The same for the texts in a value; what is no text, number, time, list or mapping becomes a text."""
    if value is None or isinstance(value, bool | int | float | date):
        return value
    if isinstance(value, bytes | bytearray):
        return without_secrets(value.decode("utf-8", "replace"))
    if isinstance(value, list | tuple | set | frozenset):
        return [hidden(each) for each in value]
    if isinstance(value, dict):
        return {key: shown(key, each) for key, each in value.items()}
    return without_secrets(str(value))


def shown(key: object, value: Any) -> Any:
    """The same for a value under a key; nothing is left of one that the key calls a secret."""
    return HIDDEN if isinstance(key, str) and _SECRET_KEY.search(key) else hidden(value)


def _without_log_ins(text: str) -> str:
    if "@" not in text:
        return text
    words = _SPACE.split(text)  # at even places, with the spaces between them at odd ones
    begun: int | None = None  # the place of a word that looks like the beginning of a log-in with a space in it
    for place in range(0, len(words), 2):
        word = words[place]
        before, at, after = word.rpartition("@")
        begin = before.find("://")
        if begin >= 0:
            words[place] = f"{before[:begin]}://{HIDDEN}@{after}"
            begun = None
        elif "://" in word:
            begun = place if _is_begun(word.partition("://")[2]) else None
        elif at and begun is not None:
            scheme = words[begun].partition("://")[0]
            words[begun : place + 1] = [f"{scheme}://{HIDDEN}@{after}", *[""] * (place - begun)]
            begun = None
        elif at and ":" in before:
            opening = before[: len(before) - len(before.lstrip(_OPENING))]
            words[place] = f"{opening}{HIDDEN}@{after}"
        if begun is not None and place + 1 < len(words) and "\n" in words[place + 1]:
            begun = None
    return "".join(words)


def _is_begun(rest: str) -> bool:
    """Whether what follows `://` has a colon that begins no port."""
    _, colon, port = rest.partition(":")
    return bool(colon) and not rest.startswith("[") and _PORT.match(port) is None

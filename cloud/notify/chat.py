"""Chat robots (钉钉, 企业微信, 飞书) and mail: the one door to apprise, which reads the addresses of all and writes to the robots.

The robots' hosts are fixed in the library; mail goes to a server that somebody names, see `cloud.notify.mail`.

An address of apprise can ask for much: other services, files of this machine, unverified certificates. Only what is listed here is taken.
"""

import logging
import re
import warnings
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cloud.errors import ChannelAway, ChannelRefused, Invalid
from cloud.notify import mail
from cloud.notify.mail import Mailbox, Security
from cloud.notify.model import Failure
from cloud.notify.post import Addresses
from cloud.notify.texts import Text

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of Python's own modules that the library looks for
    from apprise import NotifyFormat
    from apprise.plugins.dingtalk import NotifyDingTalk
    from apprise.plugins.email import NotifyEmail
    from apprise.plugins.feishu import NotifyFeishu
    from apprise.plugins.lark import NotifyLark
    from apprise.plugins.wecombot import NotifyWeComBot

_PLUGINS: dict[str, Any] = {
    "dingtalk": NotifyDingTalk,
    "wecombot": NotifyWeComBot,
    "feishu": NotifyFeishu,
    "lark": NotifyLark,
    "mailto": NotifyEmail,
    "mailtos": NotifyEmail,
}
SCHEMES = frozenset(_PLUGINS)
MAIL = frozenset({"mailto", "mailtos"})
_QUERY = frozenset({"to", "from", "smtp", "mode", "user", "pass", "name", "secret", "token", "key"})
_LIMIT = 1_000
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f]")

_library = logging.getLogger("apprise")
_library.disabled = True  # its lines name addresses with their secrets


def check(url: str) -> None:
    """Raise Invalid unless this is an address that is taken; what is wrong is said without repeating it."""
    _plugin(url)


def send(url: str, text: Text, addresses: Addresses) -> None:
    """Send a notice. Raises ChannelAway, ChannelRefused."""
    try:
        plugin = _plugin(url)
    except Invalid:
        raise ChannelRefused(Failure.UNREADABLE) from None
    if urlsplit(url).scheme in MAIL:
        mail.send(_mailbox(plugin), text, address=addresses.admit(plugin.smtp_host, plugin.port))
        return
    taken: bool = plugin.notify(body=text.body, title=text.title, body_format=NotifyFormat.TEXT)
    if not taken:
        raise ChannelAway(Failure.UNREACHABLE)  # the library does not say why


def _mailbox(plugin: Any) -> Mailbox:
    sender, address = plugin.from_addr
    return Mailbox(
        host=plugin.smtp_host,
        port=plugin.port,
        security=Security(plugin.secure_mode),
        sender=(sender or "", address),
        to=[(name or "", to) for name, to in plugin.targets],
        user=plugin.user,
        password=plugin.password,
    )


def _plugin(url: str) -> Any:
    if len(url) > _LIMIT or _UNFIT.search(unquote(url)):
        raise Invalid("the address is too long, or has characters that no address has")
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise Invalid("the address can't be read") from None
    if parts.scheme not in SCHEMES:
        raise Invalid(f"an address begins with one of {', '.join(sorted(SCHEMES))}")
    if unknown := sorted({name.lstrip("+-:").lower() for name, _ in query} - _QUERY):
        raise Invalid(
            f"of an address only these parameters are taken: {', '.join(sorted(_QUERY))}; not {len(unknown)} of these"
        )
    given = _PLUGINS[parts.scheme].parse_url(url)
    try:
        plugin: Any = _PLUGINS[parts.scheme](**given) if given else None
    except (ValueError, TypeError, AttributeError):
        plugin = None
    if plugin is None or (parts.scheme in MAIL and not plugin.smtp_host):
        raise Invalid("the address can't be read")
    plugin.redirects = False
    return plugin

"""The embedded broker in Python, in a process of its own: `python -m cloud.embedded.amqtt_broker CONFIG`.

For machines without mosquitto. MQTT 3.1.1 only, and nothing is kept for those who are away: the acknowledgements of the
cloud carry the promise that nothing is lost, not the broker. CONFIG is JSON: port, passwords, grants, anonymous.
"""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext, BrokerConfig
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from cloud.fleet.grants import Access, BrokerUser, password_fits, read_users

_log = logging.getLogger(__name__)


class Register:
    """The users of both files, read again whenever one of them has changed."""

    def __init__(self, passwords: Path, grants: Path) -> None:
        self._files = (passwords, grants)
        self._stamp: tuple[tuple[int, int], ...] = ()
        self._users: dict[str, BrokerUser] = {}

    def user(self, name: str | None) -> BrokerUser | None:
        """The user as the files have it now; what can't be read leaves the users as they were."""
        with contextlib.suppress(OSError, ValueError):
            stamp = tuple((status.st_mtime_ns, status.st_ino) for status in (file.stat() for file in self._files))
            if stamp != self._stamp:
                self._users = read_users(*(file.read_text(encoding="utf-8") for file in self._files))
                self._stamp = stamp
        return self._users.get(name or "")


@dataclass
class _FilesConfig:
    passwords: str = ""
    grants: str = ""


class PasswordPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt states no types
    """Lets those in who know their password."""

    Config = _FilesConfig

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._register = Register(Path(self.config.passwords), Path(self.config.grants))

    async def authenticate(self, *, session: Session) -> bool:
        """Check the password; a user who is not there costs as much time as a wrong password."""
        user = self._register.user(session.username)
        known_hash = user.password_hash if user is not None else "$7$10000$AAAAAAAAAAAAAAAA$AA=="
        fits = await asyncio.to_thread(password_fits, session.password or "", known_hash)
        return fits and user is not None


class GrantPlugin(BaseTopicPlugin):  # type: ignore[misc]  # as above
    """Lets everyone do what the grants say, and nothing else."""

    Config = _FilesConfig

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._register = Register(Path(self.config.passwords), Path(self.config.grants))

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Check one publication, subscription or delivery."""
        user = self._register.user(session.username if session is not None else None)
        if user is None or not topic:
            return False
        return user.may(Access.WRITE if action is Action.PUBLISH else Access.READ, topic)


class ConfinedBroker(Broker):  # type: ignore[misc]  # as above
    """A broker that gives a client the retained messages of its own subscriptions alone, and that survives a take-over.

    amqtt 0.12.1 offers those of everyone's subscriptions to each client that connects, past the grants. And when a client comes
    back while its old connection still looks alive, the end of the old one marks the session that both share as gone: the
    client is connected then and hears nothing any more.
    """

    async def _client_message_loop(self, client_session: Session, handler: BrokerProtocolHandler) -> None:
        _mark_connected(client_session)
        await super()._client_message_loop(client_session, handler)

    async def _handle_disconnect(
        self, client_session: Session, handler: BrokerProtocolHandler, disconnect_waiter: "asyncio.Future[Any]"
    ) -> None:
        if self._get_handler(client_session) is handler:
            await super()._handle_disconnect(client_session, handler, disconnect_waiter)
        else:
            await self._stop_handler(handler)
        if self._get_handler(client_session) not in {None, handler}:
            _mark_connected(client_session)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        subscribers = self._subscriptions.get(subscription[0], ())
        if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


def _mark_connected(session: Session) -> None:
    if not session.transitions.is_connected():
        session.transitions.connect()


def broker_config(settings: dict[str, Any]) -> BrokerConfig:
    """The broker's configuration from ours."""
    files = {"passwords": settings["passwords"], "grants": settings["grants"]}
    own = f"{__package__}.amqtt_broker"
    plugins: dict[str, Any] = {f"{own}.PasswordPlugin": files, f"{own}.GrantPlugin": files}
    if settings.get("anonymous"):
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    return BrokerConfig.from_dict(
        {"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{settings['port']}"}}, "plugins": plugins}
    )


async def serve(settings: dict[str, Any]) -> None:
    """Run until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    broker = ConfinedBroker(broker_config(settings))
    await broker.start()
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    """Read the configuration and serve."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()

"""Who is connected: strangers until they have logged in, then one connection for each pile. Of one thread."""

from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

import structlog

from edge.sources.ykc.connection import Connection

BACKLOG: Final = 512
"""Callers that are let in at once, at most; so many may be on their way out beside those who stay."""

_log = structlog.get_logger(__name__)


class Callers:
    """All connections. `strangers` may not have logged in yet beside one for each configured pile, since all of those may come back at
    once; the oldest goes when another one calls, because a pile logs in as soon as it is connected.
    """

    def __init__(self, strangers: int) -> None:
        self.counts: Counter[str] = Counter()
        self.by_device: dict[str, Connection] = {}
        self._strangers = strangers
        self._all: dict[Connection, None] = {}

    def __len__(self) -> int:
        """How many are connected, or on their way out."""
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        """All of them, the oldest first; any thread."""
        return iter(list(self._all))

    def may_come(self, address: str, networks: Sequence[str], *, piles: int) -> bool:
        """Whether another one may, who calls from there; another stranger may have to go for him."""
        if networks and not _is_within(address, networks):
            self.counts["from_elsewhere"] += 1
            return False
        most_strangers = piles + self._strangers
        if len(self._all) >= piles + most_strangers + BACKLOG:
            self.counts["turned_away"] += 1
            return False
        strangers = [each for each in self._all if each.device is None and not each.ending]
        if len(strangers) >= most_strangers:
            self.counts["strangers_dropped"] += 1
            strangers[0].hang_up("others call")
        return True

    def add(self, connection: Connection) -> None:
        """He is let in."""
        self.counts["calls"] += 1
        self._all[connection] = None

    def logged_in(self, connection: Connection, device: str) -> None:
        """The device speaks over this one from now on, and over no other."""
        before = self.by_device.get(device)
        self.by_device[device] = connection
        if before is None or before is connection:
            return
        self.counts["replaced"] += 1
        if before.address != connection.address:
            _log.warning(
                "a pile has logged in from another address",
                device=device,
                address=connection.address,
                before=before.address,
            )
        before.hang_up("it has logged in anew")

    def gone(self, connection: Connection) -> bool:
        """His connection has ended; whether a device is without one by that."""
        self._all.pop(connection, None)
        self.counts["skipped_bytes"] += connection.frames.skipped_bytes
        self.counts["wrong_crc"] += connection.frames.wrong_crc
        device = connection.device
        if device is None or self.by_device.get(device) is not connection:
            return False
        del self.by_device[device]
        return True

    def tally(self) -> dict[str, int]:
        """What they did, those who are still there included; any thread."""
        found = Counter(self.counts)
        for each in self:
            found["skipped_bytes"] += each.frames.skipped_bytes
            found["wrong_crc"] += each.frames.wrong_crc
        return dict(found)


def _is_within(address: str, networks: Sequence[str]) -> bool:
    try:
        called_from = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(called_from, IPv6Address) and called_from.ipv4_mapped is not None:
        called_from = called_from.ipv4_mapped
    return any(called_from in ip_network(network) for network in networks)

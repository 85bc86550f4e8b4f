"""What an operator asks of a camera, and what he is told: the files that the node and the command line share.

The ledger is the node's own (`edge/node/ledger_file.py`). An order is a file in `orders/`, named by its camera, so that it
works whether the node runs or not.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from edge.disk import UNFINISHED, write_file
from edge.errors import ConfigurationError, EdgeError
from edge.node.ledger import Held, Record, sources_of
from edge.node.ledger_file import content_of, read_ledger
from edge.settings import NodeConfiguration

ORDERS: Final = "orders"

_log = structlog.get_logger(__name__)


class Order(StrEnum):
    """What an operator may want of a camera."""

    RELEASE = "release"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class CameraStanding:
    """How a camera stands with the quarantine. `held` is None for one that is opened."""

    camera: str
    held: Held | None
    crashes: int
    since: datetime | None
    retry_at: datetime | None
    order: Order | None
    detail: str

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        values: dict[str, Any] = msgspec.to_builtins(asdict(self))
        return values

    def __str__(self) -> str:
        """One line."""
        waits = "" if self.order is None else f" (the order to {self.order} waits for the node)"
        return f"{self.camera}: {self.detail}{waits}"


@dataclass(frozen=True, slots=True)
class Ordered:
    """What became of an order: left for the node, or of no use since the camera stands so already."""

    camera: str
    order: Order
    left: bool
    detail: str

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        values: dict[str, Any] = msgspec.to_builtins(asdict(self))
        return values

    def __str__(self) -> str:
        """One line."""
        return f"{self.camera}: {self.detail}"


def standings(configuration: NodeConfiguration) -> list[CameraStanding]:
    """How all cameras of a configuration stand."""
    directory = configuration.node.data_directory
    ledger = read_ledger(directory)
    sources = sources_of(configuration.cameras)
    found = []
    for camera in configuration.cameras:
        record = ledger.record(camera.id)
        if record is None or record.source != sources[camera.id]:
            record = Record(sources[camera.id])
        waiting = _order(directory / ORDERS / camera.id)
        detail = _detail(camera.id, record)
        found.append(
            CameraStanding(
                camera.id, record.held, len(record.crashes), record.held_since, record.retry_at, waiting, detail
            )
        )
    return found


def ordered(configuration: NodeConfiguration, camera: str, order: Order) -> Ordered:
    """Leave an order for the node. Raises ConfigurationError for a camera that is not there, EdgeError when it can't be left."""
    found = {each.camera: each for each in standings(configuration)}
    if camera not in found:
        raise ConfigurationError(f"there is no camera `{camera}`; the configuration has {', '.join(found) or 'none'}")
    standing = found[camera]
    wanted = standing.held is Held.OPERATOR if order is Order.QUARANTINE else standing.held is None
    if wanted and standing.order is None and not (order is Order.RELEASE and standing.crashes):
        state = "closed by an operator" if order is Order.QUARANTINE else "not in quarantine"
        return Ordered(camera, order, left=False, detail=f"is {state} already; nothing to do")
    _leave(configuration.node.data_directory, camera, order)
    does, back = ("opens", Order.QUARANTINE) if order is Order.RELEASE else ("closes", Order.RELEASE)
    detail = (
        f"a running node {does} it within seconds, one that does not run at its next start; "
        f"`gridward-edge camera {back} {camera}` takes this back"
    )
    return Ordered(camera, order, left=True, detail=detail)


def make_place(directory: Path) -> None:
    """The folder for orders, made by the node itself so that it can take what others leave there."""
    try:
        (directory / ORDERS).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        _log.warning("no order can be left for this node", reason=str(error))


def take_orders(directory: Path) -> Iterator[tuple[str, Order]]:
    """The orders that wait, each once."""
    try:
        # no camera's id ends like a file that is being written
        files = sorted(file for file in (directory / ORDERS).iterdir() if not file.name.endswith(UNFINISHED))
    except OSError:
        return
    for file in files:
        order = _order(file)
        try:
            file.unlink()
        except OSError as error:
            _log.warning("an order can't be removed and is not followed", reason=str(error))
            continue
        if order is None:
            _log.warning("an order that means nothing is left aside", name=file.name[:64])
        else:
            yield file.name, order


def described(camera: str, record: Record) -> str:
    """What is known of a camera in quarantine, and what ends it, for people."""
    way_out = f"`gridward-edge camera release {camera}` opens it now"
    if record.held is Held.OPERATOR:
        return f"closed by an operator at {_minute(record.held_since)}; {way_out}"
    again = f", it gets a try at {_minute(record.retry_at)}" if record.retry_at else ""
    return (
        f"its stream ended the node's process {_times(len(record.crashes))} ({record.signal}), last at "
        f"{_minute(record.held_since)}; it is not opened{again}; {way_out}"
    )


def _detail(camera: str, record: Record) -> str:
    if record.held is not None:
        return described(camera, record)
    if record.tried_since is not None:
        return f"open for a try since {_minute(record.tried_since)}"
    if record.crashes:
        return f"open; its stream ended the node's process {_times(len(record.crashes))} ({record.signal}) within a day"
    return "open"


def _leave(directory: Path, camera: str, order: Order) -> None:
    folder = directory / ORDERS
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(folder / camera, order.value.encode())
    except OSError as error:
        raise EdgeError(f"the order can't be left in {folder}: {error.strerror}") from error


def _order(file: Path) -> Order | None:
    words = content_of(file).decode("ascii", "replace").strip()
    return Order(words) if words in set(Order) else None


def _minute(at: datetime | None) -> str:
    return "an unknown time" if at is None else at.strftime("%Y-%m-%d %H:%M UTC")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

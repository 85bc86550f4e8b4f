"""QR labels (码上便知) and what everybody may read behind them.

A label opens a page that needs no log-in. It shows what a passer-by may know: what stands here, whether it works, whose area it is. No
pictures, no readings, no ids of ours. Its token is drawn by lot and can be renewed: a sticker that went astray opens nothing.
"""

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.errors import NotFound
from cloud.maintenance import store

_TOKEN: Final = re.compile(r"[A-Z2-7]{26}")
UNKNOWN: Final = "this label opens nothing (any more)"


class PublicState(StrEnum):
    """How a device is, for everybody."""

    WORKING = "working"
    PARTLY = "partly"
    AWAY = "away"
    BEING_REPAIRED = "being_repaired"
    UNKNOWN = "unknown"


_STATES: Final = {"online": PublicState.WORKING, "degraded": PublicState.PARTLY, "lost": PublicState.AWAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a device or an area; without `token` none has been made yet."""

    name: str
    token: str | None
    made_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLabel(Label):
    """The label of one of an area's devices."""

    device_id: int
    kind: str
    simulated: bool


SHEET: Final = 500
"""Devices on a sheet of labels, at most; who has more chooses a smaller area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicArea:
    """What everybody may know of a grid or an area above it. `above` from the top down."""

    name: str
    level: str
    above: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDevice:
    """What everybody may know of a device, and of the place where it stands."""

    name: str
    kind: str
    state: PublicState
    simulated: bool
    area: PublicArea | None


def of_device(conn: Connection[Any], user: Principal, device_id: int) -> Label:
    """The label of a device. Raises NotFound."""
    return _label(_found(store.label_of_device(conn, device_id, scope=user.area_path), "device"))


def of_area(conn: Connection[Any], user: Principal, code: str) -> Label:
    """The label of an area. Raises NotFound."""
    return _label(_found(store.label_of_area(conn, code, scope=user.area_path), "area"))


def sheet(conn: Connection[Any], user: Principal, code: str) -> tuple[Label, list[DeviceLabel], bool]:
    """The labels of an area and of the devices in it, and whether there are more than a sheet holds. Raises NotFound."""
    area = _found(store.label_of_area(conn, code, scope=user.area_path), "area")
    rows = store.labels_below(conn, area.area_path, count=SHEET + 1)
    devices = [
        DeviceLabel(
            name=row.name,
            token=row.token,
            made_at=row.made_at,
            device_id=row.id,
            kind=row.kind,
            simulated=row.simulated,
        )
        for row in rows[:SHEET]
    ]
    return _label(area), devices, len(rows) > SHEET


def renew_for_device(conn: Connection[Any], user: Principal, device_id: int, *, now: datetime, address: str) -> Label:
    """Make a label for a device; an earlier one opens nothing any more. Raises NotFound."""
    found = _found(store.label_of_device(conn, device_id, scope=user.area_path), "device")
    token = _new_token()
    store.renew_label(conn, token, device_id=device_id, area_code=None, made_by=user.name, at=now)
    _note(conn, user, "label.made", f"device:{device_id}", found.area_path, address)
    return Label(name=found.name, token=token, made_at=now)


def renew_for_area(conn: Connection[Any], user: Principal, code: str, *, now: datetime, address: str) -> Label:
    """Make a label for an area; an earlier one opens nothing any more. Raises NotFound."""
    found = _found(store.label_of_area(conn, code, scope=user.area_path), "area")
    token = _new_token()
    store.renew_label(conn, token, device_id=None, area_code=code, made_by=user.name, at=now)
    _note(conn, user, "label.made", f"area:{code}", found.area_path, address)
    return Label(name=found.name, token=token, made_at=now)


def revoke(
    conn: Connection[Any],
    user: Principal,
    *,
    device_id: int | None = None,
    area_code: str | None = None,
    now: datetime,
    address: str,
) -> None:
    """Have a label open nothing any more. Raises NotFound where none stands."""
    if device_id is not None:
        found, subject = store.label_of_device(conn, device_id, scope=user.area_path), f"device:{device_id}"
    else:
        found, subject = store.label_of_area(conn, area_code or "", scope=user.area_path), f"area:{area_code}"
    place = _found(found, "label")
    if not store.revoke_label(conn, device_id=device_id, area_code=area_code, at=now):
        raise NotFound("there is no such label in your scope")
    _note(conn, user, "label.revoked", subject, place.area_path, address)


def public(conn: Connection[Any], token: str) -> PublicDevice | PublicArea:
    """What a label opens. Raises NotFound, the same for one that never was and one that was revoked."""
    target = store.label_target(conn, token) if _TOKEN.fullmatch(token) else None
    if target is None:
        raise NotFound(UNKNOWN)
    if target.device_id is None:
        area = _public_area(conn, target.area_code)
        if area is None:
            raise NotFound(UNKNOWN)
        return area
    row = store.public_device(conn, target.device_id)
    if row is None:
        raise NotFound(UNKNOWN)
    return PublicDevice(
        name=row.name,
        kind=row.kind,
        state=_state(row),
        simulated=row.simulated,
        area=_public_area(conn, row.area_code),
    )


def _state(row: Any) -> PublicState:
    if row.being_repaired:
        return PublicState.BEING_REPAIRED
    if row.node_presence != "online":
        return PublicState.UNKNOWN
    return _STATES.get(row.presence, PublicState.UNKNOWN)


def _public_area(conn: Connection[Any], code: str) -> PublicArea | None:
    row = store.public_area(conn, code)
    if row is None:
        return None
    return PublicArea(name=row.name, level=row.level, above=[each["name"] for each in row.above or []])


def _found(row: Any, what: str) -> Any:
    if row is None:
        raise NotFound(f"there is no such {what} in your scope")
    return row


def _label(row: Any) -> Label:
    return Label(name=row.name, token=row.token, made_at=row.made_at)


def _new_token() -> str:
    return base64.b32encode(secrets.token_bytes(17)).decode()[:26]


def _note(conn: Connection[Any], user: Principal, action: str, subject: str, *place: str) -> None:
    area_path, address = place
    audit.write(conn, action, subject, actor=user, area_path=area_path, address=address)

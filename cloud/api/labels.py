"""QR labels (码上便知): made and revoked by those who keep devices, read by everybody."""

import io
import time
from datetime import datetime
from typing import Annotated

import segno
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from cloud.api.dependencies import Conn, Insider, Parts, client_address
from cloud.api.paging import LARGEST_ID
from cloud.api.parameters import Code
from cloud.api.problems import RESPONSES
from cloud.api.work_orders import Steward
from cloud.errors import NotFound
from cloud.maintenance import labels
from cloud.maintenance.labels import Label, PublicArea, PublicDevice

router = APIRouter(prefix="/api/v1", tags=["labels"], responses=RESPONSES)

DeviceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
AreaCode = Annotated[Code, Path()]
Token = Annotated[str, Path(max_length=64)]
PAGE = "/c/"
"""Where the page behind a label lies: short, since each letter makes the squares of the label smaller."""

_SVG: dict[str, dict[str, object]] = {"image/svg+xml": {}}
_QUIET = {"Cache-Control": "public, max-age=60", "X-Robots-Tag": "noindex, nofollow"}


class LabelView(BaseModel):
    """A label; without `path` none has been made, or it was revoked. `path` is what the page's address ends in."""

    name: str
    path: str | None
    made_at: datetime | None

    @classmethod
    def of(cls, label: Label) -> "LabelView":
        """The label as it is told."""
        path = None if label.token is None else f"{PAGE}{label.token}"
        return cls(name=label.name, path=path, made_at=label.made_at)


class DeviceLabelView(LabelView):
    """The label of a device on a sheet."""

    device_id: int
    kind: str
    simulated: bool


class LabelSheet(BaseModel):
    """The labels of an area: its own, and those of the devices in it. `cut`: there are more devices than a sheet holds."""

    area: LabelView
    devices: list[DeviceLabelView]
    cut: bool


class PublicPage(BaseModel):
    """What everybody may know: of a device, or of an area."""

    device: PublicDevice | None = None
    area: PublicArea | None = None


@router.get("/devices/{device_id}/label", summary="The label of a device")
def read_device_label(device_id: DeviceId, user: Insider, conn: Conn) -> LabelView:
    """Whether there is one, and what it opens."""
    return LabelView.of(labels.of_device(conn, user, device_id))


@router.post("/devices/{device_id}/label", summary="Make a label for a device")
def make_device_label(*, device_id: DeviceId, user: Steward, conn: Conn, request: Request, parts: Parts) -> LabelView:
    """An earlier label of the device opens nothing any more."""
    address = client_address(request)
    return LabelView.of(labels.renew_for_device(conn, user, device_id, now=parts.clock(), address=address))


@router.delete("/devices/{device_id}/label", summary="Revoke the label of a device", status_code=204)
def revoke_device_label(*, device_id: DeviceId, user: Steward, conn: Conn, request: Request, parts: Parts) -> None:
    """It opens nothing any more."""
    labels.revoke(conn, user, device_id=device_id, now=parts.clock(), address=client_address(request))


@router.get(
    "/devices/{device_id}/label.svg",
    summary="The QR code of a device",
    response_class=Response,
    responses={200: {"content": _SVG}},
)
def draw_device_label(device_id: DeviceId, user: Insider, conn: Conn, request: Request) -> Response:
    """The label as a picture to be printed. 404 where none has been made."""
    return _drawn(labels.of_device(conn, user, device_id), request)


@router.get("/areas/{code}/label", summary="The label of an area")
def read_area_label(code: AreaCode, user: Insider, conn: Conn) -> LabelView:
    """Whether there is one, and what it opens."""
    return LabelView.of(labels.of_area(conn, user, code))


@router.get("/areas/{code}/labels", summary="The labels of an area and its devices")
def read_area_labels(code: AreaCode, user: Insider, conn: Conn) -> LabelSheet:
    """What there is to print, and which devices have none yet."""
    own, devices, cut = labels.sheet(conn, user, code)
    return LabelSheet(
        area=LabelView.of(own),
        devices=[
            DeviceLabelView(
                **LabelView.of(each).model_dump(), device_id=each.device_id, kind=each.kind, simulated=each.simulated
            )
            for each in devices
        ],
        cut=cut,
    )


@router.post("/areas/{code}/label", summary="Make a label for an area")
def make_area_label(*, code: AreaCode, user: Steward, conn: Conn, request: Request, parts: Parts) -> LabelView:
    """An earlier label of the area opens nothing any more."""
    return LabelView.of(labels.renew_for_area(conn, user, code, now=parts.clock(), address=client_address(request)))


@router.delete("/areas/{code}/label", summary="Revoke the label of an area", status_code=204)
def revoke_area_label(*, code: AreaCode, user: Steward, conn: Conn, request: Request, parts: Parts) -> None:
    """It opens nothing any more."""
    labels.revoke(conn, user, area_code=code, now=parts.clock(), address=client_address(request))


@router.get(
    "/areas/{code}/label.svg",
    summary="The QR code of an area",
    response_class=Response,
    responses={200: {"content": _SVG}},
)
def draw_area_label(code: AreaCode, user: Insider, conn: Conn, request: Request) -> Response:
    """The label as a picture to be printed. 404 where none has been made."""
    return _drawn(labels.of_area(conn, user, code), request)


@router.get("/public/{token}", summary="What a label opens")
def read_public(*, token: Token, conn: Conn, parts: Parts, request: Request, response: Response) -> PublicPage:
    """For everybody, without a log-in. 404 for a label that never was and for one that was revoked: both read the same."""
    parts.public_pace.admit(client_address(request), time.monotonic())
    found = labels.public(conn, token)
    for name, value in _QUIET.items():
        response.headers[name] = value
    return PublicPage(device=found) if isinstance(found, PublicDevice) else PublicPage(area=found)


def _drawn(label: Label, request: Request) -> Response:
    if label.token is None:
        raise NotFound("no label has been made yet")
    drawn = io.BytesIO()
    address = f"{str(request.base_url).rstrip('/')}{PAGE}{label.token}"
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=4, title=label.name)
    return Response(drawn.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})

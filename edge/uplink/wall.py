"""Pictures of a wall go over HTTPS as they are made: one try each, for the next is newer. The answer says how long the lease stands."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
import msgspec

from edge.contract.wall import CAPTURED_AT_HEADER, Absence, AbsenceTold, LeaseLeft
from edge.flow import WallPicture

TIMEOUT_S: Final = 5.0
LARGEST_ANSWER_BYTES: Final = 4096

_ENDS: Final = frozenset({httpx.codes.NOT_FOUND, httpx.codes.CONFLICT})
"""There is no such camera, or nobody looks at it. No other refusal says anything of the lease: somebody waits still."""


@dataclass(frozen=True, slots=True)
class WallAnswer:
    """What the cloud said. `left_s`: so long the lease stands, None where it said nothing of it."""

    taken: bool
    left_s: float | None
    reason: str = ""


class WallSender:
    """Sends from the thread that calls. The token stands in no log; redirects are not followed, they could carry it away."""

    def __init__(
        self, *, base_url: str, token: str | None, ca_file: Path | None, told: Callable[[datetime], datetime]
    ) -> None:
        """`told` turns event time into the time that others are told."""
        self._told = told
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT_S,
            verify=ssl.create_default_context(cafile=ca_file) if base_url.startswith("https:") else False,
            follow_redirects=False,
        )

    def picture(self, picture: WallPicture) -> WallAnswer:
        """Send a picture."""
        captured_at = self._told(picture.captured_at).isoformat()
        headers = {"Content-Type": "image/jpeg", CAPTURED_AT_HEADER: captured_at}
        return self._put(f"/api/v1/wall/{picture.camera}", picture.content, headers)

    def absence(self, camera: str, reason: Absence) -> WallAnswer:
        """Say why there is none."""
        body = msgspec.json.encode(AbsenceTold(reason=reason))
        return self._put(f"/api/v1/wall/{camera}/absence", body, {"Content-Type": "application/json"})

    def use_token(self, token: str) -> None:
        """Show another token from the next request on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _put(self, address: str, content: bytes, headers: dict[str, str]) -> WallAnswer:
        try:
            answer = self._client.put(address, content=content, headers=headers)
        except httpx.HTTPError as error:
            return WallAnswer(taken=False, left_s=None, reason=type(error).__name__)
        if answer.is_success:
            return WallAnswer(taken=True, left_s=_left_s(answer))
        reason = f"{answer.status_code} {answer.reason_phrase}"
        return WallAnswer(taken=False, left_s=0.0 if answer.status_code in _ENDS else None, reason=reason)


def _left_s(answer: httpx.Response) -> float | None:
    """What makes no sense says nothing of the lease: it ends by itself."""
    try:
        return msgspec.json.decode(answer.content[:LARGEST_ANSWER_BYTES], type=LeaseLeft).left_s
    except msgspec.MsgspecError:
        return None

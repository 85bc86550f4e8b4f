"""The demo's visitors: one asks whether everything answers and looks for the first case, others do a day's work."""

from datetime import datetime
from typing import Any

import httpx

_TIMEOUT_S = 5.0


class Visitor:
    """Someone with a log-in, over HTTP like everyone else."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False)
        self._name = name
        self._password = password
        self._token: str | None = None

    def what_is_missing(self) -> str | None:
        """What does not answer yet; None when all does."""
        try:
            for path in ("/readyz", "/"):
                answer = self._client.get(path)
                if answer.status_code != httpx.codes.OK:
                    return f"{path} answers {answer.status_code}"
            return None if self._log_in() else "the log-in is refused"
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__

    def case_since(self, since: datetime) -> dict[str, Any] | None:
        """A case of a machine in which something happened since then, a camera's rather than a sensor's; None while there is none, or while the
        cloud is away.
        """
        try:
            if self._token is None and not self._log_in():
                return None
            answer = self._client.get(
                "/api/v1/cases", params={"limit": 50}, headers={"Authorization": f"Bearer {self._token}"}
            )
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self._token = None
            cases: list[dict[str, Any]] = answer.json()["items"] if answer.status_code == httpx.codes.OK else []
            found = [case for case in cases if case["device"] is not None]
            fresh = [case for case in found if datetime.fromisoformat(case["last_activity_at"]) >= since]
            fresh.sort(key=lambda case: case["device"]["kind"] != "camera")
            return fresh[0] if fresh else None
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """What the service answers, decoded; None where it says nothing. Raises httpx.HTTPError for no answer and for a refusal."""
        if self._token is None and not self._log_in():
            raise httpx.TransportError("the log-in is refused")
        headers = {"Authorization": f"Bearer {self._token}", **given.pop("headers", {})}
        answer = self._client.request(method, f"/api/v1/{path}", headers=headers, **given)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _log_in(self) -> bool:
        answer = self._client.post("/api/v1/session", json={"name": self._name, "password": self._password})
        if answer.status_code != httpx.codes.OK:
            return False
        self._client.cookies.clear()
        self._token = answer.json()["token"]
        return True

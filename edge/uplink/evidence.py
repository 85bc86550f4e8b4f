"""Evidence goes over HTTPS by its hash, after the cloud has accepted the incident that names it; resumable."""

import random
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx
import structlog

from edge.errors import EdgeError
from edge.faults import FAULTS, Place
from edge.flow import EvidenceQueue, EvidenceUpload

PART_BYTES = 1 << 20
"""One request carries at most so much: what a broken line costs."""

TIMEOUT_S = 10.0
LOOK_TIMEOUT_S = 5.0
"""To connect, and to hear how much of a file is there: who does not say that soon is not reached."""

FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 600.0
"""For a file that the cloud does not take yet."""

UNREACHED_LONGEST_S = 5.0
"""While the cloud does not answer, or says that the trouble is its own: one try of one file at a time, from every node. With the
look before it that is 10 s at most until a cloud that is back is found.
"""

ATTEMPTS_UNKNOWN = 1_000
"""How often "no incident names it yet" is believed: about a week, in which someone may accept a quarantined node."""

_log = structlog.get_logger(__name__)


class UploadOutcome(StrEnum):
    """What one attempt came to."""

    STORED = "stored"
    LATER = "later"
    UNREACHED = "unreached"
    """The way or the cloud is in trouble; it says nothing of the file."""
    HELD = "held"
    """An earlier try of this file, whose end the cloud has not noticed yet, is still in its place."""
    NOT_ADMITTED = "not_admitted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The outcome and its reason in words."""

    outcome: UploadOutcome
    reason: str = ""


class EvidenceUploader:
    """The thread `uplink-evidence`. The token stands in no log; redirects are not followed, they could carry it away."""

    def __init__(
        self,
        evidence: EvidenceQueue,
        *,
        base_url: str,
        token: str | None,
        ca_file: Path | None = None,
        on_admission: Callable[[str | None], None] = lambda _reason: None,
    ) -> None:
        """`on_admission` is told why the cloud does not let this node in, and None once it does."""
        self._evidence = evidence
        self._on_admission = on_admission
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(TIMEOUT_S, connect=LOOK_TIMEOUT_S),
            verify=_tls(ca_file) if base_url.startswith("https:") else False,
            follow_redirects=False,
        )
        self._unreached = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink-evidence", daemon=True)

    def start(self) -> None:
        """Begin to upload."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present part."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        self._client.close()

    def use_token(self, token: str) -> None:
        """Show another token from the next request on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    def nudge(self) -> None:
        """Something may be due."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                busy = self._next()
            except EdgeError as error:
                _log.error("the evidence upload rests", reason=str(error))
                busy = False
            except Exception:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.EVIDENCE)
                _log.exception("the evidence upload failed and goes on")
                busy = False
            if not busy:
                self._wake.wait(2.0)
                self._stop.wait(0.2)

    def _next(self) -> bool:
        """Try the file that is due, if there is one; False when the thread may rest."""
        upload = self._evidence.next_upload()
        if upload is None:
            return False
        result = self.attempt(upload)
        self._unreached = self._unreached + 1 if result.outcome is UploadOutcome.UNREACHED else 0
        if result.outcome is UploadOutcome.NOT_ADMITTED:
            self._on_admission(result.reason)
        match result.outcome:
            case UploadOutcome.STORED:
                self._on_admission(None)
                self._evidence.uploaded(upload.sha256)
            case UploadOutcome.REFUSED:
                _log.error("evidence refused for good", sha256=upload.sha256, reason=result.reason)
                self._evidence.refuse_upload(upload.sha256, result.reason)
            case UploadOutcome.LATER | UploadOutcome.NOT_ADMITTED:
                wait_s = _wait_s(upload.attempts, LONGEST_WAIT_S)
                _log.info("evidence later", sha256=upload.sha256, reason=result.reason, again_in_s=round(wait_s, 1))
                self._evidence.delay_upload(upload.sha256, wait_s)
            case UploadOutcome.HELD:
                self._evidence.delay_upload(upload.sha256, _wait_s(0, FIRST_WAIT_S), attempted=False)
            case UploadOutcome.UNREACHED:
                wait_s = _wait_s(self._unreached - 1, UNREACHED_LONGEST_S)
                _log.info("evidence rests", sha256=upload.sha256, reason=result.reason, again_in_s=round(wait_s, 1))
                self._evidence.delay_upload(upload.sha256, wait_s, attempted=False)
                self._stop.wait(wait_s)  # the others would fare no better
        return True

    def attempt(self, upload: EvidenceUpload) -> UploadResult:
        """Send what the cloud does not have of one file yet."""
        try:
            return self._attempt(upload)
        except httpx.HTTPError as error:
            return UploadResult(UploadOutcome.UNREACHED, f"{type(error).__name__}: {error}")
        except FileNotFoundError:
            return UploadResult(UploadOutcome.REFUSED, "gone from the disk of the node")
        except OSError as error:  # a bad sector: the others must not wait for it
            return UploadResult(UploadOutcome.LATER, f"the file can't be read: {error.strerror}")

    def _attempt(self, upload: EvidenceUpload) -> UploadResult:
        address = f"/api/v1/evidence/{upload.sha256}"
        known = self._client.head(address, timeout=LOOK_TIMEOUT_S)
        if known.headers.get("Upload-Complete") == "?1":
            return UploadResult(UploadOutcome.STORED)
        offset = _offset(known, upload.bytes) if known.is_success else 0
        with upload.path.open("rb") as file:
            corrections = 0
            while not self._stop.is_set():
                file.seek(offset)
                part = file.read(PART_BYTES)
                if not part:
                    return UploadResult(UploadOutcome.REFUSED, "cut short on the disk of the node")
                answer = self._client.put(
                    address,
                    content=part,
                    headers={
                        "Content-Type": upload.mime,
                        "Content-Range": f"bytes {offset}-{offset + len(part) - 1}/{upload.bytes}",
                    },
                )
                if answer.status_code == httpx.codes.ACCEPTED:
                    reached = _offset(answer, upload.bytes)
                    if reached <= offset:
                        return UploadResult(UploadOutcome.LATER, "the cloud kept nothing of a part")
                    offset = reached
                elif answer.status_code == httpx.codes.CONFLICT and "Upload-Offset" not in answer.headers:
                    return UploadResult(UploadOutcome.HELD)
                elif answer.status_code == httpx.codes.CONFLICT and corrections < 3:
                    corrections += 1
                    offset = _offset(answer, upload.bytes)
                else:
                    return _judge(answer, upload)
        return UploadResult(UploadOutcome.LATER, "the node stops")


def _offset(answer: httpx.Response, size_bytes: int) -> int:
    """What the cloud has; a figure that makes no sense means: start again."""
    text = answer.headers.get("Upload-Offset", "0")
    offset = int(text) if text.isascii() and text.isdigit() and len(text) < 15 else 0
    return offset if offset < size_bytes else 0


_TROUBLE_OF_ITS_OWN = {
    httpx.codes.REQUEST_TIMEOUT,
    httpx.codes.TOO_MANY_REQUESTS,
    httpx.codes.BAD_GATEWAY,
    httpx.codes.SERVICE_UNAVAILABLE,
    httpx.codes.GATEWAY_TIMEOUT,
}


def _wait_s(failures: int, longest_s: float) -> float:
    longest_s = min(longest_s, FIRST_WAIT_S * 2 ** min(failures, 16))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 (jitter is no secret)


def _judge(answer: httpx.Response, upload: EvidenceUpload) -> UploadResult:
    reason = f"{answer.status_code} {_detail(answer)}"
    code = answer.status_code
    if answer.is_success:
        return UploadResult(UploadOutcome.STORED)
    if code in _TROUBLE_OF_ITS_OWN:
        return UploadResult(UploadOutcome.UNREACHED, reason)
    if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return UploadResult(UploadOutcome.NOT_ADMITTED, reason)
    hopeless = {
        httpx.codes.GONE: 0,
        httpx.codes.REQUEST_ENTITY_TOO_LARGE: 0,
        httpx.codes.UNSUPPORTED_MEDIA_TYPE: 0,
        httpx.codes.UNPROCESSABLE_ENTITY: 3,
        httpx.codes.NOT_FOUND: ATTEMPTS_UNKNOWN,
    }
    refused = code in hopeless and upload.attempts >= hopeless[httpx.codes(code)]
    return UploadResult(UploadOutcome.REFUSED if refused else UploadOutcome.LATER, reason)


def _detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(problem.get("detail", ""))[:300] if isinstance(problem, dict) else answer.reason_phrase


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)

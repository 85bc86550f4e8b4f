"""Fetching what was ordered, by its hash (按哈希下载): over HTTPS from the cloud alone, resumed where it broke off, never more than was signed."""

import hashlib
import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from edge.contract.artifacts import StepCode
from edge.disk import make_folder
from edge.errors import StepRefused, UplinkLost
from edge.provisioning.store import Store
from firmware_configs.signature import Signature

TIMEOUT_S: Final = 20.0
CONNECT_TIMEOUT_S: Final = 5.0
CHUNK_BYTES: Final = 1 << 18
RESERVE_BYTES: Final = 64 << 20
"""Stays free on the disk: incidents come first."""

_LATER: Final = frozenset({401, 403, 404, 408, 425, 429, 500, 502, 503, 504})
"""A node may be let in later, and a file be there later: how long that is believed is up to whoever asks."""


class Fetcher:
    """Fetches into the store of a node. The token stands in no log; redirects are not followed, they could carry it away."""

    def __init__(
        self,
        store: Store,
        *,
        base_url: str,
        token: str | None,
        ca_file: Path | None = None,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`transport` stands in for the way to the cloud."""
        self._store = store
        self._free_bytes = free_bytes
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
            if token
            else {"Accept-Encoding": "identity"},
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            verify=ssl.create_default_context(cafile=ca_file) if base_url.startswith("https:") else False,
            follow_redirects=False,
            transport=transport,
        )

    def use_token(self, token: str) -> None:
        """Show another token from the next request on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """No more requests."""
        self._client.close()

    def fetch(self, signature: Signature, *, stopped: Callable[[], bool] = lambda: False) -> None:
        """Have the bytes in the store, whole and written through.

        Raises StepRefused for bytes that are not those that were signed and for a disk without room, UplinkLost where trying again
        can help: what has come stays for it.
        """
        try:
            if self._store.has(signature.sha256) and self._is_whole(signature, self._store.path(signature.sha256)):
                self._store.keep_signature(signature)
                return
            make_folder(self._store.folder)
            self._fetch(signature, self._store.part(signature.sha256), stopped)
            self._store.keep(signature)
        except OSError as error:
            raise StepRefused(StepCode.NO_ROOM, f"the disk does not take it: {error.strerror}") from error

    def _fetch(self, signature: Signature, part: Path, stopped: Callable[[], bool]) -> None:
        have = part.stat().st_size if part.exists() else 0
        if have > signature.size_bytes:
            part.unlink()
            have = 0
        if have < signature.size_bytes:
            missing = signature.size_bytes - have
            if self._free_bytes(self._store.folder) < missing + RESERVE_BYTES:
                raise StepRefused(StepCode.NO_ROOM, f"{missing} bytes are missing, and the disk has too little room")
            try:
                self._receive(signature, part, have, stopped)
            except httpx.HTTPError as error:
                raise UplinkLost(f"the cloud does not hand it out: {type(error).__name__}") from error
        if not self._is_whole(signature, part):
            part.unlink(missing_ok=True)
            raise StepRefused(StepCode.WRONG_HASH, "what came has another hash than was signed")

    def _receive(self, signature: Signature, part: Path, have: int, stopped: Callable[[], bool]) -> None:
        ranged = {"Range": f"bytes={have}-"} if have else {}
        with self._client.stream("GET", f"/api/v1/artifacts/{signature.sha256}", headers=ranged) as answer:
            if answer.status_code in _LATER:
                raise UplinkLost(f"the cloud answers {answer.status_code}")
            if answer.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
                raise StepRefused(StepCode.NOT_FETCHED, f"the cloud answers {answer.status_code}")
            resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT and _begins_at(answer, have)
            size = have if resumed else 0
            with part.open("r+b" if resumed else "wb") as opened:
                opened.seek(size)
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    size += len(chunk)
                    if size > signature.size_bytes:
                        opened.truncate(0)
                        raise StepRefused(
                            StepCode.TOO_LARGE, f"more came than the {signature.size_bytes} bytes that were signed"
                        )
                    opened.write(chunk)
                    if stopped():
                        raise UplinkLost("the node stops")
                opened.truncate()
                opened.flush()
                os.fsync(opened.fileno())
        if size < signature.size_bytes:
            part.unlink()
            raise StepRefused(StepCode.TRUNCATED, f"{size} bytes came where {signature.size_bytes} were signed")

    def _is_whole(self, signature: Signature, file: Path) -> bool:
        digest = hashlib.sha256()
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == signature.sha256


def _begins_at(answer: httpx.Response, offset: int) -> bool:
    told: str = answer.headers.get("Content-Range", "")
    return told.startswith(f"bytes {offset}-")

"""Enrolment (登记): with a claim code once, with the node's own key from then on, the node comes to its credentials.

All that the cloud gives lies in one file that is replaced as a whole: a node never has a password of one generation and a token of
another. Nothing secret stands in a log or in an error.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import httpx
import msgspec
import structlog

from edge.contract.enrolment import (
    Challenge,
    Credentials,
    EnrolmentRequest,
    RenewalRequest,
    Standing,
    enrolment_statement,
    renewal_statement,
)
from edge.contract.signing import key_of, key_text
from edge.disk import make_folder, write_file
from edge.errors import ConfigurationError, EnrolmentRefused, UplinkLost
from edge.provisioning.key import NodeKey, identity_folder, make_key
from firmware_configs.keyring import ENDING, TrustedKey
from firmware_configs.problems import ArtifactProblem, KeyFileWrong
from firmware_configs.signing import write_public

RENEW_FROM: Final = 2 / 3
"""Of its life a credential has this share behind it when the node asks for the next one."""

TIMEOUT_S: Final = 10.0
KEYS: Final = "keys"
"""Where the public keys lie that sign configurations."""

_FILE: Final = "enrolment.json"
_LARGEST_BYTES: Final = 256 << 10

Told = TypeVar("Told", Challenge, Credentials, Standing)

_log = structlog.get_logger(__name__)


def read_credentials(data_directory: Path) -> Credentials | None:
    """What the cloud has given to this node; None where it was never enrolled. Raises ConfigurationError."""
    file = identity_folder(data_directory) / _FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"what the cloud has given in {file} can't be read: {error.strerror}") from error
    try:
        return msgspec.json.decode(content, type=Credentials)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigurationError(f"{file} does not hold what a cloud gives: enrol the node anew") from error


def keep_credentials(data_directory: Path, given: Credentials) -> None:
    """Keep what the cloud has given, before anything else that came with it. Raises ConfigurationError; what was kept stands then."""
    folder = identity_folder(data_directory)
    try:
        write_file(folder / _FILE, msgspec.json.encode(given), private=True)
    except OSError as error:
        raise ConfigurationError(f"what the cloud has given can't be kept in {folder}: {error.strerror}") from error


def keep_configuration_keys(data_directory: Path, keys: tuple[str, ...]) -> None:
    """Write the public keys that sign configurations, as the cloud tells them now; those that it does not tell stay.

    What was revoked stays revoked, whatever comes after it: an old answer gives no key back. A file that can't be written keeps no
    other from being written. Raises ConfigurationError with the first of them, after all.
    """
    folder = data_directory / KEYS
    problems: list[str] = []
    for content in keys:
        try:
            key = TrustedKey.parse(content.encode())
        except ArtifactProblem as problem:
            _log.warning("a public key of the cloud's can't be read and is left out", reason=str(problem))
            continue
        try:
            _keep_key(folder, key)
        except (OSError, KeyFileWrong) as error:
            problems.append(f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error))
    if problems:
        raise ConfigurationError(
            f"{len(problems)} of the public keys that sign configurations can't be kept in {folder}: {problems[0]}"
        )


def _keep_key(folder: Path, key: TrustedKey) -> None:
    known = _known_key(folder / f"{key.fingerprint}{ENDING}")
    if known != key and not (known is not None and known.revoked and not key.revoked):
        make_folder(folder)
        write_public(folder, key, by_fingerprint=True)


def _known_key(file: Path) -> TrustedKey | None:
    """The key of a file; None where there is none, or none that can be read."""
    try:
        return TrustedKey.parse(file.read_bytes())
    except (FileNotFoundError, KeyFileWrong):
        return None


def is_due(given: Credentials, now: datetime) -> bool:
    """Whether the node should ask for the next credentials."""
    life = max(timedelta(0), given.expires_at - given.issued_at)
    return now >= given.issued_at + life * RENEW_FROM


def command_keys(given: Credentials | None) -> tuple[bytes, ...]:
    """The public keys that sign what the node is asked to do. Raises ConfigurationError for one that is none."""
    try:
        return tuple(map(key_of, given.command_keys)) if given is not None else ()
    except ValueError as error:
        raise ConfigurationError("a key of the cloud's is none: enrol the node anew") from error


@dataclass(frozen=True, slots=True)
class CloudDoor:
    """Where the cloud is asked. Redirects are not followed: what is told here is for one place."""

    base_url: str
    ca_file: Path | None = None

    def enrol(self, key: NodeKey, claim: str, *, software: str) -> Credentials:
        """Bind the node's key with a claim code. Raises EnrolmentRefused with the cloud's words, UplinkLost."""
        with self._client() as client:
            challenge = self._challenge(client)
            public_key = key_text(key.public)
            signed = enrolment_statement(claim=claim, public_key=public_key, challenge=challenge, software=software)
            request = EnrolmentRequest(
                claim=claim,
                public_key=public_key,
                challenge=challenge,
                software=software,
                sig=key.sign(signed),
            )
            return _given(client.post("/api/v1/enrolment", content=msgspec.json.encode(request)))

    def renew(self, key: NodeKey, node: str) -> Credentials:
        """The next credentials. Raises EnrolmentRefused, UplinkLost."""
        with self._client() as client:
            challenge = self._challenge(client)
            public_key = key_text(key.public)
            signed = renewal_statement(node=node, public_key=public_key, challenge=challenge)
            request = RenewalRequest(node=node, public_key=public_key, challenge=challenge, sig=key.sign(signed))
            return _given(client.post("/api/v1/enrolment/renewal", content=msgspec.json.encode(request)))

    def standing(self, token: str) -> Standing | None:
        """How the node stands; None where the token is not (or no longer) taken. Raises EnrolmentRefused, UplinkLost."""
        with self._client() as client:
            answer = client.get("/api/v1/enrolment/standing", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return None
        return _read(answer, Standing)

    def _challenge(self, client: httpx.Client) -> str:
        return _read(client.post("/api/v1/enrolment/challenge"), Challenge).challenge

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        """Says what keeps the cloud from being reached as an error of ours."""
        client = httpx.Client(
            base_url=self.base_url.rstrip("/"),
            headers={"Content-Type": "application/json"},
            timeout=httpx.Timeout(TIMEOUT_S, connect=TIMEOUT_S / 2),
            verify=ssl.create_default_context(cafile=self.ca_file) if self.base_url.startswith("https:") else False,
            follow_redirects=False,
        )
        try:
            with client:
                yield client
        except httpx.HTTPError as error:
            raise UplinkLost(f"the cloud can't be reached: {type(error).__name__}: {error}") from error


def enrol(
    data_directory: Path, door: CloudDoor, claim: str, *, node: str, district: str, software: str
) -> tuple[NodeKey, Credentials]:
    """Make the node's key where it has none, bind it, and keep what comes back. It may be called again.

    Raises EnrolmentRefused with the cloud's words, or where the code is for another node than the configuration says; UplinkLost,
    ConfigurationError.
    """
    key = make_key(data_directory)
    given = door.enrol(key, claim, software=software)
    require_same(given, node=node, district=district)
    keep_credentials(data_directory, given)
    keep_configuration_keys(data_directory, given.configuration_keys)
    return key, given


def require_same(given: Credentials, *, node: str, district: str) -> None:
    """Raises EnrolmentRefused where credentials are those of another node."""
    if (given.node, given.district) != (node, district):
        raise EnrolmentRefused(
            f"the cloud knows this key as {given.node} in district {given.district}, the configuration says {node} "
            f"in district {district}: correct node.id and node.district, then enrol again with the same code"
        )


def _given(answer: httpx.Response) -> Credentials:
    return _read(answer, Credentials)


def _read(answer: httpx.Response, shape: type[Told]) -> Told:
    if not answer.is_success:
        _raise(answer)
    if len(answer.content) > _LARGEST_BYTES:
        raise EnrolmentRefused("the answer of the cloud is longer than any of this kind")
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except (msgspec.DecodeError, ValueError) as error:
        raise EnrolmentRefused("what answers there does not speak as a cloud of this project does") from error


def _raise(answer: httpx.Response) -> None:
    try:
        problem = answer.json()
        detail = str(problem.get("detail", ""))[:300] if isinstance(problem, dict) else ""
    except ValueError:
        detail = ""
    words = detail or answer.reason_phrase
    later = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT}
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in later:
        raise UplinkLost(f"the cloud answers {answer.status_code}: {words}")
    raise EnrolmentRefused(f"the cloud refuses: {words}")

"""New credentials before the old ones end (凭据轮换), without a gap: asked for with the node's own key, kept, then used."""

import random
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from edge.contract.enrolment import Credentials, Standing
from edge.errors import ConfigurationError, EdgeError
from edge.faults import FAULTS, Place
from edge.provisioning.enrolment import is_due, keep_configuration_keys, keep_credentials, require_same
from edge.provisioning.key import NodeKey

LOOK_EVERY_S: Final = 300.0
FIRST_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 300.0
"""Between two tries that failed."""

_log = structlog.get_logger(__name__)


class Door(Protocol):
    """What is asked of the cloud."""

    def renew(self, key: NodeKey, node: str) -> Credentials:
        """The next credentials. Raises EnrolmentRefused, UplinkLost."""
        ...

    def standing(self, token: str) -> Standing | None:
        """How the node stands, None where the token is not taken. Raises EnrolmentRefused, UplinkLost."""
        ...


class Renewal:
    """The thread `credentials`. `use` is told of credentials that are kept already, and says whether they are in use everywhere: a
    broker may hear of them later than the node. It is told again until they are.

    `trouble` is told why there are no new ones although they are due, or what of them can't be kept, and None once all is well.
    """

    def __init__(
        self,
        data_directory: Path,
        door: Door,
        key: NodeKey,
        given: Credentials,
        *,
        clock: Callable[[], datetime],
        use: Callable[[Credentials], bool],
        trouble: Callable[[str | None], None],
    ) -> None:
        self._data_directory = data_directory
        self._door = door
        self._key = key
        self.given = given
        self._clock = clock
        self._use = use
        self._trouble = trouble
        self._failures = 0
        self.unkept = 0
        """How often something that the cloud gave could not be written."""
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="credentials", daemon=True)

    def start(self) -> None:
        """Begin to look: at once, for what was given last has to be shown to have arrived."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way may still be kept."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def nudge(self) -> None:
        """Somebody did not let the node in: look sooner."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                is_settled = self.look()
                self._failures = 0 if is_settled else self._failures
                wait_s = LOOK_EVERY_S if is_settled else self._again_s()
            except EdgeError as error:
                _log.warning("no word from the cloud on credentials", reason=str(error))
                wait_s = self._again_s()
            except Exception:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.CREDENTIALS)
                _log.exception("the look after credentials failed and goes on")
                wait_s = self._again_s()
            wait_s *= random.uniform(0.7, 1.0)  # noqa: S311 (jitter is no secret)
            if self._stop.wait(min(wait_s, FIRST_WAIT_S)):
                return
            self._wake.wait(wait_s)

    def _again_s(self) -> float:
        self._failures += 1
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._failures, 16))

    def look(self) -> bool:
        """See how the present credentials stand, and renew them where it is time; whether all of it is kept and in use.

        The credentials are kept first. What came with them is written at each look where it is missing, so that an end between the two,
        or a folder that can't be written, costs no credentials and loses no revocation. Raises EdgeError.
        """
        standing = self._door.standing(self.given.token)
        try:
            if standing is None or standing.renewal_wanted or self._is_due(standing):
                self._renew()
                self._door.standing(self.given.token)  # shows that they arrived: the old ones may end
            elif standing.command_keys != self.given.command_keys or not set(standing.configuration_keys) <= set(
                self.given.configuration_keys
            ):
                self._keep(
                    msgspec.structs.replace(
                        self.given,
                        command_keys=standing.command_keys,
                        configuration_keys=standing.configuration_keys,
                    )
                )
        except EdgeError as error:
            self._trouble(str(error))
            raise
        problem = self._keep_keys(self.given.configuration_keys)
        self._trouble(problem)
        return self._use(self.given) and problem is None

    def _is_due(self, standing: Standing) -> bool:
        """By the end that the cloud says now, which may have come nearer."""
        expires_at = standing.expires_at or self.given.expires_at
        return is_due(msgspec.structs.replace(self.given, expires_at=expires_at), self._clock())

    def _renew(self) -> None:
        given = self._door.renew(self._key, self.given.node)
        require_same(given, node=self.given.node, district=self.given.district)
        self._keep(given)
        _log.info("new credentials", generation=given.generation, until=given.expires_at.isoformat())

    def _keep(self, given: Credentials) -> None:
        try:
            keep_credentials(self._data_directory, given)
        except ConfigurationError:
            self.unkept += 1
            self._keep_keys(given.configuration_keys)  # what was revoked is revoked all the same
            raise
        self.given = given

    def _keep_keys(self, keys: tuple[str, ...]) -> str | None:
        """Write the keys that sign configurations; what keeps some of them from being written."""
        try:
            keep_configuration_keys(self._data_directory, keys)
        except ConfigurationError as error:
            self.unkept += 1
            _log.warning("keys of the cloud's can't be kept, and are tried again", reason=str(error))
            return str(error)
        return None

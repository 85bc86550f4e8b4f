"""The models of the node, opened beside everything else: cameras go on without until theirs is there."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from edge.contract.birth import ModelVersion
from edge.contract.incident import ModelReference
from edge.errors import ModelUnusable
from edge.faults import FAULTS, Place
from edge.node.standing import Standing
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.preference import opened
from edge.settings import AUTO
from models import catalogue
from models.manifest import ModelProblem

TRY_AGAIN_S = 60.0
LONGEST_BAR_S = 3600.0
"""A model that fails again and again while it looks is tried ever more seldom, every hour in the end."""

REASON = "model_unusable"

_log = structlog.get_logger(__name__)


class ModelShelf:
    """The thread `models`: opens each model once; one that can't be opened is tried again every minute, and so is one that
    was opened and failed over a picture, after ever longer times.

    `auto` is a name like others: once one of the catalogue's order has been opened for it, it is that one until the process ends,
    whatever comes to lie in a mirror meanwhile. `on_change` is called when one has been opened.
    """

    def __init__(
        self,
        model_ids: Iterable[str],
        standing: Standing,
        *,
        on_change: Callable[[], None] = lambda: None,
        open_model: Callable[[str], OnnxDetector] = open_detector,
    ) -> None:
        self._wanted = tuple(sorted(set(model_ids)))
        self._standing = standing
        self._on_change = on_change
        self._open_model = open_model
        self._lock = threading.Lock()
        self._detectors: dict[str, OnnxDetector] = {}
        self._failures: dict[str, int] = {}
        self._barred_until_s: dict[str, float] = {}
        self._problems: dict[str, str] = {}
        self._chosen: dict[str, str] = {}
        self._because: dict[str, str] = {}
        self._renewals: dict[str, int] = {}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Begin to open."""
        self._thread.start()

    def stop(self) -> None:
        """Stop trying; a download that is under way is left to end with the process."""
        self._stop.set()
        self._wake.set()

    def want(self, model_ids: Iterable[str]) -> None:
        """From now on these models; what is new is opened soon, what nobody wants any more is let go of."""
        with self._lock:
            self._wanted = tuple(sorted(set(model_ids)))
            for model_id in [each for each in (*self._detectors, *self._problems) if each not in self._wanted]:
                self._detectors.pop(model_id, None)
                self._problems.pop(model_id, None)
                self._standing.forget(model_id)
        self._wake.set()

    def renew(self, model_id: str) -> None:
        """The catalogue has another version of it: what is open, or is just being opened, is let go of, and the other one
        opened soon.
        """
        with self._lock:
            self._renewals[model_id] = self._renewals.get(model_id, 0) + 1
            self._detectors.pop(model_id, None)
            self._barred_until_s.pop(model_id, None)
        self._wake.set()

    def detector(self, model_id: str | None) -> OnnxDetector | None:
        """The detector, once it is there."""
        return None if model_id is None else self._detectors.get(model_id)

    def withdraw(self, model_id: str, detector: OnnxDetector, problem: str) -> None:
        """A detector failed over a picture: cameras go on without it, and it is opened anew later. Any thread may say so."""
        with self._lock:
            if self._detectors.get(model_id) is not detector:
                return
            del self._detectors[model_id]
            failures = self._failures.get(model_id, 0)
            self._failures[model_id] = failures + 1
            self._barred_until_s[model_id] = time.monotonic() + min(
                TRY_AGAIN_S * 2.0 ** min(failures, 16), LONGEST_BAR_S
            )
            self._problems[model_id] = problem
        _log.error("a model failed and is withdrawn", model=model_id, reason=problem)
        self._standing.degrade(model_id, REASON, f"withdrawn, cameras go on with motion alone: {problem}")

    @property
    def failures(self) -> Mapping[str, int]:
        """How often each model was withdrawn."""
        return {model_id: self._failures.get(model_id, 0) for model_id in self._wanted}

    def barred_s(self, model_id: str) -> float:
        """How long a withdrawn model is not tried again."""
        return max(0.0, self._barred_until_s.get(model_id, 0.0) - time.monotonic())

    def choices(self) -> Mapping[str, Mapping[str, str | None]]:
        """By the name that cameras have for it: which model was taken, in which version, and why."""
        return {name: self._choice(name) for name in self._wanted}

    def _choice(self, name: str) -> Mapping[str, str | None]:
        detector = self._detectors.get(name)
        if detector is None:
            return {"model": None, "version": None, "because": self._problems.get(name, "not opened yet")}
        return {
            "model": detector.manifest.id,
            "version": detector.manifest.version,
            "because": self._because.get(name, ""),
        }

    def end_overdue(self) -> None:
        """End looks at pictures that take too long; the housekeeping calls it."""
        for detector in list(self._detectors.values()):
            detector.end_overdue()

    def reference(self, model_id: str | None) -> ModelReference | None:
        """How incidents name the model."""
        detector = self.detector(model_id)
        if detector is None:
            return None
        manifest = detector.manifest
        return ModelReference(id=manifest.id, version=manifest.version, sha256=manifest.sha256)

    def versions(self) -> tuple[ModelVersion, ...]:
        """All models for the birth, with what is wrong with them."""
        try:
            manifests = catalogue.models()
        except ModelProblem:
            return ()
        told: dict[str, ModelVersion] = {}
        for name in self._wanted:
            model_id = self._taken(name)
            if model_id in manifests and model_id not in told:
                problem = self._problems.get(name, "" if name in self._detectors else "not opened yet")[:500]
                manifest = manifests[model_id]
                told[model_id] = ModelVersion(
                    id=model_id, version=manifest.version, sha256=manifest.sha256, problem=problem or None
                )
        return tuple(told.values())

    def _taken(self, name: str) -> str:
        """The model behind a name; of `auto`, as long as none has been taken, the one that would be best."""
        return self._chosen.get(name, catalogue.PREFERRED[0] if name == AUTO else name)

    def _run(self) -> None:
        while not self._stop.is_set():
            for model_id in self._wanted:
                if model_id not in self._detectors and self.barred_s(model_id) == 0:
                    self._try(model_id)
            self._wake.wait(TRY_AGAIN_S)
            self._wake.clear()

    def _try(self, model_id: str) -> None:
        renewals = self._renewals.get(model_id, 0)
        try:
            found = opened(self._chosen.get(model_id, model_id), self._open_model)
        except ModelUnusable as error:
            self._problems[model_id] = str(error)
            self._standing.degrade(model_id, REASON, str(error))
        except Exception as error:  # noqa: BLE001 (the top of the thread)
            FAULTS.count(Place.MODELS)
            _log.exception("a model could not be opened", model=model_id)
            self._problems[model_id] = f"{type(error).__name__}; see the node's log"
            self._standing.degrade(model_id, REASON, self._problems[model_id])
        else:
            with self._lock:
                if model_id not in self._wanted or self._renewals.get(model_id, 0) != renewals:
                    return
                self._problems.pop(model_id, None)
                detector, known = found.detector, self._chosen.get(model_id)
                self._detectors[model_id] = detector
                self._chosen[model_id] = detector.manifest.id
                if known is None:
                    self._because[model_id] = found.because
            manifest = detector.manifest
            _log.info("model opened", model=manifest.id, version=manifest.version, because=self._because[model_id])
            self._standing.recover(model_id, REASON)
            self._on_change()

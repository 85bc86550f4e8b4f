"""The models of the node, opened beside everything else: cameras go on without until theirs is there."""

import threading
from collections.abc import Callable, Iterable

import structlog

from edge.contract.birth import ModelVersion
from edge.contract.incident import ModelReference
from edge.errors import ModelUnusable
from edge.node.standing import Standing
from edge.perception.detector import OnnxDetector, open_detector
from models import catalogue
from models.manifest import ModelProblem

TRY_AGAIN_S = 60.0
REASON = "model_unusable"

_log = structlog.get_logger(__name__)


class ModelShelf:
    """The thread `models`: opens each model once; one that can't be opened is tried again every minute.

    `on_change` is called when one has been opened.
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
        self._detectors: dict[str, OnnxDetector] = {}
        self._problems: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        """Begin to open."""
        self._thread.start()

    def stop(self) -> None:
        """Stop trying; a download that is under way is left to end with the process."""
        self._stop.set()

    def detector(self, model_id: str | None) -> OnnxDetector | None:
        """The detector, once it is there."""
        return None if model_id is None else self._detectors.get(model_id)

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
        return tuple(
            ModelVersion(
                id=model_id,
                version=manifests[model_id].version,
                sha256=manifests[model_id].sha256,
                problem=self._problems.get(model_id, "" if model_id in self._detectors else "not opened yet")[:500]
                or None,
            )
            for model_id in self._wanted
            if model_id in manifests
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            for model_id in self._wanted:
                if model_id not in self._detectors:
                    self._try(model_id)
            if len(self._detectors) == len(self._wanted):
                return
            self._stop.wait(TRY_AGAIN_S)

    def _try(self, model_id: str) -> None:
        try:
            detector = self._open_model(model_id)
        except ModelUnusable as error:
            self._problems[model_id] = str(error)
            self._standing.degrade(model_id, REASON, str(error))
        except Exception as error:  # noqa: BLE001 (the top of the thread)
            _log.exception("a model could not be opened", model=model_id)
            self._problems[model_id] = f"{type(error).__name__}; see the node's log"
            self._standing.degrade(model_id, REASON, self._problems[model_id])
        else:
            self._problems.pop(model_id, None)
            self._detectors[model_id] = detector
            _log.info("model opened", model=model_id, version=detector.manifest.version)
            self._standing.recover(model_id, REASON)
            self._on_change()

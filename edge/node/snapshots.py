"""Where evidence meets the camera's watch."""

from edge.flow import EvidenceFile, Frame, Scene
from edge.node.watch import SnapshotMaker
from edge.perception.pipeline import CameraPipeline
from edge.settings import CameraSettings


def snapshot_maker(_camera: CameraSettings) -> SnapshotMaker:
    """No picture can be masked yet, so none is taken: fail closed."""

    def take(_frame: Frame, _scene: Scene, _pipeline: CameraPipeline) -> EvidenceFile | None:
        return None

    return take

"""What travels inside a node, and the Protocols by which siblings meet. Pure.

packets → `Frame` → `Detections` → `Scene` of `Track`s ┐
                                            `Reading` ┴─ rules → `Finding` → incident, evidence → outbox

One module for each noun; whoever uses them imports them from here.
"""

from edge.flow.control import DeviceAction, DeviceControl, FirmwareControl, FirmwareTold
from edge.flow.evidence import EvidenceFile, EvidenceQueue, EvidenceUpload, StagedFile
from edge.flow.gate import Gate, GateOrder, GateReason, GateState
from edge.flow.health import Health, NativeMark, NativeStep
from edge.flow.outbox import OutboxDrain, OutboxRecord, Recorder, RuleMemory
from edge.flow.picture import Box, Boxes, Frame, Image, Picture
from edge.flow.reading import RECEIPTS_KEPT, Parcel, Reading, Receipts
from edge.flow.rules import Finding, ReadingRule, SceneObserver, SceneRule
from edge.flow.scene import Detections, Detector, FilmLook, Look, PrivateParts, Scene, Spotted, StillObject, Track
from edge.flow.sight import Sight
from edge.flow.stream import Encoded, Packet, StreamFormat
from edge.flow.wall import WallPicture

__all__ = [
    "RECEIPTS_KEPT",
    "Box",
    "Boxes",
    "Detections",
    "Detector",
    "DeviceAction",
    "DeviceControl",
    "Encoded",
    "EvidenceFile",
    "EvidenceQueue",
    "EvidenceUpload",
    "FilmLook",
    "Finding",
    "FirmwareControl",
    "FirmwareTold",
    "Frame",
    "Gate",
    "GateOrder",
    "GateReason",
    "GateState",
    "Health",
    "Image",
    "Look",
    "NativeMark",
    "NativeStep",
    "OutboxDrain",
    "OutboxRecord",
    "Packet",
    "Parcel",
    "Picture",
    "PrivateParts",
    "Reading",
    "ReadingRule",
    "Receipts",
    "Recorder",
    "RuleMemory",
    "Scene",
    "SceneObserver",
    "SceneRule",
    "Sight",
    "Spotted",
    "StagedFile",
    "StillObject",
    "StreamFormat",
    "Track",
    "WallPicture",
]

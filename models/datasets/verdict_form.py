"""What the labelled export of the platform looks like as JSON (`gridward-verdicts/1`): the part of it that training needs.

The form is written by the platform's export of verdicts; a test holds both to each other.
"""

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from models.datasets.pictures import DataProblem
from models.datasets.verdict_files import ExportFiles

FORMAT: Final = "gridward-verdicts/1"
_LARGEST_MANIFEST_BYTES: Final = 1 << 20
_LARGEST_ANNOTATIONS_BYTES: Final = 96 << 20

_Name = Annotated[str, Meta(max_length=300)]
_Number = Annotated[int, Meta(ge=0)]
_Side = Annotated[int, Meta(ge=1, le=65_535)]
_Form = TypeVar("_Form")


class Manifest(Struct, frozen=True):
    """`manifest.json`: which export it is, and what was left out when it was written."""

    format: _Name
    export: _Name
    exported_at: _Name = ""
    cut: bool = False


class Image(Struct, frozen=True):
    """A picture and what people found where it was taken; `sight` says whether there was what the detector said."""

    id: _Number
    file_name: Annotated[
        str, Meta(max_length=200, pattern=r"^images/(train|val|test)/[0-9a-f]{64}-[0-9]{1,19}\.jpg$(?!\n)")
    ]
    width: _Side
    height: _Side
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    split: Literal["train", "val", "test"]
    node: _Name
    device: _Name
    case: _Name
    incident_kind: _Name
    sight: Literal["there", "not_there", "unknown"]
    date_captured: _Name = ""


class Box(Struct, frozen=True):
    """Left, top, width and height in pixels of what the incident told of."""

    image_id: _Number
    bbox: tuple[float, float, float, float]


class _Info(Struct, frozen=True):
    version: _Name


class Annotations(Struct, frozen=True):
    """`annotations.json`."""

    info: _Info
    images: list[Image]
    annotations: list[Box]


def read_manifest(files: ExportFiles) -> Manifest:
    """Which export it is. Raises DataProblem where it is none, or one of another format."""
    manifest = _decoded(files, "manifest.json", Manifest, _LARGEST_MANIFEST_BYTES)
    _check(manifest.format)
    return manifest


def read_annotations(files: ExportFiles) -> Annotations:
    """Pictures and boxes. Raises DataProblem, which names the place in the file."""
    annotations = _decoded(files, "annotations.json", Annotations, _LARGEST_ANNOTATIONS_BYTES)
    _check(annotations.info.version)
    return annotations


def _check(told: str) -> None:
    if told != FORMAT:
        raise DataProblem(
            f"the export is of the format {told[:80]!r}, and {FORMAT} is known here; export with a platform of this version"
        )


def _decoded(files: ExportFiles, name: str, form: type[_Form], most_bytes: int) -> _Form:
    content = files.read(name, most_bytes)
    if content is None:
        raise DataProblem(f"there is no {name}: that is no labelled export, or not all of one")
    try:
        return msgspec.json.decode(content, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataProblem(f"{name} is not as an export has it: {error}") from error

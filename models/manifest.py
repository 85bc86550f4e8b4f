"""Manifests: what a file of weights or footage is, where it comes from, and what it must hash to. Pure but for reading.

One YAML file per entry. Unknown keys are mistakes, so that a misspelt one is found at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import yaml

_IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_LARGEST_MANIFEST_BYTES = 1 << 20


class ModelProblem(Exception):
    """Weights or footage can't be used; the message says why and names the way out.

    ModelProblem
    ├── ManifestWrong   the entry is unknown, or its file has mistakes
    ├── FileMissing     no place has it
    └── FileWrong       a file is there, with other content than the manifest says
    """


class ManifestWrong(ModelProblem):
    """The entry is unknown, or its file has mistakes."""


class FileMissing(ModelProblem):
    """No place has it; the message lists the places tried."""


class FileWrong(ModelProblem):
    """A file is there, with another size or hash than the manifest says."""


class Layout(StrEnum):
    """The order of an input's dimensions."""

    NCHW = "nchw"
    NHWC = "nhwc"


class Colour(StrEnum):
    """The order of an input's channels."""

    BGR = "bgr"
    RGB = "rgb"


class Fit(StrEnum):
    """How a picture is brought to the input's size."""

    LETTERBOX = "letterbox"
    """One scale for both sides; the rest is filled with `padding`, picture in the upper left corner."""
    STRETCH = "stretch"
    """Each side on its own."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file was published: one path of one commit of a public repository."""

    repository: str
    commit: str
    path: str

    @property
    def address(self) -> str:
        """The public address of exactly these bytes."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"


@dataclass(frozen=True, slots=True)
class Imported:
    """Where a file came from that somebody brought himself: its name there, and when (aware UTC)."""

    file: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Shipped:
    """Where a file lies that comes with the software: its path in the package `models`, and that of its card (模型卡) if it has one."""

    file: str
    card: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of weights or footage. `mirror` is its path below a mirror's root, or in the package where it comes with the software."""

    id: str
    sha256: str
    bytes: int
    licence: str
    licence_note: str
    source: Source | Imported | Shipped
    mirror: str


@dataclass(frozen=True, slots=True)
class Input:
    """A network's picture input. A value is (pixel * scale - mean) / deviation, per channel in the order of `colour`."""

    width: int
    height: int
    layout: Layout
    colour: Colour
    fit: Fit
    padding: int
    scale: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Manifest(Artifact):
    """A model. `decoder` names the head, `labels` its classes in order, `figures` what was measured and on what; `outputs` are
    the names of the graph's outputs in the order in which the head reads them, none where the graph has just these. A network's
    score to the power of `score_exponent` is about as often right as that of the default detector.
    """

    version: str
    title: str
    input: Input
    decoder: str
    labels: tuple[str, ...]
    figures: Mapping[str, float | str]
    outputs: tuple[str, ...] = ()
    score_exponent: float = 1.0


@dataclass(frozen=True, slots=True)
class Footage(Artifact):
    """A clip. `what` says what can be seen; sizes in pixels."""

    what: str
    width: int
    height: int
    fps: float
    frames: int


def read_manifest(file: Path) -> Manifest:
    """Read a model's manifest. Raises ManifestWrong."""
    fields = _Fields.of_file(file)
    artifact = _artifact(fields, file)
    manifest = Manifest(
        **artifact,
        version=fields.text("version"),
        title=fields.text("title"),
        input=_input(fields.part("input")),
        decoder=fields.identifier("decoder"),
        labels=_labels(fields, file),
        figures=_figures(fields.part("figures")),
        outputs=fields.names("outputs"),
        score_exponent=fields.number("score_exponent", 1.0),
    )
    fields.finish()
    return manifest


def read_footage(file: Path) -> Footage:
    """Read a clip's manifest. Raises ManifestWrong."""
    fields = _Fields.of_file(file)
    artifact = _artifact(fields, file)
    footage = Footage(
        **artifact,
        what=fields.text("what"),
        width=fields.whole("width", 1),
        height=fields.whole("height", 1),
        fps=fields.number("fps"),
        frames=fields.whole("frames", 1),
    )
    fields.finish()
    return footage


class _Fields:
    """The keys of one mapping, taken one by one; what is left over at the end is a mistake."""

    def __init__(self, where: str, values: dict[Any, Any]) -> None:
        self._where = where
        self._values = values
        self._parts: list[_Fields] = []

    @classmethod
    def of_file(cls, file: Path) -> Self:
        try:
            if file.stat().st_size > _LARGEST_MANIFEST_BYTES:
                raise ManifestWrong(f"{file.name}: larger than a manifest can be")
            values = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ManifestWrong(f"{file.name} can't be read: {error}") from error
        if not isinstance(values, dict):
            raise ManifestWrong(f"{file.name}: keys and values are expected")
        return cls(file.name, values)

    def fail(self, key: str, reason: str) -> ManifestWrong:
        return ManifestWrong(f"{self._where}: {key}: {reason}")

    def take(self, key: str, default: Any = ...) -> Any:
        value = self._values.pop(key, default)
        if value is ...:
            raise self.fail(key, "is missing")
        return value

    def part(self, key: str) -> "_Fields":
        value = self.take(key)
        if not isinstance(value, dict):
            raise self.fail(key, "keys and values are expected")
        part = _Fields(f"{self._where}: {key}", dict(value))
        self._parts.append(part)
        return part

    def text(self, key: str, pattern: "re.Pattern[str] | None" = None) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, "a text is expected")
        if pattern is not None and pattern.fullmatch(value) is None:
            raise self.fail(key, f"{value[:80]!r} does not look like one")
        return value.strip()

    def identifier(self, key: str) -> str:
        return self.text(key, _IDENTIFIER)

    def whole(self, key: str, least: int, default: Any = ...) -> int:
        value = self.take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.fail(key, f"a whole number of at least {least} is expected")
        return value

    def number(self, key: str, default: Any = ...) -> float:
        value = self.take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
            raise self.fail(key, "a number above 0 is expected")
        return float(value)

    def three(self, key: str, default: float) -> tuple[float, float, float]:
        value = self.take(key, [default] * 3)
        if not isinstance(value, list) or len(value) != 3 or not all(isinstance(v, int | float) for v in value):
            raise self.fail(key, "three numbers are expected")
        return float(value[0]), float(value[1]), float(value[2])

    def names(self, key: str) -> tuple[str, ...]:
        value = self.take(key, [])
        if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
            raise self.fail(key, "a list of names is expected")
        if len(set(value)) != len(value):
            raise self.fail(key, "a name stands there twice")
        return tuple(value)

    def rest(self) -> dict[Any, Any]:
        values, self._values = self._values, {}
        return values

    def finish(self) -> None:
        if self._values:
            raise ManifestWrong(f"{self._where}: unknown keys {', '.join(sorted(map(str, self._values)))}")
        for part in self._parts:
            part.finish()


def _artifact(fields: _Fields, file: Path) -> dict[str, Any]:
    name = fields.identifier("id")
    if name != file.stem:
        raise fields.fail("id", f"{name} does not fit the file's name")
    source = _source(fields.part("source"))
    mirror = source.file if isinstance(source, Shipped) else fields.text("mirror")
    if not _is_below(mirror):
        raise fields.fail("mirror", "a path below the mirror's root is expected")
    return {
        "id": name,
        "sha256": fields.text("sha256", _SHA256),
        "bytes": fields.whole("bytes", 1),
        "licence": fields.text("licence"),
        "licence_note": fields.text("licence_note"),
        "source": source,
        "mirror": mirror,
    }


def _is_below(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _source(source: _Fields) -> Source | Imported | Shipped:
    if (shipped := source.take("shipped", None)) is not None:
        return _shipped(source, shipped)
    if (name := source.take("imported", None)) is None:
        return Source(
            source.text("repository", _REPOSITORY), source.text("commit", _COMMIT), source.text("path").lstrip("/")
        )
    if not isinstance(name, str) or not name.strip():
        raise source.fail("imported", "the name of a file is expected")
    try:
        return Imported(name, datetime.fromisoformat(source.text("at")).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise source.fail("at", "a time like 2026-07-01T12:00:00+00:00 is expected") from error


def _shipped(source: _Fields, file: Any) -> Shipped:
    card = source.take("card", None)
    for key, value in (("shipped", file), ("card", card or "-")):
        if not isinstance(value, str) or not value.strip() or not _is_below(value):
            raise source.fail(key, "a path in the package is expected")
    return Shipped(file, card)


def _input(fields: _Fields) -> Input:
    def choice(key: str, kind: type[StrEnum]) -> Any:
        value = fields.text(key)
        try:
            return kind(value)
        except ValueError:
            raise fields.fail(key, f"{value!r} is none of {', '.join(kind)}") from None

    return Input(
        width=fields.whole("width", 8),
        height=fields.whole("height", 8),
        layout=choice("layout", Layout),
        colour=choice("colour", Colour),
        fit=choice("fit", Fit),
        padding=fields.whole("padding", 0, 0),
        scale=fields.number("scale", 1.0),
        mean=fields.three("mean", 0.0),
        deviation=fields.three("deviation", 1.0),
    )


def _labels(fields: _Fields, file: Path) -> tuple[str, ...]:
    """A list of names, or the name of a list in `models/labels/`."""
    value = fields.take("labels")
    if isinstance(value, str):
        listed = file.parent.parent / "labels" / f"{value}.yaml"
        try:
            value = yaml.safe_load(listed.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise fields.fail("labels", f"{listed.name} can't be read: {error}") from error
    if not isinstance(value, list) or not value or not all(isinstance(label, str) and label for label in value):
        raise fields.fail("labels", "a list of names is expected")
    if len(set(value)) != len(value):
        raise fields.fail("labels", "a name stands there twice")
    return tuple(value)


def _figures(fields: _Fields) -> Mapping[str, float | str]:
    figures = fields.rest()
    for key, value in figures.items():
        if not isinstance(key, str) or isinstance(value, bool) or not isinstance(value, int | float | str):
            raise fields.fail(str(key), "a number or a text is expected")
    return MappingProxyType(figures)

"""The files of a labelled export, from its zip or from the folder that it was unpacked to. Whatever they hold is read within bounds."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from models.datasets.pictures import DataProblem

_MOST_ENTRIES: Final = 100_000
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How the platform packs. Other ways unpack far more than is asked for at once, whatever bound is set."""
_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)
"""What `zipfile` raises for an entry that is damaged, locked or packed in a way it does not know."""


class TooLarge(DataProblem):
    """A file of an export has more bytes than such a file can have."""


class ExportFiles(Protocol):
    """Where the files of an export are read from."""

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """A file; None where there is none. Raises DataProblem when it is larger, damaged or not inside the export."""
        ...


@contextmanager
def opened(path: Path) -> Iterator[ExportFiles]:
    """The files of an export at `path`. Raises DataProblem when there is none."""
    if path.is_dir():
        yield _Folder(path)
        return
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise DataProblem(f"{path} is no file; a zip is read here and there, so write it to a file first")
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataProblem(
            f"{path} is neither a zip nor a folder with a labelled export ({error}); the page of verdicts of the platform "
            "writes one"
        ) from error
    with archive:
        if len(archive.infolist()) > _MOST_ENTRIES:
            raise DataProblem(f"{path} has more than {_MOST_ENTRIES} entries; export fewer days at a time")
        yield _Archive(archive)


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, name: str, most_bytes: int) -> bytes | None:
        try:
            file = (self._root / name).resolve()
            if not file.is_relative_to(self._root):
                raise DataProblem(f"{name} lies outside of the export; unpack it anew")
            if file.exists() and not file.is_file():  # a pipe would be waited for
                raise DataProblem(f"{name} is no file; unpack the export anew")
            with file.open("rb") as held:
                content = held.read(most_bytes + 1)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, ValueError) as error:
            raise DataProblem(f"{name} can't be read: {error}") from error
        return _bounded(name, content, most_bytes)


class _Archive:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def read(self, name: str, most_bytes: int) -> bytes | None:
        try:
            entry = self._archive.getinfo(name)
        except KeyError:
            return None
        if entry.compress_type not in _PACKED:
            raise DataProblem(f"{name} is packed in another way than the platform packs; unpack it and name the folder")
        try:
            with self._archive.open(entry) as held:
                content = held.read(most_bytes + 1)
        except _BROKEN as error:
            raise DataProblem(f"{name} can't be read from the archive: {error}; export it again") from error
        return _bounded(name, content, most_bytes)


def _bounded(name: str, content: bytes, most_bytes: int) -> bytes:
    if len(content) > most_bytes:
        raise TooLarge(f"{name} has more than {most_bytes} bytes; export fewer days at a time")
    return content

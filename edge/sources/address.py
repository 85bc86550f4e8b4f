"""Where the stream of a camera is to be opened: asked for anew before each connection."""

from pathlib import Path
from threading import Event
from typing import Protocol
from urllib.parse import unquote, urlsplit

from edge.errors import SourceLost
from edge.settings import CameraSettings
from edge.video import is_live, with_credentials


class AddressProvider(Protocol):
    """Tells one camera's thread what to open. An address may hold a password or a key: it is never logged."""

    def obtain(self, stopping: Event) -> str:
        """The address for the next connection; may take as long as an invitation does, and ends early with `stopping`.

        Raises SourceLost when there is none at present.
        """
        ...

    def opened(self) -> None:
        """The stream at the address of the last call answers."""
        ...


class ConfiguredAddress:
    """The address that stands in the configuration."""

    def __init__(self, camera: CameraSettings) -> None:
        self._camera = camera

    def obtain(self, stopping: Event) -> str:  # noqa: ARG002 (nothing is waited for here)
        """The address with the password where there is one, read anew. Raises SourceLost when its file can't be read."""
        camera = self._camera
        if is_live(camera.url):
            if camera.password_file is None:
                return with_credentials(camera.url, camera.user, None)
            try:
                password = camera.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SourceLost(f"the password file can't be read: {type(error).__name__}") from error
            return with_credentials(camera.url, camera.user, password)
        parts = urlsplit(camera.url)
        return str(Path(unquote(parts.path))) if parts.scheme == "file" else camera.url

    def opened(self) -> None:
        """Nothing has to be remembered."""

"""A made scene as a camera (RTSP): it shows its first pictures at once and the scene over and over."""

import asyncio
import errno
from socket import gaierror
from typing import Final

from edge.errors import ConfigurationError
from edge.simulators.camera_process import serve
from edge.simulators.rtsp_camera import RtspCamera
from edge.simulators.scene.drawn import DrawnFootage
from edge.simulators.scene.scene import Scene

_NOT_LISTENED: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EAFNOSUPPORT, None})
"""None: where no address of a host could be bound, asyncio tells its own words and no number."""


def serve_scene(scene: Scene, host: str, port: int) -> None:
    """Be the camera until told to stop; whoever looks sees the same moment. Raises MediaUnusable, ConfigurationError when it
    can't listen there.
    """
    try:
        asyncio.run(_serve(scene, host, port))
    except OSError as error:
        if error.errno not in _NOT_LISTENED and not isinstance(error, gaierror):
            raise
        raise ConfigurationError(
            f"{host}:{port} can't be listened at ({error.strerror or error}); another --host, another --port, or 0 for any free one"
        ) from error


async def _serve(scene: Scene, host: str, port: int) -> None:
    with DrawnFootage(scene) as footage:
        camera = RtspCamera(footage, shared=True)
        await serve(camera, host, port, making=lambda: asyncio.to_thread(footage.wait_until_drawn))

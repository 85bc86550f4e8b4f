"""The web page: files with a hash in their name are kept for ever, the page itself is asked for each time."""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, PlainTextResponse, Response

from cloud.errors import NotFound

_NEVER_PAGES = ("api/", "assets/", "healthz", "readyz", "metrics")


def router_for(directory: Path) -> APIRouter:
    """The routes that serve the built page from `directory`; include them last."""
    router = APIRouter(include_in_schema=False)
    root = directory.resolve()

    @router.get("/{path:path}")
    def read_page(path: str) -> Response:
        file = _inside(root, path)
        if file is not None:
            kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
            return FileResponse(file, headers={"Cache-Control": kept})
        if path.startswith(_NEVER_PAGES):
            raise NotFound("there is nothing here")
        index = root / "index.html"
        if not index.is_file():
            return PlainTextResponse(
                "The page was not built: run `make web`.\n", status_code=HTTPStatus.SERVICE_UNAVAILABLE
            )
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    return router


def _inside(root: Path, path: str) -> Path | None:
    """The file of that name below `root`; None for anything else, above all for what lies outside."""
    if not path or "\x00" in path:
        return None
    try:
        file = (root / path).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):
        return None

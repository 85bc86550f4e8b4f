"""The page's typed client is generated from a file in the repository: it must be today's document."""

import json
from pathlib import Path

from cloud.api.app import openapi

DOCUMENT = Path(__file__).parents[3] / "cloud" / "web" / "openapi.json"


def test_the_page_is_built_against_this_service() -> None:
    assert json.loads(DOCUMENT.read_text(encoding="utf-8")) == json.loads(json.dumps(openapi())), (
        "run `gridward-cloud openapi > cloud/web/openapi.json`, then `npm run api` in cloud/web"
    )

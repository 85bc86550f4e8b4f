"""JSON Schemas of every message, for those who write a node or a cloud in another language.

`python -m edge.contract.schemas DIRECTORY` writes one file per channel.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from edge.contract.bodies import SHAPES
from edge.contract.envelope import VERSION


def schemas() -> dict[str, dict[str, Any]]:
    """File name → JSON Schema (2020-12), one per channel."""
    return {
        f"{channel.value.replace('/', '-')}.v{VERSION}.schema.json": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"Gridward {channel.value}, version {VERSION}",
            **msgspec.json.schema(shape),
        }
        for channel, shape in SHAPES.items()
    }


def write(directory: Path) -> list[Path]:
    """Write all schemas into `directory`, which is made when it is not there; the paths come back."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        path = directory / name
        path.write_text(json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m edge.contract.schemas DIRECTORY")
    for path in write(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")

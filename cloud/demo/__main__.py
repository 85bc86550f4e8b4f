"""`python -m cloud.demo [--directory FOLDER]`."""

import argparse
import sys
from pathlib import Path

from cloud.demo.command import main

parser = argparse.ArgumentParser(
    prog="python -m cloud.demo", description="Everything on this machine, on real footage."
)
parser.add_argument("--directory", type=Path, default=Path(".demo"), help="where it keeps its data (.demo)")
sys.exit(main(parser.parse_args().directory))

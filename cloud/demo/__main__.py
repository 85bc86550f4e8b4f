"""`python -m cloud.demo [--directory FOLDER]`; the folder is `.demo` unless given."""

import argparse
import sys
from pathlib import Path

from cloud.demo.command import main

parser = argparse.ArgumentParser(prog="python -m cloud.demo", description="The whole system on this machine.")
parser.add_argument("--directory", type=Path, default=Path(".demo"), help="where everything of it is kept")
sys.exit(main(parser.parse_args().directory))

"""`python -m cloud.demo [FOLDER]`; the folder is `.demo` unless given."""

import sys
from pathlib import Path

from cloud.demo.command import main

sys.exit(main(*(Path(argument) for argument in sys.argv[1:2])))

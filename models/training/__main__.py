"""`python -m models.training`."""

import sys
from importlib.util import find_spec

if find_spec("torch") is None:
    sys.stderr.write(
        "PyTorch is not here: it has an environment of its own. Make that with `make environment-training`, and use its interpreter: "
        "`.venv/training/bin/python -m models.training`\n"
    )
    sys.exit(2)

from models.training.command import main

sys.exit(main())

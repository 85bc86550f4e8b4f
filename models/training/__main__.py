"""`python -m models.training`."""

import sys

from models.training.command import main

sys.exit(main())

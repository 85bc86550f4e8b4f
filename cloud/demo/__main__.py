"""`python -m cloud.demo`."""

import sys

from cloud.demo.command import main

sys.exit(main())

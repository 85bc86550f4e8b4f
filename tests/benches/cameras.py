"""How much of a core an idle camera takes, and how many busy ones two cores carry: `gridward-edge bench cameras`, with its options.

`python -m tests.benches.cameras [--json] [--idle | --busy]`
"""

import sys

from edge.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["bench", "cameras"]
    main()

"""Whether regions of several cameras should be packed into one input: what N looks of their own cost, and one look at all of them.

`python -m tests.benches.packing [--json]`. One thread, YOLOX-nano, four regions one by one, and side by side in one tensor
(the graph takes no batch); each pair in turn, the best of its runs. Packing would be worth its trouble (boxes to be told apart, cameras that
wait for each other) from 1.5 times the speed on.
"""

import argparse
import json
import sys
from time import perf_counter
from typing import Any

import numpy as np

from edge.inference import Tensor
from edge.perception.detector import OnnxDetector, open_detector

WORTH = 1.5
RUNS = 12
REGIONS = ((128, 128), (160, 128), (160, 224), (256, 256))
"""Width and height of inputs that regions of motion take."""

ROWS, COLUMNS = 2, 2


def best_ms(detector: OnnxDetector, width: int, height: int, times: int) -> float:
    """The least time of `times` looks at an input of this size, milliseconds."""
    tensor: Tensor = np.full((1, 3, height, width), 114, dtype=np.float32)
    decoder = detector._decoder_of(width, height)
    spent_s = []
    for _ in range(RUNS):
        began_s = perf_counter()
        for _ in range(times):
            detector._infer(tensor, decoder)
        spent_s.append(perf_counter() - began_s)
    return min(spent_s[1:]) * 1000


def main() -> int:
    """Measure; the exit status is 0 as long as the answer is that it is not worth it, as the node is built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    detector = open_detector("yolox_nano_416")
    rows: list[dict[str, Any]] = []
    ratios: list[float] = []
    for width, height in REGIONS:
        apart_ms = best_ms(detector, width, height, ROWS * COLUMNS)
        packed_ms = best_ms(detector, width * COLUMNS, height * ROWS, 1)
        ratios.append(apart_ms / packed_ms)
        rows.append(
            {
                "region": f"{width}x{height}",
                "regions": ROWS * COLUMNS,
                "apart_ms": round(apart_ms, 3),
                "packed_ms": round(packed_ms, 3),
                "times_faster": round(apart_ms / packed_ms, 3),
            }
        )
    worth = any(times >= WORTH for times in ratios)
    report = {"rows": rows, "worth_from": WORTH, "worth_it": worth}
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for row in rows:
            print(
                "4 x {region:<8} apart {apart_ms:7.2f} ms, packed {packed_ms:7.2f} ms: {times_faster:.2f} times".format(
                    **row
                )
            )
    return 1 if worth else 0


if __name__ == "__main__":
    sys.exit(main())

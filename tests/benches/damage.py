"""How often a damaged clip harms who decodes it: random damage to clips of each kind, decoded in a process of their own.

`python -m tests.benches.damage [--json] [--clips 2000] [--seed 1] [--keep FOLDER]`; a clip that ends the process or does not
come back is kept in the folder, and the exit status is 1.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

from tests.fakes.decoding_child import DecodingChild
from tests.fakes.hostile_footage import ENDINGS, write_film

LONGEST_S = 60.0


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A copy with bytes changed, cut off, taken out or doubled."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3, 30, 300))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    if chance.random() < 0.2:
        changed = changed[: chance.randrange(len(changed) + 1)]
    if chance.random() < 0.3 and changed:
        begin = chance.randrange(len(changed))
        end = min(begin + chance.randrange(1, 2000), len(changed))
        changed[begin:end] = changed[begin:end] * chance.choice((0, 2))
    return bytes(changed)


def main() -> int:
    """The command line; 1 when a clip ended the process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311 (damage, not secrets)
    tally: Counter[str] = Counter()
    began_s, most_mib, first_mib = perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = {ending: write_film(folder / f"a.{ending}").read_bytes() for ending in ENDINGS}
        child = DecodingChild()
        for number in range(options.clips):
            ending = ENDINGS[number % len(ENDINGS)]
            clip = folder / f"damaged.{ending}"
            clip.write_bytes(damaged(films[ending], chance))
            try:
                found = child.decode(clip, timeout_s=LONGEST_S)
            except AssertionError as error:
                tally["harmful"] += 1
                sys.stderr.write(f"clip {number}: {error}\n")
                if options.keep is not None:
                    (options.keep / f"{options.seed}-{number}.{ending}").write_bytes(clip.read_bytes())
                continue
            tally["refused" if found["reason"] else "played"] += 1
            tally["pictures"] += found["pictures"]
            most_mib = max(most_mib, found["most_mib"])
            first_mib = most_mib if number == len(ENDINGS) - 1 else first_mib
        child.close()
    report = {
        "clips": options.clips,
        "seed": options.seed,
        "harmful": tally["harmful"],
        "refused": tally["refused"],
        "played": tally["played"],
        "pictures": tally["pictures"],
        "memory_after_first_mib": first_mib,
        "memory_at_most_mib": most_mib,
        "wall_s": round(perf_counter() - began_s, 1),
    }
    lines = (f"{key}: {value}" for key, value in report.items())
    sys.stdout.write((json.dumps(report, indent=2) if options.json else "\n".join(lines)) + "\n")
    return 1 if tally["harmful"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""How rules have done on made scenes, and a file of it: a run over a thousand that breaks off goes on where it was."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_MOST_EXAMPLES = 20
LEAST = 0.97


@dataclass(slots=True)
class Score:
    """One kind of rule. `wanted` had to be told and `told` of them was; `right` and `wrong` findings; `again`: those of the right ones that
    told nothing but what an earlier one had told; `open` count neither way.
    """

    wanted: int = 0
    told: int = 0
    right: int = 0
    again: int = 0
    wrong: int = 0
    open: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """Which share of what had to be told was."""
        return round(self.told / self.wanted, 4) if self.wanted else None

    @property
    def precision(self) -> float | None:
        """Which share of what was told had happened."""
        return round(self.right / (self.right + self.wrong), 4) if self.right + self.wrong else None

    @property
    def is_good(self) -> bool:
        """Whether recall and precision are what is asked for. Of what never happened nobody can tell that it is not."""
        return all(each is None or each >= LEAST for each in (self.recall, self.precision))

    def add(self, other: "Score") -> None:
        """Take the counts of further scenes."""
        self.wanted += other.wanted
        self.told += other.told
        self.right += other.right
        self.again += other.again
        self.wrong += other.wrong
        self.open += other.open
        self.examples = [*self.examples, *other.examples][:_MOST_EXAMPLES]


def summed(scenes: Iterable[Mapping[str, Score]]) -> dict[str, Score]:
    """By kind of rule, over scenes."""
    total: dict[str, Score] = {}
    for scores in scenes:
        for kind, score in scores.items():
            total.setdefault(kind, Score()).add(score)
    return dict(sorted(total.items()))


class KeptScores:
    """The scores of scenes by seed, in a file with a line each when it has a path: the first line says how they were made."""

    def __init__(self, path: Path | None, made: Mapping[str, Any]) -> None:
        """Read what is there. Raises ValueError when that was made in another way."""
        self.by_seed: dict[int, dict[str, Score]] = {}
        self._path = path
        if path is None:
            return
        if not path.exists():
            path.write_text(json.dumps(dict(made)) + "\n")
            return
        whole = path.read_text().rpartition("\n")[0]  # a line that was cut off is made anew
        first, *lines = whole.splitlines() or [""]
        if first != json.dumps(dict(made)):
            raise ValueError(f"{path} was made in another way ({first or 'nothing is in it'}); name another file")
        for line in lines:
            row = json.loads(line)
            self.by_seed[row["seed"]] = {kind: Score(**score) for kind, score in row["rules"].items()}
        path.write_text(whole + "\n")

    def add(self, seed: int, scores: Mapping[str, Score]) -> None:
        """Keep the scores of one scene."""
        self.by_seed[seed] = dict(scores)
        if self._path is not None:
            rules = {kind: asdict(score) for kind, score in scores.items()}
            with self._path.open("a") as file:
                file.write(json.dumps({"seed": seed, "rules": rules}) + "\n")

    def total(self, seeds: Iterable[int]) -> dict[str, Score]:
        """By kind of rule, over these scenes, in their order."""
        return summed(self.by_seed[seed] for seed in seeds)

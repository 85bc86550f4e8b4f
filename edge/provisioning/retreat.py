"""When a program that was found to be well, and ends again and again all the same, is left for the one before (退回上一版本). Pure.

A node that never comes up is worse than one that runs an older version. What ends the newer one may be something else than itself,
though: then the older one does no better, and the newer one is what runs.
"""

from typing import Final

from edge.provisioning.slots import Chosen, Filled

MOST_IN_A_ROW: Final = 5
"""A stream that ends the process, and a detector that does, are found and left out after fewer ends than these."""

SHORT_LIFE_S: Final = 60.0


class Retreat:
    """What the parent remembers of how its processes ended, as long as it lives: a new start of the machine is a new chance."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.left: Filled | None = None
        """What is not to be started, though it was found to be well."""
        self._is_over = False
        self._in_a_row = 0

    def ended(self, chosen: Chosen, *, lived_s: float, is_startable: bool = True) -> None:
        """A process ended by itself. `is_startable`: it did not say that it can't be started as things are."""
        if chosen.is_trial:  # whatever was known is of programs before; a trial has bounds of its own
            self._forget()
            return
        self._in_a_row = self._in_a_row + 1 if lived_s < SHORT_LIFE_S else 0
        if self.left is not None and (not is_startable or self._in_a_row >= MOST_IN_A_ROW):
            self.left, self._is_over, self._in_a_row = None, True, 0
        elif chosen.filled is not None and not self._is_over and self._in_a_row >= MOST_IN_A_ROW:
            self.left, self._in_a_row = chosen.filled, 0

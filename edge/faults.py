"""Mistakes of the node's own that the top of a thread has caught: each is counted here, besides its line in the log."""

import threading
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Place(StrEnum):
    """Where a mistake was caught."""

    COMMANDS = "commands"
    CREDENTIALS = "credentials"
    EVIDENCE = "evidence"
    MODBUS = "modbus"
    MODELS = "models"
    MQTT_DEVICES = "mqtt_devices"
    MQTT_LINK = "mqtt_link"
    OUTBOX = "outbox"
    UPLINK = "uplink"
    WALL = "wall"


class Faults:
    """Counts since the start of the process, for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Place] = Counter()

    def count(self, place: Place) -> None:
        """One more was caught there."""
        with self._lock:
            self._counts[place] += 1

    def counts(self) -> Mapping[str, int]:
        """How many were caught at each place."""
        with self._lock:
            return {place.value: self._counts[place] for place in Place}


FAULTS: Final = Faults()
"""The process's own: a mistake is the program's, whichever part of it met it."""

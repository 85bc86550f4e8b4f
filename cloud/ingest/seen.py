"""Who spoke is noted in the registry now and then, not with every batch."""


class SeenNotes:
    """Keeps the notes of who spoke to one each `every_s`: a row that is written with every batch costs more than it tells.

    What a transaction asked for counts only once it is committed (`keep`), for a rollback takes the note back.
    """

    def __init__(self, known: dict[tuple[str, int], float], *, now_s: float, every_s: float) -> None:
        self._now_s = now_s
        self._known = known
        self._every_s = every_s
        self._noted: list[tuple[str, int]] = []

    def node(self, node_id: int) -> bool:
        """Whether to note that this node spoke."""
        return self._is_due(("node", node_id))

    def device(self, device_id: int) -> bool:
        """Whether to note that this device spoke."""
        return self._is_due(("device", device_id))

    def _is_due(self, key: tuple[str, int]) -> bool:
        noted_s = self._known.get(key)
        if noted_s is not None and self._now_s - noted_s < self._every_s:
            return False
        self._noted.append(key)
        return True

    def keep(self) -> None:
        """The transaction is committed."""
        self._known.update(dict.fromkeys(self._noted, self._now_s))

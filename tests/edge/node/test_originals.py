"""The commands on sealed originals: what they take, and what they answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.contract.downlink import CommandName
from edge.contract.originals import MOST_FILES, OriginalState
from edge.errors import CommandRefused
from edge.node.commands import Request
from edge.node.originals import keep_sealed_of, upload_sealed_of

NAME = "a" * 64
REFUSED = "c" * 64
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


class Shelf:
    """Has one original."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Sequence[str], datetime | None]] = []

    def order_originals(self, names: Sequence[str], until: datetime) -> dict[str, OriginalState]:
        self.asked.append(("order", names, until))
        return {name: OriginalState.ORDERED if name == NAME else OriginalState.GONE for name in names}

    def refusals(self, names: Sequence[str], until: datetime) -> dict[str, str]:
        self.asked.append(("refusals", names, until))
        return {name: "too large" for name in names if name == REFUSED}

    def hold_originals(self, names: Sequence[str], until: datetime | None) -> dict[str, OriginalState]:
        self.asked.append(("hold", names, until))
        return dict.fromkeys(names, OriginalState.KEPT)


def ask(shelf: Shelf, name: CommandName, arguments: dict[str, Any]) -> dict[str, Any]:
    make = {CommandName.UPLOAD_SEALED: upload_sealed_of, CommandName.KEEP_SEALED: keep_sealed_of}[name]
    return make(shelf)(Request(name, None, arguments, AT, lambda: 30.0))


def test_what_the_cloud_refused_is_said_with_its_reason() -> None:
    answer = ask(Shelf(), CommandName.UPLOAD_SEALED, {"files": [REFUSED], "until": "2026-03-01T08:00:00.000000Z"})
    assert answer["reasons"] == {REFUSED: "too large"}


def test_an_order_names_files_and_its_end() -> None:
    shelf = Shelf()
    answer = ask(shelf, CommandName.UPLOAD_SEALED, {"files": [NAME, "b" * 64], "until": "2026-03-01T08:00:00.000000Z"})
    assert answer == {"files": {NAME: "ordered", "b" * 64: "gone"}}
    assert shelf.asked == [("order", (NAME, "b" * 64), AT), ("refusals", (NAME, "b" * 64), AT)]


def test_a_hold_may_have_no_end() -> None:
    shelf = Shelf()
    assert ask(shelf, CommandName.KEEP_SEALED, {"files": [NAME]}) == {"files": {NAME: "kept"}}
    assert shelf.asked == [("hold", (NAME,), None)]


@pytest.mark.parametrize("name", [CommandName.UPLOAD_SEALED, CommandName.KEEP_SEALED])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"files": [], "until": "2026-03-01T08:00:00Z"},
        {"files": ["../../etc/passwd"], "until": "2026-03-01T08:00:00Z"},
        {"files": [NAME] * (MOST_FILES + 1), "until": "2026-03-01T08:00:00Z"},
        {"files": [NAME], "until": "soon"},
        {"files": [NAME], "until": "0001-01-01T00:00:00Z"},
        {"files": [NAME], "until": "2026-03-01T08:00:00Z", "more": 1},
    ],
)
def test_what_is_not_understood_is_refused(name: CommandName, arguments: dict[str, Any]) -> None:
    shelf = Shelf()
    with pytest.raises(CommandRefused, match="not understood"):
        ask(shelf, name, arguments)
    assert shelf.asked == []

"""A broad `except` hides mistakes: each one counts what it caught, or raises it again."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
BROAD = {"Exception", "BaseException"}
ELSEWHERE = {
    "edge/outbox/committer.py _commit": "each waiter gets the error and counts or raises it",
    "edge/outbox/committer.py _attempt": "the asker gets the error and counts or raises it",
    "edge/node/firmware_asking.py _ask": "the answer carries it to the desk, which counts it as a fault",
    "edge/simulators/scene/drawn.py _draw": "whoever waits for a picture raises it",
    "edge/sources/deferral.py fetch": "raised again in the reading thread, whose top counts it",
    "cloud/rollouts/advance.py advance_all": "raised below, once the other rollouts have had their turn",
}
"""Where a broad `except` hands on what it caught without a `raise` of its own, and to whom."""


def counts_or_raises(handler: ast.ExceptHandler) -> bool:
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add))
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"inc", "count"})
        for statement in handler.body
        for node in ast.walk(statement)
    )


def is_broad(handler: ast.ExceptHandler) -> bool:
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or (isinstance(name, ast.Name) and name.id in BROAD) for name in names)


def silent(tree: ast.AST, function: str = "") -> Iterator[str]:
    """The functions with a broad `except` that neither counts nor raises."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not counts_or_raises(node):
            yield function
        yield from silent(node, node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function)


def test_each_broad_except_counts_or_raises() -> None:
    found = {
        f"{file.relative_to(REPOSITORY).as_posix()} {function}"
        for side in ("edge", "cloud")
        for file in (REPOSITORY / side).rglob("*.py")
        if "node_modules" not in file.parts
        for function in silent(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert found == set(ELSEWHERE)


@pytest.mark.parametrize(
    ("handler", "is_found"),
    [
        ("except Exception:\n  log()", True),
        ("except:\n  pass", True),
        ("except (OSError, BaseException):\n  pass", True),
        ("except OSError:\n  pass", False),
        ("except Exception:\n  n += 1", False),
        ("except Exception:\n  raise", False),
    ],
)
def test_what_is_found(handler: str, *, is_found: bool) -> None:
    assert (
        list(silent(ast.parse(f"def f():\n try:\n  pass\n {handler.replace(chr(10), chr(10) + ' ')}")))
        == ["f"] * is_found
    )

"""How long functions and files are: what a reader can hold in one look.

A function's length is its lines from ``def`` to its last one, without its docstring:
what is said about a function must not make it long. Decorators are not counted, and a
function inside another one counts by itself and in the other.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

PRODUCT = ("firmware", "provisioning")
TRAINING = ("models",)
BOARD = ("hw",)
TESTS = ("tests",)
LONG_FILE = 300  # lines
LONG_FILES_MOST = 3  # of all rooms but the tests; each is on one subject


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def lengths(path: Path) -> Iterator[tuple[int, str]]:
    """The length of each function in a file, and where it is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1 - said(node), f"{path}:{node.name}"


def said(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines the docstring takes."""
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    assert first.end_lineno is not None
    return first.end_lineno - first.lineno + 1


def all_lengths(*folders: str) -> list[tuple[int, str]]:
    return sorted(each for path in sources(*folders) for each in lengths(path))


def test_most_functions_of_the_product_are_short() -> None:
    found = [length for length, _ in all_lengths(*PRODUCT)]
    assert len(found) > 2000
    assert statistics.median(found) <= 7
    assert statistics.quantiles(found, n=10)[-1] <= 18


@pytest.mark.parametrize(
    ("folders", "most"),
    [
        pytest.param(PRODUCT, 40, id="firmware and fleet"),
        pytest.param(TRAINING, 40, id="simulator and training"),
        pytest.param(BOARD, 40, id="interlock"),
        pytest.param(TESTS, 50, id="tests"),
    ],
)
def test_no_function_is_longer_than_one_look(
    folders: tuple[str, ...], most: int
) -> None:
    assert [each for each in all_lengths(*folders) if each[0] > most] == []


def test_few_files_are_long() -> None:
    found = {
        path.relative_to(ROOT): length
        for path in sources(*PRODUCT, *TRAINING, *BOARD)
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > LONG_FILE
    }
    assert len(found) <= LONG_FILES_MOST, found


def test_negative_control_a_long_function_is_measured(tmp_path: Path) -> None:
    body = ["    x = 1"] * 9
    head = ['    """Said.', "", "    At length.", '    """']
    (tmp_path / "long.py").write_text("\n".join(["def f() -> None:", *head, *body]))
    (length, where) = next(lengths(tmp_path / "long.py"))
    assert length == 10 and where.endswith("long.py:f")

"""What names a file of the tests names one that is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT, TESTS

READ = ("*.md", "hw/*.md", "Makefile", "pyproject.toml", ".ci/*", "scripts/*")
CODE = ("firmware", "provisioning", "models", "hw", "tests")
NAMED = re.compile(r"(?<![\w/.-])tests/[\w*/.-]*[\w*]")
PLACEHOLDER = "NAME"


def texts() -> Iterator[Path]:
    for pattern in READ:
        yield from filter(Path.is_file, ROOT.glob(pattern))
    for folder in CODE:
        yield from (ROOT / folder).rglob("*.py")


def missing(text: str) -> list[str]:
    """The paths below tests/ that a text names and that are not there."""
    named = {each.group() for each in NAMED.finditer(text)}
    return sorted(
        each
        for each in named
        if Path(each).name != PLACEHOLDER and not any(ROOT.glob(each))
    )


def test_every_path_of_a_test_that_is_named_is_there() -> None:
    found = {str(path.relative_to(ROOT)): missing(path.read_text()) for path in texts()}
    found.pop("tests/house/test_paths.py")  # the control below
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        pytest.param("see `tests/test_line.py`.", ["tests/test_line.py"], id="moved"),
        pytest.param("T=tests/nowhere", ["tests/nowhere"], id="a folder"),
        pytest.param("tests/units/test_*.py, tests/fuzz/found/NAME", [], id="there"),
    ],
)
def test_one_that_is_not_there_is_seen(text: str, gone: list[str]) -> None:
    assert missing(text) == gone


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest imports each by its name alone, and ends where there are two."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []

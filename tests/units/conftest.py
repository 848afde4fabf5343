"""One machine and one shop for all tests here: booted once, looked at in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine
from .shop import Shop

LIMIT_S = 400.0  # windows take minutes to come


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for each in items:
        if Path(__file__).parent in each.path.parents:
            each.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(scope="session")
def root() -> Path:
    """The Debian that ``scripts/run-units`` laid out."""
    if "DOORSILL_TREE" not in os.environ:
        pytest.skip("make units lays out a Debian and sets DOORSILL_TREE")
    return Path(os.environ["DOORSILL_TREE"])


@pytest.fixture(scope="session")
def shop(root: Path) -> Iterator[Shop]:
    found = Shop(root)
    found.furnish()
    yield found
    found.pull()
    found.stop_listening()


@pytest.fixture(scope="session")
def machine(root: Path, shop: Shop) -> Iterator[Machine]:
    found = Machine(root)
    print(f"\nsystemd up {found.boot():.1f} s after power on")
    try:
        yield found
    finally:
        found.off()

"""One fresh Debian for all tests here: booted once, looked at in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .camera import Camera

LIMIT_S = 900.0  # the page promises ten minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for each in items:
        if Path(__file__).parent in each.path.parents:
            each.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(scope="session")
def camera() -> Iterator[Camera]:
    """The Debian that ``scripts/try-deb`` laid out."""
    if "DOORSILL_TREE" not in os.environ:
        pytest.skip("make try-deb lays out a Debian and sets DOORSILL_TREE")
    found = Camera(Path(os.environ["DOORSILL_TREE"]))
    print(f"\nsystemd up {found.boot():.1f} s after power on")
    try:
        yield found
    finally:
        found.off()

"""One Home Assistant, one shop and two brokers for all tests here, in their order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .house import House

LIMIT_S = 400.0  # a window of a zone takes a minute to come


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for each in items:
        if Path(__file__).parent in each.path.parents:
            each.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Home Assistant with our description, and a camera that counts."""
    if "DOORSILL_HA" not in os.environ:
        pytest.skip("make ha lays out a Debian with Home Assistant, sets DOORSILL_HA")
    found = House(Path(os.environ["DOORSILL_HA"]), tmp_path_factory.mktemp("house"))
    try:
        found.open()
        yield found
    finally:
        found.close()

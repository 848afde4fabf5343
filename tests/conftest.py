"""Fixtures and options that more than one test module uses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Site, make_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One broker for all tests that leave it alone."""
    yield from make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A broker of one's own, to stop, stall or revoke."""
    yield from make_site(tmp_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--token",
        action="store_true",
        help="test the PIV card in the reader (nothing is written), not a virtual one",
    )

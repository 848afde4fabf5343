"""Fixtures and options that more than one test module uses."""

import pytest
from broker import own_site, site

__all__ = ["own_site", "site"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--token",
        action="store_true",
        help="test the PIV card in the reader (nothing is written), not a virtual one",
    )

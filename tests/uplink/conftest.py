"""What every test of the uplink leaves behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from outboxes import OPENED


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Whatever outbox a test leaves open is closed after it."""
    yield
    while OPENED:
        OPENED.pop().close()

"""What every test of the uplink leaves behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker import FAST, Device, Site, device
from outboxes import OPENED

from doorsill.uplink.patience import Timing


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Each outbox that a test leaves open is closed after it."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def make() -> Iterator[Callable[..., Device]]:
    """Make devices; they are stopped after any test."""
    made: list[Device] = []

    def make_one(
        site: Site, name: str, timing: Timing = FAST, **changes: Any
    ) -> Device:
        made.append(device(replace(site.address(name), **changes), timing))
        return made[-1]

    yield make_one
    for each in made:
        each.publisher.stop()

"""Fixtures and options that more than one test module uses."""

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Site, make_site
from hypothesis import HealthCheck, settings
from small_disk import small_disk_at

pytest_plugins = ["left_open", "turns", "quick"]
# How long an example takes says what else the machine does: the limit is the test's.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")
LOCKED_KIB = 1024  # that a test may leave to the collector


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no run of the collector looks at it again.

    Thousands of tests are a hundred milliseconds for each ``gc.collect()``, and drivers
    call that whenever they let a camera go.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One broker for all tests that leave it alone."""
    yield from make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A broker of one's own, to stop, stall or revoke."""
    yield from make_site(tmp_path)


@pytest.fixture(autouse=True)
def nothing_stays_locked() -> None:
    """A user may lock 8 MiB of memory: what a test locked does not last into the next.

    Looked at when the next one begins, because a test's own fixtures live until then.
    """
    if locked_kib() > LOCKED_KIB:
        gc.collect()
    assert locked_kib() <= LOCKED_KIB, "an earlier test left memory locked"


def locked_kib() -> int:
    """How much memory this process has locked."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmLck:")[1].split()[0])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    with small_disk_at(tmp_path / "small") as where:
        yield where


@pytest.fixture
def unit_priority() -> Iterator[None]:
    """As doorsill-vault.service runs: before others that want the processor.

    For tests of a time that the product promises. Threads and processes that are made
    meanwhile inherit it; without root it stays as it is.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, before - 5)
    yield
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--token",
        action="store_true",
        help="test the PIV card in the reader (nothing is written), not a virtual one",
    )

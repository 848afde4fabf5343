"""What a test starts hears Ctrl-C, also in a suite that was started with ``&``."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest
from children import hearing_ctrl_c, started
from limits import END_S

WAITS = ["sleep", "600"]


@pytest.fixture
def started_with_ampersand() -> Iterator[None]:
    """This process ignores SIGINT, as a shell without job control sets it up."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("started_with_ampersand")
def test_a_program_of_a_test_hears_it() -> None:
    with started(WAITS) as child:
        child.send_signal(signal.SIGINT)
        assert child.wait(END_S) == -signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("started_with_ampersand")
def test_negative_control_another_program_does_not() -> None:
    child = subprocess.Popen(WAITS)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    assert child.wait(END_S) == -signal.SIGTERM


def test_where_it_is_heard_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT)
    with hearing_ctrl_c():
        assert signal.getsignal(signal.SIGINT) is before

"""The process that connects for the uplink: an answer, late or none."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from limits import END_S

from doorsill.uplink.connector import ASK, Connector

Ends = tuple[Connector, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The uplink's end, and a process that connects and is played by us."""
    kind = (socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (ours, theirs), (unused, closed) = (socket.socketpair(*kind) for _ in "bv")
    ours.settimeout(0.1)
    theirs.settimeout(END_S)
    yield Connector(ours, unused), theirs
    for each in (ours, theirs, unused, closed):
        each.close()


def give(theirs: socket.socket, word: bytes) -> None:
    """A connection whose other end has said ``word``."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with left, right:
        right.sendall(word)
        socket.send_fds(theirs, [ASK], [left.fileno()])


def test_one_that_does_not_answer_is_an_error_and_no_wait(ends: Ends) -> None:
    connector, theirs = ends
    with pytest.raises(TimeoutError):
        connector.broker()
    assert theirs.recv(1) == ASK


def test_a_late_answer_is_no_answer_to_the_next_question(ends: Ends) -> None:
    connector, theirs = ends
    with pytest.raises(TimeoutError):
        connector.broker()
    give(theirs, b"late")
    with pytest.raises(TimeoutError):  # not the late one
        connector.broker()


def test_one_that_is_gone_is_said(ends: Ends) -> None:
    connector, theirs = ends
    theirs.close()
    with pytest.raises(OSError, match=r"gone|Broken pipe"):
        connector.broker()

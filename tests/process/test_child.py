"""A fork that looks for us: all it says, or a limit; and it is gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from doorsill.process.child import end, read_answer


def forked(does: Callable[[int], object]) -> tuple[int, int]:
    """A child that does it with the writing end of a pipe, and the reading end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        does(writer)
        os._exit(0)
    os.close(writer)
    return child, reader


def test_it_says_all_until_it_closes() -> None:
    """More than a pipe holds at once."""
    word = b"n" * 300_000

    def tell(writer: int) -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(word)

    child, reader = forked(tell)
    assert read_answer(reader, 20.0) == word
    end(child)
    os.close(reader)


@pytest.mark.parametrize("first", [b"", b"half a word"], ids=["nothing", "half"])
def test_one_that_hangs_is_given_up_and_ended(first: bytes) -> None:
    child, reader = forked(lambda w: (os.write(w, first), threading.Event().wait(60)))
    with pytest.raises(TimeoutError, match=r"nothing within 0\.1 s"):
        read_answer(reader, 0.1)
    end(child)
    os.close(reader)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)

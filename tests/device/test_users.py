"""A look in a child, as somebody else, with a limit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from doorsill.device.users import is_there, run_apart
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError, UntrustedError

WITHIN_S = 20.0


def test_what_the_child_returns_or_raises_comes_back() -> None:
    assert run_apart(lambda: ("seen", os.getpid()), WITHIN_S)[0] == "seen"
    assert run_apart(os.getpid, WITHIN_S) != os.getpid()

    def refuse() -> None:
        raise UntrustedError("not this one")

    with pytest.raises(UntrustedError, match="not this one"):
        run_apart(refuse, WITHIN_S)
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        run_apart(lambda: 1 / 0, WITHIN_S)


def test_a_child_that_hangs_or_dies_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"nothing within 0\.2 s"):
        run_apart(lambda: time.sleep(60), 0.2)
    with pytest.raises(ConfigError, match="it ended"):
        run_apart(lambda: os._exit(3), WITHIN_S)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_cannot_read_what_is_roots(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    assert read_file(path) == b"secret"
    with pytest.raises(ConfigError, match="Permission denied"):
        run_apart(lambda: read_file(path), WITHIN_S, "nobody")


def test_a_user_is_there_or_not() -> None:
    assert is_there("root")
    assert not is_there("doorsill-nobody")

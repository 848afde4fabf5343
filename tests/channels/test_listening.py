"""One place where our processes listen for each other."""

import os
import socket
import stat
from pathlib import Path

import pytest

from doorsill.channels.listening import listen_at, user_of
from doorsill.errors import ConfigError


def test_it_listens_in_place_of_what_was_left_there(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    for mode in (0o660, 0o600):
        with listen_at(path, mode, backlog=1) as server:
            assert stat.S_IMODE(path.stat().st_mode) == mode
            assert server.gettimeout() == 0.0
            with pytest.raises(BlockingIOError):
                server.accept()
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.connect(str(path))
                peer, _ = server.accept()
                with peer:
                    assert user_of(peer) == os.geteuid()


@pytest.mark.parametrize("name", ["none/x.sock", "x" * 120])
def test_where_it_cannot_listen_it_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on .*: "):
        listen_at(tmp_path / name, 0o600, backlog=1)


def test_what_cannot_be_replaced_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.sock").mkdir()  # nobody replaces a folder, not even root
    with pytest.raises(ConfigError, match=r"cannot listen on .*x\.sock: "):
        listen_at(tmp_path / "x.sock", 0o600, backlog=1)

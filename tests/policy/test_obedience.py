"""What a process obeys is said for as long as it lives, and it hears of another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from children import first_line, started
from limits import END_S, wait_until

from doorsill.documents.durable import put
from doorsill.errors import ConfigError
from doorsill.policy.obedience import Obedience, declare, read_declaration

DIGEST = "ab" * 32


def test_a_policy_that_is_replaced_removed_or_comes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    obedience = Obedience(path)
    assert not obedience.is_replaced()
    for change in (
        lambda: put(path, b"one"),
        lambda: put(path, b"two"),  # of the same size
        path.unlink,
    ):
        change()
        assert obedience.is_replaced()
        obedience.renew()
        assert not obedience.is_replaced()


def test_a_change_between_start_and_load_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    put(path, b"one")
    obedience = Obedience(path)
    put(path, b"two")
    loaded = path.read_bytes()
    assert (
        loaded == b"two" and obedience.is_replaced()
    )  # once too often, never too seldom


def test_what_is_obeyed_is_said_until_the_process_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "vision.policy"
    assert read_declaration(path) is None
    program = (
        "import sys; from pathlib import Path\n"
        "from doorsill.policy.obedience import declare\n"
        f"declare(Path(sys.argv[1]), {DIGEST!r}); print(flush=True); input()"
    )
    with started(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        first_line(child)
        assert read_declaration(path) == DIGEST
        with pytest.raises(
            ConfigError, match=rf"doorsill already runs here \(pid {child.pid}\)"
        ):
            declare(path, "cd" * 32)
        assert read_declaration(path) == DIGEST
        child.kill()
        child.wait(END_S)
    wait_until(lambda: read_declaration(path) is None, within_s=5)
    handle = declare(path, "cd" * 32)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(handle, b"a picture")
    os.close(handle)


def test_what_another_left_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="cannot write"):
        declare(tmp_path / "link", DIGEST)
    with pytest.raises(ConfigError, match="cannot read"):
        read_declaration(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()

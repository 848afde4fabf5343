"""A user who may not make or replace something hears a sentence, from every command."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.config import Config
from doorsill.documents.folders import make_folder
from doorsill.errors import ConfigError
from doorsill_fleet.stage.shop import Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)
AS_NOBODY = [
    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", sys.executable
]  # fmt: skip


def test_it_is_made_with_what_is_above_it_and_once(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b", 0o700)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["file", "file/below", "file/far/below"])
def test_a_file_in_its_way_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=rf"{path} cannot be a folder: a file is"):
        make_folder(tmp_path / path)


def test_what_the_kernel_says_is_said() -> None:
    with pytest.raises(ConfigError, match=r"^cannot make the folder /proc/none: "):
        make_folder(Path("/proc/none"))


# --- as a user who may not ----------------------------------------------------------


@pytest.fixture
def shop() -> Iterator[tuple[Stage, Config]]:
    """Not below pytest's own folder, which it closes to others whenever it starts."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), LINE)
        config = stage.set()
        stage.folder.chmod(0o755)
        yield stage, config


def nothing_is_there(stage: Stage, config: Config) -> None:
    """The folder of it all is root's."""


def sockets_of_root(stage: Stage, config: Config) -> None:
    """What a run as root has left."""
    config.device.run.mkdir()
    config.cell_socket.touch()
    (config.device.run / "doorsill.lock").touch(0o640)
    stage.folder.chmod(0o777)


def state_of_root(stage: Stage, config: Config) -> None:
    config.device.state.mkdir()
    stage.folder.chmod(0o777)


def a_file_for_a_folder(stage: Stage, config: Config) -> None:
    config.device.run.touch()
    stage.folder.chmod(0o777)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("command", ["run", "policy apply"])
@pytest.mark.parametrize(
    "left", [nothing_is_there, sockets_of_root, state_of_root, a_file_for_a_folder]
)
def test_a_command_says_it_in_a_sentence(
    shop: tuple[Stage, Config], left: Callable[[Stage, Config], None], command: str
) -> None:
    stage, config = shop
    left(stage, config)
    words = command.split()
    if words[0] == "policy":
        words.append(str(config.policy.file))
    done = subprocess.run(
        [*AS_NOBODY, "-m", "doorsill", *words, "--config", str(stage.configuration)],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )
    said = done.stderr
    assert "Traceback" not in said
    # In a folder that is open to all, a policy can be put in force all the same.
    free = command != "run" and left in (sockets_of_root, a_file_for_a_folder)
    assert done.returncode == (0 if free else 2), said
    assert free or said.splitlines()[-1].startswith("doorsill: ")

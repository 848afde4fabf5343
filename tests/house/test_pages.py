"""Manual pages and completion come from the parser; man and shells really use them."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from children import status_of
from limits import END_S, PROGRAM_S
from places import ROOT

from deb.pages import BESIDE, PROGRAMS, make
from doorsill.commandline.commands import Command, commands_of

OF = {name: list(commands_of(parser())) for name, parser in PROGRAMS.items()}
EACH = [(name, command) for name, found in OF.items() for command in found]
ON_PAGE = [(name, name, command) for name, command in EACH] + [
    (name, other, command)
    for name, (other, parser) in BESIDE.items()
    for command in commands_of(parser())
]
IDS = [" ".join((name, *command.path)) for name, command in EACH]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for program in PROGRAMS:
        make(program, folder)
    (folder / "here.toml").touch()
    (folder / "a folder").mkdir()
    return folder


def ran(command: list[str], folder: Path, **more: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
        env={**os.environ, "LC_ALL": "C.UTF-8", **more},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("width", ["80", "40"])
def test_man_shows_the_page_without_a_warning(
    program: str, width: str, made: Path
) -> None:
    command = ["man", "--warnings", "-l", f"{program}.1"]
    shown = ran(command, made, MANWIDTH=width, MANROFFOPT="-ww")
    flat = " ".join(re.sub("[\u2010-]\n *", "", shown).split())
    for each in OF[program]:
        if each.path and not each.below:
            assert " ".join((program, *each.path)) in flat


def test_negative_control_man_warns_of_a_wrong_page(made: Path) -> None:
    (made / "wrong.1").write_text('.TH X 1\n.SH NAME\nx \\- y\n.nosuch "a"\n')
    done = subprocess.run(
        ["man", "--warnings", "-l", "wrong.1"],
        cwd=made,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert "nosuch" in done.stderr


@pytest.mark.parametrize(
    ("page_of", "program", "command"),
    ON_PAGE,
    ids=[" ".join((name, *command.path)) for _, name, command in ON_PAGE],
)
def test_the_page_has_each_option_and_example(
    page_of: str, program: str, command: Command, made: Path
) -> None:
    page = (made / f"{page_of}.1").read_text("utf-8").replace("\\-", "-")
    for option in command.options:
        assert all(name in page for name in option.names)
    if command.path and not command.below:
        assert f'.SS "{" ".join((program, *command.path))}"' in page
        for line in command.epilog.splitlines():
            assert line.replace("\\", "\\e") in page


# --- bash, for real -------------------------------------------------------------------


def bash(made: Path, program: str, *words: str) -> list[str]:
    """What bash offers for the last of ``words``."""
    function = "_" + program.replace("-", "_")
    script = (
        f'source {program}.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        f'{function}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    command = ["bash", "--norc", "-c", script, "bash", program, *words]
    return ran(command, made).split("\n")[:-1]


@pytest.mark.parametrize(("program", "command"), EACH, ids=IDS)
def test_bash_offers_the_commands_and_options_of_each_command(
    program: str, command: Command, made: Path
) -> None:
    long = [n for o in command.options for n in o.names if n.startswith("--")]
    assert bash(made, program, *command.path, "--") == long
    if command.below:
        names = [name for name, _ in command.below]
        assert bash(made, program, *command.path, "") == names
        assert bash(made, program, *command.path, names[-1][:3])[0] in names


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(["po"], ["policy"], id="a command"),
        pytest.param(["policy", "s"], ["sign", "show"], id="of the second level"),
        pytest.param(["--verbose", "cou"], ["count"], id="after an option"),
        pytest.param(["run", "--only", "v"], ["vision", "vault"], id="a choice"),
        pytest.param(["run", "--only", "=", "u"], ["uplink"], id="a choice after ="),
        pytest.param(["check", "--config", "he"], ["here.toml"], id="a file"),
        pytest.param(["policy", "show", "a"], ["a folder"], id="with a blank in it"),
        pytest.param(["count", "--seconds", ""], [""], id="nobody can guess"),
        pytest.param(["policy", "new", "--site", "sign", "--li"], ["--line"], id="v"),
        pytest.param(["models", "fetch", "ssd-mobilenet-v1"[:5]], None, id="a name"),
        pytest.param(["xyz"], [""], id="nothing"),
    ],
)
def test_bash_offers_what_fits(
    words: list[str], offered: list[str] | None, made: Path
) -> None:
    found = bash(made, "doorsill", *words)
    if offered is None:
        assert found and all(each.startswith(words[-1]) for each in found)
    else:
        assert found == offered


def test_bash_completes_at_a_terminal(made: Path) -> None:
    """A person types half a word and the tab key."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(made)
        os.execvpe("bash", ["bash", "--norc", "-i"], {**os.environ, "TERM": "dumb"})  # noqa: S606
    try:
        os.write(terminal, b"source doorsill.bash\necho doorsill poli\t si\t\n")
        # echo's words are not completed by ours: only the command's own are
        os.write(terminal, b'doorsill() { echo "called: $*"; }\n')
        os.write(terminal, b"doorsill poli\tsig\tp.toml --ke\there.t\t\n")
        seen, ends = b"", time.monotonic() + END_S
        while b"called: policy sign p.toml --key here.toml" not in seen:
            assert time.monotonic() < ends, seen
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        status_of(child)


# --- zsh ------------------------------------------------------------------------------

ZSH = pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
# What the completion calls, so that it can be seen without a terminal.
PLAYED = """
_describe() { shift 2; print -rl -- "${(@P)1}" }
_files() { print FILES }
words=("$@"); CURRENT=$#
"""


@ZSH
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(["policy", ""], "sign:sign a draft", id="a command"),
        pytest.param(["policy", "sign", "--"], "--key:the controller", id="an option"),
        pytest.param(["run", "--only", ""], "uplink", id="a choice"),
        pytest.param(["check", "--config", ""], "FILES", id="a file"),
        pytest.param(["policy", "show", ""], "FILES", id="an argument"),
    ],
)
def test_zsh_offers_what_fits(words: list[str], offered: str, made: Path) -> None:
    script = PLAYED + (made / "doorsill.zsh").read_text("utf-8")
    found = ran(["zsh", "-f", "-c", script, "zsh", "doorsill", *words], made)
    assert offered in found


# --- where they are shipped ----------------------------------------------------------


def test_nothing_but_the_standard_library_makes_them(tmp_path: Path) -> None:
    """As in the empty environment in which a wheel is built."""
    for program in PROGRAMS:
        ran(
            [sys.executable, "-S", "-m", "deb.pages", program, str(tmp_path)],
            ROOT / "firmware",
            PYTHONPATH=str(ROOT / "provisioning"),
        )
    assert len(list(tmp_path.iterdir())) == 6


def test_the_wheel_has_them(tmp_path: Path, made: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run(
        [*command, str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    (path,) = tmp_path.iterdir()
    with zipfile.ZipFile(path) as wheel:
        here = {name.split(".data/data/")[-1]: name for name in wheel.namelist()}
        for ours, theirs in (
            ("share/man/man1/doorsill.1", "doorsill.1"),
            ("share/bash-completion/completions/doorsill", "doorsill.bash"),
            ("share/zsh/site-functions/_doorsill", "doorsill.zsh"),
        ):
            assert wheel.read(here[ours]) == (made / theirs).read_bytes()

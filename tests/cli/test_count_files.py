"""``doorsill count`` and files: odd names, full disks, one bad among good ones."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from children import started
from limits import END_S
from recordings import record
from terminal import DRAWS, drawn

from doorsill.cli import main
from doorsill.cli.count_files import NewFile, new_file
from doorsill.errors import ConfigError

LINE = ("--line", "0.5,0,0.5,1")


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def count(*arguments: str) -> subprocess.CompletedProcess[str]:
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        code = main.run(["count", *arguments, *LINE])
    return subprocess.CompletedProcess(
        arguments, code, said.getvalue(), errors.getvalue()
    )


def called(name: str, frames: int) -> None:
    """Make a recording of that name, and its folder."""
    Path(name).parent.mkdir(exist_ok=True)
    record(Path("short.mp4"), frames=frames).rename(name)


ODD_NAMES = [
    pytest.param("[/a].mp4", id="a folder and a name as markup"),
    pytest.param("[bold]a.mp4", id="markup"),
    pytest.param("caf\udce9.mp4", id="no UTF-8"),
    pytest.param("a\x01\x0b\x1b.mp4", id="control characters"),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_result_is_printed_and_drawn_whatever_a_recording_is_called(
    name: str,
) -> None:
    called(name, frames=3)
    record(Path("other.mp4"), frames=3)
    both = count(name, "other.mp4")
    assert both.returncode == 0 and "all together" in both.stdout
    if name.isprintable():
        assert name in both.stdout
    alone = count(name, "--save-plot", "a.svg", "--csv", "a.csv")
    assert alone.returncode == 0, alone.stderr
    assert ElementTree.parse("a.svg").getroot().tag.endswith("svg")  # noqa: S314
    assert Path("a.csv").read_bytes().startswith(b"source,")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_terminal_shows_how_far_it_is_whatever_a_recording_is_called(
    name: str,
) -> None:
    called(name, frames=12)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "doorsill", "count", name, *LINE, "--json"]
    with started(
        command,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=DRAWS,
    ) as child:
        os.close(theirs)
        shown = drawn(ours)
        assert json.loads(child.communicate(timeout=END_S)[0])["frames"] == 12
    os.close(ours)
    assert child.returncode == 0 and b"counting" in shown, shown


def test_a_name_that_is_no_utf8_has_its_own_bytes_in_the_table() -> None:
    """They are those of the file, so that a script finds it."""
    table = NewFile(Path("t.csv"), Path("t.csv"), Path("made"))
    assert table.write("caf\udce9.mp4".encode("utf-8", "surrogateescape")) == ""
    assert Path("t.csv").read_bytes() == b"caf\xe9.mp4"


def without_pictures(path: Path) -> None:
    """Its index is whole; where its pictures should be are zeros."""
    data = bytearray(record(path, frames=20, movflags="faststart").read_bytes())
    at = data.index(b"mdat") + 4
    data[at:] = bytes(len(data) - at)
    path.write_bytes(data)


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_of_several_one_without_pictures_costs_no_count_of_the_others(
    first: bool,
) -> None:
    without_pictures(Path("bad.mp4"))
    record(Path("good.mp4"), frames=12)
    names = ["bad.mp4", "good.mp4"] if first else ["good.mp4", "bad.mp4"]
    done = count(*names, "--json")
    assert done.returncode == 4 and "bad.mp4 is damaged after frame 0" in done.stderr
    files = {each["source"]: each for each in json.loads(done.stdout)["files"]}
    assert files["good.mp4"]["frames"] == 12
    assert files["bad.mp4"]["frames"] == 0 and files["bad.mp4"]["stopped"]


def test_ctrl_c_in_the_second_costs_no_count_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from doorsill.cli import count as command

    whole = command.count

    def interrupted(*given, **more):
        monkeypatch.setattr(command, "count", ctrl_c)
        return whole(*given, **more)

    def ctrl_c(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "count", interrupted)
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        record(Path(name), frames=5)
    done = count("one.mp4", "two.mp4", "three.mp4", "--json")
    found = json.loads(done.stdout)["files"]
    assert [each["frames"] for each in found] == [5, 0]
    assert done.returncode == 130 and "two.mp4: interrupted" in done.stderr


@pytest.mark.parametrize(
    "option", [("--save-plot", "x.svg"), ("--save-plot", "x.png"), ("--csv", "x.csv")]
)
def test_a_file_that_cannot_be_written_in_the_end_costs_no_result(
    option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    record(Path("door.mp4"), frames=5)
    monkeypatch.setattr(Path, "write_bytes", full)
    done = count("door.mp4", *option, "--json")
    assert json.loads(done.stdout)["frames"] == 5
    assert done.returncode == 2
    assert f"cannot write {option[1]}: No space left on device" in done.stderr
    assert sorted(each.name for each in Path().iterdir()) == ["door.mp4"]


def made_pipe(path: Path) -> None:
    os.mkfifo(path)


def made_folder(path: Path) -> None:
    path.mkdir()


def made_circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(made_pipe, "it is no file, and is not replaced", id="a pipe"),
        pytest.param(made_folder, "it is a folder", id="a folder"),
        pytest.param(made_circle, "cannot write out.csv", id="a link to itself"),
    ],
)
def test_what_is_no_file_is_not_replaced(
    make: Callable[[Path], None], sentence: str
) -> None:
    out = Path("out.csv")
    make(out)
    before = out.lstat().st_mode
    record(Path("door.mp4"), frames=3)
    done = count("door.mp4", "--csv", "out.csv", "--force")
    assert done.returncode == 2 and sentence in done.stderr
    assert out.lstat().st_mode == before


def test_a_link_is_followed() -> None:
    Path("real.csv").write_text("old")
    Path("out.csv").symlink_to("real.csv")
    record(Path("door.mp4"), frames=3)
    assert count("door.mp4", "--csv", "out.csv", "--force").returncode == 0
    assert Path("out.csv").is_symlink()
    rows = list(csv.reader(Path("real.csv").read_text().splitlines()))
    assert rows[0][0] == "source"


def test_two_names_of_one_file_are_one_file() -> None:
    record(Path("door.mp4"), frames=3)
    Path("here").symlink_to(".")
    done = count("door.mp4", "--csv", "here/x.svg", "--save-plot", "x.svg")
    assert done.returncode == 2 and "give two names" in done.stderr


def test_a_file_that_was_not_written_leaves_nothing(tmp_path: Path) -> None:
    with new_file(tmp_path / "out.svg") as made:
        assert made is not None and made.made.exists()
    assert list(tmp_path.iterdir()) == []
    nowhere = new_file(tmp_path / "no" / "out.svg")
    with pytest.raises(ConfigError, match="cannot write"), nowhere:
        pass


def test_a_start_without_a_policy_is_refused() -> None:
    record(Path("door.mp4"), frames=3)
    done = count("door.mp4", "--starts", "2026-11-23T09:00+01:00")
    assert done.returncode == 2 and "give --policy FILE" in done.stderr


def test_a_thumbnail_is_no_recording_to_count_in() -> None:
    record(Path("door.mp4"), frames=3, size=(64, 36))
    done = count("door.mp4", "--json")
    assert "64 x 36 pixels" in json.loads(done.stdout)["remarks"][0]

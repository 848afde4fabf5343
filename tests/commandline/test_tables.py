"""Tables and lights: a word and a colour, whole at 40 columns and not broken at 20."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from doorsill.cli import main
from doorsill.cli.status import report
from doorsill.commandline.tables import Rows, hanging, light, lights
from doorsill.config import load_config
from doorsill_fleet.stage.shop import Stage

PATH = "/var/lib/doorsill/policy/policy.json"
FOUND = [
    ("ok", "device", "cam-01 at porto-1, firmware 0.1.0", ""),
    ("WRONG", "policy", f"cannot read {PATH}: Permission denied", "run as root"),
    ("look", "disk", "3 % of it is free", "journalctl -u doorsill-uplink"),
]


def shown(table: Rows, width: int) -> str:
    page = io.StringIO()
    Console(file=page, width=width).print(table, markup=False, crop=False)
    return page.getvalue()


def table() -> Rows:
    found = Rows("line", "points", "in", "out", title="counted versus true")
    found.add_row("1", "0.022,0.659 to 0.978,0.659", "12", "7")
    found.add_row("[red]2", "0.5,0 to 0.5,1", "0", "1")
    return found


def test_a_table_that_fits_is_one_and_takes_text_as_it_is() -> None:
    text = shown(table(), 80)
    assert "│ 1      │ 0.022,0.659 to 0.978,0.659 │ 12 │ 7   │" in text
    assert "[red]2" in text and "counted versus true" in text


def test_a_title_and_a_head_are_text_as_well() -> None:
    found = Rows("[b]a counting line", title="[/a][red].mp4")
    found.add_row("1")
    text = shown(found, 80)
    assert "[/a][red].mp4" in text and "[b]a counting line" in text


@pytest.mark.parametrize("width", [40, 20])
def test_one_that_does_not_fit_goes_row_by_row_and_cuts_nothing(width: int) -> None:
    text = shown(table(), width)
    assert "…" not in text and "│" not in text
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    words = text.split()
    assert words.count("points") == 2 and words.count("12") == 1
    assert "0.022,0.659" in words and "0.978,0.659" in words


@pytest.mark.parametrize("width", [120, 80, 40, 20])
def test_the_first_step_and_a_path_can_be_copied_at_any_width(width: int) -> None:
    lines = list(lights(FOUND, width))
    text = "\n".join(lines)
    assert PATH in text
    assert " ".join(text.split()).count("first: run as root") == 1
    assert "journalctl" in text and "doorsill-uplink" in text
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "ok",
        "WRONG",
        "look",
    ]


def test_no_word_is_broken() -> None:
    assert hanging("x ", "abc " + "d" * 30, 10) == ["x abc", "  " + "d" * 30]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "out", "word"),
    [
        pytest.param({"TERM": "xterm"}, Terminal(), "\x1b[31mWRONG\x1b[0m", id="both"),
        pytest.param({"TERM": "xterm"}, io.StringIO(), "WRONG", id="no terminal"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, Terminal(), "WRONG", id="a"),
        pytest.param({"TERM": "dumb"}, Terminal(), "WRONG", id="a dumb terminal"),
    ],
)
def test_a_light_is_a_word_and_a_colour(
    environment: dict[str, str],
    out: io.StringIO,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert light("WRONG", out) == word


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_status_of_a_shop_that_does_not_run(
    columns: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage = Stage(tmp_path, (((0.0, 0.6), (1.0, 0.6)),))
    stage.set()
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main.run(["status", "--config", str(stage.configuration)]) == 1
    text = capsys.readouterr().out
    flat = " ".join(text.split())
    for each in report(load_config(stage.configuration), datetime.now(UTC)):
        assert re.search(rf"^(ok|look|WRONG) +{each.what}", text, re.MULTILINE)
        if each.step:
            assert f"first: {each.step}" in flat
    assert "\x1b" not in text


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_models_list(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main.run(["models", "list"]) == 0
    text = capsys.readouterr().out
    assert all(len(line.rstrip()) <= columns for line in text.splitlines())
    assert {"detector", "attributes", "experimental"} <= set(text.split())

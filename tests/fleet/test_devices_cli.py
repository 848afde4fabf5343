"""``doorsill-fleet devices`` as a person reads it, in a terminal of 80 columns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from doorsill_fleet.cli.devices import folded
from doorsill_fleet.cli.main import run

COLUMNS = 80


def listed(
    folder: Path, sites: list[str], capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """The lines for two cameras in each of ``sites``."""
    own = ["--folder", str(folder / "fleet")]
    assert run(["init", *own, "--host", "localhost", "--no-passphrase"]) == 0
    for site in sites:
        assert run(["site", "add", site, *own]) == 0
        out = ["--out", str(folder / site)]
        assert run(["device", "add", "--site", site, "--count", "2", *out, *own]) == 0
    capsys.readouterr()
    assert run(["devices", *own]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    "sites",
    [
        pytest.param(["porto-1"], id="one shop"),
        pytest.param(["a", "lisboa-rossio-1"], id="a short and a long name"),
    ],
)
def test_a_camera_is_one_line_of_a_terminal_and_the_columns_stand(
    tmp_path: Path, sites: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = listed(tmp_path, sites, capsys)
    assert len(lines) == 2 * len(sites)
    assert max(map(len, lines)) <= COLUMNS
    assert len({line.index("expected, voucher good until") for line in lines}) == 1


def test_long_words_go_on_below_themselves_in_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    who = "ds-4k7q2m9x  lisboa-rossio-1  cam-01  "
    words = "red    12 people are in windows that are not here; start every worker"
    assert folded(who, words) == who + words
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    first, *more = folded(who, words).splitlines()
    assert first.startswith(who) and more and len(first) <= COLUMNS
    assert all(line.startswith(" " * len(who)) for line in more)
    assert max(map(len, more)) <= COLUMNS


def test_a_fleet_without_a_camera_has_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(tmp_path, [], capsys) == []

"""``bench.toml`` is read strictly: every problem at once, with its section and name."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import ROOT

from doorsill.errors import ConfigError

from .bench import read_bench

WHOLE = """\
[board]
kind = "pi5"
host = "192.0.2.1"

[console]
port = "/dev/ttyUSB0"

[power]
driver = "plug"
at = "http://192.0.2.7"
channel = 0

[sd_mux]
device = "/dev/sg1"
disk = "/dev/disk/by-id/mux"
"""
CARD = '[card]\ndriver = "relay"\nat = "/dev/ttyUSB1"\nchannel = 2\n'


def read(tmp_path: Path, text: str | bytes) -> object:
    path = tmp_path / "bench.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_bench(path)


def test_what_is_not_on_the_bench_is_none(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(WHOLE + CARD)
    found = read_bench(path)
    assert found.board.camera == "picamera:0"
    assert found.console.baud == 115200
    assert found.card is not None and found.card.channel == 2
    assert found.reader is None and found.lamps is None


def test_the_example_of_the_page_is_a_bench(tmp_path: Path) -> None:
    page = (ROOT / "hw/bench.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert read(tmp_path, example)


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "board is missing; it must be a table", id="empty"),
        pytest.param(
            WHOLE.replace("pi5", "pi3"),
            "board.kind = 'pi3' is none of pi4, pi5",
            id="another board",
        ),
        pytest.param(
            WHOLE.replace("kind", "kin"), "board.kind is missing", id="a slip"
        ),
        pytest.param(
            WHOLE + "[powr]\n",
            "powr is not a section; did you mean power?",
            id="section",
        ),
        pytest.param(
            WHOLE + CARD.replace("channel", "chanel"),
            "card.chanel is not an option; did you mean channel?",
            id="an unknown key",
        ),
        pytest.param(
            WHOLE + CARD.replace("= 2", "= 99"),
            "card.channel = 99 is above the maximum of 16",
            id="out of bounds",
        ),
        pytest.param(
            WHOLE + CARD + CARD.replace("card", "reader"),
            "reader and card are both on /dev/ttyUSB1, channel 2",
            id="one contact for two",
        ),
        pytest.param(
            WHOLE.replace("channel = 0", 'channel = "0"'),
            "power.channel = '0'; it must be a whole number",
            id="a text for a number",
        ),
        pytest.param("[board\n", "is not TOML", id="no TOML"),
        pytest.param(b"\xff\xfea", "is text in UTF-16; save it as UTF-8", id="UTF-16"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)
    assert str(tmp_path / "bench.toml") in str(caught.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("pi5", "pi3").replace("plug", "pulg") + "[extra]\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).count("; ") >= 2
    for name in ("board.kind", "power.driver", "extra"):
        assert name in str(caught.value)


def test_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*bench.toml: No such file"):
        read_bench(tmp_path / "bench.toml")

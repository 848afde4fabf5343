"""The whole system: clip, model, confined processes, broker, subscriber, database."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from children import started
from limits import END_S, PROGRAM_S, wait_until
from rich.console import Console

from doorsill.cli import main
from doorsill.drivers.camera.clip import STREET
from doorsill_fleet.demo.cli import report
from doorsill_fleet.demo.plan import Plan, truth_of
from doorsill_fleet.demo.play import Outcome, play
from doorsill_fleet.demo.token import Token
from doorsill_fleet.demo.view import Measured, Received, Truth, picture

SECONDS = 20.0


def processes() -> set[str]:
    """Every process of ours that runs at this moment, by its command line."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "mosquitto" in words[0] or ("doorsill" in words and "run" in words):
            found.add(f"{path.parent.name} {' '.join(words)}")
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the demo makes its folder, so that no other demo is taken for ours."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("d"))
    yield tempfile.tempdir
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def outcome(place: str) -> Outcome:
    return play(Plan(SECONDS), Console(quiet=True))


def test_nothing_fails(outcome: Outcome) -> None:
    assert outcome.failures == []


def test_the_street_is_counted_about_right(outcome: Outcome) -> None:
    assert outcome.truth is not None
    for counted, true in zip(outcome.counted, outcome.truth, strict=True):
        for direction in (0, 1):
            assert abs(counted[direction] - true[direction]) <= 2
    assert sum(outcome.counted[0]) >= 2


def test_it_looked_most_of_the_time(outcome: Outcome) -> None:
    assert outcome.looked_s >= SECONDS / 2


def test_the_device_says_what_becomes_of_it(outcome: Outcome) -> None:
    assert outcome.received.state == "disconnected"
    assert outcome.received.health["vision_kib"] > 0
    assert outcome.received.health["frame_rate_milli"] > 5000


def test_what_left_the_device_is_small(outcome: Outcome) -> None:
    assert 0 < outcome.received.payload_bytes < 6000


def test_no_raw_face_is_stored(outcome: Outcome) -> None:
    assert outcome.raw_faces == 0


def test_nothing_is_left_running(place: str, outcome: Outcome) -> None:
    assert outcome.failures == []
    assert [each for each in processes() if place in each] == []


def test_what_runs_would_be_seen(place: str) -> None:
    command = [
        sys.executable,
        "-c",
        "input()",
        "doorsill",
        "run",
        f"{place}/doorsill-x",
    ]
    with started(command, stdin=subprocess.PIPE) as child:
        wait_until(lambda: [each for each in processes() if place in each])
        child.communicate(b"\n", timeout=END_S)


def test_with_a_token_it_is_blank_open_blank_and_the_certificates_hold() -> None:
    outcome = play(Plan(24.0, token=True), Console(quiet=True))
    assert outcome.failures == []
    assert outcome.vault == ["BLANK", "OPEN", "BLANK"]
    assert outcome.certificates == 3  # at start, when the card went, at the end
    assert outcome.raw_faces == 0


def test_a_card_that_never_opens_the_vault_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Token, "act", lambda *_: None)  # a hand that forgets the card
    outcome = play(Plan(12.0, token=True), Console(quiet=True))
    assert "the vault never opened, though the card was in" in outcome.failures[0]
    assert len(outcome.failures) > 1  # and the processes' own words


def test_a_count_that_is_far_off_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Truth(((50, 0),))
    monkeypatch.setattr("doorsill_fleet.demo.play.truth_of", lambda *_: many)
    outcome = play(Plan(8.0), Console(quiet=True))
    assert "in were counted, 50 are true; they may differ by 5" in outcome.failures[0]
    said = _reported(outcome)
    assert "may differ by │ ± 5" in said
    assert "50 are true" in said


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(
            ["--source", "nope.mp4", "--line", "0.5,0,0.5,1"],
            2,
            "the recording 'nope.mp4' does not exist",
            id="no such file",
        ),
        pytest.param(
            ["--source", "nope.mp4"],
            2,
            "the recording 'nope.mp4' does not exist",
            id="no such file is said before no line",
        ),
        pytest.param(
            ["--source", str(STREET)], 2, "--source needs a --line", id="no line"
        ),
        pytest.param(
            ["--source", __file__, "--line", "0.5,0,0.5,1"],
            4,
            "test_demo.py cannot be opened",
            id="no recording",
        ),
        pytest.param(
            ["--model", "nobody"], 2, "there is no model named nobody", id="no model"
        ),
        pytest.param(
            ["--seconds", "1"], 2, "is below the minimum of 3", id="too short"
        ),
        pytest.param(["--line", "0,0,0,0"], 2, "of no length", id="no length"),
        pytest.param(
            ["--line", "0,0,1,1"], 2, "the street has its own line", id="no source"
        ),
        pytest.param(
            ["--token", "--seconds", "6"],
            2,
            "--seconds 6 is below the minimum of 12 of a demo with --token",
            id="too-short-for-a-card",
        ),
        pytest.param(["--seconds", "nan"], 2, "must be a number", id="no-number"),
    ],
)
def test_bad_input_gets_a_sentence(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["demo", *arguments]) == code
    said = capsys.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.out == ""  # nothing was started, and there is nothing to compare


def test_the_truth_goes_round_with_the_clip() -> None:
    def totals(seconds: float) -> int:
        lines = truth_of(Plan(60), seconds).lines
        assert lines is not None
        return sum(lines[0])

    once = totals(61.9)
    assert totals(0) == 0
    assert totals(2 * 62.0) == 2 * once
    assert totals(10.5) < once


def test_what_is_not_ours_is_counted_and_not_shown() -> None:
    received = Received()
    message: dict[str, Any] = {"topic": "homeassistant/device/cam-01/config"}
    received.take(message["topic"], b"{}")
    assert received.messages == 1
    assert received.last_topic == ""


def _reported(outcome: Outcome) -> str:
    console = Console(record=True, file=io.StringIO(), width=120)
    report(outcome, console, token=False)
    return console.export_text()


def test_a_process_that_fails_says_why() -> None:
    outcome = play(Plan(15.0, detector="nobody"), Console(quiet=True))
    assert outcome.failures[0] in ("vision ended with 2", "uplink ended with 2")
    assert any("nobody" in each for each in outcome.failures[1:])
    assert "counted versus true" not in _reported(outcome)


def test_the_view_is_not_broken_by_what_the_processes_log() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "doorsill", "demo", "--seconds", "6"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("frame rate", "quality", "last published message: doorsill/"):
        assert words in done.stdout
    assert done.stdout.endswith("everything that was started has ended\n")


@pytest.mark.parametrize("width", [80, 40, 20])
def test_the_view_cuts_nothing_in_a_narrow_terminal(width: int) -> None:
    received = Received()
    live = b'{"lines":[{"in":12,"out":3}],"quality":["gap"]}'
    received.take("doorsill/demo-street/cam-01/live", live)
    console = Console(record=True, file=io.StringIO(), width=width)
    console.print(picture(received, Truth(((14, 5),)), Measured(3.0, 60.0, 0)))
    shown = console.export_text()
    assert "…" not in shown
    assert {"12", "14", "3", "5"} <= set(re.findall(r"\d+", shown))
    assert max(map(len, shown.splitlines())) <= width

"""The parser that every command shares: what is misspelt, missing, doubled or wrong."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.cli import main
from doorsill.cli.arguments import consent as consent_arguments
from doorsill.cli.arguments import models as models_arguments
from doorsill.commandline import options
from doorsill.commandline.commands import actions_of, commands_of, parsers_of
from doorsill.commandline.ending import run_to_exit_code
from doorsill.commandline.help import fold
from doorsill.commandline.parser import Parser, command, meant
from doorsill.drivers.camera import decoding
from doorsill.drivers.model import interpreter, runtime
from doorsill.evaluation import measure
from doorsill.models import fetch
from doorsill.office import cards
from doorsill_fleet.cli import main as fleet_cli

WHOLE = main.whole_parser(main.COMMANDS | main.plugins())


# Each command that does something, to the third level.
LEAVES = [
    each
    for whole in (WHOLE, fleet_cli.whole_parser())
    for each in parsers_of(whole)
    if not next(commands_of(each)).below
]
EACH = pytest.mark.parametrize("parser", LEAVES, ids=[each.prog for each in LEAVES])
Said = pytest.CaptureFixture[str]


def wrong(said: Said, *arguments: str) -> tuple[str, str]:
    """The usage and the sentence that ``arguments`` get."""
    assert main.run(arguments) == 2
    lines = said.readouterr().err.splitlines()
    assert lines[0].startswith("usage: ")
    return lines[0], lines[-1]


@EACH
def test_every_help_has_an_example_that_parses_and_words_for_each_option(
    parser: argparse.ArgumentParser,
) -> None:
    assert parser.epilog is not None and "examples:" in parser.epilog
    examples = parser.epilog.replace("\\\n", " ").splitlines()
    assert any(line.strip().startswith(parser.prog) for line in examples)
    assert parser.description
    assert all(action.help for action in actions_of(parser))


@EACH
def test_the_work_of_every_command_is_there(parser: argparse.ArgumentParser) -> None:
    module, _, function = str(parser.get_default("work")).partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@EACH
def test_every_default_is_shown(parser: argparse.ArgumentParser) -> None:
    text = " ".join(parser.format_help().split())
    for action in actions_of(parser):
        if action.default not in (None, False, "", [], argparse.SUPPRESS):
            assert "default" in str(action.help) or str(action.default) in text


@EACH
@pytest.mark.parametrize("columns", [80, 40, 20])
def test_every_help_fits_a_narrow_terminal(
    parser: argparse.ArgumentParser, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = parser.format_help()
    for line in text.splitlines():
        words = line.replace("\\", "").split()
        drawn = any(each in line for each in "┌│└◄") or "usage" in line
        drawn |= line.strip().startswith("(--")  # of two that exclude each other
        quoted = '"' in line
        assert (
            len(line) <= columns
            or len(words) <= 2
            or quoted
            or (drawn and columns == 20)
        )
    assert all(word in text.split() for word in str(parser.description).split())


@EACH
@pytest.mark.parametrize("columns", [80, 40])
def test_an_example_can_be_copied_from_a_narrow_terminal(
    parser: argparse.ArgumentParser, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = parser.format_help().replace("\\\n", " ")
    flat = [" ".join(line.split()) for line in shown.splitlines()]
    for line in str(parser.epilog).replace("\\\n", " ").splitlines():
        if line.strip().startswith("doorsill "):
            example = " ".join(line.strip().split("   ")[0].split())
            assert any(each.startswith(example) for each in flat)


def test_a_folded_example_keeps_an_option_beside_its_value() -> None:
    text = '  doorsill x --line 0,0,1,1 --to "a b c" \\\n      --end   what it does'
    assert list(fold(text, 30)) == [
        "  doorsill x --line 0,0,1,1 \\",
        '      --to "a b c" --end',
        "        what it does",
    ]


def test_folding_keeps_what_fits() -> None:
    text = "examples:\n  doorsill x\n\nShort prose.\n"
    assert "\n".join(fold(text, 78)) == text.rstrip()


@pytest.mark.parametrize(
    ("arguments", "usage", "sentence"),
    [
        pytest.param(
            ["cuont"], "doorsill", "there is no command cuont; did you mean count?",
            id="a misspelt command",
        ),
        pytest.param(
            ["policy", "sing", "a"], "doorsill policy",
            "there is no command sing; did you mean sign?", id="of the second level",
        ),
        pytest.param(
            ["version"], "doorsill", "did you mean doorsill --version?", id="no dashes"
        ),
        pytest.param(
            ["xyz"], "doorsill", "it is one of count, run, check", id="nothing is near"
        ),
        pytest.param(
            ["count", "a.mp4", "--lime", "0.5,0,0.5,1"], "doorsill count",
            "there is no option --lime; did you mean --line?",
            id="misspelt comes before missing",
        ),
        pytest.param(
            ["policy", "sign", "--kee", "k"], "doorsill policy sign",
            "there is no option --kee; did you mean --key?",
            id="the usage of the sub command",
        ),
        pytest.param(
            ["count", "a.mp4", "--lin", "0,0,1,1"], "doorsill count",
            "there is no option --lin; did you mean --line?", id="no abbreviation",
        ),
        pytest.param(
            ["--config", "a.toml", "check"], "doorsill",
            "there is no option --config; the options of check come after it",
            id="an option before its command",
        ),
        pytest.param(
            ["check", "a.toml"], "doorsill check", "did you mean --config a.toml?",
            id="a configuration without its option",
        ),
        pytest.param(
            ["policy", "sign", "p.toml"], "doorsill policy sign",
            "--key, --out are required, such as: doorsill policy sign policy.toml "
            "--key controller.key --out policy.json",
            id="missing, with an example",
        ),
        pytest.param(
            ["run", "--only", "visoin"], "doorsill run",
            "is none of vision, uplink, vault, policy; did you mean vision?",
            id="a choice",
        ),
        pytest.param(
            ["policy", "sign", "p", "--key", "a", "--key", "b", "--out", "c"],
            "doorsill policy sign", "--key is given twice: a and b", id="doubled",
        ),
        pytest.param(
            ["count", "a.mp4", "--json=yes"], "doorsill count",
            "--json takes no value; 'yes' was given", id="a value too many",
        ),
        pytest.param(
            ["count", "a.mp4", "--seconds"], "doorsill count",
            "--seconds needs a value", id="no value",
        ),
        pytest.param(
            ["count", "a.mp4", "--line", "-.1,0,1,1"], "doorsill count",
            "--line '-.1,0,1,1' lies outside", id="a value that begins with a minus",
        ),
        pytest.param(
            ["consent", "issue", "--days", "soon"], "doorsill consent issue",
            "--days soon must be a whole number", id="a value before a missing one",
        ),
        pytest.param(
            ["consent", "ca", "x", "--controller", ""], "doorsill consent ca",
            "--controller is empty", id="nothing as a name",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_usage_at_hand(
    arguments: list[str], usage: str, sentence: str, capsys: Said
) -> None:
    shown, said = wrong(capsys, *arguments)
    assert shown.startswith(f"usage: {usage} [")
    assert said.startswith(f"{usage}: ") and sentence in said


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--verbose", "count", "a", "--line", "0,0,1,1"], id="before"),
        pytest.param(["count", "--verbose", "a", "--line", "0,0,1,1"], id="between"),
        pytest.param(["count", "a", "--line", "0,0,1,1", "--verbose"], id="after"),
    ],
)
def test_verbose_is_taken_anywhere(arguments: list[str]) -> None:
    assert main.parser_for(arguments).parse_args(arguments).verbose is True
    quiet = [each for each in arguments if each != "--verbose"]
    assert main.parser_for(quiet).parse_args(quiet).verbose is False


def test_help_is_given_beside_what_is_wrong(capsys: Said) -> None:
    assert main.run(["count", "--lime", "1", "--help"]) == 0
    assert "examples:" in capsys.readouterr().out


def test_what_comes_after_two_dashes_is_no_option() -> None:
    words = ["count", "--line", "0,0,1,1", "--", "--lime.mp4"]
    assert main.parser_for(words).parse_args(words).source == ["--lime.mp4"]


def test_another_program_can_use_it(capsys: Said) -> None:
    fleet = Parser(prog="doorsill-fleet")
    command(
        fleet.add_subparsers(), "receive", "take counts", "examples:\n", "os:getpid"
    )
    with pytest.raises(SystemExit) as left:
        fleet.parse_args(["receive", "--verbos"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "doorsill-fleet receive: there is no option --verbos; did you mean" in said


def test_one_of_two_that_is_missing_is_asked_for_with_an_example(capsys: Said) -> None:
    assert fleet_cli.run(["receive", "--broker", "a"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert (
        "--csv or --store or --sqlite is required, such as: doorsill-fleet receive"
        in said
    )


def test_each_command_has_the_same_words_in_both_lists() -> None:
    assert dict(next(commands_of(WHOLE)).below) == {
        name: each[1] for name, each in (main.COMMANDS | main.plugins()).items()
    }


def test_the_limits_that_are_shown_are_those_that_hold() -> None:
    """What is declared apart from its work, so that a help loads little."""
    assert models_arguments.RUNS == measure.RUNS
    assert tuple(each.name for each in fetch.KNOWN) == models_arguments.FETCHED
    assert options.MOST_THREADS == runtime.MOST_THREADS
    assert tuple(interpreter.RUNTIMES) == options.RUNTIMES
    assert (options.LEAST_RATE, options.MOST_RATE) == (
        decoding.LEAST_RATE,
        decoding.MOST_RATE,
    )
    assert consent_arguments.CARD_DAYS == cards.CARD_DAYS_LIMIT
    assert consent_arguments.AUTHORITY_DAYS == cards.AUTHORITY_DAYS_LIMIT


def test_a_suggestion_is_near_or_is_not_made() -> None:
    assert meant("--sec", ["--seconds", "--source"]) == "; did you mean --seconds?"
    assert meant("--zzz", ["--seconds", "--source"]) == ""


# --- how a command ends -------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["count", "--help"], id="help of a command"),
        pytest.param(["--version"], id="version"),
        pytest.param(["models", "list"], id="models"),
        pytest.param(["check", "--config", "/none.toml"], id="check"),
    ],
)
def test_a_full_disk_behind_standard_output_is_a_sentence(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "doorsill", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PROGRAM_S,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "doorsill: standard output cannot be written: No space left on device\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_encoding_costs_the_help(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "doorsill", "count", "--help"],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--save-plot" in done.stdout


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        pytest.param(
            PermissionError(13, "Permission denied", "/x/y"),
            1,
            "doorsill: /x/y: Permission denied",
            id="a file",
        ),
        pytest.param(OSError(5, "Input/output error"), 1, "Input/output", id="no file"),
    ],
)
def test_an_error_of_the_system_is_a_sentence_and_with_verbose_a_traceback(
    error: OSError, code: int, says: str, capsys: Said
) -> None:
    def fail() -> int:
        raise error

    assert run_to_exit_code("doorsill", fail, lambda: False) == code
    assert says in capsys.readouterr().err
    with pytest.raises(OSError, match=re.escape(error.strerror)):
        run_to_exit_code("doorsill", fail, lambda: True)


@pytest.mark.parametrize(
    ("arguments", "closed", "code", "said"),
    [
        pytest.param("--version", ">&-", 2, "cannot be written", id="no output"),
        pytest.param("count --help", ">&-", 2, "cannot be written", id="of a help"),
        pytest.param("count none.mp4 --line 0,0,1,1", "2>&-", 2, "", id="no errors"),
        pytest.param("--version", "2>&-", 0, "doorsill 0", id="none needed"),
        pytest.param("--version", "<&-", 0, "doorsill 0", id="no input"),
        pytest.param("--version", "<&- >&- 2>&-", 2, "", id="nothing at all"),
    ],
)
def test_a_stream_that_was_closed_is_no_traceback(
    arguments: str, closed: str, code: int, said: str
) -> None:
    """As some schedulers and services start a program."""
    command = f"exec {sys.executable} -m doorsill {arguments} {closed}"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert "Traceback" not in done.stderr and done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr

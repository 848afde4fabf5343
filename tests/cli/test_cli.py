"""The command line: help with examples, one sentence for what is wrong, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
from children import started
from limits import END_S, PROGRAM_S
from places import ROOT

from doorsill.cli import main
from doorsill.errors import CameraError, ConfigError, UntrustedError, UplinkError

UNITS = ROOT / "firmware" / "systemd"
EVERY = (*main.COMMANDS, *main.plugins())
# What a person who only asks for help or the version has not to wait for.
HEAVY = ("numpy", "av", "cryptography", "paho", "rich", "ai_edge_litert", "smartcard")


def doorsill(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "doorsill", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )


def test_help_names_every_command() -> None:
    done = doorsill("--help")
    assert done.returncode == 0
    for name in EVERY:
        assert f"\n    {name} " in done.stdout
    assert "examples:" in done.stdout


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_help_with_examples(name: str) -> None:
    done = doorsill(name, "--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert f"doorsill {name}" in done.stdout


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["--version"], id="version"),
        pytest.param(["nonsense"], id="a command that there is not"),
        *(pytest.param([name, "--help"], id=f"help of {name}") for name in EVERY),
        pytest.param(["count", "--lime", "0,0,1,1"], id="a misspelt option"),
        pytest.param(["consent", "issue", "--days", "many"], id="a wrong value"),
    ],
)
def test_what_only_speaks_loads_nothing_heavy(asked: list[str]) -> None:
    program = (
        "import sys\nfrom doorsill.cli.main import main\n"
        f"try: main({asked!r})\n"
        f"finally: print(sorted(sys.modules.keys() & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_command_loads_what_it_needs() -> None:  # the control of the test above
    program = (
        "import sys\nfrom doorsill.cli.main import main\n"
        "try: main(['models', 'info', 'detector'])\n"
        f"finally: print(sorted(sys.modules.keys() & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert "numpy" in done.stderr.splitlines()[-1]


def test_a_32_bit_system_gets_a_sentence() -> None:
    with pytest.raises(ConfigError, match="needs a 64-bit system"):
        main.refuse_32_bits(2**31 - 1)
    main.refuse_32_bits(sys.maxsize)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["cuont"],
            "there is no command cuont; did you mean count?",
            id="misspelt command",
        ),
        pytest.param([], "COMMAND is required: count, run", id="no command"),
        pytest.param(
            ["count"],
            "source is required, such as: doorsill count door.mp4",
            id="no source",
        ),
        pytest.param(
            ["run", "--config", "nowhere.toml"], "no such file", id="no configuration"
        ),
        pytest.param(
            ["count", "x.mp4", "--line", "-0.1,0,1,1"],
            "lies outside the picture",
            id="a line that begins with a minus",
        ),
        pytest.param(
            ["count", "x.mp4", "--line", "0,0,1,1", "--fast"],
            "there is no option --fast",
            id="unknown option",
        ),
        pytest.param(
            ["check", "--config", "nowhere.toml"],
            "there is no such file",
            id="no such configuration",
        ),
    ],
)
def test_what_is_wrong_gets_a_sentence_and_exit_code_2(
    arguments: Sequence[str], sentence: str
) -> None:
    done = doorsill(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a"), 2),
        (UntrustedError("b"), 3),
        (CameraError("c"), 4),
        (UplinkError("d"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(arguments: Sequence[str]) -> None:
        raise error

    monkeypatch.setattr(main, "parser_for", fail)
    assert main.run([]) == code
    assert capsys.readouterr().err == f"doorsill: {str(error) or 'interrupted'}\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with started(
        [sys.executable, "-m", "doorsill", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, said = process.communicate(timeout=END_S)
        assert b"Traceback" not in said


@pytest.mark.parametrize("command", ["run", "check", "status"])
def test_the_configuration_is_looked_for_where_the_units_have_it(command: str) -> None:
    chosen = main.parser_for([command]).parse_args([command])
    unit = (UNITS / "doorsill-vision.service").read_text()
    assert f"--config {chosen.config}" in unit

"""The README's page as ``make try-deb`` reads it; the commands are typed there."""

from __future__ import annotations

import shlex

import pytest
from install.page import README, Step, missing, steps

from doorsill.cli import main
from doorsill.commandline.parser import Parser
from doorsill_fleet.cli import main as fleet_cli

STEPS = steps(README.read_text("utf-8"))


def test_at_most_ten_commands_from_the_package_to_the_status() -> None:
    assert STEPS[0].command.startswith("apt install ./doorsill_")
    assert STEPS[-1].command == "doorsill status"
    assert len(STEPS) <= 10


@pytest.mark.parametrize("step", STEPS, ids=lambda each: each.command[:40])
def test_a_command_of_ours_is_one_that_its_parser_takes(step: Step) -> None:
    program, *words = shlex.split(step.command)
    parsers = {"doorsill": main.parser_for, "doorsill-fleet": _fleet}
    if program in parsers:
        assert parsers[program](words).parse_args(words).work


def _fleet(_: list[str]) -> Parser:
    return fleet_cli.whole_parser()


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        pytest.param("made a\nkey 12ab ok", [], id="as written"),
        pytest.param("noise\nmade  a\nmore\nkey x ok", [], id="more between"),
        pytest.param("key 1 ok\nmade a", ["key … ok"], id="in another order"),
        pytest.param("made a", ["key … ok"], id="a line less"),
        pytest.param("made b\nkey 1 ok", ["made a", "key … ok"], id="other words"),
    ],
)
def test_what_is_printed_is_held_against_the_page(said: str, lines: list[str]) -> None:
    assert missing(Step("x", ("made a", "…", "key … ok")), said) == lines

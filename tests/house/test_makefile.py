"""What a contributor types first: the targets, each with a line, and what was meant."""

from __future__ import annotations

import re
import subprocess

import pytest
from limits import PROGRAM_S
from places import ROOT

WIDEST = 80  # columns


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )


def targets() -> list[str]:
    return re.findall(r"(?m)^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"))


def test_make_alone_prints_one_line_a_target() -> None:
    lines = make().stdout.splitlines()
    assert [line.split()[1] for line in lines] == targets()
    assert max(map(len, lines)) <= WIDEST


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["tets"], "no target tets; did you mean test?", id="target"),
        pytest.param(["xyzzy"], "no target xyzzy; there are: help,", id="no such"),
        pytest.param(
            ["demo", "DEMO_SECOND=5"],
            "no variable DEMO_SECOND; did you mean DEMO_SECONDS?",
            id="variable",
        ),
        pytest.param(["test", "t=x"], "there is no variable t; ", id="small letters"),
    ],
)
def test_what_is_misspelt_is_named_with_what_was_meant(
    words: list[str], says: str
) -> None:
    done = make(*words)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(
            ["T=tests/vision/test_line.py"],
            "pytest tests/vision/test_line.py",
            id="file",
        ),
        pytest.param(
            ["T=tests/vision/test_line.py -k turn"],
            "tests/vision/test_line.py -k turn",
            id="test",
        ),
    ],
)
def test_a_part_of_the_tests_can_be_asked_for(words: list[str], command: str) -> None:
    done = make("--dry-run", "test", *words)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith(command)


@pytest.mark.parametrize("missing", ["DEVICE", "SITE", "VOUCHER"])
def test_a_card_is_written_only_where_all_is_said(missing: str) -> None:
    given = {"DEVICE": "/dev/null", "SITE": "porto-1", "VOUCHER": "vouchers.csv"}
    words = [f"{key}={value}" for key, value in given.items() if key != missing]
    done = make("flash", *words, "--assume-old=setup")
    assert done.returncode == 2
    assert f"make: {missing}=? as: make flash DEVICE=/dev/sdb" in done.stderr


@pytest.mark.parametrize(
    ("word", "option"),
    [
        pytest.param("IMAGE=a b.img", '--image "a b.img"', id="an image"),
        pytest.param("SERVER=10.0.0.5:443", '--server "10.0.0.5:443"', id="a server"),
        pytest.param("NETWORK=net.txt", '--network "net.txt"', id="a network"),
        pytest.param("WIRING=pins.txt", '--wiring "pins.txt"', id="what is wired"),
        pytest.param("ANY_DISK=1", "--any-disk", id="the second word"),
        pytest.param("ANY_DISK=0", "", id="no second word"),
        pytest.param("DEVICE=/dev/sdb /dev/sdc", "flash /dev/sdb /dev/sdc", id="two"),
    ],
)
def test_what_is_said_of_a_card_is_said_to_the_fleets_command(
    word: str, option: str
) -> None:
    given = ["DEVICE=/dev/sdb", "SITE=porto-1", "VOUCHER=v.csv", word]
    done = make("--dry-run", "flash", *given)
    assert done.returncode == 0, done.stderr
    command = " ".join(done.stdout.partition("doorsill-fleet ")[2].split())
    assert option in command
    assert ("--any-disk" in command) == (word == "ANY_DISK=1")


def test_contributing_says_of_each_target_how_long_it_takes() -> None:
    rows = [
        line
        for line in (ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()
        if line.startswith("| `make ")
    ]
    named = {word for line in rows for word in re.findall(r"`make ([a-z-]+)", line)}
    assert named == set(targets()) - {"help"}
    assert all(re.search(r"\d", line.rsplit("|", 2)[1]) for line in rows)

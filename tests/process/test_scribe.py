"""A process that can say sentences of a list, seldom, and nothing of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from doorsill.process.scribe import (
    BURST,
    EVERY_S,
    MOST,
    Allowance,
    Scribe,
    Sentence,
    number_of,
)
from doorsill.vision.words import WORDS

FACE = "face" * 750

PROGRAM = """\
import logging, os, sys
from doorsill.process.scribe import Sentence, start
logging.basicConfig(format="%(message)s")
def is_pipe(number):
    try:
        return os.readlink(f"/proc/self/fd/{{number}}").startswith("pipe:")
    except FileNotFoundError:
        return False
scribe = start("doorsill.test", [Sentence("hello", "it was hello", "WARNING")])
pipe = next(number for number in range(3, 99) if is_pipe(number))
{take_over}
{act}
"""


def said(act: str, *, silenced: bool = True) -> str:
    """What arrives on standard output and error of a process that does ``act``."""
    take_over = "scribe.take_over()" if silenced else "pass"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(take_over=take_over, act=act)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_a_line_of_the_list_is_written_as_it_stands_there() -> None:
    heard = said("logging.warning('hello %s', 'face' * 750)")
    assert heard == "WARNING doorsill.test: it was hello\n"


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(f"os.write(2, b'{FACE}')", id="raw, on standard error"),
        pytest.param(f"os.write(1, b'{FACE}')", id="raw, on standard output"),
        pytest.param(f"print('{FACE}', flush=True)", id="printed"),
        pytest.param(f"print('{FACE}', file=sys.stderr)", id="printed as an error"),
        pytest.param(f"logging.error('{FACE}')", id="logged"),
        pytest.param(f"raise ValueError('{FACE}')", id="raised"),
        pytest.param(f"sys.exit('{FACE}')", id="said at the end"),
    ],
)
def test_nothing_else_is_written(act: str) -> None:
    assert "face" not in said(act)
    # The control: with standard error as it was, it is there.
    assert FACE in said(act, silenced=False)


def test_a_line_that_is_on_no_list_is_told_without_a_word_of_it() -> None:
    heard = said("logging.error('something new')")
    assert heard.endswith(
        "doorsill.test: something that is on no list; the exit code says more\n"
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(FACE, id="a face"),
        pytest.param("0 face", id="a number and a face"),
        pytest.param("s/x/face/", id="a command of sed"),
        pytest.param("face\x00face", id="a zero byte"),
        pytest.param("\xff\xfeface", id="no text"),
        pytest.param("1", id="a number that is on no list"),
        pytest.param("-1", id="less than a number"),
        pytest.param("00", id="a number otherwise written"),
        pytest.param("face without an end", id="half a line"),
    ],
)
def test_whatever_is_sent_to_the_scribe_a_sentence_leaves(raw: str) -> None:
    """A process that is taken over writes into the pipe what it likes."""
    end = "" if "without" in raw else "\\n"
    data = repr(raw.encode("latin-1"))
    heard = said(f"os.write(pipe, {data} + b'{end}')")
    assert heard.rstrip("\n") == (
        "WARNING doorsill.test: something that is on no list; the exit code says more"
    )


def test_a_scribe_ends_after_so_many_sentences() -> None:
    heard = said(
        "os.set_blocking(pipe, True)\n"
        "try:\n"
        "    for _ in range(100_000): os.write(pipe, b'0\\n')\n"
        "except BrokenPipeError: pass"
    )
    assert heard.count("it was hello\n") == heard.count("\n") == MOST


def test_the_list_is_said_seldom() -> None:
    heard = said("for _ in range(5000): logging.warning('hello')")
    assert heard.count("\n") == BURST


def test_the_allowance_comes_back_slowly() -> None:
    allowance = Allowance(100.0)
    assert [allowance.take(100.0) for _ in range(BURST + 1)] == [True] * BURST + [False]
    assert not allowance.take(100.0 + 0.9 * EVERY_S)
    assert allowance.take(100.0 + 1.1 * EVERY_S)
    assert not allowance.take(100.0 + 1.2 * EVERY_S)
    later = 1000.0 * EVERY_S
    assert sum(allowance.take(later) for _ in range(100)) == BURST


def test_half_a_line_waits_for_its_end() -> None:
    import os

    reader, writer = os.pipe()
    scribe = Scribe(writer, [Sentence("ab", "x")])
    scribe.write("a")
    scribe.write("b\n\nc\n")
    assert os.read(reader, 10) == b"0\n1\n"
    os.close(reader)
    os.close(writer)


# The modules of the vision process that say or raise something once it sees.
SPEAKERS = (
    "firmware/doorsill/services/vision.py",
    "firmware/doorsill/vision/door.py",
    "firmware/doorsill/channels/cell_link.py",
    "firmware/doorsill/channels/crop_sender.py",
    "firmware/doorsill/drivers/camera/picamera.py",
    "firmware/doorsill/drivers/camera/restart.py",
    "firmware/doorsill/drivers/camera/video.py",
    "firmware/doorsill/drivers/camera/decoding.py",
)


LEVELS = ("info", "warning", "error", "exception", "critical")


def spoken(path: Path) -> list[str]:
    """Every log line and CameraError of a module, with "…" for what is put in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = node.func
        logs = isinstance(function, ast.Attribute) and function.attr in LEVELS
        logs = logs and ast.unparse(function.value).endswith("log")  # type: ignore[attr-defined]
        raises = isinstance(function, ast.Name) and function.id == "CameraError"
        if logs or raises:
            found.append(_text(node.args[0]))
    return found


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) for each in node.values)
    return "…"


@pytest.mark.parametrize("module", SPEAKERS)
def test_every_sentence_of_the_vision_process_is_on_its_list(module: str) -> None:
    import re

    patterns = [re.compile(each.pattern) for each in WORDS]
    for text in spoken(ROOT / module):
        if text.strip("…%s: ;") == "":  # an error that another module has made
            continue
        assert number_of(text, patterns) < len(WORDS), f"not in vision/words.py: {text}"


def test_no_sentence_of_the_list_has_room_for_a_value() -> None:
    for each in WORDS:
        assert "%" not in each.text and "{" not in each.text
        assert not set("/&\\\n") & set(each.text)  # it stands in a program of sed
    security = (ROOT / "SECURITY.md").read_text("utf-8")
    assert f"one of {len(WORDS)} sentences" in security

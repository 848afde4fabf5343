"""Every parser of bytes from outside ends in one of our four errors, or takes them.

Three seconds for each family here, twenty in ``make long``; ``make fuzz`` for longer.
What broke a parser once lies in ``tests/fuzz/found`` and is fed again.
"""

import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from fuzz import parsers, running
from fuzz.mutating import mutated
from fuzz.parsers import FAMILIES, PARSERS
from fuzz.running import Parser, feed, run
from limits import LONG, PROGRAM_S

from doorsill.errors import ConfigError

FAMILY_S = 20.0 if LONG else 1.5  # shared by the parsers of one family
LEAST = 5  # inputs of each, however slow the machine
SEED = 20261128


@pytest.mark.parametrize("family", FAMILIES)
def test_no_bytes_from_outside_end_in_a_traceback(tmp_path: Path, family: str) -> None:
    names = FAMILIES[family]
    broke: dict[str, dict[str, bytes]] = {}
    for number, (name, make) in enumerate(names.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with closing(make(folder)) as parser:
            report = run(parser, FAMILY_S / len(names), SEED, LEAST)
        assert report.inputs >= LEAST
        if report.unhandled:
            broke[name] = report.unhandled
    assert broke == {}


FOUND = [(name, path) for name in PARSERS for path in running.found(name)]


@pytest.mark.parametrize(
    ("name", "path"), FOUND, ids=[f"{name}-{path.stem}" for name, path in FOUND]
)
def test_what_broke_a_parser_once_does_not_any_more(
    tmp_path: Path, name: str, path: Path
) -> None:
    with closing(PARSERS[name](tmp_path)) as parser:
        assert feed(parser, path.read_bytes()) in ("", None)


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_what_is_right(tmp_path: Path, name: str) -> None:
    """The control: mutations begin from something that is read to its end."""
    with closing(PARSERS[name](tmp_path)) as parser:
        taken = [feed(parser, seed) for seed in parser.seeds]
    # A model of 40 bytes has never the right hash.
    assert None in taken or (name == "fetched" and set(taken) == {""})


def test_what_breaks_is_found_with_the_place_where_it_broke() -> None:
    def fragile(data: bytes) -> None:
        if data[:1] != b"s":
            raise KeyError("first")
        if len(data) % 2:
            raise ConfigError("odd")

    report = run(Parser([b"seed"], fragile), 0.0, SEED, least=500)
    assert report.inputs == 500 and 0 < report.accepted < 500
    (where,) = report.unhandled
    assert where.startswith("KeyError at test_fuzz.py:")
    assert report.unhandled[where][:1] != b"s"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(ConfigError(""), "an error of ours without a word", id="no words"),
        pytest.param(RecursionError(), "RecursionError at", id="too deep"),
        pytest.param(ConfigError("k"), "", id="as it must be"),
    ],
)
def test_an_error_without_a_word_is_a_finding_too(error: Exception, said: str) -> None:
    def broken(data: bytes) -> None:
        raise error

    found = feed(Parser([b""], broken), b"")
    assert found == said or (said and found is not None and found.startswith(said))


SLOW = running.SLOW_S + 1.0


@pytest.mark.parametrize(
    ("took", "worked", "said", "fed"),
    [
        pytest.param([SLOW] * 3, 0.0, "it took 6.0 s", 3, id="it sleeps"),
        pytest.param([SLOW], SLOW, "it took 6.0 s", 1, id="it computes"),
        pytest.param([SLOW, 1.0], 0.5, None, 2, id="others were at work"),
        pytest.param([1.0], 1.0, None, 1, id="quick"),
    ],
)
def test_what_takes_for_ever_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
    took: list[float],
    worked: float,
    said: str | None,
    fed: int,
) -> None:
    """On a clock, and a count of the processor's time, that only feeding moves."""
    clock, processor, inputs = [0.0], [0.0], []

    def slow(data: bytes) -> None:
        clock[0] += took[len(inputs)]
        processor[0] += worked
        inputs.append(data)

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(running, "worked_s", lambda: processor[0])
    assert feed(Parser([b""], slow), b"") == said
    assert len(inputs) == fed


def test_the_time_of_children_counts_as_work() -> None:
    before = running.worked_s()
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True, timeout=PROGRAM_S)
    assert running.worked_s() - before >= 0.3


def test_the_same_seed_makes_the_same_inputs() -> None:
    seed = b'{"a": [1, 2, {"b": "c"}]}'
    one, two = random.Random(7), random.Random(7)
    made = [mutated(seed, one) for _ in range(300)]
    assert made == [mutated(seed, two) for _ in range(300)]
    assert len(set(made)) > 200


def test_every_parser_is_in_one_family() -> None:
    assert sum(len(each) for each in parsers.FAMILIES.values()) == len(PARSERS)

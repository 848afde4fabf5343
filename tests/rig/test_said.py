"""What a machine says by itself is found once it is there, and only what is new."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from limits import END_S, WITHIN_S

from .errors import BenchError
from .said import Said


@pytest.fixture
def said(tmp_path: Path) -> Said:
    path = tmp_path / "serial.log"
    path.write_text("state is damaged\n")
    made = Said(path)
    made.begin()
    return made


def test_words_of_the_start_before_do_not_count(said: Said) -> None:
    with pytest.raises(BenchError, match="'damaged' was not said within 0 s"):
        said.wait("damaged", 0.0)
    with said.path.open("a") as file:
        file.write("doorsill: it asks the office\n")
    said.wait("asks the office", 0.0)
    assert "damaged" not in said.text()


def test_words_that_come_later_are_waited_for(said: Said) -> None:
    def say() -> None:
        with said.path.open("a") as file:
            file.write("it counts\n")

    later = threading.Timer(0.1, say)
    later.start()
    said.wait("it counts", WITHIN_S)
    later.join(END_S)


def test_a_machine_that_has_said_nothing_yet_has_a_log(tmp_path: Path) -> None:
    made = Said(tmp_path / "new.log")
    made.begin()
    assert made.text() == ""

"""The newcomer's page is what `make fleet-demo` types, and it is short."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import ROOT

from doorsill_fleet.demo.fleet import MODULES, PAGE, READY, Demo

COMMANDS_MOST = 10


def test_the_page_of_the_readme_is_typed_word_for_word() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    whole = "\n".join(line.split("  #")[0].rstrip() for line in text.splitlines())
    assert "\n".join(PAGE) in whole
    assert len(PAGE) <= COMMANDS_MOST


@pytest.mark.parametrize("line", PAGE)
def test_a_run_has_ports_and_cameras_of_its_own(tmp_path: Path, line: str) -> None:
    demo = Demo(tmp_path, cameras=3, port=18443, broker_port=18883)
    words = demo.words(line)
    assert words[0] in MODULES
    assert line.endswith("&") == (words[1] in READY)
    said = " ".join(words)
    if words[1] == "init":
        assert said.endswith("--port 18443 --broker-port 18883")
    if words[1] == "device":
        assert "--count 3 " in said
    if words[1] == "receive":
        assert "--broker localhost:18883 " in said

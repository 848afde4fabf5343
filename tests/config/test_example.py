"""The example configuration is one that the device would take."""

from __future__ import annotations

import re
from pathlib import Path

from places import ROOT

from doorsill.config import read_config

EXAMPLE = ROOT / "firmware" / "systemd" / "doorsill.toml"


def test_the_example_is_right_as_it_stands() -> None:
    config, problems = read_config(EXAMPLE)
    assert problems == []
    assert config is not None and config.consent is None


def test_the_example_is_right_with_everything_switched_on(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (\[|\w+ = )", r"\1", EXAMPLE.read_text())
    everything = tmp_path / "doorsill.toml"
    everything.write_text(text)
    config, problems = read_config(everything)
    assert problems == []
    assert config is not None and config.consent is not None
    assert config.privacy.k == 20

"""What an enrolled camera wrote down of its fleet is read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doorsill.enrolment.renewing import Fleet, read_fleet
from doorsill.errors import ConfigError

RIGHT: dict[str, Any] = {
    "host": "fleet.example",
    "port": 8443,
    "serial": "ds-4k7q2m9x",
}


def written(folder: Path, text: str) -> Path:
    path = folder / "fleet.json"
    path.write_text(text)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read_fleet(written(tmp_path, json.dumps(RIGHT)))
    assert found == Fleet("fleet.example", 8443, "ds-4k7q2m9x")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"port": "8443"}, "it must be a whole number", id="a text"),
        pytest.param({"port": 1.9}, "it must be a whole number", id="a fraction"),
        pytest.param({"port": 70000}, "above the maximum of 65535", id="too high"),
        pytest.param({"host": "a b"}, "fleet.host = 'a b' does not match", id="host"),
        pytest.param({"serial": "cam-01"}, "fleet.serial = 'cam-01' does", id="serial"),
        pytest.param({"ports": 1}, "fleet.ports is not an option; did", id="unknown"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = written(tmp_path, json.dumps(RIGHT | change))
    with pytest.raises(ConfigError, match=says) as caught:
        read_fleet(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000], ids=["empty", "cut", "deep"])
def test_what_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="is not what `doorsill enrol` wrote"):
        read_fleet(written(tmp_path, text))

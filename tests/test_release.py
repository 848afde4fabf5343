"""What runs here is said in every interval, with the hashes that are shipped."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import doorsill
from doorsill.errors import ConfigError
from doorsill.uplink import release
from doorsill.uplink.rules import rules_of
from doorsill.uplink.wire import LineInterval

ROOT = Path(__file__).parent.parent


def test_the_detector_that_is_shipped_has_its_hash() -> None:
    manifest = tomllib.loads((ROOT / "models" / "detector.toml").read_text())
    assert release.model_hash("detector") == manifest["model"]["sha256"]


def test_the_version_of_this_firmware_fits_the_wire() -> None:
    (rule,) = [rule for name, _, rule in rules_of(LineInterval) if name == "firmware"]
    rule.check(doorsill.__version__, "firmware")


def test_a_model_that_is_not_shipped_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model.detector = yolo is not a model"):
        release.model_hash("yolo")


@pytest.mark.parametrize(
    "text",
    [
        "[model",
        "[model]\nname = 1",
        "model = 3",
        '[model]\nsha256 = "AB"',
        "[model]\nsha256 = 7",
    ],
)
def test_a_broken_manifest_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "detector.toml").write_text(text)
    monkeypatch.setattr(release, "_folders", lambda: (tmp_path,))
    with pytest.raises(ConfigError, match=r"detector\.toml"):
        release.model_hash("detector")


def test_a_model_given_by_its_file_has_the_hash_of_its_manifest_or_of_its_bytes(
    tmp_path: Path,
) -> None:
    shipped = release.model_hash("detector")
    assert release.model_hash(str(ROOT / "models" / "detector.toml")) == shipped
    assert release.model_hash(str(ROOT / "models" / "detector.tflite")) == shipped
    with pytest.raises(ConfigError, match=r"cannot read the model .*nope\.tflite"):
        release.model_hash(str(tmp_path / "nope.tflite"))
    with pytest.raises(ConfigError, match=r"nope\.toml is not a model"):
        release.model_hash(str(tmp_path / "nope.toml"))

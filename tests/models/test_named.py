"""A model is found by its name or path once, and its bytes are what was named."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import MODELS

from doorsill.errors import ConfigError, UntrustedError
from doorsill.models import manifest
from doorsill.models.named import find

DETECTOR = (MODELS / "detector.tflite").read_bytes()
SHA256 = hashlib.sha256(DETECTOR).hexdigest()
OTHERS = "0" * 64


def copy(folder: Path, *, model: bytes = DETECTOR) -> Path:
    """Our detector's manifest beside a model, in another folder."""
    path = folder / "detector.toml"
    path.write_bytes((MODELS / "detector.toml").read_bytes())
    (folder / "detector.tflite").write_bytes(model)
    return path


@pytest.mark.parametrize(
    ("name", "title", "is_path"),
    [
        pytest.param("detector", "detector", False, id="one of ours by its name"),
        pytest.param(
            str(MODELS / "detector.toml"), "detector", True, id="by its manifest"
        ),
        pytest.param(
            str(MODELS / "detector.tflite"), "detector.tflite", True, id="a bare file"
        ),
    ],
)
def test_each_way_to_name_a_model_leads_to_the_same_bytes(
    name: str, title: str, is_path: bool
) -> None:
    found = find(name)
    assert (found.title, found.is_path) == (title, is_path)
    assert (found.manifest is None) == (title == "detector.tflite")
    assert found.read() == found.read(frozenset([SHA256])) == DETECTOR
    assert found.require_allowed(None) == SHA256
    stated = tomllib.loads((MODELS / "detector.toml").read_text())
    assert stated["model"]["sha256"] == SHA256


@pytest.mark.parametrize(
    ("name", "what"),
    [
        pytest.param("a/detector", "cannot read a/detector", id="a path by its slash"),
        pytest.param("x.LITE", "cannot read x.LITE", id="capitals"),
        pytest.param("x.TOML", "cannot read x.TOML", id="a manifest in capitals"),
        pytest.param("yolo", "no model named yolo; there are: at", id="name"),
    ],
)
def test_what_is_not_there_is_named(name: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        find(name).read()


@pytest.mark.parametrize("name", ["detector.toml", "detector.tflite"])
def test_what_is_not_allowed_is_never_read_out(tmp_path: Path, name: str) -> None:
    copy(tmp_path)
    found = find(str(tmp_path / name))
    with pytest.raises(UntrustedError, match=f"has SHA-256 {SHA256}, which the policy"):
        found.read(frozenset([OTHERS]))
    with pytest.raises(UntrustedError, match="which the policy does not let run"):
        found.require_allowed(frozenset([OTHERS]))


def test_a_model_that_is_not_its_manifests_is_refused_though_allowed(
    tmp_path: Path,
) -> None:
    found = find(str(copy(tmp_path, model=DETECTOR + b"\0")))
    with pytest.raises(UntrustedError, match="but its manifest says"):
        found.read(frozenset([SHA256]))


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
    monkeypatch.setattr(manifest, "folders", lambda: (tmp_path,))
    with pytest.raises(ConfigError, match=r"detector\.toml"):
        find("detector")


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys; from doorsill.models.named import find; find('detector').read();"
        "print([m for m in ('numpy', 'av', 'ai_edge_litert') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    assert done.stdout.strip() == "[]"

"""Compiling for an Edge TPU: a compiler that never ends is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorsill.errors import ConfigError
from doorsill.models import edgetpu


def test_a_compiler_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "edgetpu_compiler"
    compiler.write_text("#!/bin/sh\nexec sleep 60\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(edgetpu, "COMPILER_LIMIT_S", 0.2)
    with pytest.raises(ConfigError, match=r"was not done within 0\.2 s"):
        edgetpu.compile_model(tmp_path / "m.tflite", "m", str(compiler), tmp_path)

"""The training road in miniature, where the extra ``train`` and the data are there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ARCHIVE = ROOT.parent / "shared" / "data" / "makehuman" / "makehuman-cc0.tar.xz"
NEEDED = ("tensorflow", "keras", "moderngl", "PIL")
ABSENT = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.timeout(840)
@pytest.mark.skipif(bool(ABSENT), reason=f"needs the extra train: {', '.join(ABSENT)}")
@pytest.mark.skipif(not ARCHIVE.exists(), reason="needs ../shared/data/makehuman")
def test_render_train_export_and_evaluate(tmp_path: Path) -> None:
    module = ["-m", "doorsill_train.publish.smoke"]
    command = [sys.executable, *module, "--data", str(ARCHIVE)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "head_ap50" in done.stdout
    assert (tmp_path / "detector.tflite").stat().st_size > 10_000
    assert (tmp_path / "sheet.png").exists()

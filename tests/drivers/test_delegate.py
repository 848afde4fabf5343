"""A Coral without a Coral: a library that claims what edgetpu_compiler left."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import foreign
import models_bent as bent
import pytest
from limits import PROGRAM_S
from places import WORLDS

from doorsill.cli import main
from doorsill.config import ModelSection
from doorsill.errors import ConfigError
from doorsill.services.detectors import open_detector, with_probed_delegate
from doorsill.values import Frame

SOURCE = WORLDS / "edgetpu.c"
SECONDS = "4"
pytestmark = pytest.mark.skipif(
    not foreign.CLIP.exists(), reason="needs ../shared/data"
)


def built(folder: Path, *options: str) -> str:
    library = folder / "libedgetpu.so.1"
    command = ["gcc", "-shared", "-fPIC", "-O1", *options, "-o", str(library)]
    subprocess.run([*command, str(SOURCE)], check=True, timeout=PROGRAM_S)
    return str(library)


@pytest.fixture(scope="module")
def coral(tmp_path_factory: pytest.TempPathFactory) -> str:
    return built(tmp_path_factory.mktemp("coral"))


@pytest.fixture
def compiled(tmp_path: Path) -> str:
    path = tmp_path / "ssd_edgetpu.tflite"
    path.write_bytes(bent.for_edge_tpu(foreign.ssd()))
    return str(path)


def test_a_compiled_model_finds_people_on_its_delegate(coral, compiled):
    section = ModelSection(detector=compiled, delegate=coral)
    assert with_probed_delegate(section) == section
    detector = open_detector(section)
    found = detector.detect(Frame(foreign.pictures()[0], 0.0))
    assert found.scores.tolist() == pytest.approx([230 / 256], abs=0.01)


def test_count_takes_the_delegate(coral, compiled, capsys):
    """The stand-in always sees the same one person, who crosses no line."""
    command = ["count", str(foreign.CLIP), "--line", "0.1,0,0.1,1", "--json"]
    options = ["--model", compiled, "--delegate", coral, "--seconds", SECONDS]
    assert main.run([*command, *options, "--every-frame"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert counted["people"] == 1 and counted["lines"] == [{"in": 0, "out": 0}]


def test_info_and_bench_take_the_delegate(coral, compiled, capsys):
    assert main.run(["models", "info", compiled, "--delegate", coral]) == 0
    assert "finished by TFLite_Detection_PostProcess" in capsys.readouterr().out
    bench = ["models", "bench", compiled, "--delegate", coral, "--runs", "3"]
    assert main.run([*bench, "--threads", "1"]) == 0
    assert "ssd_edgetpu.tflite" in capsys.readouterr().out


def test_a_model_of_ours_runs_beside_a_delegate_that_claims_nothing(coral, capsys):
    command = ["models", "bench", "detector", "--delegate", coral, "--runs", "3"]
    assert main.run(command) == 0


def test_without_its_delegate_it_is_refused_by_what_it_is(compiled):
    for open_it in (with_probed_delegate, open_detector):
        with pytest.raises(ConfigError, match="compiled for an Edge TPU"):
            open_it(ModelSection(detector=compiled))


def test_the_cpu_cannot_take_over_what_was_compiled(compiled, tmp_path, caplog):
    """A fallback is tried, and refused: the file runs on nothing else."""
    section = ModelSection(
        detector=compiled,
        delegate=str(tmp_path / "none.so"),
        delegate_fallback=True,
    )
    with pytest.raises(ConfigError, match="compiled for an Edge TPU"):
        with_probed_delegate(section)
    assert "cannot be used" in caplog.text


def test_the_cpu_takes_over_what_it_can(tmp_path, caplog):
    path = tmp_path / "m.tflite"
    path.write_bytes(foreign.ssd())
    section = ModelSection(
        detector=str(path), delegate="none.so", delegate_fallback=True
    )
    assert with_probed_delegate(section).delegate == ""
    assert "on the CPU" in caplog.text


def test_a_library_built_for_tensorflow_2_5_kills_only_the_trial(compiled, tmp_path):
    """What it hands over is shorter than what LiteRT reads: by chance it may work."""
    library = built(tmp_path, "-DBUILT_FOR_2_5")
    with pytest.raises(ConfigError, match=r"libedgetpu\.so\.1: a trial .* SIG"):
        with_probed_delegate(ModelSection(detector=compiled, delegate=library))

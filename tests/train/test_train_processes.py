"""A renderer that a signal ends is begun again; one that fails is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from limits import PROGRAM_S

SCRIPT = """
import argparse, os, signal, sys
from pathlib import Path

from doorsill_train.processes import in_processes

done, fate = Path(sys.argv[1]), sys.argv[2]

def work(args, seeds):
    for seed in seeds:
        if (done / str(seed)).exists():
            continue
        if seed == 3 and (fate == "always" or not (done / "died").exists()):
            (done / "died").touch()
            if fate == "fails":
                sys.exit(2)
            os.kill(os.getpid(), signal.SIGSEGV)
        (done / str(seed)).touch()

in_processes(work, argparse.Namespace(jobs=2), list(range(6)))
"""


@pytest.mark.parametrize(
    ("fate", "ends", "written"),
    [
        pytest.param("once", 0, "012345", id="a signal, and then it goes well"),
        pytest.param("always", 1, "01245", id="a signal again and again"),
        pytest.param("fails", 1, "0124", id="an error"),
    ],
)
def test_what_a_signal_ends_is_begun_anew(
    tmp_path: Path, fate: str, ends: int, written: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), fate],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.returncode == ends, done.stderr
    made = {path.name for path in tmp_path.iterdir()} - {"died"}
    assert made == set(written)
    assert ("run the same command again" in done.stderr) is bool(ends)

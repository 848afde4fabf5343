"""Run the Edge TPU compiler that is installed; take no model that needs the CPU too."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from doorsill.documents.files import require_new
from doorsill.documents.folders import make_folder
from doorsill.errors import ConfigError, UntrustedError

COMPILER_LIMIT_S = 600  # a compilation takes this long at most


def find_compiler(compiler: str) -> str:
    """Where ``compiler`` is; raises ConfigError where it is not installed."""
    found = shutil.which(compiler)
    if found is None:
        raise ConfigError(
            f"{compiler} is not installed; see coral.ai/docs/edgetpu/compiler"
        )
    return found


def compile_model(model: Path, title: str, compiler: str, to: Path) -> Path:
    """Compile ``model`` into the folder ``to``; gives the path of what was made.

    Raises ConfigError where the compiler fails, UntrustedError where an operation would
    stay on the CPU.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [compiler, "--show_operations", "--out_dir", folder, str(model)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=COMPILER_LIMIT_S
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(
                f"{Path(compiler).name} was not done within {COMPILER_LIMIT_S:g} s"
            ) from None
        if done.returncode:
            raise ConfigError(
                f"{Path(compiler).name} failed: {done.stdout[-300:].strip()}"
            )
        left = operations_on_the_cpu(done.stdout)
        if left:
            raise UntrustedError(
                f"{title} does not run on the Edge TPU alone; on the CPU stay:"
                f" {', '.join(left)}"
            )
        made = next(Path(folder).glob("*_edgetpu.tflite"), None)
        if made is None:
            raise ConfigError(f"{compiler} wrote no model")
        make_folder(to)
        require_new(to / made.name)
        shutil.copyfile(made, to / made.name)
    return to / made.name


def operations_on_the_cpu(report: str) -> list[str]:
    """The operations of a compiler report that were not mapped; raises ConfigError."""
    rows = re.findall(r"^([A-Z][A-Z0-9_]+)\s+(\d+)\s+(.+)$", report, re.MULTILINE)
    if not rows:
        raise ConfigError("the compiler's report lists no operations")
    return [f"{name} ({why.strip()})" for name, _, why in rows if "Mapped" not in why]

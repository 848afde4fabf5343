"""``doorsill-fleet receive`` as the process it is: started, stopped, killed."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker import Site
from children import hearing_ctrl_c
from limits import END_S, wait_until

_number = itertools.count(1)
PROGRAM = (sys.executable, "-m", "doorsill_fleet.cli.main")


def arguments(site: Site, *kept: str, name: str = "store") -> list[str]:
    """What the reader ``name`` types; ``kept`` says where the rows go."""
    own = site.address(name)
    return [
        "receive", "--broker", f"{own.host}:{own.port}", "--ca", str(own.ca),
        "--certificate", str(own.certificate), "--key", str(own.key), *kept,
    ]  # fmt: skip


@contextmanager
def receiving(
    words: list[str], folder: Path, program: tuple[str, ...] = PROGRAM
) -> Iterator[subprocess.Popen[str]]:
    """The process, connected; what is left of it is killed in the end."""
    path = folder / f"receive-{next(_number)}.log"
    with path.open("w") as log:
        with hearing_ctrl_c():
            child = subprocess.Popen(
                [*program, *words],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
            )
        try:
            wait_until(
                lambda: "connected" in path.read_text() or child.poll() is not None,
                path.read_text,
            )
            assert "connected" in path.read_text(), path.read_text()
            yield child
        finally:
            child.kill()
            child.wait(END_S)
            assert child.stdout is not None
            child.stdout.close()


def stopped(child: subprocess.Popen[str], number: int) -> str:
    """What it says in the end; it must leave with 0."""
    child.send_signal(number)
    said, _ = child.communicate(timeout=END_S)
    assert child.returncode == 0
    return said

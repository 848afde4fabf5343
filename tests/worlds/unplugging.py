"""A virtual reader that can be unplugged: its driver, compiled, and the hand."""

import os
import shlex
import subprocess
from pathlib import Path

from limits import PROGRAM_S

from doorsill.drivers.token.pcscd import PrivatePcscd, vpcd

SOURCE = Path(__file__).with_name("unpluggable.c")


class Cable:
    """Between the reader and the machine; make it before pcscd is started."""

    def __init__(self, folder: Path) -> None:
        self.library = folder / "libunpluggable.so"
        self._cut = folder / "unplugged"
        ask = ["pkg-config", "--cflags", "libpcsclite"]
        flags = subprocess.run(
            ask, check=True, capture_output=True, text=True, timeout=PROGRAM_S
        ).stdout
        command = ["gcc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
        command += [*shlex.split(flags), str(SOURCE), "-o", str(self.library), "-ldl"]
        subprocess.run(command, check=True, timeout=PROGRAM_S)
        os.environ["DOORSILL_UNPLUGGED"] = str(self._cut)
        os.environ["DOORSILL_VPCD"] = str(vpcd())

    def pull(self, daemon: PrivatePcscd) -> None:
        """The reader is gone, card and all."""
        self._cut.touch()
        daemon.rescan()

    def plug_in(self, daemon: PrivatePcscd) -> None:
        """It is there again."""
        self._cut.unlink()
        daemon.rescan()

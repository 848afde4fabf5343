"""The device-tree overlay, made from the board: which pins, which bus, which speed.

There is no regulator in it: nothing that Linux knows can switch the rail. The pin of
the watchdog is an input with a pull-down until the vault asks for it: no boot beats it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock.bill import gpio
from interlock.errors import BoardError
from interlock.netlist import Board

NAME = "doorsill-interlock"
FOLDER = Path(__file__).parent
BASE = FOLDER / "base.dts"
SCHEMA = "doorsill,interlock.yaml"
CHIP_SELECTS = {"PI_CE0": 0}
SPEED_HZ = 10_000_000  # of the bus; doorsill's driver asks for the same
LIMIT_S = 60.0
INPUT, NO_PULL, PULL_DOWN = 0, 0, 1  # of brcm,function and brcm,pull
COMPATIBLE = re.compile(r"compatible = ([^;]+);")
NOISE = re.compile(r"^\s*(From schema:.*)?$|Warning|DeprecationWarning")
TOOLS = {"dtc": "device-tree-compiler", "fdtoverlay": "device-tree-compiler"}


def overlay(board: Board) -> str:
    """The source of the overlay."""
    token, case, beat = (
        gpio(board, net) for net in ("STATUS_TOKEN", "STATUS_CASE", "WATCHDOG")
    )
    select = CHIP_SELECTS[board["U5"].net("3A")]
    return f"""/dts-v1/;
/plugin/;

/* {NAME}: made from hw/interlock/board.net; change it there. */
/ {{
	compatible = "brcm,bcm2711", "brcm,bcm2712";
}};

&gpio {{
	interlock_pins: interlock-pins {{
		/* the token's and the case's permit to read; the watchdog's pin */
		brcm,pins = <{token} {case} {beat}>;
		brcm,function = <{INPUT} {INPUT} {INPUT}>;
		brcm,pull = <{NO_PULL} {NO_PULL} {PULL_DOWN}>;
	}};
}};

&spi0 {{
	status = "okay";
}};

&spidev{select} {{
	spi-max-frequency = <{SPEED_HZ}>;
	pinctrl-names = "default";
	pinctrl-0 = <&interlock_pins>;
}};
"""


def check(source: str, base: str | None = None) -> str:
    """Compile, apply to a tree, validate if that can be; gives the tree.

    Raises BoardError.
    """
    base = base or BASE.read_text("utf-8")
    require_board(source, base)
    with TemporaryDirectory(prefix="interlock-") as folder:
        place = Path(folder)
        (place / "overlay.dts").write_text(source, "utf-8")
        (place / "base.dts").write_text(base, "utf-8")
        compile_tree(place, "base")
        compile_tree(place, "overlay")
        applied = ["-i", "base.dtb", "-o", "whole.dtb", "overlay.dtb"]
        _run(place, "fdtoverlay", *applied)
        if can_validate():
            validate(place / "whole.dtb")
        return _run(place, "dtc", "-q", "-I", "dtb", "-O", "dts", "whole.dtb")


def require_board(source: str, base: str) -> None:
    """Raise BoardError where an overlay is for another board than the tree."""
    ours, theirs = (
        set(re.findall(r'"([^"]+)"', found.group(1)))
        for text in (source, base)
        if (found := COMPATIBLE.search(text))
    )
    if not ours & theirs:
        raise BoardError(
            f"the overlay is for {' or '.join(sorted(ours))}, the tree is that of "
            f"{' and '.join(sorted(theirs))}"
        )


def compile_tree(place: Path, name: str) -> None:
    """Compile ``name``.dts with its labels; a warning is an error."""
    words = ["-@", "-I", "dts", "-O", "dtb", "-o", f"{name}.dtb", f"{name}.dts"]
    _run(place, "dtc", *words)


def can_validate() -> bool:
    """Whether dt-validate is installed: Debian 12 has it (dt-schema), 13 has not."""
    return shutil.which("dt-validate") is not None


def validate(tree: Path) -> None:
    """Hold a compiled tree to the schemas; raises BoardError with what was found.

    ``dt-validate`` ends with 0 whether or not it found a fault, so its words decide.
    """
    (tree.parent / "schemas").mkdir()
    schema = tree.parent / "schemas" / SCHEMA
    schema.write_text((FOLDER / SCHEMA).read_text("utf-8"), "utf-8")
    words = ["-s", str(schema.parent), str(tree)]
    done = _start(tree.parent, "dt-validate", *words)
    said = [each for each in done.splitlines() if not NOISE.search(each)]
    if said:
        raise BoardError("dt-validate: " + "; ".join(each.strip() for each in said))


def _run(place: Path, program: str, *words: str) -> str:
    done = _finish(place, program, *words)
    if done.returncode or done.stderr.strip():
        raise BoardError(f"{program}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _start(place: Path, program: str, *words: str) -> str:
    done = _finish(place, program, *words)
    if "Traceback" in done.stderr:
        raise BoardError(f"{program}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout + done.stderr


def _finish(place: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [program, *words],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except FileNotFoundError:
        package = TOOLS.get(program, "dt-schema")
        raise BoardError(f"there is no {program}: apt-get install {package}") from None

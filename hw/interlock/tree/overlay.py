"""The device-tree overlay, made from the board: which pins, which bus, which speed.

There is no regulator in it: nothing that Linux knows can switch the rail. The pin of
the watchdog is an input with a pull-down until the vault asks for it: no boot beats it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock.bill import gpio
from interlock.errors import BoardError
from interlock.netlist import Board

NAME = "doorsill-interlock"
FOLDER = Path(__file__).parent
TREES = (FOLDER / "pi4.dts", FOLDER / "pi5.dts")
COMPILED = ("-@", "-I", "dts", "-O", "dtb")  # with its labels
READ = ("-q", "-I", "dtb", "-O", "dts")
SCHEMAS = ("doorsill,interlock.yaml", "doorsill,pins.yaml")
CHIP_SELECTS = {"PI_CE0": 0}
SPEED_HZ = 10_000_000  # of the bus; doorsill's driver asks for the same
LIMIT_S = 60.0
INPUT, NO_PULL, PULL_DOWN = 0, 0, 1  # of brcm,function and brcm,pull
COMPATIBLE = re.compile(r"compatible = ([^;]+);")
PINS = re.compile(r"interlock-pins \{[^}]*phandle = <(\w+)>")
MEMORY = re.compile(r"spidev@0 \{[^}]*pinctrl-0 = <(\w+)>")
OTHERS = re.compile(r"whole\.dtb: (?!(\S*/)?(interlock-pins|spidev@0)\b)[^:]+: ")
NOISE = re.compile(r"(?i)^\s*(from schema.*)?$|Warning")
TOOLS = "device-tree-compiler"  # the package of dtc and fdtoverlay
INSTALLED = FOLDER.parents[2] / ".venv-board" / "bin"


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


def check_all(source: str, real: Sequence[Path] = ()) -> dict[str, str]:
    """Hold the overlay to every board that it is for; gives the trees by name.

    ``real`` are compiled trees of real boards, as /boot/firmware/bcm2711-rpi-4-b.dtb.
    Raises BoardError.
    """
    found = {each.stem: check(source, each.read_text("utf-8")) for each in TREES}
    for path in real:
        found[path.stem] = check(source, decompile(path))
    return found


def check(source: str, base: str) -> str:
    """Compile, apply to a tree, validate; gives the tree. Raises BoardError."""
    require_board(source, base)
    with TemporaryDirectory(prefix="interlock-") as folder:
        place = Path(folder)
        (place / "overlay.dts").write_text(source, "utf-8")
        (place / "base.dts").write_text(base, "utf-8")
        _run(place, "dtc", "-q", *COMPILED, "-o", "base.dtb", "base.dts")
        _run(place, "dtc", *COMPILED, "-o", "overlay.dtb", "overlay.dts")
        applied = ["-i", "base.dtb", "-o", "whole.dtb", "overlay.dtb"]
        _run(place, "fdtoverlay", *applied)
        validate(place / "whole.dtb")
        whole = _run(place, "dtc", *READ, "whole.dtb")
        require_pins(whole)
        return whole


def boards_of(text: str) -> set[str]:
    """The boards that a tree or an overlay names first, in its root."""
    found = COMPATIBLE.search(text)
    names = re.findall(r'"([^"]+)"', found.group(1)) if found else []
    # dtc writes one text with zero bytes in it.
    return {each for name in names for each in name.split("\\0")}


def decompile(path: Path) -> str:
    """The text of a compiled tree; raises BoardError."""
    if not path.is_file():
        raise BoardError(f"there is no device tree {path}")
    return _run(path.parent, "dtc", *READ, path.name)


def require_pins(tree: str) -> None:
    """Raise BoardError unless the memory's node in ``tree`` holds the board's pins."""
    pins = PINS.search(tree)
    holds = MEMORY.search(tree)
    if not pins or not holds or pins.group(1) != holds.group(1):
        raise BoardError("the memory does not hold the pins of token, case, watchdog")


def require_board(source: str, base: str) -> None:
    """Raise BoardError where an overlay is for another board than the tree."""
    ours, theirs = boards_of(source), boards_of(base)
    if not ours & theirs:
        raise BoardError(
            f"the overlay is for {' or '.join(sorted(ours))}, the tree is that of "
            f"{' and '.join(sorted(theirs)) or 'no board'}"
        )


def validator() -> str:
    """Where dt-validate is, as ``make hw`` installs it; raises BoardError."""
    places = (str(INSTALLED), os.environ.get("PATH", ""))
    found = shutil.which("dt-validate", path=os.pathsep.join(places))
    if found is None:
        raise BoardError("there is no dt-validate: `make hw` installs it (.venv-board)")
    return found


def validate(tree: Path) -> None:
    """Hold a compiled tree to our schemas; raises BoardError with what was found.

    ``dt-validate`` ends with 0 whether or not it found a fault, so its words decide.
    What it says of other nodes than ours does not count: only the kernel's own schemas
    know their properties.
    """
    schemas = tree.parent / "schemas"
    schemas.mkdir()
    for each in SCHEMAS:
        (schemas / each).write_text((FOLDER / each).read_text("utf-8"), "utf-8")
    words = ["-s", str(schemas), str(tree)]
    done = _start(tree.parent, validator(), *words)
    said = [each.strip() for each in done.splitlines() if not NOISE.search(each)]
    if faults := [each for each in said if not OTHERS.match(each)]:
        raise BoardError("dt-validate: " + "; ".join(faults))


def _run(place: Path, program: str, *words: str) -> str:
    done = _finish(place, program, *words)
    if done.returncode or done.stderr.strip():
        raise BoardError(f"{program}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _start(place: Path, program: str, *words: str) -> str:
    done = _finish(place, program, *words)
    if done.returncode or "Traceback" in done.stderr:
        last = done.stderr.strip().splitlines() or [str(done.returncode)]
        raise BoardError(f"{Path(program).name}: {last[-1]}")
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
        raise BoardError(f"there is no {program}: apt-get install {TOOLS}") from None

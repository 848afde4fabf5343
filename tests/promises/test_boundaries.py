"""Imports go one way; what must not know of each other does not.

The whole tree is read, at any depth of the code: firmware, fleet, simulator and
training. A room may import what stands below it, and of its own tier only itself.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import ROOT

ROOTS = (ROOT / "firmware", ROOT / "provisioning", ROOT / "models", ROOT / "hw")
PACKAGES = (
    "doorsill", "doorsill_fleet", "doorsill_street", "doorsill_train", "interlock",
)  # fmt: skip
FIRMWARE = ROOT / "firmware" / "doorsill"

# The rooms from the top to the ground; what stands on one line never imports the other.
TIERS = (
    ("__main__",),
    ("doorsill_train",),
    ("interlock",),  # the board: it imports nothing of ours
    ("doorsill_fleet", "doorsill_street"),
    ("cli",),
    ("services", "evaluation", "commandline"),
    ("vision", "vault", "office"),
    ("drivers",),
    ("certificates",),
    ("uplink", "consent", "enrolment"),
    ("config",),
    ("policy",),
    ("wire", "models", "channels", "device"),
    ("privacy", "documents", "process"),
    ("values",),
    ("cells",),
    ("errors",),
    ("doorsill",),  # the version alone
)
# The same inside of doorsill_train, whose modules without a room stand below all rooms.
TRAINING = ("publish", "judge", "film", "learn", "places", "people", "paint")
TIER = {room: number for number, tier in enumerate(TIERS) for room in tier}

HARDWARE = {
    "picamera2", "libcamera", "ai_edge_litert", "tflite_runtime", "av", "gpiod",
    "smartcard", "fido2",
}  # fmt: skip
SPEAKS = {"socket", "ssl", "paho", "http", "urllib", "requests", "sqlite3", "asyncio"}
CLOCKS = {"os", "pathlib", "time", "datetime", "random", "io"}
PURE = (
    "consent",
    "certificates",
    "privacy",
    "wire",
    "policy/acceptance.py",
    "policy/document.py",
    "policy/hours.py",
    "models/manifest.py",
)
# What the fleet may know of the device, beyond what its demo and its stage run.
FLEET_MAY = {
    "errors",
    "cells",
    "commandline",
    "config",
    "documents",
    "policy",
    "process",
    "wire",
    "certificates",
    "office",
    "privacy",  # the length of its day
    "uplink",  # what a broker says, and why it does not answer
    "doorsill",
}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of our packages by its dotted name."""
    for root in ROOTS:
        for package in PACKAGES:
            for path in sorted((root / package).rglob("*.py")):
                parts = path.relative_to(root).with_suffix("").parts
                yield ".".join(parts).removesuffix(".__init__"), path


MODULES = dict(modules())


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Every module that ``path`` imports, at any depth of the code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def room_of(module: str) -> str:
    """``cells`` of ``doorsill.cells``; another package is a room of its own."""
    package, *rest = module.split(".")
    return rest[0] if package == "doorsill" and rest else package


def arrows() -> Iterator[tuple[str, str]]:
    """Who imports whom, of our own modules."""
    for module, path in MODULES.items():
        for other in sorted(imports(path) & MODULES.keys()):
            yield module, other


def reaches(module: str, roots: set[str]) -> bool:
    return any(module == root or module.startswith(root + ".") for root in roots)


def offenders(place: Path, banned: set[str]) -> list[str]:
    paths = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in paths
        for module in sorted(imports(path))
        if reaches(module, banned)
    ]


def test_every_room_has_its_tier() -> None:
    assert {room_of(each) for each in MODULES} == TIER.keys()


def test_no_import_runs_up_or_sideways() -> None:
    assert [
        f"{module} imports {other}"
        for module, other in arrows()
        if room_of(module) != room_of(other)
        and TIER[room_of(module)] >= TIER[room_of(other)]
    ] == []


def test_no_import_runs_up_in_the_training() -> None:
    def tier(module: str) -> int:
        room = module.split(".")[1]
        return TRAINING.index(room) if room in TRAINING else len(TRAINING)

    assert [
        f"{module} imports {other}"
        for module, other in arrows()
        if module.startswith("doorsill_train.")
        and other.startswith("doorsill_train.")
        and tier(module) > tier(other)
    ] == []


def test_no_import_runs_in_a_circle() -> None:
    below: dict[str, set[str]] = {each: set() for each in MODULES}
    for module, other in arrows():
        if not module.startswith(other + "."):  # a package holds a docstring alone
            below[module].add(other)
    assert circle_in(below) == []


def circle_in(below: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in turn; empty where there are none."""
    settled: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in settled:
            return []
        for other in sorted(below[module]):
            if found := walk(other, [*way, module]):
                return found
        settled.add(module)
        return []

    return next((found for each in below if (found := walk(each, []))), [])


def test_negative_control_a_circle_is_found() -> None:
    circle = circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    assert circle == ["b", "c", "b"]
    assert all(after in {"b", "c"} for _, after in pairwise(circle))
    assert circle_in({"a": {"b"}, "b": set()}) == []


def test_a_package_holds_one_docstring_and_hands_no_name_on() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py" and module != "doorsill":
            body = ast.parse(path.read_text("utf-8")).body
            assert [type(each).__name__ for each in body] == ["Expr"], module


def test_the_board_stands_alone() -> None:
    assert offenders(ROOT / "hw", set(PACKAGES) - {"interlock"}) == []


def test_the_corridor_is_short() -> None:
    assert len(list(FIRMWARE.glob("*.py"))) <= 6


RULES = [
    pytest.param(
        "",
        {"doorsill_fleet", "doorsill_street", "doorsill_train"},
        id="a camera stands alone",
    ),
    pytest.param(
        "vision",
        SPEAKS
        | {
            "doorsill.uplink",
            "doorsill.vault",
            "doorsill.consent",
            "doorsill.certificates",
            "doorsill.office",
        },
        id="what sees pixels cannot speak or write",
    ),
    pytest.param(
        "uplink",
        {"doorsill.vision", "doorsill.drivers", "numpy"},
        id="what speaks never sees a pixel",
    ),
    pytest.param(
        "vault",
        {"doorsill.vision", "doorsill.uplink"},
        id="what holds faces neither sees nor speaks",
    ),
    pytest.param("privacy", SPEAKS | CLOCKS, id="privacy is arithmetic"),
    *(
        pytest.param(
            each, {"doorsill.drivers", "socket", "numpy"}, id=f"{each} is pure"
        )
        for each in PURE
    ),
]


@pytest.mark.parametrize(("place", "banned"), RULES)
def test_a_room_does_not_know(place: str, banned: set[str]) -> None:
    assert (FIRMWARE / place).exists()
    assert offenders(FIRMWARE / place, banned) == []


def test_only_drivers_import_hardware() -> None:
    found = offenders(FIRMWARE, HARDWARE)
    assert found != []
    assert [each for each in found if "/drivers/" not in each] == []


def test_only_commands_and_services_read_the_configuration() -> None:
    found = offenders(FIRMWARE, {"doorsill.config"})
    may = ("/cli/", "/services/", "/commandline/options.py")  # where it is installed
    assert [each for each in found if not any(room in each for room in may)] == []


def test_only_whoever_starts_us_imports_a_command() -> None:
    found = {module for module, other in arrows() if room_of(other) == "cli"} - {
        each for each in MODULES if room_of(each) == "cli"
    }
    assert found == {"doorsill.__main__"}


def test_the_fleet_knows_little_of_the_device() -> None:
    may_run = ("doorsill_fleet.demo.", "doorsill_fleet.stage.")
    assert [
        f"{module} imports {other}"
        for module, other in arrows()
        if module.startswith("doorsill_fleet")
        and not module.startswith(may_run)
        and other.startswith("doorsill.")
        and room_of(other) not in FLEET_MAY
    ] == []


def test_negative_control_a_forbidden_import_is_found(tmp_path: Path) -> None:
    leak = tmp_path / "leak.py"
    leak.write_text("def f():\n    from urllib import request\n    return request\n")
    assert any(reaches(module, SPEAKS) for module in imports(leak))


@pytest.mark.parametrize(
    ("module", "banned"),
    [
        pytest.param(
            "doorsill.services.uplink",
            ("numpy", "av", "ai_edge_litert"),
            id="uplink loads no picture library",
        ),
        pytest.param(
            "doorsill.vision.pipeline",
            ("paho", "ssl", "sqlite3", "cryptography"),
            id="vision loads no network library",
        ),
        pytest.param(
            "doorsill.services.vision",
            ("paho", "ssl", "sqlite3", "cryptography"),
            id="nor does its process, and no cryptography",
        ),
        pytest.param(
            "doorsill.services.vault",
            ("numpy", "paho", "av", "ai_edge_litert"),
            id="the vault loads no arrays",
        ),
    ],
)
def test_a_process_does_not_even_load(module: str, banned: tuple[str, ...]) -> None:
    code = f"import sys, {module}\nprint([n for n in {banned!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    assert done.stdout.strip() == "[]"

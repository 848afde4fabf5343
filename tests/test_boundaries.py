"""Imports go one way; what must not know of each other does not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from limits import PROGRAM_S

ROOT = Path(__file__).parent.parent
FIRMWARE = ROOT / "firmware" / "doorsill"
HARDWARE = {
    "picamera2", "libcamera", "ai_edge_litert", "tflite_runtime", "av", "gpiod",
    "smartcard", "fido2",
}  # fmt: skip
SPEAKS = {"socket", "ssl", "paho", "http", "urllib", "requests", "sqlite3", "asyncio"}


def imports(path: Path) -> set[str]:
    """Every module that ``path`` imports, at any depth of the code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def reaches(module: str, roots: set[str]) -> bool:
    return any(module == root or module.startswith(root + ".") for root in roots)


def offenders(folder: Path, banned: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted(folder.rglob("*.py"))
        for module in sorted(imports(path))
        if reaches(module, banned)
    ]


RULES = [
    pytest.param("", {"doorsill_fleet"}, id="a camera never knows the fleet"),
    pytest.param(
        "vision",
        SPEAKS
        | {
            "doorsill.uplink",
            "doorsill.vault.vault",
            "doorsill.vault.session",
            "doorsill.consent.gate",
            "doorsill.consent.events",
        },
        id="what sees pixels cannot speak or write",
    ),
    pytest.param(
        "uplink",
        {"doorsill.vision", "doorsill.drivers", "numpy"},
        id="what speaks never sees a pixel",
    ),
    pytest.param(
        "privacy",
        SPEAKS
        | {
            "os",
            "pathlib",
            "time",
            "datetime",
            "random",
            "io",
            "doorsill.uplink",
            "doorsill.vision",
            "doorsill.drivers",
            "doorsill.config",
        },
        id="privacy is arithmetic: no clock, no I/O",
    ),
]


@pytest.mark.parametrize(("room", "banned"), RULES)
def test_imports_go_one_way(room: str, banned: set[str]) -> None:
    assert offenders(FIRMWARE / room, banned) == []


def test_only_drivers_import_hardware() -> None:
    found = offenders(FIRMWARE, HARDWARE)
    assert [each for each in found if "/drivers/" not in each] == []


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
            ("paho", "ssl", "sqlite3"),
            id="vision loads no network library",
        ),
    ],
)
def test_a_process_does_not_even_load(module: str, banned: tuple[str, ...]) -> None:
    code = (
        f"import sys, {module}\n"
        f"print([n for n in {banned!r} if n in sys.modules])"
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    assert done.stdout.strip() == "[]"

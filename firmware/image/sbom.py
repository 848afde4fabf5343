"""What an image is made of, for a scanner: CycloneDX 1.6, the same bytes every time."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from image import layout
from image.lock import Locked

SITE = "opt/doorsill/lib/python3.13/site-packages"


def bill(
    board: str,
    version: str,
    packages: Sequence[Locked],
    root: Path,
    given: Iterable[Path],
) -> str:
    """The bill of ``root``: packages, wheels, and the files that were ``given``."""
    inside = [each for each in packages if each.group in ("root", "boot", board)]
    parts = [_package(each) for each in inside] + list(_wheels(root / SITE))
    parts += [{"type": "firmware", "name": path.name} for path in given]
    parts.sort(key=lambda each: (each["type"], each["name"]))
    name = f"doorsill-{board}"
    said = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_number(name, version, parts)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "name": name,
                "version": version,
                "bom-ref": name,
            }
        },
        "components": parts,
    }
    return json.dumps(said, indent=1) + "\n"


def _package(each: Locked) -> dict[str, Any]:
    purl = f"pkg:deb/debian/{each.package}@{_quoted(each.version)}"
    return {
        "type": "library",
        "name": each.package,
        "version": each.version,
        "purl": f"{purl}?arch={each.architecture}",
        "bom-ref": f"deb:{each.package}",
        "hashes": [{"alg": "SHA-256", "content": each.sha256}],
    }


def _wheels(site: Path) -> Iterable[dict[str, Any]]:
    for path in sorted(site.glob("*.dist-info/METADATA")):
        head = HeaderParser().parsestr(path.read_text("utf-8", errors="replace"))
        name = re.sub(r"[-_.]+", "-", str(head["Name"])).lower()
        version = str(head["Version"])
        yield {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "bom-ref": f"pypi:{name}",
        }


def _quoted(version: str) -> str:
    return version.replace("%", "%25").replace(":", "%3A").replace("+", "%2B")


def _number(name: str, version: str, parts: list[dict[str, Any]]) -> uuid.UUID:
    """A serial number that is the same where all else is the same."""
    return uuid.uuid5(layout.NAMESPACE, json.dumps([name, version, parts]))

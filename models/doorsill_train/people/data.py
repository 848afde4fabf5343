"""MakeHuman's CC0 data, pinned: a folder, or the archive whose hash we know.

Upstream: ``makehumancommunity/makehuman`` at a8bc2d54ff0ac92e78ff71431b1023eda42bf482
(``makehuman/data``) and ``makehumancommunity/makehuman-assets`` at
8cf9645b975a98eea056b140df11a1d278da0d10 (``base/clothes``, ``base/hair``). Only the
data, which is CC0, is read; MakeHuman's code is AGPL and is not used.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path
from typing import Any

ARCHIVE_SHA256 = "9ed02ce77fad359e2ee0d97ce9ed39f8d6c165db9086717c134bc460053446f9"
INSIDE = "makehuman"
# Python 3.11.2, as Debian 12 has it, knows no filter; the hash already says what it is.
CAREFULLY: dict[str, Any] = (
    {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
)


def unpacked(data: Path, folder: Path) -> Path:
    """The data's folder; an archive is verified and unpacked into ``folder`` once."""
    if data.is_dir():
        return data if (data / "base.obj").exists() else data / INSIDE
    target = folder / INSIDE
    if not (target / "base.obj").exists():
        found = hashlib.sha256(data.read_bytes()).hexdigest()
        if found != ARCHIVE_SHA256:
            raise SystemExit(f"{data} has sha256 {found}, not {ARCHIVE_SHA256}")
        partial = folder / "unpacking"  # a stop leaves no half of the data
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(data) as archive:
            archive.extractall(partial, **CAREFULLY)  # noqa: S202 - of a known hash
        shutil.rmtree(target, ignore_errors=True)
        (partial / INSIDE).replace(target)
    return target

"""Write packages.lock again, from what the archives have now: ``make image-lock``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deb.build import ROOT
from doorsill.errors import DoorsillError
from image import archive, lock


def changes(before: list[lock.Locked], after: list[lock.Locked]) -> list[str]:
    """What a person wants to know before they commit the lock: one line a package."""
    old = {(each.group, each.package): each for each in before}
    new = {(each.group, each.package): each for each in after}
    said = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None and now is not None:
            said.append(f"{now.package} {now.version} comes in ({now.group})")
        elif now is None and was is not None:
            said.append(f"{was.package} {was.version} goes ({was.group})")
        elif was and now and was.version != now.version:
            said.append(f"{now.package} {was.version} -> {now.version}")
        elif was and now and was.sha256 != now.sha256:
            said.append(f"{now.package} {now.version}: the same version, other bytes")
    return said


def main() -> int:
    """Resolve, write, say what changed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=lock.LOCK)
    asked = parser.parse_args()
    try:
        wanted = lock.wants(lock.WANTED.read_text("utf-8"))
        before = lock.locked(lock.LOCK.read_text("utf-8")) if lock.LOCK.exists() else []
        sys.stdout.write("image-lock: asking the archives (a minute)\n")
        sys.stdout.flush()
        after = archive.resolve(wanted, ROOT / "build" / "image" / "apt")
        asked.out.write_text(lock.written(after), encoding="utf-8")
    except DoorsillError as error:
        sys.stderr.write(f"image-lock: {error}\n")
        return 2
    for line in changes(before, after) or ["nothing changed"]:
        sys.stdout.write(f"image-lock: {line}\n")
    size = sum(each.size for each in after) / 1e6
    sys.stdout.write(f"image-lock: {len(after)} packages, {size:.0f} MB: {asked.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A folder beside the camera's files in which they are made, whole, before they count.

A step that is cut leaves what the steps before it made, and is done again. Once all are
there the mark READY is set; from then on they are only put in place, which can be done
again as often as it is cut.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from doorsill.documents.durable import FOR_ALL, OWNER_ALONE, put, wipe
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import read_file, read_if_there

READY = "ready"
PRIVATE = {"device.key", "voucher"}  # files that only their owner may read
# What a camera needs, in the order in which it is put in place: the pair comes last.
FILES = (
    "fleet.json",
    "ca.pem",
    "controller.key.pub",
    "consent-ca.pem",
    "policy.json",
    "doorsill.toml",
    "device.key",
    "device.crt",
)


class Stage:
    """The folder ``target``/``name`` for files that go to ``target``."""

    def __init__(self, target: Path, name: str) -> None:
        self.target = target
        self.folder = target / name
        if not target.exists():
            make_folder(target)
            target.chmod(0o755)  # services of other users read there, see _mode
        shutil.rmtree(self._done, ignore_errors=True)  # left by a power cut

    @property
    def _done(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}-done")

    def has(self, name: str) -> bool:
        """Whether the file was made, whole."""
        return (self.folder / name).is_file()

    def read(self, name: str) -> bytes:
        """Its content; ConfigError if it cannot be read."""
        return read_file(self.folder / name)

    def put(self, name: str, data: bytes) -> None:
        """Make it: whole and on disk when this returns."""
        make_folder(self.folder, 0o700)
        put(self.folder / name, data, _mode(name))

    def finish(self) -> None:
        """Put all in place and remove the stage; READY must be set."""
        for name in FILES:
            if (data := read_if_there(self.folder / name)) is not None:
                put(self.target / name, data, _mode(name))
        self.drop()

    def drop(self) -> None:
        """Remove the stage with all that is in it, at once."""
        wipe(self.folder / "voucher")
        self.folder.rename(self._done)
        shutil.rmtree(self._done, ignore_errors=True)


def _mode(name: str) -> int:
    """Whatever umask a unit or a person has: all but a secret is for every service."""
    return OWNER_ALONE if name in PRIVATE else FOR_ALL

"""An archive as the kernel unpacks it at boot ("newc"): always the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

MAGIC = b"070701"
FOLDER, FILE, LINK, DEVICE = 0o040755, 0o100000, 0o120777, 0o020600
END = "TRAILER!!!"


@dataclass(slots=True)
class Archive:
    """What was added to it, in order."""

    out: bytearray = field(default_factory=bytearray)
    count: int = 0

    def folder(self, name: str) -> None:
        """An empty folder; those above it must be there."""
        self._add(name, FOLDER)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """A file with its content."""
        self._add(name, FILE | mode, data)

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._add(name, LINK, target.encode())

    def device(self, name: str, major: int, minor: int) -> None:
        """A character device: this is where a build would need mknod."""
        self._add(name, DEVICE, device=(major, minor))

    def finish(self) -> bytes:
        """The whole archive."""
        self._add(END, 0)
        return bytes(self.out)

    def _add(
        self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self.count += 1
        raw = name.encode() + b"\0"
        # inode, mode, uid, gid, links, time, size, of what device, device, name, sum
        numbers = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        self.out += MAGIC + b"".join(b"%08X" % number for number in numbers) + raw
        self._pad()
        self.out += data
        self._pad()

    def _pad(self) -> None:
        self.out += b"\0" * (-len(self.out) % 4)

"""Where what lies on a card: one table, from which the image is made.

    bootconfig   autoboot.txt and the camera's boot file: read by laptops
    boot_a, _b   kernel, small system and kernel line of one slot
    system_a, _b the system of one slot: squashfs, then the tree of its hashes
    vault        a medium for the vault; blank
    state        what stays: identity, policy, outbox, clock. Last, so that it can grow

An image has slot a alone; b is what an update writes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

MIB = 1024 * 1024
SLOTS = ("a", "b")
NAMESPACE = uuid.UUID(
    "6a1f7f0e-9d0b-4c5e-8f3a-5c1d00a55117"
)  # ours: ids are made from names
FAT, LINUX = "F", "L"  # as genimage calls the types of partitions
IMAGE_MOST = 450 * MIB  # mapped bytes: what has to be written to a card
PACKED_MOST = 200 * MIB


@dataclass(frozen=True, slots=True)
class Partition:
    """One line of the table."""

    name: str
    kind: str
    size: int  # bytes

    @property
    def id(self) -> str:
        """The same in every image: a camera is known by its certificate."""
        return str(identity(self.name))


TABLE = (
    Partition("bootconfig", FAT, 48 * MIB),
    Partition("boot_a", FAT, 96 * MIB),
    Partition("boot_b", FAT, 96 * MIB),
    Partition("system_a", LINUX, 384 * MIB),
    Partition("system_b", LINUX, 384 * MIB),
    Partition("vault", LINUX, 64 * MIB),
    Partition("state", LINUX, 128 * MIB),
)
BLANK = ("system_b", "vault")  # nothing is written there
LABELS = {"bootconfig": "DOORSILL", "boot_a": "BOOT_A", "boot_b": "BOOT_B"}
STATE_FOLDERS = ("etc", "doorsill", "systemd")  # bound over the read-only system


def size_of(name: str) -> int:
    """The bytes that the partition ``name`` has."""
    return next(each.size for each in TABLE if each.name == name)


def identity(of: str) -> uuid.UUID:
    """An id that is the same in every image."""
    return uuid.uuid5(NAMESPACE, of)


def genimage() -> str:
    """The table as genimage reads it; a partition's content is a file of its name."""
    lines = ["image disk.img {", "  hdimage {"]
    lines += [
        '    partition-table-type = "gpt"',
        f'    disk-uuid = "{identity("disk")}"',
    ]
    lines += ["  }"]
    for each in TABLE:
        lines += [f"  partition {each.name} {{"]
        lines += [f'    partition-type-uuid = "{each.kind}"']
        lines += [f'    partition-uuid = "{each.id}"', f"    size = {each.size}"]
        if each.name not in BLANK:
            lines += [f'    image = "{each.name}.img"']
        lines += ["  }"]
    return "\n".join([*lines, "}", ""])

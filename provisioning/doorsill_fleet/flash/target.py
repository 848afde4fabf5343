"""What is at the path that somebody wants to erase, and whether it may be.

Decided from facts that were read before: sysfs, what is mounted, and what sfdisk and
blkid say of its partitions.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.errors import ConfigError

LARGE_BYTES = 512 * 10**9  # above it, it is hardly a card
GIGA, MEGA = 10**9, 10**6
SYSTEM = ("/", "/boot", "/usr", "/var", "/home", "/etc", "/opt", "/srv", "swap")


@dataclass(frozen=True, slots=True)
class Part:
    """One partition: its number, what is in it, and its label."""

    number: int
    size: int  # bytes
    kind: str  # of its file system; empty if it is not known
    label: str


@dataclass(frozen=True, slots=True)
class Target:
    """What may be erased."""

    path: str
    size: int  # bytes
    is_file: bool  # a file that stands for a card
    is_part: bool  # a partition, and no whole card
    fixed: bool  # no USB, no card reader: a disk of the machine
    model: str
    used_by: tuple[str, ...]  # mount points, swap, and what is stacked on it
    parts: tuple[Part, ...]

    @property
    def is_system(self) -> bool:
        """Whether the machine itself runs from it."""
        return any(each in SYSTEM or each.startswith("/boot/") for each in self.used_by)

    def described(self) -> list[str]:
        """What is on it, for the person who erases it."""
        lines = [
            f"{self.path}  {self.model or 'a file'}, {bytes_text(self.size)}, has:"
        ]
        for each in self.parts:
            kind, label = (
                each.kind or "unknown",
                f'"{each.label}"' if each.label else "",
            )
            size = bytes_text(each.size)
            lines.append(f"  {each.number:2}  {size:>9}  {kind:8}  {label}".rstrip())
        return (
            lines if self.parts else [lines[0].replace(", has:", ", has no partition")]
        )


def require_erasable(target: Target, needed: int, *, any_disk: bool) -> None:
    """ConfigError unless ``target`` may be erased for an image of ``needed`` bytes.

    ``any_disk`` is the second word: for what is no card, or large. It never helps to a
    disk that is in use.
    """
    where = target.path
    if target.is_system:
        raise ConfigError(f"{where} is the disk that this machine runs from")
    if target.used_by:
        used = ", ".join(target.used_by)
        raise ConfigError(f"{where} is in use ({used}); unmount it: umount {where}*")
    if target.is_part:
        raise ConfigError(f"{where} is a partition; name the whole card")
    if target.size < needed:
        raise ConfigError(
            f"{where} has {bytes_text(target.size)}, and the image needs "
            f"{bytes_text(needed)}; take a larger card"
        )
    if any_disk:
        return
    if target.size > LARGE_BYTES:
        raise ConfigError(
            f"{where} has {bytes_text(target.size)}, which is more than a card has; if "
            "it is one, say --any-disk (make flash: ANY_DISK=1)"
        )
    if target.fixed:
        raise ConfigError(
            f"{where} ({target.model}) is a disk of this machine, and no card; if you "
            "mean it, say --any-disk (make flash: ANY_DISK=1)"
        )


def bytes_text(count: int) -> str:
    """A size as it is printed on cards."""
    if count >= GIGA:
        return f"{count / GIGA:.1f} GB"
    return f"{count / MEGA:.1f} MB"

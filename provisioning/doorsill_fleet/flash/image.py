"""An image as a stream of bytes, raw or packed with zstd."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from doorsill.documents.reading import read_file, read_if_there
from doorsill.errors import ConfigError, DoorsillError
from doorsill_fleet.flash.block_map import BlockMap, read_block_map, whole

ENDS_WITHIN_S = 10.0  # for zstd that was asked to end
MAP_BYTES_MOST = 1 << 24  # of a .bmap


@dataclass(frozen=True, slots=True)
class Image:
    """A file, and which parts of it are written."""

    path: Path
    map: BlockMap

    @property
    def packed(self) -> bool:
        """Whether it is packed."""
        return self.path.suffix == ".zst"


def find_image(path: Path) -> Image:
    """The image with the ``.bmap`` beside it; ConfigError if it cannot be used."""
    if not path.is_file():
        raise ConfigError(
            f"there is no image {path}; `make image BOARD=pi4|pi5|virt` makes one"
        )
    bare = path.with_suffix("") if path.suffix == ".zst" else path
    for beside in (bare.with_name(f"{bare.name}.bmap"), bare.with_suffix(".bmap")):
        if read_if_there(beside, MAP_BYTES_MOST) is not None:
            return Image(path, _map_at(beside))
    if path.suffix == ".zst":
        raise ConfigError(f"{path} needs its map beside it: {bare.name}.bmap")
    if not path.stat().st_size:
        raise ConfigError(f"{path} is empty")
    return Image(path, whole(path.stat().st_size))


def _map_at(path: Path) -> BlockMap:
    try:
        return read_block_map(read_file(path, MAP_BYTES_MOST))
    except DoorsillError as error:
        raise error.of(path) from None


class Stream:
    """The image's bytes from front to back."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name, self._at = file, name, 0

    def read_into(self, buffer: memoryview, at: int) -> None:
        """Fill ``buffer`` from the byte ``at`` on; ConfigError where the image ends."""
        if self._file.seekable():
            self._file.seek(at)
        else:
            self._skip(at - self._at)
        done = 0
        while done < len(buffer):
            data = self._file.read(len(buffer) - done)
            if not data:
                raise ConfigError(
                    f"{self._name} is truncated: it ends at byte {at + done}; fetch it "
                    "again"
                )
            buffer[done : done + len(data)] = data
            done += len(data)
        self._at = at + done

    def _skip(self, count: int) -> None:
        while count > 0 and (data := self._file.read(min(count, 1 << 20))):
            count -= len(data)


@contextmanager
def opened(image: Image) -> Iterator[Stream]:
    """The image as a stream."""
    if image.packed:
        with _unpacked(image.path) as file:
            yield Stream(file, image.path.name)
    else:
        with image.path.open("rb", buffering=0) as file:
            yield Stream(file, image.path.name)


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    if shutil.which("zstd") is None:
        raise ConfigError("a packed image needs zstd: apt install zstd")
    child = subprocess.Popen(
        ["zstd", "-dcq", "--", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        if child.stdout is not None:
            with child.stdout as unpacked:
                yield unpacked
    finally:
        child.kill()
        child.wait(ENDS_WITHIN_S)

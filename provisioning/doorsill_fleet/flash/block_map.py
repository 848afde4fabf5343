"""Which blocks of an image hold something: its ``.bmap``, format 2.0 of bmaptool(1)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

from doorsill.errors import ConfigError, UntrustedError

DIGEST = re.compile(r"[0-9a-f]{64}")
SPAN = re.compile(r"([0-9]{1,12})(?:-([0-9]{1,12}))?")
BLOCK_BYTES_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the image that follow each other."""

    first: int
    size: int
    sha256: str | None  # None: nobody said it


@dataclass(frozen=True, slots=True)
class BlockMap:
    """The pieces in their order, and how large the image is, holes included."""

    image_bytes: int
    pieces: tuple[Piece, ...]

    @property
    def mapped_bytes(self) -> int:
        """What is written."""
        return sum(each.size for each in self.pieces)

    @property
    def holes(self) -> tuple[Piece, ...]:
        """What lies between the pieces: zeros in the image."""
        ends = [0, *(each.first + each.size for each in self.pieces)]
        starts = [*(each.first for each in self.pieces), self.image_bytes]
        between = zip(ends, starts, strict=True)
        return tuple(Piece(at, to - at, None) for at, to in between if to > at)


def whole(image_bytes: int) -> BlockMap:
    """An image that has no map is one piece."""
    return BlockMap(image_bytes, (Piece(0, image_bytes, None),))


def read_block_map(data: bytes) -> BlockMap:
    """The map; ConfigError if it is none, UntrustedError if it was changed."""
    if b"<!" in data.replace(b"<!--", b""):  # an entity may grow without end
        raise ConfigError("is not a .bmap: it declares entities")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314
        size, block = (int(_text(root, each)) for each in ("ImageSize", "BlockSize"))
        _require_unchanged(data, _text(root, "BmapFileChecksum"))
        rows = root.findall("BlockMap/Range")
        if _text(root, "ChecksumType") != "sha256" or not 0 < block <= BLOCK_BYTES_MOST:
            raise ConfigError("is not a .bmap of SHA-256 and blocks up to 1 MiB")
        pieces = tuple(_piece(each, block, size) for each in rows)
    except (ElementTree.ParseError, ValueError, AttributeError) as error:
        raise ConfigError(f"is not a .bmap: {error}") from None
    if not pieces or any(b.first < a.first + a.size for a, b in pairwise(pieces)):
        raise ConfigError("is not a .bmap: its ranges are not in order")
    return BlockMap(size, pieces)


def _piece(row: ElementTree.Element, block: int, image_bytes: int) -> Piece:
    found = SPAN.fullmatch((row.text or "").strip())
    digest = row.get("chksum", "")
    if found is None or not DIGEST.fullmatch(digest):
        raise ConfigError(f"is not a .bmap: a range {row.text!r}")
    first, last = int(found[1]), int(found[2] or found[1])
    ends = min((last + 1) * block, image_bytes)
    if not first * block < ends:
        raise ConfigError(f"is not a .bmap: the range {found[0]} is outside the image")
    return Piece(first * block, ends - first * block, digest)


def _require_unchanged(data: bytes, digest: str) -> None:
    """The map's own hash is that of the map with zeros in place of the hash."""
    without = data.replace(digest.encode(), b"0" * len(digest))
    if hashlib.sha256(without).hexdigest() != digest:
        raise UntrustedError("was changed: its own checksum does not match")


def _text(root: ElementTree.Element, name: str) -> str:
    found = root.find(name)
    if found is None or found.text is None:
        raise ConfigError(f"is not a .bmap: it has no {name}")
    return found.text.strip()

"""The EEPROM by which a Pi knows the board at its start (HAT+): made, and read again.

    "R-Pi" │ version 2, 0, atoms, length │ atoms: type, number, length, data, CRC-16

Source: Raspberry Pi's HAT+ specification and eeptools' format, from memory; hold the
image to ``eepdump`` before the first board is written. An overlay is named, not held.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from interlock.errors import BoardError
from interlock.tree.overlay import NAME

SIGNATURE, VERSION = b"R-Pi", 2
VENDOR_ATOM, TREE_ATOM = 1, 3
HEAD = struct.Struct("<4sBBHI")
ATOM = struct.Struct("<HHI")  # its length counts the CRC
VENDOR = struct.Struct("<16sHHBB")
CRC_BYTES = 2
MOST = 4096  # bytes of a 24LC32


@dataclass(frozen=True, slots=True)
class Identity:
    """What the EEPROM says."""

    uuid: UUID
    product: int
    version: int
    vendor: str
    name: str
    overlay: str


OURS = Identity(
    UUID("6f1f4d0e-5e2b-4c53-9d0a-d00251110001"), 1, 1, "doorsill", "interlock", NAME
)


def text(says: Identity = OURS) -> str:
    """The settings for ``eepmake``, for a person who has it."""
    return (
        f"# {says.overlay}: eepmake eeprom.txt interlock.eep\n"
        f"product_uuid {says.uuid}\n"
        f"product_id 0x{says.product:04x}\n"
        f"product_ver 0x{says.version:04x}\n"
        f'vendor "{says.vendor}"\n'
        f'product "{says.name}"\n'
        f'dt_blob "{says.overlay}"\n'
    )


def build(says: Identity = OURS) -> bytes:
    """The image; raises BoardError where it does not fit."""
    vendor, name = says.vendor.encode(), says.name.encode()
    # The UUID stands in it from its last byte to its first.
    head = VENDOR.pack(
        says.uuid.bytes[::-1], says.product, says.version, len(vendor), len(name)
    )
    atoms = [
        _atom(VENDOR_ATOM, 0, head + vendor + name),
        _atom(TREE_ATOM, 1, says.overlay.encode()),
    ]
    size = HEAD.size + sum(map(len, atoms))
    if size > MOST:
        raise BoardError(f"the EEPROM's image has {size} bytes, the chip {MOST}")
    return HEAD.pack(SIGNATURE, VERSION, 0, len(atoms), size) + b"".join(atoms)


def dump(image: bytes) -> Identity:
    """What an image says; raises BoardError where it is damaged."""
    if len(image) < HEAD.size:
        raise BoardError("the EEPROM's image is cut short")
    signature, version, _, count, size = HEAD.unpack_from(image)
    if (signature, version) != (SIGNATURE, VERSION) or size != len(image):
        raise BoardError("this is no image of a HAT+ EEPROM")
    atoms = dict(_atoms(image))
    if len(atoms) != count or not {VENDOR_ATOM, TREE_ATOM} <= atoms.keys():
        raise BoardError("the EEPROM's image lacks an atom")
    uuid, product, number, *lengths = VENDOR.unpack_from(atoms[VENDOR_ATOM])
    words = atoms[VENDOR_ATOM][VENDOR.size :].decode()
    vendor, name = words[: lengths[0]], words[lengths[0] : sum(lengths)]
    overlay = atoms[TREE_ATOM].decode()
    return Identity(UUID(bytes=uuid[::-1]), product, number, vendor, name, overlay)


def _atom(kind: int, number: int, data: bytes) -> bytes:
    body = ATOM.pack(kind, number, len(data) + CRC_BYTES) + data
    return body + struct.pack("<H", crc16(body))


def _atoms(image: bytes) -> Iterator[tuple[int, bytes]]:
    at = HEAD.size
    while at + ATOM.size <= len(image):
        kind, _, length = ATOM.unpack_from(image, at)
        end = at + ATOM.size + length
        if length < CRC_BYTES or end > len(image):
            raise BoardError("the EEPROM's image is cut short")
        body, check = image[at : end - CRC_BYTES], image[end - CRC_BYTES : end]
        if struct.pack("<H", crc16(body)) != check:
            raise BoardError(f"atom {kind} of the EEPROM's image is damaged")
        yield kind, body[ATOM.size :]
        at = end


def crc16(data: bytes) -> int:
    """CRC-16/ARC, as the HAT specification wants it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc

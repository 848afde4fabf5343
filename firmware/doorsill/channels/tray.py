"""Where the vault lays out its newest certificates, and the uplink takes copies.

A file of a fixed number of records, each of a fixed length. The vault alone writes it,
and opens it before it confines itself; the uplink only reads, and answers nothing. A
record is the SHA-256 of the rest, a length, and a message of the wire, filled up with
zeros. A record that is being written counts as none and is read again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from doorsill.errors import ConfigError

PLACES = 256  # certificates that lie here; the newest replaces the oldest
MESSAGE_MOST = 4096  # bytes of one message
_HASH, _LENGTH = 32, 2  # bytes at the start of a record
RECORD = _HASH + _LENGTH + MESSAGE_MOST


class Tray:
    """The vault's end."""

    def __init__(self, path: Path) -> None:
        """An empty tray. Raises ConfigError if ``path`` cannot be written."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_TRUNC
        try:
            self._handle = os.open(path, flags, 0o640)
            os.fchmod(self._handle, 0o640)  # independent of the umask
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from None

    def put(self, number: int, message: bytes) -> None:
        """Lay out ``message`` as certificate ``number``; OSError if the disk fails.

        Raises ValueError for a message that is too long.
        """
        if len(message) > MESSAGE_MOST:
            raise ValueError(f"{len(message)} bytes are over {MESSAGE_MOST}")
        rest = len(message).to_bytes(_LENGTH, "big") + message.ljust(
            MESSAGE_MOST, b"\0"
        )
        record = hashlib.sha256(rest).digest() + rest
        os.pwrite(self._handle, record, number % PLACES * RECORD)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def read_tray(path: Path) -> list[bytes]:
    """The messages in the tray, in no order; none if there is no tray.

    However much the file holds, at most PLACES messages of MESSAGE_MOST bytes come.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        records = [os.pread(handle, RECORD, place * RECORD) for place in range(PLACES)]
    except OSError:
        return []
    finally:
        os.close(handle)
    found = (_message_in(record) for record in records)
    return [message for message in found if message is not None]


def _message_in(record: bytes) -> bytes | None:
    rest = record[_HASH:]
    if len(record) != RECORD or hashlib.sha256(rest).digest() != record[:_HASH]:
        return None
    length = int.from_bytes(rest[:_LENGTH], "big")
    return rest[_LENGTH : _LENGTH + length] if length <= MESSAGE_MOST else None

"""How one process of ours listens for another: a socket file, never a network.

vision: cells.sock for the uplink, faces.sock for the vault    vault: vault.sock
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import struct
from pathlib import Path

from doorsill.errors import ConfigError

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7)


def listen_at(path: Path, mode: int, backlog: int) -> socket.socket:
    """A listening AF_UNIX, SOCK_SEQPACKET socket at ``path`` that never blocks.

    A file that an earlier process left there is replaced. ``mode`` is the file's
    permissions, ``backlog`` how many connections may wait. Raises ConfigError if it
    cannot listen.
    """
    found = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        path.unlink(missing_ok=True)
        found.bind(str(path))
        path.chmod(mode)
        found.listen(backlog)
    except OSError as error:
        found.close()
        raise ConfigError(f"cannot listen on {path}: {error.strerror}") from None
    found.setblocking(False)
    return found


def user_of(peer: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it."""
    size = _CREDENTIALS.size
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(_CREDENTIALS.unpack(raw)[1])


def users_of(name: str) -> frozenset[int]:
    """User ids that may run the process ``name``: its own user, root, and ourselves.

    On a camera each process has a user of its own; on a laptop all of them are ours.
    """
    users = {0, os.geteuid()}
    with contextlib.suppress(KeyError):
        users.add(pwd.getpwnam(name).pw_uid)
    return frozenset(users)

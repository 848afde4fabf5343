"""What pcscd's and libpcsclite's codes mean: a reason and a sentence."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress

from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError
from doorsill.errors import ConfigError

try:
    from smartcard import scard as scard  # for pcsc.py as well
except ImportError:
    raise ConfigError(
        "cards need pyscard: apt install swig libpcsclite-dev gcc python3-dev, "
        "then pip install 'doorsill[pi]'"
    ) from None

SOCKET_NAME = "PCSCLITE_CSOCK_NAME"  # variable that names another socket
SOCKET = "/run/pcscd/pcscd.comm"  # of pcscd, where nothing names another
LISTENS_S = 1.0  # a connection to it takes this long at most

REASONS = {
    scard.SCARD_W_REMOVED_CARD: Reason.REMOVED,
    scard.SCARD_E_NO_SMARTCARD: Reason.REMOVED,
    scard.SCARD_E_READER_UNAVAILABLE: Reason.READER_GONE,
    scard.SCARD_E_UNKNOWN_READER: Reason.READER_GONE,
    scard.SCARD_E_NO_READERS_AVAILABLE: Reason.READER_GONE,
    scard.SCARD_E_NO_SERVICE: Reason.DAEMON_GONE,
    scard.SCARD_E_SERVICE_STOPPED: Reason.DAEMON_GONE,
    scard.SCARD_F_COMM_ERROR: Reason.DAEMON_GONE,
    scard.SCARD_E_INVALID_HANDLE: Reason.DAEMON_GONE,
    scard.SCARD_W_SECURITY_VIOLATION: Reason.DAEMON_GONE,
    scard.SCARD_E_TIMEOUT: Reason.DAEMON_GONE,
}
HUNG_UP = (
    scard.SCARD_W_SECURITY_VIOLATION,
    scard.SCARD_E_NO_SERVICE,
    scard.SCARD_E_SERVICE_STOPPED,
    scard.SCARD_F_COMM_ERROR,
)


def words(code: int) -> str:
    """What a person can do about a pcscd that answers with ``code``.

    It hangs up where polkit refuses us, and where it dies; the code that libpcsclite
    gives then depends on timing.
    """
    if code not in HUNG_UP:
        said = scard.SCardGetErrorMessage(code).rstrip(".")
        return f"pcscd cannot be reached: {said}"
    if _listens():
        return (
            f"pcscd hangs up on the user {_user()}: polkit refuses it (install "
            "firmware/systemd/50-doorsill-pcsc.rules), or pcscd dies (journalctl "
            "-u pcscd)"
        )
    return "pcscd does not run: apt install pcscd, then systemctl start pcscd.socket"


def _listens() -> bool:
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.settimeout(LISTENS_S)
        line.connect(os.environ.get(SOCKET_NAME, SOCKET))
        return True
    return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "of this process"


def require(code: int) -> None:
    """Raise TokenError unless ``code`` is success."""
    if code == scard.SCARD_S_SUCCESS:
        return
    reason = REASONS.get(code, Reason.CARD_ERROR)
    if code in HUNG_UP:
        raise TokenError(reason, words(code))
    said = scard.SCardGetErrorMessage(code).rstrip(".")
    raise TokenError(reason, f"the card cannot be reached: {said}")

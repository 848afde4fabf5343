"""A private pcscd with two virtual readers, for the demo and the tests.

The card stack is the real one: pcscd, its protocol, libpcsclite. Only the reader is
software (vpcd, from Debian's vsmartcard-vpcd): a card is a TCP connection to it. The
daemon listens on a socket of our own, so it disturbs no other pcscd and needs no root.
Never used on a camera in a shop: vpcd's two ports are open on every interface, so a
stranger could put in a card (which is refused, as any other) or keep the reader busy.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import NoReturn

from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import ConfigError

ENVIRONMENT = "PCSCLITE_CSOCK_NAME"  # where libpcsclite looks for its pcscd
DRIVER = "serial/libifdvpcd.so"  # vpcd, in one of these folders
DRIVER_FOLDERS = ("/usr/lib/pcsc/drivers", "/usr/local/lib/pcsc/drivers")
PORTS = range(10_000, 32_000)  # below those that the kernel gives to connections
START_S = 10.0  # its readers listen within this time, and it takes or refuses us
END_S = 5.0  # it ends within this time, or is killed
HELP_S = 5.0  # its --help takes this long at most
POLL_S = 1.0  # a card waits this long for a command, then again
RUN = Path("/run/pcscd")  # pcscd keeps its process id here, and needs the folder
# pcscd takes its socket from the process that starts it, as file 3 (sd_listen_fds), and
# ends with that process.
EXEC = "LISTEN_PID=$$ LISTEN_FDS=1 exec setpriv --pdeathsig TERM "
# A pcscd that knows this asks polkit about each client; without polkit it refuses all.
WITHOUT_POLKIT = "--disable-polkit"
# What libpcsclite says first: a header (size, command 17 "version"), then the version
# that it speaks (major, minor) and room for a result. A pcscd that refuses us hangs up.
HELLO = struct.Struct("=IIiiI")
HELLO_WORDS = (12, 17, 4, 4, 0)
HELLO_ANSWER_BYTES = 12


class PrivatePcscd:
    """Our own pcscd in ``folder``, whose path must be short: it holds a socket."""

    def __init__(self, folder: Path, library: Path | None = None) -> None:
        """``library`` is a driver around that of vpcd; None: that of vpcd itself."""
        self._folder = folder
        self._library = library
        self.socket = folder / "pcscd.comm"
        self.port = _free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrivatePcscd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The daemon's process id; raises ConfigError while it is not running."""
        if self._process is None:
            raise ConfigError("the private pcscd is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until its readers listen; raises ConfigError."""
        program = shutil.which("pcscd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if program is None:
            raise ConfigError("pcscd is not installed: apt install pcscd")
        folder = self._folder / "readers"
        folder.mkdir(exist_ok=True)
        (folder / "virtual").write_text(self._reader(), encoding="ascii")
        self.socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket))
            listener.listen(16)
            options = ["--foreground", "--config", str(folder), *_more(program)]
            command = _command([program, *options])
            with (self._folder / "pcscd.log").open("wb") as log:
                self._process = _spawn(command, listener.fileno(), log.fileno())
        self._wait()

    def rescan(self) -> None:
        """Make it check its readers: one whose driver says that it is gone is removed.

        This is what udev makes pcscd do when a USB reader is plugged in or out.
        """
        os.kill(self.pid, signal.SIGUSR1)

    def kill(self) -> None:
        """kill -9: for its clients this is a crash."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # then init waits
                self._process.wait(END_S)
            self._process = None

    def stop(self) -> None:
        """End it; nothing is left running."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def _reader(self) -> str:
        library = self._library or vpcd()
        return (
            f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{self.port}\n'
            f"LIBPATH {library}\nCHANNELID {self.port}\n"
        )

    def _wait(self) -> None:
        process, ends = self._process, time.monotonic() + START_S
        while process is not None and process.poll() is None:
            if _listens(self.port) and _listens(self.port + 1):
                if not _takes_clients(self.socket):
                    self._give_up("refuses its clients")
                return
            if time.monotonic() > ends:
                break
            time.sleep(0.01)
        self._give_up(f"did not start within {START_S:g} s")

    def _give_up(self, what: str) -> NoReturn:
        log = (self._folder / "pcscd.log").read_text(errors="replace").strip()
        self.kill()
        raise ConfigError(f"the private pcscd {what}: {log[-300:] or 'no word'}")


class VirtualSlot:
    """One virtual reader: cards go in and out as a hand would do it."""

    def __init__(self, daemon: PrivatePcscd, slot: int = 0) -> None:
        self._port = daemon.port + slot
        self._line: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def insert(self, card: VirtualCard) -> None:
        """Put ``card`` in; pcscd sees it at its next poll, within 0.4 s."""
        self.remove()
        self._line = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        self._thread = threading.Thread(
            target=_serve, args=(self._line, card), daemon=True
        )
        self._thread.start()

    def remove(self) -> None:
        """Pull the card that is in, if there is one."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            if self._thread is not None and self._thread is not (
                threading.current_thread()
            ):
                self._thread.join(5)
            self._line = None


def vpcd() -> Path:
    """The virtual reader's driver; raises ConfigError where it is not installed."""
    for folder in DRIVER_FOLDERS:
        if (found := Path(folder, DRIVER)).exists():
            return found
    raise ConfigError(
        "the virtual reader is not installed: apt install vsmartcard-vpcd"
    )


def _serve(line: socket.socket, card: VirtualCard) -> None:
    """vpcd's protocol: two bytes of length, then a command; one byte is a control."""
    line.settimeout(POLL_S)
    with line, contextlib.suppress(OSError, EOFError):
        while True:
            message = _exactly(line, int.from_bytes(_exactly(line, 2), "big"))
            if len(message) != 1:
                answer = card.transmit(message)
                if answer is None:
                    return
            elif message[0] == 4:
                answer = card.atr
            else:
                card.power_on()  # 0 off, 1 on, 2 reset
                continue
            line.sendall(len(answer).to_bytes(2, "big") + answer)


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        with contextlib.suppress(TimeoutError):  # vpcd sends no command: wait on
            piece = line.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
    return data


def _command(daemon: list[str]) -> str:
    """pcscd needs RUN; a user who cannot make it gets a /run that only pcscd sees."""
    words = " ".join(f"'{word}'" for word in daemon)
    if RUN.is_dir() or os.geteuid() == 0:
        return EXEC + words
    inner = f"mount -t tmpfs none /run && exec {words}"
    return f'{EXEC} unshare --user --map-root-user --mount sh -c "{inner}"'


def _spawn(command: str, listener: int, log: int) -> subprocess.Popen[bytes]:
    # bash, as sh cannot name a file above 9.
    moved = f"exec 3<&{listener}; {command}" if listener != 3 else command
    return subprocess.Popen(
        ["bash", "-c", moved],
        pass_fds=(listener,),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


@functools.cache
def _more(program: str) -> list[str]:
    """The options that this pcscd needs besides, so that it takes its clients."""
    try:
        help_text = subprocess.run(
            [program, "--help"], capture_output=True, timeout=HELP_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{program} --help gave no answer: {error}") from None
    return [WITHOUT_POLKIT] if WITHOUT_POLKIT.encode() in help_text else []


def _takes_clients(path: Path) -> bool:
    """Whether the pcscd that listens there answers a client's first word."""
    with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
        line.settimeout(START_S)
        line.connect(str(path))
        line.sendall(HELLO.pack(*HELLO_WORDS))
        return len(line.recv(HELLO_ANSWER_BYTES)) == HELLO_ANSWER_BYTES
    return False


def _free_ports() -> int:
    """The first of two neighbouring ports that are free now.

    The kernel gives none of these to a connection, which could have it before we do.
    """
    for _ in range(50):
        port = PORTS.start + secrets.randbelow(len(PORTS))
        taken = contextlib.suppress(OSError)
        with taken, socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise ConfigError("no two neighbouring TCP ports are free on 127.0.0.1")


def _listens(port: int) -> bool:
    """Whether a socket listens there; a connection would already be a card."""
    wanted = f"{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text(encoding="ascii")

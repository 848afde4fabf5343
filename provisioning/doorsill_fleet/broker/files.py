"""Put the files that an office made for a broker where Debian's mosquitto reads them.

    stores/broker/ ─► /etc/mosquitto/doorsill/ and /etc/mosquitto/conf.d/doorsill.conf

mosquitto gives up root before it reads certificates, so the files are its user's.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from doorsill.documents.durable import FOR_ALL, OWNER_ALONE, put
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError

USER = "mosquitto"
FOLDER, CONF = (
    Path("etc/mosquitto/doorsill"),
    Path("etc/mosquitto/conf.d/doorsill.conf"),
)
FILES = ("ca.pem", "broker.pem", "broker.key", "access")
# Of a chain: an office that admits by hand has no list, and not each has a bridge.
REVOKED = "revoked.pem"
MORE = (REVOKED, "bridge.pem", "bridge.key")
LOADED_AGAIN = {"access"}  # files that mosquitto reads again without a restart
SYSTEMCTL_S = 60.0  # limit for one call of systemctl


def furnish(folder: Path, root: Path = Path("/")) -> Iterator[str]:
    """Copy what is new, as root; say what was done, and restart mosquitto for it.

    ``root`` other than / is laid out and nothing is started there.
    """
    wanted = {root / FOLDER / name: read_file(folder / name) for name in FILES}
    there = [name for name in MORE if (folder / name).exists()]
    wanted |= {root / FOLDER / name: read_file(folder / name) for name in there}
    wanted[root / CONF] = read_file(folder / "doorsill.conf")
    yield from _furnish(wanted, root, restarts=False)


def furnish_list(folder: Path, root: Path = Path("/")) -> Iterator[str]:
    """As :func:`furnish`, the list of revoked certificates alone; always a restart.

    The folder may be older than what was installed since: an access list of then would
    shut out the cameras of today.
    """
    wanted = {root / FOLDER / REVOKED: read_file(folder / REVOKED)}
    yield from _furnish(wanted, root, restarts=True)


def _furnish(
    wanted: Mapping[Path, bytes], root: Path, *, restarts: bool
) -> Iterator[str]:
    owner = _owner()
    changed = {path for path, data in wanted.items() if not _is(path, data)}
    if not (root / CONF).parent.is_dir():
        raise ConfigError(f"{(root / CONF).parent} is not there: apt install mosquitto")
    (root / FOLDER).mkdir(mode=0o700, exist_ok=True)
    os.chown(root / FOLDER, *owner)
    for path in sorted(changed):
        put(path, wanted[path], FOR_ALL if path == root / CONF else OWNER_ALONE)
        os.chown(path, *((0, 0) if path == root / CONF else owner))
        yield f"wrote {path}"
    if root == Path("/") and (changed or restarts):
        names = {path.name for path in changed}
        yield _systemctl("restart" if restarts else verb(names))
    elif not changed:
        yield "the broker has all of it already"


def verb(changed: set[str]) -> str:
    """What systemctl has to do after the files of these names changed."""
    return "reload" if changed <= LOADED_AGAIN else "restart"


def _owner() -> tuple[int, int]:
    if os.geteuid() != 0:
        raise ConfigError("the broker's files are mosquitto's; run as root")
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        raise ConfigError(f"there is no user {USER}: apt install mosquitto") from None
    return found.pw_uid, found.pw_gid


def _is(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _systemctl(word: str) -> str:
    command = ["systemctl", word, "mosquitto.service"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SYSTEMCTL_S
    )
    if done.returncode:
        raise ConfigError(
            f"{' '.join(command)}: {done.stderr.strip() or 'failed'}; "
            "see journalctl -u mosquitto"
        )
    return f"mosquitto: {word}ed"

"""Which device files of this machine are FIDO2 keys, and which we may open."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from doorsill.errors import ConfigError

try:
    from fido2.ctap import CtapDevice
    from fido2.hid import open_device
    from fido2.hid.base import parse_report_descriptor
    from fido2.hid.linux import get_descriptor
except ImportError:
    raise ConfigError("FIDO2 keys need fido2: pip install 'doorsill[pi]'") from None

log = logging.getLogger(__name__)

HID = Path("/sys/class/hidraw")  # a folder for each HID device
Finder = Callable[[], Mapping[str, Callable[[], CtapDevice]]]


class Ports:
    """Which device files are FIDO2 keys. Only what cannot change is remembered.

    A key that was just plugged in belongs to root until udev has changed that. It is
    tried again until it is ours, and reported while it is not.
    """

    def __init__(self, dev: Path = Path("/dev"), hid: Path = HID) -> None:
        """``hid`` is where every user can read what a device says about itself."""
        self._dev, self._hid = dev, hid
        self._known: dict[str, bool] = {}
        self.refused: frozenset[str] = frozenset()  # keys that this user may not open

    def find(self) -> Mapping[str, Callable[[], CtapDevice]]:
        """The FIDO2 keys that are plugged in, by device file."""
        names = sorted(str(path) for path in self._dev.glob("hidraw*"))
        self._known = {n: self._known[n] for n in names if n in self._known}
        refused = frozenset(n for n in names if n not in self._known and self._ask(n))
        for name in sorted(refused - self.refused):
            log.warning("%s", refusal_of(name))
        self.refused = refused
        return {n: partial(open_device, n) for n in names if self._known.get(n)}

    def _ask(self, name: str) -> bool:
        """Whether it is a key that we may not open; remembers what cannot change."""
        try:
            get_descriptor(name)
        except PermissionError:
            return self._says_key(name)
        except OSError:
            return False  # being plugged in or out
        except ValueError:
            self._known[name] = False  # a mouse, for example
            return False
        self._known[name] = True
        return False

    def _says_key(self, name: str) -> bool:
        said = self._hid / Path(name).name / "device" / "report_descriptor"
        try:
            parse_report_descriptor(said.read_bytes())
        except (OSError, ValueError, IndexError, struct.error):
            return False
        return True


def refusal_of(name: str) -> str:
    """The sentence for a person whose FIDO2 key belongs to another user."""
    return (
        f"the FIDO2 key at {name} may not be opened by this user: put "
        "70-doorsill.rules into /etc/udev/rules.d and plug the key in again"
    )


_PORTS = Ports()  # of this machine


def plugged_in() -> Mapping[str, Callable[[], CtapDevice]]:
    """The FIDO2 keys of this machine by device file."""
    return _PORTS.find()


def keys_refused() -> tuple[str, ...]:
    """Device files of FIDO2 keys that this user may not open."""
    plugged_in()
    return tuple(sorted(_PORTS.refused))

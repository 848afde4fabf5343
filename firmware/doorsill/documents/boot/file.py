"""``doorsill.txt``: the one file by which a camera comes into service.

The office writes it on the boot partition of a card, a person may correct it on any
laptop, and the camera reads it. A line is ``key = value``; one that begins with ``#``
is a remark. A byte order mark, Windows line ends and tabs are no faults. Each problem
says its line, what is wrong and what to do, and shows no secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from doorsill.documents.boot import values
from doorsill.documents.boot.lines import Lines, quoted
from doorsill.documents.boot.values import Server
from doorsill.documents.boot.wiring import (
    ABOUT,
    KEYS,
    Wiring,
    read_wiring,
    wiring_rows,
)
from doorsill.documents.reading import BOM
from doorsill.documents.voucher import Voucher
from doorsill.errors import ConfigError

NAME = "doorsill.txt"
HEAD = """\
# How this camera comes into service. Correct it with any editor and save it as text.
# A line is KEY = VALUE; a line that begins with # is a remark. How far the camera is
# stands in doorsill-status.txt beside this file.

"""
ABOUT_NETWORK = """
# The network: a cable with DHCP, unless something else stands here.
"""
TIME = "time-server"
EXAMPLES = {
    "site": "site = porto-1",
    "server": "server = fleet.stores.example:8443",
    "voucher": "voucher = doorsill://HOST:PORT/SERIAL/CODE",
    "camera": "camera = picamera",
    "wifi": "wifi = NAME OF THE NETWORK",
    "wifi-password": "wifi-password = ITS PASSWORD",
    "wifi-country": "wifi-country = PT",
    "address": "address = 192.0.2.17/24",
    "gateway": "gateway = 192.0.2.1",
    "dns": "dns = 192.0.2.53",
    TIME: "time-server = 192.0.2.123",
    **KEYS,
}  # every key, with a line of it
WIFI = ("wifi", "wifi-password", "wifi-country")
STATIC = ("address", "gateway", "dns")
CAMERA = "picamera"  # the usual one
USED = b"# voucher: used"  # what stands where a voucher was
CUT = USED[:9]  # how each line begins in which one may have been cut in the middle


@dataclass(frozen=True, slots=True)
class Wifi:
    """A wireless network; without a password it is an open one."""

    name: str
    password: str = field(repr=False)
    country: str  # two letters: without it a radio stays off


@dataclass(frozen=True, slots=True)
class Static:
    """An address that no server gives."""

    address: str  # with the length of its network: 192.0.2.17/24
    gateway: str
    dns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """How the camera reaches the office; by cable and DHCP if nothing is said."""

    wifi: Wifi | None = None
    static: Static | None = None
    time_server: str = ""


@dataclass(frozen=True, slots=True)
class BootFile:
    """What the file says. Its voucher is gone once the camera has used it."""

    site: str
    voucher: Voucher | None
    server: Server | None = None  # where the fleet is, if not where the voucher says
    camera: str = CAMERA  # DRIVER[:SOURCE]
    network: Network = field(default_factory=Network)
    wiring: Wiring = field(default_factory=Wiring)

    @property
    def way(self) -> Voucher | None:
        """The voucher, with the address at which the fleet is to be asked."""
        if self.voucher is None or self.server is None:
            return self.voucher
        return replace(self.voucher, host=self.server.host, port=self.server.port)


def read_boot_file(data: bytes) -> BootFile:
    """The file; one ConfigError with every problem, each with its line."""
    given = Lines(data, EXAMPLES)
    file = BootFile(
        given.value("site", values.read_site, ""),
        given.value("voucher", values.read_the_voucher, None),
        given.value("server", values.read_server, None),
        given.value("camera", values.read_camera, CAMERA),
        _network(given),
        read_wiring(given),
    )
    given.require("site")
    given.end()
    return file


def read_network(data: bytes) -> Network:
    """The lines of the network alone, for many cards; errors as of the whole file."""
    given = Lines(data, {each: EXAMPLES[each] for each in (*WIFI, *STATIC, TIME)})
    found = _network(given)
    given.end()
    return found


def read_wired(data: bytes) -> Wiring:
    """The lines of what is wired alone, for many cards; errors as of the whole file."""
    given = Lines(data, KEYS)
    found = read_wiring(given)
    given.end()
    return found


def write_boot_file(file: BootFile) -> bytes:
    """The text that :func:`read_boot_file` reads as ``file``."""
    rows = [("site", file.site)]
    if file.server is not None:
        rows.append(("server", file.server.text()))
    if file.voucher is not None:
        rows.append(("voucher", file.voucher.text()))
    rows.append(("camera", file.camera))
    lines = [f"{key} = {quoted(value)}\n" for key, value in rows]
    network = (*WIFI, *STATIC, TIME)
    lines += [ABOUT_NETWORK, *_said(_network_rows(file.network), network)]
    lines += [ABOUT, *_said(wiring_rows(file.wiring), tuple(KEYS))]
    return (HEAD + "".join(lines)).encode()


def without_voucher(data: bytes) -> bytes:
    """``data`` with each line that may hold a voucher overwritten, of equal length.

    So a power cut in the middle of it leaves a remark, and never half a file. What such
    a cut has left is overwritten as well.
    """
    return b"\n".join(map(_overwritten, data.split(b"\n")))


def _overwritten(line: bytes) -> bytes:
    key = line.removeprefix(BOM).partition(b"=")[0].strip().lower()
    left = line.startswith(CUT) or b"doorsill://" in line
    if key != b"voucher" and not left:
        return line
    end = b"\r" if line.endswith(b"\r") else b""
    room = len(line) - len(end)
    return USED[:room].ljust(room) + end


def _said(rows: list[tuple[str, str]], keys: tuple[str, ...]) -> list[str]:
    """``rows`` as lines; a remark with an example for each of ``keys`` not there."""
    there = {key for key, _ in rows}
    lines = [f"{key} = {quoted(value)}\n" for key, value in rows]
    return lines + [f"# {EXAMPLES[each]}\n" for each in keys if each not in there]


def _network_rows(network: Network) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if (wifi := network.wifi) is not None:
        rows += zip(WIFI, (wifi.name, wifi.password, wifi.country), strict=True)
    if (static := network.static) is not None:
        said = (static.address, static.gateway, " ".join(static.dns))
        rows += zip(STATIC, said, strict=True)
    if network.time_server:
        rows.append((TIME, network.time_server))
    return rows


def _network(given: Lines) -> Network:
    time_server = given.value(TIME, values.read_time_server, "")
    return Network(_wifi(given), _static(given), time_server)


def _wifi(given: Lines) -> Wifi | None:
    found = Wifi(
        given.value("wifi", values.read_wifi_name, ""),
        given.value("wifi-password", values.read_wifi_password, ""),
        given.value("wifi-country", values.read_wifi_country, ""),
    )
    given.require_together(WIFI)
    return found if given.has("wifi") else None


def _static(given: Lines) -> Static | None:
    found = Static(
        given.value("address", values.read_interface, ""),
        given.value("gateway", values.read_gateway, ""),
        given.value("dns", values.read_dns, ()),
    )
    given.require_together(STATIC)
    if found.address and found.gateway:

        def reach(_: str) -> None:
            values.require_reachable(found.address, found.gateway)

        given.value("gateway", reach, None)
    return found if given.has("address") else None


def no_file(names: list[str]) -> ConfigError:
    """What to say where there is none, among files of these ``names``."""
    alike = [
        each for each in names if "doorsill" in each.lower() and "status" not in each
    ]
    if alike:
        return ConfigError(f"there is a file {alike[0]!a}; its name must be {NAME}")
    return ConfigError(
        f"there is no {NAME} beside this file; `doorsill-fleet flash` writes it, and "
        "the README shows what stands in it"
    )

"""The values of ``doorsill.txt``; a ConfigError says what is wrong and what to do."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from doorsill.documents.fields import DEVICE_ID, HOST, shown, split_place
from doorsill.documents.voucher import Voucher, read_voucher
from doorsill.errors import ConfigError

SSID_BYTES = 32  # IEEE 802.11
PASSWORD = re.compile(r"[ -~]{8,63}|[0-9A-Fa-f]{64}")  # WPA: a phrase, or its key
COUNTRY = re.compile(r"[A-Z]{2}")  # ISO 3166
CAMERA = re.compile(r"(picamera|street|video):?[!-~]{0,200}")
NAME_SERVERS_MOST = 3  # resolv.conf(5)
READER_MOST = 80  # characters of a card reader's name
CHIP = r"[A-Za-z0-9_./-]{1,64}"  # a GPIO chip's label or device file, a line's name
PIN = re.compile(rf"{CHIP}:[0-9]{{1,4}}")
MEMORY = re.compile(r"/dev/spidev[0-9]{1,3}\.[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the fleet is."""

    host: str
    port: int

    def text(self) -> str:
        """HOST:PORT."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_site(text: str) -> str:
    """The shop, as the office calls it."""
    if not DEVICE_ID.fullmatch(text):
        raise ConfigError(
            f"site = {shown(text)} must be 1 to 16 of a-z, 0-9 and -, as the office "
            "calls the shop"
        )
    return text


def read_server(text: str) -> Server:
    """HOST:PORT; an address of IPv6 in brackets."""
    found = split_place(text)
    if found is None or not re.fullmatch(HOST, found[0]):
        raise ConfigError(
            f"server = {shown(text)} must be HOST:PORT, as fleet.stores.example:8443"
        )
    return Server(*found)


def read_camera(text: str) -> str:
    """DRIVER[:SOURCE]."""
    if not CAMERA.fullmatch(text):
        raise ConfigError(
            f"camera = {shown(text)} must be picamera, or, for a webcam, "
            "video:/dev/video0"
        )
    return text


def read_the_voucher(text: str) -> Voucher:
    """The voucher; its code is never shown."""
    try:
        return read_voucher(text)
    except ConfigError as error:
        raise ConfigError(
            f"{error}; copy it from the label, or ask the office for another"
        ) from None


def read_wifi_name(text: str) -> str:
    """The name of a wireless network."""
    size = len(text.encode())
    if not 0 < size <= SSID_BYTES or not text.isprintable():
        raise ConfigError(
            f"wifi has {size} bytes; the name of a network has 1 to {SSID_BYTES}"
        )
    return text


def read_wifi_password(text: str) -> str:
    """Its password; empty for an open network. It is never shown."""
    if text and not PASSWORD.fullmatch(text):
        raise ConfigError(
            f"wifi-password has {len(text)} characters; a password of Wi-Fi has 8 to "
            "63 of the plain ones (or 64 digits of a key); leave it empty for an open "
            "network"
        )
    return text


def read_wifi_country(text: str) -> str:
    """The country, by whose rules the radio works."""
    if not COUNTRY.fullmatch(text.upper()):
        raise ConfigError(
            f"wifi-country = {shown(text)} must be two letters, as PT, DE or GB"
        )
    return text.upper()


def read_interface(text: str) -> str:
    """An address with the length of its network."""
    try:
        found = ipaddress.ip_interface(text if "/" in text else "")
    except ValueError:
        raise ConfigError(
            f"address = {shown(text)} must be an address and the length of its "
            "network, as 192.0.2.17/24 (255.255.255.0 is /24)"
        ) from None
    net = found.network
    if net.num_addresses > 2 and found.ip in (net[0], net[-1]) and net.version == 4:
        raise ConfigError(
            f"address = {text} is the network itself; ask for a camera's own address"
        )
    return str(found)


def read_address(key: str, text: str) -> str:
    """An address of IPv4 or IPv6."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigError(
            f"{key} = {shown(text)} must be an address, as 192.0.2.1"
        ) from None


def read_gateway(text: str) -> str:
    """The way out of the network."""
    return read_address("gateway", text)


def read_dns(text: str) -> tuple[str, ...]:
    """Up to three name servers, with blanks or commas between them."""
    found = tuple(read_address("dns", each) for each in text.replace(",", " ").split())
    if not 0 < len(found) <= NAME_SERVERS_MOST:
        raise ConfigError(
            f"dns has {len(found)} addresses; 1 to {NAME_SERVERS_MOST} are needed"
        )
    return found


def read_time_server(text: str) -> str:
    """A name or an address."""
    if not re.fullmatch(HOST, text):
        raise ConfigError(f"time-server = {shown(text)} must be a name or an address")
    return text


def read_reader(text: str) -> str:
    """A part of a card reader's name."""
    if not 0 < len(text) <= READER_MOST or not text.isprintable():
        raise ConfigError(
            f"reader = {shown(text)} must be a part of the card reader's name, as it "
            "is printed on it, of at most 80 characters"
        )
    return text


def read_pin(key: str, text: str) -> str:
    """CHIP:LINE."""
    if not PIN.fullmatch(text):
        raise ConfigError(
            f"{key} = {shown(text)} must be CHIP:LINE, as pinctrl-rp1:27 on a Pi 5 and "
            "pinctrl-bcm2711:27 on a Pi 4, for GPIO 27"
        )
    return text


def read_status_lamp(text: str) -> str:
    """The name of a line, or CHIP:LINE."""
    if not re.fullmatch(CHIP, text) and not PIN.fullmatch(text):
        raise ConfigError(
            f"status-lamp = {shown(text)} must be the name of a line, as GPIO24, or "
            "CHIP:LINE"
        )
    return text


def read_memory(text: str) -> str:
    """The device file of a memory at an SPI bus."""
    if not MEMORY.fullmatch(text):
        raise ConfigError(
            f"memory = {shown(text)} must be the interlock's, as /dev/spidev0.0"
        )
    return text


def require_reachable(address: str, gateway: str) -> None:
    """ConfigError unless the gateway is in the network of the address."""
    net = ipaddress.ip_interface(address).network
    if ipaddress.ip_address(gateway) not in net:
        raise ConfigError(f"gateway = {gateway} is not in the network of {address}")

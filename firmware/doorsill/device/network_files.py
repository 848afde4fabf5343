"""The network that a person named, as files of systemd-networkd and wpa_supplicant.

A cable whose address comes by DHCP needs none: the system itself has that. They are
made again at each start, below /run: the root of a camera is read-only.
"""

from __future__ import annotations

from pathlib import Path

from doorsill.documents.boot.file import Network, Wifi

LINK = Path("run/systemd/network/10-doorsill.network")  # systemd.network(5)
WIFI = Path("run/doorsill-wifi/wpa_supplicant.conf")  # wpa_supplicant.conf(5)
# Of two files of one name systemd reads the one below /etc, so no name here is one of
# the image's own.
CLOCK = Path("run/systemd/timesyncd.conf.d/boot-file.conf")  # timesyncd.conf(5)
# A shop's router is to know the camera again, whose own id is made at each boot.
SAME = ("ClientIdentifier=mac", "UseHostname=no", "SendHostname=no")
QUIET = ("LLMNR=no", "MulticastDNS=no")  # nothing is said to the neighbours
RAW_KEY_DIGITS = 64  # of a key of WPA, where no phrase is given
FILES = (LINK, WIFI, CLOCK)


def network_files(network: Network) -> dict[Path, str]:
    """Each of FILES, below the root, with its text; empty where none is needed."""
    wifi, server = network.wifi, network.time_server
    return {
        LINK: _link(network) if wifi is not None or network.static else "",
        WIFI: "" if wifi is None else _supplicant(wifi),
        CLOCK: f"[Time]\nNTP={server}\n" if server else "",
    }


def _link(network: Network) -> str:
    """With Wi-Fi the cable still works: whichever is there."""
    lines = ["[Match]", "Type=ether wlan", "Kind=!*", "", "[Network]", *QUIET]
    if (static := network.static) is None:
        lines += ["DHCP=yes", "", "[DHCPv4]", *SAME]
    else:
        lines += [f"Address={static.address}", f"Gateway={static.gateway}"]
        lines += [f"DNS={each}" for each in static.dns]
        if network.wifi is not None:  # an address is of one interface
            lines[1] = "Type=wlan"
    return "\n".join(lines) + "\n"


def _supplicant(wifi: Wifi) -> str:
    """The name in hexadecimal: it may hold a quote, which would end it."""
    name = wifi.name.encode().hex()
    if not wifi.password:
        key = "key_mgmt=NONE"
    elif len(wifi.password) == RAW_KEY_DIGITS:
        key = f"psk={wifi.password}\n\tkey_mgmt=WPA-PSK WPA-PSK-SHA256\n\tieee80211w=1"
    else:
        key = (
            f'psk="{wifi.password}"\n'
            "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1"
        )
    block = f"ssid={name}\n\tscan_ssid=1\n\t{key}"
    return f"country={wifi.country}\nnetwork={{\n\t{block}\n}}\n"

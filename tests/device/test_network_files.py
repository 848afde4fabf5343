"""What a person said of the network, as the system's own programs read it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.device.network_files import CLOCK, FILES, LINK, WIFI, network_files
from doorsill.documents.boot.file import Network, Static, Wifi

STATIC = Static("192.0.2.17/24", "192.0.2.1", ("192.0.2.53", "192.0.2.54"))
SHOP = Wifi('Café "5 GHz"', 'pass"word=1', "PT")


def link(network: Network) -> str:
    return network_files(network)[LINK]


def test_a_cable_needs_no_word() -> None:
    found = network_files(Network())
    assert found == dict.fromkeys(FILES, "")


def test_a_radio_asks_for_its_address_and_the_cable_still_works() -> None:
    text = link(Network(SHOP))
    assert "Type=ether wlan\n" in text and "DHCP=yes\n" in text


def test_a_fixed_address_is_asked_of_nobody() -> None:
    text = link(Network(static=STATIC))
    assert "DHCP=" not in text
    for line in ("Address=192.0.2.17/24", "Gateway=192.0.2.1", "DNS=192.0.2.54"):
        assert f"\n{line}\n" in text


def test_a_fixed_address_is_the_radio_s_where_there_is_one() -> None:
    assert "Type=wlan\n" in link(Network(SHOP, STATIC))
    assert "Type=ether wlan\n" in link(Network(SHOP))


def test_a_section_is_known_to_systemd() -> None:
    parser = configparser.ConfigParser(strict=False)
    parser.read_string(link(Network(static=STATIC)))
    assert parser.sections() == ["Match", "Network"]


def test_a_name_with_quotes_ends_nothing() -> None:
    text = network_files(Network(SHOP))[WIFI]
    assert f"ssid={SHOP.name.encode().hex()}\n" in text
    assert 'psk="pass"word=1"\n' in text  # up to the last quote: wpa_supplicant.conf(5)
    assert text.startswith("country=PT\n")
    assert "SAE" in text


@pytest.mark.parametrize(
    ("password", "wanted", "not_there"),
    [
        pytest.param("", "key_mgmt=NONE", "psk=", id="open"),
        pytest.param("ab" * 32, f"psk={'ab' * 32}\n", "SAE", id="the key itself"),
    ],
)
def test_a_network_without_a_phrase(password: str, wanted: str, not_there: str) -> None:
    text = network_files(Network(Wifi("Shop", password, "PT")))[WIFI]
    assert wanted in text and not_there not in text


@pytest.mark.skipif(not shutil.which("wpa_supplicant"), reason="no wpa_supplicant")
@pytest.mark.parametrize("wifi", [SHOP, Wifi("a", "", "DE"), Wifi("a", "0" * 64, "DE")])
def test_wpa_supplicant_reads_it(tmp_path: Path, wifi: Wifi) -> None:
    path = tmp_path / "wpa.conf"
    path.write_text(network_files(Network(wifi))[WIFI])
    done = subprocess.run(
        ["wpa_supplicant", "-d", "-i", "no-such-radio", "-D", "wired", "-c", str(path)],
        capture_output=True, text=True, check=False, timeout=PROGRAM_S,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "Priority group 0" in said and "Line " not in said, said


def test_the_shop_s_own_time_is_asked_first() -> None:
    assert network_files(Network(time_server="192.0.2.9"))[CLOCK] == (
        "[Time]\nNTP=192.0.2.9\n"
    )

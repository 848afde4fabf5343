"""doorsill.txt: what a person does to it, and what the camera says then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doorsill.documents.boot.file import (
    NAME,
    BootFile,
    Network,
    Static,
    Wifi,
    no_file,
    read_boot_file,
    read_wired,
    without_voucher,
    write_boot_file,
)
from doorsill.documents.boot.values import Server
from doorsill.documents.boot.wiring import KEYS, Wiring
from doorsill.documents.voucher import Voucher, new_secret, root_mark
from doorsill.errors import ConfigError

VOUCHER = Voucher(
    "fleet.example", 8443, "ds-4k7q2m9x", new_secret(bytes(10)), root_mark(b"root")
)
CODE = VOUCHER.text().rpartition("/")[2]
FILE = BootFile("porto-1", VOUCHER)
GOOD = write_boot_file(FILE)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(FILE, id="cable and DHCP"),
        pytest.param(replace(FILE, voucher=None), id="enrolled"),
        pytest.param(replace(FILE, server=Server("10.0.0.5", 443)), id="server"),
        pytest.param(replace(FILE, server=Server("fd00::5", 443)), id="server of IPv6"),
        pytest.param(replace(FILE, camera="video:/dev/video0"), id="webcam"),
        pytest.param(
            replace(FILE, network=Network(Wifi("Café #1", 'a "b" = #c', "PT"))),
            id="Wi-Fi with all that a parser stumbles over",
        ),
        pytest.param(
            replace(FILE, network=Network(Wifi(' "x" ', "", "DE"))),
            id="an open Wi-Fi with blanks and quotes around it",
        ),
        pytest.param(
            replace(
                FILE,
                network=Network(
                    None, Static("192.0.2.17/24", "192.0.2.1", ("192.0.2.53",)), "ntp.x"
                ),
            ),
            id="a static address and a server of time",
        ),
        pytest.param(
            replace(
                FILE,
                network=Network(None, Static("fd00::17/64", "fd00::1", ("fd00::5",))),
            ),
            id="a static address of IPv6",
        ),
        pytest.param(
            replace(
                FILE,
                wiring=Wiring(
                    'uTrust 3700 "F"',
                    "pinctrl-rp1:27",
                    "/dev/gpiochip0:17",
                    "pinctrl-rp1:22",
                    "/dev/spidev0.0",
                    "GPIO25",
                ),
            ),
            id="all that can be wired",
        ),
        pytest.param(
            replace(FILE, wiring=Wiring("ACR 39", "pinctrl-bcm2711:27")),
            id="a reader and a consent lamp",
        ),
    ],
)
def test_what_the_office_writes_is_what_the_camera_reads(file: BootFile) -> None:
    assert read_boot_file(write_boot_file(file)) == file


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, id="BOM"),
        pytest.param(b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"), id="both"),
        pytest.param(GOOD.replace(b" = ", b"\t=\t"), id="tabs"),
        pytest.param(GOOD.replace(b"site = ", b"   Site="), id="a phone's capital"),
        pytest.param(GOOD.rstrip(), id="no last line end"),
        pytest.param(GOOD.replace(b"# How", b"# \xe9 How"), id="Windows in a remark"),
        pytest.param(GOOD.replace(b"= porto-1", b'= "porto-1"'), id="quotes"),
        pytest.param(GOOD + b"\n\n  \n# more\n", id="empty lines and remarks"),
    ],
)
def test_what_editors_do_is_no_fault(spoilt: bytes) -> None:
    assert read_boot_file(spoilt) == FILE


def said(data: bytes) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        read_boot_file(data)
    return tuple(map(str, refused.value.args))


TEXT = f"site = porto-1\nvoucher = {VOUCHER.text()}\n".encode()
WIFI = TEXT + b"wifi = Shop\nwifi-password = 12345678\nwifi-country = PT\n"
READER = TEXT + b"reader = uTrust 3700\n"
STATIC = TEXT + b"address = 192.0.2.17/24\ngateway = 192.0.2.1\ndns = 192.0.2.53\n"


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        pytest.param(
            TEXT.replace(b"site", b"sit"),
            "line 1: ",
            "'sit' is not a key of this file; did you mean site?",
            id="typo",
        ),
        pytest.param(
            WIFI.replace(b"wifi-password", b"wifi_password"),
            "line 4: ",
            "did you mean wifi-password?",
            id="an underscore",
        ),
        pytest.param(
            TEXT + b"colour = red\n", "line 3: ", "known: site,", id="unknown"
        ),
        pytest.param(
            TEXT.replace(b"site =", b"site:"),
            "line 1: ",
            "there is no = in this line; write it like site = porto-1",
            id="a colon",
        ),
        pytest.param(
            TEXT.replace(b"site = ", b""), "line 1: ", "there is no =", id="no key"
        ),
        pytest.param(
            TEXT + TEXT.splitlines()[1],
            "line 3: ",
            "voucher is there twice, in line 2 as well; put # before",
            id="two vouchers",
        ),
        pytest.param(
            TEXT.replace(CODE[-1:].encode(), b"8" if CODE[-1] != "8" else b"9"),
            "line 2: ",
            "check characters do not match; look at each character again; copy it",
            id="a slip in the voucher",
        ),
        pytest.param(
            TEXT.replace(CODE[-3:].encode(), b""), "line 2: ", "copy it", id="cut off"
        ),
        pytest.param(
            WIFI.replace(b"Shop", "Café".encode("cp1252")),
            "line 3: ",
            "character 11 is not in UTF-8; save the file as UTF-8 (Notepad",
            id="Windows-encoded",
        ),
        pytest.param(TEXT.decode().encode("utf-16"), "line 1: ", "UTF-16", id="UTF-16"),
        pytest.param(
            TEXT.decode().encode("utf-16-le"), "line 1: ", "UTF-16", id="without mark"
        ),
        pytest.param(
            TEXT.replace(b"porto-1", "\u201cporto-1\u201d".encode()),
            "line 1: ",
            r"site has the odd character '\u201c'; type the value again",
            id="quotes of a word processor",
        ),
        pytest.param(
            TEXT.replace(b"porto-1", b"Porto 1"), "line 1: ", "a-z, 0-9", id="site"
        ),
        pytest.param(TEXT + b"server = x\n", "line 3: ", "HOST:PORT", id="no port"),
        pytest.param(TEXT + b"server = x:0\n", "line 3: ", "HOST:PORT", id="port 0"),
        pytest.param(
            TEXT + b"camera = rtsp://x\n", "line 3: ", "picamera", id="camera"
        ),
        pytest.param(
            WIFI.replace(b"12345678", b"1234567"),
            "line 4: ",
            "wifi-password has 7 characters",
            id="a short password",
        ),
        pytest.param(
            WIFI.replace(b"wifi-country = PT\n", b""),
            "line 3: ",
            "wifi needs wifi-country as well; add a line: wifi-country = PT",
            id="no country",
        ),
        pytest.param(
            WIFI.replace(b"= PT", b"= Portugal"),
            "line 5: ",
            "two letters",
            id="country",
        ),
        pytest.param(
            TEXT + b"wifi = " + b"x" * 33 + b"\nwifi-password =\nwifi-country = PT",
            "line 3: ",
            "1 to 32",
            id="a long name",
        ),
        pytest.param(
            STATIC.replace(b"/24", b""),
            "line 3: ",
            "255.255.255.0 is /24",
            id="no mask",
        ),
        pytest.param(
            STATIC.replace(b"2.17/", b"2.0/"), "line 3: ", "network itself", id="net"
        ),
        pytest.param(
            STATIC.replace(b"gateway = 192.0.2.1\n", b""),
            "line 3: ",
            "address needs gateway as well",
            id="no gateway",
        ),
        pytest.param(
            STATIC.replace(b"gateway = 192.0.2", b"gateway = 198.51.100"),
            "line 4: ",
            "not in the network of 192.0.2.17/24",
            id="another network's gateway",
        ),
        pytest.param(
            STATIC.replace(b"2.53", b"2.530"), "line 5: ", "dns = '192", id="dns"
        ),
        pytest.param(TEXT + b"time-server = a b\n", "line 3: ", "a name or", id="time"),
        pytest.param(
            READER + b"consent-lamb = pinctrl-rp1:27\n",
            "line 4: ",
            "did you mean consent-lamp?",
            id="a lamb",
        ),
        pytest.param(
            READER + b"key_switch = pinctrl-rp1:17\n",
            "line 4: ",
            "did you mean key-switch?",
            id="a switch with an underscore",
        ),
        pytest.param(
            TEXT + b"key-switch = pinctrl-rp1:17\n",
            "line 3: ",
            "key-switch needs reader as well; add a line: reader = uTrust 3700",
            id="a switch of no vault",
        ),
        pytest.param(
            READER + b"consent-lamp = GPIO27\n",
            "line 4: ",
            "must be CHIP:LINE, as pinctrl-rp1:27 on a Pi 5 and pinctrl-bcm2711:27",
            id="a pin without its chip",
        ),
        pytest.param(
            READER + b"interlock = pinctrl-rp1:pin 15\n", "line 4: ", "LINE", id="pin"
        ),
        pytest.param(
            READER + b"interlock = a:22\nconsent-lamp = a:22\n",
            "line 4: ",
            "interlock and consent-lamp are both 'a:22'",
            id="one pin for two",
        ),
        pytest.param(
            READER + b"memory = spi:/dev/spidev0.0\n",
            "line 4: ",
            "as /dev/spidev0.0",
            id="a memory",
        ),
        pytest.param(
            TEXT + b"status-lamp = 24:\n", "line 3: ", "as GPIO24", id="status lamp"
        ),
        pytest.param(TEXT + b"reader =\n", "line 3: ", "a part of", id="no reader"),
        pytest.param(TEXT[15:], "", "site is missing; add a line: site", id="no site"),
        pytest.param(bytes(1 << 17), "", "131072 bytes; the limit is", id="large"),
    ],
)
def test_a_fault_has_its_line_what_is_wrong_and_what_to_do(
    data: bytes, line: str, words: str
) -> None:
    (found,) = said(data)
    assert found.startswith(line) and words in found
    assert CODE[:9] not in found  # a code is never shown


def test_each_key_stands_in_a_new_file_with_an_example_that_is_right() -> None:
    """A person takes the # away; what is wired is nothing until then."""
    assert read_boot_file(GOOD).wiring == Wiring()
    text = GOOD.decode()
    assert all(f"\n# {example}\n" in text for example in KEYS.values())
    found = read_boot_file(text.replace("\n# reader", "\nreader").encode())
    assert found.wiring == Wiring("uTrust 3700")
    lines = "".join(f"{each}\n" for each in KEYS.values())
    assert read_wired(lines.encode()).interlock == "pinctrl-rp1:22"
    with pytest.raises(ConfigError, match="'wifi' is not a key of this file"):
        read_wired(b"wifi = Shop\n")


def test_all_faults_are_said_at_once_in_the_order_of_their_lines() -> None:
    found = said(b"wifi-password = short\nsite = X\nvoucher = x\ncolour = red\n")
    assert [each.split(":")[0] for each in found] == [
        "line 1", "line 2", "line 3", "line 4",
    ]  # fmt: skip
    assert not any("short" in each for each in found)


@pytest.mark.parametrize("data", [b"", b"\0" * 40, b"\xff" * 9, b"=\n=\n", b"= x\n"])
def test_rubbish_is_refused_with_a_sentence(data: bytes) -> None:
    assert all(said(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD, id="as written"),
        pytest.param(b"\xef\xbb\xbf" + TEXT[15:] + TEXT, id="behind a BOM"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(GOOD.replace(b"voucher =", b"  Voucher\t="), id="typed"),
        pytest.param(GOOD.replace(b"voucher =", b"# vaucher:"), id="a typo, a remark"),
        pytest.param(GOOD.rstrip() + b"\n" + TEXT.splitlines()[1], id="at the end"),
    ],
)
def test_a_wiped_voucher_is_gone_and_all_else_is_there(data: bytes) -> None:
    wiped = without_voucher(data)
    assert len(wiped) == len(data)
    for part in CODE.split("-"):
        assert part.encode() not in wiped
    assert wiped.count(b"\n") == data.count(b"\n")
    assert wiped.count(b"\r") == data.count(b"\r")


def test_a_file_without_its_voucher_is_still_right() -> None:
    assert read_boot_file(without_voucher(GOOD)) == replace(FILE, voucher=None)


def test_a_wipe_that_was_cut_anywhere_leaves_a_readable_file_and_is_finished() -> None:
    wiped = without_voucher(GOOD)
    for at in range(len(GOOD)):
        cut = wiped[:at] + GOOD[at:]
        again = without_voucher(cut)
        assert CODE[-4:].encode() not in again.splitlines()[5], at
        assert read_boot_file(again).site == "porto-1"


def test_the_server_s_own_address_takes_the_place_of_the_voucher_s() -> None:
    way = replace(FILE, server=Server("10.0.0.5", 443)).way
    assert way is not None
    assert (way.host, way.port, way.secret) == ("10.0.0.5", 443, VOUCHER.secret)
    assert FILE.way == VOUCHER and replace(FILE, voucher=None).way is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["config.txt"], f"no {NAME} beside this file"),
        (["config.txt", "doorsill.txt.txt"], "a file 'doorsill.txt.txt'; its name"),
        (["doorsill-status.txt"], f"no {NAME}"),
    ],
)
def test_a_file_that_is_not_there_may_have_another_name(
    names: list[str], words: str
) -> None:
    assert words in str(no_file(names))

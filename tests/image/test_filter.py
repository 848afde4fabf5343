"""The filter of packets of the image, on a real kernel: what gets out, and in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from filtered import CAMERA, SHOP, USERS, Cable, Try, by_number, cable
from limits import PROGRAM_S

from image import system

RULES = system.HERE / "system/etc/nftables.conf"
OPEN = system.HERE / "system/usr/lib/doorsill/open-ports"
BROKER, FLEET, BOOT = 10883, 9443, 12443
PORTS = (22, 53, 67, 80, 123, 443, 547, 853, 5353, 8443, 8883, BROKER, FLEET, BOOT)
NAMED = {"broker": f"{BROKER}\n", "fleet": f"{FLEET}\n", "boot": f"{BOOT}\n"}
TRIES: tuple[Try, ...] = tuple(product(USERS.values(), ("tcp", "udp"), PORTS))
ANSWER_S = 30.0  # what is refused is said at once
NO_ANSWER_S = 1.5  # what comes in is not

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or any(shutil.which(p) is None for p in ("nft", "ip", "nsenter", "ping")),
    reason="needs root, nft, iproute2, iputils-ping and util-linux",
)


def allowed(*, broker: int | None, fleet: set[int]) -> set[Try]:
    """What README and SECURITY.md say that gets out."""
    root, resolve = USERS["root"], USERS["systemd-resolve"]
    found: set[Try] = {(resolve, "tcp", 53), (resolve, "udp", 53)}
    found |= {(USERS["systemd-network"], "udp", port) for port in (67, 547)}
    found.add((USERS["systemd-timesync"], "udp", 123))
    found |= {(root, "tcp", port) for port in fleet}
    if broker is not None:
        found.add((USERS["doorsill-uplink"], "tcp", broker))
    return found


@pytest.fixture(scope="module")
def line() -> Iterator[Cable]:
    with cable(PORTS) as found:
        if "not supported" in found.camera.run("nft", "list", "ruleset").stderr:
            pytest.skip("this machine's kernel has no nftables")
        yield found


@pytest.fixture
def shut(line: Cable) -> Cable:
    """The camera as it starts: the rules alone."""
    line.camera.must("nft", "--file", "-", given=by_number(RULES.read_text("utf-8")))
    return line


def write(folder: Path, **texts: str) -> Path:
    """What the first boot has written."""
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("latin-1"))
    return folder


def test_control_without_rules_everything_gets_everywhere(line: Cable) -> None:
    line.camera.must("nft", "flush", "ruleset")
    assert line.out(TRIES, ANSWER_S) == set(TRIES)
    into = [(0, kind, port) for kind, port in product(("tcp", "udp"), PORTS)]
    assert line.into(into, ANSWER_S) == set(into)
    assert [each for each in CAMERA if not answers(line, each)] == []


def test_a_camera_that_has_no_server_yet_reaches_none(shut: Cable) -> None:
    assert shut.out(TRIES, ANSWER_S) == allowed(broker=None, fleet=set())


def test_the_ports_that_its_files_name_are_let_out_each_from_one_user(
    shut: Cable, tmp_path: Path
) -> None:
    shut.camera.must("sh", OPEN, write(tmp_path, **NAMED))
    assert shut.out(TRIES, ANSWER_S) == allowed(broker=BROKER, fleet={FLEET, BOOT})
    (tmp_path / "boot").unlink()  # the voucher is used
    write(tmp_path, broker="8883\n")  # the office has moved its broker
    shut.camera.must("sh", OPEN, tmp_path)
    assert shut.out(TRIES, ANSWER_S) == allowed(broker=8883, fleet={FLEET})


def test_nothing_gets_in_whatever_is_let_out(shut: Cable, tmp_path: Path) -> None:
    shut.camera.must("sh", OPEN, write(tmp_path, **NAMED))
    into = [(0, kind, port) for kind, port in product(("tcp", "udp"), PORTS)]
    assert shut.into(into, NO_ANSWER_S) == set()
    assert [each for each in CAMERA if answers(shut, each)] == []


# Two users send from one port of ours, one after the other; who gets through?
AFTER_ANOTHER = """\
import os, socket, sys
address, kind, port, seconds, *users = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
of = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
for user in users:
    os.seteuid(int(user))
    with socket.socket(family, of) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("", 40123))
        one.settimeout(float(seconds))
        try:
            one.connect((address, int(port)))
            if kind == "udp":
                one.send(b"hello")
                assert one.recv(100) == b"hello"
            else:  # ends at once, and keeps no port
                at_once = bytes([1, *[0] * 7])
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            print(user)
        except OSError:
            pass
    os.seteuid(0)
"""


@pytest.mark.parametrize("address", SHOP)
@pytest.mark.parametrize(
    ("kind", "port", "name"),
    [
        pytest.param("udp", 123, "systemd-timesync", id="time"),
        pytest.param("udp", 53, "systemd-resolve", id="names"),
        pytest.param("tcp", BROKER, "doorsill-uplink", id="broker"),
    ],
)
def test_who_takes_the_port_of_another_user_reaches_nobody(
    shut: Cable, tmp_path: Path, address: str, kind: str, port: int, name: str
) -> None:
    """The answer that the other one got opens nothing for the next."""
    shut.camera.must("sh", OPEN, write(tmp_path, **NAMED))
    users = str(USERS[name]), str(USERS["doorsill-vault"])
    words = sys.executable, "-c", AFTER_ANOTHER, address, kind, str(port)
    assert shut.camera.must(*words, str(ANSWER_S), *users).split() == [users[0]]


def answers(line: Cable, address: str) -> bool:
    """Whether the camera answers a ping from the shop."""
    return line.shop.run("ping", "-c", "1", "-W", "1", address).returncode == 0


@pytest.mark.parametrize("address", SHOP)
def test_what_is_refused_is_refused_at_once(shut: Cable, address: str) -> None:
    """And not after two minutes, in which a process would hang."""
    ask = f"import socket; socket.create_connection(({address!r}, 80), timeout=60)"
    done = shut.camera.run("timeout", "20", "python3", "-c", ask)
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("22 }; flush ruleset; #\n", "broker", id="rules for the broker"),
        pytest.param("22 }; flush ruleset; #\n", "boot", id="rules in doorsill.txt"),
        pytest.param("", "fleet", id="empty"),
        pytest.param("0\n", "fleet", id="zero"),
        pytest.param("65536\n", "fleet", id="too large"),
        pytest.param("99999999999999999999\n", "fleet", id="far too large"),
        pytest.param("08883\n", "fleet", id="octal"),
        pytest.param("0x22b3\n", "fleet", id="hexadecimal"),
        pytest.param("-1\n", "fleet", id="negative"),
        pytest.param("+22\n", "fleet", id="with a sign"),
        pytest.param("8883.\n", "fleet", id="a typo"),
        pytest.param(" 8883\n", "fleet", id="a blank"),
        pytest.param("8883\n22\n", "fleet", id="two lines"),
        pytest.param("8883-65535\n", "fleet", id="a range"),
        pytest.param("mqtts\n", "fleet", id="a name"),
        pytest.param("22 }; flush ruleset; #\n", "fleet", id="rules"),
        pytest.param("8883\nflush ruleset\n", "fleet", id="rules below"),
        pytest.param("$(nft flush ruleset)\n", "fleet", id="a command"),
        pytest.param("`nft flush ruleset`\n", "fleet", id="another command"),
        pytest.param("*\n", "fleet", id="a pattern"),
        pytest.param("\xef\xbb\xbf8883\n", "fleet", id="a byte order mark"),
        pytest.param("8883\r\n", "fleet", id="a line end of Windows"),
        pytest.param("9" * 100_000, "fleet", id="long"),
    ],
)
def test_what_is_no_port_is_refused_and_the_rules_of_before_stay(
    shut: Cable, tmp_path: Path, text: str, name: str
) -> None:
    shut.camera.must("sh", OPEN, write(tmp_path, **NAMED))
    before = shut.camera.must("nft", "list", "ruleset")
    others = {"broker": "1000", "fleet": "1001", "boot": "1002", name: text}
    done = shut.camera.run("sh", OPEN, write(tmp_path, **others))
    assert done.returncode == 2
    assert f"{tmp_path}/{name} holds no port from 1 to 65535" in done.stderr
    assert shut.camera.must("nft", "list", "ruleset") == before


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused(shut: Cable, tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        (tmp_path / "fleet").mkdir()
    else:
        os.mkfifo(tmp_path / "fleet")
    done = shut.camera.run("sh", OPEN, tmp_path)
    assert done.returncode == 2 and "fleet holds no port" in done.stderr


def test_a_filter_that_is_not_there_is_an_error(line: Cable, tmp_path: Path) -> None:
    line.camera.must("nft", "flush", "ruleset")
    done = line.camera.run("sh", OPEN, write(tmp_path, **NAMED))
    assert done.returncode not in (0, 2)
    assert line.camera.must("nft", "list", "ruleset") == ""


def test_the_shell_finds_no_fault() -> None:
    done = ["dash", "-n", str(OPEN)]
    subprocess.run(done, check=True, timeout=PROGRAM_S)
    assert os.access(OPEN, os.X_OK)
